"""What others measured with FP-CIT SPECT, to set the simulator's scans beside it (`literature.py`)."""

from dataclasses import dataclass

_LANGE = "Lange 2014, PLoS ONE 9:e108328, table 2"
_MAP = "mean map of 174 healthy persons (Dukart, in netneurolab/hansen_receptors), measured by us in the same spheres"


@dataclass(frozen=True)
class Published:
    """One published figure.

    Attributes:
        topic: heading of the table.
        quantity: in words.
        measure: name of the simulator's own figure, see `literature.measures`.
        source: where it was published.
        value: mean or single figure; None where a range was published.
        spread: standard deviation over persons.
        limits: (lowest, highest) where a range was published, or figures of several studies.
        remark: what makes the two hard to compare.
        comparable: False where it is known that the two do not measure the same.
    """

    topic: str
    quantity: str
    measure: str
    source: str
    value: float | None = None
    spread: float | None = None
    limits: tuple[float, float] | None = None
    remark: str = ""
    comparable: bool = True


_INSULA = "theirs is a cluster of the insula, ours its outline without the large striatal regions"
_CORRECTION_NAMES = {
    "none": "no correction of attenuation",
    "map": "corrected by an attenuation map",
    "chang": "corrected by Chang's method",
}


def _lange_rows():
    """(mean, standard deviation) without correction, with CT-based correction, with Chang's; n = 22 and 40."""
    table = {
        ("putamen", "normal"): ((1.64, 0.21), (1.89, 0.26), (2.00, 0.25)),
        ("caudate", "normal"): ((3.01, 0.51), (3.15, 0.54), (3.67, 0.65)),
        ("striatum", "normal"): ((2.36, 0.35), (2.54, 0.39), (2.91, 0.45)),
        ("putamen", "reduced"): ((0.80, 0.41), (0.96, 0.44), (1.07, 0.46)),
        ("caudate", "reduced"): ((1.85, 0.75), (2.03, 0.71), (2.42, 0.83)),
        ("striatum", "reduced"): ((1.33, 0.57), (1.51, 0.57), (1.78, 0.65)),
    }
    for (nucleus, label), columns in table.items():
        for correction, (value, spread) in zip(("none", "map", "chang"), columns, strict=True):
            yield Published(
                f"SBR of the lower side, {label} scans",
                f"{nucleus}, {_CORRECTION_NAMES[correction]}",
                f"sbr_{nucleus}_{label}_{correction}",
                _LANGE,
                value,
                spread,
                remark="the simulator's without correction of scatter" if correction == "map" else "",
                comparable=nucleus != "caudate",
            )


def _lange_shapes():
    table = {
        ("caudate/putamen ratio, higher side", "ratio"): ((1.93, 0.30), (2.67, 0.84)),
        ("asymmetry of the putamina, %", "asymmetry_putamen"): ((9.1, 7.9), (23.3, 24.2)),
        ("asymmetry of the caudates, %", "asymmetry_caudate"): ((7.1, 6.1), (15.2, 12.0)),
    }
    for (quantity, measure), columns in table.items():
        for label, (value, spread) in zip(("normal", "reduced"), columns, strict=True):
            yield Published(
                "Shape, no attenuation correction",
                f"{quantity}, {label} scans",
                f"{measure}_{label}_none",
                _LANGE,
                value,
                spread,
                remark="their regions are not ours, see below" if measure == "ratio" else "",
                comparable=measure != "ratio",
            )


def _healthy_map():
    table = {
        "anterior putamen": 2.88,
        "posterior putamen": 2.17,
        "caudate": 2.76,
        "accumbens": 2.85,
        "pallidum": 2.90,
        "insula": 1.53,
        "amygdala": 1.62,
        "hippocampus": 1.59,
        "midbrain": 1.45,
        "thalamus": 1.40,
        "pons": 1.27,
    }
    striatal = (*list(table)[:5], "insula")
    smoother = "in or beside the striatum, where the mean of many persons is smoother than a scan"
    for region, value in table.items():
        yield Published(
            "Uptake of healthy brains over occipital cortex, attenuation corrected",
            region,
            f"uptake_{region.replace(' ', '_')}",
            _MAP,
            value,
            remark=smoother if region in striatal else "",
            comparable=region not in striatal,
        )
    yield Published(
        "Uptake of healthy brains over occipital cortex, attenuation corrected",
        "caudate/putamen ratio of SBR by hottest voxels, mean of both sides",
        "sides_ratio",
        _MAP,
        0.94,
        remark="thin caudates lose more in a mean of many persons than putamina do",
        comparable=False,
    )


