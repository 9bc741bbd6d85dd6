"""The simulator: conservation laws, analytic attenuation and resolution, published losses, determinism."""

import numpy as np
import pytest
from camera_factory import CAMERA, PIXEL, SIZE, cylinder
from scipy import ndimage

from DaTscanAILib.mni.atlas import GRID_AFFINE, GRID_SHAPE, load_atlas
from DaTscanAILib.mni.geometry import apply_affine, resample
from DaTscanAILib.reconstruction.butterworth import butterworth
from DaTscanAILib.reconstruction.chang import chang_factors
from DaTscanAILib.reconstruction.filtered_back_projection import filtered_back_projection
from DaTscanAILib.reconstruction.osem import osem
from DaTscanAILib.reconstruction.projector import Projector
from DaTscanAILib.simulation.anatomy import Region, load_anatomy
from DaTscanAILib.simulation.cameras import FAMILIES
from DaTscanAILib.simulation.disease import TYPICAL_SHARES, draw_degeneration, remaining_share
from DaTscanAILib.simulation.head import Head
from DaTscanAILib.simulation.pose import Pose, draw_pose
from DaTscanAILib.simulation.recording import record, scatter
from DaTscanAILib.simulation.simulator import Settings, simulate_scan
from DaTscanAILib.simulation.uptake import Person, draw_uptake

# ---- projection


def test_projection_keeps_the_counts():
    """Without attenuation every view sees the whole activity."""
    activity = cylinder(40, (30, -20), 9)
    activity[:, :, :3] = activity[:, :, -3:] = 0
    total = Projector(CAMERA, SIZE, None).project(activity).sum(axis=(1, 2))
    np.testing.assert_allclose(total, activity.sum(), rtol=2e-3)


def test_back_projection_is_the_transpose_of_projection():
    random = np.random.default_rng(1)
    projector = Projector(CAMERA, SIZE, 0.012 * cylinder(90, slices=5))
    views = [3, 17, 44]
    image = random.random((SIZE, SIZE, 5), dtype=np.float32)
    views_data = random.random((3, SIZE, 5), dtype=np.float32)
    forward = np.vdot(projector.project(image, views), views_data)
    backward = np.vdot(image, projector.back_project(views_data, views))
    assert forward == pytest.approx(backward, rel=1e-5)


def test_attenuation_at_the_center_of_a_cylinder():
    """From the center of a disk of radius R all views lose the same: exp(-mu R)."""
    mu, radius = 0.015, 92.0
    source = cylinder(12)
    seen = (
        Projector(CAMERA, SIZE, mu * cylinder(radius), resolve=False).project(source).sum(axis=(1, 2)) / source.sum()
    )
    np.testing.assert_allclose(seen, np.exp(-mu * radius), rtol=0.02)


