"""Other ways to train Nazari's network: does one of them reach the paper's second reading by the map's sign?

Each try is trained and tested on the same division of the scans; seeds change first weights, order and dropout. The
tries' models are not kept, their numbers are.
"""

import json
import shutil
from dataclasses import replace

import numpy as np

from ..base.errors import DaTscanError
from ..classification.model_folder import Model
from ..evaluation.metrics import classification_metrics, roc_auc
from ..mni.atlas import load_atlas
from ..training.optimization import first_dense
from ..training.plans import Plan
from .group_maps import Explained, explain
from .nazari_networks import PAPERS_RATE, dense_rate_of, train_on
from .tables import percent, write_table
from .workspace import Workspace

WARM_UP, SMALL = 200, 0.1
TRIES = {
    "study": "as the study itself",
    "plain-input": "the scan itself as input",
    "from-normal": "the difference from the mean normal scan as input",
    "paper-rate": "the paper's rate in the first dense layer",
    "tenth-rate": "a tenth of it",
    "warm-up": f"the paper's rate, reached in {WARM_UP} steps",
    "small-weights": f"first weights of the first dense layer times {SMALL:g}",
    "small-weights-paper-rate": "both: small first weights and the paper's rate",
    "normalized": "that layer normalized by batch while it trains, so that its units stay alive",
    "normalized-paper-rate": "the same with the paper's rate",
}
COLUMNS = (
    *("try", "seed", "input", "reference", "dense_rate", "warm_up", "initial_scale", "normalized_dense"),
    *("epochs", "validation_loss"),
    *("live_units", "accuracy", "sensitivity", "specificity", "roc_auc"),
    *("sign_accuracy", "sign_sensitivity", "sign_specificity", "putamen_roc_auc", "gradients_accuracy"),
)


def chosen_tries(workspace: Workspace) -> list[tuple[str, int]]:
    """(try, number of the seed) of all that the options ask for; (`study`, 0) is the study itself.

    Raises:
        DaTscanError: there is no try of a name.
    """
    options = workspace.options
    if options.tries is None and options.seeds == 1:
        return []
    names = options.tries or (tuple(TRIES) if options.tries is not None else ("study",))
    for name in names:
        if name not in TRIES:
            raise DaTscanError(f"There is no try {name!r}: choose among {', '.join(TRIES)}.")
    return [(name, number) for name in dict.fromkeys(("study", *names)) for number in range(options.seeds)]


def tried_plan(name: str, plan: Plan) -> Plan:
    """The study's plan with what a try changes."""
    pre = plan.preprocessing
    changes = {
        "study": {},
        "plain-input": {"preprocessing": replace(pre, from_reference=False)},
        "from-normal": {"preprocessing": replace(pre, from_reference=True), "reference": "normal"},
        "paper-rate": {"dense_rate": PAPERS_RATE},
        "tenth-rate": {"dense_rate": PAPERS_RATE / 10},
        "warm-up": {"dense_rate": PAPERS_RATE, "warm_up": WARM_UP},
        "small-weights": {"initial_scale": SMALL},
        "small-weights-paper-rate": {"initial_scale": SMALL, "dense_rate": PAPERS_RATE},
        "normalized": {"normalized_dense": True},
        "normalized-paper-rate": {"normalized_dense": True, "dense_rate": PAPERS_RATE},
    }
    return replace(plan, **changes[name])


def run_tries(workspace: Workspace, plan: Plan, sets, patience, model: Model, explained: Explained) -> list[dict]:
    """A record of `COLUMNS` for each try, and the table `tries.csv`; [] if none is asked for.

    Args:
        model, explained: of the study itself.
    """
    records = []
    for name, number in chosen_tries(workspace):
        changed = replace(tried_plan(name, plan), seed=plan.seed + 1000 * number)
        if (name, number) == ("study", 0):
            # Its model is kept, so the record can be made anew.
            records.append(_record(workspace, name, plan, sets, model, explained, "full"))
            continue

        def compute(name=name, changed=changed, key=f"try_{name}_{number}"):
            return _one_try(workspace, name, key, changed, sets, patience)

        records.append(workspace.finished(f"try_{name}_{number}", compute))
    if records:
        rows = [[record[column] for column in COLUMNS] for record in records]
        write_table(workspace.folder("tables") / "tries.csv", list(COLUMNS), rows)
    return records


def _one_try(workspace, name, key, plan, sets, patience):
    model = train_on(workspace, key, plan, sets, patience)
    tested = np.flatnonzero(sets == 2)
    scans = [workspace.scans[k] for k in tested]
    explained = explain(workspace, key, model, scans, workspace.truth[tested], gradients=True)
    record = _record(workspace, name, plan, sets, model, explained, key)
    shutil.rmtree(model.folder)
    shutil.rmtree(workspace.folder("work", "inputs", key))
    (workspace.folder("work") / f"groups_{key}.npz").unlink()
    return record


def _record(workspace, name, plan, sets, model, explained, key):
    curve = json.loads((workspace.folder("work") / f"curve_{key}.json").read_text())
    scores = {"": explained.difference, "sign_": explained.putamen, "gradients_": explained.gradients}
    shares = {
        f"{prefix}{measure}": share
        for prefix, score in scores.items()
        for measure, share in classification_metrics(explained.truth, score > 0).items()
    }
    areas = [roc_auc(explained.truth, score) for score in (explained.difference, explained.putamen)]
    area, putamen = (None if one is None else one.value for one in areas)
    return {
        "try": name,
        "seed": plan.seed,
        "input": "difference" if plan.preprocessing.from_reference else "scan",
        "reference": plan.compared_with.name,
        "dense_rate": dense_rate_of(plan),
        "warm_up": plan.warm_up,
        "initial_scale": plan.initial_scale,
        "normalized_dense": plan.normalized_dense,
        "epochs": len(curve),
        "validation_loss": min(point["validation_loss"] for point in curve),
        "live_units": live_units(model, [workspace.scans[k] for k in np.flatnonzero(sets == 1)]),
        "roc_auc": area,
        "putamen_roc_auc": putamen,
        **{name: None if one is None else one.value for name, one in shares.items() if name in COLUMNS},
    }


def live_units(model: Model, scans: list) -> int:
    """Units of the first dense layer that answer above 0 to any of the scans."""
    import torch

    (network,) = model.load_networks()
    largest, atlas = [], load_atlas()
    hook = first_dense(network).register_forward_hook(lambda _, __, output: largest.append(output))
    with torch.inference_mode():
        for one in scans:
            network(torch.from_numpy(np.ascontiguousarray(model.network_input(one.load(), atlas)))[None, None])
    hook.remove()
    return int((torch.cat(largest).amax(dim=0) > 0).sum())


def summarize_tries(records: list[dict]) -> list[tuple[str, str, str]]:
    """Lines of the main table: of each try the mean accuracies over its seeds, network and sign of the map."""
    lines = []
    for name in dict.fromkeys(record["try"] for record in records):
        of_try = [record for record in records if record["try"] == name]
        means = [float(np.mean([one[column] for one in of_try])) for column in ("accuracy", "sign_accuracy")]
        here = f"{percent(means[0])}, {percent(means[1])} ({len(of_try)} seeds)"
        lines.append((f"Try {name}: network, sign", "95.8 %, 96.9 %", here))
    return lines
