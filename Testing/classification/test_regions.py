"""Regional grades, atypical patterns, reasons of doubt, both orientations: the parts of an answer."""

import math
import shutil

import numpy as np
import pytest
import torch

from DaTscanAILib.base.errors import DaTscanError
from DaTscanAILib.classification.answer import Classifier
from DaTscanAILib.classification.answer_rule import AnswerRule, SbrRule
from DaTscanAILib.classification.atypical import atypical_patterns
from DaTscanAILib.classification.doubt import doubts
from DaTscanAILib.classification.evidence import read_evidence
from DaTscanAILib.classification.familiarity import FILE, TrainingFeatures, fit_training_features
from DaTscanAILib.classification.grades import GRADES, REGIONS, RegionRule, describe_grades, expected_loss, other_side
from DaTscanAILib.classification.model_folder import find_model, write_model
from DaTscanAILib.classification.networks import build_network
from DaTscanAILib.classification.orientation import mirrored_weight
from DaTscanAILib.classification.preprocessing import Preprocessing
from DaTscanAILib.mni.atlas import GRID_SHAPE
from DaTscanAILib.quantification.sbr import Quantification

HEADS = {"balanced": (0, 1), "sensitive": (2, 3), "specific": (4, 5)}
CUTS = (-3.0, -1.0, 1.0, 3.0)
REGION_RULES = {region: RegionRule(6 + k, 1.0, CUTS, -1.0) for k, region in enumerate(REGIONS)}
SBR = {"putamen_left": 2.0, "putamen_right": 2.2, "caudate_left": 3.0, "caudate_right": 3.0}


def rule(**changes):
    return AnswerRule(**{"heads": HEADS, "regions": REGION_RULES, **changes})


def logits_of(difference, members=5, **scores):
    """Every member says the same; regions without a score are normal (-6)."""
    regions = [scores.get(region, -6.0) for region in REGIONS]
    return np.array([[0, difference] * 3 + regions] * members, float)


def measured(asymmetry, mirrored=False, sbr=None):
    return Quantification(sbr or SBR, SBR, {"putamen": asymmetry, "caudate": 0.0}, {}, mirrored, 1.0)


def grades_of(**losses):
    """Probabilities with all weight on the grade of a loss; regions not named are normal."""
    edges = (0.2, 0.4, 0.6, 0.8)
    grades = {}
    for region in REGIONS:
        place = np.searchsorted(edges, losses.get(region, 0.0), side="right")
        grades[region] = np.eye(5)[place]
    return grades


def test_a_score_between_two_cuts_is_the_grade_between_them():
    one = RegionRule(0, 5.0, CUTS, -1.0)
    found = [int(one.probabilities(score).argmax()) for score in (-5, -2, 0, 2, 5)]
    assert found == [0, 1, 2, 3, 4]
    for score in np.linspace(-8, 8, 33):
        assert one.probabilities(score).sum() == pytest.approx(1)
        assert (one.probabilities(score) >= 0).all()
    losses = [expected_loss(one.probabilities(score)) for score in np.linspace(-8, 8, 33)]
    assert losses == sorted(losses)


def test_grades_have_names_and_probabilities():
    described = describe_grades(grades_of(caudate_left=0.9))
    assert described["caudate_left"]["grade"] == "almost missing"
    assert described["putamen_posterior_right"]["grade"] == "normal"
    assert list(described["caudate_left"]["probabilities"]) == list(GRADES)
    assert other_side("putamen_anterior_left") == "putamen_anterior_right"


PATTERNS = [
    ({}, None),
    # Parkinson's disease: early, one side; later; nearly everything gone.
    ({"putamen_posterior_left": 0.7, "putamen_anterior_left": 0.5, "caudate_left": 0.3}, None),
    (dict.fromkeys(REGIONS, 0.5) | {"putamen_posterior_left": 0.9, "putamen_posterior_right": 0.9}, None),
    (dict.fromkeys(REGIONS, 0.9), None),
    ({"caudate_right": 0.9}, "The caudate is worse than the putamen (right)"),
    ({"caudate_left": 0.9, "caudate_right": 0.7}, "The caudate is worse than the putamen (left and right)"),
    ({region: 0.9 for region in REGIONS if region.endswith("left")}, "The whole left striatum is lost"),
    (dict.fromkeys(REGIONS, 0.5), "lost evenly"),
    ({"putamen_anterior_left": 0.7}, "The anterior putamen is worse than the posterior (left)"),
]


