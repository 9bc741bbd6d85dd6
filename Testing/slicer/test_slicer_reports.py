"""The module's logic in Slicer's scene: report, DICOM results, tables of numbers."""

import pytest

pytest.importorskip("slicer", reason="slicer-core is not installed")

from pdf_reader import PdfFile
from slicer_cases import SAMPLE, add_input, synthetic_analysis

from DaTscanAILib.base.errors import DaTscanError


def test_the_report_is_that_of_the_command_line(slicer, logic, tmp_path):
    from DaTscanAILib.slicer_adapters.running import put_analysis

    volume = add_input(slicer)
    with pytest.raises(DaTscanError, match="nothing to report yet"):
        logic.saveReport(volume, tmp_path / "no.pdf")
    put_analysis(volume, synthetic_analysis())
    logic.saveReport(volume, tmp_path / "report.pdf")
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF-1.")
    assert not (tmp_path / "no.pdf").exists()


def texts_of(path):
    return " ".join(shown.text for shown in PdfFile(path.read_bytes()).texts())


def test_the_report_speaks_the_language_of_the_settings_the_scene_or_the_call(slicer, logic, tmp_path, monkeypatch):
    from DaTscanAILib.slicer_adapters.running import put_analysis

    volume, path = add_input(slicer), tmp_path / "report.pdf"
    put_analysis(volume, synthetic_analysis())
    logic.saveReport(volume, path)
    assert "Research use only" in texts_of(path)
    monkeypatch.setitem(slicer.app.settings, "DaTscanAI/ReportLanguage", "de")
    logic.saveReport(volume, path)
    assert "Nur für Forschungszwecke" in texts_of(path)
    logic.getParameterNode().reportLanguage = "en"
    logic.saveReport(volume, path)
    assert "Research use only" in texts_of(path)
    with pytest.raises(DaTscanError, match="no report language 'xx'"):
        logic.saveReport(volume, path, "xx")
    logic.saveReport(volume, path, clinical={"indication": "falls", "dose_mbq": 185})
    assert "Indication falls" in texts_of(path)
    assert "tracer not stated, 185 MBq" in texts_of(path)
    with pytest.raises(DaTscanError, match="'weight' is no entry"):
        logic.saveReport(volume, path, clinical={"weight": 80})


def test_dicom_results_of_one_scan_are_filed_with_its_study(slicer, logic, tmp_path):
    """Report, pictures and page, of DICOM scans alone, in a folder of their own."""
    import pydicom

    from DaTscanAILib.slicer_adapters.running import put_analysis

    volume = logic.loadScan(SAMPLE, "a scan")
    with pytest.raises(DaTscanError, match="nothing to report yet"):
        logic.saveDicomResults(volume, tmp_path)
    put_analysis(volume, synthetic_analysis())
    folder = logic.saveDicomResults(volume, tmp_path, clinical={"indication": "falls"})
    assert folder == tmp_path / "a_scan_dicom"
    assert [path.name for path in tmp_path.iterdir()] == ["a_scan_dicom"]
    names = {path.name for path in folder.iterdir()}
    assert names == {"dicom_sr.dcm", "dicom_overview.dcm", "dicom_map.dcm", "dicom_report.dcm"}
    source, report = pydicom.dcmread(SAMPLE), pydicom.dcmread(folder / "dicom_sr.dcm")
    for keyword in ("PatientID", "StudyInstanceUID"):
        assert report[keyword].value == source[keyword].value
    assert report.SeriesInstanceUID != source.SeriesInstanceUID
    logic.saveDicomResults(volume, tmp_path)
    assert {path.name for path in folder.iterdir()} == names


def test_dicom_results_need_the_scans_own_files(slicer, logic, tmp_path, monkeypatch):
    """The place of the files is kept in memory, not in the node that goes into saved scenes."""
    from DaTscanAILib.slicer_adapters import dicom_files
    from DaTscanAILib.slicer_adapters.running import put_analysis

    other = add_input(slicer)
    put_analysis(other, synthetic_analysis())
    with pytest.raises(DaTscanError, match="Only DICOM scans"):
        logic.saveDicomResults(other, tmp_path)
    volume = logic.loadScan(SAMPLE)
    put_analysis(volume, synthetic_analysis())
    assert not any(SAMPLE.stem in volume.GetAttribute(name) for name in volume.GetAttributeNames())
    monkeypatch.setattr(dicom_files, "_known", {})
    with pytest.raises(DaTscanError, match="load the scan from them again"):
        logic.saveDicomResults(volume, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_model_with_regions_gives_a_table_of_grades_and_one_without_none(slicer):
    from DaTscanAILib.slicer_adapters.case import GRADES, Case
    from DaTscanAILib.slicer_adapters.running import put_analysis

    volume, graded = add_input(slicer), synthetic_analysis()
    shares = {"normal": 0.0, "borderline": 0.0, "moderate": 0.1, "strong": 0.5, "almost missing": 0.4}
    graded.result["quantification"]["grades"] = {"caudate_right": {"grade": "strong", "probabilities": shares}}
    put_analysis(volume, graded)
    table = Case.of(volume).get(GRADES)
    assert [table.GetCellText(0, column) for column in range(3)] == ["Caudate", "strong 50/almost missing 40", "-"]
    put_analysis(volume, synthetic_analysis())
    assert Case.of(volume).get(GRADES) is None
    assert not slicer.mrmlScene.IsNodePresent(table)


def test_the_table_has_z_scores_and_limits_where_there_are_normals(slicer):
    """Point 11: in columns that the panel's width holds."""
    from picture_factory import result_with

    from DaTscanAILib.slicer_adapters.tables import write_sbr_table

    table = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode")
    write_sbr_table(table, result_with())
    assert [table.GetColumnName(column) for column in range(4)] == ["SBR", "Right", "Left", "Asym."]
    assert table.GetNumberOfColumns() == 4
    result = result_with()
    keys = [f"{nucleus}_{side}" for nucleus in ("caudate", "putamen", "striatum") for side in ("left", "right")]
    measures = {key: {"z": -1.74, "limits_90": [1.62, 3.88]} for key in keys}
    measures["putamen_left"] = {"z": -3.96, "limits_90": [1.58, 3.91]}
    result["quantification"]["normals"] = {"source": "somewhere", "measures": measures}
    result["quantification"]["z"] = {key: entry["z"] for key, entry in measures.items()}
    write_sbr_table(table, result)
    assert [table.GetColumnName(column) for column in range(7)] == [
        "SBR",
        "Right",
        "z right",
        "Left",
        "z left",
        "Asym.",
        "Normal",
    ]
    row = [table.GetCellText(1, column) for column in range(7)]
    assert row == ["Putamen", "2.13", "-1.7", "1.02", "-4.0", "70 %", "1.6-3.9"]


def test_the_table_shows_the_ratios_of_a_scan_without_sides(slicer):
    from picture_factory import result_without_sides

    from DaTscanAILib.slicer_adapters.tables import write_sbr_table

    table = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode")
    write_sbr_table(table, result_without_sides())
    columns = range(table.GetNumberOfColumns())
    assert [table.GetColumnName(column) for column in columns] == ["SBR", "Lower side", "Other side"]
    assert [table.GetCellText(1, column) for column in columns] == ["Putamen", "1.02", "2.13"]
