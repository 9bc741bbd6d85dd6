"""Pictures of a scan whose left and right are unknown name no side, and do not say where the right is."""

import pytest
from pdf_reader import PdfFile
from picture_factory import MRI_AFFINE, blob, gray_mri, result_with, result_without_sides

from DaTscanAILib.reporting import map_picture, overview
from DaTscanAILib.reporting.language import Language, language_names
from DaTscanAILib.reporting.page_entry import page_entry
from DaTscanAILib.reporting.panels import paint_panels
from DaTscanAILib.reporting.pdf import text_width
from DaTscanAILib.reporting.report import report_bytes
from DaTscanAILib.reporting.result_files import table_row
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


@pytest.mark.parametrize("name", language_names())
def test_the_report_shows_ratios_in_the_order_of_uptake(name):
    words = Language(name)
    texts = PdfFile(report_bytes(result_without_sides(), None, language=words)).texts()
    row = sorted((one for one in texts if one.y == placed(texts, words("table.putamen")).y), key=lambda one: one.x)
    decimal = words.texts["decimal_sign"]
    assert [one.text for one in row[1:]] == [f"1{decimal}02", f"2{decimal}13"]
    title, lower, other = (placed(texts, words(f"table.{name}")) for name in ("title", "lower_side", "other_side"))
    assert title.y == lower.y == other.y
    assert title.x + text_width(title.text, 8.5, bold=True) < lower.x
    assert lower.x + text_width(lower.text, 8.5, bold=True) < other.x
    assert words("table.ratio") not in {one.text for one in texts}


def placed(texts, wanted):
    (found,) = (one for one in texts if one.text == wanted)
    return found


def test_the_batch_page_shows_them_too():
    result = result_without_sides()
    (table, *_) = page_entry(table_row("case-17", result, None), result)["tables"]
    assert table["headings"] == ["", "Side of the lower putamen", "Other side"]
    assert table["rows"][1] == ["Putamen", "1.02", "2.13"]
