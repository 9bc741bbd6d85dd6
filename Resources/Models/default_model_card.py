"""The page of the default model, from its metadata and evaluations."""

MAIN = ("unseen", "unseen_smoothed", "seen")
TITLES = {
    "unseen": "heads and cameras never seen",
    "unseen_smoothed": "the same, smoothed with 18 mm",
    "seen": "heads and cameras of the training",
}
ROWS = (
    ("accuracy, forced", "accuracy"),
    ("sensitivity", "sensitivity"),
    ("specificity", "specificity"),
    ("area under the ROC curve", "roc_auc"),
    ("uncertain", "uncertain"),
    ("errors caught as uncertain", "errors_caught_as_uncertain"),
    ("accuracy of the certain answers", "accuracy_when_certain"),
    ("sign of the lower putamen's relevance fits the label", "relevance_sign_accuracy"),
    ("right answers with a map that does not fit", "right_but_not_consistent"),
)
SOURCES = {
    "band": "the probability lies in the band of doubt",
    "votes": "the votes disagree",
    "sbr": "the SBRs contradict the answer",
    "regions": "whole and regions contradict each other",
    "unlike": "unlike the training scans",
}


def page(metadata: dict, found: dict, gates: str) -> str:
    """Markdown.

    Args:
        metadata: of the model folder.
        found: by cohort `evaluation.json`, its `parts` and what training has `seen` of it.
        gates: table that `explain-check` has written of the model's maps.
    """
    parts = [
        _head(metadata),
        _training(metadata),
        _answers(found),
        _stored(found),
        _patterns(found),
        _doubt(metadata, found),
    ]
    return "\n\n".join([*parts, _grades(found), _maps(gates), _sign(), _reality(), _making()]) + "\n"


def _head(metadata):
    own, members = metadata["datscanai"], len(metadata["datscanai"]["weights"])
    return f"""# compact-ensemble
{members} networks of {metadata["parameters"]:,} parameters each (`{own["architecture"]}` in
`classification/networks.py`) that read a dopamine-transporter SPECT scan in MNI space (71 x 90 x 72 voxels of 2 mm,
lower putamen left) as **normal**, **reduced** or **uncertain**, and grade the loss of six regions of the striatum.
Research use only, not a medical device. **Everything on this page was measured on simulated scans.** How it reads
patients is not known."""


def _maps(gates):
    table = gates.split("\n", 1)[1].strip()  # without its title
    return f"""## How far its maps can be believed
By `explain-check`; terms and tests stand in `Resources/Documentation/explanations.md`.

{table}"""


def _sign():
    return """## Where it misses its goals
**Planted lesions read as normal without doubt:** 8 of the 72 above, of which 5 are of the 8 that lost 70 % of both
anterior putamina and of nothing else (3 of 72, all of this kind, with model 0.2.2, which doubted more). In the
patterns and in the first cohort, with losses of 60 % or more as diseases make them, it is 1 of 111.

**The sign of the lower putamen's relevance:** 0.904 of 73 clear scans (goal 0.95), 0.821 of 28 with one putamen lost
(goal 0.90). What was tried for it with model 0.2.2 stands in `Resources/Documentation/explanations.md`, *What was
tried*. Report and panel warn where a certain answer lies on the other side of the cut than this number."""


def _training(metadata):
    own, training = metadata["datscanai"], metadata["training"]
    apart = metadata["eval_metrics"]["calibration_scans"]
    doubt = own["rule"]["doubt"] or (0.5, 0.5)
    trained, kept = training["members"] + training["spares"], training["members"]
    return f"""## Training
{own["trained_on"]} Each member leaves out another {training["validation_share"]:.0%} of them, by which its best of
{training["epochs"]} epochs is chosen. {training["copies"]} copies of each scan, all but one changed: turns and shifts
that registration leaves, blur, Poisson noise. {trained} networks were trained and
the {kept} of the lowest loss kept. {apart} further scans, which no member has seen, and
their 18-mm-smoothed copies (a scan and its copy count as one) gave the probability, the grades, the band of doubt
({doubt[0]:.3f} to {doubt[1]:.3f}) and the other limits.

The answer is that of the stronger evidence: the scan as a whole, or the most affected region. So no region can be
outvoted by the others. Scans whose putamina differ by less than the retest error are answered as the mean of both
orientations."""


