"""The simulator's claims one by one: laws of the camera, limits of the random draws, truth beside each scan."""

import csv
import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from camera_factory import AXIS, CAMERA, PIXEL, SIZE, cylinder
from scipy import ndimage

from DaTscanAILib.cli.main import main
from DaTscanAILib.mni.atlas import load_atlas
from DaTscanAILib.quantification.sbr import quantify
from DaTscanAILib.quantification.scaling import normalize
from DaTscanAILib.reading.scan import read_scan
from DaTscanAILib.reconstruction.filtered_back_projection import filtered_back_projection
from DaTscanAILib.reconstruction.projector import Projector
from DaTscanAILib.simulation import simulator
from DaTscanAILib.simulation.anatomy import Region, load_anatomy
from DaTscanAILib.simulation.cameras import FAMILIES, RECONSTRUCTIONS, draw_camera
from DaTscanAILib.simulation.disease import REDUCED_SHARES, draw_subtype, remaining_share
from DaTscanAILib.simulation.glands import draw_glands
from DaTscanAILib.simulation.head import Head
from DaTscanAILib.simulation.pose import Pose, draw_pose, rotation
from DaTscanAILib.simulation.recording import record, scatter
from DaTscanAILib.simulation.scanner_software import reconstruct_counts
from DaTscanAILib.simulation.simulator import Settings, simulate_scan
from DaTscanAILib.simulation.uptake import EXTRASTRIATAL_RATIO, Person, draw_person, draw_uptake

CAMERA = replace(CAMERA, scatter_ratio=0.3, penetration_ratio=0.02)


def width(profile):
    """Standard deviation in mm of a profile of counts along `AXIS`."""
    share = profile / profile.sum()
    return np.sqrt((share * AXIS**2).sum() - (share * AXIS).sum() ** 2)


# ---- projection


@pytest.mark.parametrize("mu", [0.011, 0.015])
def test_a_uniform_cylinder_is_attenuated_as_the_integral_says(mu):
    """Along a chord of length L the counts are (1 - exp(-mu L)) / mu."""
    radius = 90.0
    projections = Projector(CAMERA, SIZE, mu * cylinder(radius), resolve=False).project(cylinder(radius))
    profile = projections.mean(axis=0)[:, 0] * PIXEL
    inside = np.abs(AXIS) < 0.85 * radius
    chord = 2 * np.sqrt(radius**2 - AXIS[inside] ** 2)
    np.testing.assert_allclose(profile[inside], (1 - np.exp(-mu * chord)) / mu, rtol=0.02)


