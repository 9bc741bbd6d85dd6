"""The reference region's state: each thing that can be wrong with it is said, and nothing of a sound one."""

import numpy as np
import pytest

from DaTscanAILib.mni.atlas import GRID_SHAPE, load_atlas
from DaTscanAILib.quantification.reference_check import check_reference
from DaTscanAILib.quantification.scaling import Normalized

ATLAS = load_atlas()
EVERYWHERE = np.ones(GRID_SHAPE, bool)


def noisy_brain(seed=0):
    noise = 0.2 * np.random.default_rng(seed).standard_normal(GRID_SHAPE)
    image = np.maximum(ATLAS.brain * (1 + noise), 0.0).astype(np.float32)
    image[ATLAS.hottest_voxels_region("striatum", "left")] = 4.0
    return image


def state_of(image, covered=EVERYWHERE):
    return check_reference(Normalized(np.where(covered, image, 0).astype(np.float32), covered, 1.0))


def test_a_sound_region_has_no_warning():
    state = state_of(noisy_brain())
    assert state.warnings == ()
    assert state.coverage == 1
    assert state.hot == 0
    assert state.right_over_left == pytest.approx(0, abs=0.01)


def test_a_cut_field_of_view():
    covered = EVERYWHERE.copy()
    covered[:, :, 50:] = False
    state = state_of(noisy_brain(), covered)
    assert state.coverage < 0.7
    assert "holds only" in state.warnings[0]
    covered[:46] = False
    assert state_of(noisy_brain(), covered).right_over_left is None


def test_hot_glands():
    image = noisy_brain()
    image[20:34, 50:64, 5:20] = 6.0
    (warning,) = state_of(image).warnings
    assert "more than twice its level" in warning


def test_a_region_partly_outside_the_brain():
    """The published case: the background lies beside the brain."""
    moved = np.roll(noisy_brain(), 9, axis=1)
    warnings = " ".join(state_of(moved).warnings)
    assert "partly outside the brain" in warnings


@pytest.mark.parametrize(("axis", "words"), [(0, "right half has 15% more than its left"), (1, "front half has 15%")])
def test_halves_that_disagree(axis, words):
    image = noisy_brain()
    half = [slice(None)] * 3
    half[axis] = slice(46 if axis == 0 else 52, None)
    image[tuple(half)] *= 1.15
    (warning,) = state_of(image).warnings
    assert words in warning
