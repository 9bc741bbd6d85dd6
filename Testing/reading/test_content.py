"""What a scan shows, through the whole chain: odd grids give the same numbers, what cannot be trusted no answer."""

from dataclasses import replace
from pathlib import Path

import dicom_factory as factory
import numpy as np
import pytest
from model_factory import write_tiny_model
from scipy import ndimage

from DaTscanAILib.analysis import Analyzer, measure
from DaTscanAILib.base.resources import resource_path
from DaTscanAILib.mni.atlas import GRID_AFFINE, GRID_SHAPE
from DaTscanAILib.mni.geometry import apply_affine, resample
from DaTscanAILib.reading.scan import Scan, read_scan
from DaTscanAILib.registration.affine import FLIP_CORRECTED_FROM, Registration
from DaTscanAILib.registration.landmarks import landmark_error
from DaTscanAILib.reporting.result_files import table_row
from DaTscanAILib.simulation.nonsense import simulate_nonsense

UPSIDE_DOWN = "The header stacks the slices upside down: they were reversed. Check left and right in the original."


@pytest.fixture(scope="module")
def analyzer(tmp_path_factory):
    return Analyzer(str(write_tiny_model(tmp_path_factory.mktemp("models") / "tiny", members=1).folder), "cpu")


@pytest.fixture(scope="module")
def head():
    """The bundled scan: 128 x 128 voxels of a usual size, right putamen much lower."""
    return read_scan(resource_path("Samples", "reduced.dcm"))


@pytest.fixture(scope="module")
def plain(analyzer, head):
    return analyzer.analyze(head, "plain").result


def transform_of(result):
    return np.array(result["registration"]["scanner_from_mni_ras"])


def assert_answered(result):
    assert result["error"] is None
    assert result["registration"]["accepted"] is True
    assert result["classification"]["label"] in ("normal", "reduced", "uncertain")


def assert_not_answered(result, sentence):
    """A result with everything but an answer; in the table an empty label and the reason."""
    assert result["classification"]["label"] is None
    assert result["classification"]["probability_reduced"] is None
    assert sentence in result["error"]
    assert "No answer is given; the error says why." in result["warnings"]
    row = table_row("case", result, None)
    assert (row["label"], row["probability_reduced"], row["error"]) == ("", "", result["error"])
    assert {value for column, value in row.items() if column.startswith(("sbr_", "asymmetry_", "caudate_"))} == {""}


def assert_same_sbr(result, plain, tolerance):
    for key, value in plain["quantification"]["sbr"].items():
        assert result["quantification"]["sbr"][key] == pytest.approx(value, abs=tolerance), key


def on_grid(scan, shape, affine) -> Scan:
    """A scan sampled on another grid; averaged over its voxels first where these are larger."""
    spacing = np.linalg.norm(affine[:3, :3], axis=0) / np.linalg.norm(scan.affine[:3, :3], axis=0)
    voxels = ndimage.gaussian_filter(scan.voxels, 0.3 * np.maximum(spacing - 1, 0))
    return replace(scan, voxels=resample(voxels, np.linalg.inv(scan.affine) @ affine, shape), affine=affine)


def grid_around(scan, spacing, shape):
    """RAS grid with the middle of the scan."""
    affine = np.diag([*np.broadcast_to(spacing, 3), 1.0])
    middle = apply_affine(scan.affine, (np.array(scan.voxels.shape) - 1) / 2)
    affine[:3, 3] = middle - affine[:3, :3] @ (np.array(shape) - 1) / 2
    return shape, affine


def test_the_plain_scan_gets_an_answer(plain):
    assert_answered(plain)
    assert plain["registration"]["flipped"] is None
    assert plain["warnings"] == [] or "relevance" in plain["warnings"][0]
    assert plain["quantification"]["lower_putamen"] == "right"


# --- voxels and matrices ----------------------------------------------------------------------------------

GRIDS = {
    "voxels of 0.5 mm, 512 x 512": ((0.5, 0.5, 5.0), (512, 512, 36), 0.1),
    "voxels of 2 mm": (2.0, (128, 128, 100), 0.06),
    "voxels of 6 mm": (6.0, (44, 44, 32), 0.25),
    "voxels of 8 mm": (8.0, (32, 32, 24), 0.45),
}


@pytest.mark.parametrize(("spacing", "shape", "tolerance"), GRIDS.values(), ids=GRIDS.keys())
def test_the_same_head_on_another_grid(spacing, shape, tolerance, head, plain):
    """Coarse voxels blur, which the registration must stand and the SBR shows."""
    again = measure(on_grid(head, *grid_around(head, spacing, shape)), "case").result
    assert again["registration"]["accepted"] is True
    assert landmark_error(transform_of(again), transform_of(plain)) < 2
    assert_same_sbr(again, plain, tolerance)


# --- hot glands and cut heads -----------------------------------------------------------------------------


def with_hot_glands(head, transform, concentration=10.0):
    """Parotid and submandibular glands of ten times the brain's uptake."""
    indices = np.moveaxis(np.indices(head.voxels.shape), 0, -1)
    mni = apply_affine(np.linalg.inv(transform) @ head.affine, indices)
    glands = np.zeros(head.voxels.shape, np.float32)
    for side in (-1, 1):
        for center, radii in (((side * 54, -14, -62), (11, 14, 22)), ((side * 26, 22, -98), (10, 14, 11))):
            glands[(((mni - center) / radii) ** 2).sum(axis=-1) <= 1] = 1
    level = np.percentile(head.voxels[head.voxels > 0.1 * head.voxels.max()], 50)
    return replace(
        head, voxels=head.voxels + ndimage.gaussian_filter(glands, 1.5) * np.float32(concentration * level)
    )


