"""The panel without Qt: scans that are loaded, selected, deleted, and views that name sides they know."""

import subprocess
import sys

import pytest

pytest.importorskip("slicer", reason="slicer-core is not installed")

from fake_ui import MODULE_FOLDER
from slicer_cases import add_input, synthetic_analysis
from slicer_panel import layers, select_input

from DaTscanAILib.base.errors import DaTscanError


def test_without_a_scan_only_loading_is_possible(widget):
    enabled = {name for name, entry in vars(widget.ui).items() if name.endswith("Button") and entry.enabled}
    sections = {name for name in enabled if name.endswith("CollapsibleButton")}
    assert enabled - sections == {
        "loadScanButton",
        "loadSampleButton",
        "loadNormalSampleButton",
        "manifestButton",
        "defaultMethodButton",
        "installTorchButton",
    }
    assert widget.ui.analyzeButton.toolTip == "Select or load a scan."
    assert widget.ui.answerLabel.text == "No result yet"
    assert widget.ui.statusLabel.text == "No scan is selected: load one."


def test_a_click_on_load_sample_shows_its_geometry(widget, composite):
    widget.ui.loadSampleButton.click()
    assert widget.parameters.inputVolume.GetName() == "DaTscanReduced"
    assert widget.ui.geometryLabel.text == (
        "128 x 128 x 72 voxels of 3.50 x 3.50 x 3.50 mm; axes run to left, back, foot (LPI)"
    )
    assert widget.ui.statusLabel.text == "DaTscanReduced: not analyzed yet."
    assert layers(composite) == ["DaTscanReduced", None]
    assert widget.ui.analyzeButton.enabled
    widget.ui.flipSuperiorButton.click()
    assert widget.ui.geometryLabel.text.endswith("(LPS)")


def test_the_selector_offers_scans_only(widget, quick):
    """Point 1: what the module has made itself, the templates among it, is no scan."""
    import slicer

    volume = select_input(widget)
    widget.ui.analyzeButton.click()
    widget.ui.registerButton.click()
    widget.parameters.comparison = type(widget.parameters.comparison).CHECKERBOARD
    hidden = set(widget.ui.inputSelector.sortFilterProxyModel().hiddenNodeIDs)
    volumes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    assert {node.GetName() for node in volumes if node.GetID() not in hidden} == {"scan"}
    assert len(hidden) == 6  # scan in MNI space, relevance in slices and in 3D, checkerboard, both templates
    assert widget.parameters.inputVolume is volume


def test_what_the_module_has_made_cannot_be_analyzed(widget, quick):
    from DaTscanAILib.slicer_adapters.case import SCAN, Case

    volume = select_input(widget)
    widget.ui.analyzeButton.click()
    made = Case.of(volume).get(SCAN)
    with pytest.raises(DaTscanError, match="scan in MNI space is no scan but made by this module"):
        widget.logic.process(made)
    widget.parameters.inputVolume = made  # of an older scene
    widget.exit()
    widget.enter()
    assert widget.parameters.inputVolume is volume


def test_deleting_a_scan_takes_all_that_belongs_to_it(widget, quick, composite):
    """Point 1: neither its leftovers nor another scan's nodes."""
    import slicer

    scene, other = slicer.mrmlScene, select_input(widget, "other")
    widget.ui.analyzeButton.click()
    before = {node.GetID() for node in _own_nodes(scene)}
    gone = select_input(widget, "gone")
    widget.ui.analyzeButton.click()
    assert len(_own_nodes(scene)) > len(before)
    scene.RemoveNode(gone)
    assert {node.GetID() for node in _own_nodes(scene)} == before
    assert list(slicer.util.getNodes("gone*")) == []
    assert widget.parameters.inputVolume is None  # the selector, which is none here, may choose another scan
    assert layers(composite) == [None, None]
    assert widget.ui.answerLabel.text == "No result yet"
    widget.parameters.inputVolume = other
    assert widget.ui.answerLabel.text == "Reduced"
    assert layers(composite) == ["DaTscan AI MRI template", "other relevance"]


def _own_nodes(scene):
    """Nodes of cases, without what all cases share and what display nodes bring along."""
    nodes = [scene.GetNthNode(index) for index in range(scene.GetNumberOfNodes())]
    return [
        node
        for node in nodes
        if node.IsA("vtkMRMLStorableNode")
        and not node.IsA("vtkMRMLColorNode")
        and not node.GetAttribute("DaTscanAI.Shared")
        and node.GetName() not in ("gone", "other", "DaTscanAI")
    ]


def test_a_scan_that_something_else_loads_is_selected(widget, composite):
    """Point 16: dropped on the window, or from another module; an empty volume is none."""
    import slicer

    first = select_input(widget, "first")
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")
    assert widget.parameters.inputVolume is first
    dropped = slicer.vtkMRMLScalarVolumeNode()
    dropped.SetName("dropped")
    dropped.SetAndObserveImageData(first.GetImageData())
    slicer.mrmlScene.AddNode(dropped)
    assert widget.parameters.inputVolume is dropped
    assert widget.ui.statusLabel.text == "dropped: not analyzed yet."
    assert layers(composite) == ["dropped", None]


