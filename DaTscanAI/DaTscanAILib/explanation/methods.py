"""The ways to compute a map, by the names that users know."""

INTEGRATED_GRADIENTS, LRP = "integrated-gradients", "lrp"
METHODS = (INTEGRATED_GRADIENTS, LRP)
DEFAULT_METHOD = INTEGRATED_GRADIENTS
GRADIENT_TIMES_INPUT = "gradient-times-input"  # what the gates compare maps with, no map for users
