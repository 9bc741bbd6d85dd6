"""The items of CLAIM on a model card, answered by number.

    python Resources/Models/claim.py Resources/Models/wenzel2019

writes the section between its marks into the folder's `docs/README.md`, at its end the first time.
`build_default_model.py` puts it into the default model's card. The numbers are those of the checklist of 2020
(Mongan, Moy and Kahn, Radiol Artif Intell 2:e200029, doi:10.1148/ryai.2020200029); the questions are in our words.
"""

import json
import sys
from pathlib import Path

START, END = "<!-- CLAIM, by Resources/Models/claim.py -->", "<!-- end of CLAIM -->"
_HERE = "this page"


def section(metadata: dict) -> str:
    """Markdown of all 42 items.

    Args:
        metadata: of the model folder (`configs/metadata.json`).
    """
    rows = [f"| {number} | {what} | {answer} |" for number, what, answer in items(metadata)]
    head = (
        "## CLAIM, item by item\n"
        "Numbers of the checklist of 2020 (doi:10.1148/ryai.2020200029). Where the answer is no, it says so."
    )
    return "\n".join([START, head, "", "| item | what | answer |", "|---|---|---|", *rows, END])


def with_section(card: str, metadata: dict) -> str:
    """A card with the section in its place, at the end if it has none yet."""
    before, _, rest = card.partition(START)
    after = rest.partition(END)[2]
    return f"{before.rstrip()}\n\n{section(metadata)}\n{after.lstrip()}"


def items(metadata: dict) -> list[tuple[int, str, str]]:
    """(number, what is asked, answer)."""
    groups = (_what(), _data(metadata), _truth(), _model(metadata), _evaluation(metadata), _results(), _other())
    answers = [pair for group in groups for pair in group]
    return [(number, *pair) for number, pair in enumerate(answers, 1)]


def _what():
    return [
        ("title names the method", f"Deep learning (convolutional networks): head of {_HERE}."),
        ("structured summary", f"Head of {_HERE} and its section *How well it answers*."),
        (
            "background, intended use",
            "Reads dopamine-transporter SPECT in research. Not a medical device.",
        ),
        ("objectives, hypotheses", "A reader whose answer, doubt and map can be checked; no hypothesis was tested."),
        ("prospective or retrospective", "Neither: scans were simulated for the purpose, before training."),
        ("goal of the study", "Making a model and measuring it on simulated scans."),
    ]


def _data(metadata):
    own = metadata["datscanai"]
    preprocessing = own["preprocessing"]
    seen = "the scan itself"
    if preprocessing["from_reference"]:
        seen = f"the reference ({own['reference']['name']}) minus the scan"
    shape = " x ".join(map(str, metadata["network_data_format"]["inputs"]["image"]["spatial_shape"]))
    return [
        ("sources of data", f"This project's simulator (command `simulate`). {own['trained_on']}"),
        ("who is eligible", "Every simulated scan whose registration was accepted; refused ones are counted."),
        (
            "preprocessing",
            "Affine registration to MNI space (2 mm); the reference region's 75th percentile is 1; lower putamen "
            "left; clipped to {:g} to {:g}; the network sees {}.".format(*preprocessing["window"], seen),
        ),
        ("parts of the data", f"Box `{preprocessing['box']}`, {shape} voxels or pixels of 2 mm."),
        (
            "definitions of data elements",
            "Columns of the simulator's manifest; no common data elements are used.",
        ),
        ("de-identification", "Nothing to remove: no patient was involved."),
        ("missing data", "Simulated scans have all columns. A scan whose striatum is cut off gets no answer."),
    ]


def _truth():
    return [
        ("reference standard", "The simulator's label, by the share of binding that it has taken from each region."),
        ("why this one", "It is known without error. What that leaves out is how hard real scans are to label."),
        ("who annotated", "Nobody: the simulator."),
        ("tools of annotation", "None."),
        ("variability between readers", "None by construction; that of readers is not modelled."),
    ]


