"""How well a model answers on labelled scans: shares with intervals, by group, with figures."""

import csv
import io
import json
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..base.errors import DaTscanError
from ..base.files import atomic_write_bytes
from ..base.progress import Progress
from ..base.version import VERSION
from ..batch.options import Options
from ..batch.run import analyze_batch
from ..classification.model_folder import find_model
from ..explanation.methods import DEFAULT_METHOD
from ..reading.inputs import collect_cases
from .answer_parts import describe_parts, labelled_answers, second_reader_agreement
from .figures import write_figures
from .fits import describe_fits, judged_fits
from .metrics import classification_metrics, expected_calibration_error, roc_auc, share
from .results import read_results

THRESHOLD = 0.5
MOST_GROUPS = 20


@dataclass(frozen=True)
class Answers:
    """The answered cases of an evaluation, one entry each.

    Attributes:
        names: of the cases.
        truth: bool, labelled reduced.
        probability: of reduced.
        label: `normal`, `reduced` or `uncertain`.
        relevance: mean relevance of the lower putamen, nan where there is no map.
        consistent: whether the map fits the answer (`true`, `false`, or empty where there is no map).
        groups: other columns of the manifest, `{column: array of text}`.
        relevance_cut: above which the relevance argues for "reduced".
    """

    names: np.ndarray
    truth: np.ndarray
    probability: np.ndarray
    label: np.ndarray
    relevance: np.ndarray
    consistent: np.ndarray
    groups: dict[str, np.ndarray]
    relevance_cut: float = 0.0

    def select(self, mask: np.ndarray) -> "Answers":
        """Those where the mask is True."""
        arrays = ("names", "truth", "probability", "label", "relevance", "consistent")
        groups = {column: values[mask] for column, values in self.groups.items()}
        return replace(self, groups=groups, **{name: getattr(self, name)[mask] for name in arrays})


def evaluate(
    manifest: Path, options: Options, group_by: tuple[str, ...] = ("site",), leave_out: tuple[str, str] | None = None
) -> tuple[dict, int]:
    """Analyze every labelled scan of a manifest and write `evaluation.json`, `answers.csv`, `figures/`.

    Args:
        manifest: CSV with the columns `scan` and `label`.
        options: of the batch.
        group_by: columns whose values are also evaluated one by one.
        leave_out: (column, value) of cases that count in their own group only.

    Returns:
        The summary that `evaluation.json` holds, and how many scans failed.

    Raises:
        DaTscanError: no scan is labelled, no scan could be analyzed, or all that could be are left out.
    """
    cases = [case for case in collect_cases([manifest]) if case.label or case.error]
    if not any(case.label for case in cases):
        raise DaTscanError(f"{Path(manifest).name} labels no scan: fill the column label with normal or reduced.")
    with Progress(len(cases)) as progress:
        outcomes = analyze_batch(cases, options, progress)
    cut = find_model(options.model).rule.relevance_cut if options.map_method == DEFAULT_METHOD else 0.0
    answers = collect_answers(cases, outcomes, group_by, cut)
    if not answers.names.size:
        raise DaTscanError(f"No scan of {Path(manifest).name} could be analyzed: see results.csv for the reasons.")
    main = _without(answers, leave_out, Path(manifest).name) if leave_out else answers
    failed = sum(outcome.failed for outcome in outcomes)
    results = read_results(cases, options.output)
    read = labelled_answers(results)
    summary = {
        "version": VERSION,
        "model": outcomes[0].row["model"] or options.model,
        "scans": len(cases),
        "failed": failed,
        **summarize(main),
        "groups": {column: _by_value(answers, column) for column in group_by},
        "parts": describe_parts(read),
        "fits": describe_fits(judged_fits(results)),
        "second_reader": second_reader_agreement(read) if options.second_reader else None,
    }
    _write(options.output, summary, answers, main)
    return summary, failed


def _without(answers, leave_out, name):
    """The answers but those with a value in a column."""
    column, value = leave_out
    kept = answers.select(answers.groups[column] != value)
    if not kept.names.size:
        raise DaTscanError(
            f"All scans of {name} that could be analyzed have {value} as their {column}: leave out less."
        )
    return kept


def _by_value(answers, column):
    """Numbers of the answers with each value of a column."""
    values = answers.groups[column]
    return {value: summarize(answers.select(values == value)) for value in sorted(set(values))}