def _answers(found):
    columns = [name for name in MAIN if name in found]
    lines = [
        "## How well it answers",
        "Shares with exact 95 % intervals. Borderline scans count in their own row only.\n",
        "| | " + " | ".join(TITLES[name] for name in columns) + " |",
        "|---" * (len(columns) + 1) + "|",
        _row("seen in training", [found[name]["seen"] for name in columns]),
        _row("answered / refused", [f"{found[name]['answered']} / {found[name]['failed']}" for name in columns]),
    ]
    lines += [_row(title, [_share(found[name].get(key)) for name in columns]) for title, key in ROWS]
    lines.append(
        _row("expected calibration error", [_number(found[n]["expected_calibration_error"]) for n in columns])
    )
    borderline = [found[name]["groups"]["subtype"].get("borderline") for name in columns]
    texts = [f"{one['answered']} / {_share(one['uncertain'])}" if one else "none" for one in borderline]
    lines.append(_row("borderline scans: answered / uncertain", texts))
    fits = [found[name].get("fits") for name in columns]
    lines.append(_row("landmark error of accepted fits, mm: median / 95 % / largest", map(_errors, fits)))
    for title, key in (
        ("of these over 6 mm", "accepted_though_far"),
        ("fits within 6 mm, refused", "refused_though_near"),
    ):
        lines.append(_row(title, [_share(one and one[key]) for one in fits]))
    return "\n".join(lines)


def _errors(fits):
    known = [value for value in (fits or {}).get("error_mm", {}).values() if value is not None]
    return " / ".join(f"{value:.1f}" for value in known) or "none"


def _stored(found):
    names = [name for name in found if name.startswith("stored_")]
    lines = [
        "## Badly stored scans",
        "Heads and cameras never seen.\n",
        "| storage | answered / refused | accuracy, forced | uncertain | accuracy of the certain answers |",
        "|---|---|---|---|---|",
    ]
    for name in names:
        one = found[name]
        shares = [_share(one[key]) for key in ("accuracy", "uncertain", "accuracy_when_certain")]
        lines.append(_row(name.removeprefix("stored_"), [f"{one['answered']} / {one['failed']}", *shares]))
    return "\n".join(lines)


def _patterns(found):
    names = [name for name in found if name.startswith("pattern_")]
    lines = [
        "## Patterns that Parkinson's disease does not make",
        'Heads and cameras never seen. "Called normal": scans with a region that has lost 60 % or more, answered',
        "normal and not doubted.\n",
        "| pattern | answered / refused | read as labelled | uncertain | called normal | said to be atypical |",
        "|---|---|---|---|---|---|",
    ]
    for name in names:
        one, subtype = found[name], name.removeprefix("pattern_")
        shares = [_share(one["accuracy"]), _share(one["uncertain"])]
        parts = one["parts"]
        shares += [_share(parts["strong_loss_called_normal"]), _share(parts["atypical_by_subtype"].get(subtype))]
        lines.append(_row(subtype, [f"{one['answered']} / {one['failed']}", *shares]))
    typical = found["unseen"]["parts"]["atypical_by_subtype"]
    for subtype in ("normal", "one_putamen", "both_putamina", "caudate_too"):
        lines.append(_row(f"{subtype} (for comparison)", ["", "", "", "", _share(typical.get(subtype))]))
    return "\n".join(lines)


