"""The panel without Qt: registration, by itself and by hand."""

import re

import pytest

pytest.importorskip("slicer", reason="slicer-core is not installed")

from slicer_panel import layers, select_input


def test_each_stage_runs_by_itself(widget):
    widget.ui.loadSampleButton.click()
    widget.ui.registerButton.click()
    assert widget.ui.registrationQualityLabel.text.endswith("GREEN, good")
    assert widget.ui.statusLabel.text == "DaTscanReduced: registered, not measured yet."
    assert widget.ui.lowerSideLabel.text == "not measured yet"
    assert not widget.ui.sbrTableView.visible
    widget.ui.quantifyButton.click()
    assert widget.ui.lowerSideLabel.text == "right"
    assert widget.ui.sbrTableView.visible
    assert widget.ui.answerLabel.text == "Not classified"
    assert widget.ui.statusLabel.text == "DaTscanReduced: measured, not classified yet."


def test_register_ends_in_the_fused_comparison_and_choosing_acts_at_once(widget, quick, composite):
    """Points 6 and 7: no button between."""
    from DaTscanAILib.slicer_adapters.parameters import Comparison

    select_input(widget)
    widget.ui.registerButton.click()
    assert widget.parameters.comparison is Comparison.FUSED
    assert layers(composite) == ["DaTscan AI FP-CIT template", "scan"]
    widget.parameters.comparison = Comparison.CHECKERBOARD
    assert layers(composite) == ["scan checkerboard", None]
    widget.parameters.comparison = Comparison.SIDE_BY_SIDE
    assert layers(composite) == ["scan", None]
    widget.ui.analyzeButton.click()
    assert widget.parameters.comparison is Comparison.NONE
    assert layers(composite) == ["DaTscan AI MRI template", "scan relevance"]
    widget.parameters.comparison = Comparison.FUSED
    widget.ui.showViewsButton.click()
    assert layers(composite) == ["DaTscan AI MRI template", "scan relevance"]
    assert not hasattr(widget.ui, "compareButton")


def test_registering_again_keeps_the_answer_unless_it_lands_elsewhere(widget, quick):
    """Point 5."""
    select_input(widget)
    ui = widget.ui
    ui.analyzeButton.click()
    ui.registerButton.click()
    assert (ui.answerLabel.text, ui.answerLabel.enabled) == ("Reduced", True)
    assert ui.statusLabel.text == "scan: reduced."
    quick.shift = 3.0
    ui.registerButton.click()
    assert ui.answerLabel.text == "Reduced (outdated)"
    assert "belongs to the registration before it was changed" in ui.outdatedLabel.text
    ui.quantifyButton.click()
    assert ui.sbrTableView.enabled
    assert ui.answerLabel.text == "Reduced (outdated)"


SLIDERS = ("right", "front", "up", "pitch", "roll", "yaw")


def sliders_of(ui):
    return [getattr(ui, f"{name}Slider") for name in SLIDERS]


def test_adjusting_starts_at_zero_acts_as_an_offset_and_can_be_taken_back(widget):
    """Point 8, with the quality of what the sliders make (point 3)."""
    import numpy as np
    import slicer

    from DaTscanAILib.slicer_adapters.case import TRANSFORM, Case

    ui = widget.ui
    ui.loadSampleButton.click()
    ui.registerButton.click()
    transform = Case.of(widget.parameters.inputVolume).get(TRANSFORM)
    automatic = slicer.util.arrayFromTransformMatrix(transform)
    assert not ui.adjustFrame.visible
    ui.adjustButton.checked = True
    assert ui.adjustFrame.visible
    assert [slider.value for slider in sliders_of(ui)] == pytest.approx([0] * 6, abs=1e-6)
    ui.upSlider.drag(5, 12)
    moved = slicer.util.arrayFromTransformMatrix(transform)
    assert moved[:3, 3] - automatic[:3, 3] == pytest.approx([0, 0, 12])
    assert moved[:3, :3] == pytest.approx(automatic[:3, :3])
    assert re.search(r"By hand, 11\.\d mm from the automatic one", ui.registrationQualityLabel.text)
    assert "RED, not accepted" in ui.registrationQualityLabel.text
    assert "Measure or analyze to use it." in ui.registrationQualityLabel.text
    ui.yawSlider.drag(-8)
    turned = slicer.util.arrayFromTransformMatrix(transform)
    center = np.linalg.inv(automatic) @ [0, -18, 8, 1]
    assert (turned @ center)[:3] == pytest.approx([0, -18, 20])  # it turns about the middle of the brain
    ui.resetRegistrationButton.click()
    assert slicer.util.arrayFromTransformMatrix(transform) == pytest.approx(automatic, abs=1e-9)
    assert [slider.value for slider in sliders_of(ui)] == pytest.approx([0] * 6, abs=1e-6)
    assert ui.registrationQualityLabel.text.endswith("GREEN, good")


def test_after_measuring_by_hand_the_button_comes_up_and_the_sliders_go_on_later(widget):
    """Point 8; the numbers say that they are by hand (point 3)."""
    ui = widget.ui
    ui.loadSampleButton.click()
    ui.registerButton.click()
    ui.adjustButton.checked = True
    ui.frontSlider.drag(2)
    ui.quantifyButton.click()
    assert widget.logic.result(widget.parameters.inputVolume)["registration"]["manual"] is True
    assert not ui.adjustButton.checked
    assert not ui.adjustFrame.visible
    assert ui.registrationQualityLabel.text.endswith("from the automatic one.")
    assert "by hand" in ui.detailsLabel.text
    ui.adjustButton.checked = True
    assert ui.frontSlider.value == pytest.approx(2, abs=1e-6)
    ui.frontSlider.drag(3)
    assert "Measure or analyze to use it." in ui.registrationQualityLabel.text


def test_the_sliders_move_the_transform_of_the_selected_scan_alone(widget, quick):
    from DaTscanAILib.slicer_adapters.case import TRANSFORM, Case, is_by_hand

    ui, transforms, volumes = widget.ui, [], []
    for name in ("first", "second"):
        volumes.append(select_input(widget, name))
        ui.registerButton.click()
        transforms.append(Case.of(volumes[-1]).get(TRANSFORM))
        ui.adjustButton.checked = True
    first, second = transforms
    assert not is_by_hand(first)
    widget.parameters.inputVolume = volumes[0]
    assert not ui.adjustButton.checked
    ui.upSlider.drag(20)
    assert not is_by_hand(second)
    assert not is_by_hand(first)
    ui.adjustButton.checked = True
    ui.upSlider.drag(10)
    assert is_by_hand(first)
    assert not is_by_hand(second)


def test_the_lower_side_changing_by_hand_is_said(widget):
    """Point 3: the scan is turned about by hand, so that left and right exchange their values."""
    import numpy as np
    import slicer

    from DaTscanAILib.slicer_adapters.case import TRANSFORM, Case

    widget.ui.loadSampleButton.click()
    widget.ui.registerButton.click()
    volume = widget.parameters.inputVolume
    transform = Case.of(volume).get(TRANSFORM)
    turn = np.diag([-1.0, -1, 1, 1])
    slicer.util.updateTransformMatrixFromArray(transform, turn @ slicer.util.arrayFromTransformMatrix(transform))
    widget.ui.quantifyButton.click()
    warnings = widget.logic.result(volume)["warnings"]
    assert any(
        "the left putamen is the lower one, with the automatic one it is the right" in line for line in warnings
    )
    assert any("does not fit the template" in line for line in warnings)
    assert "the left putamen" in widget.ui.warningsLabel.text
    assert widget.logic.result(volume)["registration"]["accepted"] is False
