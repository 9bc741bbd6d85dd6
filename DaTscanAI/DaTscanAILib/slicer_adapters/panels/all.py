"""The sections of the panel, in the order of the chain."""

from .batch import BatchPanel
from .classification import ClassificationPanel
from .explanation import ExplanationPanel
from .prior_scan import PriorScanPanel
from .quantification import QuantificationPanel
from .registration import RegistrationPanel
from .result import ResultPanel
from .scan import ScanPanel

PANELS = (
    ScanPanel,
    ResultPanel,
    RegistrationPanel,
    QuantificationPanel,
    ClassificationPanel,
    ExplanationPanel,
    PriorScanPanel,
    BatchPanel,
)
