"""What loads scans into Slicer: the DICOM plugin, the file reader, whatever else."""

import logging
import sys
import warnings
from types import SimpleNamespace

import pytest

pytest.importorskip("slicer", reason="slicer-core is not installed")

from dicom_factory import MARKER_RAS, SLICE_SPACING, marker_place, nm_dataset, nm_slices, save
from slicer_cases import SAMPLE

PROJECTIONS = ("ORIGINAL", "PRIMARY", "TOMO", "EMISSION")


class Database:
    """What a plugin asks of the DICOM database."""

    def fileValue(self, path, tag):  # noqa: N802
        import pydicom

        group, element = (int(part, 16) for part in tag.split(","))
        entry = pydicom.dcmread(path, stop_before_pixels=True).get((group, element))
        return "" if entry is None or entry.value is None else str(entry.value)


@pytest.fixture
def plugin(slicer):
    import DaTscanAIDICOMPlugin

    slicer.dicomDatabase = Database()
    slicer.modules.dicomPlugins = {}
    parent = type("Parent", (), {})()
    DaTscanAIDICOMPlugin.DaTscanAIDICOMPlugin(parent)
    assert parent.hidden
    return slicer.modules.dicomPlugins["DaTscanAIDICOMPlugin"]()


@pytest.mark.parametrize("sign", [1, -1])
def test_the_plugin_loads_both_signs_of_the_spacing_between_slices(plugin, tmp_path, sign):
    from DaTscanAILib.slicer_adapters.volumes import affine_of, voxels_of

    path = save(nm_dataset(slice_spacing=sign * SLICE_SPACING), tmp_path / "scan.dcm")
    (loadable,) = plugin.examineForImport([[str(path)]])
    assert (loadable.selected, loadable.warning, loadable.confidence > 0.5) == (True, "", True)
    node = plugin.load(loadable)
    assert affine_of(node)[2, 2] == pytest.approx(sign * SLICE_SPACING)
    assert marker_place(voxels_of(node), affine_of(node)) == pytest.approx(MARKER_RAS, abs=0.3)


def test_the_plugin_takes_single_slices_of_a_series_as_one_scan(plugin, tmp_path):
    from DaTscanAILib.slicer_adapters.volumes import affine_of, voxels_of

    paths = [str(save(slice_, tmp_path / f"{index}.dcm")) for index, slice_ in enumerate(nm_slices())]
    (loadable,) = plugin.examineForImport([paths[::-1]])
    node = plugin.load(loadable)
    assert marker_place(voxels_of(node), affine_of(node)) == pytest.approx(MARKER_RAS, abs=0.3)


def test_the_plugin_says_why_it_does_not_take_projections(plugin, tmp_path):
    projections = nm_dataset(image_type=PROJECTIONS)
    (loadable,) = plugin.examineForImport([[str(save(projections, tmp_path / "tomo.dcm"))]])
    assert not loadable.selected
    assert "projections, not a reconstruction" in loadable.warning
    assert plugin.load(loadable) is None


def test_the_plugin_leaves_other_modalities_alone(plugin, tmp_path):
    path = save(nm_dataset(modality="CT"), tmp_path / "ct.dcm")
    assert plugin.examineForImport([[str(path)]]) == []


@pytest.fixture
def reader(slicer):
    from DaTscanAI import DaTscanAIFileReader

    messages = SimpleNamespace(AddMessage=lambda _event, text: messages.texts.append(text), texts=[])
    return DaTscanAIFileReader(SimpleNamespace(userMessages=lambda: messages, loadedNodes=[]))


def test_a_dropped_reconstruction_is_read_with_its_geometry(slicer, reader, tmp_path):
    from DaTscanAILib.slicer_adapters.volumes import affine_of, voxels_of

    path = save(nm_dataset(slice_spacing=-SLICE_SPACING), tmp_path / "scan")
    assert reader.canLoadFileConfidence(str(path)) > 0.6
    assert reader.load({"fileName": str(path), "name": "dropped"})
    node = slicer.mrmlScene.GetNodeByID(reader.parent.loadedNodes[0])
    assert node.GetName() == "dropped"
    assert marker_place(voxels_of(node), affine_of(node)) == pytest.approx(MARKER_RAS, abs=0.3)


