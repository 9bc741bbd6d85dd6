"""How far a batch is and what came of it, for a person who watches standard error."""

import sys

_MOST_REASONS = 20


class Progress:
    """A line for each case above a bar with rate and remaining time.

    Use it as `with Progress(len(cases)) as progress: analyze_batch(cases, options, progress)`.

    Args:
        total: number of cases.
        stream: standard error by default.
    """

    def __init__(self, total: int, stream=None):
        from tqdm import tqdm

        self._stream, self._total = stream or sys.stderr, total
        # A log file gets a state of the bar now and then, a terminal ten times a second.
        interval = 0.1 if self._stream.isatty() else 10.0
        self._bar = tqdm(total=total, unit="scan", file=self._stream, mininterval=interval, dynamic_ncols=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._bar.close()

    def __call__(self, outcome, done: int, total: int) -> None:
        """After each case; what a former run has done does not count for the rate."""
        if outcome.resumed:
            self._bar.initial += 1
        else:
            answer = outcome.row["error"] or outcome.row["label"]
            self._bar.write(f"[{done}/{total}] {outcome.case}: {answer}", file=self._stream)
        self._bar.update(1)

    def answered(self, case: str, result: dict) -> None:
        """The answer for a single scan, for whose files, pictures and page nobody should have to wait."""
        label, probability = (result["classification"].get(key) for key in ("label", "probability_reduced"))
        if self._total == 1 and label is not None:
            self._bar.write(
                f"{case}: {label} (probability of reduced {probability:.0%}). Writing.", file=self._stream
            )


def summary(outcomes: list, passed_over: str = "") -> str:
    """Counts of the answers, then the failed cases with their reasons (the first 20 of many), then what was left out.

    Args:
        outcomes: of `analyze_batch`.
        passed_over: a sentence on the files that no case stands for; "" if there are none.
    """
    failed = [outcome for outcome in outcomes if outcome.failed]
    answers = [outcome.row["label"] for outcome in outcomes if not outcome.failed]
    counts = ", ".join(f"{answers.count(label)} {label}" for label in ("normal", "reduced", "uncertain"))
    kept = sum(outcome.resumed for outcome in outcomes)
    resumed = f" ({kept} kept from a former run)" if kept else ""
    lines = [f"{len(outcomes)} scans{resumed}: {counts}, {len(failed)} failed. Research use only."]
    lines += [f"  {outcome.case}: {outcome.row['error']}" for outcome in failed[:_MOST_REASONS]]
    if len(failed) > _MOST_REASONS:
        lines.append(f"  and {len(failed) - _MOST_REASONS} more: see the column error of results.csv.")
    return "\n".join([*lines, passed_over] if passed_over else lines)
