"""One model's maps put to a reviewer's tests, on simulated scans of known truth: the figures behind the gates."""

from dataclasses import dataclass, field

import numpy as np

from ..classification.answer import Classification, Classifier
from ..classification.orientation import mirrored_weight
from ..classification.relevance_maps import RelevanceMaps
from ..explanation.integrated_gradients import IntegratedGradients
from ..explanation.lower_putamen import lower_putamen_relevance
from ..explanation.methods import DEFAULT_METHOD, GRADIENT_TIMES_INPUT, METHODS
from ..explanation.reference import shipped_reference
from ..explanation.what_if import check_map
from ..quantification.mirroring import mirror
from ..quantification.sbr import quantify
from ..quantification.scaling import Normalized
from .map_deletion import moves, order_of
from .map_likeness import correlation, structural_similarity
from .map_localization import PlantedLesion, find, healing_move, peak
from .map_randomization import cascade

NOISE, NOISE_FWHM = 0.1, 5.0  # standard deviation in multiples of the reference level; mm
BLUR = 8.0  # mm FWHM of the plain difference from normal that orders are compared with
_AT_ONCE = 8  # scans of which scores are asked


@dataclass(frozen=True)
class KnownScan:
    """A simulated scan with its truth.

    Attributes:
        name: of the scan.
        label: `normal` or `reduced`.
        subtype: of the simulator.
        voxels: float32 `(91, 109, 91)`, normalized, lower putamen left.
        lesion: planted in a healthy scan; None for a scan of the clinic's patterns.
    """

    name: str
    label: str
    subtype: str
    voxels: np.ndarray = field(repr=False)
    lesion: PlantedLesion | None = None


@dataclass(frozen=True)
class Depth:
    """How many scans the costly tests take, half of them normal where there are both.

    Attributes:
        deletion, randomization, stability: numbers of scans.
    """

    deletion: int
    randomization: int
    stability: int


QUICK, FULL = Depth(8, 2, 4), Depth(24, 6, 12)


