"""What is known of the selected scan, and whether it still belongs to the scan as it is now.

Each stage of the chain keeps the inputs that its result was made from. A result is current while they are as they
were, else outdated: what has changed since says why. Panel, status line, report and views all ask here, so that an
old answer never stands under a changed input.
"""

import enum
from dataclasses import dataclass, field

import numpy as np

STAGES = ("registration", "quantification", "classification")

# What each stage's result depends on: first what the scan is, then what was chosen for the stage.
SCAN_INPUTS = ("voxels", "header", "transform")
CHOICES = {
    "registration": (),
    "quantification": ("method", "normals"),
    "classification": ("model", "map", "second_reader"),
}
_FLIP = np.diag([-1.0, 1, 1]), np.diag([1, -1.0, 1]), np.diag([1, 1, -1.0])


class Freshness(enum.Enum):
    """Whether a stage has a result, and whether that belongs to the present inputs."""

    ABSENT = "absent"
    CURRENT = "current"
    OUTDATED = "outdated"


@dataclass(frozen=True)
class StageState:
    """One stage of one scan.

    Attributes:
        freshness: of its result.
        reason: the input that has changed ("voxels", "header", "flip R", "transform", "method", "model", ...);
            "unknown" for a result that kept no inputs. Empty unless outdated.
    """

    freshness: Freshness = Freshness.ABSENT
    reason: str = ""

    @property
    def is_current(self) -> bool:
        """There is a result, and it belongs to the scan as it is."""
        return self.freshness is Freshness.CURRENT

    @property
    def is_outdated(self) -> bool:
        """There is a result of other inputs."""
        return self.freshness is Freshness.OUTDATED


@dataclass(frozen=True)
class ScanState:
    """All stages of one scan.

    Attributes:
        stages: by name.
    """

    stages: dict[str, StageState] = field(default_factory=lambda: dict.fromkeys(STAGES, StageState()))

    def __getitem__(self, stage: str) -> StageState:
        return self.stages[stage]

    @property
    def reason(self) -> str:
        """Why the first stage that is outdated is so; empty if none is."""
        return next((self.stages[stage].reason for stage in STAGES if self.stages[stage].is_outdated), "")

    @property
    def is_outdated(self) -> bool:
        """Some stage's result belongs to other inputs."""
        return bool(self.reason)


def state_of(records: dict[str, dict], now: dict) -> ScanState:
    """Compare the inputs of each stage's result with those of the present.

    Args:
        records: by stage, `{"inputs": {...}, ...}` as `record` makes them; a stage without a result has none.
        now: the present inputs, by name; a choice that is not among them is not compared.
    """
    return ScanState({stage: _stage_state(stage, records.get(stage), now) for stage in STAGES})


def inputs_of_stage(stage: str, inputs: dict) -> dict:
    """Those of all inputs that a stage depends on."""
    return {name: inputs.get(name) for name in (*SCAN_INPUTS, *CHOICES[stage])}


def merged_records(old: dict[str, dict], new: dict[str, dict], last_stage: str) -> dict[str, dict]:
    """The records after a run up to a stage: its own, and those of later stages that a former run has made."""
    reached = STAGES[: STAGES.index(last_stage) + 1]
    later = {stage: record for stage, record in old.items() if stage not in reached}
    return {**later, **{stage: new[stage] for stage in reached if stage in new}}


def merged_result(old: dict | None, new: dict, last_stage: str, records: dict[str, dict]) -> dict:
    """`result.json`'s content after a run up to a stage, which keeps what later stages have found before.

    Args:
        old, new: of the former run and of this one.
        records: after the run, from `merged_records`: the warnings and the error are those of the stages.
    """
    kept = {"quantification": ("quantification",), "classification": ("classification", "explanation")}
    sections = [
        section
        for stage in STAGES[STAGES.index(last_stage) + 1 :]
        if stage in records and old
        for section in kept[stage]
    ]
    merged = {**new, **{section: old[section] for section in sections if section in old}}
    if "classification" in sections and new.get("quantification"):  # the networks' part of the table
        grades = (old.get("quantification") or {}).get("grades")
        merged["quantification"] = {**new["quantification"], "grades": grades}
    if sections:
        warnings = [warning for stage in STAGES for warning in records.get(stage, {}).get("warnings", ())]
        merged["warnings"] = list(dict.fromkeys(warnings))
        merged["error"] = records[max(records, key=STAGES.index)].get("error")
    return merged


def _stage_state(stage, record, now):
    if record is None:
        return StageState()
    then = record.get("inputs")
    if then is None:
        return StageState(Freshness.OUTDATED, "unknown")
    for name in (*SCAN_INPUTS, *CHOICES[stage]):
        if name in now and not _same(name, then.get(name), now[name]):
            return StageState(Freshness.OUTDATED, _reason(name, then.get(name), now.get(name)))
    return StageState(Freshness.CURRENT)


def _same(name, then, now):
    """Matrices are the same within what files keep of them."""
    if name in ("header", "transform") and isinstance(then, list) and isinstance(now, list):
        return np.shape(then) == np.shape(now) and np.allclose(then, now, atol=1e-4)
    return then == now


def _reason(name, then, now):
    axis = flipped_axis(then, now) if name == "header" else None
    return f"flip {axis}" if axis else name


def flipped_axis(then: list, now: list) -> str | None:
    """The axis, "R", "A" or "S", along which a header was reflected; None for any other change."""
    if np.shape(then) != (4, 4) or np.shape(now) != (4, 4) or abs(np.linalg.det(then)) < 1e-9:
        return None
    change = (np.array(now) @ np.linalg.inv(then))[:3, :3]
    return next((axis for axis, flip in zip("RAS", _FLIP, strict=True) if np.allclose(change, flip, atol=1e-4)), None)
