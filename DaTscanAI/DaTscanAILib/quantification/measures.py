"""The measures of a scan that normal databases know, as one flat table."""

from ..mni.atlas import SIDES
from .hottest_voxels import HOTTEST_VOLUME_ML
from .sbr import asymmetry_percent_of, caudate_putamen_ratio_of

RATIO, ASYMMETRY = "caudate_putamen_ratio", "asymmetry"
# What is measured on both sides with one expectation, by name, and its keys; then what exists once a scan.
SIDED = {name: tuple(f"{name}_{side}" for side in SIDES) for name in ("caudate", "putamen", "striatum", RATIO)}
SINGLE = (f"{ASYMMETRY}_putamen", f"{ASYMMETRY}_caudate")
KEYS = (*(key for keys in SIDED.values() for key in keys), *SINGLE)


def measures_of(quantification: dict) -> dict[str, float | None]:
    """The values of `KEYS` of a result's `quantification`.

    Asymmetry is signed here, 100 (left - right) / mean of both: that of normal scans lies about zero and not at an
    end, so a standard deviation means something.
    """
    sbr = quantification["sbr"]
    values = {f"{nucleus}_{side}": sbr.get(f"{nucleus}_{side}") for nucleus in HOTTEST_VOLUME_ML for side in SIDES}
    values |= {f"{RATIO}_{side}": quantification["caudate_putamen_ratio"].get(side) for side in SIDES}
    values |= {f"{ASYMMETRY}_{nucleus}": _signed(quantification, nucleus) for nucleus in ("putamen", "caudate")}
    return {key: values[key] for key in KEYS}


def measures_of_sbr(sbr: dict[str, float | None]) -> dict[str, float | None]:
    """The values of `KEYS` that follow from SBRs by region and side."""
    return measures_of(
        {
            "sbr": sbr,
            "asymmetry_percent": {
                nucleus: asymmetry_percent_of(*(sbr[key] for key in SIDED[nucleus]))
                for nucleus in ("putamen", "caudate")
            },
            "caudate_putamen_ratio": {
                side: caudate_putamen_ratio_of(sbr[f"caudate_{side}"], sbr[f"putamen_{side}"]) for side in SIDES
            },
        }
    )


def measure_name(key: str) -> str:
    """`putamen_left` is a `putamen`; asymmetries are their own."""
    return key if key in SINGLE else key.rsplit("_", 1)[0]


def _signed(quantification, nucleus):
    size = quantification["asymmetry_percent"].get(nucleus)
    if size is None:
        return None
    left, right = (quantification["sbr"][f"{nucleus}_{side}"] for side in SIDES)
    return size if left >= right else -size