class Examination:
    """All tests of one model and one kind of map.

    Args:
        classifier: with the model.
        scans: answered one by one.
        method: of `explanation.methods.METHODS`.
        say: told what begins.
    """

    def __init__(self, classifier: Classifier, scans: list[KnownScan], method: str = DEFAULT_METHOD, say=print):
        self.classifier, self.scans, self.method, self.say = classifier, scans, method, say
        self.brain = classifier.atlas.brain
        self.reference = classifier.model.reference.voxels
        self.normal = shipped_reference("normal").voxels
        self.answers: list[Classification] = []
        for number, scan in enumerate(scans, 1):
            self.answers.append(classifier.classify(scan.voxels, None, method))
            if number % 20 == 0 or number == len(scans):
                say(f"maps: {number}/{len(scans)}")

    def lesions(self) -> list[dict]:
        """One row a planted lesion: answer, distance of the peak, hemisphere, what healing does."""
        rows = []
        for scan, answer in zip(self.scans, self.answers, strict=True):
            if scan.lesion is None:
                continue
            plain = find(self.normal - scan.voxels, self.brain, scan.lesion)
            found = find(answer.relevance, self.brain, scan.lesion)
            move = healing_move(scan.voxels, self.normal, answer.relevance, self._scores(answer))
            rows.append(
                {
                    "kind": scan.lesion.kind,
                    "side": scan.lesion.side,
                    "answer": answer.label,
                    **found,
                    "plain_near": plain["near"],
                    "healing_move": move,
                    "consistent": check_map(answer.what_if)[0],
                }
            )
        return rows

    def signs(self) -> list[dict]:
        """One row a scan without planted lesion: whether the lower putamen's relevance lies on its label's side.

        In the map that a user gets, on whose like the cut was learned, and in that of the one orientation.
        """
        cut = self.classifier.model.rule.relevance_cut if self.method == DEFAULT_METHOD else 0.0
        rows = []
        for scan, answer in self._clinical():
            maps = self._of_user(scan, answer), answer.relevance
            right, right_alone = (
                (lower_putamen_relevance(one)[0] > cut) == (scan.label == "reduced") for one in maps
            )
            rows.append(
                {
                    "label": scan.label,
                    "subtype": scan.subtype,
                    "right": bool(right),
                    "right_alone": bool(right_alone),
                    "answer": answer.label,
                    "agreement": answer.map_agreement,
                    "consistent": check_map(answer.what_if)[0],
                }
            )
        return rows

    def outside(self) -> np.ndarray:
        """Share of the absolute relevance outside the brain, `(scans,)`."""
        magnitudes = (np.abs(answer.relevance) for answer in self.answers)
        return np.array([float(one[~self.brain].sum() / one.sum()) if one.any() else 0.0 for one in magnitudes])

    def deletion(self, count: int) -> dict[str, dict[str, np.ndarray]]:
        """Moves of the score by order: `{order: {"deletion" | "insertion": (scans, fractions)}}`."""
        found = {}
        for scan, answer in self._chosen(count):
            self.say(f"deletion: {scan.name}")
            for name, values in self._orders(scan, answer).items():
                order = order_of(values, self.brain, answer.probability_reduced >= 0.5)
                for kind, curve in moves(scan.voxels, self.reference, order, self._scores(answer)).items():
                    found.setdefault(name, {}).setdefault(kind, []).append(curve)
        return {name: {kind: np.array(curves) for kind, curves in one.items()} for name, one in found.items()}

    def randomization(self, count: int) -> list[dict]:
        """By layer, from the logits down: likeness of the maps to those of the trained networks."""
        model, rows = self.classifier.model, []
        reference = self._batch(model.network_input(self.reference, self.classifier.atlas))
        for name, networks in cascade(self.classifier.networks):
            self.say(f"random weights down to: {name}")
            maps = RelevanceMaps(model, networks, reference)
            likeness = []
            for scan, answer in self._chosen(count):
                relevance = maps.relevance([(1.0, self._input(scan.voxels))], answer.basis, self.method)
                likeness.append(
                    (
                        correlation(answer.relevance, relevance, self.brain),
                        structural_similarity(answer.relevance, relevance, self.brain),
                        float(np.linalg.norm(peak(answer.relevance, self.brain) - peak(relevance, self.brain))),
                    )
                )
            found = np.array(likeness)
            rows.append(
                {
                    "random_down_to": name,
                    "scans": len(found),
                    "correlation": float(found[:, 0].mean()),
                    "absolute_correlation": float(np.median(np.abs(found[:, 0]))),
                    "structural_similarity": float(found[:, 1].mean()),
                    "peak_distance_mm": float(np.median(found[:, 2])),
                }
            )
        return rows

    def classes(self, count: int) -> list[float]:
        """Correlation of the maps of the two logits, each explained alone; near -1 where the map knows the class."""
        outputs, found = self.classifier.outputs, []
        normal, reduced = (self.classifier.model.rule.heads or {"balanced": (0, 1)})["balanced"]
        reference = self._batch(self.classifier.model.network_input(self.reference, self.classifier.atlas))
        for scan, _ in self._chosen(count):
            maps = []
            for output in (normal, reduced):
                contrast = np.eye(outputs, dtype=np.float32)[output]
                of_members = [
                    IntegratedGradients(network, reference, contrast) for network in self.classifier.networks
                ]
                maps.append(sum(one.relevance(self._input(scan.voxels)).cpu().numpy() for one in of_members))
            found.append(correlation(maps[0], maps[1], np.ones(maps[0].shape, bool)))
        return found

    def stability(self, count: int) -> dict[str, list[float]]:
        """Correlation of the map with that of the scan with more noise, and of the scan shifted by 2 mm."""
        from scipy.ndimage import gaussian_filter

        found, random = {"noise": [], "shift": []}, np.random.default_rng(0)
        for scan, answer in self._chosen(count):
            noise = gaussian_filter(random.standard_normal(scan.voxels.shape, np.float32), NOISE_FWHM / 2.355 / 2)
            noisy = scan.voxels + noise * np.float32(NOISE / noise.std())
            found["noise"].append(self._likeness(answer, noisy, 0))
            found["shift"].append(self._likeness(answer, np.roll(scan.voxels, 1, axis=(0, 1, 2)), -1))
        return found

    def sameness(self) -> float:
        """Mean correlation between the maps of different scans that are read as reduced; 1 is one fixed picture."""
        maps = [one.relevance for one in self.answers if one.probability_reduced >= 0.5][:20]
        pairs = [(a, b) for k, a in enumerate(maps) for b in maps[k + 1 :]]
        return float(np.mean([correlation(a, b, self.brain) for a, b in pairs])) if pairs else 0.0

    def _of_user(self, scan, answer):
        """The map with the mirrored scan's share where the sides are nearly equal."""
        preprocessing = self.classifier.model.preprocessing
        normalized = Normalized(scan.voxels, np.ones(scan.voxels.shape, bool), 1.0)
        asymmetry = quantify(normalized, self.classifier.atlas).asymmetry_percent["putamen"]
        weight = 0.0 if preprocessing.keeps_sides else mirrored_weight(asymmetry)
        if not weight:
            return answer.relevance
        images = [(1 - weight, self._input(scan.voxels)), (weight, self._input(mirror(scan.voxels)))]
        return self.classifier.maps.relevance(images, answer.basis, self.method)

    def _likeness(self, answer, voxels, back):
        relevance = self.classifier.maps.relevance([(1.0, self._input(voxels))], answer.basis, self.method)
        return correlation(answer.relevance, np.roll(relevance, back, axis=(0, 1, 2)), self.brain)

    def _orders(self, scan, answer):
        from scipy.ndimage import gaussian_filter

        maps = self.classifier.maps
        images = [(1.0, self._input(scan.voxels))]
        found = {self.method: answer.relevance}
        found |= {other: maps.relevance(images, answer.basis, other) for other in METHODS if other != self.method}
        found[GRADIENT_TIMES_INPUT] = maps.relevance(images, answer.basis, GRADIENT_TIMES_INPUT)
        found["plain difference from normal"] = gaussian_filter(self.normal - scan.voxels, BLUR / 2.355 / 2)
        found["mean map of other scans"] = self._mean_map(answer)
        random = np.random.default_rng(len(scan.name)).standard_normal(scan.voxels.shape)
        return {**found, "random": random}

    def _mean_map(self, answer):
        others = [
            one.relevance
            for one in self.answers
            if one is not answer and (one.probability_reduced >= 0.5) == (answer.probability_reduced >= 0.5)
        ]
        return np.mean(others[:30], axis=0) if others else np.zeros_like(answer.relevance)

    def _clinical(self):
        return [pair for pair in zip(self.scans, self.answers, strict=True) if pair[0].lesion is None]

    def _chosen(self, count):
        """As many clinical scans as asked for, half of them normal."""
        found = self._clinical()
        parts = [[pair for pair in found if pair[0].label == label] for label in ("reduced", "normal")]
        normal = min(count // 2, len(parts[1]))
        return [*parts[0][: count - normal], *parts[1][:normal]]

    def _scores(self, answer):
        def scores(scans):
            parts = [scans[k : k + _AT_ONCE] for k in range(0, len(scans), _AT_ONCE)]
            return np.concatenate([self.classifier.answers(part, basis=answer.basis)[1] for part in parts])

        return scores

    def _input(self, voxels):
        return self._batch(self.classifier.model.network_input(voxels, self.classifier.atlas))

    def _batch(self, image):
        import torch

        return torch.from_numpy(np.ascontiguousarray(image, np.float32))[None, None].to(self.classifier.device)
