"""An earlier scan of the patient in the scene: what is kept of the comparison, and when it no longer holds."""

import numpy as np
import pytest

pytest.importorskip("slicer", reason="slicer-core is not installed")

from pdf_reader import PdfFile
from slicer_cases import add_input, synthetic_comparison

from DaTscanAILib.base.errors import DaTscanError
from DaTscanAILib.quantification.change import WITHIN


@pytest.fixture
def compared(slicer, logic, monkeypatch):
    """An earlier and a later volume, compared."""
    monkeypatch.setattr("DaTscanAILib.slicer_adapters.work.compare_scans", synthetic_comparison)
    prior, volume = add_input(slicer, "first"), add_input(slicer, "second")
    logic.compareScans(prior, volume, years=1.0, showResult=False)
    return prior, volume


def known(volume):
    from DaTscanAILib.slicer_adapters.case import Case
    from DaTscanAILib.slicer_adapters.prior_scan import known_comparison

    return known_comparison(Case.of(volume))


def test_both_scans_are_measured_and_the_later_one_keeps_the_change(slicer, logic, compared):
    from DaTscanAILib.slicer_adapters.case import CHANGE, SCAN, Case

    prior, volume = compared
    result, state = known(volume)
    assert state.is_current
    assert result["change"]["putamen_left"]["percent"] == pytest.approx(-100 / 3)
    assert result["change"]["putamen_left"]["percent_per_year"] == pytest.approx(-100 / 3)
    scans = [slicer.util.arrayFromVolume(Case.of(node).get(SCAN)) for node in (prior, volume)]
    change = slicer.util.arrayFromVolume(Case.of(volume).get(CHANGE))
    both = (scans[0] != 0) & (scans[1] != 0)
    assert np.allclose(change[both], (scans[1] - scans[0])[both])
    assert change.min() < -0.9
    assert logic.result(prior)["quantification"]["sbr"] == result["before"]["quantification"]["sbr"]
    assert known(prior) == (None, known(prior)[1])
    assert Case.of(prior).get(CHANGE) is None


@pytest.mark.parametrize("which", [0, 1])
def test_a_scan_that_has_changed_since_ends_it(slicer, logic, compared, tmp_path, which):
    from DaTscanAILib.slicer_adapters.case import Case
    from DaTscanAILib.slicer_adapters.prior_scan import change_volume

    volume = compared[1]
    logic.flip(compared[which], "R")
    result, state = known(volume)
    assert result is not None
    assert state.reason == "flip R"
    assert change_volume(Case.of(volume)) is None
    with pytest.raises(DaTscanError, match="compare the scans first"):
        logic.saveComparison(volume, tmp_path / "page.pdf")
    assert not (tmp_path / "page.pdf").exists()


def test_a_removed_scan_takes_its_comparison_along(slicer, compared):
    prior, volume = compared
    slicer.mrmlScene.RemoveNode(prior)
    assert known(volume)[0] is None


def test_the_page_of_two_nodes(logic, compared, tmp_path):
    logic.saveComparison(compared[1], tmp_path / "page.pdf")
    texts = [shown.text for shown in PdfFile((tmp_path / "page.pdf").read_bytes()).texts()]
    assert "Comparison: first - second" in texts
    assert texts.count("-33 %") == 12  # of all regions, in the whole and per year
    with pytest.raises(DaTscanError, match="compare the scans first"):
        logic.saveComparison(compared[0], tmp_path / "other.pdf")


def test_what_cannot_be_compared(slicer, logic, compared):
    from DaTscanAILib.slicer_adapters.case import SCAN, Case

    prior, volume = compared
    with pytest.raises(DaTscanError, match="cannot be compared with itself"):
        logic.compareScans(volume, volume)
    with pytest.raises(DaTscanError, match="Two scans are compared"):
        logic.compareScans(None, volume)
    with pytest.raises(DaTscanError, match="made by this module"):
        logic.compareScans(Case.of(prior).get(SCAN), volume)


def test_a_real_scan_has_not_changed_since_itself(logic):
    """The whole way, in this process: the sample twice, both registered and measured."""
    prior, volume = logic.loadSample("normal"), logic.loadSample("normal")
    result = logic.compareScans(prior, volume, showResult=False)
    assert result["same_camera"]
    assert result["years"] is None
    assert {entry["verdict"] for entry in result["change"].values()} == {WITHIN}
    assert result["change"]["putamen_left"]["percent"] == pytest.approx(0, abs=1e-6)
    assert result["before"]["registration"]["accepted"]
