"""What a study hands over at its end: `summary.json` and one page of PDF."""

import json
from dataclasses import dataclass, field

from PIL import Image

from ..base.files import atomic_write_bytes
from ..base.version import VERSION
from ..reporting.language import ENGLISH
from ..reporting.pdf import Page, wrap
from ..reporting.wording import WARNING_COLOR
from ..training.origin import SIMULATED, describe_origins, origin_of
from .workspace import Workspace

LEFT, RIGHT, TOP, FOOTER_TOP = 40.0, 555.0, 40.0, 800.0
LINE = 8.8  # points from line to line of the small print
_GRAY = (96, 96, 96)


@dataclass(frozen=True)
class Findings:
    """What a study has found.

    Attributes:
        title: of the page.
        source: the paper.
        sizes: numbers that the form of the study fixes: folds, epochs, copies, ...
        comparison: lines (quantity, the paper's figure, the figure here) of the main table.
        results: all numbers, plain JSON data.
        choices: how what the paper leaves open was settled, one sentence each.
        figures: names of PNG files in `figures` that the page shows.
        warnings: what limits the results, one sentence each.
        deviations: where this run departs from what the paper says, one sentence each.
    """

    title: str
    source: str
    sizes: dict
    comparison: list[tuple[str, str, str]]
    results: dict
    choices: list[str]
    figures: list[str]
    warnings: list[str] = field(default_factory=list)
    deviations: list[str] = field(default_factory=list)


def write_summary(workspace: Workspace, findings: Findings) -> dict:
    """Write `summary.json` and `study.pdf`; the same findings give the same bytes.

    Returns:
        The summary.
    """
    summary = {
        "study": workspace.name,
        "source": findings.source,
        "version": VERSION,
        "form": "quick" if workspace.options.quick else "full",
        "sizes": findings.sizes,
        "seed": workspace.options.seed,
        "data": describe_scans(workspace),
        "comparison": [dict(zip(("quantity", "paper", "here"), row, strict=True)) for row in findings.comparison],
        "results": findings.results,
        "deviations": findings.deviations,
        "choices": findings.choices,
        "warnings": findings.warnings,
        "statement": ENGLISH("research_statement"),
    }
    text = json.dumps(summary, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
    atomic_write_bytes(workspace.output / "summary.json", text.encode())
    atomic_write_bytes(workspace.output / "study.pdf", page_bytes(workspace, findings, summary))
    return summary


def describe_scans(workspace: Workspace) -> dict:
    """What the study was made on; scans of the simulator are called so."""
    truth = workspace.truth
    simulated = sum(origin_of(one.case) == SIMULATED for one in workspace.scans)
    kind = "simulated scans" if simulated == truth.size else describe_origins(one.case for one in workspace.scans)
    return {
        "manifest": workspace.options.manifest.name,
        "sentence": f"{truth.size} {kind}: {int((~truth).sum())} normal, {int(truth.sum())} reduced.",
        "scans": int(truth.size),
        "reduced": int(truth.sum()),
        "simulated": int(simulated),
        "failed": dict(sorted(workspace.failed.items())),
    }


def page_bytes(workspace: Workspace, findings: Findings, summary: dict) -> bytes:
    """The page: the main table, up to four figures, choices and warnings."""
    page = Page(f"DaTscanAI study: {workspace.name}")
    y = _header(page, workspace, findings, summary)
    y = _comparison(page, y, findings.comparison)
    parts = [
        ("Where this run departs from the paper", findings.deviations),
        ("What the paper leaves open was settled so", findings.choices),
    ]
    small_print = [(title, [line for one in sentences for line in _bullet(one)]) for title, sentences in parts]
    small_print = [(title, lines) for title, lines in small_print if lines]
    room = FOOTER_TOP - 10 - sum(LINE * (len(lines) + 1) + 4 for _, lines in small_print) - y
    y = _figures(page, y, [workspace.output / "figures" / f"{name}.png" for name in findings.figures], room)
    for title, lines in small_print:
        page.text(LEFT, y + LINE, title, 8, bold=True)
        for number, (line, indent) in enumerate(lines, 2):
            page.text(LEFT + indent, y + number * LINE, line, 7.5)
        y += LINE * (len(lines) + 1) + 4
    page.line(LEFT, FOOTER_TOP, RIGHT, FOOTER_TOP, 0.8, _GRAY)
    page.text(LEFT, FOOTER_TOP + 12, ENGLISH("research_statement"), 8.5, bold=True)
    return page.to_bytes()


def _header(page, workspace, findings, summary) -> float:
    page.text(LEFT, TOP + 12, findings.title, 14, bold=True, width=RIGHT - LEFT - 100)
    page.text(RIGHT, TOP + 12, "Research use only", 10, bold=True, color=_GRAY, align="right")
    page.line(LEFT, TOP + 20, RIGHT, TOP + 20, 0.8, _GRAY)
    sizes = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in findings.sizes.items())
    failed = f" {len(workspace.failed)} scans could not be used." if workspace.failed else ""
    texts = [
        f"Study {workspace.name}, after {findings.source}",
        f"Here: {summary['data']['sentence']}{failed}",
        f"{summary['form'].capitalize()} form: {sizes}.",
    ]
    y = TOP + 24
    for line in [line for text in texts for line in wrap(text, RIGHT - LEFT, 8.5)]:
        y += 10.5
        page.text(LEFT, y, line, 8.5)
    for line in [line for text in findings.warnings for line in wrap(text, RIGHT - LEFT, 8.5, bold=True)]:
        y += 10.5
        page.text(LEFT, y, line, 8.5, bold=True, color=WARNING_COLOR)
    return y + 6


def _comparison(page, y, rows) -> float:
    page.line(LEFT, y, RIGHT, y, 0.5, _GRAY)
    for index, row in enumerate([("", "In the paper", "Here"), *rows]):
        y += 11.5
        for place, text, width in zip((LEFT, LEFT + 220, LEFT + 350), row, (215, 125, 165), strict=True):
            page.text(place, y, text, 8.5, bold=index == 0, width=width)
    page.line(LEFT, y + 4, RIGHT, y + 4, 0.5, _GRAY)
    return y + 10


def _figures(page, y, paths, room) -> float:
    """Figures three in a row, wide ones in rows of their own, of the height that fits."""
    images = [Image.open(path).convert("RGB") for path in paths if path.exists()]
    wide = [image for image in images if image.width > 2.2 * image.height]
    others = [image for image in images if image not in wide]
    rows = [[image] for image in wide] + [others[start : start + 3] for start in range(0, len(others), 3)]
    for number, images in enumerate(rows):
        aspect = sum(image.width / image.height for image in images)
        height = min((RIGHT - LEFT - 8 * (len(images) - 1)) / aspect, max(room / (len(rows) - number) - 6, 20))
        x = LEFT
        for image in images:
            width = height * image.width / image.height
            page.image(x, y, width, height, _reduced(image, width))
            x += width + 8
        y, room = y + height + 6, room - height - 6
    return y


def _reduced(image, points):
    """Pixels for 200 dots an inch are enough on paper and keep the file small."""
    width = round(points / 72 * 200)
    if image.width <= width:
        return image
    return image.resize((width, round(image.height * width / image.width)), Image.Resampling.LANCZOS)


def _bullet(sentence) -> list[tuple[str, float]]:
    """Lines with their indents."""
    first, *others = wrap(f"• {sentence}", RIGHT - LEFT - 7, 7.5)
    return [(first, 0.0), *((line, 6.0) for line in others)]
