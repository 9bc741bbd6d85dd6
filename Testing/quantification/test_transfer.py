"""Normals of one camera for another: known laws between cameras are found, and their doubt is kept."""

import numpy as np
import pytest
from normals_factory import FINGERPRINT, MEANS, database_of_people, people, values_of

from DaTscanAILib.quantification.hottest_voxels import HOTTEST_VOLUME_ML
from DaTscanAILib.quantification.measures import SIDED
from DaTscanAILib.quantification.site_fingerprint import site_fingerprint
from DaTscanAILib.quantification.transfer import matched_conversion, paired_conversion, transferred

INTERCEPT, SLOPE = 0.3, 1.4


def test_a_line_through_people_seen_by_both_cameras():
    random = np.random.default_rng(0)
    true = random.uniform(0.5, 3.0, (20, 1)) * np.ones(2)
    old = true + random.normal(0, 0.05, true.shape)
    new = INTERCEPT + SLOPE * true + random.normal(0, 0.05, true.shape)
    found = paired_conversion(old, new, middle=2.0)
    assert found.slope == pytest.approx(SLOPE, abs=0.08)
    assert found(2.0) == pytest.approx(INTERCEPT + SLOPE * 2.0, abs=0.06)
    assert 0.005 < found.uncertainty < 0.05


def test_errors_in_both_do_not_flatten_the_line():
    """Least squares of new on old would find 1.4 * 0.5 / (0.5 + 0.1)."""
    random = np.random.default_rng(1)
    true = random.normal(2, np.sqrt(0.5), (4000, 2))
    noisy = [factor * true + random.normal(0, np.sqrt(0.1), true.shape) for factor in (1.0, 1.0)]
    assert paired_conversion(*(part[:300] for part in noisy), middle=2.0).slope == pytest.approx(1.0, abs=0.07)


def test_the_doubt_of_the_line_is_right():
    """The stated uncertainty is the spread of the converted value over many pairs of samples."""
    values, stated = [], []
    for seed in range(60):
        random = np.random.default_rng(seed)
        true = random.uniform(1.0, 3.0, (12, 1)) * np.ones(2)
        old, new = (true + random.normal(0, 0.1, true.shape) for _ in range(2))
        found = paired_conversion(old, new, middle=2.0)
        values.append(found(2.0))
        stated.append(found.uncertainty)
    assert np.mean(stated) == pytest.approx(np.std(values), rel=0.3)


def converted(count, seed=3):
    """The database for a camera that shows 1.4 times as much, by matched normals."""
    random, database = np.random.default_rng(seed), database_of_people()
    group = [(age, sex, values_of(random, age, sex, camera=SLOPE)) for age, sex in people(random, count)]
    conversions = {}
    for nucleus in HOTTEST_VOLUME_ML:
        line = database.regressions[nucleus]
        expected = np.array([line.expected(age, sex).mean for age, sex, _ in group])
        new = np.array([[values[key] for key in SIDED[nucleus]] for *_, values in group])
        conversions[nucleus] = matched_conversion(expected, new, line.mean)
    return transferred(database, conversions, site_fingerprint([FINGERPRINT]), "Camera B", "Converted.")


def test_matched_groups_give_the_cameras_ratio():
    database = converted(40)
    old = database_of_people()
    for nucleus, mean in MEANS.items():
        ratio = database.regressions[nucleus].level / old.regressions[nucleus].level
        assert ratio == pytest.approx(SLOPE, rel=0.1), mean
    assert database.history == ("Converted.",)
    assert database.name == "Camera B"


def test_other_normals_of_the_new_camera_fit_the_transferred_database():
    means, spreads = [], []
    for seed in range(12):
        database, random = converted(20, seed), np.random.default_rng(500 + seed)
        z = [
            database.expected("putamen_left", age, sex).z(values_of(random, age, sex, camera=SLOPE)["putamen_left"])
            for age, sex in people(random, 60)
        ]
        means.append(np.mean(z))
        spreads.append(np.std(z))
    assert np.mean(means) == pytest.approx(0, abs=0.2)
    assert np.mean(spreads) == pytest.approx(1, abs=0.15)


def test_few_matched_scans_widen_the_limits():
    few, many = converted(10), converted(60)
    assert few.added_deviation["putamen"] > many.added_deviation["putamen"] > 0
