"""What Wenzel's splits say: measures by setting, tests over the splits, cut-offs, tables and figures."""

import numpy as np

from .figures import matrix_figure, points_figure
from .tables import mean_and_deviation, percent, write_table
from .wenzel_samples import METHODS, SBR_METHODS, SETTINGS
from .workspace import Workspace

MEASURES = ("accuracy", "sensitivity", "specificity")


def select(lines: list, place: str, method: str, trained: str, tested: str, measure: str = "accuracy") -> np.ndarray:
    """A measure over the splits, `(splits,)`.

    Args:
        lines: `[place, method, trained, tested, split, *MEASURES]` each.
        place: `split` for the test scans of the splits, or `independent`.
    """
    column = 5 + MEASURES.index(measure)
    return np.array([line[column] for line in lines if line[:4] == [place, method, trained, tested]], float)


def networks_trained(lines: list) -> int:
    """In how many splits, the first ones, a network was trained."""
    return len({line[4] for line in lines if line[1] == "cnn"})


def methods_of(lines: list) -> dict[str, str]:
    """The methods that these lines are of, with their names."""
    return {method: name for method, name in METHODS.items() if any(line[1] == method for line in lines)}


def compare(first: np.ndarray, second: np.ndarray) -> dict:
    """Mean difference of accuracies over the same splits with the p of two paired tests, Wilcoxon's and Student's.

    The p of Student's test is None for a single split. The splits share scans, so both p are rather too small.
    """
    from scipy.stats import ttest_rel, wilcoxon

    difference = first - second
    found = {"mean_difference": float(difference.mean()), "splits": len(difference)}
    if not np.any(difference):
        return {**found, "p_wilcoxon": 1.0, "p_t": 1.0}
    p_t = None if len(difference) < 2 else 0.0
    if np.ptp(difference) > 1e-12:
        p_t = float(ttest_rel(first, second).pvalue)
    return {**found, "p_wilcoxon": float(wilcoxon(difference).pvalue), "p_t": p_t}


def comparisons(lines: list, place: str = "split") -> tuple[dict, dict]:
    """Paired tests: of each method the mixed setting against the pure ones, and the network against both SBR.

    The latter over the splits in which the network was trained; `{}` if it was in none.
    """
    settings = {
        method: {
            pure: compare(*(select(lines, place, method, setting, setting) for setting in ("mixed", pure)))
            for pure in ("original", "smoothed")
        }
        for method in methods_of(lines)
    }
    trained = networks_trained(lines)
    methods = {
        setting: {
            other: compare(*(select(lines, place, method, setting, setting)[:trained] for method in ("cnn", other)))
            for other in SBR_METHODS
        }
        for setting in (SETTINGS if trained else ())
    }
    return settings, methods


def describe_test(found: dict) -> str:
    """ "-5.6 %, p 0.002 (Wilcoxon), 0.001 (t)"."""
    t = "" if found["p_t"] is None else f", {found['p_t']:.2g} (t)"
    return f"{100 * found['mean_difference']:+.1f} %, p {found['p_wilcoxon']:.2g} (Wilcoxon){t}"


def accuracies(lines: list, place: str) -> dict:
    """Mean and deviation of the accuracy: `{method: {trained on: {tested on: ...}}}`."""
    return {
        method: {
            trained: {
                tested: mean_and_deviation(select(lines, place, method, trained, tested)) for tested in SETTINGS
            }
            for trained in SETTINGS
        }
        for method in methods_of(lines)
    }


def cut_offs(cuts: list) -> dict:
    """Mean and deviation of Youden's cut-offs on the SBR over the splits: `{method: {setting: ...}}`.

    Args:
        cuts: `[split, setting, method, SBR]` each.
    """
    return {
        method: {
            setting: mean_and_deviation([cut for _, *key, cut in cuts if key == [setting, method]])
            for setting in SETTINGS
        }
        for method in SBR_METHODS
    }


def write_tables(workspace: Workspace, lines: list, cuts: list) -> None:
    """`splits.csv`, `cross_testing.csv`, `cut_offs.csv` and `paired_tests.csv`."""
    folder = workspace.folder("tables")
    names = ["test_scans", "method", "trained_on", "tested_on"]
    write_table(folder / "splits.csv", [*names, "split", *MEASURES], lines)
    rows = []
    for place, method, trained, tested in dict.fromkeys(tuple(line[:4]) for line in lines):
        row = [place, METHODS[method], trained, tested]
        for name in MEASURES:
            values = mean_and_deviation(select(lines, place, method, trained, tested, name))
            row += [values["mean"], values["sd"]]
        rows.append(row)
    header = [f"{name}_{part}" for name in MEASURES for part in ("mean", "sd")]
    write_table(folder / "cross_testing.csv", [*names, *header], rows)
    write_table(folder / "cut_offs.csv", ["split", "setting", "method", "sbr"], cuts)
    settings, methods = comparisons(lines)
    keys = ["mean_difference", "p_wilcoxon", "p_t", "splits"]
    rows = [
        [f"{METHODS[method]}, mixed", f"{METHODS[method]}, {pure}", *(test[key] for key in keys)]
        for method, tests in settings.items()
        for pure, test in tests.items()
    ]
    rows += [
        [f"{METHODS['cnn']}, {setting}", f"{METHODS[other]}, {setting}", *(test[key] for key in keys)]
        for setting, tests in methods.items()
        for other, test in tests.items()
    ]
    write_table(folder / "paired_tests.csv", ["first", "second", *keys], rows)


def draw(workspace: Workspace, lines: list) -> None:
    """Accuracy by method and setting, and matrices of training against test setting."""
    folder = workspace.folder("figures")
    groups = {
        f"{METHODS[method]}, {setting}": 100 * select(lines, "split", method, setting, setting)
        for setting in SETTINGS
        for method in methods_of(lines)
    }
    points_figure(folder / "accuracy", groups, "Accuracy in percent, a point a split")
    for place in dict.fromkeys(line[0] for line in lines):
        for method, name in methods_of(lines).items():
            values = np.array(
                [
                    [select(lines, place, method, trained, tested).mean() for tested in SETTINGS]
                    for trained in SETTINGS
                ]
            )
            suffix = "" if place == "split" else f"_{place}"
            path = folder / f"cross_testing_{method}{suffix}"
            matrix_figure(path, values, list(SETTINGS), list(SETTINGS), "Tested on", f"{name} trained on")


def shown(lines: list, place: str, method: str, trained: str, tested: str) -> str:
    """ "95.7 ± 1.7 %"."""
    values = select(lines, place, method, trained, tested)
    return percent(mean_and_deviation(values)) if values.size else "not trained"