@pytest.mark.parametrize(("losses", "sentence"), PATTERNS)
def test_atypical_patterns_are_said(losses, sentence):
    found = atypical_patterns(grades_of(**losses))
    assert (found == []) if sentence is None else (len(found) == 1 and sentence in found[0])


def test_a_lost_region_cannot_be_outvoted_by_the_whole():
    """The networks of 0.1.0 became surer of "normal" when a caudate was lost."""
    normal = read_evidence(logits_of(-4.0), rule())
    assert (normal.basis, normal.probability) == ("overall", pytest.approx(1 / (1 + math.exp(4))))
    lost = read_evidence(logits_of(-6.0, caudate_right=3.0), rule())
    assert lost.basis == "caudate_right"
    assert lost.probability == pytest.approx(1 / (1 + math.exp(-4)))  # score 3 beyond the cut at -1
    assert lost.overall_probability < normal.overall_probability


def reasons(logits, sbr=None, distance=None, **changes):
    one = rule(**changes)
    return [doubt.source for doubt in doubts(one, read_evidence(logits, one), sbr, distance, len(logits))]


def test_each_source_of_doubt_speaks_for_itself():
    sure_normal, sure_reduced = logits_of(-6.0), logits_of(6.0, putamen_posterior_left=3.0)
    assert reasons(sure_normal) == reasons(sure_reduced) == []
    assert reasons(logits_of(1.0), doubt=(0.1, 0.9), regions=None) == ["band"]
    disagreeing = sure_reduced.copy()
    disagreeing[:, 5] = -1
    assert reasons(disagreeing) == ["votes"]
    assert reasons(sure_normal, distance=3.1, unlike_cut=3.0) == ["unlike"]
    assert reasons(sure_normal, distance=2.9, unlike_cut=3.0) == []
    assert reasons(logits_of(-6.0, caudate_left=5.0)) == ["regions"]
    assert reasons(logits_of(6.0)) == ["regions"]


def test_an_answer_against_the_sbr_is_doubted():
    limits = SbrRule(putamen=2.0, caudate=3.0, least_of_normal=0.6, most_of_reduced=0.8)
    low = {**SBR, "caudate_left": 1.5}
    assert limits.share(low) == pytest.approx(0.5)
    assert limits.share({**SBR, "caudate_left": None}) is None
    assert reasons(logits_of(-6.0), low) == []
    one = rule(sbr=limits)
    found = [
        [doubt.source for doubt in doubts(one, read_evidence(logits, one), sbr, None, 5)]
        for logits, sbr in (
            (logits_of(-6.0), low),
            (logits_of(-6.0), SBR),
            (logits_of(6.0, caudate_left=3.0), low),
            (logits_of(6.0, caudate_left=3.0), SBR),
        )
    ]
    assert found == [["sbr"], [], [], ["sbr"]]


def test_the_mirrored_scan_has_half_the_weight_between_equal_sides():
    assert mirrored_weight(0.0) == pytest.approx(0.5)
    assert mirrored_weight(7.0) == pytest.approx(0.25)
    assert mirrored_weight(14.0) == mirrored_weight(60.0) == mirrored_weight(None) == 0.0
    weights = [mirrored_weight(asymmetry) for asymmetry in np.linspace(0, 20, 201)]
    assert max(-np.diff(weights)) < 0.006  # no jump anywhere


@pytest.fixture(scope="module")
def one_sided(tmp_path_factory):
    """Two networks of random weights with regions: what a scan shows on one side counts otherwise on the other."""
    torch.manual_seed(5)
    networks = [build_network("compact-regional") for _ in range(2)]
    folder = tmp_path_factory.mktemp("models") / "one_sided"
    features = TrainingFeatures(np.zeros(48, np.float32), np.eye(48, dtype=np.float32))
    limits = {"unlike_cut": 1e5, "sbr": SbrRule(2.0, 3.0, 0.4, 0.9), "relevance_band": (-1e-3, 2e-3)}
    settings = (Preprocessing(), rule(**limits), "Nothing.")
    model = write_model(folder, "compact-regional", networks, *settings, training_features=features)
    return Classifier(model, "cpu")


