"""The benchmark: its arithmetic, its child processes, its peers' geometry, and a smoke run. No time is asserted."""

import contextlib
import csv
import io
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from DaTscanAILib.base.errors import DaTscanError
from DaTscanAILib.benchmarking import goals, start_up
from DaTscanAILib.benchmarking.batch import in_percent, time_shares, write_folders
from DaTscanAILib.benchmarking.child import environment, in_child, last_line
from DaTscanAILib.benchmarking.goals import GOALS, STAGES, Goal, Measured, Row, rows_of
from DaTscanAILib.benchmarking.machine import PEERS, is_installed
from DaTscanAILib.benchmarking.memory import descendants, late_growth
from DaTscanAILib.benchmarking.registration import summary
from DaTscanAILib.benchmarking.registration_peers import LPS, _as_simpleitk, _from_itk
from DaTscanAILib.benchmarking.settings import Settings, chosen_settings
from DaTscanAILib.benchmarking.start_up import import_seconds
from DaTscanAILib.benchmarking.tables import markdown, number
from DaTscanAILib.benchmarking.timing import middle, ratio, take_turns
from DaTscanAILib.benchmarking.workloads import twin
from DaTscanAILib.benchmarking.zennit_peer import zennit_propagator
from DaTscanAILib.classification.answer_rule import AnswerRule
from DaTscanAILib.classification.model_folder import write_model
from DaTscanAILib.classification.networks import build_network
from DaTscanAILib.classification.preprocessing import Preprocessing
from DaTscanAILib.cli.main import main
from DaTscanAILib.mni.geometry import apply_affine
from DaTscanAILib.reading.inputs import collect_cases
from DaTscanAILib.reading.scan import Scan

# ---- timing


def test_tasks_take_turns_and_each_round_begins_with_another():
    order = []
    take_turns({name: lambda name=name: order.append(name) for name in "abc"}, repetitions=3, warm_up=1)
    assert "".join(order[3:]) == "abc" + "bca" + "cab"
    assert sorted(order[:3]) == ["a", "b", "c"]


def test_each_task_gets_its_own_seconds_and_the_warm_up_none():
    now = itertools.count()
    clock = {"time": 0.0}
    costs = {"fast": 1.0, "slow": 5.0}

    def work(name):
        first = next(now) < 2
        clock["time"] += 100.0 if first else costs[name]

    tasks = {name: lambda name=name: work(name) for name in costs}
    found = take_turns(tasks, repetitions=4, warm_up=1, clock=lambda: clock["time"])
    assert found == {"fast": [1.0] * 4, "slow": [5.0] * 4}


def test_ratio_and_median():
    assert ratio(2.0, 9.0) == 4.5
    assert ratio(None, 9.0) is ratio(2.0, None) is ratio(0.0, 9.0) is None
    assert middle([5.0, 1.0, 2.0]) == 2.0
    assert middle([]) is None


# ---- goals and tables


@pytest.mark.parametrize(
    ("limits", "ours", "peer", "reached"),
    [
        ({"ratio_from": 4}, 1.0, 4.0, True),
        ({"ratio_from": 4}, 1.0, 3.99, False),
        ({"ratio_from": 4}, 1.0, None, None),
        ({"ratio_above": 1}, 2.0, 2.0, False),
        ({"ratio_above": 1}, 2.0, 2.1, True),
        ({"at_most": 0}, 0.0, None, True),
        ({"at_most": 0.5}, 0.6, None, False),
        ({"at_most": 0.5}, None, None, None),
        ({"ratio_from": 8, "at_most": 0.0015}, 0.001, 0.02, True),
        ({"ratio_from": 8, "at_most": 0.0015}, 0.002, 0.02, False),
        ({"ratio_from": 8, "at_most": 0.0015}, 0.001, 0.007, False),
        ({}, 1.0, 4.0, None),
    ],
)
def test_a_goal_is_reached_missed_or_open(limits, ours, peer, reached):
    goal = Goal("key", "chain", "what", "s", "peer", **limits)
    assert Row(goal, Measured(ours, peer)).reached is reached
    assert Row(goal, Measured(ours, peer, goal_applies=False)).reached is None


def test_a_stage_has_all_its_rows_and_no_others():
    rows = rows_of("chain", {"chain_time": Measured(0.5)})
    keys = ["chain_ratio", "chain_time", "chain_files", "chain_dicom_report", "chain_dicom"]
    assert [row.goal.key for row in rows] == keys
    assert [row.measured.ours for row in rows] == [None, 0.5, None, None, None]
    with pytest.raises(KeyError, match="simulation_time"):
        rows_of("chain", {"simulation_time": Measured(0.5)})