PUBLISHED = (
    *_lange_rows(),
    Published(
        "Loss in reduced scans",
        "putamen SBR, reduced over normal",
        "reduced_over_normal_putamen",
        _LANGE,
        0.49,
    ),
    Published(
        "Loss in reduced scans",
        "caudate SBR, reduced over normal",
        "reduced_over_normal_caudate",
        _LANGE,
        0.61,
    ),
    Published(
        "Loss in reduced scans",
        "area under the ROC curve of the lower putamen SBR",
        "auc_putamen",
        "Iwabuchi 2019, EJNMMI Res, figure 3 (DaTView, DaTQUANT)",
        limits=(0.906, 0.978),
        remark="Parkinsonian syndromes against others, not reduced against normal readings",
        comparable=False,
    ),
    *_lange_shapes(),
    Published(
        "Effect of corrections",
        "putamen SBR with Chang's correction over without, same normal scans",
        "chang_gain_putamen",
        "Lange 2014 (1.22); European data base, attenuation correction alone (1.155 phantom, 1.165 healthy)",
        limits=(1.155, 1.22),
    ),
    Published(
        "Effect of corrections",
        "putamen SBR with attenuation and scatter corrected over neither, different normal scans",
        "both_over_none_putamen",
        "European data base, both corrections (1.39 phantom, 1.48 healthy)",
        limits=(1.39, 1.48),
    ),
    Published(
        "Recovery",
        "measured SBR over true, %, outlines of caudate and putamen, normal scans, attenuation corrected",
        "recovery",
        "phantom study PMC6038970, true ratios 3 to 8",
        limits=(45.6, 59.2),
        remark="in the true outlines, as phantoms are measured; they have no extrastriatal binding",
    ),
    Published(
        "Recovery",
        "true striatum to background ratio, normal",
        "true_ratio",
        "phantoms filled 8, 6, 4, 3; calibrated European data base about 6.4",
        limits=(6.0, 9.0),
    ),
    Published(
        "Age and sex",
        "putamen SBR, loss per decade, % (measured)",
        "age_loss_measured",
        "ENC-DAT 4 to 6.7; Japanese data base 6.3; Schmitz-Steinkrueger 2021 about 5",
        limits=(4.0, 6.7),
    ),
    Published(
        "Age and sex",
        "putamen specific ratio, loss per decade, % (true, 2000 persons)",
        "age_loss_true",
        "as above",
        limits=(4.0, 6.7),
    ),
    Published(
        "Age and sex",
        "women over men, putamen SBR, % (measured)",
        "women_measured",
        "Schmitz-Steinkrueger 2021: 6, 7 and 14",
        limits=(6.0, 14.0),
    ),
    Published(
        "Age and sex",
        "women over men, putamen specific ratio, % (true, 2000 persons)",
        "women_true",
        "as above",
        limits=(6.0, 14.0),
    ),
    Published(
        "Extrastriatal binding",
        "thalamus, loss per decade, % (true, 2000 persons)",
        "age_loss_thalamus",
        "Nazari 2021, Sci Rep (cited there)",
        8.0,
    ),
    Published(
        "Extrastriatal binding",
        "area under the ROC curve of the insula",
        "auc_insula",
        "Nazari 2021, Sci Rep: 0.621 test, 0.668 training",
        limits=(0.621, 0.668),
        remark=_INSULA,
    ),
    Published(
        "Extrastriatal binding",
        "correlation of insula with lower putamen SBR",
        "correlation_insula",
        "Nazari 2021, Sci Rep",
        0.331,
        remark=_INSULA,
    ),
    *_healthy_map(),
)
