"""Relevance maps of a model's networks, by the method asked for."""

import numpy as np

from ..base.errors import DaTscanError
from ..base.parallel import in_threads
from ..explanation.gradient_times_input import GradientTimesInput
from ..explanation.integrated_gradients import IntegratedGradients
from ..explanation.lrp import RelevancePropagator
from ..explanation.methods import GRADIENT_TIMES_INPUT, INTEGRATED_GRADIENTS, LRP, METHODS
from .evidence import OVERALL, contrast_of
from .grades import other_side
from .model_folder import Model
from .networks import ARCHITECTURES

_BLOCK = 4  # voxels: maps are compared as means over blocks of 8 mm


class RelevanceMaps:
    """What is needed for the maps of one model, made at first use.

    Args:
        model: with the reference.
        networks: its members on the device.
        reference: the reference's network input, a tensor `(1, 1, x, y, z)`.
    """

    def __init__(self, model: Model, networks: list, reference):
        self._model, self._networks, self._reference = model, networks, reference
        self._ready = {}

    def relevance(self, images: list, basis: str, method: str) -> np.ndarray:
        """Mean relevance of the members, float32 `(91, 109, 91)`, lower putamen left; a mirrored scan's turned back.

        Args:
            images: `[(weight, tensor (1, 1, x, y, z)), ...]`, the second one, if there is one, mirrored.
            basis: `overall` or the region whose score is explained.
            method: of `METHODS`, or for comparison `GRADIENT_TIMES_INPUT`.

        Raises:
            DaTscanError: there is no such method.
        """
        total = 0.0
        for number, (weight, image) in enumerate(images):
            maps = self._makers(basis, number == 1, method)
            together = in_threads if image.device.type == "cpu" else map
            members = together(lambda of_member, image=image: of_member(image), maps)
            relevance = sum(members).cpu().numpy() * np.float32(weight / len(maps))
            total = total + (relevance[::-1] if number else relevance)
        return self._model.preprocessing.restore(np.ascontiguousarray(total))

    def _makers(self, basis, mirrored, method):
        if method not in (*METHODS, GRADIENT_TIMES_INPUT):
            raise no_such_map(method)
        basis = other_side(basis) if mirrored and basis != OVERALL else basis
        if (basis, method) not in self._ready:
            outputs = self._networks[0][-1].out_features
            contrast = contrast_of(basis, outputs, self._model.rule)
            self._ready[basis, method] = [self._maker(network, contrast, method) for network in self._networks]
        return self._ready[basis, method]

    def _maker(self, network, contrast, method):
        """A function that makes the map of a network input."""
        if method == LRP:
            rules = ARCHITECTURES[self._model.architecture].relevance == "rules"
            propagator = (RelevancePropagator if rules else GradientTimesInput)(network, contrast)
            return lambda image: propagator.propagate(image)[1]
        gradients = IntegratedGradients(network, self._reference, contrast)
        return gradients.relevance if method == INTEGRATED_GRADIENTS else gradients.gradient_times_input


def no_such_map(method: str) -> DaTscanError:
    """The error for a method that is none of `METHODS`."""
    return DaTscanError(f"There is no map {method!r}: choose one of {', '.join(METHODS)}.")


def agreement(one: np.ndarray, other: np.ndarray, brain: np.ndarray) -> float | None:
    """Correlation of two maps inside the brain, as means over blocks of 8 mm; None where one of them is empty."""
    parts = []
    for relevance in (one, other):
        inside = np.where(brain, relevance, 0)
        whole = inside[tuple(slice(0, size - size % _BLOCK) for size in inside.shape)]
        shape = [part for size in whole.shape for part in (size // _BLOCK, _BLOCK)]
        parts.append(whole.reshape(shape).mean(axis=(1, 3, 5)).ravel())
    if min(part.std() for part in parts) == 0:
        return None
    return float(np.corrcoef(*parts)[0, 1])