def _model(metadata):
    own, training = metadata["datscanai"], metadata["training"]
    members, spares = len(own["weights"]), training.get("spares", 0)
    outputs = metadata["network_data_format"]["outputs"]["pred"]["num_channels"]
    calibration = training.get("calibration_share")
    apart = f"{calibration:.0%} for calibration" if calibration else "the calibration scans"
    share = training["validation_share"]
    validation = f", of the rest {share:.0%} to choose each member's epoch" if calibration else f" ({share:.0%})"
    ensemble = f"{members} networks, their answers combined as told above." if members > 1 else "None: one network."
    kept = f"; of {members + spares} networks those {members} with the lowest loss" if spares else ""
    rate = f"Adam, rate {training['learning_rate']:g}{' falling along a cosine' if training['decay'] else ''}"
    loss = "cross entropy" + (" and ordinal losses of the regions" if training.get("regions") else "")
    return [
        ("sample size", "What could be simulated and trained on two processor cores; no calculation."),
        ("division of the data", f"At random by label: {apart}{validation}. Test scans have other seeds."),
        ("level of the division", "Scans; test cohorts called unseen have other cameras, too."),
        (
            "the model",
            f"`{own['architecture']}`, layer by layer in `classification/networks.py`: {metadata['parameters']:,} "
            f"parameters a network, {outputs} outputs for the answer.",
        ),
        (
            "software",
            "torch {pytorch_version}, MONAI {monai_version}, numpy {numpy_version}.".format(**metadata),
        ),
        ("first weights", f"Random, from seed {training['seed']} on; nothing was pretrained."),
        (
            "training",
            f"{rate}, batches of {training['batch_size']}, at most {training['epochs']} epochs, {training['copies']} "
            f"copies of each scan (pose, blur, noise), {loss}. All values: `configs/metadata.json`, `training`.",
        ),
        ("choice of the model", f"The epoch with the lowest validation loss{kept}."),
        ("ensemble", ensemble),
    ]


def _evaluation(metadata):
    scores = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in metadata["eval_metrics"].items())
    return [
        (
            "measures",
            "Accuracy, sensitivity, specificity, area under the ROC curve, calibration error.",
        ),
        ("uncertainty", "95 % intervals of shares (Clopper and Pearson) and areas. No tests of significance."),
        ("robustness", f"Cameras never seen, 18 mm smoothing, and what else {_HERE} lists."),
        (
            "explanation",
            "Relevance maps and what-ifs, examined by `explain-check`: `Resources/Documentation/explanations.md`.",
        ),
        (
            "external data",
            "**None: this model has been tested on no patient.** `Resources/Documentation/validation.md` says how "
            "others can.",
        ),
        (
            "flow of participants",
            "Simulated, refused, trained on: *Training*; answered and refused: the other tables.",
        ),
        ("demographics", "Ages and sexes are drawn by the simulator (its manifest); networks see neither."),
        ("performance on all parts", f"Test cohorts: {_HERE}. In training: {scores}."),
    ]


def _results():
    return [
        ("accuracy with its precision", "*How well it answers*."),
        ("analysis of failures", f"What kinds of scans are misread stands on {_HERE}; scan by scan: `evaluate`."),
        (
            "limitations",
            "Simulated scans alone, few cameras, one simulator's disease; probabilities may not carry over.",
        ),
        ("implications for practice", "None."),
    ]


def _other():
    return [
        ("registration", "Not registered."),
        (
            "protocol",
            "The commands and seeds on this page. For the first open set of patients a plan is fixed: "
            "`Resources/Documentation/dat_park_plan.md`.",
        ),
        ("funding", "None is declared."),
    ]


def main(folder: Path) -> None:
    """Write the section into a model folder's card."""
    metadata = json.loads((folder / "configs" / "metadata.json").read_text(encoding="utf-8"))
    card = folder / "docs" / "README.md"
    card.write_text(with_section(card.read_text(encoding="utf-8"), metadata), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
