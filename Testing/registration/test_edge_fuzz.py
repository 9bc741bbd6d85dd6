"""Bright planes at an edge, constant slabs, spikes: registration and quantification answer or refuse, never throw.

Planes ended in numpy's LinAlgError once. `python test_edge_fuzz.py FIRST COUNT` runs more trials.
"""

import sys
import warnings
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from DaTscanAILib.analysis import measure
from DaTscanAILib.base.errors import DaTscanError
from DaTscanAILib.base.resources import resource_path
from DaTscanAILib.reading.scan import Scan, checked_scan, read_scan
from DaTscanAILib.registration.parameters import PRIOR_MEAN, affine_from_parameters

KINDS = ("edge_planes", "slab", "spikes", "frame", "ramp")


@lru_cache(maxsize=1)
def small_head():
    """The bundled scan thinned to voxels of 7 mm, for speed; its greatest value 1."""
    scan = read_scan(resource_path("Samples", "reduced.dcm"))
    voxels = scan.voxels[24:-24:2, 24:-24:2, ::2]
    return voxels / voxels.max()


def background(random):
    """A head, noise or nothing."""
    kind = random.integers(4)
    if kind < 2:
        return small_head().astype(float)
    shape = random.integers(20, 40, 3)
    return random.random(shape) if kind == 2 else np.zeros(shape)


def edge_planes(voxels, random):
    for _ in range(random.integers(1, 4)):
        axis, width = random.integers(3), random.integers(1, 4)
        place = [slice(None)] * 3
        place[axis] = slice(0, width) if random.random() < 0.5 else slice(-width, None)
        voxels[tuple(place)] = 10 ** random.uniform(-2, 4)


def slab(voxels, random):
    axis, start = random.integers(3), random.integers(0, 15)
    place = (slice(None),) * axis + (slice(start, start + random.integers(1, 16)),)
    voxels[place] = random.choice([0.0, 1.0, 10 ** random.uniform(-3, 6), -0.01])


def spikes(voxels, random):
    for _ in range(random.integers(1, 6)):
        voxels[tuple(random.integers(0, voxels.shape))] = 10 ** random.uniform(0, 11)


def frame(voxels, random):
    level, width = 10 ** random.uniform(-2, 3), random.integers(1, 4)
    inner = np.zeros(voxels.shape, bool)
    inner[width:-width, width:-width] = True
    voxels[~inner] = level


def ramp(voxels, random):
    place = [None] * 3
    axis = random.integers(3)
    place[axis] = slice(None)
    voxels += random.choice([-0.3, 0.5, 30.0]) * np.linspace(0, 1, voxels.shape[axis])[tuple(place)]


MAKERS = dict(zip(KINDS, (edge_planes, slab, spikes, frame, ramp), strict=True))


def trial(seed):
    """The result of one image; None where it was refused with a sentence before anything was fitted."""
    random = np.random.default_rng([seed, 18])
    voxels = background(random)
    MAKERS[KINDS[seed % len(KINDS)]](voxels, random)
    spacing = np.diag([*np.broadcast_to(random.uniform(3, 8, random.choice([1, 3])), 3), 1.0])
    with np.errstate(over="ignore"):
        scan = Scan((voxels * 10 ** random.uniform(-3, 3)).astype(np.float32), spacing, Path("edge.nii"), "NIfTI")
    try:
        scan = checked_scan("edge.nii", scan)
    except DaTscanError:
        return None
    return measure(scan, "edge").result


def check(result):
    registration = result["registration"]
    assert np.isfinite(registration["scanner_from_mni_ras"]).all()
    assert 0 <= registration["quality"] <= 1
    assert registration["accepted"] or registration["reason"]
    assert not [key for key, value in registration["features"].items() if not np.isfinite(value)]


@pytest.mark.parametrize("seed", range(24))
def test_images_with_bright_edges_slabs_and_spikes_never_throw(seed):
    result = trial(seed)
    if result is not None:
        check(result)


def test_a_step_that_leads_nowhere_has_a_finite_affine():
    """Leaving out a part of the head may ask for a zoom of e^1000; numpy's overflow is an error in these tests."""
    affine = affine_from_parameters(PRIOR_MEAN + 1000.0)
    assert np.isfinite(affine).all()
    inside = affine_from_parameters(PRIOR_MEAN + np.array([*[0.0] * 6, 6.0, -6.0, 0, *[0.0] * 3]))
    np.testing.assert_allclose(np.diag(inside)[:2], 0.965 * np.exp([6.0, -6.0]))


if __name__ == "__main__":
    warnings.simplefilter("error", RuntimeWarning)
    first, count = map(int, sys.argv[1:])
    refused = answered = 0
    for number in range(first, first + count):
        try:
            outcome = trial(number)
            if outcome is not None:
                check(outcome)
                answered += outcome["registration"]["accepted"]
            refused += outcome is None or not outcome["registration"]["accepted"]
        except Exception as error:
            print(f"{number}: {type(error).__name__} {error}", flush=True)
        if (number - first) % 10 == 9 or number == first + count - 1:
            print(f"{number - first + 1} trials: {answered} accepted, {refused} refused", flush=True)