@pytest.fixture(scope="module")
def scan():
    return np.random.default_rng(0).gamma(2.0, 0.5, GRID_SHAPE).astype(np.float32)


def test_a_model_with_regions_is_read_back(one_sided):
    again = find_model(one_sided.model.folder)
    assert again.rule == one_sided.model.rule
    assert again.training_features == one_sided.model.training_features
    assert again.load_training_features().mean.shape == (48,)


def test_the_answer_does_not_jump_where_the_sides_change(one_sided, scan):
    """Equal putamina: whichever is called the lower one, answer, grades and map are the same."""
    turned = np.ascontiguousarray(scan[::-1])
    first = one_sided.classify(scan, measured(0.0))
    second = one_sided.classify(turned, measured(0.0, mirrored=True))
    assert first.mirrored_weight == 0.5
    assert first.probability_reduced == pytest.approx(second.probability_reduced, abs=1e-6)
    for region in REGIONS:
        np.testing.assert_allclose(first.grades[region], second.grades[region], atol=1e-6)
    np.testing.assert_allclose(first.relevance, second.relevance[::-1], atol=1e-6)
    asymmetric = [one_sided.classify(image, measured(30.0)).logit_difference for image in (scan, turned)]
    assert abs(asymmetric[0] - asymmetric[1]) > 1e-3
    assert first.logit_difference == pytest.approx(np.mean(asymmetric), abs=1e-5)


def test_grades_carry_the_sides_of_the_patient(one_sided, scan):
    as_seen = one_sided.classify(scan, measured(30.0))
    of_mirrored = one_sided.classify(scan, measured(30.0, mirrored=True))
    for region in REGIONS:
        np.testing.assert_array_equal(as_seen.grades[region], of_mirrored.grades[other_side(region)])
    assert as_seen.basis == of_mirrored.basis or other_side(as_seen.basis) == of_mirrored.basis


def test_relevance_sums_to_what_the_probability_rests_on(one_sided, scan):
    """By how much the winner, a region's score or the logits' difference, is more than the reference's."""
    answer = one_sided.classify(scan)
    pair = [scan, one_sided.model.reference.voxels]
    of_scan, of_reference = one_sided.answers(pair, basis=answer.basis)[1]
    assert abs(of_scan - of_reference) > 1e-3
    error = answer.relevance.sum(dtype=np.float64) - (of_scan - of_reference)
    assert abs(error) < 0.05 * np.abs(answer.relevance).sum(dtype=np.float64)


def test_the_distance_from_the_training_scans_is_mahalanobis():
    random = np.random.default_rng(1)
    mixing = np.linalg.qr(random.normal(size=(6, 6)))[0] * np.array([1, 2, 5, 1, 3, 10])
    seen = random.normal(size=(4000, 6)) @ mixing + 3
    found = fit_training_features(seen)
    distances = found.distance(seen)
    assert np.sqrt((distances**2).mean()) == pytest.approx(1.0, abs=0.03)
    centered = seen[:5] - seen.mean(axis=0)
    by_hand = np.sqrt(np.einsum("ij,jk,ik->i", centered, np.linalg.inv(np.cov(seen.T)), centered) / 6)
    np.testing.assert_allclose(distances[:5], by_hand, rtol=0.03)
    assert found.distance(seen[0] + 50 * mixing[0]) > 10


def test_an_altered_file_of_training_features_is_refused(one_sided, tmp_path):
    folder = shutil.copytree(one_sided.model.folder, tmp_path / "altered")
    content = bytearray((folder / FILE).read_bytes())
    content[-1] ^= 1
    (folder / FILE).write_bytes(content)
    with pytest.raises(DaTscanError, match="checksum"):
        find_model(folder).load_training_features()
