"""BIDS datasets in place of a manifest: their FP-CIT scans, with age, sex and label of the participants.

Brain Imaging Data Structure (Gorgolewski 2016, Sci Data 3:160044; for PET Norgaard 2022, Sci Data 9:65): images lie
in `sub-LABEL[/ses-LABEL]/pet`, what is known of the participants in `participants.tsv`, and of their sessions in
`sub-LABEL/sub-LABEL_sessions.tsv`, which goes before.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from ..base.errors import DaTscanError
from .manifest import checked_age, checked_label, checked_sex, table_rows, table_text
from .scan_checks import display_name
from .stated import Stated
from .study_date import parse_date

DESCRIPTION_FILE, PARTICIPANTS_FILE = "dataset_description.json", "participants.tsv"
PET_SUFFIXES = ("_pet.nii.gz", "_pet.nii")
# Tracers in the words of `trc-` labels and of TracerName, letters and digits only.
_FPCIT = re.compile(r"fpcit|ioflupane|datscan")
_KNOWN = ("participant_id", "session_id", "label", "age", "sex", "site")
_NOT_STATED = ("", "n/a")


@dataclass(frozen=True)
class BidsScan(Stated):
    """The FP-CIT scan of a participant's session, or why it cannot be used.

    `other` also has `patient` and, where a session states `acq_time`, `date`, for `compare`.

    Attributes:
        name: `sub-LABEL` or `sub-LABEL_ses-LABEL`.
        path: of the image; None if there is an error.
    """

    name: str
    path: Path | None = None


@dataclass(frozen=True)
class BidsDataset:
    """What a dataset holds.

    Attributes:
        scans: in the order of their names.
        other_tracers: images of other tracers.
        without: participants without an FP-CIT scan.
        has_participants: whether there is a `participants.tsv`.
    """

    scans: list[BidsScan]
    other_tracers: list[Path]
    without: list[str]
    has_participants: bool


def is_bids(folder: Path) -> bool:
    """Whether a folder is a BIDS dataset, by its description."""
    return (folder / DESCRIPTION_FILE).is_file()


def read_bids(folder: Path) -> BidsDataset:
    """The FP-CIT scans of a dataset.

    Raises:
        DaTscanError: the dataset as a whole is unusable: of derivatives, without participants or FP-CIT scans, or its
            `participants.tsv` is no table.
    """
    name = display_name(folder)
    if _json(folder / DESCRIPTION_FILE).get("DatasetType") == "derivative":
        raise DaTscanError(f"{name} is a BIDS dataset of derivatives: give the dataset with the scans themselves.")
    subjects = _folders(folder, "sub-")
    if not subjects:
        raise DaTscanError(f"{name} is a BIDS dataset without participants: put the scans into sub-LABEL/pet.")
    known = _table(folder / PARTICIPANTS_FILE, "participant_id")
    scans, other_tracers, without = [], [], []
    for subject in subjects:
        found = _scans_of(folder, subject, known.get(subject.name, {}), other_tracers)
        scans += found
        without += [] if found else [subject.name]
    if not scans:
        raise DaTscanError(
            f"{name} has no FP-CIT scan: name the images sub-LABEL/pet/sub-LABEL_trc-FPCIT_pet.nii.gz, or state "
            "TracerName beside them."
        )
    without += sorted(set(known) - {subject.name for subject in subjects})
    return BidsDataset(scans, other_tracers, without, (folder / PARTICIPANTS_FILE).is_file())


def _scans_of(dataset, subject, known, other_tracers) -> list[BidsScan]:
    """One scan for each session that has images of FP-CIT, or of a tracer that is not stated."""
    sessions = _folders(subject, "ses-")
    stated = _table(subject / f"{subject.name}_sessions.tsv", "session_id") if sessions else {}
    found = []
    for place in (subject, *sessions):
        tracers = {image: _is_fpcit(dataset, image) for image in _images(place / "pet")}
        other_tracers += [image for image, is_ours in tracers.items() if is_ours is False]
        images = [image for image, is_ours in tracers.items() if is_ours is not False]
        if not images:
            continue
        name = subject.name if place == subject else f"{subject.name}_{place.name}"
        row = {**known, **{key: value for key, value in stated.get(place.name, {}).items() if value}}
        found.append(_scan(name, images, [image for image in images if tracers[image] is None], row))
    return found


def _scan(name, images, unstated, row) -> BidsScan:
    patient = name.split("_")[0]
    try:
        if unstated:
            raise DaTscanError(
                f"{display_name(unstated[0])} does not say its tracer: add trc-FPCIT to its name, or TracerName to "
                "the JSON file beside it."
            )
        if len(images) > 1:
            names = ", ".join(display_name(image) for image in images)
            raise DaTscanError(
                f"{name} has {len(images)} FP-CIT scans in one session ({names}): leave one, or name one in a "
                "manifest."
            )
        date = parse_date(row.get("acq_time", "")[:10])
        return BidsScan(
            name=name,
            path=images[0],
            label=checked_label(row.get("label", ""), f"{PARTICIPANTS_FILE}, {name},"),
            age=checked_age(row.get("age", "").removesuffix("+"), f"{PARTICIPANTS_FILE}, {name},"),
            sex=_sex(row.get("sex", ""), name),
            site=row.get("site") or None,
            other={
                "patient": patient,
                **({"date": date.isoformat()} if date else {}),
                **{column: value for column, value in row.items() if column not in _KNOWN},
            },
        )
    except DaTscanError as error:
        return BidsScan(name, error=str(error), other={"patient": patient})


def _sex(text, name):
    """BIDS knows a third entry, for which no normal values are known."""
    return None if text.casefold() in ("o", "other") else checked_sex(text, f"{PARTICIPANTS_FILE}, {name},")


def _is_fpcit(dataset, image) -> bool | None:
    """Whether an image is of FP-CIT, by its name, its sidecar, or that of the whole dataset; None if none says."""
    stated = re.search(r"_trc-([A-Za-z0-9]+)", image.name)
    if stated:
        return bool(_FPCIT.search(stated[1].casefold()))
    stem = next(image.name.removesuffix(suffix) for suffix in PET_SUFFIXES if image.name.endswith(suffix))
    for sidecar in (image.with_name(f"{stem}_pet.json"), dataset / "pet.json"):
        tracer = re.sub(r"[^a-z0-9]", "", str(_json(sidecar).get("TracerName") or "").casefold())
        if tracer:
            return bool(_FPCIT.search(tracer))
    return None


def _images(folder):
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.name.endswith(PET_SUFFIXES) and path.name[0] != ".")


def _folders(folder, prefix):
    return sorted(
        path for path in folder.iterdir() if re.fullmatch(prefix + "[A-Za-z0-9]+", path.name) and path.is_dir()
    )


def _json(path) -> dict:
    """The content of a JSON file; nothing where there is none, or none that can be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _table(path, key) -> dict[str, dict[str, str]]:
    """`{value of the key: {column: text}}` of a TSV file; empty where there is none.

    Raises:
        DaTscanError: it cannot be read, or has no such column.
    """
    if not path.is_file():
        return {}
    name = display_name(path)
    head, *rows = table_rows(table_text(path, name), "\t", name) or [[]]
    columns = [cell.strip().casefold() for cell in head]
    if key not in columns:
        raise DaTscanError(f"{name} has no column {key}: name the columns in its first line, with tabs between them.")
    found = {}
    for cells in rows:
        row = {column: _stated(cell) for column, cell in zip(columns, cells, strict=False)}
        if row.get(key):
            found[row.pop(key)] = row
    return found


def _stated(cell):
    """BIDS writes n/a for what is not known."""
    text = cell.strip()
    return "" if text.casefold() in _NOT_STATED else text
