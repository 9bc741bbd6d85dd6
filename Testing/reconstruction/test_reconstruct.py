"""Projections to image: the simulator's own scans, filters, attenuation correction, the command."""

from dataclasses import replace

import dicom_factory as factory
import numpy as np
import pytest
from dicom_factory import save
from tomo_factory import PIXEL, tomo_dataset

from DaTscanAILib.cli.main import main
from DaTscanAILib.reading.scan import read_scan
from DaTscanAILib.reconstruction.butterworth import butterworth
from DaTscanAILib.reconstruction.filtered_back_projection import filtered_back_projection
from DaTscanAILib.reconstruction.projector import Projector
from DaTscanAILib.reconstruction.tomo import Projections, read_projections
from DaTscanAILib.reconstruction.tomo_to_image import Method, head_outline, reconstruct_projections
from DaTscanAILib.simulation.cameras import draw_camera
from DaTscanAILib.simulation.simulator import Settings, simulate_scan
from DaTscanAILib.simulation.tomo_dicom import write_projections


@pytest.fixture(scope="module")
def scan():
    return simulate_scan(5, Settings(families=("papers",), label="reduced", field="camera"))


@pytest.fixture(scope="module")
def projections_file(scan, tmp_path_factory):
    path = tmp_path_factory.mktemp("projections") / "tomo.dcm"
    write_projections(path, scan)
    return path


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd"])
def test_the_command_gives_the_simulators_image(scan, projections_file, tmp_path, suffix, capsys):
    output = tmp_path / f"image{suffix}"
    assert main(["reconstruct", str(projections_file), "--output", str(output)]) == 0
    image = read_scan(output)
    np.testing.assert_allclose(image.affine, scan.affine, atol=2e-4)
    np.testing.assert_allclose(image.voxels, scan.voxels, atol=1e-5 * scan.voxels.max())
    assert capsys.readouterr() == ("", "")


def test_the_file_holds_every_count_and_the_geometry(scan, projections_file):
    projections = read_projections(projections_file)
    assert projections.counts.sum(dtype=np.float64) == scan.projections.sum(dtype=np.float64)
    np.testing.assert_allclose(projections.angles, 360 / scan.camera.views * np.arange(scan.camera.views), atol=1e-3)
    assert projections.pixel == pytest.approx(scan.camera.pixel)
    assert projections.radius == pytest.approx(scan.camera.radius, rel=1e-5)
    assert (projections.patient.age, projections.patient.sex) == (round(scan.person.age), scan.person.sex)
    assert projections.energy_window == "I-123 (143-175 keV)"
    assert projections.warnings == ()


def test_the_same_scan_gives_the_same_file(scan, projections_file, tmp_path):
    write_projections(tmp_path / "again.dcm", scan)
    assert (tmp_path / "again.dcm").read_bytes() == projections_file.read_bytes()


def test_simulate_writes_projections_that_reconstruct_reads(tmp_path):
    arguments = ["simulate", "--count", "1", "--seed", "12", "--families", "papers", "--output", str(tmp_path)]
    assert main([*arguments, "--projections", "--field", "camera", "--storage", "plain"]) == 0
    assert main(["reconstruct", str(tmp_path / "projections"), "--output", str(tmp_path / "image.nii.gz")]) == 0
    simulated, again = read_scan(tmp_path / "sim000012.nii.gz"), read_scan(tmp_path / "image.nii.gz")
    np.testing.assert_allclose(again.affine, simulated.affine, atol=5e-4)
    scale = again.voxels.max() / simulated.voxels.max()  # the cohort stores 16-bit numbers of its own scale
    np.testing.assert_allclose(again.voxels, simulated.voxels * scale, atol=1e-4 * again.voxels.max())


def test_the_butterworth_filter_comes_after_the_ramp(scan, projections_file):
    image, _ = reconstruct_projections(read_projections(projections_file), Method("butterworth", 0.5))
    pixel = scan.camera.pixel
    expected = butterworth(filtered_back_projection(scan.projections, pixel), pixel, 0.05, 5)
    np.testing.assert_allclose(image, np.maximum(expected, 0), atol=1e-5 * expected.max())


