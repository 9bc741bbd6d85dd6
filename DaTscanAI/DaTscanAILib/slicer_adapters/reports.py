"""The PDF report of a case in the scene."""

from pathlib import Path

from ..base.errors import DaTscanError
from ..explanation.normal_difference import difference_from_normal
from ..mni.atlas import load_atlas, load_mri
from .case import RELEVANCE, SCAN, Case
from .volumes import voxels_of


def save_report(case: Case | None, path: Path | str) -> None:
    """Write the one-page report of a case.

    Raises:
        DaTscanError: the case has not been measured yet.
    """
    scan = case.get(SCAN) if case else None
    if scan is None:
        raise DaTscanError("There is nothing to report yet: analyze the scan first.")
    from ..reporting.panels import paint_panels
    from ..reporting.report import write_report

    relevance = case.get(RELEVANCE)
    map_voxels = voxels_of(relevance) if relevance else None
    difference = difference_from_normal(voxels_of(scan), bool(case.result["quantification"]["mirrored"]))
    panels = paint_panels(voxels_of(scan), map_voxels, *load_mri(), load_atlas().regions, difference)
    write_report(path, case.result, panels, case.result.get("patient"))
