"""Manifests made from folders of scans: labels by folders' names or by a table of somebody else's."""

import csv

import pytest

from DaTscanAILib.cli import main as cli
from DaTscanAILib.reading.inputs import collect_cases
from DaTscanAILib.reading.labelled_scans import Spellings, write_manifest

TABLE = """Patient;Examen;Diagnostic;Age;Sex;Nom
P1;e-101;patho;71;F;Dupont
P2;e-102;normal;64;M;Durand
P3;e-9;patho;60;M;X
"""


@pytest.fixture
def scans(tmp_path):
    folder = tmp_path / "cohort"
    for name in ("normal/a.1.nii.gz", "reduced/b.nii.gz", "site2/E-101.nii.gz", "site2/e-102/image.nii.gz"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def labels(manifest):
    return {case.name: (case.label, case.age, case.sex) for case in collect_cases([manifest])}


def test_folders_name_the_labels(scans):
    found = write_manifest(scans, scans / "manifest.csv")
    assert found.counts == {"normal": 1, "reduced": 1, "": 2}
    assert found.left_out == {}
    read = {name: label for name, (label, *_) in labels(scans / "manifest.csv").items()}
    assert sorted(read.values(), key=str) == [None, None, "normal", "reduced"]
    assert next(label for name, label in read.items() if "a.1" in name) == "normal"


def test_a_table_names_them_by_file_or_folder_and_nothing_else_of_it_is_taken(scans):
    (scans.parent / "labels.csv").write_text(TABLE)
    spellings = Spellings(reduced=("Patho",), label_column="diagnostic")
    found = write_manifest(scans, scans.parent / "m.csv", scans.parent / "labels.csv", spellings)
    assert found.counts == {"normal": 1, "reduced": 1, "": 2}
    assert found.unused == 1  # e-9 is not there
    values = labels(scans.parent / "m.csv").values()
    assert ("reduced", 71.0, "F") in values
    assert ("normal", 64.0, "M") in values
    text = (scans.parent / "m.csv").read_text()
    assert "Dup" not in text
    assert "P1" not in text
    with (scans.parent / "m.csv").open(newline="") as stream:
        assert next(csv.reader(stream)) == ["case", "scan", "label", "age", "sex", "site"]


def test_a_scan_that_two_rows_name_gets_no_label(scans):
    (scans / "labels.csv").write_text("id,label\nsite2,1\nE-101,0\n")
    found = write_manifest(scans, scans / "m.csv", scans / "labels.csv", Spellings(id_column="ID"))
    assert found.counts == {"normal": 0, "reduced": 1, "": 3}  # site2/e-102 alone is named once


def test_what_cannot_be_used_is_one_sentence(scans, capsys):
    (scans / "labels.csv").write_text("id,label\nnobody,1\n")
    for more, words in (
        ((), ""),
        (("--labels", str(scans / "labels.csv")), "No scan below cohort gets a label"),
        (("--labels", str(scans / "labels.csv"), "--label-column", "x"), "labels.csv has no column x"),
        (("--output", str(scans / "normal" / "m.csv")), "m.csv must lie in cohort or above it"),
    ):
        assert cli.main(["manifest", str(scans), *more]) == (cli.UNUSABLE if words else 0)
        assert words in capsys.readouterr().err


def test_words_that_stand_for_both_labels_stand_for_neither():
    assert Spellings(normal=("x",), reduced=("X",)).label_of("x") == ""
    assert Spellings().label_of(" Control ") == "normal"
