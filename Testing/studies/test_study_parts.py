"""Parts of the studies against oracles, brute force and published numbers."""

import itertools

import numpy as np
import pytest
import torch
from scipy import ndimage, spatial, stats
from sklearn.metrics import roc_auc_score, roc_curve
from study_factory import synthetic_scan

from DaTscanAILib.base.errors import DaTscanError
from DaTscanAILib.classification.networks import build_network, count_parameters
from DaTscanAILib.evaluation.figures import roc_points
from DaTscanAILib.evaluation.metrics import roc_auc, youden_cutoff
from DaTscanAILib.mni.atlas import GRID_SHAPE, load_atlas
from DaTscanAILib.reading.inputs import Case
from DaTscanAILib.studies import (
    extrastriatal_search,
    kim2018,
    nazari2021_extrastriatal,
    nazari2021_lrp,
    quan2019,
    wenzel2019,
    wenzel_samples,
)
from DaTscanAILib.studies.clusters import (
    adjusted_difference,
    compare_classes,
    find_clusters,
    regional_uptake,
    spill_shells,
)
from DaTscanAILib.studies.figures import CURVE_POINTS, roc_band
from DaTscanAILib.studies.group_maps import heat_threshold, outside_striatum
from DaTscanAILib.studies.heads import train_dense_head, train_top_layer
from DaTscanAILib.studies.kim_training import labelled_features
from DaTscanAILib.studies.linear_control import block_means, linear_scores, regions_without_box
from DaTscanAILib.studies.picture_augmentation import KIM_COPIES, kim_copies, quan_copies
from DaTscanAILib.studies.slices import axial_picture, chosen_slice, random_slice, representative_slice
from DaTscanAILib.studies.splits import (
    age_differences,
    allot,
    analysis_of_variance,
    balanced,
    best_for_age,
    papers_classes,
)
from DaTscanAILib.training.plans import PLANS
from DaTscanAILib.training.preparation import Prepared


@pytest.fixture
def random():
    return np.random.default_rng(17)


# ---- networks


def test_the_studies_train_the_networks_of_the_published_sizes():
    published = {"nazari2021-full": 235_582_786, "nazari2021-striatum": 24_070_466, "wenzel2019": 2_872_642}
    for name, count in published.items():
        assert count_parameters(build_network(name, initialize=False), with_statistics=True) == count
    names = [name for name, *_ in nazari2021_extrastriatal.SETTINGS.values()]
    assert names == ["nazari2021-full", "nazari2021-striatum", "nazari2021-without-striatum"]
    assert PLANS["nazari2021-without-striatum"].preprocessing.box == "without_striatum"
    assert PLANS["nazari2021-without-striatum"].epochs == nazari2021_extrastriatal.FULL.epochs_without_striatum == 200
    for name in names:  # Adam 1e-4, batches of 8, no augmentation, no class weights
        plan = PLANS[name]
        assert (plan.learning_rate, plan.batch_size, plan.copies, plan.head_weights) == (1e-4, 8, 0, ((1.0, 1.0),))


# ---- splits


@pytest.mark.parametrize("shares", [wenzel2019.SHARES, nazari2021_lrp.SHARES, nazari2021_extrastriatal.SHARES])
def test_sets_have_their_sizes_and_every_stratum_its_share(random, shares):
    strata = [
        (label, sex)
        for label, sex, count in (("n", "F", 61), ("n", "M", 17), ("r", "F", 40), ("r", "M", 96))
        for _ in range(count)
    ]
    sets = allot(strata, shares, random)
    assert set(sets) == {0, 1, 2}  # one number a scan: the sets are disjoint and complete
    for number, share in enumerate(shares):
        assert abs((sets == number).sum() - share * len(strata)) < 1
        for stratum in set(strata):
            of_stratum = np.array([one == stratum for one in strata])
            assert abs((sets == number)[of_stratum].sum() - share * of_stratum.sum()) < 2


