"""Evaluation of answers: counts worked out by hand, groups, and what is written."""

import csv
import json

import numpy as np
import pytest

from DaTscanAILib.base.errors import DaTscanError
from DaTscanAILib.batch.one_case import Outcome
from DaTscanAILib.batch.options import Options
from DaTscanAILib.evaluation import evaluate as evaluation
from DaTscanAILib.evaluation.evaluate import Answers, describe, evaluate, grouped, summarize
from DaTscanAILib.reporting.result_files import table_row

# truth, probability of reduced, answer, relevance of the putamen, map fits, site: one error that was doubted and
# contradicted by the map, one that was neither, one right but doubted.
ROWS = (
    ("a", "reduced", 0.95, "reduced", 0.3, "true", "one"),
    ("b", "reduced", 0.40, "uncertain", 0.1, "false", "one"),
    ("c", "reduced", 0.60, "uncertain", -0.1, "false", "two"),
    ("d", "normal", 0.05, "normal", -0.2, "true", "one"),
    ("e", "normal", 0.80, "reduced", 0.2, "true", "two"),
    ("f", "normal", 0.10, "normal", -0.3, "true", "two"),
    ("g", "normal", 0.20, "normal", None, "", "two"),
)


def answers():
    names, truth, probability, label, relevance, fits, site = (np.array(column) for column in zip(*ROWS, strict=True))
    return Answers(
        names,
        truth == "reduced",
        probability.astype(float),
        label,
        relevance.astype(float),
        fits,
        {"site": site},
    )


def test_counts_by_hand():
    summary = summarize(answers())
    shares = {name: value["value"] for name, value in summary.items() if isinstance(value, dict)}
    assert summary["answered"] == 7
    assert summary["labelled_reduced"] == 3
    assert shares["accuracy"] == pytest.approx(5 / 7)
    assert shares["sensitivity"] == pytest.approx(2 / 3)
    assert shares["specificity"] == pytest.approx(3 / 4)
    assert shares["uncertain"] == pytest.approx(2 / 7)
    assert shares["errors_caught_as_uncertain"] == pytest.approx(1 / 2)
    assert shares["right_but_uncertain"] == pytest.approx(1 / 5)
    assert shares["accuracy_when_certain"] == pytest.approx(4 / 5)
    assert shares["roc_auc"] == pytest.approx(10 / 12)
    assert shares["relevance_sign_accuracy"] == pytest.approx(4 / 6)
    assert shares["relevance_sign_sensitivity"] == pytest.approx(2 / 3)
    assert shares["relevance_sign_specificity"] == pytest.approx(2 / 3)
    assert shares["errors_not_consistent"] == pytest.approx(1 / 2)
    assert shares["right_but_not_consistent"] == pytest.approx(1 / 5)


def test_a_group_without_errors_has_no_share_of_caught_ones():
    found = answers()
    assert summarize(found.select(found.names == "a"))["errors_caught_as_uncertain"] is None


def test_a_column_of_numbers_is_grouped_by_tenths():
    assert set(grouped([f"{k / 100:.2f}" for k in range(30)])) == {"0.0", "0.1", "0.2", "0.3"}
    assert set(grouped([f"site {k}" for k in range(30)])) == {f"site {k}" for k in range(30)}
    assert set(grouped(["0.25", "0.31"])) == {"0.25", "0.31"}


@pytest.fixture
def written(tmp_path, monkeypatch):
    """`evaluate` of a manifest whose cases a stub has answered; case h could not be read."""
    rows = [f"{name},{name}.nii.gz,{truth},{site}" for name, truth, *_, site in ROWS]
    (tmp_path / "manifest.csv").write_text("\n".join(["case,scan,label,site", *rows, "h,h.nii.gz,normal,two", ""]))
    for name in "abcdefgh":
        (tmp_path / f"{name}.nii.gz").touch()

    def answered(cases, options, progress=None):
        options.output.mkdir()
        known = {name: rest for name, _, *rest, _ in ROWS}
        return [
            Outcome(case.name, table_row(case.name, _result(*known[case.name]), None))
            if case.name in known
            else Outcome(case.name, table_row(case.name, None, "h.nii.gz: broken"))
            for case in cases
        ]

    monkeypatch.setattr(evaluation, "analyze_batch", answered)
    summary, failed = evaluate(tmp_path / "manifest.csv", Options(tmp_path / "out"), leave_out=("site", "two"))
    return tmp_path, summary, failed


def _result(probability, label, relevance, fits):
    consistent = {"true": True, "false": False}.get(fits)
    return {
        "classification": {"label": label, "probability_reduced": probability, "model": "stub"},
        "explanation": {"ipsilateral_putamen_relevance": relevance, "consistent": consistent},
    }


def test_what_is_left_out_counts_in_its_own_group_only(written):
    _, summary, failed = written
    assert failed == 1
    assert summary["answered"] == 3
    assert summary["accuracy"]["value"] == pytest.approx(2 / 3)
    assert summary["groups"]["site"]["two"]["answered"] == 4
    assert "3 scans answered (2 reduced), 1 failed" in describe(summary)


def test_what_is_written(written):
    folder, summary, _ = written
    assert json.loads((folder / "out" / "evaluation.json").read_text()) == summary
    with (folder / "out" / "answers.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["case"] for row in table] == list("abcdefg")
    assert table[1] == {
        "case": "b",
        "label": "reduced",
        "answer": "uncertain",
        "probability_reduced": "0.4",
        "relevance": "0.1",
        "consistent": "false",
        "site": "one",
    }
    assert [path.suffix for path in (folder / "out" / "figures").iterdir()]


def test_leaving_out_all_that_was_answered_is_said(written):
    """Sites one and two: the answered scans of a manifest of site two alone."""
    folder, _, _ = written
    rows = [f"{name},{name}.nii.gz,normal,two" for name in "efh"]
    (folder / "two.csv").write_text("\n".join(["case,scan,label,site", *rows, ""]))
    sentence = "All scans of two.csv that could be analyzed have two as their site: leave out less."
    with pytest.raises(DaTscanError, match=sentence):
        evaluate(folder / "two.csv", Options(folder / "again"), leave_out=("site", "two"))


def test_a_manifest_without_labels_is_refused(tmp_path):
    (tmp_path / "a.nii.gz").touch()
    (tmp_path / "manifest.csv").write_text("scan\na.nii.gz\n")
    with pytest.raises(DaTscanError, match="labels no scan"):
        evaluate(tmp_path / "manifest.csv", Options(tmp_path / "out"))