def test_every_goal_of_the_project_is_in_the_table():
    """The figures of the issue "Fast"."""
    limits = {goal.key: (goal.ratio_from or goal.ratio_above, goal.at_most) for goal in GOALS}
    assert len(limits) == len(GOALS)
    assert limits["registration_time_elastix"] == (6, None)
    for engine in ("elastix", "simpleitk", "ants"):
        assert limits[f"registration_median_{engine}"] == limits[f"registration_p95_{engine}"] == (1, None)
    assert limits["relevance_full_time"] == limits["relevance_full_memory"] == (4, None)
    assert limits["relevance_full_error"] == (None, 1e-5)
    assert limits["relevance_full_forwards"] == (None, 2.2)
    assert limits["relevance_default_time"] == (4, None)
    assert (limits["chain_ratio"], limits["chain_time"]) == ((5, None), (None, 1))
    assert (limits["start_up_time"], limits["start_up_imports"]) == ((None, 5), (None, 0.5))
    assert limits["weights_time"] == (8, None)
    assert (limits["batch_time"], limits["batch_memory"]) == ((1.8, None), (None, 1000))
    assert limits["simulation_time"] == (None, 5)
    assert limits["training_step"] == (1.7, None)
    assert (limits["gpu_relevance"], limits["gpu_epoch"]) == ((8, 0.0015), (None, 10))


def test_numbers_have_three_digits():
    texts = [number(value) for value in (None, 0, 0.0014567, 1.2345, 45.678, 941.6, 1234.5, 3.2e-7)]
    assert texts == ["", "0", "0.00146", "1.23", "45.7", "942", "1234", "3.2e-07"]


def test_a_table_aligns_and_keeps_its_columns():
    lines = markdown([("a", "bb"), ("longer", "x|y")]).splitlines()
    assert lines == ["| a      | bb   |", "| ------ | ---- |", "| longer | x\\|y |"]


def test_summary_of_landmark_errors():
    found = summary({"seconds": [0.1, 0.3, 0.2], "error_mm": [1.0, 2.0, 9.0]})
    assert found == pytest.approx({"time": 0.2, "median": 2.0, "p95": 8.3, "maximum": 9.0, "failures": 1})


# ---- settings


def test_the_command_repeats_the_run(tmp_path):
    settings = chosen_settings(output=tmp_path, quick=True, stages=["chain"], scans=9)
    assert (settings.stages, settings.scans, settings.repetitions) == (("chain",), 9, 1)
    plain = Settings(output=tmp_path, stages=("chain", "gpu"), model="/some/where/net")
    assert plain.command() == "python -m DaTscanAILib benchmark --output DIR --stages chain gpu --model net"


@pytest.mark.parametrize(
    "wrong", [("--stages", "cooking"), ("--anatomies", "nobody"), ("--basis", "none.npz"), ("--scans", "many")]
)
def test_wrong_options_are_refused(tmp_path, capsys, wrong):
    assert main(["benchmark", "--output", str(tmp_path / "out"), *wrong]) == 2
    assert wrong[1] in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


# ---- imports


def test_imports_of_torch_are_counted_apart():
    """A module stands after those that it has imported, which are indented below it."""
    report = """
import time: self [us] | cumulative | imported package
import time:      1000 |       1000 |   numpy
import time:       200 |       1200 | DaTscanAILib.cli
some warning
import time:     30000 |      30000 |     sympy
import time:     10000 |      10000 |     numpy.linalg
import time:    500000 |     540000 |   torch
import time:       300 |     540300 | DaTscanAILib.classification.networks
import time:     70000 |      70000 | torch.overrides
import time:        50 |         50 | json
"""
    found = import_seconds(report)
    assert found["torch"] == pytest.approx(0.610)
    assert found["ours"] == pytest.approx(0.00155)
    assert dict(found["slowest"]) == pytest.approx({"numpy": 0.001, "DaTscanAILib": 0.0005, "json": 0.00005})


# ---- child processes and memory


