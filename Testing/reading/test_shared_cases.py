"""Cases from public bug reports, where their folder lies beside the checkout: each ends as its text expects.

The same kinds are tested with inputs of the tests' own in the other files.
"""

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from DaTscanAILib.cli.main import main

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases"
ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="the cases are not part of the repository")


def made(case, folder) -> Path:
    environment = {**os.environ, "PRODUCT": str(ROOT)}
    subprocess.run([sys.executable, CASES / case / "make.py", folder], env=environment, check=True)
    return folder


def analyzed(folder, output, *more):
    """(exit status, rows by case)."""
    status = main(["analyze", str(folder), "--output", str(output), "--device", "cpu", "--no-report", *more])
    with (output / "results.csv").open(newline="") as file:
        return status, {row["case"]: row for row in csv.DictReader(file)}


def numbers_of(row):
    kinds = ("sbr_", "asymmetry_", "caudate_putamen_", "z_", "ipsilateral_")
    return {value for column, value in row.items() if column.startswith(kinds)}


# Case: file's name without suffix -> (label, part of the error, part of the warnings); None is not looked at.
EXPECTED = {
    "back-to-front": {"turned": ("", "the header seems to hold the head back to front", None)},
    "background-threshold": {
        "threshold20": ("", "of the reference region is exactly zero, as a display threshold", None),
        "threshold30": ("", "of the reference region is exactly zero, as a display threshold", None),
    },
    "bogus-sform": {"bogus": ("", "contradicts itself: its matrix has voxels of 1 mm", None)},
    "bright-border": {"border": ("reduced", "", None)},
    "ffs-without-orientation": {"ffs": ("reduced", "", "Left and right are unknown")},
    "hdr-img-pairs": {
        "SCAN1": ("reduced", "", None),
        "scan2": ("", "has lost its data file", None),
        "scan3": ("reduced", "", None),
    },
    "hot-glands": {
        "glands_x3": ("normal", "", None),
        "glands_x4": ("normal", "", None),
        "glands_x6": ("normal", "", None),
    },
    "nan-outside": {"spm_nan": ("reduced", "", "taken as outside the field of view")},
    "negative-pixdim": {"negpix": ("", "so left and right are unknown", None)},
    "pixel-spacing-spellings": {
        "comma": ("reduced", "", None),
        "comma_spacing": ("reduced", "", None),
        "one": ("reduced", "", "Pixel Spacing holds one number"),
        "three": ("", 'cannot be read ("3.5\\0\\3.5"', None),
        "vr_ut": ("reduced", "", None),
    },
    "refused-rows-carry-sbr": {"spacing": ("", "the registration", None)},
    "saturated-8bit": {"saturated": ("", "ml of the striata share the scan's highest value", None)},
    "silently-passed-over": {
        "IM0003": ("reduced", "", None),
        "good": ("normal", "", None),
        "patient2": ("reduced", "", None),
        "patient4.h00": ("", "is an Interfile header, which is not read", None),
        "patient5": ("", "is a link to a file that is gone", None),
    },
    "spect-stored-as-pt": {"pt": ("reduced", "", None)},
    "t1-mri-gets-an-answer": {
        "t1": ("", "looks like a T1-weighted MRI", None),
        "t1_skull_stripped": ("", "is no DAT scan", None),
    },
}


@pytest.mark.parametrize("case", EXPECTED)
def test_a_case_ends_as_expected(case, tmp_path):
    status, rows = analyzed(made(case, tmp_path / "in"), tmp_path / "out")
    assert set(rows) == set(EXPECTED[case])
    for name, (label, error, warning) in EXPECTED[case].items():
        row = rows[name]
        assert row["label"] == label, name
        assert (error in row["error"]) if error else (row["error"] == ""), (name, row["error"])
        assert warning is None or warning in row["warnings"], name
        if row["error"]:
            assert numbers_of(row) == {""}, name
    assert status == (1 if any(row["error"] for row in rows.values()) else 0)


def test_a_scan_in_mni_space_without_its_surroundings(tmp_path):
    """An answer or a sentence that names the cause: the quality lies about the limit, calibrations may move it."""
    _, rows = analyzed(made("masked-mni", tmp_path / "in"), tmp_path / "out")
    row = rows["masked"]
    if row["error"]:
        assert "the surroundings of the brain were cut away (give the scan before that)" in row["error"]
        assert numbers_of(row) == {""}
    else:
        assert row["label"] in ("reduced", "uncertain")
        assert "urroundings" in row["warnings"]


def test_what_is_said_of_the_files_passed_over(tmp_path, capsys):
    status, _ = analyzed(made("silently-passed-over", tmp_path / "in"), tmp_path / "out")
    assert status == 1
    assert capsys.readouterr().err.endswith("could not be read: 2 of the failed, patient4.h00, patient5.\n")


def test_excels_separator_line(tmp_path):
    status, rows = analyzed(made("excel-sep-line", tmp_path / "in") / "manifest.csv", tmp_path / "out")
    assert (status, rows["p1"]["label"]) == (0, "reduced")


def test_two_series_in_one_folder(tmp_path):
    """A alone, then with B beside it: no case changes its patient."""
    folder = made("two-series-one-folder", tmp_path / "in")
    for path in folder.glob("B*.dcm"):
        shutil.move(path, tmp_path / path.name)
    _, alone = analyzed(folder, tmp_path / "out")
    for path in tmp_path.glob("B*.dcm"):
        shutil.move(path, folder / path.name)
    status, both = analyzed(folder, tmp_path / "out", "--resume")
    ((name, row),) = alone.items()
    assert (status, row["label"], both[name]) == (0, "reduced", row)
    (other,) = set(both) - {name}
    assert both[other]["label"] == "normal"
    assert (row["series"][:9], both[other]["series"][:9]) == ("A0001.dcm", "B0001.dcm")
