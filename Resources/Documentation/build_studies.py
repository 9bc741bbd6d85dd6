"""The page of the published studies, from the folders that `study` has written.

    python Resources/Documentation/build_studies.py STUDIES

STUDIES/NAME is the output of `study`; STUDIES/NAME.txt says by which commands, STUDIES/NAME.md what to make of it.
Writes studies.md, and beside it studies/NAME with each study's summary, tables and figures. Models and pictures of
single scans stay behind.
"""

import json
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "DaTscanAI"))

from DaTscanAILib.studies.results_page import SIMULATED

HEAD = """# Five published studies on simulated scans

One run of each study, as its commands say. **All figures in the last column are from simulated scans**: they show
that the experiment runs and what it finds there, not how the methods do on patients. Made by `build_studies.py`.

All five on a manifest of your own scans, with a page like this one: `study all --manifest M --output DIR`; the same
call goes on where it was stopped. The commands for the papers' sizes: [studies at size](studies_at_size.md).
"""
LARGEST_TABLE = 200_000  # bytes


def main(folder):
    names = sorted(path.parent.name for path in folder.glob("*/summary.json"))
    parts = [HEAD, SIMULATED]
    for name in names:
        summary = json.loads((folder / name / "summary.json").read_text(encoding="utf-8"))
        copy(folder / name, HERE / "studies" / name)
        parts.append(section(name, summary, *(read(folder / f"{name}.{kind}") for kind in ("txt", "md"))))
    (HERE / "studies.md").write_text("\n".join(parts), encoding="utf-8")


def read(file):
    return file.read_text(encoding="utf-8").strip()


def section(name, summary, commands, remark):
    study = summary["study"]
    sizes = ", ".join(f"{what} {value}" for what, value in summary["sizes"].items())
    failed = summary["data"]["failed"]
    lines = [
        f"## {name}",
        f"{summary['source']}. {summary['data']['sentence']}"
        + (f" {len(failed)} more could not be used." if failed else ""),
        f"{summary['form'].capitalize()} form of `{study}`: {sizes}.",
        "",
        *(f"    {line}" for line in commands.splitlines()),
        "",
        *(f"**{warning}**\n" for warning in summary["warnings"]),
        *(f"- {sentence}" for sentence in summary.get("deviations", ())),
        "",
        remark,
        "",
        "| quantity | in the paper | here, on simulated scans |",
        "|---|---|---|",
        *(f"| {row['quantity']} | {row['paper']} | {row['here']} |" for row in summary["comparison"]),
        "",
    ]
    pictures = sorted((HERE / "studies" / name).glob("*.png"))
    shown = [f"![{picture.stem.replace('_', ' ')}](studies/{name}/{picture.name})" for picture in pictures]
    return "\n".join([*lines, *shown, ""])


def copy(source, target):
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    shutil.copy(source / "summary.json", target)
    for path in sorted((source / "figures").glob("*.png")):
        shutil.copy(path, target)
    for path in sorted((source / "tables").glob("*.csv")):
        if path.stat().st_size < LARGEST_TABLE:
            shutil.copy(path, target)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
