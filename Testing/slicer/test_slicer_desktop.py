"""Views as the desktop has them: the legend beside the brain, comparisons at one place and scale, colors apart."""

import numpy as np
import pytest

pytest.importorskip("slicer", reason="slicer-core is not installed")

from slicer_cases import RIGHT, add_input, synthetic_analysis
from slicer_environment import prepare
from slicer_views import SliceView

from DaTscanAILib.mni.atlas import load_atlas
from DaTscanAILib.reporting.colors import NEGATIVE_STOPS, POSITIVE_STOPS, look_up, relevance_table

REFERENCE = "the mean of 40 normal scans"


@pytest.fixture(scope="module")
def desktop():
    """Slice views of the size that they have in the desktop as photographed, with the case and its input."""
    slicer = prepare()
    from DaTscanAI import DaTscanAILogic
    from DaTscanAILib.slicer_adapters.running import put_analysis

    names = {"Red": "Axial", "Green": "Coronal", "Yellow": "Sagittal"}
    plus = {f"{name}+": orientation for name, orientation in names.items()}
    views = {name: SliceView(slicer, name, way, size=(450, 320)) for name, way in {**names, **plus}.items()}
    volume, analysis = add_input(slicer), synthetic_analysis()
    scan = np.zeros(analysis.normalized.shape, np.float32) + analysis.normalized
    slicer.util.updateVolumeFromArray(volume, scan.transpose(2, 1, 0))
    analysis.result["registration"]["scanner_from_mni_ras"] = np.eye(4).tolist()
    analysis.result["explanation"]["reference"] = {"name": REFERENCE, "sha256": "0" * 64}
    put_analysis(volume, analysis)
    yield views, DaTscanAILogic(), volume
    for view in views.values():
        view.close()


def box_of(mask):
    """First and last row and column of what is set."""
    rows, columns = np.nonzero(mask.any(axis=1))[0], np.nonzero(mask.any(axis=0))[0]
    return rows[0], rows[-1], columns[0], columns[-1]


def legend_mask(view):
    """Pixels that the legend paints."""
    from DaTscanAILib.slicer_adapters.legend import hide_legends, update_legends

    update_legends()
    with_legend = view.pixels()
    hide_legends()
    return (with_legend != view.pixels()).any(axis=-1)


@pytest.mark.parametrize("name", ["Red", "Green", "Yellow"])
def test_the_legend_is_small_and_beside_the_brain(desktop, name):
    """Point 9: its letters had 30 pixels and stood on the brain."""
    views, logic, volume = desktop
    logic.session.select(volume, {})
    legend = legend_mask(views[name])
    first_row, last_row, first_column, last_column = box_of(legend)
    height, width = last_row - first_row, last_column - first_column
    assert 0.02 < height * width / legend.size < 0.16
    brain = views[name].pixels().astype(int).sum(axis=-1) > 60
    assert not (brain & legend).any()
    assert brain[:, :first_column].sum() > 0.97 * brain.sum()


def test_the_legend_says_what_its_colors_argue_for(desktop):
    """Point 9: three numbers, words, and what the relevance is compared with."""
    import slicer

    _, logic, volume = desktop
    logic.session.select(volume, {})
    (legend,) = slicer.util.getNodesByClass("vtkMRMLColorLegendDisplayNode")
    colors = legend.GetPrimaryDisplayNode().GetColorNode()
    names = [colors.GetColorName(index).strip() for index in range(colors.GetNumberOfColors())][::-1]
    assert [name for name in names if name] == ["+1  argues", "for reduced", "0", "-1  argues", "for normal"]
    assert legend.GetTitleText().replace("\n", " ") == f"Relevance, compared with {REFERENCE}"
    assert legend.GetVisibility()


def test_the_legend_has_the_colors_of_the_map(desktop):
    import slicer

    _, logic, volume = desktop
    logic.session.select(volume, {})
    (legend,) = slicer.util.getNodesByClass("vtkMRMLColorLegendDisplayNode")
    colors = legend.GetPrimaryDisplayNode().GetColorNode().GetLookupTable()
    ends = [np.array(colors.GetTableValue(index)[:3]) * 255 for index in (0, colors.GetNumberOfTableValues() - 1)]
    expected = look_up(np.array([-1.0, 1.0], np.float32), relevance_table(0.1), -1.0, 1.0)[:, :3]
    assert np.array(ends) == pytest.approx(expected, abs=1)


