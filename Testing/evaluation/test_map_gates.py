"""The parts of the maps' gates: likeness, deletion, random weights, planted lesions, and how a gate is judged."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from DaTscanAILib.classification.networks import build_network
from DaTscanAILib.evaluation.map_deletion import FRACTIONS, deleted, moves, order_of
from DaTscanAILib.evaluation.map_examination import Examination
from DaTscanAILib.evaluation.map_gates import GATES, Gate, judge
from DaTscanAILib.evaluation.map_likeness import correlation, structural_similarity
from DaTscanAILib.evaluation.map_localization import PlantedLesion, centers_of_difference, find, healing_move, peak
from DaTscanAILib.evaluation.map_randomization import cascade
from DaTscanAILib.evaluation.map_report import gates_figure, plain_table
from DaTscanAILib.explanation.regions import striatal_outlines
from DaTscanAILib.mni.atlas import GRID_SHAPE, load_atlas

BRAIN = load_atlas().brain


def ball(center, radius=8.0):
    """1 in a ball around MNI mm."""
    axes = np.ogrid[tuple(slice(0, size) for size in GRID_SHAPE)]
    squares = [
        (2 * axis + first - place) ** 2 for axis, first, place in zip(axes, (-90, -126, -72), center, strict=True)
    ]
    return (sum(squares) <= radius**2).astype(np.float32)


def test_likeness_of_a_map_to_itself_its_negative_and_noise():
    random = np.random.default_rng(0)
    one, other = random.standard_normal((2, 30, 30, 30))
    inside = np.ones(one.shape, bool)
    assert correlation(one, 3 * one, inside) == pytest.approx(1)
    assert correlation(one, -one, inside) == pytest.approx(-1)
    assert abs(correlation(one, other, inside)) < 0.02
    assert structural_similarity(one, 3 * one, inside) == pytest.approx(1)
    assert abs(structural_similarity(one, other, inside)) < 0.1
    assert correlation(one, np.zeros_like(one), inside) == 0


def test_deletion_in_the_order_of_the_true_weights_moves_most():
    """A linear score: in the map's order the first hundredth of the brain takes away the largest contributions."""
    random = np.random.default_rng(1)
    scan, weights = random.uniform(0, 2, GRID_SHAPE).astype(np.float32), random.exponential(1.0, GRID_SHAPE)
    reference = np.zeros(GRID_SHAPE, np.float32)

    def scores(scans):
        return np.array([(weights * one)[BRAIN].sum() for one in scans])

    contributions = weights * scan
    found = moves(scan, reference, order_of(contributions, BRAIN, True), scores)
    count = round(FRACTIONS[2] * BRAIN.sum())
    expected = np.sort(contributions[BRAIN])[::-1][:count].sum()
    assert found["deletion"][2] == pytest.approx(expected, rel=1e-5)
    assert found["insertion"][2] == pytest.approx(expected, rel=1e-5)
    by_chance = moves(scan, reference, order_of(random.standard_normal(GRID_SHAPE), BRAIN, True), scores)
    assert found["deletion"][2] > 3 * by_chance["deletion"][2]


def test_only_voxels_of_the_brain_are_deleted():
    scan = np.ones(GRID_SHAPE, np.float32)
    order = order_of(np.random.default_rng(2).standard_normal(GRID_SHAPE), BRAIN, False)
    gone = deleted(scan, 0 * scan, order, 0.01) == 0
    assert gone.sum() == round(0.01 * BRAIN.sum())
    assert BRAIN[gone].all()


def test_the_cascade_goes_from_the_logits_down_and_leaves_the_network_alone():
    torch.manual_seed(0)
    network = build_network("wenzel2019")
    before = {name: value.clone() for name, value in network.state_dict().items()}
    stages = cascade([network])
    assert [name for name, _ in stages][:3] == ["logits", "dense 1", "convolution 8"]
    assert stages[-1][0] == "convolution 1"
    logits_only, everything = stages[0][1][0], stages[-1][1][0]
    assert torch.equal(logits_only[0].weight, network[0].weight)
    assert not torch.equal(logits_only[-1].weight, network[-1].weight)
    assert not torch.equal(everything[0].weight, network[0].weight)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_a_peak_is_found_where_it_is_and_outside_the_brain_none():
    relevance = ball((-28, -8, 4)) + 5 * ball((0, 90, -60))
    np.testing.assert_allclose(peak(relevance, BRAIN), (-28, -8, 4), atol=2)


def test_a_lesion_is_near_or_not_and_on_its_side_or_not():
    lesion = PlantedLesion("putamen_posterior", "left", np.array([[-28.0, -8.0, 4.0]]))
    right = find(ball((-28, -8, 4)), BRAIN, lesion)
    assert (right["near"], right["hemisphere"]) == (True, True)
    wrong = find(ball((28, -8, 4)), BRAIN, lesion)
    assert (wrong["near"], wrong["hemisphere"]) == (False, False)
    assert wrong["distance_mm"] == pytest.approx(56, abs=3)


def test_the_middle_of_what_a_lesion_took_by_side():
    healthy = 4 * np.ones(GRID_SHAPE, np.float32)
    lesioned = healthy - 2 * ball((-26, 6, 2)) - ball((26, 6, 2))
    found = centers_of_difference(healthy, lesioned, ("left", "right"))
    np.testing.assert_allclose(found, [(-26, 6, 2), (26, 6, 2)], atol=0.5)


