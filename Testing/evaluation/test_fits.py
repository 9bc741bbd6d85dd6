"""Fits beside the truth of simulated scans: errors that are known from how far a fit was moved."""

import json

import numpy as np
import pytest

from DaTscanAILib.evaluation.fits import JudgedFit, describe_fits, judged_fits
from DaTscanAILib.evaluation.results import read_results
from DaTscanAILib.mni.geometry import translation
from DaTscanAILib.reading.inputs import Case


def write(folder, name, moved, accepted, truth=True):
    """A scan's truth and the result of a fit that is off by so many mm."""
    fit = {"scanner_from_mni_ras": translation((moved, 0, 0)).tolist(), "accepted": accepted}
    (folder / "results" / name).mkdir(parents=True)
    (folder / "results" / name / "result.json").write_text(json.dumps({"registration": fit}))
    if truth:
        (folder / f"{name}.json").write_text(json.dumps({"scanner_from_mni_ras": np.eye(4).tolist()}))
    return Case(name, folder / f"{name}.nii.gz")


def test_errors_are_those_of_the_moved_fits_and_scans_without_truth_are_left_out(tmp_path):
    cases = [
        write(tmp_path, "near", 2.0, True),
        write(tmp_path, "far", -8.0, True),
        write(tmp_path, "refused", 3.0, False),
        write(tmp_path, "of_a_patient", 1.0, True, truth=False),
        Case("not_analyzed", tmp_path / "not_analyzed.nii.gz"),
        Case("unreadable", None),
    ]
    (tmp_path / "results" / "unreadable").mkdir()
    foreign = write(tmp_path, "foreign", 1.0, True, truth=False)
    (tmp_path / "foreign.json").write_text('{"EchoTime": 1}')
    found = judged_fits(read_results([*cases, foreign], tmp_path / "results"))
    assert [fit.accepted for fit in found] == [True, True, False]
    assert [fit.error for fit in found] == pytest.approx([2.0, 8.0, 3.0])


def test_shares_and_errors_are_counted_by_hand():
    fits = [JudgedFit(True, error) for error in (1.0, 2.0, 3.0, 7.0)]
    found = describe_fits([*fits, JudgedFit(False, 5.0), JudgedFit(False, 20.0)])
    assert found["accepted"]["value"] == pytest.approx(4 / 6)
    assert found["accepted_though_far"]["value"] == pytest.approx(1 / 4)
    assert found["refused_though_near"]["value"] == pytest.approx(1 / 4)
    assert found["error_mm"]["median"] == pytest.approx(2.5)
    assert found["error_mm"]["largest"] == 7.0


def test_without_fits_there_is_nothing_and_with_refused_ones_no_error():
    assert describe_fits([]) is None
    found = describe_fits([JudgedFit(False, 1.0)])
    assert found["error_mm"]["median"] is None
    assert found["accepted_though_far"] is None
    assert found["refused_though_near"]["value"] == 1
