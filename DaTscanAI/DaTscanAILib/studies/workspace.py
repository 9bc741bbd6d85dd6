"""Where a study works: its options, its scans, what an earlier run has finished, and what it says on the way."""

import io
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..base.errors import DaTscanError
from ..base.files import atomic_write_bytes
from ..base.version import VERSION
from ..classification.answer import choose_device
from ..classification.weights import file_sha256
from ..reading.inputs import collect_cases
from ..reporting.result_files import prepare_output
from ..training.midway import NAME
from ..training.preparation import Prepared, prepare_cases
from ..training.variants import LABELS
from .slices import SLICE_COLUMN

LEAST_PER_CLASS = 10  # fewer would leave sets of a study without one of the classes


@dataclass(frozen=True)
class StudyOptions:
    """What the command line asks of a study.

    Attributes:
        manifest: CSV with the columns `scan` and `label`, better also `age` and `sex`.
        output: folder of figures, tables, models, `summary.json` and the one-page PDF.
        device: `auto`, `cpu` or `cuda`.
        workers: processes that prepare scans.
        quick: the shortened form, whose sizes the summary states.
        seed: of splits, weights, order and augmentation.
        prepared: cache of prepared scans, which studies of the same scans may share; in `output` by default.
        weights: file with Inception's ImageNet weights.
        random_weights: run Inception with random weights, to try the pipeline.
        keras_pooling: the weights come from Keras, whose average pools leave the padding out.
        bfloat16: compute Inception's features in this format, three times as fast on recent processors.
        copies: changed pictures of each scan, itself among them, in place of the form's (quan2019).
        random_slice: a random axial slice through the striatum in place of the representative one (kim2018).
        paper_shares: where the manifest has fewer scans than the paper, draw them in its shares of the classes
            (quan2019, wenzel2019).
        camera: value of the manifest's column `site` whose scans make the sample; those of the others are then the
            independent sample (wenzel2019).
        fine_tune: train Inception's base, too, in a further final model (quan2019).
        network_splits: splits in which the network is trained, all without it; both SBR have all splits (wenzel2019).
        controls: run the study with random weights, too, kim2018 with random slices, and both by the pictures'
            pixels without a network, to compare.
        independent: manifest of other scans to test on (wenzel2019).
        architecture: network in place of the published one (nazari2021-lrp, nazari2021-extrastriatal).
        plain_input: show the networks the scans themselves (nazari2021-lrp, nazari2021-extrastriatal).
        dense_rate: learning rate of the first dense layer (nazari2021-...); None for the lowered one.
        warm_up: steps in which the rates rise to their values (nazari2021-...).
        initial_scale: factor on the first weights of the first dense layer (nazari2021-...).
        normalized_dense: normalize that layer by batch while it trains (nazari2021-...).
        tries: other ways to train that are tried too, () for all of `nazari_tries.TRIES` (nazari2021-lrp).
        seeds: of each try (nazari2021-lrp).
        epochs: of each training, at most, in place of the form's (all but kim2018).
    """

    manifest: Path
    output: Path
    device: str = "auto"
    workers: int = 1
    quick: bool = False
    seed: int = 0
    prepared: Path | None = None
    weights: Path | None = None
    random_weights: bool = False
    keras_pooling: bool = False
    bfloat16: bool = False
    copies: int | None = None
    random_slice: bool = False
    paper_shares: bool = False
    fine_tune: bool = False
    controls: bool = False
    independent: Path | None = None
    camera: str | None = None
    network_splits: int | None = None
    architecture: str | None = None
    plain_input: bool = False
    epochs: int | None = None
    dense_rate: float | None = None
    warm_up: int = 0
    initial_scale: float = 1.0
    normalized_dense: bool = False
    tries: tuple[str, ...] | None = None
    seeds: int = 1


