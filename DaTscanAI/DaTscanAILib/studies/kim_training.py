"""Kim's top layer: features of all copies of the pictures, its training, and its scores of the test scans."""

import numpy as np

from ..classification.weights import write_weights
from .heads import top_layer_scores, train_top_layer
from .inception import Extractor, cached_features
from .picture_augmentation import kim_copies
from .workspace import Workspace

LEARNING_RATE, BATCH_SIZE = 0.01, 100
UNUSED = ("excluded", "inconclusive")  # for balance of the classes; by the manifest


def train_and_score(
    workspace: Workspace, form, extractor: Extractor, roles, pictures: list, suffix: str = ""
) -> dict:
    """Train the top layer on all copies; kept for a resumed run.

    Args:
        form: the study's sizes (`copies`, `iterations`).
        roles: of each scan, as of `kim2018.divide`.
        pictures: uint8 `(rows, columns)` of each scan.
        suffix: of the files, for controls.

    Returns:
        `curve`, `internal_test_accuracy` and `scores` (probability of reduced) of the test scans.
    """

    def compute():
        used = np.flatnonzero(~np.isin(roles, UNUSED))

        def copies_of(index):
            scan = used[index]
            if roles[scan] == "test" or form.copies == 1:
                return pictures[scan][None].astype(np.float32)
            return kim_copies(pictures[scan], workspace.options.seed + 7919 * int(scan), form.copies)

        names = [workspace.scans[scan].case.name for scan in used]
        found = cached_features(workspace, extractor, names, copies_of, f"features{suffix}")
        return _fit(workspace, form, roles, dict(zip(used, found, strict=True)), suffix)

    return workspace.finished(f"top_layer{suffix}", compute)


def labelled_features(features: dict, truth: np.ndarray, scans: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Features `(n, 2048)` of all copies of some scans, and for each copy its scan's label."""
    counts = [len(features[scan]) for scan in scans]
    return np.concatenate([features[scan] for scan in scans]), np.repeat(truth[scans], counts)


def _fit(workspace, form, roles, features, suffix):
    def of(role):
        return labelled_features(features, workspace.truth, np.flatnonzero(roles == role))

    layer, curve = train_top_layer(
        of("training"), of("validation"), form.iterations, LEARNING_RATE, BATCH_SIZE, workspace.options.seed
    )
    write_weights(workspace.folder("models") / f"top_layer{suffix}.safetensors", layer.state_dict())
    internal, truth = of("internal test")
    right = (top_layer_scores(layer, internal) >= 0.5) == truth
    return {
        "curve": curve,
        "internal_test_accuracy": float(right.mean()),
        "scores": top_layer_scores(layer, of("test")[0]).tolist(),
    }
