"""Model folders: which network, how its input is made, its weights and how its answer is read.

A folder has the shape of a MONAI bundle: `configs/metadata.json` (with this project's part under the key
`datscanai`), `models/*.safetensors`, `docs/README.md` (the model card), `LICENSE`. `Resources/Models` holds those
that ship; `train` writes new ones.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ..base.errors import DaTscanError
from ..base.files import atomic_write_bytes
from ..base.resources import resource_path
from ..explanation.reference import Reference, reference_of, shipped_reference
from ..mni.atlas import Atlas
from .answer_rule import AnswerRule, rule_from_json
from .familiarity import FILE as TRAINING_FEATURES
from .familiarity import TrainingFeatures, read_training_features, write_training_features
from .metadata_checks import check_numbers
from .networks import ARCHITECTURES, build_network
from .preprocessing import BOXES, Preprocessing
from .weights import file_sha256, read_weights, write_weights

DEFAULT_MODEL = "compact-ensemble"
FORMAT = 1
_PRESENT_NAMES = {"from_midway": "from_reference"}
_METADATA = Path("configs") / "metadata.json"
_LARGEST_WEIGHTS = 4 * 2**30  # bytes; the largest published network has 0.94 GB
_LARGEST_METADATA = 2**20


@dataclass(frozen=True)
class Model:
    """A model folder's content, weights not yet read.

    Attributes:
        name: of the folder.
        folder: its path.
        architecture: name of the network.
        preprocessing: input of the network.
        rule: reading of the output.
        weights: `((file, sha256), ...)`, one entry a member of the ensemble.
        trained_on: one sentence that every result repeats.
        version: of the model.
        reference: what its relevance is compared with, and for some its input too.
        training_features: SHA-256 of the file with the Gaussian of the training scans; None where there is none.
    """

    name: str
    folder: Path
    architecture: str
    preprocessing: Preprocessing
    rule: AnswerRule
    weights: tuple[tuple[str, str], ...]
    trained_on: str
    version: str
    reference: Reference
    training_features: str | None = None

    def network_input(self, voxels: np.ndarray, atlas: Atlas) -> np.ndarray:
        """The networks' input, without batch and channel axes, of a normalized scan with the lower putamen left."""
        return self.preprocessing.apply(voxels, atlas, self.reference.voxels)

    def load_networks(self) -> list:
        """The members as `torch.nn.Sequential` in evaluation mode, on the CPU, hashes and shapes checked.

        Raises:
            DaTscanError: weights that are missing, altered or of another network.
        """
        networks = [self._load(file, digest) for file, digest in self.weights]
        outputs = [layer for layer in networks[0] if hasattr(layer, "out_features")][-1].out_features
        used = [index for pair in (self.rule.heads or {}).values() for index in pair]
        used += [one.output for one in (self.rule.regions or {}).values()]
        if max(used, default=0) >= outputs:
            raise DaTscanError(f"{self.name}: this model needs another version of DaTscanAI.")
        return networks

    def load_training_features(self) -> TrainingFeatures | None:
        """What the members saw in the training scans; None for a model that does not judge by it.

        Raises:
            DaTscanError: the file is missing, altered or of another network.
        """
        if self.training_features is None:
            return None
        self._checked_path(TRAINING_FEATURES, self.training_features)
        found = read_training_features(self.folder)
        if found.precision.shape != (len(found.mean),) * 2 or not np.isfinite(found.precision).all():
            raise DaTscanError(f"{self.name}: the weights {TRAINING_FEATURES} are not finite: use another model.")
        return found

    def check_weights(self) -> None:
        """Check that the weights are those that the metadata names; needs no torch.

        Raises:
            DaTscanError: weights that are missing, altered or outside the folder.
        """
        for file, digest in self.weights:
            self._checked_path(file, digest)
        if self.training_features is not None:
            self._checked_path(TRAINING_FEATURES, self.training_features)

    def _checked_path(self, file, digest):
        try:
            path = (self.folder / file).resolve()
        except (OSError, ValueError):  # names that no system takes
            path = self.folder.resolve() / "none"
        if not path.is_relative_to(self.folder.resolve()):
            raise DaTscanError(f"{self.name}: the weights {file} lie outside the model's folder: use another model.")
        if not os.path.isfile(path):  # noqa: PTH113 - never raises
            raise DaTscanError(f"{self.name}: the weights {file} are missing: install the model again.")
        if path.stat().st_size > _LARGEST_WEIGHTS or file_sha256(path) != digest:
            raise DaTscanError(
                f"{self.name}: the weights {file} do not match their checksum: install the model again."
            )
        return path

    def _load(self, file, digest):
        path = self._checked_path(file, digest)
        network, state = build_network(self.architecture, initialize=False), read_weights(path)
        expected = {key: tuple(value.shape) for key, value in network.state_dict().items()}
        if {key: tuple(value.shape) for key, value in state.items()} != expected:
            raise DaTscanError(f"{self.name}: the weights {file} are of another network than {self.architecture}.")
        # NaN compares as "not reduced": such a network would call every scan normal.
        if not all(bool(value.isfinite().all()) for value in state.values()):
            raise DaTscanError(f"{self.name}: the weights {file} are not finite: use another model.")
        network.load_state_dict(state, assign=True)
        return network.eval()


