"""Databases of normals: z-scores with the right law, files that come back, scans that do not fit."""

import json
from dataclasses import replace

import numpy as np
import pytest
from normals_factory import FINGERPRINT, database_of_people, people, values_of
from scipy.stats import norm, t

from DaTscanAILib.base.errors import DaTscanError
from DaTscanAILib.quantification.against_normals import against_normals
from DaTscanAILib.quantification.leave_one_out import leave_one_out
from DaTscanAILib.quantification.measures import KEYS, measures_of
from DaTscanAILib.quantification.normal_graphs import GRAPHS, Visit, normal_graphs
from DaTscanAILib.quantification.normals import normals_text, read_normals
from DaTscanAILib.quantification.site_fingerprint import same_camera, site_fingerprint


def z_scores(database, count, factor=1.0, seed=99):
    random = np.random.default_rng(seed)
    found = []
    for age, sex in people(random, count):
        values = values_of(random, age, sex, factor)
        found.append([database.expected(key, age, sex).z(values[key]) for key in KEYS])
    return np.array(found)


def test_other_normals_of_the_camera_have_mean_0_and_spread_1():
    """Over sites of 30; one site's mean strays by 0.18, which is what 30 normals can carry."""
    means, spreads, low = [], [], []
    for seed in range(16):
        z = z_scores(database_of_people(seed), 60, seed=1000 + seed)
        means.append(z.mean(axis=0))
        spreads.append(z.std(axis=0))
        low.append((z[:, :6] < -1.645).mean())
    assert np.abs(np.mean(means, axis=0)).max() < 0.15
    assert np.abs(np.mean(spreads, axis=0) - 1).max() < 0.15
    assert np.mean(low) == pytest.approx(0.05, abs=0.03)
    assert np.std([mean[2] for mean in means]) == pytest.approx(np.sqrt(1 / 30 + 1 / 60), abs=0.1)


def test_lost_binding_is_found():
    z = z_scores(database_of_people(), 60, factor=0.5)
    putamen = KEYS.index("putamen_left")
    assert (z[:, putamen] < -1.645).mean() >= 0.95


def test_leave_one_out_says_what_other_normals_say():
    found = leave_one_out(database_of_people(count=40))
    for name in ("caudate", "putamen", "striatum"):
        assert found[name].mean == pytest.approx(0, abs=0.15)
        assert found[name].spread == pytest.approx(1, abs=0.25)
    lowered = database_of_people(count=40)
    bad = replace(lowered.cases[7], values={key: 0.4 * value for key, value in lowered.cases[7].values.items()})
    found = leave_one_out(replace(lowered, cases=(*lowered.cases[:7], bad, *lowered.cases[8:])))
    assert found["putamen"].row == bad.row
    assert found["putamen"].lowest < -3


def test_each_measure_has_z_percent_and_percentile():
    database = database_of_people()
    age, sex = 70.0, "F"
    expected = database.expected("putamen_left", age, sex)
    values = values_of(np.random.default_rng(0), age, sex) | {"putamen_left": expected.mean / 2}
    entry = against_normals(values, age, sex, FINGERPRINT, database).measures["putamen_left"]
    assert entry["z"] == pytest.approx(norm.ppf(t.cdf(np.log(0.5) / expected.deviation, expected.degrees)))
    assert entry["percentile"] == pytest.approx(100 * norm.cdf(entry["z"]))
    assert entry["percent_deviation"] == pytest.approx(-50)
    assert 0 < entry["percentile"] < 1
    assert entry["limits_97"][0] < entry["limits_90"][0] < entry["expected"] < entry["limits_90"][1]
    missing = against_normals(values | {"putamen_left": None}, age, sex, FINGERPRINT, database)
    assert missing.z["putamen_left"] is None
    assert missing.z["putamen_right"] is not None