def _doubt(metadata, found):
    lines = [
        "## What each reason of doubt is worth",
        "Errors it catches (by it alone) / right answers it costs (by it alone).\n",
    ]
    columns = [name for name in MAIN if name in found]
    stored = [found[name]["parts"]["doubt"] for name in found if name.startswith("stored_")]
    tables = [found[name]["parts"]["doubt"] for name in columns] + ([_sum(stored)] if stored else [])
    titles = [TITLES[name] for name in columns] + (["badly stored"] if stored else [])
    lines += ["| | " + " | ".join(titles) + " |", "|---" * (len(titles) + 1) + "|"]
    lines.append(_row("errors / right answers in all", [f"{one['errors']} / {one['right']}" for one in tables]))
    for source, title in SOURCES.items():
        lines.append(_row(title, [_worth(one["sources"][source]) for one in tables]))
    members = [_share(found[name]["parts"]["members_disagree"]) for name in columns]
    lines.append(
        f"\nThe members are not unanimous in {', '.join(members)} of these scans: they share architecture and"
    )
    lines.append("most scans, so their votes are not independent readings.")
    own = metadata["datscanai"]
    if min(own["rule"].get(f"{vote}_votes", 0) for vote in ("sensitive", "specific")) > len(own["weights"]):
        lines.append(
            "\nCalibration chose a rule **without votes**: they never make an answer of this model uncertain."
        )
    return "\n".join(lines)


def _sum(tables):
    """Of several cohorts."""
    sources = {
        source: {key: sum(one["sources"][source][key] for one in tables) for key in tables[0]["sources"][source]}
        for source in tables[0]["sources"]
    }
    return {key: sum(one[key] for one in tables) for key in ("errors", "right")} | {"sources": sources}


def _worth(one):
    return (
        f"{one['errors_caught']} ({one['errors_caught_by_it_alone']}) / "
        f"{one['right_doubted']} ({one['right_doubted_by_it_alone']})"
    )


def _grades(found):
    columns = [name for name in MAIN if name in found]
    lines = [
        "## How well it grades regions",
        "Five grades by the share of binding lost: normal, borderline from 0.2, moderate from 0.4, strong from 0.6,",
        "almost missing from 0.8. Exact grade, and at most one grade off.\n",
        "| region | " + " | ".join(TITLES[name] for name in columns) + " |",
        "|---" * (len(columns) + 1) + "|",
    ]
    for region in found[columns[0]]["parts"]["grades"]:
        values = [found[name]["parts"]["grades"][region] for name in columns]
        texts = [f"{_share(one['exact'])}, {_share(one['within_one'])}" for one in values]
        lines.append(_row(region.replace("_", " "), texts))
    return "\n".join(lines)


def _reality():
    return """## What real scans would do to these figures
Networks trained and tested on uncurated scans of ten French hospitals reached an area under the ROC curve of about
0.95 (DaT-Park 2026: 0.959, 0.952, 0.949 for the first three), because single readers' reports are the truth there and
change in 4 of 14 hard scans. Curated studies report 0.97 to 0.98 accuracy. An area near 1 on simulated scans says
that the model reads what the simulator makes, no more. Calibration slopes fell from 1.04 to 0.74 there on new
hospitals: probabilities should not be taken at their word elsewhere."""


def _making():
    return """## How it was made
    python Resources/Models/build_default_model.py WORK --workers 2 --scans 4000 --members 3 --spares 0 --epochs 3
    python Resources/Models/build_default_model.py WORK --step install --version 0.2.3

Fewer networks and epochs than the script's defaults (five of six; five), for lack of time on two cores. Which
training scans were registered well enough was decided by a calibration of the registration's quality that was not
adopted afterwards (it refused 48 of the 4,000; on the fits that it was made from it differs from the shipped one in
a few). In the training scans Butterworth filters cut off at 0.033 to 0.046 cycles/mm; the evaluated scans are of the
present simulator, where they reach 0.07, as published protocols do, and no slice holds what the filter had wrapped
around from the other end of the image. They were registered and judged as users' scans are. The seeds are those of
earlier cards, and no limit of the model was changed after they had been looked at; the registration was. The maps
were examined on the simulator before."""


def _row(title, cells):
    return f"| {title} | " + " | ".join(cells) + " |"


def _share(one):
    if not one:
        return "none"
    return f"{one['value']:.3f} ({one['low']:.3f}-{one['high']:.3f}) of {one['n']}"


def _number(value):
    return "none" if value is None else f"{value:.3f}"