def test_a_scan_that_the_console_has_analyzed_is_selected_and_shown(widget, quick, composite):
    """Point 16: panel and views show the same, with the model and the method of the result."""
    import slicer

    from DaTscanAILib.quantification.other_method import Method

    select_input(widget, "first")
    volume = add_input(slicer, "second")
    widget.logic.process(volume, model="some model", method=Method({"caudate": 5, "putamen": 7, "striatum": 15}))
    assert widget.parameters.inputVolume is volume
    assert (widget.parameters.model, widget.parameters.putamenVolume) == ("some model", 7)
    assert widget.ui.answerLabel.text == "Reduced"
    assert widget.ui.answerLabel.enabled
    assert layers(composite) == ["DaTscan AI MRI template", "second relevance"]


def test_settings_change_the_views_once_and_without_moving_them(widget, monkeypatch):
    import slicer

    from DaTscanAILib.slicer_adapters.running import put_analysis

    volume = add_input(slicer)
    put_analysis(volume, synthetic_analysis())
    widget.parameters.inputVolume = volume
    shown = []
    monkeypatch.setattr(widget.views, "_show", lambda *args, **options: shown.append((args, options)))
    widget.parameters.threshold = 0.4
    assert shown == [((volume,), {"keep_position": True})]
    widget.parameters.batchReport = False
    assert len(shown) == 1
    assert widget.ui.answerLabel.text == "Reduced"


def test_models_are_listed_and_a_folder_can_be_chosen(widget):
    ui = widget.ui
    names = [call[1] for call in ui.modelSelector.calls if call[0] == "addItem"]
    shipped, folder = 0, len(names) - 1
    assert names[folder] == "Model folder"
    for index in (shipped, folder):
        ui.modelSelector.currentIndex = folder
        ui.modelSelector.currentIndex = index
        assert ui.modelSelector.currentIndex == index
        assert ui.modelFolderEdit.visible == (index == folder)
    ui.modelFolderEdit.currentPath = "some/folder"
    assert widget.parameters.model == "some/folder"
    ui.modelSelector.currentIndex = shipped
    assert widget.parameters.model == names[shipped]
    ui.modelSelector.currentIndex = folder
    assert widget.parameters.model == "some/folder"


def test_closing_the_scene_empties_the_panel(widget):
    import slicer

    widget.ui.loadSampleButton.click()
    slicer.mrmlScene.Clear(False)
    assert widget.parameters is not None
    assert widget.parameters.inputVolume is None
    assert widget.ui.geometryLabel.text == "No scan is selected."
    assert not widget.ui.analyzeButton.enabled


def test_opening_the_module_loads_no_heavy_package():
    """Neither torch nor monai nor matplotlib when the panel is made, entered and a sample is loaded."""
    code = (
        "import sys; sys.path[:0] = sys.argv[1:]\n"
        "from slicer_environment import prepare; slicer = prepare()\n"
        "from fake_ui import Parent, fake_ui; ui = fake_ui()\n"
        "slicer.util.loadUI = lambda _: ui.DaTscanAI; slicer.util.childWidgetVariables = lambda _: ui\n"
        "import DaTscanAI; widget = DaTscanAI.DaTscanAIWidget(Parent()); widget.setup(); widget.enter()\n"
        "heavy = ('torch', 'monai', 'matplotlib', 'scipy', 'SimpleITK', 'pydicom')\n"
        "early = [name for name in heavy if name in sys.modules]\n"
        "ui.loadSampleButton.click(); widget.cleanup()\n"
        "late = [name for name in ('torch', 'monai', 'matplotlib', 'pandas') if name in sys.modules]\n"
        "print('loaded:', early, late)\n"
    )
    folders = [str(MODULE_FOLDER), str(MODULE_FOLDER.parent / "Testing" / "support")]
    done = subprocess.run([sys.executable, "-c", code, *folders], capture_output=True, text=True)
    assert "loaded: [] []" in done.stdout, done.stdout + done.stderr


def test_slice_views_name_no_sides_while_they_show_a_scan_of_unknown_ones(widget, composite):
    import slicer

    from DaTscanAILib.slicer_adapters.running import put_analysis

    def letters():
        return view.GetAxisLabel(0) + view.GetAxisLabel(1)

    view = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSliceNode")
    view.SetLayoutName("Red")
    volume, analysis = select_input(widget), synthetic_analysis()
    analysis.result["registration"]["sides_known"] = False
    put_analysis(volume, analysis)
    composite.SetBackgroundVolumeID(volume.GetID())
    assert letters() == "??"
    other = add_input(slicer, "other")
    composite.SetBackgroundVolumeID(other.GetID())
    composite.SetForegroundVolumeID(None)
    assert letters() == "LR"
    composite.SetForegroundVolumeID(volume.GetID())
    assert letters() == "??"
    widget.exit()
    assert letters() == "LR"
