"""The module's logic in Slicer's scene: batches, their table, and the walk-through of the README."""

import re
from types import SimpleNamespace

import pytest

pytest.importorskip("slicer", reason="slicer-core is not installed")

from slicer_cases import SAMPLE, add_input, synthetic_analysis
from slicer_environment import MODULE_FOLDER

from DaTscanAILib.base.errors import DaTscanError
from DaTscanAILib.reporting.result_files import read_result


def test_a_batch_of_files_and_nodes_gives_rows_and_files(slicer, logic, model, tmp_path):
    scans = tmp_path / "scans"
    scans.mkdir()
    (scans / "good.dcm").write_bytes(SAMPLE.read_bytes())
    (scans / "broken.nii.gz").write_bytes(b"this is no scan")
    events, out = [], tmp_path / "out"
    volume = logic.loadSample("normal")
    rows = logic.processBatch([scans, volume], out, model=model, report=False, progress=events.append)
    assert [row["case"] for row in rows] == ["broken", "good", "DaTscanNormal"]
    assert [bool(row["error"]) for row in rows] == [True, False, False]
    assert [(event["done"], event["total"]) for event in events] == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert read_result(out / "good")["quantification"]["lower_putamen"] == "right"
    assert read_result(out / "DaTscanNormal")["classification"]["model"] == "tiny"
    assert (out / "results.csv").read_text().count("\n") == 4
    table = slicer.util.getFirstNodeByClassByName("vtkMRMLTableNode", "DaTscan AI results")
    assert table.GetNumberOfRows() == 3
    assert [table.GetColumnName(column) for column in range(7)] == [
        "Case",
        "Answer",
        "Probability",
        "Lower putamen",
        "z",
        "Quality",
        "Error",
    ]
    cells = [[table.GetCellText(row, column) for column in range(7)] for row in range(3)]
    assert [row[0] for row in cells] == ["broken", "good", "DaTscanNormal"]
    assert cells[0][1] == "FAILED"  # point 14: failed rows are seen, with their reason
    assert cells[0][6] == rows[0]["error"]
    sbr = read_result(out / "good")["quantification"]["sbr"]["putamen_right"]
    assert cells[1][3] == f"{sbr:.3g}"
    assert all(len(re.sub(r"e.*|[-.]|^0\\.0*", "", cell)) <= 4 for cell in cells[1][2:6])


def test_a_double_click_on_a_row_opens_its_case(slicer, logic, model, tmp_path):
    """Point 14: with the result that the batch has written, nothing is computed again."""
    from DaTscanAILib.slicer_adapters.batch_table import open_row
    from DaTscanAILib.slicer_adapters.case import RELEVANCE, Case

    (tmp_path / "scans").mkdir()
    (tmp_path / "scans" / "good.dcm").write_bytes(SAMPLE.read_bytes())
    (tmp_path / "scans" / "broken.nii.gz").write_bytes(b"this is no scan")
    out = tmp_path / "out"
    logic.processBatch(tmp_path / "scans", out, model=model, report=False)
    table = slicer.util.getFirstNodeByClassByName("vtkMRMLTableNode", "DaTscan AI results")
    volume = open_row(table, 1, logic.session)
    assert volume.GetName() == "good"
    assert logic.getParameterNode().inputVolume is volume
    result, written = logic.result(volume), read_result(out / "good")
    assert {key: result[key] for key in written} == written
    assert "outdated" not in result
    assert Case.of(volume).get(RELEVANCE) is not None
    assert open_row(table, 1, logic.session) is volume
    with pytest.raises(DaTscanError, match="broken"):
        open_row(table, 0, logic.session)


def test_the_table_of_a_batch_stands_below_empty_views(slicer, logic, model, tmp_path, monkeypatch):
    """Point 14: what the views showed belongs to no row; the double click is connected once."""
    from DaTscanAILib.slicer_adapters.running import put_analysis

    volume = add_input(slicer)
    put_analysis(volume, synthetic_analysis())
    composite = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSliceCompositeNode")
    logic.session.select(volume, {})
    assert composite.GetBackgroundVolumeID()
    layouts, connected, properties = [], [], {}
    view = SimpleNamespace(
        property=properties.get, setProperty=properties.__setitem__, connect=lambda *slot: connected.append(slot)
    )
    manager = SimpleNamespace(
        layout=3, setLayout=layouts.append, tableWidget=lambda _index: SimpleNamespace(tableView=lambda: view)
    )
    monkeypatch.setattr(slicer.app, "layoutManager", lambda: manager)
    for _ in range(2):
        logic.processBatch(SAMPLE, tmp_path / "out", model=model, report=False)
    assert set(layouts) == {slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpTableView}
    assert composite.GetBackgroundVolumeID() is None
    assert logic.getParameterNode().inputVolume is None
    assert [signal for signal, _slot in connected] == ["doubleClicked(QModelIndex)"]


def test_the_same_scan_as_file_and_as_node_gives_the_same_row(logic, model, tmp_path):
    from_file = logic.processBatch(SAMPLE, tmp_path / "a", model=model, report=False)[0]
    from_node = logic.processBatch(logic.loadScan(SAMPLE), tmp_path / "b", model=model, report=False)[0]
    assert from_file.pop("series") != from_node.pop("series")  # a node does not know its series
    assert from_node == from_file


def test_a_batch_without_scans_is_refused(logic, tmp_path):
    with pytest.raises(DaTscanError, match="No scans were given"):
        logic.processBatch([], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_console_walk_through_of_the_readme_runs_as_written(slicer, model, tmp_path, monkeypatch, capsys):
    readme = (MODULE_FOLDER.parent / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", readme.split("## In Slicer")[1], re.DOTALL)
    monkeypatch.setattr("DaTscanAILib.classification.model_folder.DEFAULT_MODEL", model)
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})
    printed = capsys.readouterr().out
    assert "'putamen_right': 0.7" in printed
    assert "[('DaTscanReduced', '" in printed
    assert (tmp_path / "report.pdf").is_file()
    assert read_result(tmp_path / "results" / "DaTscanReduced")["error"] is None
