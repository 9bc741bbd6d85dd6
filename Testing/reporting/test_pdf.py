"""The PDF writer: structure, text that can be copied, widths, pictures, deterministic bytes."""

import io

import numpy as np
import pytest
from pdf_reader import PdfFile
from PIL import Image, PdfParser

from DaTscanAILib.reporting.pdf import Page, text_width, wrap


def page_with_everything() -> Page:
    page = Page("Title")
    page.text(10, 20, "Hello", 12, bold=True)
    page.line(0, 0, 100, 100)
    page.rectangle(5, 5, 50, 20, fill=(255, 0, 0), outline=(0, 0, 255))
    page.image(100, 200, 50, 25, Image.new("RGB", (8, 4), (250, 120, 10)))
    page.image(100, 300, 50, 25, Image.new("RGB", (2, 6), (0, 120, 10)))
    return page


def test_cross_references_point_at_their_objects():
    pdf = PdfFile(page_with_everything().to_bytes())
    for number in pdf.offsets:
        pdf.content_of(number)  # asserts that the object starts there
    assert len(pdf.offsets) == 9
    assert b"/Size 10 " in pdf.trailer


def test_pillow_reads_one_page_of_a4():
    with PdfParser.PdfParser(buf=page_with_everything().to_bytes()) as pdf:
        assert len(pdf.pages) == 1
        page = pdf.read_indirect(pdf.pages[0])
        assert [float(edge) for edge in page[b"MediaBox"]] == [0, 0, 595.28, 841.89]
        assert pdf.info[b"Producer"] == b"DaTscanAI"


def test_places_count_from_the_upper_left_corner():
    (text,) = PdfFile(page_with_everything().to_bytes()).texts()
    assert (text.text, text.x, text.y, text.size, text.font) == ("Hello", 10, 821.89, 12, "F2")


@pytest.mark.parametrize("text", ["plain", r"back\slash", "(one", "two))", "Größe ± 5 °C", "a\\(b"])
def test_text_comes_back(text):
    page = Page("")
    page.text(0, 0, text)
    assert [shown.text for shown in PdfFile(page.to_bytes()).texts()] == [text]


@pytest.mark.parametrize(
    ("text", "shown"),
    [("Čapek", "Capek"), ("日本", "??"), ("a😀b", "a?b"), ("two\nlines\tand\x00", "two lines and"), ("e\u0301", "e")],
)
def test_what_western_europe_lacks_is_replaced(text, shown):
    page = Page("")
    page.text(0, 0, text)
    assert PdfFile(page.to_bytes()).texts()[0].text == shown


def test_title_keeps_every_character():
    assert PdfFile(Page("日本 😀 (x)").to_bytes()).title() == "日本 😀 (x)"


def test_widths_are_those_of_adobe():
    # Sums over ASCII of Helvetica.afm and Helvetica-Bold.afm, with quotesingle and grave of WinAnsi.
    ascii_text = "".join(map(chr, range(33, 127)))
    assert text_width(ascii_text, 1000) == pytest.approx(50058 - 278)
    assert text_width(ascii_text, 1000, bold=True) == pytest.approx(52367 - 278)
    assert text_width("WAi.", 10) == pytest.approx((944 + 667 + 222 + 278) / 100)
    assert text_width("é", 1000) == text_width("e", 1000) == 556


def test_alignment_uses_the_widths():
    page = Page("")
    page.text(100, 50, "00", 10, align="right")
    page.text(100, 50, "00", 10, align="center")
    assert [text.x for text in PdfFile(page.to_bytes()).texts()] == [88.88, 94.44]


def test_long_text_keeps_both_ends():
    page = Page("")
    page.text(0, 0, "first" + "x" * 400 + "last", 10, width=100)
    shown = PdfFile(page.to_bytes()).texts()[0].text
    assert shown.startswith("first")
    assert shown.endswith("last")
    assert "..." in shown
    assert 85 < text_width(shown, 10) <= 100


@pytest.mark.parametrize("text", ["some words " * 30, "x" * 500, "short " + "y" * 200 + " end", "W"])
def test_wrapped_lines_fit_and_lose_nothing(text):
    lines = wrap(text, 100, 9)
    assert max(text_width(line, 9) for line in lines) <= 100
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def test_wrapping_nothing_gives_no_line():
    assert wrap("  ", 100, 9) == []


def test_pictures_come_back():
    first, second = (Image.open(io.BytesIO(data)) for data in PdfFile(page_with_everything().to_bytes()).images())
    assert (first.size, second.size) == ((8, 4), (2, 6))
    assert np.abs(np.asarray(first, int) - (250, 120, 10)).max() <= 4


def test_same_page_same_bytes():
    assert page_with_everything().to_bytes() == page_with_everything().to_bytes()
