"""The rows of the benchmark's table: what is measured, beside whom, and which figure is good enough."""

from dataclasses import dataclass, field

from .timing import ratio


@dataclass(frozen=True)
class Goal:
    """One row before it is measured.

    Attributes:
        key: its name in `benchmark.json`.
        stage: which part of the benchmark measures it.
        what: for a reader.
        unit: of both figures, of which the smaller is the better.
        peer: what does the same work in the same run; None where we are alone.
        ratio_from: the peer's figure is to be so many times ours, or more.
        ratio_above: the same, or more than that many times.
        at_most: ours is to be this or less.
    """

    key: str
    stage: str
    what: str
    unit: str
    peer: str | None = None
    ratio_from: float | None = None
    ratio_above: float | None = None
    at_most: float | None = None

    def text(self) -> str:
        """The goal as it stands in the table."""
        limits = (("ratio >=", self.ratio_from), ("ratio >", self.ratio_above), ("<=", self.at_most))
        return " and ".join(f"{sign} {limit:g}" for sign, limit in limits if limit is not None)


@dataclass(frozen=True)
class Measured:
    """What a stage found for one row.

    Attributes:
        ours, peer: medians or counts; None where not measured.
        note: why a figure is missing, or what it holds for.
        repetitions: every single figure, by name.
        goal_applies: False where the run differs from what the goal was set for.
    """

    ours: float | None = None
    peer: float | None = None
    note: str = ""
    repetitions: dict = field(default_factory=dict)
    goal_applies: bool = True


@dataclass(frozen=True)
class Findings:
    """What a stage gives back.

    Attributes:
        measured: by key of its rows.
        table: header and rows of text with more detail; empty for none.
    """

    measured: dict[str, Measured]
    table: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Row:
    """A goal and what was measured for it."""

    goal: Goal
    measured: Measured

    @property
    def ratio(self) -> float | None:
        """The peer's figure by ours."""
        return ratio(self.measured.ours, self.measured.peer)

    @property
    def reached(self) -> bool | None:
        """None where there is no goal, or a figure that it needs is missing."""
        goal, ours = self.goal, self.measured.ours
        if not goal.text() or not self.measured.goal_applies:
            return None
        needs_ratio = goal.ratio_from is not None or goal.ratio_above is not None
        if ours is None or (needs_ratio and self.ratio is None):
            return None
        return (
            (goal.ratio_from is None or self.ratio >= goal.ratio_from)
            and (goal.ratio_above is None or self.ratio > goal.ratio_above)
            and (goal.at_most is None or ours <= goal.at_most)
        )


_ELASTIX, _MATTES, _ANTS = "itk-elastix affine", "SimpleITK Mattes MI", "ANTs Affine"
_REGISTRATION = "affine registration"
_MAP = "relevance map, 236 M parameters"