def find_model(name_or_folder: str | Path | None = None) -> Model:
    """A shipped model by name or any model folder; None gives the default model.

    Raises:
        DaTscanError: neither exists, or the folder is not a model.
    """
    name = str(name_or_folder or DEFAULT_MODEL)
    folder = Path(name)
    if not folder.is_dir():
        try:
            folder = resource_path("Models", name)
        except FileNotFoundError as error:
            raise DaTscanError(
                f"There is no model {Path(name).name!r}: "
                f"give a model folder or one of {', '.join(shipped_models()) or 'none'}."
            ) from error
    return read_model(folder)


def shipped_models() -> list[str]:
    """Names of the models in `Resources/Models`, the default first."""
    try:
        folder = resource_path("Models")
    except FileNotFoundError:
        return []
    names = [path.parent.parent.name for path in folder.glob(f"*/{_METADATA.as_posix()}")]
    return sorted(names, key=lambda name: (name != DEFAULT_MODEL, name))


def read_model(folder: Path) -> Model:
    """Read and check `configs/metadata.json` of a folder.

    Raises:
        DaTscanError: it is no model, or one of another version.
    """
    folder = Path(folder)
    try:
        with (folder / _METADATA).open("rb") as file:
            metadata = json.loads(file.read(_LARGEST_METADATA))
        if metadata["datscanai"]["format"] != FORMAT:
            raise DaTscanError(f"{folder.name}: this model needs another version of DaTscanAI.")
        model = _described(metadata, folder)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DaTscanError(
            f"{folder.name}: this folder is not a model of DaTscanAI (configs/metadata.json is missing "
            "or damaged): choose another."
        ) from error
    is_known = model.architecture in ARCHITECTURES and model.preprocessing.box in (*BOXES, "slab", "slab72")
    if not is_known or not model.weights:
        raise DaTscanError(f"{folder.name}: this model needs another version of DaTscanAI.")
    return model


def _described(metadata, folder):
    """The model of a folder's metadata; raises what damaged metadata happen to raise."""
    own = metadata["datscanai"]
    preprocessing = Preprocessing(**_tuples(_renamed(own["preprocessing"])))
    # Models of version 0.1.0 name no reference; their cut was of another number.
    rule = rule_from_json(own["rule"] if "reference" in own else {**own["rule"], "relevance_cut": 0.0})
    weights = tuple((str(entry["file"]), str(entry["sha256"])) for entry in own["weights"])
    check_numbers(preprocessing, rule)
    if rule.votes is not None and rule.votes > len(weights):
        raise ValueError(rule.votes)
    return Model(
        folder.resolve().name,
        folder,
        str(own["architecture"]),
        preprocessing,
        rule,
        weights,
        str(own["trained_on"]),
        str(metadata["version"]),
        reference_of(folder, own.get("reference")),
        own.get("training_features"),
    )


def _renamed(options):
    """Options under their present names: models of version 0.1.0 know one reference only."""
    return {_PRESENT_NAMES.get(name, name): value for name, value in options.items()}


def _tuples(options):
    """JSON's lists as the tuples of the data classes."""
    return {
        key: tuple(value)
        if isinstance(value, list)
        else {name: tuple(pair) for name, pair in value.items()}
        if isinstance(value, dict)
        else value
        for key, value in options.items()
    }


def write_model(
    folder: Path,
    architecture: str,
    networks: list,
    preprocessing: Preprocessing,
    rule: AnswerRule,
    trained_on: str,
    metadata: dict | None = None,
    card: str | None = None,
    reference: Reference | None = None,
    training_features: TrainingFeatures | None = None,
) -> Model:
    """Write a model folder that `find_model` and `--model` take.

    Args:
        networks: members of the ensemble.
        metadata: entries of MONAI's metadata to add (version, changelog, eval_metrics, ...).
        card: text of docs/README.md.
        reference: what relevance is compared with; None for midway. The folder gets a copy.
        training_features: for a rule with `unlike_cut`.
    """
    folder = Path(folder)
    for part in ("configs", "models", "docs"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    weights = []
    for number, network in enumerate(networks):
        file = f"models/member_{number}.safetensors"
        write_weights(folder / file, network.state_dict())
        weights.append({"file": file, "sha256": file_sha256(folder / file)})
    reference = (reference or shipped_reference("midway")).copy_to(folder)
    own = {
        "format": FORMAT,
        "architecture": architecture,
        "preprocessing": asdict(preprocessing),
        "rule": asdict(rule),
        "weights": weights,
        "reference": reference.describe(),
        "trained_on": trained_on,
    }
    if training_features is not None:
        write_training_features(folder, training_features)
        own["training_features"] = file_sha256(folder / TRAINING_FEATURES)
    content = {"version": "0.1.0", **(metadata or {}), "datscanai": own}
    atomic_write_bytes(folder / _METADATA, (json.dumps(content, indent=2) + "\n").encode())
    if card:
        atomic_write_bytes(folder / "docs" / "README.md", card.encode())
    return read_model(folder)
