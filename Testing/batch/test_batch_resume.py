"""What a resumed batch keeps, and what it does again."""

import pytest
from batch_runs import analyze
from batch_stub import write_scans

from DaTscanAILib.batch import identity
from DaTscanAILib.batch.options import Options
from DaTscanAILib.batch.run import analyze_batch
from DaTscanAILib.reading.inputs import collect_cases

pytestmark = pytest.mark.usefixtures("stub")


def change_scan(scans, output):
    write_scans(scans, ["x", "y", "z", "a"])  # `a` has another mean now
    for name in "xyz":
        (scans / f"{name}.nii").unlink()


def lose_a_picture(scans, output):
    (output / "a" / "overview.png").unlink()


def break_the_result(scans, output):
    (output / "a" / "result.json").write_text("{")


def nest_the_result(scans, output):
    (output / "a" / "result.json").write_text("[" * 100_000)


@pytest.mark.parametrize("spoil", [change_scan, lose_a_picture, break_the_result, nest_the_result])
def test_resume_does_again_what_no_longer_stands(spoil, scans, tmp_path):
    analyze(scans, tmp_path / "out")
    spoil(scans, tmp_path / "out")
    assert [outcome.resumed for outcome in analyze(scans, tmp_path / "out", resume=True)] == [False, True, True]


@pytest.mark.parametrize(
    "options",
    [{"model": "other"}, {"report": False}, {"keep_identifiers": True}],
    ids=["another model", "no report", "identifiers"],
)
def test_resume_keeps_nothing_of_other_options(options, scans, tmp_path):
    analyze(scans, tmp_path / "out")
    assert not any(outcome.resumed for outcome in analyze(scans, tmp_path / "out", resume=True, **options))


def test_resume_keeps_nothing_of_another_version(scans, tmp_path, monkeypatch):
    analyze(scans, tmp_path / "out")
    monkeypatch.setattr(identity, "VERSION", "99")
    assert not any(outcome.resumed for outcome in analyze(scans, tmp_path / "out", resume=True))


def test_resume_keeps_nothing_of_another_patient_age(scans, tmp_path):
    manifest = scans / "list.csv"
    for age, resumed in ((60, False), (60, True), (61, False)):
        manifest.write_text(f"scan,age\na.nii,{age}\n")
        (outcome,) = analyze_batch(collect_cases([manifest]), Options(output=tmp_path / "out", resume=True))
        assert outcome.resumed is resumed
