"""Scans whose header states no orientation: another way of lying is tried before a mirror; sides may be unknown."""

from dataclasses import replace
from types import SimpleNamespace

import dicom_factory as factory
import numpy as np
import pytest

from DaTscanAILib.analysis import Analyzer, measure
from DaTscanAILib.base.resources import resource_path
from DaTscanAILib.mni.geometry import apply_affine
from DaTscanAILib.quantification.unknown_sides import hide_sides
from DaTscanAILib.reading.scan import read_scan
from DaTscanAILib.registration import search as searching
from DaTscanAILib.registration.affine import SIDES_UNKNOWN, TURNED, register
from DaTscanAILib.registration.landmarks import landmark_error
from DaTscanAILib.reporting.page_entry import page_entry
from DaTscanAILib.reporting.panels import paint_panels
from DaTscanAILib.reporting.result_files import table_row
from DaTscanAILib.reporting.unknown_sides import without_side_letters


@pytest.fixture(scope="module")
def head():
    return read_scan(resource_path("Samples", "reduced.dcm"))


@pytest.fixture(scope="module")
def plain(head):
    return register(head)


def reversed_along(scan, axes):
    """The scan as a header would have it that is wrong along these scanner axes, and the reflection."""
    reflection = np.diag([*(-1.0 if axis in axes else 1.0 for axis in "RAS"), 1.0])
    middle = apply_affine(scan.affine, (np.array(scan.voxels.shape) - 1) / 2)
    reflection[:3, 3] = middle - reflection[:3, :3] @ middle
    return replace(scan, affine=reflection @ scan.affine, orientation_assumed=True), reflection


@pytest.mark.parametrize("axes", searching.TURNS)
def test_a_patient_who_lay_otherwise_is_turned_not_mirrored(axes, head, plain):
    """Feet first assumed and head first true, prone and supine exchanged, or both."""
    scan, turn = reversed_along(head, axes)
    found = register(scan)
    assert (found.accepted, found.turned, found.flipped) == (True, axes, None)
    assert landmark_error(found.scanner_from_mni, turn @ plain.scanner_from_mni) < 2
    assert np.linalg.det(found.scanner_from_mni[:3, :3]) > 0
    assert found.sides_known is False  # the mirrored scan fits as well
    assert {TURNED, SIDES_UNKNOWN} <= set(found.warnings)


def test_an_assumption_that_fits_is_left_alone(head, plain):
    found = register(replace(head, orientation_assumed=True))
    assert (found.turned, found.sides_known, found.warnings) == (None, True, plain.warnings)
    np.testing.assert_array_equal(found.scanner_from_mni, plain.scanner_from_mni)


def test_sides_are_known_where_the_mirrored_scan_does_not_fit(monkeypatch):
    qualities = {"RS": 0.2, "RA": 0.9, "SA": 0.3, "A": 0.4}
    fit = SimpleNamespace()
    monkeypatch.setattr(
        searching, "_mirrored", lambda _, axes: searching.Found(fit, np.eye(4), qualities[axes], flipped=axes)
    )
    found = searching._turned(None)
    assert (found.turned, found.flipped, found.sides_known, found.quality) == ("RA", "", True, 0.9)


@pytest.fixture(scope="module")
def unknown(head):
    return measure(reversed_along(head, "RS")[0], "case")


def test_a_result_without_sides_names_none(unknown, head, plain):
    result, measured = unknown.result, unknown.result["quantification"]
    assert (result["registration"]["turned"], result["registration"]["sides_known"]) == ("RS", False)
    assert measured["lower_putamen"] is None
    assert measured["z"] is None
    for name in ("sbr", "sbr_aal", "asymmetry_percent", "caudate_putamen_ratio"):
        assert set(measured[name].values()) == {None}, name
    known = measure(head, "case", plain).result["quantification"]["sbr"]
    lower, higher = measured["sbr_without_sides"]["putamen"]
    assert lower == pytest.approx(known["putamen_right"], abs=0.1)
    assert higher == pytest.approx(known["putamen_left"], abs=0.1)
    assert measured["sbr_without_sides"]["caudate"][0] == pytest.approx(known["caudate_right"], abs=0.1)
    assert not any(" left " in warning for warning in result["warnings"])


def test_no_map_of_a_scan_without_sides_names_one(head):
    """The map that waits to be chosen in Slicer, too."""
    analysis = Analyzer(device="cpu").analyze(reversed_along(head, "RS")[0], "case")
    assert analysis.result["registration"]["sides_known"] is False
    assert len(analysis.other_maps) == 1
    for explanation in (analysis.result["explanation"], *(part for _, part in analysis.other_maps.values())):
        named = [explanation["marked_most"], explanation["moving_most"], *(explanation["what_if"] or [])]
        assert {one["side"] for one in named if one} <= {"both"}


def test_pictures_without_sides(unknown):
    mri = np.zeros(unknown.normalized.shape, np.float32)
    panels = paint_panels(unknown.normalized, None, mri, np.diag([2.0, 2, 2, 1]))
    hidden = without_side_letters(panels)
    cuts = [cut for strip in (hidden.scan, hidden.views) for cut in strip.cuts]
    assert {cut.sides for cut in cuts} == {("?", "?"), ("A", "P")}
    assert not any("left" in cut.name or "right" in cut.name for cut in cuts)
    assert ("R", "L") in {cut.sides for cut in panels.scan.cuts}
    assert page_entry(table_row("case", unknown.result, None), unknown.result)["sides_known"] is False


def test_what_the_answer_says_of_sides_is_hidden():
    regions = [{"region": "putamen", "side": "left"}, {"region": "striatum", "side": "both"}]
    result = {
        "quantification": None,
        "classification": {"basis": "putamen_posterior_left"},
        "explanation": {"what_if": regions, "marked_most": regions[0], "moving_most": regions[1]},
        "warnings": ["The field of view cuts 3% off the left putamen region.", SIDES_UNKNOWN],
    }
    hide_sides(result)
    assert result["classification"]["basis"] == "putamen_posterior"
    assert result["explanation"] == {"what_if": regions[1:], "marked_most": None, "moving_most": regions[1]}
    assert result["warnings"] == ["The field of view cuts 3% off the putamen region.", SIDES_UNKNOWN]


def test_the_reader_says_that_it_assumed(tmp_path):
    """Feet first without Image Orientation, as some exports leave it."""
    dataset = factory.nm_dataset(geometry="nowhere")
    dataset.PatientPosition = "FFS"
    scan = read_scan(factory.save(dataset, tmp_path / "feet.dcm"))
    assert scan.orientation_assumed
    assert any("feet first" in warning for warning in scan.warnings)
