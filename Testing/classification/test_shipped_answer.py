"""The shipped model: fading any region of the striatum never makes a scan more normal, and never surely normal."""

from functools import lru_cache

import numpy as np
import pytest

from DaTscanAILib.analysis import measure
from DaTscanAILib.base.resources import resource_path
from DaTscanAILib.classification.answer import Classifier
from DaTscanAILib.classification.grades import REGIONS
from DaTscanAILib.classification.model_folder import find_model
from DaTscanAILib.mni.atlas import GRID_SHAPE, load_atlas
from DaTscanAILib.quantification.mirroring import ipsilateral_left
from DaTscanAILib.quantification.sbr import quantify
from DaTscanAILib.quantification.scaling import Normalized
from DaTscanAILib.reading.scan import read_scan
from DaTscanAILib.training.lesions import fade

TOLERANCE = 0.02  # of the probability: what a fading may lower it by
SHARES = (0.0, 0.3, 0.6, 0.9)

pytestmark = pytest.mark.skipif(
    find_model().rule.regions is None, reason="the shipped model does not grade regions yet"
)


@lru_cache(maxsize=1)
def classifier():
    return Classifier(find_model(), "cpu")


@lru_cache(maxsize=2)
def normalized(sample):
    return measure(read_scan(resource_path("Samples", f"{sample}.dcm")), sample).normalized


def answer(sample, region, lost):
    """The classification of a sample whose region has lost a share of its specific binding."""
    return classified(fade(normalized(sample), {region: lost}))


def classified(voxels):
    quantification = quantify(Normalized(voxels, np.ones(GRID_SHAPE, bool), 1.0), load_atlas())
    left = ipsilateral_left(voxels, quantification.mirrored)
    return classifier().classify(left, quantification, with_relevance=False)


@pytest.mark.parametrize("sample", ["normal", "reduced"])
@pytest.mark.parametrize("region", REGIONS)
def test_fading_a_region_never_makes_a_scan_more_normal(sample, region):
    probabilities = [answer(sample, region, lost).probability_reduced for lost in SHARES]
    assert (np.diff(probabilities) >= -TOLERANCE).all(), probabilities


@pytest.mark.parametrize("region", REGIONS)
def test_a_region_nearly_lost_is_never_surely_normal(region):
    assert answer("normal", region, 0.0).label == "normal"
    assert answer("normal", region, 0.9).label != "normal"


def test_both_caudates_lost_are_never_surely_normal():
    found = classified(fade(normalized("normal"), {"caudate_left": 0.9, "caudate_right": 0.9}))
    assert found.label != "normal"


def test_the_samples_are_read_as_labelled_without_a_word_of_atypical_patterns():
    for sample in ("normal", "reduced"):
        found = answer(sample, REGIONS[0], 0.0)
        assert found.label == sample
        assert found.atypical == ()