def test_the_same_seed_gives_the_same_split_and_another_a_different_one():
    strata = ["n", "r"] * 50
    first, same, other = (allot(strata, (0.6, 0.2, 0.2), np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)


def test_balance_drops_scans_of_the_larger_class_only(random):
    truth = np.repeat([True, False], [70, 45])
    kept = balanced(truth, random)
    assert (kept & truth).sum() == (kept & ~truth).sum() == 45
    assert not np.array_equal(kept, balanced(truth, random))  # at random


def test_the_best_of_many_splits_for_age_is_the_best(random):
    strata, ages = ["n", "r"] * 40, list(random.normal(67, 11, 80))
    shares = (0.6, 0.2, 0.2)
    chosen = best_for_age(strata, ages, shares, np.random.default_rng(3), tries=50)
    same_draws, years = np.random.default_rng(3), np.array(ages)

    def spread(sets):
        classes = np.array(strata)
        return max(
            np.ptp([years[(sets == number) & (classes == name)].mean() for number in range(3)]) for name in ("n", "r")
        )

    spreads = [spread(allot(strata, shares, same_draws)) for _ in range(50)]
    assert spread(chosen) == min(spreads) < np.median(spreads) / 2


def test_ages_are_balanced_within_the_subgroups_not_overall():
    """Two sets of equal mean age whose classes differ by ten years are not balanced."""
    strata, ages = ["n", "n", "r", "r"], [60.0, 70.0, 70.0, 60.0]
    assert age_differences(strata, ages, np.array([0, 1, 0, 1])) == {"n": 10.0, "r": 10.0}
    assert age_differences(strata, [60, 60, None, 80], np.array([0, 1, 0, 1])) == {"n": 0.0, "r": 0.0}


def test_the_analysis_of_variance_against_its_sums_of_squares(random):
    sets, values = np.repeat([0, 1, 2], [30, 12, 18]), random.normal(67, 11, 60)
    values[sets == 1] += 8
    found = analysis_of_variance([None, *values[1:]], sets)
    known = np.arange(60) > 0
    groups = [values[known & (sets == k)] for k in range(3)]
    between = sum(len(one) * (one.mean() - values[known].mean()) ** 2 for one in groups) / 2
    within = sum(((one - one.mean()) ** 2).sum() for one in groups) / (59 - 3)
    assert found["means"] == pytest.approx([one.mean() for one in groups])
    assert found["f"] == pytest.approx(between / within)
    assert found["p"] == pytest.approx(stats.f.sf(between / within, 2, 56))
    assert analysis_of_variance([1.0] * 60, sets)["p"] is None  # all of one class: nothing to compare


def test_inconclusive_scans_have_no_part_in_kims_study():
    truth, left_out = np.repeat([True, False], [90, 70]), np.zeros(160, bool)
    left_out[[3, 40, 150]] = True
    roles = kim2018.divide(truth, 0, left_out)
    assert np.flatnonzero(roles == "inconclusive").tolist() == [3, 40, 150]
    assert (roles == "test").sum() == round(157 * 45 / 153)


def test_kims_threshold_is_of_the_probability_of_normal():
    truth, score = np.array([True, True, False, False]), np.array([0.9, 0.7, 0.5, 0.1])
    found = kim2018.evaluate(truth, score)
    assert found["threshold_on_normal"] == pytest.approx(0.4)
    assert np.array_equal(1 - score <= found["threshold_on_normal"], truth)


def test_a_papers_sample_has_its_numbers_or_its_shares():
    papers = (quan2019.PAPER_REDUCED, quan2019.PAPER_NORMAL)
    truth = np.repeat([True, False], [300, 500])
    used = papers_classes(truth, *papers, 0, True)
    assert truth[used].sum() == 300
    assert (~truth[used]).sum() == round(300 / 449 * 210)
    assert np.array_equal(papers_classes(truth, *papers, 0, False), np.arange(800))  # too few reduced ones: all
    large = np.repeat([True, False], [900, 900])
    for shares in (False, True):
        assert papers_classes(large, *papers, 0, shares).size == 659
    used = papers_classes(large, wenzel_samples.PAPER_REDUCED, wenzel_samples.PAPER_NORMAL, 0, False)
    assert (large[used].sum(), (~large[used]).sum()) == (438, 207)


def test_a_random_slice_passes_through_both_striata(random):
    atlas = load_atlas()
    chosen = {random_slice(random, atlas) for _ in range(400)}
    striatum = np.isin(atlas.regions, (1, 2, 3, 4))
    assert len(chosen) > 15
    assert all(striatum[:45, :, index].any() and striatum[46:, :, index].any() for index in chosen)


def test_kims_roles_are_of_the_papers_numbers_where_there_are_enough_scans():
    truth = np.repeat([True, False], [82, 72])  # 81 and 72 are the paper's, one is inconclusive here
    left_out = np.arange(154) == 5
    roles = kim2018.divide(truth, 0, left_out)
    assert [((roles == "test") & one).sum() for one in (truth, ~truth)] == [27, 18]
    learned = np.isin(roles, ["training", "validation", "internal test"])
    assert [(learned & one).sum() for one in (truth, ~truth)] == [54, 54]
    assert (roles == "excluded").sum() == 0
    assert (kim2018.divide(np.repeat([True, False], [300, 400]), 0) == "excluded").sum() == 700 - 153


def test_kims_roles_are_disjoint_balanced_and_of_the_papers_shares():
    truth = np.repeat([True, False], [150, 70])
    roles = kim2018.divide(truth, seed=0)
    assert (roles == "test").sum() == round(220 * 45 / 153)
    learned = np.isin(roles, ["training", "validation", "internal test"])
    assert (learned & truth).sum() == (learned & ~truth).sum()
    parts = [(roles == name).sum() / learned.sum() for name in ("training", "validation", "internal test")]
    assert np.allclose(parts, (0.8, 0.1, 0.1), atol=0.01)
    assert (roles == "excluded").sum() == 220 - learned.sum() - (roles == "test").sum() > 0


# ---- cut-offs and curves


def test_youden_cutoff_against_brute_force(random):
    for _ in range(20):
        truth = random.random(40) < 0.5
        score = np.round(random.normal(truth, 1.0), 1)  # with ties
        cut = youden_cutoff(truth, score)
        every_cut = [*(np.unique(score) - 0.05), score.max() + 1]

        def index(value, truth=truth, score=score):
            return (score >= value)[truth].mean() - (score >= value)[~truth].mean()

        assert index(cut) == pytest.approx(max(map(index, every_cut)))


def test_area_and_curve_against_scikit_learn(random):
    truth = random.random(80) < 0.4
    score = np.round(random.normal(truth, 1.0), 1)
    assert roc_auc(truth, score).value == pytest.approx(roc_auc_score(truth, score))
    rest, sensitivity, _ = roc_curve(truth, score, drop_intermediate=False)
    assert np.allclose(roc_points(truth, score), (rest, sensitivity))
    low, high = roc_band(truth, score, draws=300, seed=0)
    curve = np.interp(CURVE_POINTS, rest, sensitivity)
    assert np.all(low <= curve + 0.1)
    assert np.all(high >= curve - 0.1)
    assert 0.05 < (high - low)[10:60].mean() < 0.5


# ---- pictures


def test_44_fold_augmentation_gives_44_different_pictures_half_of_them_flipped(random):
    picture = random.integers(0, 255, (109, 91)).astype(np.uint8)
    copies = kim_copies(picture, seed=5)
    assert copies.shape == (KIM_COPIES, 109, 91) == (44, 109, 91)
    assert np.array_equal(copies[0], picture)
    assert np.array_equal(copies[22:], copies[:22, :, ::-1])
    for one, other in itertools.combinations(copies, 2):
        assert np.abs(one - other).max() > 1
    assert np.array_equal(copies, kim_copies(picture, seed=5))
    assert not np.array_equal(copies[1], kim_copies(picture, seed=6)[1])


def test_every_copy_carries_the_label_of_its_scan():
    features = {scan: np.full((44, 3), scan, np.float32) for scan in (2, 5, 7)}
    truth = np.array([0, 0, 1, 0, 0, 0, 0, 1], bool)
    stacked, labels = labelled_features(features, truth, np.array([2, 5, 7]))
    assert len(stacked) == len(labels) == 132
    assert np.array_equal(labels, stacked[:, 0] != 5)


def test_colored_copies_keep_the_three_slices_together(random):
    image = random.integers(0, 200, (3, 40, 30)).astype(np.uint8)
    image[1] = image[0]
    copies = quan_copies(image, seed=1, copies=5)
    assert np.array_equal(copies[0], image)
    assert all(np.array_equal(one[0], one[1]) for one in copies)
    assert len({one.tobytes() for one in copies}) == 5


def test_the_slice_with_most_striatal_uptake_is_chosen():
    atlas = load_atlas()
    voxels = np.ones(GRID_SHAPE, np.float32)
    voxels[(atlas.regions == 3) & (np.arange(91) == 38)[None, None]] = 4.0
    voxels[:, :, 60] = 9.0  # hot, but outside the striatum
    assert representative_slice(voxels, atlas) == 38
    one = Prepared(Case("a", None, other={}), None, {})
    assert chosen_slice(one, voxels, atlas) == 38


def test_a_slice_chosen_by_hand_wins_and_a_wrong_one_is_refused():
    atlas, voxels = load_atlas(), np.ones(GRID_SHAPE, np.float32)
    assert chosen_slice(Prepared(Case("a", None, other={"slice_z": "4,0"}), None, {}), voxels, atlas) == 38
    for text in ("high", "200", "inf"):
        with pytest.raises(DaTscanError, match=r"a: slice_z .* mm"):
            chosen_slice(Prepared(Case("a", None, other={"slice_z": text}), None, {}), voxels, atlas)


def test_blocks_of_pixels_are_means_of_what_lies_whole_in_the_picture(random):
    picture = random.integers(0, 256, (3, 109, 91)).astype(np.uint8)
    means = block_means([picture, 255 - picture])
    assert means.shape == (2, 3 * 27 * 22)
    assert means[0, 0] == picture[0, :4, :4].mean()
    assert means[0, 27 * 22 + 22] == picture[1, 4:8, :4].mean()  # the second color's second row of blocks
    assert means.mean() == pytest.approx(127.5)


def test_pixels_alone_tell_pictures_apart_that_differ_and_no_others(random):
    """Noise of 20 with a spot of 30 in the reduced ones; without the spot the answer is chance."""
    truth = np.arange(120) % 2 == 1
    noise = random.normal(100, 20, (120, 40, 40))
    spot = np.zeros((40, 40))
    spot[8:16, 8:16] = 30
    with_spot = np.clip(noise + truth[:, None, None] * spot, 0, 255).astype(np.uint8)
    areas = [
        roc_auc_score(truth[60:], linear_scores(means[:60], truth[:60], means[60:]))
        for means in (block_means(pictures) for pictures in (with_spot, np.clip(noise, 0, 255).astype(np.uint8)))
    ]
    assert areas[0] > 0.99
    assert 0.3 < areas[1] < 0.7


def test_regions_outside_the_box_hold_nothing_of_what_the_network_is_not_shown():
    atlas = load_atlas()
    shown = PLANS["nazari2021-without-striatum"].preprocessing
    regions = regions_without_box(atlas)
    places = np.concatenate(regions)
    assert len(np.unique(places)) == len(places)  # no voxel twice
    assert min(map(len, regions)) >= 50
    level = np.ones(GRID_SHAPE, np.float32)
    bright = level.copy()
    bright.reshape(-1)[places] = 2.0
    assert (shown.apply(bright, atlas, level) != 0).sum() == len(places)


def test_pictures_show_the_patients_right_on_the_left_and_the_front_above():
    voxels = np.zeros(GRID_SHAPE, np.float32)
    voxels[80, 100, 40] = 2.5  # right, front
    picture = axial_picture(voxels, 40)
    assert picture.shape == (109, 91)
    assert np.argwhere(picture).tolist() == [[8, 10]]
    assert picture.max() == 128  # the middle of 0 to 5


# ---- heads


def test_the_top_layer_learns_what_is_separable(random):
    truth = np.arange(200) % 2 == 1
    features = random.random((200, 2048)).astype(np.float32)
    features[truth, :50] += 1.0
    layer, curve = train_top_layer((features[:160], truth[:160]), (features[160:], truth[160:]), 300, 0.01, 100, 0)
    assert curve["validation_accuracy"][-1] == 1.0
    assert curve["iteration"] == [100, 200, 300]
    again, _ = train_top_layer((features[:160], truth[:160]), (features[160:], truth[160:]), 300, 0.01, 100, 0)
    assert torch.equal(layer.weight, again.weight)


def test_the_dense_head_learns_and_its_rate_ends_at_a_millionth(random, monkeypatch):
    truth = np.arange(64) % 2 == 1
    features = random.random((64, 2, 2048)).astype(np.float32)
    features[truth, :, :200] += 1.0
    rates = []
    step = torch.optim.Adam.step

    def recorded(self, *arguments, **options):
        rates.append(self.param_groups[0]["lr"])
        return step(self, *arguments, **options)

    monkeypatch.setattr(torch.optim.Adam, "step", recorded)
    _, curve = train_dense_head((features[:48], truth[:48]), (features[48:, 0], truth[48:]), 8, 16, 0)
    assert curve["validation_loss"][-1] < 0.2
    assert np.allclose(sorted(set(rates), reverse=True), [1e-3, 1e-4, 1e-5, 1e-6])


# ---- clusters


def test_a_hot_spot_in_the_insula_is_one_cluster_with_its_name():
    atlas = load_atlas()
    outside = outside_striatum(atlas)
    heat = np.random.default_rng(0).random(GRID_SHAPE) * 0.1
    insula, _ = ndimage.label((atlas.labels == 30) & outside)
    insula = insula == np.bincount(insula.ravel())[1:].argmax() + 1  # the region's edges fall apart
    heat[insula] += 1.0
    (found,) = find_clusters(heat, outside, 0.5, atlas)
    assert found.name == "Insula, contralateral"
    assert np.array_equal(found.mask, insula)
    assert found.volume_ml == pytest.approx(insula.sum() * 0.008)
    x, y, z = found.peak
    assert insula[round((x + 90) / 2), round((y + 126) / 2), round((z + 72) / 2)]


def test_a_cluster_over_two_regions_is_divided_and_the_striatum_is_left_out():
    atlas = load_atlas()
    heat = np.isin(atlas.labels, (29, 17, 73)).astype(float)  # insula, rolandic operculum, putamen
    names = {one.region for one in find_clusters(heat, outside_striatum(atlas), 0.5, atlas)}
    assert names == {"Insula", "Rolandic_Oper"}


def test_the_threshold_leaves_a_twentieth_of_the_brain_outside_the_striatum():
    atlas = load_atlas()
    heat = np.random.default_rng(0).random(GRID_SHAPE)
    heat[atlas.regions == 3] = 5.0
    above = heat[outside_striatum(atlas)] > heat_threshold(heat, atlas)
    assert above.mean() == pytest.approx(0.05, abs=1e-4)


def test_the_adjusted_difference_without_covariates_is_that_of_the_means(random):
    values, truth = random.normal(0, 1, 50), np.arange(50) < 20
    difference, error, p = adjusted_difference(values, truth, np.zeros((50, 0)))
    assert difference == pytest.approx(values[truth].mean() - values[~truth].mean())
    # White's estimator HC3 of two means, in closed form
    assert error == pytest.approx(np.sqrt(values[truth].var(ddof=1) / 19 + values[~truth].var(ddof=1) / 29))
    assert p == pytest.approx(2 * stats.t.sf(abs(difference) / error, 48))


def test_the_adjusted_difference_is_free_of_what_covariates_explain(random):
    truth = np.arange(400) % 2 == 1
    confounder = random.normal(truth * 3.0, 1.0)
    values = 2 * confounder + 0.5 * truth + random.normal(0, 0.3, 400)
    difference, error, _ = adjusted_difference(values, truth, confounder[:, None])
    assert abs(difference - 0.5) < 3 * error < 0.3
    p_values = [
        adjusted_difference(2 * confounder + random.normal(0, 0.3, 400), truth, confounder[:, None])[2]
        for _ in range(200)
    ]
    assert stats.kstest(p_values, "uniform").pvalue > 0.001  # an honest test where there is no difference


def test_spill_is_read_in_unbinding_voxels_away_from_the_region():
    atlas = load_atlas()
    shells = spill_shells(30, "right", atlas)
    places = np.array(np.unravel_index(np.concatenate(shells), GRID_SHAPE)).T
    assert len(shells) == 5
    assert len(np.unique(places, axis=0)) == len(places)  # shells do not overlap
    assert not atlas.labels[tuple(places.T)].any()
    assert places[:, 0].min() > 45  # right of the middle
    insula = np.argwhere(atlas.labels == 30)
    distance, _ = spatial.cKDTree(insula * 2.0).query(places * 2.0)
    assert distance.min() >= 12
    striatum = np.argwhere(np.isin(atlas.labels, (71, 72, 73, 74, 75, 76, 121, 122)))
    distance, _ = spatial.cKDTree(striatum * 2.0).query(places * 2.0)
    assert 2 <= distance.min() < distance.max() < 30


@pytest.mark.parametrize(
    ("training", "test", "confirmed"),
    [
        ((-3.0, 0.01), (-2.0, 0.03), True),
        ((-3.0, 0.06), (-2.0, 0.03), False),  # not after the correction for the number of clusters
        ((-3.0, 0.01), (-2.0, 0.07), False),  # not again in the test scans
        ((-3.0, 0.01), (2.0, 0.01), False),
        ((3.0, 0.01), (2.0, 0.01), False),  # more uptake is no loss
    ],
)
def test_a_finding_is_a_loss_in_the_training_and_again_in_the_test_scans(training, test, confirmed):
    record = {
        "training": {"adjusted_difference_percent": training[0], "adjusted_p_corrected": training[1]},
        "test": {"adjusted_difference_percent": test[0], "adjusted_p": test[1]},
    }
    assert extrastriatal_search.is_confirmed(record) is confirmed


@pytest.fixture(scope="module")
def spill_cohorts():
    """Synthetic scans of 60 normal and 60 reduced, whose insulae lose a third of their uptake, or nothing."""
    cohorts = {}
    for loss in (0.0, 0.07):
        random = np.random.default_rng(21)
        cohorts[loss] = [synthetic_scan(random, bool(k % 2), loss).astype(np.float16) for k in range(120)]
    return cohorts, np.arange(120) % 2 == 1


@pytest.mark.parametrize("loss", [0.0, 0.07])
def test_losses_outside_the_striatum_are_found_where_they_are_and_only_there(spill_cohorts, loss):
    cohorts, truth = spill_cohorts
    scans, atlas = cohorts[loss], load_atlas()
    found = {}
    for name, label in (("insula", 29), ("thalamus", 77), ("Heschl", 79), ("operculum", 17)):
        shells = spill_shells(label, "left", atlas)
        spill = np.array([regional_uptake(one, shells) for one in scans])
        mask = (atlas.labels == label) & outside_striatum(atlas)
        uptake = np.array([one[mask].mean(dtype=float) for one in scans])
        found[name] = compare_classes(uptake, truth, spill)
    assert found["insula"]["p"] < 0.001  # the plain test finds the insula in either case: spill of the striatum
    significant = [name for name, one in found.items() if one["adjusted_p"] < 0.01]
    assert significant == (["insula"] if loss else [])
    if loss:
        assert found["insula"]["adjusted_difference_percent"] < -2
