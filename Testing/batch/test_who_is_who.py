"""Each case is and stays one patient's: series in one folder, runs between which files come and go, refused scans."""

import csv
import json

import batch_stub
import dicom_factory as factory
import numpy as np
import pytest
from batch_stub import write_scans

from DaTscanAILib.batch.options import Options
from DaTscanAILib.batch.run import analyze_batch
from DaTscanAILib.cli.main import main
from DaTscanAILib.reading.inputs import collect_cases
from DaTscanAILib.reporting.result_files import table_row

COUNT = 22


@pytest.fixture(autouse=True)
def stub(monkeypatch):
    batch_stub.install(monkeypatch.setattr)


def save_series(folder, prefix, uid, level):
    """A series of even slices of that level, which the stub answers: below 5 normal, else reduced."""
    folder.mkdir(exist_ok=True)
    paths = []
    for number, dataset in enumerate(factory.nm_slices(count=COUNT, SeriesInstanceUID=uid, SeriesNumber="3")):
        frame = np.full((24, 24), float(level))
        frame[0, 0] += 1
        factory.set_pixels(dataset, frame, "<u2")
        paths.append(factory.save(dataset, folder / f"{prefix}{number:04d}.dcm"))
    return paths


def run(folder, output):
    outcomes = analyze_batch(collect_cases([folder]), Options(output=output, resume=True))
    with (output / "results.csv").open(newline="") as file:
        rows = {row["case"]: row for row in csv.DictReader(file)}
    assert {outcome.case: outcome.row for outcome in outcomes} == rows
    return outcomes, rows


def test_no_case_changes_its_patient_when_a_series_is_added_or_removed(tmp_path):
    """The folder's second series comes first by its number, the order in which they were once named."""
    scans, output = tmp_path / "scans", tmp_path / "out"
    first = save_series(scans, "A", "1.2.3.9", level=8)
    _, alone = run(scans, output)
    save_series(scans, "B", "1.2.3.1", level=2)
    outcomes, both = run(scans, output)
    (case_of_first,) = alone
    assert both[case_of_first] == alone[case_of_first]
    assert sorted(row["label"] for row in both.values()) == ["normal", "reduced"]
    assert {outcome.case: outcome.resumed for outcome in outcomes}[case_of_first]
    for path in first:
        path.unlink()
    _, left = run(scans, output)
    (case_of_second,) = left
    assert left[case_of_second] == both[case_of_second]
    assert json.loads((output / case_of_first / "result.json").read_text())["classification"]["label"] == "reduced"


def test_table_and_result_name_the_series(tmp_path):
    save_series(tmp_path / "scans", "A", "1.2.3.9", level=8)
    save_series(tmp_path / "scans", "B", "1.2.3.1", level=2)
    _, rows = run(tmp_path / "scans", tmp_path / "out")
    assert {row["label"]: row["series"] for row in rows.values()} == {
        "reduced": f"A0000.dcm and {COUNT - 1} more, series 3, 90242501",
        "normal": f"B0000.dcm and {COUNT - 1} more, series 3, 4974ae19",
    }
    for case, row in rows.items():
        assert json.loads((tmp_path / "out" / case / "result.json").read_text())["series"] == row["series"]


@pytest.mark.parametrize("uid", ["1.2.3.9", "1.2.3.10"], ids=["other pixels", "another series of the same pixels"])
def test_resume_computes_again_where_a_file_holds_another_scan(uid, tmp_path):
    (tmp_path / "scans").mkdir()
    results = []
    for number, (series, level) in enumerate((("1.2.3.9", 8), ("1.2.3.9", 8), (uid, 2 if uid == "1.2.3.9" else 8))):
        dataset = factory.nm_dataset(shape=(24, 24, COUNT), SeriesInstanceUID=series)
        frames = np.full((COUNT, 24, 24), float(level))
        frames[0, 0, 0] += 1
        factory.set_pixels(dataset, frames, "<u2")
        factory.save(dataset, tmp_path / "scans" / "scan.dcm")
        (outcome,), rows = run(tmp_path / "scans", tmp_path / "out")
        assert outcome.resumed is (number == 1)
        results.append(rows["scan"])
    assert results[0] == results[1] != results[2]