def test_hot_salivary_glands_do_not_pull_the_brain_away(head, plain):
    again = measure(with_hot_glands(head, transform_of(plain)), "case").result
    assert again["registration"]["accepted"] is True
    assert landmark_error(transform_of(again), transform_of(plain)) < 2.5
    assert_same_sbr(again, plain, 0.2)


def below(head, transform, height):
    """The slices below a height in MNI mm."""
    middle, slices = (np.array(head.voxels.shape[:2]) - 1) / 2, np.arange(head.voxels.shape[2])
    indices = np.column_stack([np.tile(middle, (slices.size, 1)), slices])
    (kept,) = np.nonzero(apply_affine(np.linalg.inv(transform) @ head.affine, indices)[:, 2] < height)
    affine = head.affine.copy()
    affine[:3, 3] += kept[0] * affine[:3, 2]
    return replace(head, voxels=np.ascontiguousarray(head.voxels[:, :, kept]), affine=affine)


def test_a_striatum_outside_the_field_of_view_gets_no_answer(analyzer, head, plain):
    result = analyzer.analyze(below(head, transform_of(plain), 0), "case").result
    assert result["registration"]["accepted"] is False
    assert_not_answered(result, "reduced.dcm")


def test_a_cut_striatum_gets_no_answer_even_if_a_person_registered_it(analyzer, head, plain):
    """Where the image ends there are zeros, and zeros look like lost uptake."""
    cut = below(head, transform_of(plain), 6)
    given = Registration(transform_of(plain), 1.0, True, {}, manual=True)
    result = analyzer.analyze(cut, "case", scanner_from_mni=given).result
    assert None in result["quantification"]["sbr"].values()
    assert_not_answered(result, "the field of view cuts the striatum, so there is no answer")


# --- not a DAT scan ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["perfusion", "fdg"])
def test_another_tracer_gets_no_answer(kind, analyzer):
    voxels, affine = simulate_nonsense(kind, 901)
    result = analyzer.analyze(Scan(voxels, affine, Path(f"{kind}.nii.gz"), "NIfTI"), "case").result
    assert result["registration"]["accepted"] is False
    assert_not_answered(result, f"{kind}.nii.gz")
    refused_as = ("is no DAT scan", "was not accepted (quality 0.")
    assert any(words in result["error"] for words in refused_as)


def test_noise_gets_no_answer(analyzer):
    voxels = np.random.default_rng(0).poisson(20, (64, 64, 40)).astype(np.float32)
    scan = Scan(voxels, np.diag([4.0, 4.0, 4.0, 1.0]), Path("noise.nii"), "NIfTI")
    result = analyzer.analyze(scan, "case").result
    assert result["registration"]["accepted"] is False
    assert_not_answered(result, "noise.nii")


# --- headers that run the wrong way -----------------------------------------------------------------------


def ppmi_file(head, transform, path, upside_down=False) -> Path:
    """PPMI's layout: 91 x 109 x 91 voxels of 2 mm in one DICOM file, about where MNI has them."""
    voxels = resample(head.voxels, np.linalg.inv(head.affine) @ transform @ GRID_AFFINE, GRID_SHAPE)
    frames = voxels[::-1, ::-1].transpose(2, 1, 0)  # LPS: columns to the left, rows to the back, slices up
    options = {"shape": GRID_SHAPE, "pixel_spacing": (2, 2), "slice_spacing": 2, "position": (-90, -90, -72)}
    dataset = factory.nm_dataset(**options)
    scale = 30_000 / frames.max()
    factory.set_pixels(dataset, (frames[::-1] if upside_down else frames) * scale, "<u2")
    return factory.save(dataset, path)


def test_ppmis_layout(head, plain, tmp_path):
    scan = read_scan(ppmi_file(head, transform_of(plain), tmp_path / "scan.dcm"))
    result = measure(scan, "case").result
    assert scan.voxels.shape == GRID_SHAPE
    assert landmark_error(transform_of(result), np.eye(4)) < 2
    assert (result["registration"]["flipped"], result["warnings"]) == (None, [])
    assert_same_sbr(result, plain, 0.15)


def test_ppmis_layout_stacked_upside_down_is_corrected_with_a_warning(analyzer, head, plain, tmp_path):
    """Several pipelines have to flip PPMI's slices. Left and right stay what the voxels say."""
    path = ppmi_file(head, transform_of(plain), tmp_path / "scan.dcm", upside_down=True)
    result = analyzer.analyze(read_scan(path), "case").result
    assert_answered(result)
    assert result["registration"]["flipped"] == "S"
    assert result["registration"]["quality"] >= FLIP_CORRECTED_FROM
    assert UPSIDE_DOWN in result["warnings"]
    assert result["quantification"]["lower_putamen"] == "right"
    assert_same_sbr(result, plain, 0.2)


@pytest.mark.parametrize(("axes", "signs"), [("A", (1, -1, 1)), ("SA", (1, -1, -1))])
def test_a_header_back_to_front_is_said_and_gets_no_answer(axes, signs, analyzer, head):
    middle = apply_affine(head.affine, (np.array(head.voxels.shape) - 1) / 2)
    reflection = np.diag([*map(float, signs), 1.0])
    reflection[:3, 3] = middle - reflection[:3, :3] @ middle
    result = analyzer.analyze(replace(head, affine=reflection @ head.affine), "case").result
    assert result["registration"]["accepted"] is False
    way = "upside down and back to front" if axes == "SA" else "back to front"
    assert_not_answered(
        result, f"reduced.dcm: the header seems to hold the head {way}, so left and right are in doubt"
    )