def test_asymmetry_is_signed_and_its_percentile_is_of_its_size():
    quantification = {
        "sbr": {
            f"{n}_{s}": {"left": 1.0, "right": 2.0}[s]
            for n in ("caudate", "putamen", "striatum")
            for s in ("left", "right")
        },
        "caudate_putamen_ratio": {"left": 1.0, "right": 1.0},
        "asymmetry_percent": {"putamen": 200 / 3, "caudate": None},
    }
    values = measures_of(quantification)
    assert values["asymmetry_putamen"] == pytest.approx(-200 / 3)
    assert values["asymmetry_caudate"] is None
    entry = against_normals(values, 70, "M", FINGERPRINT, database_of_people()).measures["asymmetry_putamen"]
    assert entry["z"] < -5
    assert entry["percentile"] > 99
    assert entry["percent_deviation"] is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"stated": {**FINGERPRINT.stated, "model": "Camera B"}}, "its camera is Camera B, the normals' Camera A"),
        ({"corrections": "none"}, "its corrections is none, the normals' ATTN"),
        ({"voxel_mm": (2.0, 2.0, 2.0)}, "voxels are 2.00 x 2.00 x 2.00 mm, the normals' 3.90 mm"),
        ({"smoothness_mm": 16.0}, "its smoothness is 16.0 mm"),
        ({"smoothness_mm": 10.5}, "its smoothness is 10.5 mm"),
        ({"middle_to_rim": -0.2}, "another attenuation correction"),
    ],
)
def test_a_foreign_camera_gets_no_z_but_the_reason(change, words):
    values = values_of(np.random.default_rng(0), 70, "F")
    compared = against_normals(values, 70, "F", replace(FINGERPRINT, **change), database_of_people())
    assert compared.z is None
    assert words in compared.why_not
    assert compared.to_json()["fits"] is False


def test_a_site_tells_attenuation_correction_more_finely_than_two_scans_do():
    """One camera spreads by 0.03: 0.1 from the mean of many is another correction, of two scans it may be none."""
    many = site_fingerprint([replace(FINGERPRINT, middle_to_rim=value) for value in (-0.02, 0.0, 0.02)])
    assert many.misfits(replace(FINGERPRINT, middle_to_rim=-0.07)) == []
    other = replace(FINGERPRINT, middle_to_rim=-0.1)
    assert "another attenuation correction" in many.misfits(other)[0]
    assert same_camera(FINGERPRINT, other) == []
    assert same_camera(FINGERPRINT, replace(FINGERPRINT, middle_to_rim=-0.13)) != []


def test_lost_binding_may_look_smoother():
    """OSEM has not converged where little is bound: up to 4 mm more are the same camera."""
    database = database_of_people()
    reduced = replace(FINGERPRINT, smoothness_mm=16.5, contrast=0.5)
    assert database.fingerprint.misfits(reduced) == []
    assert database.fingerprint.misfits(replace(reduced, contrast=FINGERPRINT.contrast)) != []


@pytest.mark.parametrize(("age", "words"), [(None, "age is not known"), (20.0, "20 years old"), (101.0, "101 years")])
def test_ages_that_the_normals_cannot_speak_of(age, words):
    values = values_of(np.random.default_rng(0), 70, "F")
    compared = against_normals(values, age, "F", FINGERPRINT, database_of_people())
    assert compared.z is None
    assert words in compared.why_not


def test_what_the_reader_should_know_is_noted():
    values = values_of(np.random.default_rng(0), 70, None)
    database = database_of_people(simulated=True)
    bare = replace(FINGERPRINT, stated={}, corrections=None)
    notes = " ".join(against_normals(values, 90, None, bare, database).notes)
    for words in (
        "are simulated",
        "does not state camera's maker, camera, reconstruction, corrections",
        "sex is not",
    ):
        assert words in notes
    assert "extrapolated" in notes
    assert "confirm that camera and reconstruction are theirs" in notes
    assert "no patients" in database.source
    assert against_normals(values, 70, "F", FINGERPRINT, database_of_people()).notes == ()


