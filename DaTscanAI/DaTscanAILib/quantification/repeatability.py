"""By how much a repeated measurement of a nucleus differs.

The difference of two measurements of one person has the variance 2 (constant^2 + (share * SBR)^2): counts and the
reference region give a part that grows with the SBR, the noise of the hottest voxels one that does not.
"""

import math
from dataclasses import dataclass

REACH = 1.96  # standard deviations that hold 95 %


@dataclass(frozen=True)
class Repeatability:
    """Standard deviation of a repeated measurement of a nucleus: sqrt(constant^2 + (share * SBR)^2)."""

    constant: float
    share: float

    def limit(self, level: float) -> float:
        """What the difference of two measurements stays within in 95 %, at a mean SBR."""
        return REACH * math.sqrt(2) * math.hypot(self.constant, self.share * level)
