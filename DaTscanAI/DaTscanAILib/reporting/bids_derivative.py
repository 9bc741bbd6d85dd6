"""Results of a BIDS dataset as a BIDS dataset of derivatives: `DIR/bids`.

Images in MNI space with JSON sidecars lie beside the names of the scans they were made from; the numbers stand in
`participants.tsv`, of participants with sessions in their own `sub-LABEL_sessions.tsv`.
"""

import csv
import io
import json
import os
import shutil
from pathlib import Path

from ..base.errors import DaTscanError
from ..base.files import atomic_write_bytes, hidden_beside, replace_folder
from ..base.version import RESEARCH_USE, VERSION
from ..reading.bids import DESCRIPTION_FILE, PARTICIPANTS_FILE, PET_SUFFIXES, is_bids
from ..reading.inputs import Case
from ..reading.scan_checks import display_name
from .result_files import COLUMNS, finished_result, is_refused

BIDS_FOLDER = "bids"
BIDS_VERSION = "1.9.0"
_GENERATOR = "DaTscanAI"
_SPACE = "MNIColin27"
_NOT_KNOWN = "n/a"
_REFERENCE = "MNI space of the template Colin27 with the AAL atlas, 91 x 109 x 91 voxels of 2 mm, never mirrored"
# What stands in the tables beside who was scanned; texts that may be long stay in results.csv.
_MEASURES = tuple(column for column in COLUMNS[1:] if column not in ("warnings", "series"))
_KNOWN = {
    "participant_id": "Participant of the source dataset",
    "session_id": "Session of the source dataset",
    "age": "Age in years, as the source dataset states it",
    "sex": "F or M, as the source dataset states it",
    "label": "Answer of the model: normal, reduced or uncertain",
    "probability_reduced": "Calibrated probability of reduced striatal uptake, 0 to 1",
    "registration_quality": "Quality of the registration to the template, 0 to 1",
    "registration_accepted": "Whether the registration was accepted; if not there are no numbers",
    "normals": "Database of normals behind the z-scores",
    "ipsilateral_putamen_relevance": "Mean relevance of the putamen with the lower uptake",
    "consistent": "Whether replacing regions by normal uptake bears the relevance map out",
    "model": "Name of the model",
    "error": "Why there is no answer",
}
_KINDS = {
    "sbr_": "Specific binding ratio of the hottest voxels, patient's side",
    "asymmetry_percent_": "Difference of the sides in percent of their mean",
    "caudate_putamen_ratio_": "Specific binding ratio of the caudate by that of the putamen",
    "z_": "z-score against the normals that were given",
}


class BidsNotWrittenError(DaTscanError):
    """Every case was worked on, but the derivatives could not be written."""


def check_bids(inputs: list[Path], output: Path) -> Path:
    """The one BIDS dataset that derivatives can be written of.

    Raises:
        DaTscanError: the inputs are something else, or `DIR/bids` is somebody else's.
    """
    _check_replaceable(output / BIDS_FOLDER)
    if len(inputs) != 1 or not is_bids(inputs[0]):
        raise DaTscanError("--bids needs one BIDS dataset as input: give its folder, with dataset_description.json.")
    return inputs[0]


