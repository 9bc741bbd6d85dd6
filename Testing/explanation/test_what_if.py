"""What if a region were normal: regions, replacement, moves of a score that is known, and the check of a map."""

import numpy as np
import pytest

from DaTscanAILib.explanation.regions import (
    PARTS,
    STRIATUM,
    extrastriatal_regions,
    relevance_sum,
    striatal_outlines,
    striatal_regions,
)
from DaTscanAILib.explanation.what_if import check_map, describe_what_if, healed, used_extrastriatal, what_if
from DaTscanAILib.mni.atlas import GRID_SHAPE, VOXEL_VOLUME_ML, load_atlas

CENTERS_MM = {  # of AAL's outlines, left side
    "caudate": (-12, 11, 9),
    "putamen_anterior": (-24, 9, 2),
    "putamen_posterior": (-28, -7, 4),
}


def region(name, side="left"):
    return next(
        one for one in (*striatal_regions(), *extrastriatal_regions()) if (one.name, one.side) == (name, side)
    )


def whole(one):
    weight = np.zeros(GRID_SHAPE, np.float32)
    weight[one.place] = one.weight
    return weight


@pytest.mark.parametrize("name", CENTERS_MM)
def test_regions_lie_where_the_nuclei_are(name):
    for side, sign in (("left", 1), ("right", -1)):
        center = np.argwhere(striatal_outlines(side)[name]).mean(axis=0) * 2 - (90, 126, 72)
        np.testing.assert_allclose(center * (sign, 1, 1), CENTERS_MM[name], atol=3.5)


def test_the_parts_make_up_caudate_and_putamen():
    """AAL's putamen has 7.97 ml on the left and 8.50 ml on the right (measured on the 1-mm atlas)."""
    for side, millilitres in (("left", 7.97), ("right", 8.50)):
        outlines = striatal_outlines(side)
        putamen = load_atlas().anatomical_region("putamen", side)
        np.testing.assert_array_equal(outlines["putamen_anterior"] ^ outlines["putamen_posterior"], putamen)
        assert putamen.sum() * VOXEL_VOLUME_ML == pytest.approx(millilitres, rel=0.06)
        assert all((outlines[STRIATUM] >= outlines[part]).all() for part in PARTS)


def test_weights_are_one_inside_and_fade_out():
    for one in (*striatal_regions(), *extrastriatal_regions()):
        weight = whole(one)
        assert weight.min() >= 0
        assert weight.max() <= 1
        if one.name in PARTS:
            assert weight[one.outline].min() > 0.9


def test_what_lies_outside_leaves_the_striatum_alone():
    for one in extrastriatal_regions():
        for side in ("left", "right"):
            assert whole(one)[striatal_outlines(side)["putamen_posterior"]].max() < 0.03


def test_healing_puts_normal_uptake_in_one_region_only():
    scan, normal = np.ones(GRID_SHAPE, np.float32), np.full(GRID_SHAPE, 4, np.float32)
    one = region("putamen_posterior")
    result = healed(scan, normal, one)
    np.testing.assert_allclose(result, 1 + 3 * whole(one), rtol=1e-6)
    assert (scan == 1).all()


def known_answers(place, slope=0.1):
    """A model whose score is the mean loss in one outline; its probability of reduced is the logistic function."""

    def answers(scans):
        scores = np.array([10 * (4 - scan[place].mean()) - 5 for scan in scans])
        return 1 / (1 + np.exp(-scores)), scores

    return answers


def test_replacing_the_one_region_that_counts_moves_the_score_by_its_loss():
    """Uptake 1 of 4 in the left posterior putamen, a score of 10 x loss: healing it takes the score from 25 to -5."""
    normal = np.full(GRID_SHAPE, 4, np.float32)
    scan, place = normal.copy(), striatal_outlines("left")["putamen_posterior"]
    scan[place] = 1
    relevance = np.zeros(GRID_SHAPE, np.float32)
    relevance[place] = 30 / place.sum()
    found = what_if(scan, normal, relevance, known_answers(place))
    by_name = {(one.region.name, one.region.side): one for one in found}
    assert by_name["putamen_posterior", "left"].move == pytest.approx(-30, rel=0.03)
    assert by_name[STRIATUM, "left"].move == pytest.approx(-30, rel=0.03)
    assert by_name["caudate", "right"].move == 0
    assert by_name["putamen_posterior", "left"].relevance == pytest.approx(30, rel=0.03)
    fits, marked, moving = check_map(found)
    assert fits
    assert (marked.region.name, moving.region.side) == ("putamen_posterior", "left")


def test_a_map_that_marks_another_region_is_found_out():
    normal = np.full(GRID_SHAPE, 4, np.float32)
    scan, place = normal.copy(), striatal_outlines("left")["putamen_posterior"]
    scan[place] = 1
    relevance = np.zeros(GRID_SHAPE, np.float32)
    relevance[striatal_outlines("right")["caudate"]] = 0.01
    fits, marked, moving = check_map(what_if(scan, normal, relevance, known_answers(place)))
    assert not fits
    assert (marked.region.name, marked.region.side) == ("caudate", "right")
    assert (moving.region.name, moving.region.side) == ("putamen_posterior", "left")


def test_the_right_place_with_the_wrong_sign_does_not_fit():
    normal = np.full(GRID_SHAPE, 4, np.float32)
    scan, place = normal.copy(), striatal_outlines("left")["putamen_posterior"]
    scan[place] = 1
    relevance = np.where(place, -0.1, 0).astype(np.float32)
    assert not check_map(what_if(scan, normal, relevance, known_answers(place)))[0]


def test_a_normal_scan_with_an_empty_map_has_nothing_against_it():
    normal = np.full(GRID_SHAPE, 4, np.float32)
    place = striatal_outlines("left")["putamen_posterior"]
    assert check_map(what_if(normal, normal, np.zeros(GRID_SHAPE, np.float32), known_answers(place)))[0]


def test_only_regions_outside_that_the_map_uses_are_asked_about():
    relevance = np.zeros(GRID_SHAPE, np.float32)
    relevance[striatal_outlines("left")["putamen_posterior"]] = 1
    assert used_extrastriatal(relevance) == []
    relevance[load_atlas().labels == 43] = -1  # calcarine fissure
    assert [one.name for one in used_extrastriatal(relevance)] == ["occipital"]


def test_a_mirrored_scan_is_described_in_the_patients_sides():
    normal = np.full(GRID_SHAPE, 4, np.float32)
    place = striatal_outlines("left")["caudate"]
    found = what_if(normal, normal, np.zeros(GRID_SHAPE, np.float32), known_answers(place))
    described = describe_what_if(found, True, lambda probability: "normal")
    assert [(one["region"], one["side"]) for one in described[:4]] == [(name, "right") for name in (*PARTS, STRIATUM)]
    assert described[0]["change"] == 0
    assert described[0]["answer"] == "normal"


def test_relevance_is_summed_with_the_weights_of_the_replacement():
    one = region("caudate")
    assert relevance_sum(np.ones(GRID_SHAPE), one) == pytest.approx(float(one.weight.sum()), rel=1e-6)
