"""Normal, reduced or uncertain: the network's answer, its probability, its doubt, and the map that explains it."""

from dataclasses import dataclass

import numpy as np

from ..base.errors import DaTscanError
from ..mni.atlas import load_atlas
from .model_folder import Model, find_model

DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True)
class Classification:
    """The answer for one scan.

    Attributes:
        label: `normal`, `reduced` or `uncertain`.
        probability_reduced: calibrated on the data that the model card names.
        logit_difference: mean over the members, reduced minus normal.
        votes: members for "reduced" by head, for example `{"balanced": 5, "sensitive": 5, "specific": 4}`.
        members: how many vote.
        relevance: float32 `(91, 109, 91)`, lower putamen left like the input; positive argues for "reduced".
        device: where it was computed.
    """

    label: str
    probability_reduced: float
    logit_difference: float
    votes: dict[str, int]
    members: int
    relevance: np.ndarray
    device: str


def choose_device(device: str = "auto") -> str:
    """`cuda` where torch finds a usable GPU, else `cpu`.

    Raises:
        DaTscanError: `cuda` was asked for and there is none.
    """
    import torch

    if device not in DEVICES:
        raise DaTscanError(f"There is no device {device!r}: choose auto, cpu or cuda.")
    if device == "cpu":
        return "cpu"
    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise DaTscanError("No CUDA device was found: choose the device auto or cpu.")
    return "cuda" if available else "cpu"


class Classifier:
    """A model made ready on a device; use one for many scans.

    Args:
        model: from `find_model`; None for the default.
        device: `auto`, `cpu` or `cuda`.
    """

    def __init__(self, model: Model | None = None, device: str = "auto"):
        from ..explanation.lrp import RelevancePropagator

        self.model = model or find_model()
        self.device = choose_device(device)
        self.atlas = load_atlas()
        self.heads = self.model.rule.heads or {"balanced": (0, 1)}
        self._propagators = []
        for network in self.model.load_networks():
            outputs = [layer for layer in network if hasattr(layer, "out_features")][-1].out_features
            contrast = np.zeros(outputs, np.float32)
            contrast[list(self.heads["balanced"])] = (-1, 1)
            self._propagators.append(RelevancePropagator(network.to(self.device), contrast))

    def classify(self, voxels: np.ndarray) -> Classification:
        """Answer and relevance of one scan.

        Args:
            voxels: float32 `(91, 109, 91)`, normalized, lower putamen left.
        """
        logits, relevance = self._propagate(self.model.network_input(voxels, self.atlas))
        votes = {
            name: int((logits[:, reduced] > logits[:, normal]).sum())
            for name, (normal, reduced) in self.heads.items()
        }
        normal, reduced = self.heads["balanced"]
        difference = float((logits[:, reduced] - logits[:, normal]).mean(dtype=np.float64))
        rule = self.model.rule
        probability = float(1 / (1 + np.exp(-np.clip(rule.slope * difference + rule.intercept, -500, 500))))
        return Classification(
            self._label(probability, votes),
            probability,
            difference,
            votes,
            len(logits),
            self.model.preprocessing.restore(relevance),
            self.device,
        )

    def _propagate(self, image):
        """Logits `(members, outputs)` and the mean relevance of the members."""
        import torch

        batch = torch.from_numpy(np.ascontiguousarray(image, np.float32))[None, None].to(self.device)
        logits, total = [], None
        for propagator in self._propagators:
            of_member, relevance = propagator.propagate(batch)
            logits.append(of_member.cpu().numpy())
            total = relevance.clone() if total is None else total + relevance
        return np.stack(logits), (total / len(self._propagators)).cpu().numpy()

    def _label(self, probability, votes):
        rule = self.model.rule
        if "sensitive" in votes and "specific" in votes:
            sensitive = votes["sensitive"] >= rule.sensitive_votes
            specific = votes["specific"] >= rule.specific_votes
            if sensitive != specific:
                return "uncertain"
        if rule.doubt is not None and rule.doubt[0] < probability < rule.doubt[1]:
            return "uncertain"
        return "reduced" if probability >= rule.threshold else "normal"