def write_bids_derivative(output: Path, dataset: Path, cases: list[Case], rows: list[dict[str, str]]) -> Path:
    """Write `DIR/bids` whole or not at all; derivatives that were there before are replaced.

    Args:
        output: `DIR`, with the cases' results.
        dataset: that was analyzed.
        cases: of the dataset.
        rows: of the results table, one a case.

    Returns:
        The folder.

    Raises:
        DaTscanError: `DIR/bids` is somebody else's.
        BidsNotWrittenError: a full disk; what was there before stays.
    """
    folder = output / BIDS_FOLDER
    _check_replaceable(folder)
    partial = hidden_beside(folder, "partial")
    try:
        partial.mkdir()
        _write_json(partial / DESCRIPTION_FILE, _description(dataset, folder))
        _write_tables(partial, cases, rows)
        for case in cases:
            result = finished_result(output / case.name)
            if case.path is not None and result is not None:
                _write_scan(partial, output / case.name, case, result, dataset)
        replace_folder(partial, folder)
    except OSError as error:
        raise BidsNotWrittenError(
            f"bids cannot be written ({error.strerror}): free space and run again with --resume."
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def _check_replaceable(folder):
    try:
        description = json.loads((folder / DESCRIPTION_FILE).read_text(encoding="utf-8"))
        ours = description["GeneratedBy"][0]["Name"] == _GENERATOR
    except (OSError, ValueError, LookupError, TypeError):
        ours = not folder.exists()
    if not ours:
        raise DaTscanError(
            f"{display_name(folder)} in the output is no BIDS dataset of DaTscanAI and would be lost: choose another "
            "folder with --output."
        )


def _description(dataset, folder):
    inside = folder.absolute().is_relative_to(dataset.absolute())
    # Elsewhere the name alone: the folders between may be named after anybody.
    raw = Path(os.path.relpath(dataset.absolute(), folder.absolute())).as_posix() if inside else display_name(dataset)
    return {
        "Name": f"DaTscanAI results. {RESEARCH_USE}",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": _GENERATOR, "Version": VERSION}],
        "DatasetLinks": {"raw": raw},
    }


def _write_scan(root, results, case, result, dataset):
    """Images of a scan with their sidecars, beside its own name."""
    source = case.path.absolute().relative_to(dataset.absolute())
    stem = next(source.name.removesuffix(suffix) for suffix in PET_SUFFIXES if source.name.endswith(suffix))
    folder = root / source.parent
    folder.mkdir(parents=True, exist_ok=True)
    common = {
        "Sources": [f"bids:raw:{source.as_posix()}"],
        "SpatialReference": _REFERENCE,
        "ResearchUse": RESEARCH_USE,
    }
    images = (
        ("normalized.nii.gz", f"{stem}_space-{_SPACE}_desc-normalized_pet", _scan_sidecar(result)),
        ("relevance.nii.gz", f"{stem}_space-{_SPACE}_stat-relevance_statmap", _relevance_sidecar(result)),
    )
    for file, name, sidecar in images:
        if (results / file).is_file():
            _link(results / file, folder / f"{name}.nii.gz")
            _write_json(folder / f"{name}.json", {**common, **sidecar})


def _scan_sidecar(result):
    sidecar = {
        "Description": "The scan in multiples of the reference region's 75th percentile",
        "Units": "arbitrary",
        "Registration": _part(result, "registration", ("quality", "accepted", "scanner_from_mni_ras")),
    }
    if not is_refused(result):
        measured = ("sbr", "asymmetry_percent", "caudate_putamen_ratio", "z", "grades")
        answer = ("label", "probability_reduced", "model", "model_version", "trained_on", "doubt")
        sidecar["Quantification"] = _part(result, "quantification", measured)
        sidecar["Classification"] = _part(result, "classification", answer)
    return {**sidecar, "Warnings": result.get("warnings") or [], "Error": result.get("error")}


def _relevance_sidecar(result):
    return {
        "Description": "Relevance for the answer; positive argues for reduced. In the patient's own orientation",
        "Units": "arbitrary",
        "Explanation": _part(result, "explanation", ("map", "reference", "consistent", "marked_most")),
    }


def _part(result, part, keys):
    return {key: (result.get(part) or {}).get(key) for key in keys}


def _link(source, target):
    """A second name of one file, which no run changes in place; a copy where that cannot be."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _write_tables(root, cases, rows):
    """One row a participant; of participants with sessions the numbers stand in a table of their own."""
    participants, sessions = {}, {}
    for case, row in zip(cases, rows, strict=True):
        subject, _, session = case.name.partition("_")
        facts = {"age": "" if case.age is None else f"{case.age:g}", "sex": case.sex or ""}
        measured = {**facts, **{column: row[column] for column in _MEASURES}}
        if session:
            participants.setdefault(subject, {"participant_id": subject, "sex": facts["sex"]})
            sessions.setdefault(subject, []).append({"session_id": session, **measured})
        else:
            participants[subject] = {"participant_id": subject, **measured}
    columns = ("participant_id", "age", "sex", *_MEASURES)
    _write_table(root / PARTICIPANTS_FILE, list(participants.values()), columns)
    for subject, measured in sessions.items():
        (root / subject).mkdir(exist_ok=True)
        name = f"{subject}_sessions.tsv"
        _write_table(root / subject / name, measured, ("session_id", "age", "sex", *_MEASURES))


def _write_table(path, rows, columns):
    """A TSV file and the JSON file that explains its columns; columns without any entry are left out."""
    columns = [column for number, column in enumerate(columns) if not number or any(row.get(column) for row in rows)]
    text = io.StringIO()
    table = csv.DictWriter(text, columns, delimiter="\t", lineterminator="\n", extrasaction="ignore")
    table.writeheader()
    table.writerows([{column: row.get(column) or _NOT_KNOWN for column in columns} for row in rows])
    atomic_write_bytes(path, text.getvalue().encode(errors="replace"))
    _write_json(path.with_suffix(".json"), {column: {"Description": _meaning(column)} for column in columns})


def _meaning(column):
    if column in _KNOWN:
        return _KNOWN[column]
    return next((f"{text}: {column}" for start, text in _KINDS.items() if column.startswith(start)), column)


def _write_json(path, content):
    atomic_write_bytes(path, (json.dumps(content, indent=1) + "\n").encode())
