"""Graphs of a patient among normals drawn with Pillow: no plotting library is needed for a report."""

import numpy as np
from PIL import Image, ImageDraw

from ..quantification.normal_graphs import NormalGraph, Visit, normal_graphs
from ..quantification.normals import NormalDatabase
from .language import ENGLISH, Language
from .lettering import draw_text
from .sentences import translated
from .wording import value_of

PANEL = (400, 330)  # pixels of one graph
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 10, 40, 50
_TITLE, _SMALL, _LETTER = 24, 19, 20  # pixels: of a report's page, whose width four graphs share
_LEGEND_LINE = 26
_FINE = 2  # lines are drawn so many times larger and then averaged: smooth edges
_INK, _GRAY, _POINTS, _PATIENT = (30, 30, 30), (110, 110, 110), (176, 176, 176), (200, 20, 30)
_BAND = (238, 242, 247)


def patient_graphs(
    result: dict,
    normals: NormalDatabase | None,
    former: tuple[Visit, ...] = (),
    words: Language = ENGLISH,
) -> Image.Image | None:
    """The graphs of a result; None where it was not set beside normals or these do not fit.

    Args:
        result: the dictionary of `result.json`.
        normals: that it was set beside.
        former: earlier scans of the patient, the first first.
        words: language of titles and legend; the font has no accents.
    """
    measures = value_of(result, "quantification", "normals", "measures")
    if normals is None or not measures:
        return None
    age, sex = (value_of(result, "patient", key) for key in ("age", "sex"))
    visit = Visit(age, {key: entry["value"] for key, entry in measures.items()})
    return graphs_image(normal_graphs(normals, (*former, visit), sex), translated(normals.source, words), words)


def graphs_image(graphs: list[NormalGraph], source: str, words: Language = ENGLISH) -> Image.Image:
    """Graphs side by side on white, with their legend and whose normals they are below.

    Args:
        graphs: of `normal_graphs`.
        source: a sentence on the normals.
        words: language of titles and legend.
    """
    image = Image.new("RGB", (PANEL[0] * len(graphs), PANEL[1] + 2 * _LEGEND_LINE + 6), "white")
    for index, graph in enumerate(graphs):
        image.paste(graph_image(graph, words), (index * PANEL[0], 0))
    draw = ImageDraw.Draw(image)
    former = words("graphs.former") if any(len(graph.visits) > 1 for graph in graphs) else ""
    for line, text in enumerate((f"{words('graphs.legend')}{former}.", source)):
        draw_text(draw, (10, PANEL[1] + 2 + _LEGEND_LINE * line), text, _SMALL + 2, _GRAY, width=image.width - 20)
    return image


def graph_image(graph: NormalGraph, words: Language = ENGLISH) -> Image.Image:
    """One graph."""
    frame = _Frame(graph)
    fine = Image.new("RGB", (PANEL[0] * _FINE, PANEL[1] * _FINE), "white")
    _draw_normals(ImageDraw.Draw(fine), frame, graph)
    _draw_visits(ImageDraw.Draw(fine), frame, graph)
    image = fine.resize(PANEL, Image.Resampling.BOX)
    _draw_words(ImageDraw.Draw(image), frame, graph, words)
    return image


class _Frame:
    """Where values lie in the picture."""

    def __init__(self, graph):
        low, high = graph.limits[max(graph.limits)]
        shown = [value for visit in graph.visits for value in visit[1:] if value is not None]
        values = [*low, *high, *graph.normal_values, *shown]
        self.years = float(graph.ages[0]), float(graph.ages[-1])
        self.step = _round_step((max(values) - min(min(values), 0.0)) / 5)
        self.values = (
            np.floor(min(min(values), 0.0) / self.step) * self.step,
            np.ceil(max(values) / self.step) * self.step,
        )

    def x(self, year):
        share = (year - self.years[0]) / (self.years[1] - self.years[0])
        return _LEFT + share * (PANEL[0] - _LEFT - _RIGHT)

    def y(self, value):
        share = (value - self.values[0]) / (self.values[1] - self.values[0])
        return PANEL[1] - _BOTTOM - share * (PANEL[1] - _TOP - _BOTTOM)

    def fine(self, year, value):
        return self.x(year) * _FINE, self.y(value) * _FINE

    def curve(self, years, values):
        return [self.fine(*point) for point in zip(years, values, strict=True)]