def test_a_child_has_its_own_environment_and_gives_back_the_result(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert in_child(dict, environment(), a=1, b=[2.5]) == {"a": 1, "b": [2.5]}
    assert in_child(os.getenv, environment(threads=1), key="OMP_NUM_THREADS") == "1"
    assert in_child(os.getenv, environment(), key="OMP_NUM_THREADS") is None
    assert in_child(os.getenv, environment(MALLOC_TOP_PAD_="5"), key="MALLOC_TOP_PAD_") == "5"


def test_a_failing_child_says_why():
    with pytest.raises(DaTscanError, match=r"mkdir failed in its own process: TypeError: .*integer"):
        in_child(os.mkdir, environment(), path="x", mode="not a number")


def test_a_command_that_was_killed_without_a_word_fails_by_its_status(monkeypatch):
    assert last_line("first\nlast\n", 1) == "last"
    killed = subprocess.CompletedProcess([], -9, stdout="", stderr="")
    monkeypatch.setattr(start_up.subprocess, "run", lambda *_, **__: killed)
    with pytest.raises(DaTscanError, match="The command to be timed failed: status -9"):
        start_up._cold_start("model")


def test_peak_growth_sees_what_a_task_holds_for_a_moment():
    """In a process of its own: what earlier tests have freed and the C library kept would be used again unseen."""
    code = (
        "import numpy as np; from DaTscanAILib.benchmarking.memory import peak_growth; "
        "print(peak_growth(lambda: bool(np.ones(25_000_000).any())), peak_growth(lambda: None))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment())
    held, nothing = done.stdout.split()
    if held == "None":
        pytest.skip("this system does not tell the memory of a process")
    assert 190 < float(held) < 240  # 200 MB, freed at once
    assert float(nothing) < 5


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc")
def test_descendants_are_found():
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as child:
        while len(descendants(child.pid)) == 0:
            assert child.poll() is None
        assert child.pid in descendants(os.getpid())
        child.communicate(b"\n")


def test_late_growth_leaves_the_start_out():
    rising = [(float(k), 100.0 + k) for k in range(101)]
    assert late_growth(rising) == 51  # 200 at the end, 149 before the half
    loading = [(float(k), 50.0 if k < 20 else 400.0) for k in range(101)]
    assert late_growth(loading) == 0
    assert late_growth(rising[:5]) is None


# ---- peers


def test_affines_of_itk_become_ras():
    random = np.random.default_rng(0)
    matrix, shift, center = np.eye(3) + random.normal(0, 0.1, (3, 3)), random.normal(0, 9, 3), random.normal(0, 9, 3)
    transform = sitk.AffineTransform(matrix.ravel().tolist(), shift.tolist(), center.tolist())
    point = np.array([10.0, -20.0, 30.0])  # RAS mm
    expected = LPS[:3, :3] @ transform.TransformPoint((LPS[:3, :3] @ point).tolist())
    np.testing.assert_allclose(apply_affine(_from_itk(matrix, shift, center), point), expected, atol=1e-9)


def test_a_scan_keeps_its_place_as_an_image_of_simpleitk():
    affine = np.array([[0, -2.0, 0, 30], [3, 0, 0, -40], [0, 0, 4, 50], [0, 0, 0, 1]])
    scan = Scan(np.random.default_rng(1).random((5, 6, 7)).astype(np.float32), affine, None, "NIfTI")
    image, index = _as_simpleitk(scan), (1, 4, 3)
    place = image.TransformIndexToPhysicalPoint(index)
    np.testing.assert_allclose(LPS[:3, :3] @ place, apply_affine(affine, np.array(index)), atol=1e-9)
    assert image[index] == scan.voxels[index]


def test_zennit_leaves_a_twin_and_its_original_as_they_were():
    torch.manual_seed(0)
    network = build_network("compact", input_shape=(1, 13, 14, 15))
    before = {key: value.clone() for key, value in network.state_dict().items()}
    other, image = twin(network), torch.rand(1, 1, 13, 14, 15)
    expected = network(image)
    assert other[1].weight.data_ptr() == network[1].weight.data_ptr()
    with zennit_propagator(other, torch.tensor([-1.0, 1, 0, 0, 0, 0])) as propagate:
        assert torch.equal(network(image), expected)
        logits, first = propagate(image)
        assert torch.equal(propagate(image)[1], first)
    assert torch.allclose(logits, expected[0], atol=1e-5)
    assert torch.equal(other(image), expected)
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())


# ---- runs


def test_a_batch_has_as_many_cases_as_wanted(tmp_path):
    cases = collect_cases([write_folders(tmp_path / "scans", 5)])
    assert [case.name for case in cases] == [f"case{number:04d}_scan" for number in range(5)]
    assert len({case.path for case in cases}) == 5
    assert not any(case.error for case in cases)


def test_a_workers_time_goes_to_stages_and_the_rest(tmp_path):
    for case, registration in enumerate((0.1, 0.3)):
        (tmp_path / f"case{case}").mkdir()
        timing = {"reading": 0.1, "registration": registration, "total": 9.0}
        (tmp_path / f"case{case}" / "result.json").write_text(json.dumps({"timing_s": timing}))
    shares = time_shares(tmp_path, seconds=1.0)
    assert shares == pytest.approx({"result files, start and waiting": 0.7, "registration": 0.2, "reading": 0.1})
    assert in_percent(shares) == "result files, start and waiting 70 %, registration 20 %, reading 10 %"


def test_a_failing_stage_does_not_stop_the_others(tmp_path, capsys):
    arguments = ["--quick", "--stages", "chain", "gpu", "--model", "none-such"]
    assert main(["benchmark", "--output", str(tmp_path), *arguments]) == 1
    rows = json.loads((tmp_path / "benchmark.json").read_text())["rows"]
    assert [row["stage"] for row in rows] == [goal.stage for goal in GOALS if goal.stage in ("chain", "gpu")]
    assert all("failed" in row["note"] for row in rows if row["stage"] == "chain")
    assert all(row["reached"] is None for row in rows if row["stage"] == "chain")
    assert "none-such" in capsys.readouterr().err


@pytest.fixture(scope="module")
def quick_run(tmp_path_factory):
    """Folder, rows and standard output of `benchmark --quick` with an untrained model."""
    folder = tmp_path_factory.mktemp("benchmark")
    torch.manual_seed(0)
    write_model(
        folder / "model",
        "compact",
        [build_network("compact")],
        Preprocessing(),
        AnswerRule(heads={"balanced": (0, 1), "sensitive": (2, 3), "specific": (4, 5)}),
        "nothing",
    )
    out = io.StringIO()
    arguments = ["--quick", "--model", str(folder / "model"), "--output", str(folder / "out")]
    with contextlib.redirect_stdout(out):
        assert main(["benchmark", *arguments]) == 0
    return folder / "out", json.loads((folder / "out" / "benchmark.json").read_text())["rows"], out.getvalue()


@pytest.mark.slow
def test_the_quick_run_has_every_row_and_true_ratios(quick_run):
    _, rows, _ = quick_run
    assert [row["key"] for row in rows] == [goal.key for goal in GOALS]
    assert {row["stage"] for row in rows} == set(STAGES) == {goal.stage for goal in goals.GOALS}
    for row in rows:
        figures = (row["ours"], row["peer_figure"])
        if None in figures or 0 in figures:
            assert row["ratio"] is None or row["ours"] > 0
        else:
            assert row["ratio"] == pytest.approx(row["peer_figure"] / row["ours"], rel=1e-12)
        assert row["ours"] is not None or row["note"]
        assert row["peer"] is None or row["peer_figure"] is not None or row["note"], row["key"]


@pytest.mark.slow
def test_the_quick_run_measures_what_is_no_time(quick_run):
    """Landmark errors, agreement with zennit and loaded modules do not depend on the machine."""
    by_key = {row["key"]: row for row in quick_run[1]}
    for engine, package in (("simpleitk", "SimpleITK"), ("elastix", "itk-elastix"), ("ants", "antspyx")):
        row = by_key[f"registration_median_{engine}"]
        if is_installed(package):
            assert 0.1 < row["ours"] < 4
            assert 0.1 < row["peer_figure"] < 6
        else:
            assert row["note"] == "peer not installed"
    errors = by_key["registration_time"]["repetitions"]["ours"]["error_mm"]
    assert len(errors) == 2
    assert by_key["registration_median"]["ours"] == pytest.approx(np.median(errors))
    for key in ("relevance_full_error", "relevance_default_error"):
        assert 0 < by_key[key]["ours"] < 1e-5
    assert by_key["start_up_modules"]["ours"] == 0
    assert set(PEERS) >= {"itk-elastix", "SimpleITK", "antspyx", "zennit"}


@pytest.mark.slow
def test_the_quick_run_writes_its_tables(quick_run):
    folder, rows, out = quick_run
    assert sorted(path.name for path in folder.iterdir()) == [
        f"benchmark.{kind}" for kind in ("csv", "json", "md", "png")
    ]
    with (folder / "benchmark.csv").open(newline="") as stream:
        table = list(csv.DictReader(stream))
    assert [line["key"] for line in table] == [row["key"] for row in rows]
    assert [line["ratio"] for line in table] == ["" if row["ratio"] is None else str(row["ratio"]) for row in rows]
    text = (folder / "benchmark.md").read_text()
    assert out.splitlines()[0] in text
    assert len([line for line in out.splitlines() if line.startswith("|")]) == 2 + len(GOALS)
    assert "its figures mean nothing" in out
    assert "its figures mean nothing" in text
    assert str(folder.parent) not in text + (folder / "benchmark.json").read_text()
    machine = json.loads((folder / "benchmark.json").read_text())["machine"]
    assert machine["cores"] >= 1
    assert machine["versions"]["torch"]
    assert (folder / "benchmark.png").read_bytes().startswith(b"\x89PNG")
