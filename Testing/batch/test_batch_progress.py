"""What a user sees of a batch: progress, summary, errors."""

import os
import sys
from pathlib import Path

import pytest
from batch_runs import analyze
from batch_stub import write_scans

from DaTscanAILib.base.errors import DaTscanError
from DaTscanAILib.base.progress import Progress, summary
from DaTscanAILib.batch import one_case
from DaTscanAILib.batch.one_case import Outcome
from DaTscanAILib.batch.options import Options
from DaTscanAILib.batch.run import analyze_batch
from DaTscanAILib.batch.table import TableNotWrittenError
from DaTscanAILib.cli.main import main
from DaTscanAILib.reading.inputs import Case
from DaTscanAILib.reporting import result_files as results
from DaTscanAILib.reporting.result_files import COLUMNS

pytestmark = pytest.mark.usefixtures("stub")


def test_progress_and_summary(tmp_path, capsys):
    scans = write_scans(tmp_path / "scans", ["a", "b", "f"])
    (scans / "e.nii").write_bytes(b"")
    assert main(["analyze", str(scans), "--output", str(tmp_path / "out")]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "[1/4] a: normal" in err
    assert "[3/4] e: e.nii is an empty file: copy or export it again." in err
    assert "4/4" in err
    assert "scan/s" in err or "s/scan" in err  # the rate
    assert err.endswith(
        "4 scans: 3 normal, 0 reduced, 0 uncertain, 1 failed. Research use only.\n"
        "  e: e.nii is an empty file: copy or export it again.\n"
    )
    assert main(["analyze", str(scans), "--output", str(tmp_path / "out"), "--resume"]) == 1
    err = capsys.readouterr().err
    assert "4 scans (3 kept from a former run): 3 normal" in err
    assert "a: normal" not in err


def test_a_single_scans_answer_is_told_before_its_files_are_written(tmp_path, capsys, monkeypatch):
    scans, told = write_scans(tmp_path / "scans", ["a", "b"]), []
    monkeypatch.setattr(one_case, "write_case", lambda *_: told.append(capsys.readouterr().err))
    assert main(["analyze", str(scans / "a.nii"), "--output", str(tmp_path / "out")]) == 0
    assert "a: normal (probability of reduced " in told[0]
    assert "[1/1] a: normal" in capsys.readouterr().err
    assert main(["analyze", str(scans), "--output", str(tmp_path / "out")]) == 0
    assert "probability of reduced" not in "".join(told[1:]) + capsys.readouterr().err


def test_the_remaining_time_does_not_count_what_a_former_run_did(capsys):
    class Terminal:
        text = ""

        def isatty(self):
            return True

        def write(self, text):
            self.text += text

        def flush(self):
            pass

    outcomes = [Outcome(str(n), dict.fromkeys(COLUMNS, ""), resumed=n < 90) for n in range(100)]
    terminal = Terminal()
    with Progress(100, terminal) as progress:
        for number, outcome in enumerate(outcomes, 1):
            progress(outcome, number, 100)
        assert progress._bar.n - progress._bar.initial == 10
    assert "100/100" in terminal.text


def test_the_summary_names_twenty_of_many_failures():
    rows = [{**dict.fromkeys(COLUMNS, ""), "error": f"scan {n} is bad."} for n in range(30)]
    lines = summary([Outcome(f"case{n}", row) for n, row in enumerate(rows)]).splitlines()
    assert lines[0] == "30 scans: 0 normal, 0 reduced, 0 uncertain, 30 failed. Research use only."
    assert lines[1] == "  case0: scan 0 is bad."
    assert lines[-1] == "  and 10 more: see the column error of results.csv."
    assert len(lines) == 22


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_thousand_cases_in_constant_memory(tmp_path, monkeypatch):
    scans = write_scans(tmp_path / "scans", ["a"])
    monkeypatch.setattr(results, "_write_volumes", lambda *_: None)
    cases = [Case(f"case{n}", scans / "a.nii") for n in range(1000)]
    sizes = {}

    def remember(outcome, done, total):
        sizes[done] = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    analyze_batch(cases, Options(output=tmp_path / "out"), remember)
    assert sizes[1000] - sizes[200] < 8 * 2**20  # 800 rows of the table are a few hundred kB
    assert len((tmp_path / "out" / "results.csv").read_text().splitlines()) == 1001


def test_an_unusable_model_is_one_error(scans, tmp_path, monkeypatch):
    monkeypatch.undo()
    with pytest.raises(DaTscanError, match="There is no model 'none'"):
        analyze(scans, tmp_path / "out", model="none")
    assert not (tmp_path / "out").exists()


def test_table_not_written_is_the_projects_own_error():
    assert issubclass(TableNotWrittenError, DaTscanError)
