"""How a case is shown."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """What the views show.

    Attributes:
        content: of the slices: "relevance", "relevance_on_scan", "scan" (each over the MRI), "scan_only" or "change"
            (since an earlier scan).
        threshold: part of the relevance limit below which nothing is colored.
        opacity: of the relevance.
        signs: "both", "positive" or "negative".
        in_slices, in_3d: where the relevance is shown.
    """

    content: str = "relevance"
    threshold: float = 0.1
    opacity: float = 0.7
    signs: str = "both"
    in_slices: bool = True
    in_3d: bool = True
