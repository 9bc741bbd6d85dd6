"""Training on synthetic brains: what it learns, writes, and takes up again after an interruption."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from training_factory import prepared_volume, write_prepared_cohort

from DaTscanAILib.base.errors import DaTscanError
from DaTscanAILib.classification.answer import Classifier
from DaTscanAILib.classification.answer_rule import AnswerRule
from DaTscanAILib.classification.doubt import doubts
from DaTscanAILib.classification.evidence import read_evidence
from DaTscanAILib.classification.grades import REGIONS
from DaTscanAILib.classification.model_folder import find_model
from DaTscanAILib.evaluation.metrics import fit_platt
from DaTscanAILib.mni.atlas import load_atlas
from DaTscanAILib.reading.inputs import Case, collect_cases
from DaTscanAILib.training import engine, optimization
from DaTscanAILib.training.augmentation import augment, smooth_to
from DaTscanAILib.training.calibration import probability_rule
from DaTscanAILib.training.doubt_calibration import with_doubt
from DaTscanAILib.training.grade_calibration import fit_region
from DaTscanAILib.training.input_sets import ImageSet
from DaTscanAILib.training.midway import with_own_midway
from DaTscanAILib.training.origin import describe_origins, origin_of
from DaTscanAILib.training.plans import PLANS
from DaTscanAILib.training.preparation import Prepared, prepare_cases
from DaTscanAILib.training.recipe import check_recipe
from DaTscanAILib.training.targets import ordinal_loss, reduced_from, regional_losses
from DaTscanAILib.training.train import best_members, member_sets, split, train

PLAN = replace(
    PLANS["compact-regional"], members=2, spares=0, epochs=2, copies=2, batch_size=4, calibration_share=0.25
)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return write_prepared_cohort(tmp_path_factory.mktemp("cohort") / "scans", 24)


def start(cohort, output, plan=PLAN):
    manifest, cache = cohort
    if not (output / "work" / "prepared").exists():
        shutil.copytree(cache, output / "work" / "prepared")
    return train(manifest, output, plan, device="cpu")


@pytest.fixture(scope="module")
def trained(cohort, tmp_path_factory):
    return start(cohort, tmp_path_factory.mktemp("trained") / "tiny")


def test_the_model_answers_on_scans_that_it_has_not_seen(trained):
    classifier = Classifier(find_model(trained.folder), "cpu")
    probabilities = [
        classifier.classify(
            prepared_volume(label, np.random.default_rng([99, k])).astype(np.float32)
        ).probability_reduced
        for k in range(4)
        for label in ("normal", "reduced")
    ]
    assert min(probabilities[1::2]) > max(probabilities[::2])
    assert classifier.classify(prepared_volume("reduced", np.random.default_rng(5)).astype(np.float32)).members == 2


def test_what_scans_are_midway_between_is_the_trainings_own(cohort, tmp_path):
    """Normal putamina of 5 and lower ones of 1.5 give 3.25; a template of other scans would give another number."""
    plan = replace(PLANS["wenzel2019"], epochs=1, copies=1)
    model = start(cohort, tmp_path / "slab", plan)
    atlas = load_atlas()
    assert model.reference.name == "midway between normal and reduced (training scans)"
    voxels = find_model(model.folder).reference.voxels
    assert voxels[atlas.anatomical_region("putamen", "left")].mean() == pytest.approx(3.25, abs=0.15)
    assert voxels[atlas.anatomical_region("putamen", "right")].mean() == pytest.approx(5.0, abs=0.2)
    assert voxels[atlas.reference].mean() == pytest.approx(1.0, abs=0.01)


def test_a_plan_with_another_reference_keeps_it(cohort, tmp_path):
    scans, _ = prepare_cases(collect_cases([cohort[0]]), cohort[1])
    own = with_own_midway(PLANS["nazari2021-full"], tmp_path, scans)
    assert with_own_midway(own, tmp_path / "none", scans[:2]) == own
    assert with_own_midway(PLANS["compact"], tmp_path / "none", scans) == PLANS["compact"]
    assert not (tmp_path / "none").exists()
    half = with_own_midway(PLANS["nazari2021-full"], tmp_path, scans[:2])
    assert half.reference.sha256 != own.reference.sha256  # other scans' file in the folder does not stand for these


def test_a_training_begun_with_another_midway_is_refused(cohort, tmp_path):
    """Its finished networks saw other inputs: here the recipe names the shipped template."""
    plan, output = replace(PLANS["wenzel2019"], epochs=1, copies=1), tmp_path / "begun"
    shutil.copytree(cohort[1], output / "work" / "prepared")
    scans, _ = prepare_cases(collect_cases([cohort[0]]), output / "work" / "prepared")
    check_recipe(output, plan, scans, None)
    with pytest.raises(DaTscanError, match="begun holds a training of other scans or options"):
        start(cohort, output, plan)


def test_the_model_says_what_it_was_trained_on(trained):
    assert trained.trained_on == "Trained on 9 normal and 9 reduced simulated scans; no patient was involved."


def test_an_interrupted_training_ends_like_an_undisturbed_one(cohort, trained, tmp_path, monkeypatch):
    """The first member is finished; the second one stops after the first of its two epochs."""
    consider, epochs = engine._Best.consider, []

    def interrupted(self, loss):
        consider(self, loss)
        epochs.append(loss)
        if len(epochs) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(engine._Best, "consider", interrupted)
    with pytest.raises(KeyboardInterrupt):
        start(cohort, tmp_path / "again")
    again = start(cohort, tmp_path / "again")
    assert len(epochs) == 4
    assert [digest for _, digest in again.weights] == [digest for _, digest in trained.weights]
    assert again.rule == trained.rule


def test_a_step_changes_the_sums_of_a_wide_dense_layer_by_little():
    """Adam's first step changes every weight by the learning rate, here 1e-3 for 6000 inputs: a sum by 6."""
    plan = replace(PLANS["compact"], learning_rate=1e-3, weight_decay=0.0, dense_rate=None)
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(6000, 4), torch.nn.Linear(4, 2))
    before = [parameter.detach().clone() for parameter in network.parameters()]
    sums = network[0](torch.ones(1, 6000)).detach()
    optimizer = optimization.adam(network, plan)
    network(torch.ones(1, 6000)).square().sum().backward()
    optimizer.step()
    steps = [(new.detach() - old).abs().max().item() for new, old in zip(network.parameters(), before, strict=True)]
    assert steps == pytest.approx([1.5 / 6000, 1e-3, 1e-3, 1e-3], rel=1e-2)
    change = (network[0](torch.ones(1, 6000)) - sums).abs()
    assert change.tolist()[0] == pytest.approx([1.5] * 4, abs=0.01)