def test_normals_whose_headers_state_no_camera_ask_the_reader_for_it():
    """Nothing but measurements can refuse another camera then, and many are alike by these."""
    values = values_of(np.random.default_rng(0), 70, "F")
    bare = replace(FINGERPRINT, stated={}, corrections=None)
    for simulated, count in ((False, 1), (True, 0)):
        database = database_of_people(fingerprint=site_fingerprint([bare]), simulated=simulated)
        for scan in (bare, FINGERPRINT):
            notes = [note for note in against_normals(values, 70, "F", scan, database).notes if "confirm" in note]
            assert len(notes) == count
            assert all("headers of the normals Camera A state no camera" in note for note in notes)


def test_normals_without_ages_expect_the_same_at_any_age():
    database = database_of_people()
    ageless = replace(database, cases=tuple(replace(case, age=None) for case in database.cases))
    assert ageless.expected("putamen_left", 50, "F") == ageless.expected("putamen_left", 80, "F")
    assert against_normals(values_of(np.random.default_rng(0), 70, "F"), None, "F", FINGERPRINT, ageless).z
    assert not normal_graphs(ageless)[0].with_ages


def test_a_written_database_comes_back(tmp_path):
    database = database_of_people(common_smoothness_mm=15.0, added_deviation={"putamen": 0.1}, history=("Moved.",))
    (tmp_path / "normals.json").write_text(normals_text(database), encoding="utf-8")
    for place in (tmp_path, tmp_path / "normals.json"):
        again = read_normals(place)
        assert again.fingerprint == database.fingerprint
        assert again.added_deviation == database.added_deviation
        assert again.history == ("Moved.",)
        expected = database.expected("putamen_left", 70, "F")
        assert again.expected("putamen_left", 70, "F").mean == pytest.approx(expected.mean, abs=1e-3)
        assert again.expected("putamen_left", 70, "F").deviation == pytest.approx(expected.deviation, abs=1e-3)
    content = json.loads((tmp_path / "normals.json").read_text())
    assert content["scans"] == 30
    assert content["expected"]["putamen"]["slope_per_year"] == pytest.approx(-0.006 * 2.2, abs=0.015)


def test_added_deviation_widens_the_limits():
    plain, wide = database_of_people(), database_of_people(added_deviation={"putamen": 0.3})
    one, other = (database.expected("putamen_left", 70, "F").deviation for database in (plain, wide))
    assert other == pytest.approx(np.hypot(one, 0.3 / plain.expected("putamen_left", 70, "F").mean))
    assert wide.expected("caudate_left", 70, "F") == plain.expected("caudate_left", 70, "F")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": "x"}', '{"format": null}'])
def test_a_damaged_database_is_said_to_be(tmp_path, text):
    path = tmp_path / "normals.json"
    path.write_text(text)
    with pytest.raises(DaTscanError, match="cannot be read as a database of normals"):
        read_normals(path)


def test_fewer_than_twenty_are_no_database(tmp_path):
    path = tmp_path / "normals.json"
    path.write_text(normals_text(database_of_people(count=19)))
    with pytest.raises(DaTscanError, match="build it again"):
        read_normals(path)
    with pytest.raises(DaTscanError, match="is no database of normals"):
        read_normals(tmp_path / "elsewhere")


def test_graphs_hold_the_normals_their_curves_and_the_patient():
    database = database_of_people()
    values = values_of(np.random.default_rng(0), 70, "F")
    former = {key: 1.2 * value for key, value in values.items()}
    graphs = normal_graphs(database, (Visit(66.0, former), Visit(70.0, values)), "F")
    assert [graph.name for graph in graphs] == list(GRAPHS)
    putamen = graphs[1]
    assert len(putamen.normal_values) == 60
    assert putamen.visits[-1] == (70.0, values["putamen_right"], values["putamen_left"])
    assert putamen.visits[0][0] == 66.0
    place = int(np.argmin(np.abs(putamen.ages - 70)))
    expected = database.expected("putamen_left", putamen.ages[place], "F")
    assert putamen.mean[place] == pytest.approx(expected.mean)
    assert [curve[place] for curve in putamen.limits[97]] == pytest.approx(expected.limits(97))
