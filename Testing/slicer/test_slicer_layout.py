"""The panel's room, measured in real Qt; what every control says of itself; the order of the sections."""

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from fake_ui import UI, widgets_of_ui

PROGRAM = Path(__file__).resolve().parents[1] / "support" / "qt_panel.py"
TEXTS = {
    "answerLabel": "Reduced",
    "answerDetailLabel": (
        "Probability of reduced uptake: above 99 %\nThe right putamen argues for reduced.\n"
        "Healing the right putamen would make the answer normal."
    ),
    "geometryLabel": "128 x 128 x 72 voxels of 3.50 x 3.50 x 3.50 mm; axes run to left, back, foot (LPI)",
    "statusLabel": "DaTscanReduced: reduced.",
    "outdatedLabel": "",
    "warningsLabel": "",
    "detailsLabel": "\n".join(["Caudate/putamen: right 1.73, left 1.13, and a model"] * 7),
}
TABLE = [
    ["SBR", "Right", "z right", "Left", "z left", "Asym.", "Normal"],
    ["Caudate", "1.34", "-2.4", "1.49", "-2.1", "10 %", "1.6-3.9"],
    ["Putamen", "0.75", "-3.3", "1.31", "-2.4", "55 %", "1.6-4.0"],
    ["Striatum", "1.02", "-3.0", "1.38", "-2.3", "30 %", "1.6-3.9"],
]


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    """What the panel takes with a result in it."""
    pytest.importorskip("PySide6.QtUiTools", reason="PySide6-Essentials is not installed")
    facts = {
        "texts": TEXTS,
        "table": TABLE,
        "hidden": [
            *("progressBar", "adjustFrame", "modelFolderEdit", "modelFolderCaption", "installTorchButton"),
            *("changeTableView", "changeLabel", "gradesTableView"),
        ],
        "bottoms": ["inputSelector", "analyzeButton", "answerLabel", "sbrTableView", "showViewsButton"],
    }
    picture = tmp_path_factory.mktemp("panel") / "panel.png"
    command = [sys.executable, str(PROGRAM), json.dumps(facts), str(picture)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_one_screen_holds_scan_button_answer_table_and_map_controls(room):
    """Point 17. Of 900 px the window's own bars take 200; it was 2,348 px unfolded."""
    assert max(room["bottoms"].values()) < 700
    assert room["heights"]["as it opens"] < 760
    assert room["heights"]["unfolded"] < 1900


def test_the_table_fits_without_a_scroll_bar(room):
    """Point 11: at 470 px, every cell readable."""
    width, horizontal, vertical = room["table"]
    assert width < 470
    assert (horizontal, vertical) == (0, 0)
    assert all(text + 6 <= column for column, text in room["columns"])


def test_the_width_does_not_jump_when_sections_are_folded(room):
    """Point 11: no section needs more than the panel's own least width."""
    least = int(
        next(widget for widget in ElementTree.parse(UI).iter("widget"))
        .find("property[@name='minimumSize']/size/width")
        .text
    )
    assert max(room["widths"].values()) <= least <= 470


def test_the_sections_stand_in_the_order_of_the_chain():
    """Point 17: log and numbers are folded away."""
    sections = {
        widget.get("name"): widget.find("property[@name='collapsed']/bool").text == "true"
        for widget in ElementTree.parse(UI).iter("widget")
        if widget.get("class") == "ctkCollapsibleButton"
    }
    inner = ("orientation", "details", "method")
    order = [name.removesuffix("CollapsibleButton") for name in sections]
    assert [name for name in order if name not in inner] == [
        "scan",
        "result",
        "registration",
        "quantification",
        "classification",
        "explanation",
        "prior",
        "batch",
        "log",
    ]
    assert {name for name, folded in sections.items() if not folded} == {
        f"{name}CollapsibleButton" for name in ("scan", "result", "explanation")
    }


def test_every_control_says_what_it_does():
    """Labels say it themselves."""
    for widget in ElementTree.parse(UI).iter("widget"):
        if widget.get("class") in ("QLabel", "QFrame", "qMRMLWidget"):
            continue
        tip = widget.find("property[@name='toolTip']/string")
        assert tip is not None, widget.get("name")
        assert len(tip.text) > 10, widget.get("name")
        assert tip.text.endswith("."), widget.get("name")


def test_words_of_the_panel_are_a_physicians():
    """Point 12."""
    text = UI.read_text(encoding="utf-8")
    for word in ("Usual method", "Used: no", "Advanced", "LR", "IS"):
        assert not re.search(rf">{word}", text), word


def test_sliders_for_adjusting_go_from_minus_to_plus_thirty():
    """Point 8."""
    sliders = {name: values for name, kind, values in widgets_of_ui() if kind == "ctkSliderWidget"}
    for name in ("right", "front", "up", "pitch", "roll", "yaw"):
        values = sliders[f"{name}Slider"]
        assert (values["minimum"], values["maximum"], values["value"]) == (-30, 30, 0)
        assert values["suffix"] == (" mm" if name in ("right", "front", "up") else "°")
