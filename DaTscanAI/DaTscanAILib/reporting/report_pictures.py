"""The pictures of the report: slices with letters, places, outlines and color bars, as wide as the page lets them."""

from PIL import Image

from .language import ENGLISH, Language
from .overview import (
    DIFFERENCE_TICKS,
    RELEVANCE_TICKS,
    difference_bar,
    difference_heading,
    relevance_bar,
    scan_bar,
    scan_heading,
    scan_ticks,
)
from .page_parts import GRAY, LEFT, RIGHT
from .panels import Cut, Panels, Strip
from .pdf import Page, wrap
from .unknown_sides import orientation_sentence
from .wording import reference_of

_WIDEST, _NARROWEST, _LEAST_OF_ALL = 438.0, 245.0, 240.0  # points, of a strip
_BESIDE = 23.0  # points that heading and places of a strip take
_HEADING = 8.0
_GRAPHS_WIDTH = 0.79 * (RIGHT - LEFT)
_STRIPS = ("scan", "relevance", "views", "difference")
_LEFT_OUT_FIRST = ("difference", "views", "graphs")


def draw_pictures(
    page: Page,
    y: float,
    bottom: float,
    panels: Panels | None,
    graphs: Image.Image | None,
    result: dict,
    words: Language = ENGLISH,
) -> float:
    """Graphs, and the overview's slices with their legends as text; what the room is too small for is named.

    Args:
        bottom: lower end of the room.
        panels, graphs: as in `report.write_report`.
    """
    names = [name for name in _STRIPS if getattr(panels, name, None) is not None]
    names = (["graphs"] if graphs is not None else []) + names
    dropped = []
    while (width := _width(bottom - y, names, panels, graphs)) < _NARROWEST and (last := _least_needed(names)):
        names.remove(last)
        dropped.append(last)
    width = min(max(width, _LEAST_OF_ALL), _WIDEST)
    for name in names:
        y = (
            _draw_graphs(page, y, graphs)
            if name == "graphs"
            else _DRAWERS[name](page, y, panels, result, width, words)
        )
        if name == "scan" and panels.relevance is None:
            page.text(LEFT, y + 9, words("pictures.no_relevance"), _HEADING)
            y += 12
    return _notes(page, y, panels, dropped, words)


def _notes(page, y, panels, dropped, words):
    """How the slices lie, and what was left out."""
    notes = [] if panels is None else [orientation_sentence(panels.scan.cuts[0].sides_known, words)]
    if dropped:
        missing = ", ".join(words(f"pictures.name.{name}") for name in reversed(dropped))
        notes.append(words("pictures.left_out", names=missing))
    for line in wrap(" ".join(notes), RIGHT - LEFT, 7)[:2]:
        page.text(LEFT, y + 6, line, 7, color=GRAY)
        y += 8
    return y + 2


def _least_needed(names):
    """What may be left out, the first thing first; scan and relevance never."""
    return next((name for name in _LEFT_OUT_FIRST if name in names), None)


def _width(height, names, panels, graphs):
    """Of all strips, so that they fill a height with the graphs."""
    strips = [getattr(panels, name) for name in names if name != "graphs"]
    if not strips:
        return _WIDEST
    height -= _graphs_height(graphs) if "graphs" in names else 0.0
    height -= _BESIDE * len(strips) + 18 + (9 if panels.relevance else 12)
    return height / sum(strip.image.height / strip.image.width for strip in strips)


def _graphs_height(graphs):
    return _GRAPHS_WIDTH * graphs.height / graphs.width + 2


def _draw_graphs(page, y, graphs):
    height = _graphs_height(graphs)
    page.image(LEFT, y, _GRAPHS_WIDTH, height - 2, graphs)
    return y + height


def _scan(page, y, panels, _result, width, words):
    bottom = draw_strip(page, y, panels.scan, scan_heading(panels, words), width, words)
    draw_bar(page, width, y + 14, bottom - 12, scan_bar(256), scan_ticks(panels.scan_limit))
    return bottom


def _relevance(page, y, panels, result, width, words):
    heading = words("pictures.relevance", percent=f"{100 * panels.threshold:.0f}")
    page.text(LEFT, y + 9, heading, _HEADING, bold=True, width=RIGHT - LEFT)
    bottom = draw_strip(page, y + 9, panels.relevance, reference_of(result, words), width, words)
    page.text(LEFT + width + 8, y + 26, words("pictures.argues.reduced"), 6.5)
    page.text(LEFT + width + 8, bottom - 11, words("pictures.argues.normal"), 6.5)
    draw_bar(page, width, y + 30, bottom - 19, relevance_bar(panels.threshold, 256), RELEVANCE_TICKS)
    return bottom


def _views(page, y, panels, _result, width, words):
    heading = words("pictures.scan_views" if panels.relevance is None else "pictures.views")
    return draw_strip(page, y, panels.views, heading, width, words)


def _difference(page, y, panels, _result, width, words):
    bottom = draw_strip(page, y, panels.difference, difference_heading(words), width, words)
    draw_bar(page, width, y + 14, bottom - 12, difference_bar(256), DIFFERENCE_TICKS)
    return bottom


_DRAWERS = {"scan": _scan, "relevance": _relevance, "views": _views, "difference": _difference}


def draw_strip(
    page: Page, y: float, strip: Strip, heading: str, strip_width: float, words: Language = ENGLISH
) -> float:
    """Draw slices below their heading, letters of the sides in them, places below them; the lower end."""
    page.text(LEFT, y + 9, heading, _HEADING, bold=True, width=RIGHT - LEFT)
    scale = strip_width / strip.image.width
    height = strip.image.height * scale
    page.image(LEFT, y + 12, strip_width, height, strip.image)
    for cut, (left, width) in zip(strip.cuts, strip.spans, strict=True):
        ends = (LEFT + left * scale + 2, LEFT + (left + width) * scale - 2)
        for letter, place, align in zip(cut.sides, ends, ("left", "right"), strict=True):
            page.text(place, y + 20, letter, 7, bold=True, color=(255, 255, 255), align=align)
        page.text(sum(ends) / 2, y + 18.5 + height, _name_of(cut, words), 6, align="center")
    return y + _BESIDE + height


def _name_of(cut: Cut, words):
    name = cut.name
    for side in ("right", "left"):
        name = name.replace(f"({side})", words(f"pictures.side.{side}"))
    return name


def draw_bar(page: Page, strip_width: float, top: float, bottom: float, bar: Image.Image, ticks) -> None:
    """A color bar to the right of a strip, with ticks `(text, height from 0 to 1)`."""
    left = LEFT + strip_width + 8
    page.image(left, top, 9, bottom - top, bar)
    for text, place in ticks:
        y = bottom - place * (bottom - top)
        page.line(left + 9, y, left + 12, y, 0.5, GRAY)
        page.text(left + 14, y + 2.2, text, 6.5)