def test_rates_rise_and_fall_as_the_plan_says_and_first_weights_are_scaled():
    plan = replace(PLANS["nazari2021-striatum"], dense_rate=1e-5, warm_up=4, initial_scale=0.1)
    assert [optimization.rate_factor(step, 100, plan) for step in (0, 1, 3, 4, 99)] == [0.25, 0.5, 1, 1, 1]
    assert optimization.rate_factor(50, 100, replace(plan, warm_up=0, decay=True)) == pytest.approx(0.5)
    networks = []
    for one in (plan, replace(plan, initial_scale=1.0)):
        torch.manual_seed(3)
        networks.append(optimization.new_network(one))
    small, usual = (optimization.first_dense(network) for network in networks)
    assert torch.allclose(small.weight, 0.1 * usual.weight)
    assert torch.equal(networks[0][-1].weight, networks[1][-1].weight)
    groups = optimization.adam(networks[0], plan).param_groups
    assert [group["lr"] for group in groups] == [1e-4, 1e-5]
    assert groups[1]["params"] == [small.weight]


def small_dense_network():
    torch.manual_seed(4)
    layers = torch.nn.Linear(5000, 12), torch.nn.ReLU(), torch.nn.Dropout(0.2), torch.nn.Linear(12, 2)
    return torch.nn.Sequential(torch.nn.Identity(), *layers)


