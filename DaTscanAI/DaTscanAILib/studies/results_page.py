"""One page of several studies: the paper's figures, those found here, the commands, and what they are worth."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from ..base.files import atomic_write_bytes
from ..base.version import VERSION
from ..reporting.language import ENGLISH

SIMULATED = """## What simulated scans can and cannot show
They can show

- that an experiment runs from end to end, and again with the same numbers;
- how methods compare on the same scans, in what the simulator varies: resolution, noise, attenuation, pose, anatomy,
  loss by region;
- whether maps and clusters find what was lost and nothing else, because what was lost is known.

They cannot show

- how often a method is right in patients: the label of a simulated scan is the simulator's, that of a patient is a
  reader's or the follow-up's, and hard cases are hard for other reasons;
- anything of what the simulator does not make (deformed or operated heads) or makes by simple rules (vascular
  lesions, motion, drugs);
- whether a figure that agrees with a paper's agrees for the same reason. Agreement is no validation of the paper or
  of this software, disagreement refutes neither.
"""
OWN = """## What these figures can and cannot show
They are of the scans of one manifest, divided at random within it: what a method does on another camera or in
another clinic may be worse. Where labels come from single readers, a method can be no more right than they agree.
Scans of one patient that stand in several rows lie on both sides of a division, which flatters every figure.
"""


@dataclass(frozen=True)
class Outcome:
    """What became of one study.

    Attributes:
        study: its name.
        command: that runs it alone.
        summary: content of its `summary.json`; None if it could not be run.
        error: why not, one sentence.
    """

    study: str
    command: str
    summary: dict | None
    error: str = ""


def write_page(folder: Path, manifest: str, outcomes: list[Outcome]) -> None:
    """Write `results.md`, for people, and `results.json`, the same in numbers.

    Args:
        folder: that holds each study's own folder.
        manifest: name of the file.
    """
    content = {"version": VERSION, "manifest": manifest, "studies": [asdict(one) for one in outcomes]}
    text = json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
    atomic_write_bytes(folder / "results.json", text.encode())
    atomic_write_bytes(folder / "results.md", page(manifest, outcomes).encode())


def page(manifest: str, outcomes: list[Outcome]) -> str:
    """The page as Markdown."""
    finished = [one.summary for one in outcomes if one.summary]
    simulated = [one["data"]["simulated"] == one["data"]["scans"] for one in finished]
    parts = [
        "# Published studies on the scans of one manifest",
        f"Manifest {manifest}; version {VERSION}; one run of each study. {ENGLISH('research_statement')}",
        *([_overview(outcomes)] if outcomes else []),
        *(_section(one) for one in outcomes),
        *([SIMULATED] if any(simulated) else []),
        *([OWN] if not all(simulated) else []),
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _overview(outcomes):
    lines = ["| study | scans | form | first figure of its table | paper | here |", "|---|---|---|---|---|---|"]
    for one in outcomes:
        if one.summary is None:
            lines.append(f"| {one.study} | | not run | | | |")
            continue
        first = next((row for row in one.summary["comparison"] if "accuracy" in row["quantity"].lower()), None)
        first = first or one.summary["comparison"][0]
        cells = [one.study, one.summary["data"]["scans"], one.summary["form"], *first.values()]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def _section(one):
    if one.summary is None:
        return f"## {one.study}\nNot run: {one.error}\n\n    {one.command}"
    found = one.summary
    sizes = ", ".join(f"{what} {value}" for what, value in found["sizes"].items())
    failed = len(found["data"]["failed"])
    lines = [
        f"## {one.study}",
        f"{found['source']}. {found['data']['sentence']}" + (f" {failed} more could not be used." if failed else ""),
        f"{found['form'].capitalize()} form: {sizes}.",
        "",
        f"    {one.command}",
        "",
        *(f"**{warning}**\n" for warning in found["warnings"]),
        "| quantity | in the paper | here |",
        "|---|---|---|",
        *(f"| {row['quantity']} | {row['paper']} | {row['here']} |" for row in found["comparison"]),
        "",
        f"Where it departs from the paper (also in `{one.study}/summary.json` and `{one.study}/study.pdf`):",
        "",
        *(f"- {sentence}" for sentence in found["deviations"] or ["Nowhere that this software knows of."]),
    ]
    return "\n".join(lines)
