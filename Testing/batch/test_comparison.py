"""Two scans of one patient: pairs from files and manifests, the page, and the sample scans end to end."""

import json

import numpy as np
import pytest
from pdf_reader import PdfFile
from picture_factory import blob

from DaTscanAILib.base.errors import DaTscanError
from DaTscanAILib.base.resources import resource_path
from DaTscanAILib.batch.comparison import compare_pair, pair_of_scans, pairs_of_manifest
from DaTscanAILib.batch.comparison_files import compare_many, write_comparison
from DaTscanAILib.cli.main import main
from DaTscanAILib.quantification.change import BEYOND, WITHIN
from DaTscanAILib.reading.scan import read_scan, write_volume
from DaTscanAILib.reading.study_date import parse_date, study_date
from DaTscanAILib.reporting.comparison_page import comparison_bytes

NORMAL, REDUCED = (resource_path("Samples", f"{name}.dcm") for name in ("normal", "reduced"))
PUTAMEN = (27.0, 2.0, 4.0)


def manifest(folder, rows, header="scan,patient,date"):
    for name in ("a", "b", "c"):
        write_volume(folder / f"{name}.nii", np.ones((20, 20, 20), np.uint8), np.diag([3.0, 3.0, 3.0, 1.0]))
    path = folder / "scans.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_a_manifest_sets_each_scan_beside_the_next(tmp_path):
    rows = ["c.nii,P1,2024-07-01", "a.nii,P1,2021-01-01", "b.nii,P1,2022-07-02"]
    pairs = pairs_of_manifest(manifest(tmp_path, rows))
    assert [(pair.name, pair.before.name, pair.after.name) for pair in pairs] == [
        ("P1_1", "a", "b"),
        ("P1_2", "b", "c"),
    ]
    assert pairs[0].years == pytest.approx(1.5, abs=0.01)
    two = pairs_of_manifest(manifest(tmp_path, ["a.nii,P/1,2021-01-01", "b.nii,P/1,2022-07-02"]))
    assert [pair.name for pair in two] == ["P_1"]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (["a.nii,P1,2021-01-01", "b.nii,P2,2021-01-01"], "has no patient with two scans"),
        (["a.nii,P1,2021-01-01", "b.nii,P1,"], "b has no patient or no date"),
        (["a.nii,,2021-01-01", "b.nii,P1,2021-01-01"], "a has no patient or no date"),
        (["lost.nii,P1,2021-01-01", "b.nii,P1,2021-01-01"], "names a scan that is not there"),
    ],
)
def test_manifests_that_say_too_little(tmp_path, rows, words):
    with pytest.raises(DaTscanError, match=words):
        pairs_of_manifest(manifest(tmp_path, rows))


def test_dates_come_from_dicom_and_from_nowhere_else(tmp_path):
    dataset_date = study_date(NORMAL)
    volume = tmp_path / "scan.nii"
    write_volume(volume, np.ones((20, 20, 20), np.uint8), np.diag([3.0, 3.0, 3.0, 1.0]))
    assert study_date(volume) is None
    assert dataset_date is None or dataset_date.year > 1990
    assert parse_date("20240229").isoformat() == parse_date("2024-02-29").isoformat() == "2024-02-29"
    assert parse_date("29.2.2024").isoformat() == "2024-02-29"
    assert parse_date("20230229") is parse_date("29/2/2024") is parse_date("") is None


def test_three_scans_are_refused(capsys, tmp_path):
    assert main(["compare", "a", "b", "c", "--output", str(tmp_path)]) == 2
    assert "takes two scans or one manifest" in capsys.readouterr().err


@pytest.fixture(scope="module")
def weaker(tmp_path_factory):
    """The normal sample with 15 % less of what is above its background in the striata."""
    scan = read_scan(NORMAL)
    level = np.percentile(scan.voxels[scan.voxels > scan.voxels.max() / 20], 50)
    path = tmp_path_factory.mktemp("weaker") / "weaker.nii"
    write_volume(path, scan.voxels - 0.4 * np.maximum(scan.voxels - 2 * level, 0), scan.affine)
    return path


def test_a_loss_is_found_and_no_change_is_none(weaker, tmp_path):
    comparison = compare_pair(pair_of_scans(NORMAL, weaker, years=2.0))
    result = comparison.result
    assert result["same_camera"]
    for change in result["change"].values():
        assert change["percent"] < -20
        assert change["percent_per_year"] == pytest.approx(change["percent"] / 2)
        assert change["verdict"] == BEYOND
    write_comparison(comparison, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "before.nii.gz",
        "after.nii.gz",
        "difference.nii.gz",
        "comparison.json",
        "comparison.pdf",
    }
    assert json.loads((tmp_path / "comparison.json").read_text())["years"] == 2.0
    difference = comparison.difference
    assert difference[58, 64, 38] < -1  # MNI 26, 2, 4 mm: in the right putamen
    assert np.abs(difference[20:30, 20:30, 60:70]).max() < 0.3
    same = compare_pair(pair_of_scans(NORMAL, NORMAL))
    assert {change["verdict"] for change in same.result["change"].values()} == {WITHIN}
    assert not same.difference.any()


def test_many_pairs_fill_a_table_and_failures_keep_their_sentence(tmp_path):
    rows = ["a.nii,P1,2021-01-01", "b.nii,P1,2022-07-02"]
    assert compare_many(pairs_of_manifest(manifest(tmp_path, rows)), tmp_path / "out") == 1
    header, row = (tmp_path / "out" / "comparisons.csv").read_text().splitlines()
    assert header.startswith("comparison,years,same_camera,percent_caudate_left")
    assert row.startswith("P1,1.498,,")
    assert len(row) > 60


def test_the_page_shows_numbers_verdicts_and_pictures():
    change = {"before": 2.0, "after": 1.5, "percent": -25.0, "percent_per_year": None, "limit": 0.14}
    keys = [f"{nucleus}_{side}" for nucleus in ("caudate", "putamen", "striatum") for side in ("left", "right")]
    result = {
        "case": "P1",
        "years": None,
        "same_camera": False,
        "limits": "Of the measurement: some.",
        "change": {**{key: {**change, "verdict": BEYOND} for key in keys}, "putamen_left": None},
        "warnings": ["Look."],
    }
    pdf = PdfFile(comparison_bytes(result, 5 * blob(PUTAMEN), 4 * blob(PUTAMEN)))
    texts = [shown.text for shown in pdf.texts()]
    assert texts.count(BEYOND) == 5
    assert texts.count("-25 %") == 5
    assert "NOT one camera: see the warnings." in texts
    assert "time between the scans not known" in texts
    assert "Research use only" in texts
    assert len(pdf.images()) == 6
    assert {"R", "L"} <= set(texts)
    unknown = {**result, "after": {"registration": {"sides_known": False}}}
    texts = [shown.text for shown in PdfFile(comparison_bytes(unknown, blob(PUTAMEN), blob(PUTAMEN))).texts()]
    assert "Left and right are unknown (?): the scan may be mirrored." in texts
    assert not {"R", "L"} & set(texts)