@pytest.mark.parametrize(("normalized", "least", "most"), [(False, 0, 8), (True, 12, 12)])
def test_units_of_a_wide_dense_layer_stay_alive(normalized, least, most):
    """Inputs that are never negative and much alike: a step moves a unit's sums of all scans together."""
    random = torch.Generator().manual_seed(1)
    images = (1 + 0.1 * torch.randn((64, 5000), generator=random)).clamp(min=0)
    labels = torch.arange(64) % 2
    images[:, :2500] *= 1 - 0.3 * labels[:, None]
    network, plan = small_dense_network(), replace(PLANS["compact"], normalized_dense=normalized, dense_rate=1e-3)
    with optimization.normalized_dense(network, normalized) as folded:
        optimizer = optimization.adam(network, plan)
        network.train()
        for _ in range(20):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(network(images), labels).backward()
            optimizer.step()
        with torch.inference_mode():
            for _ in range(60):  # as at the end of a training, whose last steps are small: the running means settle
                network(images)
        state = folded(network.state_dict())
        network.eval()
        with torch.inference_mode():
            answers = network(images)
    network.load_state_dict(state)
    with torch.inference_mode():
        torch.testing.assert_close(network(images), answers, rtol=1e-4, atol=1e-4)
        alive = (network[:-2](images) > 0).any(dim=0).sum().item()
    assert least <= alive <= most


