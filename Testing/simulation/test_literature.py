"""Simulated against published: the arithmetic on records with known truth, one real scan, the committed table."""

import csv

import numpy as np
import pytest

from DaTscanAILib.base.resources import resource_path
from DaTscanAILib.cli.main import main
from DaTscanAILib.mni.atlas import GRID_SHAPE, load_atlas
from DaTscanAILib.simulation import literature
from DaTscanAILib.simulation.anatomy import Region
from DaTscanAILib.simulation.healthy_map import SPHERES, sphere_uptake
from DaTscanAILib.simulation.literature_page import Compared, Measured, page_text, table_text
from DaTscanAILib.simulation.published import PUBLISHED, Published

COUNT = 160


def record_of(place):
    """A made-up scan: 5 % lost per decade, women 8 % higher, reduced ones half of it, attenuation costs a fifth."""
    label = ("normal", "reduced")[place // 5 % 2]
    correction = ("none", "none", "chang", "map", "both")[place % 5]
    random = np.random.default_rng(place)
    age, woman = float(random.uniform(45, 85)), bool(random.integers(2))
    sbr = 2 * (1 - 0.05 * (age - 65) / 10 + 0.08 * woman) * (1 if label == "normal" else 0.5)
    sbr *= 1 if correction == "none" else 1.25
    return {
        "label": label,
        "correction": correction,
        "age": age,
        "woman": woman,
        **dict.fromkeys(("sbr_putamen", "sbr_striatum"), sbr),
        "sbr_caudate": 1.5 * sbr,
        **dict.fromkeys(("asymmetry_putamen", "asymmetry_caudate"), 10 + place % 3),
        **dict.fromkeys(("ratio", "sides_ratio"), 1.5 if label == "normal" else None),
        "recovery": 50.0,
        "insula": 0.1 * sbr,
        **{f"uptake_{region}": 2.0 for region in SPHERES},
        **({"chang_gain": 1.2} if (label, correction) == ("normal", "none") else {}),
    }


@pytest.fixture(scope="module")
def figures():
    return literature.measures([record_of(place) for place in range(COUNT)])


# ---- figures


def test_age_and_sex_are_found_again(figures):
    """The corrections' own means take out what they differ by, up to the mixture of ages in each."""
    assert figures["age_loss_measured"].value == pytest.approx(5, abs=0.5)
    assert figures["women_measured"].value == pytest.approx(8, abs=1.5)
    assert figures["age_loss_measured"].error < 0.3
    assert figures["age_loss_measured"].count == COUNT / 2


def test_quotients_shares_and_correlations(figures):
    assert figures["reduced_over_normal_putamen"].value == pytest.approx(0.5, rel=0.05)
    assert figures["both_over_none_putamen"].value == pytest.approx(1.25, rel=0.05)
    assert figures["chang_gain_putamen"].value == pytest.approx(1.2)
    assert figures["auc_putamen"].value == 1
    assert figures["correlation_insula"].value == pytest.approx(1)
    assert figures["recovery"].value == 50
    assert figures["recovery"].count == COUNT * 3 / 10
    assert figures["ratio_normal_none"].value == 1.5
    assert "ratio_reduced_none" not in figures  # none of them has one


def test_mean_spread_and_error():
    records = [{"label": "normal", "correction": "none", "sbr_putamen": value} for value in (1.0, 2.0, 3.0, 4.0)]
    figure = literature._mean(records, "sbr_putamen")
    assert (figure.value, figure.count) == (2.5, 4)
    assert figure.spread == pytest.approx(np.sqrt(5 / 3))
    assert figure.interval == pytest.approx((2.5 - 1.96 * figure.spread / 2, 2.5 + 1.96 * figure.spread / 2))


def test_healthy_persons_have_the_truth_of_the_uptake():
    figures = literature.true_measures(3)
    assert figures["age_loss_true"].value == pytest.approx(5.5, abs=0.9)
    assert figures["women_true"].value == pytest.approx(8, abs=1.5)
    assert figures["age_loss_thalamus"].value == pytest.approx(8, abs=1)
    assert 6 < figures["true_ratio"].value < 9


def test_every_published_figure_has_one_of_the_simulator(figures):
    names = [one.measure for one in PUBLISHED]
    assert len(set(names)) == len(names)
    missing = set(names) - set(figures) - set(literature.true_measures(0))
    assert missing == {f"ratio_{label}_none" for label in ("reduced",)}
    for one in PUBLISHED:
        assert (one.value is None) == (one.limits is not None)
        assert one.limits is None or one.limits[0] <= one.limits[1]


# ---- one scan


@pytest.fixture(scope="module")
def scan():
    return literature.simulate_scan(103, literature.settings_of(103, "map", "normal"))


def test_a_real_scan_is_measured(monkeypatch, scan):
    asked = []
    monkeypatch.setattr(literature, "simulate_scan", lambda seed, settings: asked.append((seed, settings)) or scan)
    record = literature.measure_scan(103, first=100)
    assert asked[0][0] == 103
    settings = asked[0][1]
    assert (settings.families, settings.subtype) == (("osem_ac", "osem_ac_rr"), "normal")
    assert settings.scatter_corrected is False
    assert (record["label"], record["correction"], record["age"]) == ("normal", "map", scan.person.age)
    assert 1.5 < record["sbr_putamen"] < 6
    assert 30 < record["recovery"] < 75
    assert record["uptake_anterior_putamen"] > record["uptake_insula"] > record["uptake_pons"] > 0.8
    assert 0 <= record["asymmetry_putamen"] < 40
    assert "chang_gain" not in record
    assert 1.0 < literature.measure_scan(100, first=100)["chang_gain"] < 1.6
    assert literature.measure_scan(105, first=100)["label"] == "reduced"


def test_the_true_ratio_is_weighted_with_volume(scan, monkeypatch):
    weights = {"colin27": [6340, 6820], "icbm152": [7331, 6988]}[scan.anatomy.split("_")[0]]
    ratios = dict.fromkeys(scan.uptake.specific_ratio, 0.0)
    only_caudates = {**ratios, "caudate_l": 1.0, "caudate_r": 1.0}
    monkeypatch.setitem(scan.uptake.__dict__, "specific_ratio", only_caudates)
    share = literature.true_striatal_ratio(scan)
    assert share == pytest.approx(sum(weights) / 29000, abs=0.06)


def test_spheres_hold_what_lies_in_them():
    atlas = load_atlas()
    assert sphere_uptake(np.full(GRID_SHAPE, 3.0), atlas) == pytest.approx(dict.fromkeys(SPHERES, 1.0))
    volume = np.ones(GRID_SHAPE)
    x, y, z = SPHERES["anterior_putamen"]
    for side in (-1, 1):
        center = np.rint((np.add((side * x, y, z), (90, 126, 72))) / 2).astype(int)
        volume[tuple(slice(index - 4, index + 5) for index in center)] = 5.0
    uptake = sphere_uptake(volume, atlas)
    assert uptake["anterior_putamen"] == 5
    assert uptake["pons"] == uptake["amygdala"] == 1


def test_regions_of_both_sides_have_their_sphere_on_the_right():
    assert all(x > 0 for region, (x, _, _) in SPHERES.items() if region != "pons")
    assert {region.upper() for region in ("thalamus", "midbrain", "pons", "insula")} <= set(Region.__members__)


# ---- the table


@pytest.mark.parametrize(
    ("published", "measured", "agreement"),
    [
        ({"value": 2.0, "spread": 0.3}, (2.2, 0.01), "yes"),
        ({"value": 2.0, "spread": 0.3}, (2.4, 0.1), "within its error"),
        ({"value": 2.0, "spread": 0.3}, (2.4, 0.04), "no"),
        ({"limits": (4.0, 6.7)}, (6.6, 0.1), "yes"),
        ({"limits": (4.0, 6.7)}, (3.0, 0.4), "no"),
        ({"limits": (4.0, 6.7)}, (3.0, 0.6), "within its error"),
        ({"value": 0.5}, (0.52, 0.001), "yes"),
        ({"value": 0.5}, (0.53, 0.001), "no"),
        ({"value": 0.5}, (0.53, 0.01), "within its error"),
    ],
)
def test_agreement(published, measured, agreement):
    figure = Measured(measured[0], None, measured[1], 50)
    assert Compared(Published("topic", "quantity", "name", "source", **published), figure).agreement == agreement


def test_the_command_writes_the_table(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(literature, "measure_scan", lambda seed, first: record_of(seed - first))
    assert main(["literature", "--count", "40", "--seed", "7", "--output", str(tmp_path)]) == 0
    with (tmp_path / "simulated_against_published.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    (recovery,) = [row for row in rows if row["quantity"].startswith("measured SBR over true")]
    assert (float(recovery["simulated"]), float(recovery["published_low"])) == (50, 45.6)
    assert (recovery["n"], recovery["agreement"]) == ("12", "yes")
    page = (tmp_path / "simulated_against_published.md").read_text()
    assert "`python -m DaTscanAILib literature --count 40 --seed 7 --output DIR`" in page
    answers = [f"| {one} |" for one in ("yes", "within its error", "no")]
    assert sum(page.count(one) for one in answers) == sum(row["comparable"] == "True" for row in rows)
    assert page.count("(not comparable) |") == sum(row["comparable"] == "False" for row in rows)
    assert len(capsys.readouterr().out.splitlines()) == len(rows)


def test_cells_of_the_page():
    topic = "Recovery"
    rows = [
        Compared(Published(topic, "a", "a", "S", 2.0, 0.25), Measured(2.1234, 0.3, 0.03, 20)),
        Compared(Published(topic, "b", "b", "S", limits=(4.0, 6.7), remark="R"), Measured(5.0, None, 0.5, 20)),
    ]
    page = page_text(rows, "COMMAND")
    assert "| a | 2 ± 0.25 | 2.12 ± 0.3 | 20 | yes | S |" in page
    assert "| b | 4 to 6.7 | 5 (4.02 to 5.98) | 20 | yes | S; R |" in page
    assert "Of 2 figures 2 are met, 0 within their error" in " ".join(page.split())
    assert table_text(rows).splitlines()[2] == "Recovery,b,,,4,6.7,5,,4.02,5.98,20,yes,True,S,R"


def test_the_committed_table_is_of_these_published_figures():
    with resource_path("Documentation", "simulated_against_published.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    expected = [(one.quantity, "" if one.value is None else f"{one.value:.4g}", one.source) for one in PUBLISHED]
    assert [(row["quantity"], row["published"], row["source"]) for row in rows] == expected
    page = resource_path("Documentation", "simulated_against_published.md").read_text()
    assert "python -m DaTscanAILib literature --count" in page
    for row in rows:
        assert row["quantity"] in page