GOALS = (
    Goal("registration_time_elastix", "registration", f"{_REGISTRATION}, one thread", "s", _ELASTIX, ratio_from=6),
    Goal("registration_time_simpleitk", "registration", f"{_REGISTRATION}, one thread", "s", _MATTES),
    Goal("registration_time_ants", "registration", f"{_REGISTRATION}, one thread", "s", _ANTS),
    *(
        Goal(f"registration_{key}_{name}", "registration", f"landmark error, {what}", "mm", peer, ratio_above=1)
        for key, what in (("median", "median"), ("p95", "95th percentile"))
        for name, peer in (("elastix", _ELASTIX), ("simpleitk", _MATTES), ("ants", _ANTS))
    ),
    Goal("registration_time", "registration", f"{_REGISTRATION}, one thread", "s", at_most=0.3),
    Goal("registration_median", "registration", "landmark error, median, shipped basis", "mm", at_most=1.6),
    Goal("registration_p95", "registration", "landmark error, 95th percentile, shipped basis", "mm", at_most=2.5),
    Goal("registration_failures", "registration", "scans with a landmark error over 8 mm", "scans", at_most=0),
    Goal("relevance_full_time", "relevance", f"{_MAP}, one thread", "s", "zennit, tuned allocator", ratio_from=4),
    Goal("relevance_full_time_default", "relevance", f"{_MAP}, one thread", "s", "zennit, default allocator"),
    Goal("relevance_full_error", "relevance", f"{_MAP}, its relative error", "1", "zennit in float32", at_most=1e-5),
    Goal("relevance_full_memory", "relevance", f"{_MAP}, peak extra memory", "MB", "zennit", ratio_from=4),
    Goal("relevance_full_forwards", "relevance", f"{_MAP}, in forward passes", "passes", "zennit", at_most=2.2),
    Goal("relevance_full_convolutions", "relevance", f"{_MAP}: its convolutions alone", "s"),
    Goal(
        "relevance_default_time",
        "relevance",
        "relevance map, default model, one thread",
        "s",
        "zennit, tuned allocator",
        ratio_from=4,
    ),
    Goal(
        "relevance_default_error",
        "relevance",
        "relevance map, default model, its relative error",
        "1",
        "zennit in float32",
        at_most=1e-5,
    ),
    Goal(
        "chain_ratio", "chain", "chain, one scan, warm, all cores", "s", "SimpleITK Mattes MI + zennit", ratio_from=5
    ),
    Goal("chain_time", "chain", "chain, one scan, warm, all cores", "s", at_most=1.0),
    Goal("chain_files", "chain", "result files of one scan (volumes, overview, report)", "s"),
    Goal("chain_dicom_report", "chain", "DICOM structured report of one scan", "s"),
    Goal("chain_dicom", "chain", "all DICOM results of one scan (report, pictures, page)", "s"),
    Goal("explanation_first_map", "explanation", "map by integrated gradients, default model, warm, all cores", "s"),
    Goal("explanation_second_map", "explanation", "second map (LRP), default model, warm, all cores", "s"),
    Goal(
        "explanation_what_if",
        "explanation",
        "what-ifs of one answer, default model, warm, all cores",
        "s",
        "each scan as a whole",
    ),
    Goal("start_up_time", "start-up", "cold start: command to finished case", "s", at_most=5.0),
    Goal("start_up_imports", "start-up", "cold start: imports without torch's", "s", at_most=0.5),
    Goal("start_up_modules", "start-up", "cold start: of matplotlib, pandas and monai loaded", "modules", at_most=0),
    Goal(
        "weights_time",
        "weights",
        "loading the 942 MB weights, to the first logits",
        "s",
        "default initialization + copy",
        ratio_from=8,
    ),
    Goal(
        "weights_checked",
        "weights",
        "loading the 942 MB weights, their SHA-256 checked too",
        "s",
        "default initialization + copy",
    ),
    Goal("batch_time", "batch", "batch of scans, several workers, one thread each", "s", "1 worker", ratio_from=1.8),
    Goal("batch_scan", "batch", "batch of scans, for each scan", "s", "1 worker"),
    Goal("batch_memory", "batch", "memory of a worker, at its peak", "MB", at_most=1000),
    Goal("batch_growth", "batch", "memory of a worker, growth from second to last quarter", "MB", at_most=20),
    Goal("simulation_time", "simulation", "simulation of a scan, one thread", "s", at_most=5.0),
    Goal(
        "training_step",
        "training",
        "training step, 236 M parameters, batch of 8, all cores",
        "s",
        "eager float32, default Adam",
        ratio_from=1.7,
    ),
    *(
        Goal(f"gpu_relevance{key}", "gpu", f"{_MAP}, GPU{how}", "s", "zennit", ratio_from=8, at_most=0.0015)
        for key, how in (("", ""), ("_graph", ", as one CUDA graph"))
    ),
    Goal("gpu_relevance_error", "gpu", f"{_MAP}, GPU, its relative error", "1", at_most=1e-5),
    Goal("gpu_relevance_memory", "gpu", f"{_MAP}, GPU, peak extra memory", "MB"),
    Goal("gpu_convolutions", "gpu", "four convolutions of that map, channels last", "s", "channels first"),
    Goal("gpu_epoch", "gpu", "training epoch, 864 full-size scans, cached, GPU", "s", at_most=10.0),
)
STAGES = tuple(dict.fromkeys(goal.stage for goal in GOALS))


def rows_of(stage: str, measured: dict[str, Measured]) -> list[Row]:
    """All rows of a stage, those that it has not measured too.

    Raises:
        KeyError: the stage measured what is no row of it.
    """
    goals = [goal for goal in GOALS if goal.stage == stage]
    unknown = set(measured) - {goal.key for goal in goals}
    if unknown:
        raise KeyError(*unknown)
    return [Row(goal, measured.get(goal.key, Measured(note="not measured"))) for goal in goals]
