"""What all one-page reports have in common: margins, warnings, the statement at the foot."""

from ..quantification.hottest_voxels import HOTTEST_VOLUME_ML
from ..quantification.scaling import REFERENCE_PERCENTILE
from .language import ENGLISH, Language
from .pdf import Page, wrap
from .sentences import translated

LEFT, RIGHT, TOP = 40.0, 555.0, 28.0  # points; the footer ends at 822
FOOTER_TOP = 772.0
GRAY = (96, 96, 96)
MOST_LINES, LONGEST_TEXT = 3, 1000  # of a warning or an error
_WARNING_SIZE, _WARNING_LINE = 8.0, 10.0


def limited_lines(text: str, width: float, size: float) -> list[str]:
    """Lines of a text from elsewhere, which may be of any length; "..." stands for what is left out."""
    lines = wrap(text[:LONGEST_TEXT], width, size)
    return lines if len(lines) <= MOST_LINES else [*lines[: MOST_LINES - 1], f"{lines[MOST_LINES - 1][:-3]}..."]


def section(page: Page, y: float, title: str) -> float:
    """A section's title; the lower end."""
    page.text(LEFT, y + 9, title, 9.5, bold=True, color=GRAY)
    page.line(LEFT, y + 12, RIGHT, y + 12, 0.5, GRAY)
    return y + 15


def warnings_height(warnings: list[str], most: float, words: Language = ENGLISH) -> float:
    """Points that the warnings would take, `most` if they would take more."""
    height = 14.0
    for warning in warnings:
        height += _WARNING_LINE * len(_lines(warning, words))
        if height > most:  # there may be many more, and long ones
            return most
    return height


def draw_warnings(
    page: Page, y: float, warnings: list[str], file: str = "result.json", words: Language = ENGLISH
) -> None:
    """As many warnings as the rest of the page holds, then the number of the others."""
    title = words("warnings.count", count=len(warnings)) if warnings else words("warnings.none")
    page.text(LEFT, y + 10, title, 9, bold=True)
    y += 10
    for index, warning in enumerate(warnings):
        lines = _lines(warning, words)
        is_last = index == len(warnings) - 1
        if y + _WARNING_LINE * (len(lines) + (0 if is_last else 1)) > FOOTER_TOP - 4:
            more = words("warnings.more", count=len(warnings) - index, file=file)
            page.text(LEFT, y + _WARNING_LINE, more, _WARNING_SIZE, bold=True)
            return
        page.text(LEFT, y + _WARNING_LINE, "•", _WARNING_SIZE)
        for line in lines:
            y += _WARNING_LINE
            page.text(LEFT + 10, y, line, _WARNING_SIZE)


def _lines(warning, words):
    return limited_lines(translated(warning[:LONGEST_TEXT], words), RIGHT - LEFT - 10, _WARNING_SIZE)


def draw_footer(page: Page, result: dict, words: Language = ENGLISH) -> None:
    """Research-use statement, method and versions, at the lower end of the page."""
    page.line(LEFT, FOOTER_TOP, RIGHT, FOOTER_TOP, 0.8, GRAY)
    page.text(LEFT, FOOTER_TOP + 11, words("research_statement"), 8.5, bold=True)
    versions = ", ".join(f"{name} {version}" for name, version in (result.get("versions") or {}).items())
    lines = wrap(method(words), RIGHT - LEFT, 6.5)[:3]
    lines += wrap(words("versions", versions=versions or words("not_available")), RIGHT - LEFT, 6.5)[:2]
    for index, line in enumerate(lines):
        page.text(LEFT, FOOTER_TOP + 20 + 7.5 * index, line, 6.5, color=GRAY)


def method(words: Language = ENGLISH) -> str:
    """How the numbers come about, in a sentence."""
    volumes = ", ".join(f"{words('table.' + name)} ({volume:g} ml)" for name, volume in HOTTEST_VOLUME_ML.items())
    volumes = volumes.lower() if words.name == ENGLISH.name else volumes
    return words("method", percentile=f"{REFERENCE_PERCENTILE:.0f}", volumes=volumes)