def test_other_files_are_left_to_other_readers(reader, tmp_path):
    projections = save(nm_dataset(image_type=PROJECTIONS), tmp_path / "tomo.dcm")
    (tmp_path / "text.dcm").write_text("no DICOM")
    for path in (projections, tmp_path / "text.dcm", tmp_path / "nowhere.dcm"):
        assert reader.canLoadFileConfidence(str(path)) == 0
    assert not reader.load({"fileName": str(projections)})
    assert "projections, not a reconstruction" in reader.parent.userMessages().texts[0]


@pytest.fixture
def forget_library():
    """Makes Python read the library anew, as a reload of the module does."""
    library = {name: module for name, module in sys.modules.items() if name.split(".")[0] == "DaTscanAILib"}

    def forget():
        for name in [name for name in sys.modules if name.split(".")[0] == "DaTscanAILib"]:
            del sys.modules[name]

    yield forget
    forget()
    sys.modules.update(library)


def test_the_reader_says_its_sentence_after_the_module_was_reloaded(reader, forget_library, tmp_path):
    """The reader that Slicer has registered stays the one of the first time."""
    projections = save(nm_dataset(image_type=PROJECTIONS), tmp_path / "tomo.dcm")
    forget_library()
    assert not reader.load({"fileName": str(projections)})
    assert "projections, not a reconstruction" in reader.parent.userMessages().texts[0]


@pytest.fixture
def shown(slicer):
    """Gives the volume that a slice view shows."""
    composite = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSliceCompositeNode")
    return lambda: slicer.mrmlScene.GetNodeByID(composite.GetBackgroundVolumeID() or "")


def test_a_scan_is_shown_when_the_module_dicom_has_loaded_it(shown, plugin, tmp_path):
    (loadable,) = plugin.examineForImport([[str(save(nm_dataset(), tmp_path / "scan.dcm"))]])
    node = plugin.load(loadable)
    assert shown() is node


def test_a_scan_is_shown_when_it_was_dropped_unless_the_caller_says_no(slicer, shown, reader):
    assert reader.load({"fileName": str(SAMPLE), "show": False})
    assert shown() is None
    assert reader.load({"fileName": str(SAMPLE)})
    assert shown().GetID() == reader.parent.loadedNodes[0]


def test_a_sample_is_shown_when_the_module_sample_data_has_loaded_it(slicer, shown, monkeypatch):
    from DaTscanAI import onStartupCompleted

    sources = []
    logic = SimpleNamespace(
        registerCustomSampleDataCategory=lambda *_arguments, **_options: None,
        registerCustomSampleDataSource=lambda **options: sources.append(options),
    )
    monkeypatch.setitem(sys.modules, "SampleData", SimpleNamespace(SampleDataLogic=logic))
    onStartupCompleted()
    for source in sources:
        source["customDownloader"](source)
        assert shown().GetName() == source["nodeNames"]
    assert len(sources) == 2


def test_a_malformed_header_is_examined_without_a_word_of_it(slicer, tmp_path, caplog, recwarn):
    from DaTscanAILib.slicer_adapters.volumes import is_spect, why_unusable

    caplog.set_level(logging.DEBUG)
    with warnings.catch_warnings(action="ignore"):
        path = str(save(nm_dataset(sop_class="Doe^Jane"), tmp_path / "scan.dcm"))
    for examine in (is_spect, lambda path: why_unusable([path])):
        caplog.clear()
        examine(path)  # what is no UID pydicom quotes in a warning
        assert "Doe" not in caplog.text + "".join(str(warning.message) for warning in recwarn)
