"""Normal, reduced or uncertain: the networks' answer, its probability, its doubt, and the map that explains it."""

from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from ..base.errors import DaTscanError
from ..base.parallel import in_threads
from ..explanation.fast_network import fast_network
from ..explanation.methods import DEFAULT_METHOD, METHODS
from ..explanation.reference import shipped_reference
from ..explanation.what_if import WhatIf, what_if_by_map
from ..mni.atlas import load_atlas
from ..quantification.mirroring import ipsilateral_left, mirror
from ..quantification.sbr import Quantification
from .atypical import atypical_patterns
from .changed_parts import known_pass, logits_of_changed
from .doubt import Doubt, doubts
from .evidence import OVERALL, contrast_of, read_evidence, swapped_outputs
from .grades import other_side
from .model_folder import Model, find_model
from .orientation import mirrored_weight
from .relevance_maps import RelevanceMaps, agreement, no_such_map

DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True)
class AnswerMap:
    """One way to explain an answer.

    Attributes:
        relevance: float32 `(91, 109, 91)`, lower putamen left; positive argues for "reduced".
        what_if: the answer with each region's uptake replaced by normal one, lower putamen left.
    """

    relevance: np.ndarray
    what_if: tuple[WhatIf, ...]


@dataclass(frozen=True)
class Classification:
    """The answer for one scan.

    Attributes:
        label: `normal`, `reduced` or `uncertain`.
        probability_reduced: calibrated on the data that the model card names.
        logit_difference: mean over the members, reduced minus normal, of the scan as a whole.
        votes: members for "reduced" by head, for example `{"balanced": 5, "sensitive": 5, "specific": 4}`.
        members: how many vote.
        relevance: float32 `(91, 109, 91)`, lower putamen left like the input; positive argues for "reduced"; None
            where no map was asked for.
        device: where it was computed.
        basis: `overall`, or the region (patient's side) on which probability and relevance rest.
        grades: probabilities of the five grades by region, patient's sides; empty for a model without regions.
        atypical: sentences on patterns that Parkinson's disease does not make.
        doubt: why the answer is uncertain; empty for a certain one.
        mirrored_weight: share of the mirrored scan in the answer, 0 to one half.
        distance: from the training scans, about 1 for one like them; None for a model that does not know it.
        map_method: how `relevance` was made, of `explanation.methods.METHODS`.
        map_agreement: correlation with the map of the other method inside the brain.
        what_if: the answer with each region's uptake replaced by normal one, lower putamen left.
        other_maps: by the other methods of `explanation.methods.METHODS`; empty where no map was asked for.
    """

    label: str
    probability_reduced: float
    logit_difference: float
    votes: dict[str, int]
    members: int
    relevance: np.ndarray | None
    device: str
    basis: str = "overall"
    grades: dict[str, np.ndarray] = field(default_factory=dict)
    atypical: tuple[str, ...] = ()
    doubt: tuple[Doubt, ...] = ()
    mirrored_weight: float = 0.0
    distance: float | None = None
    map_method: str = DEFAULT_METHOD
    map_agreement: float | None = None
    what_if: tuple[WhatIf, ...] = ()
    other_maps: dict[str, AnswerMap] = field(default_factory=dict)

    def by(self, method: str) -> "Classification":
        """The same answer, explained by one of `other_maps`."""
        one = self.other_maps[method]
        return replace(self, relevance=one.relevance, what_if=one.what_if, map_method=method, other_maps={})


