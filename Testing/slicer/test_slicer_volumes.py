"""The module's logic in Slicer's scene: volumes and their orientation."""

from dataclasses import asdict, replace

import numpy as np
import pytest

pytest.importorskip("slicer", reason="slicer-core is not installed")

from slicer_cases import SAMPLE

from DaTscanAILib.base.errors import DaTscanError
from DaTscanAILib.reading.scan import read_scan


def test_a_loaded_scan_keeps_the_readers_geometry_and_facts(slicer, logic):
    from DaTscanAILib.slicer_adapters.volumes import scan_of

    scan, node = read_scan(SAMPLE), logic.loadScan(SAMPLE)
    again = scan_of(node)
    assert node.GetName() == "reduced"
    assert (again.voxels == scan.voxels).all()
    assert again.affine == pytest.approx(scan.affine, abs=1e-9)
    assert asdict(again.patient) == asdict(scan.patient)
    assert asdict(again.camera) == asdict(scan.camera)
    assert again.identifiers.name == ""


def test_nothing_that_identifies_reaches_the_scene(slicer, logic, tmp_path):
    from DaTscanAILib.slicer_adapters.case import Case

    volume = logic.loadScan(SAMPLE)
    logic.process(volume, lastStage="quantification", showResult=False)
    secret = read_scan(SAMPLE).identifiers
    text = Case.of(volume).node.GetText() + volume.GetAttribute("DaTscanAI.Scan")
    assert secret.id
    assert secret.id not in text
    assert secret.name not in text


@pytest.mark.parametrize("axis", ["R", "A", "S"])
def test_a_flip_reflects_the_header_about_the_middle_and_back(slicer, logic, axis):
    from DaTscanAILib.slicer_adapters.volumes import affine_of, describe_geometry, scan_of

    volume = logic.loadSample("reduced")
    before, row = affine_of(volume), "RAS".index(axis)
    middle = (np.array(volume.GetImageData().GetDimensions()) - 1) / 2
    logic.flip(volume, axis)
    after = affine_of(volume)
    assert (after @ [*middle, 1])[:3] == pytest.approx((before @ [*middle, 1])[:3])
    assert after[row, :3].tolist() == (-before[row, :3]).tolist()
    assert "corrected by hand" in scan_of(volume).warnings[-1]
    assert describe_geometry(volume).endswith({"R": "(RPI)", "A": "(LAI)", "S": "(LPS)"}[axis])
    logic.flip(volume, axis)
    assert affine_of(volume) == pytest.approx(before)
    assert not any("corrected by hand" in warning for warning in scan_of(volume).warnings)


def test_a_registration_is_not_used_for_the_other_orientation(logic):
    """It comes back with the header."""
    from DaTscanAILib.slicer_adapters.session import is_registered, registration_to_keep

    volume = logic.loadSample("reduced")
    logic.process(volume, lastStage="registration", showResult=False)
    kept = registration_to_keep(volume, "registration")
    assert kept is not None
    logic.flip(volume, "S")
    assert not is_registered(volume)
    assert registration_to_keep(volume, "registration") is None
    with pytest.raises(DaTscanError, match="has changed since: press Register"):
        logic.compare(volume)
    logic.flip(volume, "S")
    assert registration_to_keep(volume, "registration") is kept


def test_left_and_right_flipped_in_the_header_are_flipped_in_the_numbers(logic):
    volume = logic.loadSample("reduced")
    before = logic.process(volume, lastStage="quantification", showResult=False)["quantification"]["sbr"]
    logic.flip(volume, "R")
    after = logic.process(volume, lastStage="quantification", showResult=False)["quantification"]["sbr"]
    assert after["putamen_left"] == pytest.approx(before["putamen_right"], abs=0.15)
    assert after["putamen_right"] == pytest.approx(before["putamen_left"], abs=0.15)


def test_a_scan_whose_orientation_was_assumed_has_no_sides_in_the_scene_either(slicer, logic):
    """Feet first assumed and head first true: turned, and what needs the sides is empty, as from the file."""
    from DaTscanAILib.slicer_adapters.case import REGIONS, TABLE, Case
    from DaTscanAILib.slicer_adapters.volumes import add_scan

    scan = read_scan(SAMPLE)
    reflection = np.diag([-1.0, 1, -1, 1])
    turned = replace(scan, affine=reflection @ scan.affine, orientation_assumed=True)
    volume = add_scan(turned, "feet")
    result = logic.process(volume, lastStage="quantification")
    assert (result["registration"]["turned"], result["registration"]["sides_known"]) == ("RS", False)
    assert result["quantification"]["lower_putamen"] is None
    assert set(result["quantification"]["sbr"].values()) == {None}
    table = Case.of(volume).get(TABLE).GetTable()
    assert [table.GetColumnName(column) for column in range(table.GetNumberOfColumns())] == [
        "SBR",
        "Lower side",
        "Other side",
    ]
    logic.showRegions(volume)
    segmentation = Case.of(volume).get(REGIONS).GetSegmentation()
    names = [segmentation.GetNthSegment(index).GetName() for index in range(segmentation.GetNumberOfSegments())]
    assert "Putamen region, one side" in names
    assert not any(side in name for name in names for side in ("left", "right"))
    stated = add_scan(replace(turned, orientation_assumed=False), "stated")
    assert logic.process(stated, lastStage="registration")["registration"]["turned"] is None


def test_what_the_header_says_of_the_injection_reaches_the_report(slicer):
    """The volume node keeps it."""
    from DaTscanAILib.reading.description import describe_scan
    from DaTscanAILib.reading.scan import Injection
    from DaTscanAILib.slicer_adapters.volumes import add_scan, scan_of

    scan = replace(read_scan(SAMPLE), injection=Injection(183.0, 214.0))
    clinical = describe_scan(scan_of(add_scan(scan, "scan")))["clinical"]
    assert (clinical["dose_mbq"], clinical["injection_to_scan_min"]) == (183.0, 214.0)
    assert clinical["from_dicom"] == ("tracer", "dose_mbq", "injection_to_scan_min")