def test_the_cutoff_ends_the_frequencies(scan):
    pixel = scan.camera.pixel
    frequency = np.hypot(*np.meshgrid(*[np.fft.fftfreq(128, pixel)] * 2))
    power = {
        cutoff: np.abs(np.fft.fft2(filtered_back_projection(scan.projections, pixel, cutoff)[:, :, 25])) ** 2
        for cutoff in (0.125, 0.05)
    }
    above = {cutoff: value[frequency > 0.055].sum() / value.sum() for cutoff, value in power.items()}
    assert above[0.125] > 0.1
    assert above[0.05] < 0.01


@pytest.fixture(scope="module")
def cylinder():
    """Projections of a uniform cylinder, radius 88 mm, activity 1, attenuated with 0.11 per cm and not blurred."""
    size, views, slices = 64, 60, 24
    axis = (np.arange(size) - (size - 1) / 2) * PIXEL
    disk = np.clip((88 - np.hypot(*np.meshgrid(axis, axis))) / PIXEL + 0.5, 0, 1)
    activity = np.repeat(disk[:, :, None], slices, axis=2).astype(np.float32)
    camera = replace(draw_camera(np.random.default_rng(0)), pixel=PIXEL, views=views)
    counts = Projector(camera, size, 0.011 * activity, resolve=False).project(activity)
    angles = 360 / views * np.arange(views)
    projections = Projections(counts, angles, PIXEL, 360.0, None, None, "", None, None, None, None, ())
    return projections, activity


def test_chang_levels_a_uniform_cylinder(cylinder):
    projections, activity = cylinder
    inner = activity * (np.hypot(*np.meshgrid(*[(np.arange(64) - 31.5) * PIXEL] * 2)) < 20)[:, :, None] == 1
    whole = activity == 1
    plain, corrected = (reconstruct_projections(projections, Method(attenuation=mu))[0] for mu in (None, 0.11))
    assert plain[inner].mean() < 0.8 * plain[whole].mean() < 0.4
    assert corrected[inner].mean() == pytest.approx(1, rel=0.05)
    assert corrected[whole].mean() == pytest.approx(1, rel=0.05)


def test_the_outline_is_the_cylinders(cylinder):
    projections, activity = cylinder
    outline = head_outline(reconstruct_projections(projections, Method())[0], PIXEL)
    true = activity > 0.5
    assert 2 * (outline & true).sum() / (outline.sum() + true.sum()) > 0.96


def test_an_image_without_counts_has_no_outline():
    assert not head_outline(np.zeros((8, 8, 8)), PIXEL).any()


def test_the_projections_are_found_beside_the_reconstruction(tmp_path):
    save(factory.nm_dataset(), tmp_path / "reconstruction.dcm")
    save(tomo_dataset(), tmp_path / "projections.dcm")
    assert read_projections(tmp_path).path.name == "projections.dcm"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--filter", "hann"], "There is no filter 'hann': choose one of shepp-logan, butterworth."),
        (["--cutoff", "12"], "The cutoff must lie between 0.1 and 5.0 cycles/cm, not 12."),
        (["--cutoff", "nan"], "The cutoff must lie between 0.1 and 5.0 cycles/cm, not nan."),
        (["--chang", "11"], "The attenuation coefficient must lie between 0.01 and 0.2 per cm, not 11."),
        (["--output", "image.png"], "image.png is no name of an image: end it with .nii, .nii.gz or .nrrd."),
        (["--output", "nowhere/image.nii"], "image.nii cannot be written (No such file or directory)"),
    ],
)
def test_arguments_that_make_no_sense(arguments, sentence, projections_file, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["reconstruct", str(projections_file), "--output", "image.nii", *arguments]) == 2
    assert f"error: {sentence}" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