class Workspace:
    """One study in its folder.

    Attributes:
        name: of the study.
        options: `StudyOptions`.
        output: the study's folder, with `figures`, `tables`, `models` and, to resume from, `work`.
        device: `cpu` or `cuda`.
        scans: the usable labelled scans in the manifest's order.
        failed: `{case: why it cannot be used}`.
        truth: bool, labelled reduced, one for each scan.

    Raises:
        DaTscanError: too few usable scans, or the folder holds another run.
    """

    def __init__(self, name: str, options: StudyOptions):
        self.name, self.options = name, options
        self.device = choose_device(options.device)
        self.output = prepare_output(options.output)
        self.scans, self.failed = self.prepare(options.manifest, "prepared")
        self.truth = truth_of(self.scans)
        self.check_classes(self.truth)
        self._check_recipe()

    def form(self, full, quick):
        """The sizes that the options ask for, of a study's two."""
        asked = {name: getattr(self.options, name) for name in ("epochs", "copies")}
        changes = {name: value for name, value in asked.items() if value is not None}
        return replace(quick if self.options.quick else full, **changes)

    def prepare(self, manifest: Path, cache: str) -> tuple[list[Prepared], dict[str, str]]:
        """The usable scans of a manifest that are labelled, and why the others are not usable."""
        cases = [case for case in collect_cases([manifest]) if case.label or case.error]
        folder = (
            self.options.prepared if self.options.prepared and cache == "prepared" else self.folder("work", cache)
        )
        self.say(f"preparing {len(cases)} scans")
        return prepare_cases(cases, Path(folder), self.options.workers)

    def folder(self, *parts: str) -> Path:
        """A folder below the study's, made if need be."""
        path = self.output.joinpath(*parts)
        path.mkdir(parents=True, exist_ok=True)
        return path

    def finished(self, name: str, compute: Callable[[], object]):
        """JSON data that an earlier run has left under this name, or that `compute` gives now."""
        path = self.folder("work") / f"{name}.json"
        if not path.exists():
            atomic_write_bytes(path, json.dumps(compute()).encode())
        return json.loads(path.read_text(encoding="utf-8"))  # fresh and resumed runs see the same

    def finished_arrays(self, name: str, compute: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """Arrays that an earlier run has left under this name, or that `compute` gives now."""
        path = self.folder("work") / f"{name}.npz"
        if not path.exists():
            content = io.BytesIO()
            np.savez(content, **compute())
            atomic_write_bytes(path, content.getvalue())
        with np.load(path) as arrays:
            return dict(arrays)

    def say(self, text: str) -> None:
        """Progress for the person who waits."""
        print(f"{self.name}: {text}", file=sys.stderr, flush=True)

    def check_classes(self, truth: np.ndarray, of: str = "") -> None:
        """Raise DaTscanError for too few scans of a class.

        Args:
            of: what the scans share, for the sentence.
        """
        for label, count in zip(LABELS, ((~truth).sum(), truth.sum()), strict=True):
            if count < LEAST_PER_CLASS:
                raise DaTscanError(
                    f"{self.options.manifest.name} has only {count} usable scans labelled {label}"
                    f"{of and ' ' + of}: a study needs at least {LEAST_PER_CLASS} of each class."
                )

    def _check_recipe(self):
        """A folder resumes the run that it holds and no other: mixed results would look like one."""
        options = self.options
        recipe = {
            "study": self.name,
            "version": VERSION,
            "quick": options.quick,
            "seed": options.seed,
            "weights": file_sha256(options.weights) if options.weights else options.random_weights,
            "keras_pooling": options.keras_pooling,
            "bfloat16": options.bfloat16,
            "random_slice": options.random_slice,
            "paper_shares": options.paper_shares,
            "architecture": options.architecture,
            "plain_input": options.plain_input,
            "reference": NAME,  # a folder begun with the template of 0.1.0 as midway holds another run
            "epochs": options.epochs,
            "copies": options.copies,
            "steps": [options.dense_rate, options.warm_up, options.initial_scale, options.normalized_dense],
            "camera": options.camera,
            "independent": _independent(options.independent),
            "scans": [_identity(one.case) for one in self.scans],
        }
        if self.finished("recipe", lambda: recipe) != recipe:
            raise DaTscanError(
                f"{self.output.name} holds a study of other scans, options or version: choose another folder with "
                "--output, or remove it."
            )


def _independent(manifest):
    """Name and digest of the manifest of other scans, whose measures are kept, too."""
    if manifest is None:
        return None
    return [manifest.name, file_sha256(manifest) if manifest.is_file() else None]


def _identity(case):
    """What of a case the results depend on, beside its voxels."""
    return [case.name, case.label, case.age, case.sex, case.site, case.other.get(SLICE_COLUMN, "")]


def truth_of(scans: list[Prepared]) -> np.ndarray:
    """bool, labelled reduced."""
    return np.array([one.case.label == "reduced" for one in scans], bool)