@pytest.mark.parametrize("depth", [-60.0, 0.0, 60.0])
def test_resolution_falls_with_distance(depth):
    """View 0 looks along the columns: a point at `depth` shows the collimator's own width there."""
    column = round((SIZE - 1) / 2 + depth / PIXEL)
    point = np.zeros((SIZE, SIZE, 33), np.float32)
    point[SIZE // 2, column, 16] = 1
    profile = Projector(CAMERA, SIZE, None).project(point, [0])[0]
    u = np.arange(SIZE) * PIXEL
    across = profile.sum(axis=1) / profile.sum()
    sigma = np.sqrt((across * u**2).sum() - (across * u).sum() ** 2)
    distance = CAMERA.radius - (column - (SIZE - 1) / 2) * PIXEL
    # The sum holds the rotation's own mean blur of 1/6 pixel squared, of which view 0 has none.
    expected = np.sqrt(CAMERA.sigma(distance) ** 2 - PIXEL**2 / 6)
    assert sigma == pytest.approx(expected, rel=0.02)


def test_fwhm_at_10_cm_is_that_of_a_high_resolution_collimator():
    assert 2.355 * CAMERA.sigma(100.0) == pytest.approx(7.8, abs=0.5)


def test_recorded_counts_are_the_wanted_ones():
    expected = Projector(CAMERA, SIZE, None).project(cylinder(80, slices=4))
    counts = record(expected, 1e6, np.random.default_rng(2))
    assert counts.sum() == pytest.approx(1e6, rel=0.005)
    assert np.var(counts[expected > 0] - expected[expected > 0] * 1e6 / expected.sum()) == pytest.approx(
        (expected[expected > 0] * 1e6 / expected.sum()).mean(), rel=0.03
    )


def test_scatter_and_penetration_have_the_stated_ratio():
    primary = Projector(CAMERA, SIZE, None).project(cylinder(40, slices=41))
    primary[:, :, :18] = primary[:, :, -18:] = 0
    ratio = scatter(primary, CAMERA).sum() / primary.sum()
    # Wide tails leave the projection's edge.
    assert ratio == pytest.approx(CAMERA.scatter_ratio + CAMERA.penetration_ratio, rel=0.12)


# ---- reconstruction


def test_filtered_back_projection_gives_the_disk_back():
    activity = cylinder(80)
    image = filtered_back_projection(Projector(CAMERA, SIZE, None, resolve=False).project(activity), PIXEL)
    inside = cylinder(64)[:, :, 0] == 1
    assert image[inside].mean() == pytest.approx(1.0, rel=0.02)
    assert image[(cylinder(120) - cylinder(96))[:, :, 0] > 0].mean() == pytest.approx(0.0, abs=0.02)


def test_filtered_back_projection_keeps_places():
    activity = cylinder(14, (40, -60), slices=3)
    image = filtered_back_projection(Projector(CAMERA, SIZE, None).project(activity), PIXEL)[:, :, 1]
    image[image < 0.3 * image.max()] = 0
    center = (np.array(ndimage.center_of_mass(image)) - (SIZE - 1) / 2) * PIXEL
    np.testing.assert_allclose(center, (40, -60), atol=1.0)


def test_chang_factors_of_a_cylinder():
    """At the center all directions lose exp(-mu R)."""
    factors = chang_factors(cylinder(92) > 0.5, PIXEL, 0.011)
    middle = factors[SIZE // 2 - 1 : SIZE // 2 + 1, SIZE // 2 - 1 : SIZE // 2 + 1]
    np.testing.assert_allclose(middle, np.exp(0.011 * 92), rtol=0.03)
    assert factors[0, 0, 0] == 1


def test_osem_with_attenuation_correction_recovers_the_cylinder():
    mu = 0.013 * cylinder(92, slices=3)
    projector = Projector(CAMERA, SIZE, mu, remember=True)
    image = osem(projector.project(cylinder(80, slices=3)), projector, iterations=6, subsets=6)
    assert image.min() >= 0
    assert image[:, :, 1][cylinder(60)[:, :, 0] == 1].mean() == pytest.approx(1.0, rel=0.02)


def test_butterworth_halves_the_power_at_its_cutoff():
    cutoff = 30 / (2 * 80 * PIXEL)
    wave = np.cos(2 * np.pi * cutoff * (np.arange(80) + 0.5) * PIXEL)[:, None, None] * np.ones((1, 4, 4))
    filtered = butterworth(wave, PIXEL, cutoff, order=5)
    assert filtered.std() / wave.std() == pytest.approx(np.sqrt(0.5), rel=1e-3)
    assert butterworth(np.ones((8, 8, 8)), PIXEL, 0.05, 5) == pytest.approx(np.ones((8, 8, 8)), abs=1e-6)


def test_butterworth_is_fouriers_away_from_the_ends_and_lets_no_end_shine_through_the_other():
    image = np.zeros((32, 32, 64))
    image[16, 16, 32] = image[16, 16, 1] = 1000.0
    filtered = butterworth(image, PIXEL, 0.05, 5)
    squared = sum(np.meshgrid(*[np.fft.fftfreq(n, PIXEL) ** 2 for n in image.shape], indexing="ij", sparse=True))
    by_fourier = np.fft.ifftn(np.fft.fftn(image) / np.sqrt(1 + (squared / 0.05**2) ** 5)).real
    assert filtered[..., 24:40] == pytest.approx(by_fourier[..., 24:40], abs=0.05)
    assert by_fourier[16, 16, -1] > 10
    assert abs(filtered[16, 16, -1]) < 0.05
    assert filtered.sum() == pytest.approx(image.sum(), rel=1e-5)


# ---- disease, uptake, anatomy


def test_losses_of_early_disease_are_the_published_ones():
    """Guttman 1997, worse side of early disease: posterior putamen -56, anterior -28, caudate -12 %."""
    loss = {part: 1 - remaining_share(part, 0.32) for part in ("posterior_putamen", "anterior_putamen", "caudate")}
    assert loss["posterior_putamen"] == pytest.approx(0.56, abs=0.03)
    assert loss["anterior_putamen"] == pytest.approx(0.28, abs=0.04)
    assert loss["caudate"] == pytest.approx(0.12, abs=0.05)


@pytest.mark.parametrize("subtype", ["normal", "borderline", *TYPICAL_SHARES])
def test_subtypes(subtype):
    random = np.random.default_rng(3)
    for _ in range(50):
        case = draw_degeneration(subtype, random)
        if subtype == "normal":
            assert (case.severity, case.label) == (0, "normal")
            continue
        assert all(case.remaining["posterior_putamen", side] <= case.remaining["caudate", side] for side in "LR")
        if subtype == "borderline":
            assert 0.2 < case.severity < 0.52
        else:
            assert case.label == "reduced"
            assert case.severity > 0.5
    sides = {np.argmax(draw_degeneration("one_putamen", random).progression) for _ in range(30)}
    assert sides == {0, 1}


def mean_uptake(ratio, **person):
    random = np.random.default_rng(4)
    normal = draw_degeneration("normal", random)
    return np.mean([draw_uptake(Person(**person), normal, random).specific_ratio[ratio] for _ in range(400)])


def test_age_sex_and_medication():
    young, old = (mean_uptake("posterior_putamen_l", age=age, sex="M") for age in (50.0, 80.0))
    reference = mean_uptake("posterior_putamen_l", age=65.0, sex="M")
    assert (young - old) / reference / 3 == pytest.approx(0.055, abs=0.01)  # 4 to 6.7 % a decade
    assert mean_uptake("posterior_putamen_l", age=65.0, sex="F") / reference == pytest.approx(1.08, abs=0.02)
    thalamus = [mean_uptake("thalamus", age=65.0, sex="M", ssri=ssri) for ssri in (False, True)]
    assert 0.4 < thalamus[1] / thalamus[0] < 0.75


def test_extrastriatal_loss_can_be_switched_off():
    random = np.random.default_rng(5)
    case = draw_degeneration("both_putamina", random)
    person = Person(65.0, "M")
    mean = {
        loss: np.mean(
            [draw_uptake(person, case, random, extrastriatal_loss=loss).specific_ratio["insula"] for _ in range(300)]
        )
        for loss in (True, False)
    }
    assert mean[False] == pytest.approx(0.17, rel=0.05)
    assert mean[True] < 0.92 * mean[False]


@pytest.mark.parametrize("name", ["colin27", "icbm152"])
def test_anatomies_have_human_volumes(name):
    anatomy = load_anatomy(name)
    volume = {region: (anatomy.codes == region).sum() / 1000 for region in Region}
    for side in "LR":
        assert 5.5 < volume[Region[f"CAUDATE_{side}"]] < 7.5
        assert 6.8 < volume[Region[f"ANTERIOR_PUTAMEN_{side}"]] + volume[Region[f"POSTERIOR_PUTAMEN_{side}"]] < 9.5
        x = anatomy.mean_position(Region[f"POSTERIOR_PUTAMEN_{side}"])[0]
        assert (x < -24) if side == "L" else (x > 24)
    assert volume[Region.MIDBRAIN] + volume[Region.PONS] + volume[Region.MEDULLA] == pytest.approx(38, abs=5)


def test_the_deformation_has_no_affine_part():
    """So that the stated affine is the true one: what remains moves the landmarks, but not on average."""
    random = np.random.default_rng(6)
    person = Person(65.0, "M")
    uptake = draw_uptake(person, draw_degeneration("normal", random), random)
    head = Head(load_anatomy("colin27"), uptake, [], Pose(np.eye(4), 2.0, 1.0), random)
    inside = head.cover[::4, ::4, ::4] > 0.5
    design = np.column_stack([np.ones(inside.sum()), *np.nonzero(inside)])
    for field in head.deformation:
        part = field[tuple(slice(0, n) for n in inside.shape)][inside]
        assert 0.5 < part.std() < 4
        coefficients = np.linalg.lstsq(design, part, rcond=None)[0]
        assert np.abs(design @ coefficients).max() < 1e-2


def test_poses_stay_within_the_stated_limits():
    random = np.random.default_rng(7)
    for _ in range(100):
        matrix = draw_pose(70.0, random).scanner_from_mni
        center = matrix[:3, :3] @ (0, -18, 8) + matrix[:3, 3]
        assert np.abs(center).max() <= 25
        assert 0.8**3 < np.linalg.det(matrix[:3, :3]) < 1.15**3


# ---- whole scans


@pytest.mark.parametrize("family", FAMILIES)
def test_every_camera_family_shows_the_striatum_where_it_is(family):
    scan = simulate_scan(11, Settings(families=(family,), subtype="normal", label="normal"))
    assert scan.voxels.min() >= 0
    voxel_from_grid = np.linalg.inv(scan.affine) @ scan.pose.scanner_from_mni @ GRID_AFFINE
    in_mni = ndimage.gaussian_filter(resample(scan.voxels, voxel_from_grid, GRID_SHAPE), 2.5)
    hottest = np.unravel_index(np.where(load_atlas().brain, in_mni, 0).argmax(), GRID_SHAPE)
    x, y, z = apply_affine(GRID_AFFINE, np.array(hottest))
    assert 8 < abs(x) < 32
    assert -15 < y < 24
    assert -14 < z < 20


def test_the_seed_decides_everything():
    first, again, other = (simulate_scan(seed) for seed in (21, 21, 22))
    assert first.voxels.tobytes() == again.voxels.tobytes()
    assert first.truth() == again.truth()
    assert first.voxels.tobytes() != other.voxels.tobytes()
