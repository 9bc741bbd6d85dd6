"""The page of the published studies, from their folders in studies/.

    python Resources/Documentation/build_studies.py [STUDIES]

STUDIES/NAME is the output of `study`; STUDIES/NAME.txt says by which commands, STUDIES/NAME.md what to make of it.
Their summaries, tables and figures are copied to studies/NAME, models and pictures of single scans stay behind. The
page studies.md is made of all that studies/ holds, without STUDIES of what was there before.
"""

import json
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "DaTscanAI"))

from DaTscanAILib.base.version import VERSION
from DaTscanAILib.studies.results_page import SIMULATED

HEAD = f"""# Five published studies on simulated scans

One run of each study, as its commands say. **All figures in the last column are from simulated scans**: they show
that the experiment runs and what it finds there, not how the methods do on patients. Made by `build_studies.py` of
version {VERSION}.

All five on a manifest of your own scans, with a page like this one: `study all --manifest M --output DIR`; the same
call goes on where it was stopped. What was run at the papers' sizes, what was not, and what that would need:
[studies at size](studies_at_size.md).
"""
HEADLINES = {  # of the overview; the first of a study that its summary has
    "kim2018": ("ROC AUC",),
    "quan2019": ("Accuracy, test", "ROC AUC, test"),
    "wenzel2019": ("CNN, original: accuracy", "AAL-SBR, original: accuracy", "AAL-SBR, mixed: accuracy"),
    "nazari2021-lrp": (
        "Network: accuracy",
        "Sign of the putamen's relevance: accuracy",
        "Relevance of the ipsilateral putamen above a learned cut: accuracy",
    ),
    "nazari2021-extrastriatal": ("Full image: accuracy", "Without striatum: accuracy"),
}
LARGEST_TABLE = 200_000  # bytes


def main(source):
    for path in sorted(source.glob("*/summary.json")) if source else ():
        name = path.parent.name
        copy(path.parent, HERE / "studies" / name)
        for kind, file in (("txt", "commands.txt"), ("md", "remark.md")):
            shutil.copy(source / f"{name}.{kind}", HERE / "studies" / name / file)
    folders = sorted(path.parent for path in (HERE / "studies").glob("*/summary.json"))
    summaries = {folder.name: json.loads(read(folder / "summary.json")) for folder in folders}
    parts = [HEAD, overview(summaries), SIMULATED]
    for folder in folders:
        texts = (read(folder / name) for name in ("commands.txt", "remark.md"))
        parts.append(section(folder.name, summaries[folder.name], *texts))
    (HERE / "studies.md").write_text("\n".join(parts), encoding="utf-8")


def read(file):
    return file.read_text(encoding="utf-8").strip()


def overview(summaries):
    lines = ["| run | version | scans | figure | paper | here |", "|---|---|---|---|---|---|"]
    for name, summary in summaries.items():
        rows = {row["quantity"]: row for row in summary["comparison"]}
        for quantity in (one for one in HEADLINES[summary["study"]] if one in rows):
            row, scans = rows[quantity], summary["data"]["scans"]
            cells = (f"[{name}](#{name})", summary["version"], scans, quantity, row["paper"], row["here"])
            lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join([*lines, ""])


def section(name, summary, commands, remark):
    study = summary["study"]
    sizes = ", ".join(f"{what} {value}" for what, value in summary["sizes"].items())
    failed = summary["data"]["failed"]
    age = "" if summary["version"] == VERSION else "; not run again since"
    deviations = summary.get("deviations", ())
    lines = [
        f"## {name}",
        f"{summary['source']}. {summary['data']['sentence']}"
        + (f" {len(failed)} more could not be used." if failed else ""),
        f"{summary['form'].capitalize()} form of `{study}`: {sizes}. Version {summary['version']}{age}.",
        "",
        *(f"    {line}" for line in commands.splitlines()),
        "",
        *(f"**{warning}**\n" for warning in summary["warnings"]),
        *(["Where it departs from the paper, as the study itself says:", ""] if deviations else []),
        *(f"- {sentence}" for sentence in deviations),
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
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
