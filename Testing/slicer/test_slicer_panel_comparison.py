"""The panel without Qt: a scan beside an earlier one."""

import pytest

pytest.importorskip("slicer", reason="slicer-core is not installed")

from slicer_cases import synthetic_comparison
from slicer_panel import layers, select_input

from DaTscanAILib.base.errors import DaTscanError


def test_an_earlier_scan_is_compared_and_the_change_is_shown(widget, composite, monkeypatch):
    from DaTscanAILib.slicer_adapters.parameters import Content

    monkeypatch.setattr("DaTscanAILib.slicer_adapters.work.compare_scans", synthetic_comparison)
    ui, prior = widget.ui, select_input(widget, "first")
    select_input(widget, "second")
    assert not ui.compareScansButton.enabled
    widget.parameters.priorVolume, widget.parameters.priorYears = prior, 2.0
    assert ui.compareScansButton.enabled
    ui.compareScansButton.click()
    assert widget.parameters.content is Content.CHANGE
    assert layers(composite) == ["second in MNI space", "second change"]
    table = [call[1] for call in ui.changeTableView.calls if call[0] == "setMRMLTableNode"][-1].GetTable()
    assert [table.GetValue(2, column).ToString() for column in (0, 3, 5)] == [
        "Putamen right",
        "-33 %",
        "beyond the published",
    ]
    assert ui.changeLabel.text.splitlines()[0] == "first - second (2.0 years apart)"
    assert "Look at both." in ui.changeLabel.text
    assert ui.comparisonReportButton.enabled
    hidden = set(ui.priorSelector.sortFilterProxyModel().hiddenNodeIDs)
    assert prior.GetID() not in hidden
    assert widget.parameters.inputVolume.GetID() not in hidden
    assert len(hidden) >= 3


def test_a_comparison_of_a_changed_scan_is_gray_and_shows_nothing(widget, composite, monkeypatch):
    import slicer

    monkeypatch.setattr("DaTscanAILib.slicer_adapters.work.compare_scans", synthetic_comparison)
    ui, prior = widget.ui, select_input(widget, "first")
    select_input(widget, "second")
    widget.parameters.priorVolume = prior
    ui.compareScansButton.click()
    slicer.util.arrayFromVolume(prior)[40, 50, 45] += 1
    slicer.util.arrayFromVolumeModified(prior)
    widget.refresh()
    assert ui.changeLabel.text.startswith("A scan, its registration or its results have changed since")
    assert not ui.changeLabel.enabled
    assert not ui.comparisonReportButton.enabled
    assert "second change" not in layers(composite)
    assert ui.compareScansButton.enabled


def test_a_comparison_that_fails_says_why(widget, monkeypatch):
    def fail(*_):
        raise DaTscanError("first: nothing can be compared: check it.")

    monkeypatch.setattr("DaTscanAILib.slicer_adapters.work.compare_scans", fail)
    prior = select_input(widget, "first")
    select_input(widget, "second")
    widget.parameters.priorVolume = prior
    widget.ui.compareScansButton.click()
    assert widget.ui.statusLabel.text == "second: first: nothing can be compared: check it."
    assert not widget.ui.changeTableView.visible
    assert widget.ui.compareScansButton.text == "Compare"