def test_opposite_views_differ_by_attenuation_alone():
    """A source 50 mm off the center of a cylinder: the ratio of its two views is exp(2 mu 50)."""
    mu, column = 0.013, SIZE // 2 + 12
    source = np.zeros((SIZE, SIZE, 1), np.float32)
    source[SIZE // 2, column] = 1
    near, far = Projector(CAMERA, SIZE, mu * cylinder(100), resolve=False).project(source, [0, 30]).sum(axis=(1, 2))
    assert near / far == pytest.approx(np.exp(2 * mu * AXIS[column]), rel=0.01)


def test_projection_is_linear():
    random = np.random.default_rng(1)
    first, second = random.random((2, SIZE, SIZE, 4), dtype=np.float32)
    projector = Projector(CAMERA, SIZE, 0.012 * cylinder(90, slices=4))
    views = [0, 13, 41]
    together = projector.project(2 * first + 0.5 * second, views)
    apart = 2 * projector.project(first, views) + 0.5 * projector.project(second, views)
    np.testing.assert_allclose(together, apart, rtol=1e-4)


def test_a_larger_radius_of_rotation_blurs_more():
    """At the center the distance to the detector is the radius: sigma = face + slope * radius in every view."""
    source = np.zeros((SIZE, SIZE, 33), np.float32)
    source[SIZE // 2 - 1 : SIZE // 2 + 1, SIZE // 2 - 1 : SIZE // 2 + 1, 16] = 1
    sharp = Projector(CAMERA, SIZE, None, resolve=False).project(source, [0])[0].sum(axis=1)
    for radius in (130.0, 180.0):
        seen = Projector(replace(CAMERA, radius=radius), SIZE, None).project(source, [0])[0].sum(axis=1)
        blur = np.sqrt(width(seen) ** 2 - width(sharp) ** 2 + PIXEL**2 / 6)  # less the rotation's mean blur
        assert blur == pytest.approx(CAMERA.resolution_at_face + CAMERA.resolution_slope * radius, rel=0.02)


def test_reconstructed_resolution_is_that_of_the_guidelines():
    """FWHM of a point in the middle after FBP, radius 150 mm: what cameras have, 8 to 14 mm."""
    source = np.zeros((SIZE, SIZE, 33), np.float32)
    source[SIZE // 2 - 1 : SIZE // 2 + 1, SIZE // 2 - 1 : SIZE // 2 + 1, 16] = 1
    image = filtered_back_projection(Projector(CAMERA, SIZE, None).project(source), PIXEL)
    profile = image[:, SIZE // 2 - 1 : SIZE // 2 + 1, 16].mean(axis=1)
    above = np.interp(np.arange(-40, 40, 0.1), AXIS, profile) > profile.max() / 2
    assert 8 < 0.1 * above.sum() < 14


def test_recorded_counts_are_poisson():
    """Over repetitions the variance of each pixel is its mean, and pixels are independent."""
    expected = 1 + 9 * np.random.default_rng(2).random((4, 20, 20))
    random = np.random.default_rng(3)
    counts = np.stack([record(expected, expected.sum(), random) for _ in range(400)])
    np.testing.assert_array_equal(counts, np.rint(counts))
    assert counts.mean() == pytest.approx(expected.mean(), rel=0.01)
    assert (counts.var(axis=0) / expected).mean() == pytest.approx(1, abs=0.02)
    neighbors = ((counts[..., 1:] - expected[..., 1:]) * (counts[..., :-1] - expected[..., :-1])).mean()
    assert abs(neighbors) < 0.02 * expected.mean()


def test_scatter_is_wide_penetration_flat_and_both_proportional():
    primary = np.zeros((2, SIZE, 61), np.float32)
    primary[:, SIZE // 2, 30] = 1000
    scattered = scatter(primary, CAMERA)
    assert width(scattered[0].sum(axis=1) - scattered[0, 0].sum()) > 25
    # Far from the source only penetration is left: the same everywhere.
    flat = CAMERA.penetration_ratio * primary[0].mean()
    np.testing.assert_allclose(scattered[0, :2, :2], flat, rtol=0.2)
    np.testing.assert_allclose(scatter(3 * primary, CAMERA), 3 * scattered, rtol=1e-5)
    # A source in the middle keeps nearly all its scatter within the projection.
    inside = scattered[0].sum() / primary[0].sum()
    assert inside == pytest.approx(CAMERA.scatter_ratio + CAMERA.penetration_ratio, rel=0.1)


# ---- reconstruction


@pytest.mark.parametrize("reconstruction", RECONSTRUCTIONS)
def test_every_reconstruction_gives_a_uniform_cylinder_with_its_corrections(reconstruction):
    """Without noise: corrected methods are level from rim to middle, uncorrected ones sag as attenuation wants."""
    mu = 0.011 * cylinder(90, slices=9)
    camera = replace(CAMERA, reconstruction=reconstruction, butterworth_cutoff=0.05, iterations=6)
    projector = Projector(camera, SIZE, mu)
    primary = projector.project(cylinder(90, slices=9))
    image = reconstruct_counts(primary, camera, projector, np.zeros_like(primary))[:, :, 4]
    distance = np.hypot(*np.meshgrid(AXIS, AXIS))
    middle, ring = image[distance < 20].mean(), image[(distance > 50) & (distance < 65)].mean()
    if "ac" in reconstruction.split("_") or reconstruction.endswith("chang"):
        assert middle / ring == pytest.approx(1, abs=0.1)
        assert middle == pytest.approx(1, abs=0.1)
    else:
        assert 0.55 < middle / ring < 0.85


def test_a_higher_count_gives_less_noise():
    """Relative noise of the image falls with the square root of the counts."""
    expected = Projector(CAMERA, SIZE, None).project(cylinder(90, slices=24))
    noise = {}
    for counts in (1e5, 4e5):
        image = filtered_back_projection(record(expected, counts, np.random.default_rng(4)), PIXEL)
        inside = image[cylinder(70, slices=24) == 1]
        noise[counts] = inside.std() / inside.mean()
    assert noise[1e5] / noise[4e5] == pytest.approx(2, rel=0.1)


# ---- the random draws keep their limits


def test_cameras_stay_within_the_stated_limits():
    random = np.random.default_rng(5)
    cameras = [draw_camera(random) for _ in range(600)]
    assert {camera.family for camera in cameras} == set(FAMILIES)
    assert {camera.reconstruction for camera in cameras} == set(RECONSTRUCTIONS)
    for name, low, high in (
        ("pixel", 3.0, 4.5),
        ("radius", 130, 180),
        ("counts", 0.7e6, 5.0e6),
        ("attenuation", 0.0105, 0.0135),
        ("views", 60, 128),
        ("butterworth_cutoff", 0.033, 0.07),
    ):
        values = np.array([getattr(camera, name) for camera in cameras])
        assert low <= values.min() <= values.max() <= high
        assert np.ptp(values) > 0.85 * (high - low)


def test_turns_stay_within_the_stated_limits():
    """The rotation nearest to each affine (polar decomposition), up to what shear adds."""
    random = np.random.default_rng(6)
    angles = {"usual": [], "wide": []}
    for kind, drawn in angles.items():
        for _ in range(400):
            u, _, v = np.linalg.svd(draw_pose(65.0, random, kind=kind).scanner_from_mni[:3, :3])
            turn = u @ v
            about = np.arctan2(turn[2, 1], turn[2, 2]), -np.arcsin(turn[2, 0]), np.arctan2(turn[1, 0], turn[0, 0])
            drawn.append(np.abs(np.rad2deg(about)))
    largest = np.max(angles["wide"], axis=0)
    assert ((0.9 * np.array((35, 15, 30)) < largest) & (largest < np.array((38, 18, 33)))).all()
    # DaT-Park: yaw beyond 5 degrees in 32 % of routine scans, up to 30.
    yaw = np.array(angles["usual"])[:, 2]
    assert (yaw > 5).mean() == pytest.approx(0.32, abs=0.08)
    assert yaw.max() > 20


def test_rotation_turns_the_way_it_says():
    np.testing.assert_allclose(rotation(90, 0, 0) @ (0, 1, 0), (0, 0, 1), atol=1e-12)
    np.testing.assert_allclose(rotation(0, 90, 0) @ (0, 0, 1), (1, 0, 0), atol=1e-12)
    np.testing.assert_allclose(rotation(0, 0, 90) @ (1, 0, 0), (0, 1, 0), atol=1e-12)


def test_brains_shrink_with_age_inside_the_skull():
    scale = {
        age: np.mean([draw_pose(age, random).head_scale for random in map(np.random.default_rng, range(200))])
        for age in (50.0, 85.0)
    }
    assert scale[85.0] - scale[50.0] == pytest.approx(0.0005 * 35, abs=0.004)
    assert scale[50.0] >= 1


def test_subtypes_are_drawn_with_the_clinics_shares():
    random = np.random.default_rng(7)
    drawn = Counter(draw_subtype("reduced", random) for _ in range(4000))
    for subtype, share in REDUCED_SHARES.items():
        assert drawn[subtype] / 4000 == pytest.approx(share, abs=0.025)
    assert sum(REDUCED_SHARES.values()) == pytest.approx(1)
    assert draw_subtype("borderline", random) == "borderline"


@pytest.mark.parametrize("symmetric", [False, True])
def test_the_posterior_putamen_goes_first_and_nothing_comes_back(symmetric):
    for progression in np.arange(0.05, 2.5, 0.05):
        posterior, anterior, caudate = (
            remaining_share(part, progression, symmetric)
            for part in ("posterior_putamen", "anterior_putamen", "caudate")
        )
        assert posterior < anterior < caudate <= 1 or progression > 1.5
        for part in ("posterior_putamen", "anterior_putamen", "caudate", "accumbens"):
            assert remaining_share(part, progression + 0.05, symmetric) < remaining_share(
                part, progression, symmetric
            )
    assert remaining_share("caudate", 0.0, symmetric) == 1


def test_persons_are_those_of_the_papers():
    """67.5 +- 11.2 years, either sex."""
    random = np.random.default_rng(8)
    persons = [draw_person(random) for _ in range(2000)]
    ages = np.array([person.age for person in persons])
    assert ages.mean() == pytest.approx(67.5, abs=1)
    assert ages.std() == pytest.approx(11.2, abs=1)
    assert np.mean([person.sex == "F" for person in persons]) == pytest.approx(0.5, abs=0.05)


def test_extrastriatal_losses_are_those_of_the_table():
    """At full disease each region has lost the share that the table states, on average."""
    random = np.random.default_rng(9)
    person = Person(65.0, "M")
    burst = replace(_degeneration("burst", random), progression=(1.0, 1.0))
    normal = _degeneration("normal", random)
    mean = {
        case: np.mean([list(_extrastriatal(draw_uptake(person, degeneration, random))) for _ in range(1500)], axis=0)
        for case, degeneration in (("burst", burst), ("normal", normal))
    }
    losses = [loss for _, loss in EXTRASTRIATAL_RATIO.values()]
    np.testing.assert_allclose(1 - mean["burst"] / mean["normal"], losses, atol=0.03)


def _degeneration(subtype, random):
    from DaTscanAILib.simulation.disease import draw_degeneration

    return draw_degeneration(subtype, random)


def _extrastriatal(uptake):
    return (uptake.specific_ratio[region.name.lower()] for region in EXTRASTRIATAL_RATIO)


# ---- whole scans


@pytest.fixture(scope="module")
def head():
    random = np.random.default_rng(10)
    uptake = draw_uptake(Person(65.0, "M"), _degeneration("normal", random), random)
    pose = Pose(np.eye(4), 1.0, 1.0)
    return Head(load_anatomy("icbm152"), uptake, draw_glands(random), pose, random)


def test_a_head_on_another_grid_holds_the_same_activity(head):
    """Sampling keeps the integral: of coarse and of fine voxels."""
    total = {}
    for spacing in (3.0, 4.5):
        size = int(240 / spacing)
        half = (size - 1) / 2 * spacing
        grid = np.diag([spacing, spacing, spacing, 1.0])
        grid[:3, 3] = -half
        activity, outline = head.sample(grid, (size,) * 3, antialias=0.3 * spacing)
        total[spacing] = (activity.sum() * spacing**3, outline.sum() * spacing**3)
        assert 0 <= outline.min() <= outline.max() <= 1 + 1e-5
    np.testing.assert_allclose(total[3.0], total[4.5], rtol=0.01)


def test_after_a_movement_the_truth_is_the_mean_position(head):
    """The center of all counts moves by the stated drift, up to what views see of the movement across themselves."""
    camera = replace(CAMERA, reconstruction="fbp_shepp_logan", counts=1e9, attenuation=1e-6, pixel=4.4)
    centers, drifts = [], []
    for moved in (0.0, 7.0):
        image, _, _, drift = simulator.acquire(head, camera, moved, (-90.0, 100.0), np.random.default_rng(11))
        centers.append(np.array(ndimage.center_of_mass(image.sum(axis=2))) * camera.pixel)
        drifts.append(drift)
    assert (drifts[0] == 0).all()
    assert 2 < np.linalg.norm(drifts[1][:2]) < 7
    np.testing.assert_allclose(centers[1] - centers[0], drifts[1][:2], atol=1.0)


def test_less_binding_shows_as_less_sbr():
    """The same head, camera and noise: only the severity differs; SBR falls with it on the affected side."""
    atlas, sbr = load_atlas(), []
    for subtype in ("normal", "one_putamen", "burst"):
        scan = simulate_scan(31, Settings(families=("papers",), anatomies=("icbm152",), subtype=subtype, label="x"))
        normalized = normalize(scan.voxels, scan.affine, scan.pose.scanner_from_mni, atlas)
        numbers = quantify(normalized, atlas).sbr
        sbr.append(min(numbers["putamen_left"], numbers["putamen_right"]))
    assert sbr[0] > 1.3 * sbr[1] > 2 * sbr[2] > 0


def simulate(folder, count, workers):
    arguments = ["simulate", "--seed", "61", "--families", "papers", "--output", str(folder)]
    assert main([*arguments, "--count", str(count), "--workers", str(workers)]) == 0


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cohort")
    simulate(folder, 2, workers=2)
    return folder


def test_the_truth_lies_beside_each_scan(cohort):
    with (cohort / "manifest.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["case"] for row in rows] == ["sim000061", "sim000062"]
    ratios = {region.name.lower() for region in Region if region >= Region.CAUDATE_L}
    for row in rows:
        truth = json.loads((cohort / f"{row['case']}.json").read_text())
        stated = (truth["label"], truth["subtype"], truth["camera"]["family"])
        assert (row["label"], row["subtype"], row["site"]) == stated
        assert set(truth["true_specific_ratio"]) == ratios
        scan = read_scan(cohort / row["scan"])
        # The middle of the true brain lies in the image and holds counts.
        place = np.linalg.inv(scan.affine) @ np.array(truth["scanner_from_mni_ras"]) @ (0, -18, 8, 1)
        assert scan.voxels[tuple(np.rint(place[:3]).astype(int))] > 0


def test_an_interrupted_cohort_is_finished_the_same_by_any_number_of_workers(cohort, tmp_path):
    simulate(tmp_path, 1, workers=1)
    truth = (tmp_path / "sim000061.json").read_text()
    assert truth == (cohort / "sim000061.json").read_text()
    (tmp_path / "sim000061.json").write_text(truth.replace('"subtype": "', '"subtype": "kept '))
    simulate(tmp_path, 2, workers=1)
    rows = (tmp_path / "manifest.csv").read_text().splitlines()
    assert ",kept " in rows[1]
    assert rows[2] == (cohort / "manifest.csv").read_text().splitlines()[2]
    for name in ("sim000061.nii.gz", "sim000062.nii.gz", "sim000062.json"):
        assert (tmp_path / name).read_bytes() == (cohort / name).read_bytes()