def _draw_normals(draw, frame, graph):
    inner, outer = min(graph.limits), max(graph.limits)
    low, high = graph.limits[outer]
    draw.polygon([*frame.curve(graph.ages, low), *reversed(frame.curve(graph.ages, high))], fill=_BAND)
    for value in np.arange(frame.values[0], frame.values[1] + frame.step / 2, frame.step):
        draw.line([frame.fine(frame.years[0], value), frame.fine(frame.years[1], value)], fill=(225, 225, 225))
    for point in zip(graph.normal_ages, graph.normal_values, strict=True):
        _dot(draw, frame.fine(*point), 2.2, fill=_POINTS)
    draw.line(frame.curve(graph.ages, graph.mean), fill=_INK, width=2 * _FINE)
    for limit in graph.limits[inner]:
        points = frame.curve(graph.ages, limit)
        for first, second in zip(points[::2], points[1::2], strict=False):
            draw.line([first, second], fill=_GRAY, width=_FINE + 1)
    corners = frame.fine(frame.years[0], frame.values[1]), frame.fine(frame.years[1], frame.values[0])
    draw.rectangle([*corners[0], *corners[1]], outline=_GRAY, width=_FINE)


def _draw_visits(draw, frame, graph):
    for side in (1, 2):
        points = [frame.fine(visit[0], visit[side]) for visit in graph.visits if visit[side] is not None]
        if len(points) > 1:
            draw.line(points, fill=_PATIENT, width=_FINE)
        for point in points[:-1]:
            _dot(draw, point, 4, fill="white", outline=_PATIENT)
        for point in points[-1:]:
            _dot(draw, point, 4.5, fill=_PATIENT)


def _draw_words(draw, frame, graph, words):
    draw_text(draw, (_LEFT, 8), words(f"graphs.{graph.name}"), _TITLE, _INK, bold=True)
    for value in np.arange(frame.values[0], frame.values[1] + frame.step / 2, frame.step):
        draw_text(draw, (_LEFT - 6, frame.y(value)), words.numbers_of(f"{value:g}"), _SMALL, _GRAY, anchor="rm")
    base = PANEL[1] - _BOTTOM
    if graph.with_ages:
        for year in range(int(np.ceil(frame.years[0] / 10)) * 10, int(frame.years[1]) + 1, 10):
            draw_text(draw, (frame.x(year), base + 6), str(year), _SMALL, _GRAY, anchor="ma")
        draw_text(draw, ((_LEFT + PANEL[0] - _RIGHT) / 2, base + 26), words("graphs.age"), _SMALL, _GRAY, anchor="ma")
    else:
        draw_text(
            draw, ((_LEFT + PANEL[0] - _RIGHT) / 2, base + 14), words("graphs.no_age"), _SMALL, _GRAY, anchor="ma"
        )
    _draw_letters(draw, frame, graph)


def _draw_letters(draw, frame, graph):
    """R and L beside the last visit, on the side of it that has room and apart from each other."""
    if not graph.visits:
        return
    year, right, left = graph.visits[-1]
    offset, anchor = (10, "lm") if frame.x(year) < PANEL[0] - 60 else (-10, "rm")
    for letter, value, other in (("R", right, left), ("L", left, right)):
        if value is None:
            continue
        above = other is not None and (value > other or (value == other and letter == "R"))
        close = other is not None and abs(frame.y(value) - frame.y(other)) < 18
        apart = (-9 if above else 9) if close else 0
        draw_text(
            draw, (frame.x(year) + offset, frame.y(value) + apart), letter, _LETTER, _PATIENT, anchor, bold=True
        )


def _dot(draw, center, radius, fill, outline=None):
    x, y = center
    radius *= _FINE
    draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=fill, outline=outline, width=_FINE)


def _round_step(step):
    """1, 2 or 5 times a power of ten, not below `step`."""
    power = 10 ** np.floor(np.log10(step))
    return float(next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step * (1 - 1e-9)))
