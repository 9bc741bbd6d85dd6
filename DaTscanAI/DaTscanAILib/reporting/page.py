"""The batch as a page: `DIR/index.html` with a table of all cases and a page for each, for any browser.

The file holds everything but the cases' own pictures, which lie in their folders. It asks no network, and its
content policy lets a browser run nothing but the script that this room has put in.
"""

import base64
import hashlib
import json
from pathlib import Path

from ..base.files import atomic_write_bytes
from ..base.resources import resource_path
from ..base.version import VERSION
from .colors import ENTRIES, relevance_table
from .language import ENGLISH
from .page_entry import page_entry
from .page_pictures import shared_pictures, sheet_size
from .panels import RELEVANCE_OPACITY, RELEVANCE_THRESHOLD
from .result_files import PAGE_FILE, RESULT_FILE, finished_result
from .unknown_sides import orientation_sentence

MOST_CASES = 5000  # of a page: more would make the browser wait; the table has them all
_COLOR_STEPS = 16


class Page:
    """The page of a results folder. It remembers the results that it has read, for a service writes it often.

    Args:
        folder: `DIR`.
    """

    def __init__(self, folder: Path):
        self._folder, self._known = Path(folder), {}

    def write(self, rows: list[dict[str, str]]) -> None:
        """Write `index.html` whole or not at all.

        Args:
            rows: of the results table; of very many the last ones are shown.

        Raises:
            OSError: it cannot be written.
        """
        self._known = {row["case"]: self._entry(row) for row in rows[-MOST_CASES:]}
        entries = [entry for _, entry in self._known.values()]
        atomic_write_bytes(self._folder / PAGE_FILE, page_bytes(entries, len(rows)))

    def _entry(self, row):
        """When the result was written and what the row says; and the entry of both."""
        path = self._folder / row["case"] / RESULT_FILE
        try:
            written = path.stat().st_mtime_ns
        except OSError:
            written = None
        state = written, *row.values()
        known = self._known.get(row["case"])
        return known if known and known[0] == state else (state, page_entry(row, finished_result(path.parent)))


def page_bytes(entries: list[dict], total: int | None = None) -> bytes:
    """The page; the same entries give the same bytes.

    Args:
        entries: of `page_entry`.
        total: number of cases of the batch, where not all are shown.
    """
    style, script, body = (_resource(name) for name in ("page.css", "page.js", "page.html"))
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; img-src 'self' file: data:; "
        "base-uri 'none'; form-action 'none'"
    )
    data = {
        "cases": entries,
        "total": len(entries) if total is None else total,
        "pictures": {name: _data_url(png) for name, png in shared_pictures().items()},
        "shape": sheet_size(),
        "relevance_colors": _relevance_colors(),
        "research_statement": ENGLISH("research_statement"),
        "orientation": {"known": orientation_sentence(True), "unknown": orientation_sentence(False)},
        "outline_legend": ENGLISH("pictures.outlines"),
        "threshold_percent": round(100 * RELEVANCE_THRESHOLD),
    }
    parts = {"VERSION": VERSION, "POLICY": policy, "STYLE": style, "SCRIPT": script}
    parts["DATA"] = _json_for_html(data)  # last: what it holds is looked for nothing
    for name, text in parts.items():
        before, after = body.split(f"%%{name}%%")
        body = before + text + after
    return body.encode()


def _resource(name):
    return resource_path("Page", name).read_text(encoding="utf-8")


def _hash(text):
    """What the content policy knows a script or a style by."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _data_url(png):
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _json_for_html(data):
    """JSON that no text in it can end early: a browser's HTML reader sees no `<`."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _relevance_colors():
    """Colors of the legend from normal to reduced, for a style sheet."""
    table = relevance_table(RELEVANCE_THRESHOLD, RELEVANCE_OPACITY)
    colors = table[:: ENTRIES // _COLOR_STEPS]
    return [f"rgb({red} {green} {blue} / {alpha / 255:.2f})" for red, green, blue, alpha in colors.tolist()]