def describe_classification(classification: Classification, model: Model) -> dict:
    """The part `classification` of `result.json`."""
    return {
        "label": classification.label,
        "probability_reduced": classification.probability_reduced,
        "logit_difference": classification.logit_difference,
        "basis": classification.basis,
        "votes_for_reduced": classification.votes,
        "members": classification.members,
        "atypical": list(classification.atypical),
        "doubt": [doubt.sentence for doubt in classification.doubt],
        "doubt_sources": [doubt.source for doubt in classification.doubt],
        "mirrored_weight": classification.mirrored_weight,
        "distance_from_training": classification.distance,
        "model": model.name,
        "model_version": model.version,
        "trained_on": model.trained_on,
        "device": classification.device,
    }


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

    Attributes:
        networks: of the model, on the device.
        fast_networks: the same for answers, see `explanation.fast_network`.
    """

    def __init__(self, model: Model | None = None, device: str = "auto"):
        self.model = model or find_model()
        self.device = choose_device(device)
        self.atlas = load_atlas()
        self.networks = [network.to(self.device) for network in self.model.load_networks()]
        self.fast_networks = [fast_network(network) for network in self.networks]
        self.outputs = self.networks[0][-1].out_features
        self.training_features = self.model.load_training_features()
        reference = self._tensor(self.model.network_input(self.model.reference.voxels, self.atlas)[None])
        self.maps = RelevanceMaps(self.model, self.networks, reference)

    def classify(
        self,
        voxels: np.ndarray,
        quantification: Quantification | None = None,
        map_method: str = DEFAULT_METHOD,
        with_relevance: bool = True,
    ) -> Classification:
        """Answer, relevance and what-ifs of one scan.

        Args:
            voxels: float32 `(91, 109, 91)`, normalized, lower putamen left.
            quantification: of the scan. Its asymmetry gives the mirrored scan its weight, its SBRs are held against
                the answer, and its `mirrored` gives sides their names: without it, left is the lower putamen's side.
            map_method: of `explanation.methods.METHODS`.
            with_relevance: make map and what-ifs.
        """
        mirrored = quantification is not None and quantification.mirrored
        images = self._orientations(voxels, quantification)
        known = self._pass([image for _, image in images])
        logits, features = self._read(images, known)
        evidence = read_evidence(logits, self.model.rule)
        explained, agrees = {map_method: AnswerMap(None, ())}, None
        if with_relevance:
            turned = self.model.preprocessing.keeps_sides and mirrored
            explained, agrees = self._explain(voxels, images, evidence.basis, map_method, turned, known)
        chosen = explained.pop(map_method)
        distance = None if self.training_features is None else float(self.training_features.distance(features))
        evidence = _with_sides(evidence, other_side if mirrored else str)
        measured = quantification and quantification.sbr
        found = doubts(self.model.rule, evidence, measured, distance, len(self.networks))
        return Classification(
            label="uncertain" if found else self.model.rule.label_of(evidence.probability),
            probability_reduced=evidence.probability,
            logit_difference=evidence.logit_difference,
            votes=evidence.votes,
            members=len(self.networks),
            relevance=chosen.relevance,
            device=self.device,
            basis=evidence.basis,
            grades=evidence.grades,
            atypical=tuple(atypical_patterns(evidence.grades)) if evidence.grades else (),
            doubt=tuple(found),
            mirrored_weight=images[1][0] if len(images) > 1 else 0.0,
            distance=distance,
            map_method=map_method,
            map_agreement=agrees,
            what_if=chosen.what_if,
            other_maps=explained,
        )

    def _orientations(self, voxels, quantification):
        """`[(weight, network input), ...]`: the scan, and mirrored where its sides are nearly equal."""
        if self.model.preprocessing.keeps_sides:
            mirrored = quantification is not None and quantification.mirrored
            return [(1.0, self.model.network_input(ipsilateral_left(voxels, mirrored), self.atlas))]
        weight = 0.0 if quantification is None else mirrored_weight(quantification.asymmetry_percent["putamen"])
        images = [(1 - weight, self.model.network_input(voxels, self.atlas))]
        return images + ([(weight, self.model.network_input(mirror(voxels), self.atlas))] if weight else [])

    def _pass(self, images):
        """What every member computes for network inputs, `[KnownPass, ...]`."""
        # At least two: one image alone takes a slow convolution of torch where it is small.
        batch = self._tensor(np.stack(images * 2 if len(images) == 1 else images))
        return self._of_members(lambda network: known_pass(network, batch))

    def _read(self, images, known):
        """Logits `(members, outputs)`, the mean of the orientations, and the features of all members `(n,)`."""
        order, logits = swapped_outputs(self.outputs, self.model.rule), 0.0
        for number, (weight, _) in enumerate(images):
            found = np.stack([one.logits[number].cpu().numpy() for one in known])
            logits = logits + weight * (found[:, order] if number else found)
        return logits, np.concatenate([one.features[0].cpu().numpy() for one in known])

    def _explain(self, voxels, images, basis, method, turned, known):
        """`{method: AnswerMap}` of all methods, and their agreement."""
        if method not in METHODS:
            raise no_such_map(method)
        images = [(weight, self._tensor(image[None])) for weight, image in images]
        maps = {one: ipsilateral_left(self.maps.relevance(images, basis, one), turned) for one in METHODS}
        weight = images[1][0] if len(images) > 1 else 0.0
        answers = partial(self.answers, weight=weight, basis=basis, turned=turned, known=known)
        replaced = what_if_by_map(voxels, shipped_reference("normal").voxels, maps, answers)
        explained = {one: AnswerMap(relevance, tuple(replaced[one])) for one, relevance in maps.items()}
        return explained, agreement(*maps.values(), self.atlas.brain)

    def answers(
        self, scans: list, weight: float = 0.0, basis: str = OVERALL, turned: bool = False, known: list | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Of several scans the probability of "reduced" and a basis's score in logits: two arrays `(scans,)`.

        Args:
            scans: `(91, 109, 91)` each, normalized, lower putamen left.
            weight: of the mirrored scans.
            basis: `overall` or a region, as the networks see its side.
            turned: the networks see the patient's own sides, and the lower putamen is the right one.
            known: what the members have computed for the first scan, of which the others differ in places; None
                computes all of each scan.
        """
        logits = self.logits(scans, weight, turned, known)
        contrast = contrast_of(basis, self.outputs, self.model.rule)
        probabilities = [read_evidence(of_scan, self.model.rule).probability for of_scan in logits.swapaxes(0, 1)]
        return np.array(probabilities), (logits @ contrast).mean(axis=0)

    def logits(self, scans: list, weight: float = 0.0, turned: bool = False, known: list | None = None) -> np.ndarray:
        """On what the answers to several scans rest: `(members, scans, outputs)`; arguments as of `answers`.

        Where mirrored scans have a weight, their regional outputs stand in the place of the other side's.
        """
        orientations = [(1 - weight, scans)] + ([(weight, [mirror(scan) for scan in scans])] if weight else [])
        order, logits = swapped_outputs(self.outputs, self.model.rule), 0.0
        for number, (share, ones) in enumerate(orientations):
            inputs = [self.model.network_input(ipsilateral_left(one, turned), self.atlas) for one in ones]
            found = self._logits(np.stack(inputs), known, number)
            logits = logits + share * (found[..., order] if number else found)
        return logits

    def _logits(self, inputs, known, number):
        """Logits `(members, scans, outputs)` of network inputs `(scans, ...)`."""
        import torch

        if known is not None and self.device == "cpu":
            pairs = list(zip(self.fast_networks, known, strict=True))
            found = in_threads(lambda pair: logits_of_changed(*pair, number, inputs), pairs)
        else:
            batch = self._tensor(inputs)
            with torch.inference_mode():
                found = [network(batch) for network in self.fast_networks]
        return np.stack([logits.cpu().numpy() for logits in found])

    def _of_members(self, function):
        """Of each network, in its order; on a CPU several at a time."""
        networks = self.fast_networks
        return in_threads(function, networks) if self.device == "cpu" else list(map(function, networks))

    def _tensor(self, inputs):
        """Network inputs `(n, ...)` as a batch of one channel on the device."""
        import torch

        return torch.from_numpy(np.ascontiguousarray(inputs, np.float32))[:, None].to(self.device)


def _with_sides(evidence, sides):
    """The same evidence with regions named by the patient's sides."""
    basis = evidence.basis if evidence.basis == "overall" else sides(evidence.basis)
    return replace(evidence, basis=basis, grades={sides(name): one for name, one in evidence.grades.items()})
