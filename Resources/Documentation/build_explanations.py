"""The cases and the gates of explanations.md, from the shipped model.

    python -m DaTscanAILib explain-check compact-ensemble --output GATES --workers 2
    python Resources/Documentation/build_explanations.py --gates GATES

Analyzes two bundled samples and one simulated scan with a planted lesion, writes their pictures into `explanations/`,
and puts text and tables between the page's markers.
"""

import argparse
import re
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "DaTscanAI"))

from PIL import Image

from DaTscanAILib.analysis import Analyzer
from DaTscanAILib.explanation.normal_difference import difference_from_normal
from DaTscanAILib.mni.atlas import load_mri
from DaTscanAILib.reading.scan import Scan, read_scan
from DaTscanAILib.reporting.panels import paint_panels
from DaTscanAILib.reporting.wording import answer_of, explanation_of, what_if_sentence
from DaTscanAILib.simulation.known_scans import UNSEEN
from DaTscanAILib.simulation.pairs import simulate_pair
from DaTscanAILib.simulation.patterns import Lesion

PAGE = HERE / "explanations.md"
PICTURES = HERE / "explanations"
LESION_SEED = 970_001
SAMPLES = HERE.parent / "Samples"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gates", type=Path, help="a folder of explain-check; without it the gates' table is kept")
    options = parser.parse_args()
    PICTURES.mkdir(exist_ok=True)
    text = PAGE.read_text(encoding="utf-8")
    analyzer = Analyzer(device="cpu")
    text = between(text, "cases", "\n".join(section for one in cases() for section in shown(analyzer, *one)))
    if options.gates:
        table = (options.gates / "explain_check.md").read_text(encoding="utf-8")
        picture = "![Deletion, insertion and randomization](explanations/gates.png)"
        text = between(text, "gates", f"{table.split(chr(10), 1)[1].strip()}\n\n{picture}")
        shutil.copy(options.gates / "explain_check.png", PICTURES / "gates.png")
    PAGE.write_text(text, encoding="utf-8")


def cases():
    """`(file name, title, scan)`."""
    yield "normal", "A normal scan", read_scan(SAMPLES / "normal.dcm")
    yield "reduced", "A reduced scan", read_scan(SAMPLES / "reduced.dcm")
    lesion = Lesion({("posterior_putamen", "R"): 0.7})
    _, scan = simulate_pair(LESION_SEED, UNSEEN, lesion)
    title = "A planted lesion: 70 % of the right posterior putamen's binding, everything else healthy"
    yield "lesion", title, Scan(scan.voxels, scan.affine, Path("lesion"), "simulated")


def shown(analyzer, name, title, scan):
    """Lines of the page for one case; its picture is written."""
    analysis = analyzer.analyze(scan, name)
    result = analysis.result
    difference = difference_from_normal(analysis.normalized, result["quantification"]["mirrored"])
    panels = paint_panels(analysis.normalized, analysis.relevance, *load_mri(), difference=difference)
    strips = [strip.image for strip in (panels.scan, panels.relevance, panels.difference)]
    picture = Image.new("RGB", (strips[0].width, sum(strip.height + 6 for strip in strips)))
    top = 0
    for strip in strips:
        picture.paste(strip, (0, top))
        top += strip.height + 6
    picture.quantize(128).save(PICTURES / f"{name}.png", optimize=True)
    answer = answer_of(result)
    words = [f"{answer.heading}. {answer.probability}.", explanation_of(result), what_if_sentence(result)]
    yield f"**{title}.** {' '.join(filter(None, words))}\n"
    yield f"![Scan, map and difference from normal](explanations/{name}.png)\n"


def between(text, name, content):
    """The text with what stands between two markers replaced."""
    start, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    return re.sub(
        f"{re.escape(start)}.*?{re.escape(end)}", lambda _: f"{start}{content}\n{end}", text, flags=re.DOTALL
    )


if __name__ == "__main__":
    main()