@pytest.mark.parametrize("content", ["scan", "scan_only", "outdated", "compared", "another volume"])
def test_no_legend_where_no_map_is_shown(desktop, content):
    """Point 9: it stayed over the raw scan."""
    import slicer

    from DaTscanAILib.slicer_adapters.parameters import Content

    views, logic, volume = desktop
    logic.session.select(volume, {})
    parameters = logic.getParameterNode()
    if content in ("scan", "scan_only"):
        parameters.content = Content(content)
        logic.show(volume)
    elif content == "outdated":
        logic.flip(volume, "R")
        logic.show(volume)
    elif content == "compared":
        logic.compare(volume, "fused")
    else:
        from DaTscanAILib.slicer_adapters.legend import update_legends

        slicer.util.setSliceViewerLayers(background=volume, foreground=None)  # somebody else does
        update_legends()  # as the module does when it is told
    corner = views["Red"].pixels()[160:, 400:].astype(int)
    assert (np.ptp(corner, axis=-1) > 80).sum() == 0
    parameters.content = Content.RELEVANCE
    if content == "outdated":
        logic.flip(volume, "R")


# ---- comparison


@pytest.mark.parametrize("way", ["fused", "checkerboard", "side_by_side"])
def test_a_comparison_shows_the_same_place_at_the_same_scale_at_once(desktop, way):
    """Point 7: the first press gave two zooms and two slices."""
    import slicer

    views, logic, volume = desktop
    for index, view in enumerate(views.values()):  # wherever the views were before
        view.node.SetFieldOfView(500 + 70 * index, 400, 1)
        view.node.JumpSliceByCentering(40 * index, 20, -30)
    logic.compare(volume, way)
    scales, places = set(), {}
    for name, view in views.items():
        columns, rows = view.node.GetDimensions()[:2]
        width, height, _ = view.node.GetFieldOfView()
        scales.add((round(width / columns, 6), round(height / rows, 6)))
        to_ras = slicer.util.arrayFromVTKMatrix(view.node.GetSliceToRAS())
        places.setdefault(name.rstrip("+"), set()).add(tuple(np.round(to_ras[:3, 3], 6)))
    assert len(scales) == 1
    assert all(len(place) == 1 for place in places.values())
    ((across, up),) = scales
    assert across == pytest.approx(up)
    assert 144 < 320 * up < 210  # mm that the view is high: the brain fills it


def test_side_by_side_scan_and_template_have_one_scale_of_colors(desktop):
    """Point 7: a value of the reference region looks alike in both, and so does twice as much."""
    import slicer

    from DaTscanAILib.slicer_adapters.shared_nodes import shared_fpcit_template
    from DaTscanAILib.slicer_adapters.volumes import voxels_of

    views, logic, volume = desktop
    logic.compare(volume, "side_by_side")
    displays = [volume.GetDisplayNode(), shared_fpcit_template().GetDisplayNode()]
    assert displays[0].GetColorNodeID() == displays[1].GetColorNodeID()
    levels = [
        np.percentile(voxels_of(node)[load_atlas().reference], 75) for node in (volume, shared_fpcit_template())
    ]
    shares = [level / display.GetWindowLevelMax() for level, display in zip(levels, displays, strict=True)]
    assert shares[0] == pytest.approx(shares[1], rel=1e-3)
    upper, lower = (
        slicer.mrmlScene.GetNodeByID(views[name].logic.GetSliceCompositeNode().GetBackgroundVolumeID())
        for name in ("Red", "Red+")
    )
    assert (upper, lower) == (volume, shared_fpcit_template())


def test_the_templates_outline_shows_where_the_scan_should_be(desktop):
    """It goes with the comparison."""
    import slicer

    views, logic, volume = desktop
    logic.compare(volume, "fused")
    with_outline = views["Red"].pixels()
    (node,) = [
        node
        for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
        if node.GetAttribute("DaTscanAI.Shared")
    ]
    node.SetDisplayVisibility(False)
    painted = (with_outline != views["Red"].pixels()).any(axis=-1)
    assert 0.003 < painted.mean() < 0.03
    logic.session.select(volume, {})
    assert not node.GetDisplayVisibility()


# ---- colors


def test_regions_look_like_neither_sign_of_the_relevance():
    """Point 10: the putamen's hottest voxels were blue."""
    from DaTscanAILib.slicer_adapters.regions import _COLORS

    for name, color in _COLORS.items():
        for _, signed in (*NEGATIVE_STOPS, *POSITIVE_STOPS):
            assert np.linalg.norm(255 * np.array(color) - signed) > 100, name


def test_the_scan_below_the_relevance_is_gray(desktop):
    """Point 10: orange on hot iron cannot be told."""
    from DaTscanAILib.slicer_adapters.parameters import Content

    views, logic, volume = desktop
    logic.session.select(volume, {})
    logic.getParameterNode().content = Content.RELEVANCE_ON_SCAN
    logic.show(volume)
    pixels = views["Red"].pixels().astype(int)
    assert np.ptp(pixels[views["Red"].pixel_of((0, -60, 4))]) == 0
    red, _, blue = pixels[views["Red"].pixel_of((RIGHT[0], 0, 4))]
    assert red > blue + 80
    logic.getParameterNode().content = Content.SCAN
    logic.show(volume)
    assert np.ptp(views["Red"].pixels().astype(int)[views["Red"].pixel_of((RIGHT[0], 0, 4))]) > 40  # hot iron again
    logic.getParameterNode().content = Content.RELEVANCE
