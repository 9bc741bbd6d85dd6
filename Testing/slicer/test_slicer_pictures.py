"""What the views show, by Slicer's own displayable managers: colors where there is relevance, nothing elsewhere."""

import numpy as np
import pytest

pytest.importorskip("slicer", reason="slicer-core is not installed")

from slicer_cases import LEFT, RIGHT, add_input, synthetic_analysis
from slicer_environment import prepare
from slicer_views import SliceView, ThreeDView

from DaTscanAILib.mni.atlas import GRID_AFFINE, load_mri
from DaTscanAILib.reporting.colors import look_up, relevance_table
from DaTscanAILib.reporting.panels import relevance_limit
from DaTscanAILib.slicer_adapters.state import STAGES, Freshness, ScanState, StageState

OPACITY = 0.7
CURRENT = ScanState(dict.fromkeys(STAGES, StageState(Freshness.CURRENT)))


REFERENCE = "the mean of 40 normal scans"


@pytest.fixture(scope="module")
def scene():
    """The synthetic case in three slice views and one 3D view."""
    slicer = prepare()
    from DaTscanAILib.slicer_adapters.case import Case
    from DaTscanAILib.slicer_adapters.display import show_case, shown_of
    from DaTscanAILib.slicer_adapters.running import put_analysis
    from DaTscanAILib.slicer_adapters.settings import Settings
    from DaTscanAILib.slicer_adapters.slice_views import go_to_striatum

    volume, analysis = add_input(slicer), synthetic_analysis()
    analysis.result["explanation"]["reference"] = {"name": REFERENCE, "sha256": "0" * 64}
    put_analysis(volume, analysis)
    names = {"Red": "Axial", "Green": "Coronal", "Yellow": "Sagittal"}
    slices = {name: SliceView(slicer, name, orientation) for name, orientation in names.items()}
    volume_view = ThreeDView(slicer, (100, 100))
    case = Case.of(volume)

    def show(**settings):
        show_case(case, Settings(**settings), shown_of(case, CURRENT))

    show()
    go_to_striatum("right", legend=True)
    volume_view.look_from((0, 1, 0))
    yield slices, volume_view, show, case
    for view in (*slices.values(), volume_view):
        view.close()


def expected_color(relevance, gray, opacity=OPACITY):
    color = look_up(np.array([relevance], np.float32), relevance_table(0.1), -1.0, 1.0)[0, :3]
    return opacity * color + (1 - opacity) * np.full(3, gray)


def mri_gray(ras):
    """Gray of the slice views at a point: window 0 to 1.25 times the brightest voxel."""
    mri, affine = load_mri()
    index = np.round(np.linalg.inv(affine) @ [*ras, 1]).astype(int)[:3]
    return 255 * float(mri[tuple(index)]) / (1.25 * float(mri.max()))


@pytest.mark.parametrize("name", ["Red", "Green", "Yellow"])
def test_the_peak_has_the_tables_color_over_the_mri(scene, name):
    slices, _, show, _ = scene
    show()
    view = slices[name]
    point = {"Red": (26, 0, 4), "Green": (26, 4, 2), "Yellow": (26, 0, 2)}[name]
    gauss = np.exp(-sum((a - b) ** 2 for a, b in zip(point, RIGHT, strict=True)) / 72)  # of width 6 mm
    analyzed = synthetic_analysis().relevance
    relevance = gauss * analyzed.max() / relevance_limit(analyzed)
    pixel = view.pixels()[view.pixel_of(point)]
    assert pixel == pytest.approx(expected_color(relevance, mri_gray(point)), abs=12)


def test_negative_relevance_is_blue_and_on_the_patients_left(scene):
    slices, _, show, _ = scene
    show()
    view = slices["Red"]
    pixels, column = view.pixels(), view.pixel_of((LEFT[0], 0, 4))[1]
    red, _, blue = pixels[view.pixel_of((LEFT[0], 0, 4))].astype(int)
    assert blue > red + 60
    assert column > view.pixel_of((RIGHT[0], 0, 4))[1]  # radiological: the patient's left is on the right


def test_nothing_is_painted_where_alpha_is_zero(scene):
    slices, _, show, _ = scene
    view = slices["Red"]
    show(in_slices=False)
    without = view.pixels()
    show()
    with_relevance = view.pixels()
    for point in ((26, 30, 4), (0, -60, 4), (26 + 6 * 2.4, 0, 4), (-70, 0, 4)):  # 2.4 widths off: relevance 0.056
        assert with_relevance[view.pixel_of(point)].tolist() == without[view.pixel_of(point)].tolist()
    changed = (with_relevance != without).any(axis=-1)[:, :230]  # the legend is on the right
    assert 0.005 < changed.mean() < 0.05


@pytest.mark.parametrize(("signs", "shown", "hidden"), [("positive", RIGHT, LEFT), ("negative", LEFT, RIGHT)])
def test_one_sign_alone(scene, signs, shown, hidden):
    slices, _, show, _ = scene
    view = slices["Red"]
    show(signs=signs)
    pixels = view.pixels().astype(int)
    assert np.ptp(pixels[view.pixel_of((shown[0], 0, 4))]) > 60
    assert np.ptp(pixels[view.pixel_of((hidden[0], 0, 4))]) <= 2


