"""Pictures of a scan whose left and right are unknown name no side, and do not say where the right is."""

import pytest
from picture_factory import MRI_AFFINE, blob, gray_mri, result_with

from DaTscanAILib.reporting import map_picture, overview
from DaTscanAILib.reporting.panels import paint_panels
from DaTscanAILib.reporting.unknown_sides import without_side_letters

UNKNOWN = result_with(registration={"quality": 0.9, "accepted": True, "sides_known": False})
SCAN = blob((27.0, 2.0, 4.0))


@pytest.fixture
def drawn(monkeypatch):
    """Texts that are drawn into pictures."""
    texts = []
    for module in (overview, map_picture):
        monkeypatch.setattr(module, "draw_text", lambda draw, place, text, *_, **__: texts.append(text))
    return texts


def draw_overview(known):
    panels = paint_panels(SCAN, SCAN, gray_mri(), MRI_AFFINE)
    overview.compose_overview(panels if known else without_side_letters(panels), result_with() if known else UNKNOWN)


def draw_map(known):
    map_picture.map_picture(SCAN, gray_mri(), MRI_AFFINE, result_with() if known else UNKNOWN)


@pytest.mark.parametrize("draw", [draw_overview, draw_map])
def test_sides_are_named_where_they_are_known_alone(draw, drawn):
    draw(known=True)
    assert {"R", "L"} <= set(drawn)
    assert drawn[-2].startswith("Radiological view")
    drawn.clear()
    draw(known=False)
    assert drawn[-2] == "Left and right are unknown (?): the scan may be mirrored."
    assert not any("right" in text.lower() for text in drawn if text != drawn[-2])
    assert not {"R", "L"} & set(drawn)
