"""Outside models' weights as model folders that `--model` and `--second-reader` take.

`dat_spect_ud`: the ensembles of Buddenkotte and Buchert (`dat_spect_ud.py`), trained on patients of Hamburg. They see
the patient's own sides and vote; their probabilities are not calibrated.
"""

import shutil
import tempfile
from pathlib import Path

import numpy as np

from ..base.errors import DaTscanError
from ..explanation.reference import Reference
from ..mni.atlas import GRID_AFFINE, GRID_SHAPE
from ..reading.scan import write_volume
from .answer_rule import AnswerRule
from .dat_spect_ud import DEVIATION, ENSEMBLES, MEAN, VOTES_NEEDED, WINDOW, load_ensemble
from .model_folder import Model, write_model
from .networks import build_network
from .preprocessing import Preprocessing
from .weights import file_sha256

KINDS = ("dat_spect_ud",)
# Of the slab's middle, mm MNI z. Published is "through the centre of the striatum": at 0 a slab of our mean normal
# scan holds most striatal signal, and of simulated scans `acc` reads more as labelled than at 4, as it was before.
HEIGHT = 0.0
_BLOCKS = ((1,), (3,), (5, 6))  # places of the residual blocks in our network, by stage
_FIRST = (0, 2, 4)  # of the first convolutions
_NORMALIZED = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
_CARD = """# dat_spect_ud, ensemble `{name}`
Five networks of Buddenkotte and Buchert (github.com/ThomasBudd/dat_spect_ud, MIT), trained on patients of Hamburg;
imported, not trained, here. {source}.
Input: a 12-mm axial slab around z = {height:g} mm, 72 x 72 pixels of 2 mm.
{votes} of five votes make a scan "reduced". Probabilities are not calibrated: only their side of 50 % counts.
Relevance is gradient times input, relative to a uniform uptake of {mean:.2f}.
Research use only, not a medical device.
"""
_SOURCES = {
    "robust": "Buddenkotte and Buchert 2024, J Nucl Med 65:1463",
    **dict.fromkeys(("acc", "sens", "spec"), "Budenkotte 2024, doi 10.1007/s00259-023-06566-w"),
}


def import_model(kind: str, folder: Path, output: Path, ensemble: str = "acc") -> Model:
    """Write a model folder from weights that the user has downloaded.

    Args:
        kind: of `KINDS`.
        folder: with the files `network_weights_*`.
        output: the model's folder.
        ensemble: of `dat_spect_ud.ENSEMBLES`.

    Raises:
        DaTscanError: an unknown kind or ensemble, files that are missing or hold other weights.
    """
    for name, known in ((kind, KINDS), (ensemble, ENSEMBLES)):
        if name not in known:
            raise DaTscanError(f"There is nothing to import as {name!r}: choose one of {', '.join(known)}.")
    states = [_state(member) for member in load_ensemble(folder, ensemble).members]
    architecture = "dat-spect-ud-places" if "7.weight" in states[0] else "dat-spect-ud"
    rule = AnswerRule(votes=VOTES_NEEDED[ensemble])
    preprocessing = Preprocessing("slab72", window=WINDOW, offset=MEAN, scale=DEVIATION, slab_center=HEIGHT)
    trained_on = (
        f"Trained on patients of Hamburg by Buddenkotte and Buchert ({_SOURCES[ensemble]}), imported; its "
        "probabilities are not calibrated."
    )
    card = _CARD.format(
        name=ensemble, source=_SOURCES[ensemble], height=HEIGHT, votes=VOTES_NEEDED[ensemble], mean=MEAN
    )
    metadata = {"copyright": "MIT", "references": [_SOURCES[ensemble]], "intended_use": "research only"}
    with tempfile.TemporaryDirectory() as temporary:
        reference = _uniform_reference(Path(temporary) / "uniform.nii.gz")
        networks = [_network(architecture, state) for state in states]
        model = write_model(
            output, architecture, networks, preprocessing, rule, trained_on, metadata, card, reference=reference
        )
    if (Path(folder) / "LICENSE").is_file():
        shutil.copyfile(Path(folder) / "LICENSE", Path(output) / "LICENSE")
    return model


def _network(architecture, state):
    network = build_network(architecture, initialize=False)
    network.load_state_dict(state, assign=True)
    return network.eval()


def _state(weights):
    """Their names of the weights turned into ours."""
    import torch

    state = {}
    for stage, (first, blocks) in enumerate(zip(_FIRST, _BLOCKS, strict=True)):
        state[f"{first}.weight"] = weights[f"body.{stage}.first_conv.weight"]
        for number, place in enumerate(blocks):
            state[f"{place}.skip_init"] = weights[f"body.{stage}.skip_inits.{number}"]
            for layer in (0, 3):
                theirs, ours = f"body.{stage}.blocks.{number}", f"{place}.change"
                state[f"{ours}.{layer}.weight"] = weights[f"{theirs}.{layer}.weight"]
                for name in _NORMALIZED:
                    state[f"{ours}.{layer + 1}.{name}"] = weights[f"{theirs}.{layer + 1}.{name}"]
    kernel, bias = weights["logits.weight"], weights["logits.bias"]
    if kernel.ndim == 4:  # one logit at each place: for "reduced", beside a constant 0 for "normal"
        state |= {"7.weight": kernel, "7.bias": bias, "10.weight": torch.tensor([[0.0], [1.0]])}
        return state | {"10.bias": torch.zeros(2)}
    return state | {"9.weight": kernel, "9.bias": bias}


def _uniform_reference(path):
    """Where the networks' input is 0, so that relevance is relative to it."""
    write_volume(path, np.full(GRID_SHAPE, round(100 * MEAN), np.int16), GRID_AFFINE)
    return Reference(f"uniform uptake of {MEAN:.2f}", path, file_sha256(path))