def test_no_case_changes_its_patient_when_a_file_of_the_same_name_goes(tmp_path):
    for patient in ("p1", "p2"):
        write_scans(tmp_path / "in" / patient, ["scan"])
    first = write_scans(tmp_path / "in" / "p1", ["other", "scan"]) / "scan.nii"  # has another mean than that of p2
    _, both = run(tmp_path / "in", tmp_path / "out")
    first.unlink()
    _, left = run(tmp_path / "in", tmp_path / "out")
    assert set(both) == {"p1_other", "p1_scan", "p2_scan"}
    assert left == {case: row for case, row in both.items() if case != "p1_scan"}


def test_a_case_that_cannot_be_read_names_its_series_too(tmp_path):
    paths = save_series(tmp_path / "scans", "A", "1.2.3.9", level=8)
    paths[5].unlink()
    _, rows = run(tmp_path / "scans", tmp_path / "out")
    (row,) = rows.values()
    assert "one is missing" in row["error"]
    assert row["series"] == f"A0000.dcm and {COUNT - 2} more, series 3, 90242501"


# --- nothing in silence -----------------------------------------------------------------------------------


def test_the_last_lines_say_what_was_passed_over_and_the_exit_status_what_may_be_lost(tmp_path, capsys):
    scans = write_scans(tmp_path / "scans", ["good"])
    (scans / "notes.txt").write_text("hello")
    arguments = ["analyze", str(scans), "--output", str(tmp_path / "out")]
    assert main(arguments) == 0
    assert capsys.readouterr().err.endswith("Passed over: 1 file, 1 of other content.\n")
    (scans / "patient.h00").write_text("!INTERFILE :=\n")
    (scans / "gone.dcm").symlink_to(scans / "moved.dcm")
    assert main(arguments) == 1
    err = capsys.readouterr().err
    assert "3 scans: 1 normal, 0 reduced, 0 uncertain, 2 failed." in err
    assert "  gone: gone.dcm is a link to a file that is gone: restore that, or remove the link.\n" in err
    assert err.endswith(
        "Passed over: 1 file, 1 of other content.\n"
        "May be scans, but could not be read: 2 of the failed, gone, patient.h00.\n"
    )
    rows = (tmp_path / "out" / "results.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows[1:]] == ["gone", "good", "patient.h00"]


# --- numbers of refused scans -----------------------------------------------------------------------------

RESULT = {
    "registration": {"quality": 0.01, "accepted": False},
    "quantification": {"sbr": {"putamen_left": 1.4}, "asymmetry_percent": {"putamen": 12.0}},
    "classification": {"label": None, "probability_reduced": None},
}


def numbers_of(row):
    kinds = ("sbr_", "asymmetry_", "caudate_putamen_", "ipsilateral_")
    return {value for column, value in row.items() if column.startswith(kinds)}


def test_a_refused_scan_has_no_numbers_in_the_table():
    row = table_row("case", RESULT, None)
    assert numbers_of(row) == {""}
    assert (row["registration_quality"], row["registration_accepted"]) == ("0.01", "false")
    accepted = {**RESULT, "registration": {"quality": 0.9, "accepted": True}}
    assert numbers_of(table_row("case", accepted, None)) == {"1.4", "12", ""}
    assert numbers_of(table_row("case", {**accepted, "refused": True}, None)) == {""}


def test_a_scan_that_lacks_its_answer_alone_keeps_its_numbers():
    """PyTorch may not be installed: nothing is wrong with the scan."""
    result = {**RESULT, "registration": {"quality": 0.9, "accepted": True}, "refused": False, "error": "no PyTorch"}
    assert "1.4" in numbers_of(table_row("case", result, None))