def collect_answers(cases, outcomes, columns, relevance_cut: float = 0.0) -> Answers:
    """The answered cases; those that failed are left out."""
    pairs = [(case, outcome.row) for case, outcome in zip(cases, outcomes, strict=True) if not outcome.failed]
    groups = {
        column: grouped([(case.site if column == "site" else case.other.get(column)) or "" for case, _ in pairs])
        for column in columns
    }
    return Answers(
        np.array([case.name for case, _ in pairs]),
        np.array([case.label == "reduced" for case, _ in pairs]),
        np.array([float(row["probability_reduced"]) for _, row in pairs]),
        np.array([row["label"] for _, row in pairs]),
        np.array([float(row["ipsilateral_putamen_relevance"] or "nan") for _, row in pairs]),
        np.array([row["consistent"] for _, row in pairs]),
        groups,
        relevance_cut,
    )


def grouped(values: list[str]) -> np.ndarray:
    """Values of a column as the names of groups; numbers of more than `MOST_GROUPS` kinds are rounded to a tenth."""
    if len(set(values)) > MOST_GROUPS:
        with suppress(ValueError):
            return np.array([f"{float(value):.1f}" for value in values])
    return np.array(values)


def summarize(answers: Answers) -> dict:
    """Numbers of a set of answers; `value`, `low`, `high` are a share and its 95 % interval."""
    reduced = answers.probability >= THRESHOLD
    right, uncertain = reduced == answers.truth, answers.label == "uncertain"
    shares = {
        **classification_metrics(answers.truth, reduced),
        "roc_auc": roc_auc(answers.truth, answers.probability),
        "uncertain": share(uncertain.sum(), uncertain.size),
        "errors_caught_as_uncertain": share((uncertain & ~right).sum(), (~right).sum()),
        "right_but_uncertain": share((uncertain & right).sum(), right.sum()),
        "accuracy_when_certain": share((right & ~uncertain).sum(), (~uncertain).sum()),
        **read_by_relevance(answers),
        "errors_not_consistent": share((~right & (answers.consistent == "false")).sum(), (~right).sum()),
        "right_but_not_consistent": share((right & (answers.consistent == "false")).sum(), right.sum()),
    }
    return {
        "answered": int(right.size),
        "labelled_reduced": int(answers.truth.sum()),
        **{name: value.as_dict() if value else None for name, value in shares.items()},
        "expected_calibration_error": expected_calibration_error(answers.truth, answers.probability)
        if right.size
        else None,
    }


def read_by_relevance(answers: Answers) -> dict:
    """The second reading of Nazari 2021: reduced where the lower putamen's mean relevance is above the cut."""
    mapped = np.isfinite(answers.relevance)
    metrics = classification_metrics(answers.truth[mapped], answers.relevance[mapped] > answers.relevance_cut)
    return {f"relevance_sign_{name}": metrics[name] for name in ("accuracy", "sensitivity", "specificity")}


def _write(folder, summary, answers, main):
    atomic_write_bytes(folder / "evaluation.json", (json.dumps(summary, indent=1) + "\n").encode())
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["case", "label", "answer", "probability_reduced", "relevance", "consistent", *answers.groups])
    for k, name in enumerate(answers.names):
        table.writerow(
            [
                name,
                "reduced" if answers.truth[k] else "normal",
                answers.label[k],
                f"{answers.probability[k]:.6g}",
                f"{answers.relevance[k]:.6g}" if np.isfinite(answers.relevance[k]) else "",
                answers.consistent[k],
                *(values[k] for values in answers.groups.values()),
            ]
        )
    atomic_write_bytes(folder / "answers.csv", text.getvalue().encode())
    write_figures(folder / "figures", main, summary)


def describe(summary: dict) -> str:
    """The summary as lines for a person."""
    lines = [
        f"{summary['answered']} scans answered ({summary['labelled_reduced']} reduced), {summary['failed']} failed"
    ]
    for name, value in summary.items():
        if isinstance(value, dict) and "low" in value:
            lines.append(_line(name, value))
    lines.append(f"{'expected calibration error':28s} {summary['expected_calibration_error']:.3f}")
    strong = summary["parts"]["strong_loss_called_normal"]
    lines += [_line("strong loss called normal", strong)] if strong else []
    for title, part in (("fits", summary["fits"]), ("second reader", summary["second_reader"])):
        shares = {name: value for name, value in (part or {}).items() if value and "low" in value}
        lines += [_line(f"{title}: {name}", value) for name, value in shares.items()]
    errors = (summary["fits"] or {}).get("error_mm", {})
    lines += [f"fits: error in mm, {name.replace('_', ' ')} {value:.2f}" for name, value in errors.items() if value]
    return "\n".join(lines)


def _line(name, share):
    return (
        f"{name.replace('_', ' '):28s} {share['value']:.3f} ({share['low']:.3f} to {share['high']:.3f})"
        f"  n = {share['n']}"
    )
