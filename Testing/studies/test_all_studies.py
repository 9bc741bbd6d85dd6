"""All studies on one manifest: which options each gets, what the page says, and that one failure stops no other."""

import json
from pathlib import Path

import pytest

from DaTscanAILib.base.errors import DaTscanError
from DaTscanAILib.cli import main as cli
from DaTscanAILib.studies import run_all as module
from DaTscanAILib.studies.results_page import Outcome, page
from DaTscanAILib.studies.run import OPTIONS, STUDIES, _check_options
from DaTscanAILib.studies.workspace import StudyOptions

MANIFEST = Path("somewhere/clinic 7.csv")


def summary(name, simulated=40):
    return {
        "source": f"{name}'s authors",
        "form": "quick",
        "sizes": {"splits": 2},
        "data": {"sentence": "40 scans.", "scans": 40, "simulated": simulated, "failed": {}},
        "comparison": [{"quantity": "Accuracy", "paper": "97.2 %", "here": f"{len(name)}.5 %"}],
        "warnings": [],
        "deviations": [f"{name} had more scans."],
    }


@pytest.fixture
def studies(monkeypatch):
    """Studies that take no time; quan2019 cannot be run. What each was asked for."""
    asked = {}

    def run_study(name, options):
        _check_options(name, options)  # what a study does not know is refused
        asked[name] = options
        if name == "quan2019":
            raise DaTscanError("Inception's weights are missing: give them.")
        return summary(name)

    monkeypatch.setattr(module, "run_study", run_study)
    return asked


def test_each_study_gets_what_it_knows_and_a_folder_of_its_own(studies, tmp_path):
    options = StudyOptions(
        MANIFEST, tmp_path / "out", quick=True, epochs=3, plain_input=True, camera="big", random_slice=True
    )
    outcomes = module.run_all(options)
    assert list(studies) == [one.study for one in outcomes] == list(STUDIES)
    for name, own in studies.items():
        assert own.output == tmp_path / "out" / name
        assert own.prepared == tmp_path / "out" / "prepared"  # one cache for all
        assert own.quick
        for option, default in (("epochs", None), ("plain_input", False), ("camera", None), ("random_slice", False)):
            expected = getattr(options, option) if name in OPTIONS[option] else default
            assert getattr(own, option) == expected, (name, option)


def test_the_page_has_papers_figures_ours_the_command_and_every_departure(studies, tmp_path):
    outcomes = module.run_all(StudyOptions(MANIFEST, tmp_path / "out", quick=True, seed=4, epochs=3))
    text = (tmp_path / "out" / "results.md").read_text()
    for name in studies:
        assert f"## {name}" in text
        epochs = "" if name == "kim2018" else " --epochs 3"
        expected = (
            f"python -m DaTscanAILib study {name} --manifest 'clinic 7.csv' --quick --seed 4{epochs} --output {name}"
        )
        assert sorted(expected.split()) == sorted(next(one.command for one in outcomes if one.study == name).split())
        if name == "quan2019":
            assert "Not run: Inception's weights are missing: give them." in text
        else:
            assert f"| Accuracy | 97.2 % | {len(name)}.5 % |" in text
            assert f"- {name} had more scans." in text
    assert "somewhere" not in text  # no path of the user's machine
    assert "What simulated scans can and cannot show" in text
    assert "Not a medical device" in text
    saved = json.loads((tmp_path / "out" / "results.json").read_text())
    assert [one["study"] for one in saved["studies"]] == list(STUDIES)
    assert saved["studies"][1]["summary"] is None


def test_scans_of_ones_own_are_not_called_simulated():
    text = page("own.csv", [Outcome("kim2018", "command", summary("kim2018", simulated=0))])
    assert "What simulated scans" not in text
    assert "What these figures can and cannot show" in text


def test_the_command_runs_all_and_says_that_one_was_not(studies, tmp_path, capsys):
    arguments = ["study", "all", "--manifest", str(MANIFEST), "--output", str(tmp_path / "out")]
    assert cli.main(arguments) == cli.SOME_FAILED
    assert "results.md: 4 of 5 studies" in capsys.readouterr().err
    assert len(studies) == 5
    assert cli.main([*arguments, "--weights", str(tmp_path / "none.pth")]) == cli.UNUSABLE
