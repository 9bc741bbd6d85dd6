"""What else an image may be: MRI, CT, maps of tissue and labels, other tracers; each check has a number and a why.

Uptake is relative to the cortex. In DAT scans, simulated ones of ten heads and six cameras and those of another
simulator, the striatum (whole outline) lies at 1.00 to 5, the thalamus at 1.00 to 1.95, white matter above the
striata at 0.85 to 1.22 (at 0.90 and more where the striatum lies under 1.6), ventricles at 0.77 to 1.65 (their
neighbors spill over), the cerebellum at 0.72 to 1.18. The brighter the striatum, the more of it spills over into all
that is near: some limits rise with it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from .content import Content


@dataclass(frozen=True)
class Check:
    """One kind of image that is no DAT scan.

    Attributes:
        looks_like: the kind, and by what it is told: the end of a sentence.
        holds: whether the measures are those of the kind. NaN, outside the field of view, never holds.
        alone: refuses a fit of any quality; otherwise it names the kind of one that was refused.
    """

    looks_like: str
    holds: Callable[[Content], bool]
    alone: bool = True


def _spilled(content: Content, share: float) -> float:
    return share * max(content.parts["striatum"] - 1, 0)


CHECKS = (
    Check("a mask: it has two values only", lambda c: c.levels <= 2),
    # Neighbors in counts differ by one level at most nearly everywhere, the numbers of regions by any.
    Check(
        "a map of labels: whole regions share one value",
        lambda c: c.levels <= 400 and c.equal_neighbors > 0.6 and c.jumps > 0.35,
    ),
    # 3 is what remains of cerebrospinal fluid, grey and white matter.
    Check(
        "a tissue map or a scan of which an export has left four values or fewer",
        lambda c: c.levels <= 4,
    ),
    Check(
        "a map of white matter",
        lambda c: c.parts["white"] > 1.8,
    ),
    # Amyloid PET too is brighter there.
    Check(
        "a T1-weighted MRI or a tracer that gathers in white matter, which is brighter than grey matter",
        lambda c: c.parts["white"] > 1.17 + _spilled(c, 0.1),
    ),
    Check(
        "a map of grey matter or of blood flow: white matter holds almost nothing",
        lambda c: c.parts["white"] < 0.5,
    ),
    Check(
        "a T2-weighted MRI: fluid is brighter than the brain",
        lambda c: c.parts["ventricles"] > 1.15 and c.parts["striatum"] < 1.05,
    ),
    Check(
        "a receptor or enzyme map: cerebellum and cortex do not hold alike what lies outside the striata",
        lambda c: c.parts["cerebellum"] < 0.68 and c.parts["striatum"] > 1.5,
    ),
    # Where next to nothing of the striata is left, the stem may outshine them by 0.01 (60 simulated scans, a loop);
    # of serotonin's tracer it does by 1.
    Check(
        "another tracer, of serotonin for example: the brain stem is brighter than the striata",
        lambda c: c.parts["stem"] > max(1.2, c.parts["striatum"] + 0.1),
    ),
    Check(
        "another tracer: the striata are darker than the cortex",
        lambda c: c.parts["striatum"] < 0.9,
    ),
    # Even where all dopamine is lost, thalamus and striatum bind some of the tracer by their serotonin transporters.
    Check(
        "an MRI or another tracer: neither striata nor thalamus stand out from the cortex",
        lambda c: c.parts["striatum"] < 1.05 and c.parts["thalamus"] < 1.04 and c.parts["white"] < 0.95,
    ),
    Check(
        "an MRI in which fluid is dark, as in FLAIR: the striata do not stand out from the cortex",
        lambda c: c.parts["ventricles"] < 0.7 and c.parts["striatum"] < 1.12,
    ),
    Check(
        "an MRI, CT or PET map: its edges are sharper than any SPECT shows",
        lambda c: c.edge_width is not None and c.edge_width < 5.2 and c.levels > 100,
    ),
    Check(
        "blood flow or glucose: white matter and ventricles lie below the cortex, the striata hardly above it",
        lambda c: c.parts["white"] < 0.89 and c.parts["ventricles"] < 0.87 and c.parts["striatum"] < 1.3,
    ),
    Check(
        "blood flow or glucose: white matter lies below the cortex, the striata hardly above it",
        lambda c: c.parts["white"] < 0.92 and c.parts["ventricles"] < 0.9 and c.parts["striatum"] < 1.3,
        alone=False,
    ),
    Check(
        "a CT or a phantom: no part of the brain differs from another",
        lambda c: all(abs(c.parts[name] - 1) < 0.1 for name in ("white", "ventricles", "striatum", "thalamus")),
        alone=False,
    ),
)


def looks_like(content: Content, accepted: bool) -> str | None:
    """What the image is if it is no DAT scan: a kind that refuses alone or, for a refused fit, any that holds."""
    for check in CHECKS:
        if (check.alone or not accepted) and check.holds(content):
            return check.looks_like
    return None
