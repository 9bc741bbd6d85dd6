"""What a table states of a scan: the same of a manifest's row, a BIDS participant and the case made of either."""

from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Stated:
    """What is known of a scan beside its file, or why it cannot be used.

    Attributes:
        label: "normal" or "reduced"; None where it is not stated, as for the next three.
        age: years.
        sex: "F" or "M".
        site: where it was made.
        other: text of every other column that has a name.
        error: why it cannot be used, one sentence; None where nothing is wrong.
    """

    label: str | None = None
    age: float | None = None
    sex: str | None = None
    site: str | None = None
    other: dict[str, str] = field(default_factory=dict)
    error: str | None = None

    def stated(self) -> dict[str, Any]:
        """These fields by name, to make another record of the same scan."""
        return {entry.name: getattr(self, entry.name) for entry in fields(Stated)}
