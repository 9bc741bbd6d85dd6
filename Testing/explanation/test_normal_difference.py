"""The difference from normal: numbers by hand, and the patient's sides."""

import numpy as np

from DaTscanAILib.explanation.normal_difference import difference_from_normal
from DaTscanAILib.explanation.reference import shipped_reference
from DaTscanAILib.mni.atlas import load_atlas, read_grid

MEAN = shipped_reference("normal").voxels
SPREAD = np.maximum(read_grid("fpcit_normal_spread_2mm.nii.gz").astype(np.float32) / 100, 0.08)


def test_two_spreads_less_are_minus_two():
    difference = difference_from_normal(MEAN - 2 * SPREAD, mirrored=False)
    brain = load_atlas().brain
    np.testing.assert_allclose(difference[brain], -2, rtol=1e-4)
    assert not difference[~brain].any()


def test_a_mirrored_patient_is_compared_with_the_mirrored_mean():
    assert not difference_from_normal(MEAN[::-1], mirrored=True).any()
    assert difference_from_normal(MEAN[::-1], mirrored=False).any()


def test_the_normal_striatum_spreads_more_than_the_cortex():
    """The shipped templates: striatal uptake varies by about 13 % between healthy persons, cortex by noise."""
    atlas = load_atlas()
    striatum = atlas.anatomical_region("striatum", "left")
    assert MEAN[striatum].mean() > 2.5
    assert SPREAD[striatum].mean() > 2 * SPREAD[atlas.reference].mean()