def test_healing_what_is_marked_lowers_a_score_that_rests_on_it():
    place = striatal_outlines("right")["caudate"]
    normal = 4 * np.ones(GRID_SHAPE, np.float32)
    scan = np.where(place, 1, normal).astype(np.float32)

    def scores(scans):
        return np.array([float(4 - one[place].mean()) for one in scans])

    assert healing_move(scan, normal, place.astype(np.float32), scores) == pytest.approx(-3, rel=0.05)
    elsewhere = striatal_outlines("left")["putamen_posterior"].astype(np.float32)
    assert healing_move(scan, normal, elsewhere, scores) == 0


@pytest.mark.parametrize(("value", "reached"), [(0.81, True), (0.80, True), (0.79, False), (None, False)])
def test_a_gate_is_reached_from_its_goal_on(value, reached):
    gate = Gate("key", "title", 0.8, 0.6)
    assert gate.judge(value, 10, quick=False)["reached"] is reached
    assert gate.judge(0.7, 10, quick=True)["reached"] is True


def test_a_figure_that_is_to_be_low_and_one_without_goal():
    assert Gate("key", "title", 0.02, 0.02, at_least=False).judge(0.03, 5, False)["reached"] is False
    assert Gate("key", "title", None, None).judge(0.03, 5, False)["reached"] is None


def test_the_goals_are_those_of_the_issue():
    goals = {gate.key: gate.goal for gate in GATES}
    assert goals["lesion_near"] == 0.80
    assert goals["lesion_hemisphere"] == 0.95
    assert goals["healing_lowers"] == 0.90
    assert goals["random_correlation"] == 0.3
    assert goals["outside_brain"] == 0.02
    assert (goals["sign"], goals["sign_one_putamen"]) == (0.95, 0.90)


@pytest.mark.parametrize(("lost", "weights"), [(0.0, [0.5, 0.5]), (0.9, None)])
def test_the_sign_is_judged_in_the_map_of_a_user(lost, weights):
    """Equal putamina: half of it is the mirrored scan's; with one lost, the map that the answer came with."""
    putamen = np.any([striatal_outlines("left")[f"putamen_{part}"] for part in ("anterior", "posterior")], axis=0)
    scan = np.where(putamen | putamen[::-1], 4, 1).astype(np.float32)
    scan[putamen] -= 3 * lost
    scan[20, 20, 30] = 2  # far from the striata, so that left and right differ
    asked = []
    maps = SimpleNamespace(relevance=lambda images, basis, method: asked.append((images, basis)) or "of both")
    model = SimpleNamespace(preprocessing=SimpleNamespace(keeps_sides=False), network_input=lambda voxels, _: voxels)
    examination = Examination.__new__(Examination)
    examination.classifier = SimpleNamespace(model=model, maps=maps, atlas=load_atlas(), device="cpu")
    examination.method = "integrated-gradients"
    answer = SimpleNamespace(relevance="of the answer", basis="overall")
    found = examination._of_user(SimpleNamespace(voxels=scan), answer)
    assert found == ("of the answer" if weights is None else "of both")
    if weights:
        ((images, basis),) = asked
        assert [weight for weight, _ in images] == pytest.approx(weights, abs=0.01)
        assert basis == "overall"
        np.testing.assert_array_equal(images[1][1].numpy()[0, 0], scan[::-1])


# ---- how the gates are told


def judged():
    figures = {gate.key: (0.5, 12) for gate in GATES} | {"lesion_near": (None, 0), "outside_brain": (0.01, 30)}
    return judge(figures, quick=False)


def test_each_measured_value_stands_beside_its_threshold():
    rows = judged()
    lines = plain_table(rows).splitlines()
    assert len(lines) == len(GATES) + 1
    by_gate = {row["gate"]: line.split() for row, line in zip(rows, lines[1:], strict=True)}
    assert by_gate["outside_brain"][:5] == ["0.010", "<=", "0.02", "30", "reached"]
    assert by_gate["sign"][:6] == ["0.500", ">=", "0.95", "12", "NOT", "reached"]
    assert by_gate["lesion_near"][:6] == ["not", "available", ">=", "0.8", "0", "NOT"]
    assert by_gate["agreement"][:3] == ["0.500", "reported", "12"]
    assert len({line.index(row["title"]) for row, line in zip(rows, lines[1:], strict=True)}) == 1  # in columns


def test_both_thresholds_of_a_gate_are_in_its_row():
    row = GATES[0].judge(0.7, 10, quick=True)
    assert (row["goal"], row["goal_full"], row["goal_quick"]) == (0.6, 0.8, 0.6)


def test_the_figure_shows_every_gate(tmp_path, monkeypatch):
    from matplotlib import pyplot

    shown = []
    monkeypatch.setattr(pyplot, "close", shown.append)
    curves = {"an order": {kind: np.zeros((2, 6)) for kind in ("deletion", "insertion")}}
    random = [{"random_down_to": "logits", "absolute_correlation": 0.2, "structural_similarity": 0.1}]
    gates_figure(tmp_path / "gates.png", judged(), random, curves)
    assert (tmp_path / "gates.png").stat().st_size > 10_000
    gates, *_ = shown[0].axes
    labels = [label.get_text() for label in gates.get_yticklabels()]
    assert labels == [gate.title for gate in GATES]
    dots = {line.get_ydata()[0]: line for line in gates.lines if line.get_marker() == "o"}
    keys = [gate.key for gate in GATES]
    assert keys.index("lesion_near") not in dots  # it has no value
    assert dots[keys.index("outside_brain")].get_color() == "tab:green"
    assert dots[keys.index("sign")].get_color() == "tab:red"