def test_the_threshold_shrinks_what_is_colored(scene):
    slices, _, show, _ = scene
    areas = []
    for threshold in (0.1, 0.5, 0.9):
        show(threshold=threshold)
        pixels = slices["Red"].pixels()[:, :290].astype(int)
        areas.append((np.ptp(pixels, axis=-1) > 30).sum())
    assert areas[0] > 1.5 * areas[1] > 3 * areas[2] > 0


def test_no_letters_stand_in_the_3d_view(scene):
    """Point 9: without the box they are in the way."""
    _, view, show, _ = scene
    view.node.SetBoxVisible(True)
    view.node.SetAxisLabelsVisible(True)
    show()
    assert (view.node.GetBoxVisible(), view.node.GetAxisLabelsVisible()) == (0, 0)


def test_the_scan_alone_shows_the_brighter_putamen_on_its_side(scene):
    slices, _, show, _ = scene
    show(content="scan_only")
    view = slices["Red"]
    pixels = view.pixels().astype(int).sum(axis=-1)
    assert pixels[view.pixel_of((LEFT[0], 0, 4))] > pixels[view.pixel_of((RIGHT[0], 0, 4))] + 60


def test_3d_shows_both_signs_inside_the_translucent_brain(scene):
    _, view, show, _ = scene
    show()
    both = view.pixels().astype(int)
    redness = both[..., 0] - both[..., 2]
    row, column = np.unravel_index(redness.argmax(), redness.shape)
    assert redness[row, column] > 40
    assert column < 50  # looked at from the front, the patient's right is on the left
    blue_row, blue_column = np.unravel_index((both[..., 2] - 2 * both[..., 0]).argmax(), redness.shape)
    assert blue_column > 50
    assert abs(blue_row - row) <= 8
    show(signs="negative")
    negative = view.pixels().astype(int)
    assert (negative[..., 0] - negative[..., 2]).max() < 0.5 * redness.max()


def test_3d_shows_nothing_where_alpha_is_zero(scene):
    _, view, show, _ = scene
    show(in_3d=False)
    empty = view.pixels()
    show()
    shown = view.pixels()
    changed = (shown != empty).any(axis=-1)
    assert 0.1 < changed.mean() < 0.6
    for corner in (np.s_[:8, :8], np.s_[:8, -8:], np.s_[-8:, :8], np.s_[-8:, -8:]):
        assert not changed[corner].any()


def test_the_baked_volume_is_clear_outside_the_brain_and_colored_at_the_peaks(scene):
    *_, show, case = scene
    from DaTscanAILib.slicer_adapters.case import RENDERING
    from DaTscanAILib.slicer_adapters.volumes import affine_of, voxels_of

    show()
    rgba, mri = voxels_of(case.get(RENDERING)), load_mri()[0]
    index = np.round(np.linalg.inv(affine_of(case.get(RENDERING))) @ [*RIGHT, 1]).astype(int)[:3]
    assert rgba[tuple(index)].tolist()[:3] == pytest.approx([255, 209, 56], abs=12)
    assert rgba[tuple(index)][3] == pytest.approx(180 * OPACITY, abs=8)
    far = (slice(0, 30), slice(0, 30), slice(0, 30))
    assert not mri[far].any()
    assert not rgba[far][..., 3].any()


def test_regions_are_drawn_as_outlines_and_hottest_voxels_filled(scene):
    slices, _, show, case = scene
    from DaTscanAILib.slicer_adapters.case import REGIONS
    from DaTscanAILib.slicer_adapters.regions import show_regions

    show(content="scan_only")
    before = slices["Red"].pixels()
    show_regions(case, True)
    after = slices["Red"].pixels()
    show_regions(case, False)
    assert 0.005 < (before != after).any(axis=-1).mean() < 0.2
    assert (slices["Red"].pixels() == before).all()
    segmentation = case.get(REGIONS).GetSegmentation()
    assert segmentation.GetNumberOfSegments() == 9
    assert segmentation.GetSegment("putamen_right_region").GetName() == "Putamen region, right"


def test_segments_are_the_atlas_regions_and_the_hottest_volume(scene):
    *_, case = scene
    from vtk.util.numpy_support import vtk_to_numpy

    from DaTscanAILib.mni.atlas import load_atlas
    from DaTscanAILib.slicer_adapters.case import REGIONS
    from DaTscanAILib.slicer_adapters.regions import show_regions

    show_regions(case, True)
    segmentation = case.get(REGIONS).GetSegmentation()

    def count(identifier):
        image = segmentation.GetSegment(identifier).GetRepresentation("Binary labelmap")
        return int(vtk_to_numpy(image.GetPointData().GetScalars()).sum())

    assert count("putamen_left_region") == load_atlas().hottest_voxels_region("putamen", "left").sum()
    assert count("putamen_left_hottest") == 1250  # 10 ml of 8 mm3
    assert count("caudate_right_hottest") == 625
    show_regions(case, False)


def test_the_grids_corner_lies_where_the_contract_says(scene):
    *_, case = scene
    from DaTscanAILib.slicer_adapters.case import SCAN
    from DaTscanAILib.slicer_adapters.volumes import affine_of

    assert affine_of(case.get(SCAN)).tolist() == GRID_AFFINE.tolist()