def test_members_differ_in_weights_and_in_the_scans_that_they_leave_out(trained):
    first, second = (network.state_dict() for network in trained.load_networks())
    assert not torch.equal(first["1.weight"], second["1.weight"])
    inputs = ImageSet(np.zeros((20, 1)), np.arange(20) // 10, scans=np.arange(20) // 2)
    plan = replace(PLAN, validation_share=0.2)
    parts = [member_sets(inputs, plan, number) for number in range(6)]
    left_out = [set(inputs.scans[part.validation.rows]) for part in parts]
    assert set.union(*left_out) == set(range(10))
    assert left_out[5] == left_out[0]
    for part, scans in zip(parts, left_out, strict=True):
        assert scans.isdisjoint(inputs.scans[part.training.rows])
        assert len(part.validation) == 2 * len(scans) == 4  # both copies of a scan lie in one part
        assert sorted(inputs.labels[part.validation.rows]) == [0, 0, 1, 1]


def test_no_member_sees_the_scans_of_the_calibration(trained):
    """Platt scaling, band and grades were fitted on the scans that had chosen the epochs."""
    inputs = trained.folder / "work" / "inputs"
    names = [set(json.loads((inputs / f"{part}.json").read_text())["names"]) for part in ("training", "calibration")]
    assert [len(part) for part in names] == [18, 6]
    assert not names[0] & names[1]


def test_training_reads_voxels_of_4_mm_and_the_model_the_whole_scan(trained):
    """The network's first layer has no weights: its averages are on disk, an eighth of the scan."""
    inputs = np.load(trained.folder / "work" / "inputs" / "training.npy", mmap_mode="r")
    assert inputs.shape == (36, 36, 45, 36)
    network = trained.load_networks()[0]
    scan = torch.rand(1, 1, 71, 90, 72)
    whole = network(scan)
    averaged = network[0](scan)
    with engine.average_taken(network, True):
        torch.testing.assert_close(network(averaged), whole)
    torch.testing.assert_close(network(scan), whole)


def test_votes_follow_the_number_of_members(trained):
    """They were two and four whatever the number: four of two members is never reached."""
    assert (trained.rule.sensitive_votes, trained.rule.specific_votes) == (1, 2)


def test_six_scans_are_too_few_for_grades(trained):
    assert trained.rule.regions is None
    assert trained.rule.sbr is None


def synthetic_calibration(count=400, seed=0):
    """`(logits, images)`: five members whose outputs are the scan's losses with noise; two copies of each scan."""
    random = np.random.default_rng(seed)
    losses = np.where(random.random((count, 6)) < 0.5, 0.0, random.uniform(0, 1, (count, 6))) * (
        random.random((count, 1)) < 0.6
    )
    labels = (losses >= [reduced_from(region) for region in REGIONS]).any(axis=1).astype(int)
    labels, losses = np.repeat(labels, 2), np.repeat(losses, 2, axis=0).astype(np.float32)
    logits = np.zeros((2 * count, 5, 12))
    worst = losses.max(axis=1, keepdims=True)
    for output, sign in enumerate((-1, 1) * 3):
        logits[:, :, output] = sign * (8 * worst - 3.2) + random.normal(0, 1, (2 * count, 5))
    logits[:, :, 6:] = (8 * losses - 4)[:, None] + random.normal(0, 0.5, (2 * count, 5, 6))
    return logits, ImageSet(None, labels, losses, np.repeat(np.arange(count), 2))


def test_the_rule_of_known_scores():
    """Grades, evidence and band are those that made the scores."""
    logits, images = synthetic_calibration()
    plan = replace(PLAN, doubt_share=0.05)
    weights = np.full(len(images), 0.5)
    rule = probability_rule(logits, images, plan, weights)
    for number, region in enumerate(REGIONS):
        assert rule.regions[region].output == 6 + number
        assert rule.regions[region].cuts == pytest.approx(8 * np.array([0.2, 0.4, 0.6, 0.8]) - 4, abs=0.35)
    evidence = [read_evidence(one, rule) for one in logits]
    answered = np.array([one.probability > 0.5 for one in evidence])
    assert (answered == (images.labels == 1)).mean() > 0.97
    doubted = np.array([bool(doubts(rule, one, None, None, 5)) for one in evidence])
    assert rule.doubt[0] + rule.doubt[1] == pytest.approx(1)
    assert 0.01 < doubted.mean() <= 0.05 or rule.doubt == (0.1, 0.9)
    errors = answered != (images.labels == 1)
    assert (errors & ~doubted).sum() < 0.5 * errors.sum()


def test_votes_that_catch_errors_are_taken_and_a_biased_head_that_always_turns_is_not():
    """Errors that the votes alone can know: of 400 scans 12 are read wrongly and surely, and 3 of 5 heads say so."""
    labels = np.arange(400) % 2
    logits = np.zeros((400, 5, 6))
    logits[:, :, 1::2] = 12.0 * (labels - 0.5)[:, None, None]
    logits[:12, :, 1] *= -1
    logits[:12, :3, 3] = 6
    logits[:12, :, 5] = -6
    rule = AnswerRule(1.0, 0.0, heads={"balanced": (0, 1), "sensitive": (2, 3), "specific": (4, 5)})
    found = with_doubt(rule, logits, labels, replace(PLAN, doubt_share=0.05), np.ones(400))
    assert found.sensitive_votes <= 3
    logits[::2, :, 3] = 6  # now that head calls every normal scan reduced
    spoiled = with_doubt(rule, logits, labels, replace(PLAN, doubt_share=0.05), np.ones(400))
    assert (spoiled.sensitive_votes, spoiled.specific_votes) == (6, 6)


def test_losses_turn_with_a_mirrored_scan():
    other = {f"loss_{region}": str(number / 10) for number, region in enumerate(REGIONS)}
    case = Case("one", None, other=other)
    as_stated, turned = (regional_losses(Prepared(case, None, {"mirrored": mirrored})) for mirrored in (False, True))
    np.testing.assert_allclose(as_stated, np.arange(6) / 10)
    np.testing.assert_allclose(turned, np.array([1, 0, 3, 2, 5, 4]) / 10)
    unknown = regional_losses(Prepared(Case("two", None), None, {"mirrored": False}))
    assert np.isnan(unknown).all()


def test_losses_may_have_decimal_commas_as_all_of_a_manifest():
    other = {"loss_caudate_left": "0,4", "loss_caudate_right": "1,5", "loss_putamen_anterior_left": "none"}
    losses = regional_losses(Prepared(Case("one", None, other=other), None, {"mirrored": False}))
    assert losses[0] == pytest.approx(0.4)
    assert np.isnan(losses[1:]).all()


def test_regions_of_unknown_loss_do_not_count():
    scores = torch.tensor([[4.0, -4.0, 0.0]], requires_grad=True)
    ordinal_loss(scores, torch.tensor([[0.9, 0.0, float("nan")]])).backward()
    assert scores.grad[0, 2] == 0
    right, wrong = (float(ordinal_loss(torch.tensor([[s]]), torch.tensor([[0.9]]))) for s in (4.0, -4.0))
    assert right < 0.2 < 3 < wrong


def test_the_cuts_of_a_score_are_found_again():
    """Proportional odds of known slope and cuts, seen through 4000 scans."""
    random = np.random.default_rng(0)
    score = random.uniform(-5, 5, 4000)
    noise = random.logistic(size=4000) / 2.0
    place = np.searchsorted([-2.5, -0.5, 0.7, 2.0], score + noise)
    rule = fit_region(7, score, np.array([0.1, 0.3, 0.5, 0.7, 0.9])[place], np.ones(4000), reduced_from=0.5)
    assert rule.reduced_cut == pytest.approx(0.1, abs=0.12)  # between the second and the third
    assert rule.output == 7
    assert rule.slope == pytest.approx(2.0, rel=0.08)
    assert rule.cuts == pytest.approx((-2.5, -0.5, 0.7, 2.0), abs=0.12)


@pytest.mark.parametrize(
    ("stated", "truth", "origin"),
    [
        ("simulated", None, "simulated"),
        ("clinic", {"true_specific_ratio": 6.0}, "clinic"),
        ("", {"true_specific_ratio": 6.0}, "simulated"),
        ("", {"origin": "Phantom"}, "phantom"),
        ("", ["no truth"], "unknown"),
        ("", None, "unknown"),
    ],
)
def test_the_origin_of_a_scan_is_not_read_off_its_name(tmp_path, stated, truth, origin):
    """A patient's scan called sim042 was described as simulated."""
    if truth is not None:
        (tmp_path / "sim042.json").write_text(json.dumps(truth))
    case = Case("sim042", tmp_path / "sim042.nii.gz", other={"origin": stated} if stated else {})
    assert origin_of(case) == origin
    described = describe_origins([case])
    assert ("no patient was involved" in described) == (origin == "simulated")


def test_mixed_origins_are_counted():
    cases = [Case("a", None, other={"origin": kind}) for kind in ("simulated", "simulated", "clinic")]
    assert describe_origins(cases) == "scans of mixed origin (1 clinic, 2 simulated)"


def test_copies_of_a_scan_count_as_one_in_the_calibration():
    random = np.random.default_rng(3)
    labels = random.integers(0, 2, 40)
    difference = 2.0 * labels - 1 + random.normal(0, 2, 40)
    once = fit_platt(difference, labels)
    twice = fit_platt(np.repeat(difference, 2), np.repeat(labels, 2), np.full(80, 0.5))
    assert twice == pytest.approx(once, rel=1e-4)


def test_the_members_that_learned_least_are_the_spare_ones(tmp_path):
    for number, losses in enumerate([(0.4, 0.2), (0.9, 0.7), (0.3, 0.5)]):
        (tmp_path / f"member_{number}").mkdir()
        curve = [{"epoch": k + 1, "validation_loss": loss} for k, loss in enumerate(losses)]
        (tmp_path / f"member_{number}" / "learning_curve.json").write_text(json.dumps(curve))
    assert best_members(replace(PLAN, members=2, spares=1), tmp_path) == [0, 2]
    assert best_members(replace(PLAN, members=3, spares=0), tmp_path) == [0, 1, 2]


def test_the_split_is_stratified_and_disjoint(cohort, tmp_path):
    manifest, cache = cohort
    prepared, failed = prepare_cases(collect_cases([manifest]), cache)
    training, validation = split(prepared, 0.25, seed=3)
    names = [{one.case.name for one in part} for part in (training, validation)]
    assert not failed
    assert not names[0] & names[1]
    assert len(names[0] | names[1]) == 24
    assert [one.case.label for one in validation].count("reduced") == 3
    assert split(prepared, 0.25, seed=3)[1] == validation
    assert split(prepared, 0.25, seed=4)[1] != validation


def test_too_few_scans_of_a_class_are_refused(tmp_path):
    cohort = write_prepared_cohort(tmp_path / "few", 8)
    with pytest.raises(DaTscanError, match="only 4 usable scans labelled normal"):
        start(cohort, tmp_path / "model")


def test_augmentation_depends_on_its_seed_alone_and_keeps_the_reference_level():
    atlas = load_atlas()
    volume = prepared_volume("normal", np.random.default_rng(1)).astype(np.float32)
    first, second, other = (augment(volume, atlas.reference, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert np.abs(first - other).mean() > 0.01
    for image in (first, other):  # the gain changes by 10 % at most
        assert np.percentile(image[atlas.reference], 75) == pytest.approx(1, abs=0.101)


def test_smoothing_has_the_width_that_it_says():
    """A point becomes a Gaussian whose half width is 9 mm; scaling to the reference region cancels in the ratio."""
    atlas = load_atlas()
    image = np.full((91, 109, 91), 1e-9, np.float32)
    image[45, 60, 40] = 1
    reference = np.zeros_like(atlas.reference)
    reference[45, 60, 40] = True
    smooth = smooth_to(image, 18.0, reference)
    profile = smooth[45:55, 60, 40] / smooth[45, 60, 40]
    assert np.interp(0.5, profile[::-1], 2.0 * np.arange(10)[::-1]) == pytest.approx(9.0, abs=0.25)
