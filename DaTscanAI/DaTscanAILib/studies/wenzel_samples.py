"""Wenzel's samples: scans of one camera in the paper's numbers, those of others, and what is measured in them."""

from dataclasses import dataclass

import numpy as np

from ..base.parallel import in_order
from ..classification.preprocessing import Preprocessing
from ..mni.atlas import SIDES, load_atlas
from ..quantification.hottest_voxels import HOTTEST_VOLUME_ML, hottest_voxels_mean
from ..training.augmentation import smooth_to
from .splits import papers_classes
from .workspace import Workspace, truth_of

PAPER_REDUCED, PAPER_NORMAL = 438, 207  # of PPMI
FWHM = 18.0  # mm
KINDS = ("original", "smoothed")
SETTINGS = {"original": ("original",), "smoothed": ("smoothed",), "mixed": KINDS}
METHODS = {"cnn": "CNN", "aal": "AAL-SBR", "hottest": "Hottest-voxels SBR"}
SBR_METHODS = ("aal", "hottest")
PREPROCESSING = Preprocessing(box="slab")


@dataclass(frozen=True)
class Sample:
    """Scans and what is measured in them.

    Attributes:
        scans: prepared.
        truth: bool, labelled reduced.
        data: arrays `cnn_KIND` (slabs `(n, 91, 109)`), `aal_KIND` and `hottest_KIND` (SBR of the lower putamen).
        what: says which scans they are.
    """

    scans: list
    truth: np.ndarray
    data: dict[str, np.ndarray]
    what: str

    def stacked(self, scans: np.ndarray, setting: str, method: str) -> tuple[np.ndarray, np.ndarray]:
        """Values of a method and labels of the scans of these numbers, in all versions that a setting has."""
        kinds = SETTINGS[setting]
        values = np.concatenate([self.data[f"{method}_{kind}"][scans] for kind in kinds])
        return values, np.tile(self.truth[scans], len(kinds))


def samples(workspace: Workspace) -> tuple[Sample, Sample | None]:
    """The sample to split, and the independent one: of another manifest, else of the manifest's other cameras."""
    camera, chosen = one_camera(workspace)
    of_camera = np.flatnonzero(chosen)
    seed, shares = workspace.options.seed, workspace.options.paper_shares
    used = of_camera[papers_classes(workspace.truth[of_camera], PAPER_REDUCED, PAPER_NORMAL, seed, shares)]
    what = f"camera {camera}" if camera else "all cameras of the manifest"
    main = _sample(workspace, [workspace.scans[k] for k in used], "slabs", what)
    if workspace.options.independent is not None:
        scans, failed = workspace.prepare(workspace.options.independent, "prepared_independent")
        for name, reason in failed.items():
            workspace.say(f"{name} of the independent manifest is left out: {reason}")
        return main, _sample(workspace, scans, "slabs_independent", workspace.options.independent.name)
    others = [one for one, is_chosen in zip(workspace.scans, chosen, strict=True) if not is_chosen]
    if not 0 < truth_of(others).sum() < len(others):
        return main, None
    cameras = ", ".join(sorted({one.case.site or "not named" for one in others}))
    return main, _sample(workspace, others, "slabs_independent", f"cameras {cameras}")


def one_camera(workspace: Workspace) -> tuple[str | None, np.ndarray]:
    """The camera whose scans are "original", and bool, which scans are its: PPMI's scans are nearly of one kind.

    It is the one that the options name, or else that of most scans, if it has the paper's numbers of both classes, or
    the only one; None and all scans without such a camera.

    Raises:
        DaTscanError: too few scans of the camera named.
    """
    sites = np.array([one.case.site or "" for one in workspace.scans])
    named = workspace.options.camera
    if named is not None:
        workspace.check_classes(workspace.truth[sites == named], f"of the camera {named}")
        return named, sites == named
    names, counts = np.unique(sites[sites != ""], return_counts=True)
    for name in names[np.argsort(-counts, kind="stable")][: 1 if len(names) > 1 else 0]:
        reduced = workspace.truth[sites == name]
        if reduced.sum() >= PAPER_REDUCED and (~reduced).sum() >= PAPER_NORMAL:
            return str(name), sites == name
    only = str(names[0]) if len(names) == 1 and (sites == names[0]).all() else None
    return only, np.ones(len(sites), bool)


def measure(voxels: np.ndarray) -> dict[str, tuple]:
    """Slab, AAL-SBR and hottest-voxels SBR of the lower putamen of a scan as it is and smoothed by 18 mm.

    Args:
        voxels: `(91, 109, 91)` normalized.
    """
    atlas, found = load_atlas(), {}
    for kind in KINDS:
        one = voxels if kind == "original" else smooth_to(voxels, FWHM, atlas.reference)
        aal = min(one[atlas.anatomical_region("putamen", side)].mean(dtype=float) for side in SIDES) - 1
        hottest = (
            min(
                hottest_voxels_mean(one[atlas.hottest_voxels_region("putamen", side)], HOTTEST_VOLUME_ML["putamen"])
                for side in SIDES
            )
            - 1
        )
        found[kind] = (PREPROCESSING.apply(one, atlas, one).astype(np.float16), float(aal), float(hottest))
    return found


def _measure_scan(one):
    return measure(one.load())


def _sample(workspace, scans, name, what):
    def compute():
        found = list(in_order(_measure_scan, scans, workspace.options.workers))
        return {
            f"{method}_{kind}": np.array([one[kind][place] for one in found])
            for kind in KINDS
            for place, method in enumerate(METHODS)
        }

    workspace.say(f"slabs and SBR of {len(scans)} scans")
    return Sample(scans, truth_of(scans), workspace.finished_arrays(name, compute), what)
