"""Which side is the lower one, when both are nearly the same: the weight of the mirrored scan.

Networks see the lower putamen on the left. Which one that is hangs on the error of measurement where both are nearly
equal, and an answer that turned with it would jump. Such scans are answered as a mean of both orientations.
"""

import math

# Percent by which SBRs of the same side differ from test to retest: 7.25 (regions), 7.47 (volumes; Booij 1998).
RETEST_ERROR = 7.0


def mirrored_weight(asymmetry_percent: float | None) -> float:
    """One half for equal putamina, a quarter at the retest error, 0 from twice that; smooth.

    Args:
        asymmetry_percent: of the putamina, `Quantification.asymmetry_percent`; None gives 0.
    """
    if asymmetry_percent is None:
        return 0.0
    place = min(abs(asymmetry_percent) / (2 * RETEST_ERROR), 1.0)
    return 0.25 * (1 + math.cos(math.pi * place))
