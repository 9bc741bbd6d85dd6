"""One task of mercure (mercure-imaging.org), whose modules are containers that find files in one folder and leave
their own in another.

In: DICOM files named `SERIES#IMAGE.dcm` and `task.json`, whose `process` holds the `settings` that a person gave.
Out: DICOM files named the same way, and `result.json`, in which `__mercure_notification` is what people are told.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ..base.errors import DaTscanError
from ..base.files import atomic_write_bytes
from ..base.version import RESEARCH_USE, VERSION
from ..batch.one_case import Outcome, run_case
from ..batch.options import Options, check_options
from ..reading.dicom_header import quiet, read_dataset, text
from ..reading.inputs import survey
from ..reporting.result_files import read_result

TASK_FILE, RESULT_FILE = "task.json", "result.json"
# DICOM results keep the patient's name: true alone switches them on, not every text that is not empty.
_SETTINGS = {
    "model": str,
    "device": str,
    "normals": str,
    "report_language": str,
    "dicom_results": lambda value: value is True,
}
_MOST_TASK_BYTES = 2**20


def run_task(environment: Mapping[str, str] = os.environ) -> list[Outcome]:
    """Analyze what mercure has put into the input folder.

    Args:
        environment: with MERCURE_IN_DIR and MERCURE_OUT_DIR.

    Returns:
        One outcome for each scan.

    Raises:
        DaTscanError: a folder is missing, the settings are no settings, nothing that was sent is a scan.
    """
    incoming, outgoing = (_folder(environment, name) for name in ("MERCURE_IN_DIR", "MERCURE_OUT_DIR"))
    settings = _settings(incoming / TASK_FILE)
    with tempfile.TemporaryDirectory(prefix="datscanai-") as results:
        # A page is made only to be sent on.
        report = bool(settings.get("dicom_results"))
        options = Options(Path(results), report=report, keep_identifiers=False, **settings)
        check_options(options)
        # The files are named by identifiers: cases are numbered.
        cases = [replace(case, name=f"scan{n}") for n, case in enumerate(survey([incoming]).cases, start=1)]
        outcomes = [run_case(case, options) for case in cases]
        for outcome in outcomes:
            _hand_over(Path(results) / outcome.case, outgoing)
        content = _result([(outcome, read_result(Path(results) / outcome.case)) for outcome in outcomes])
    atomic_write_bytes(outgoing / RESULT_FILE, json.dumps(content, indent=1).encode())
    return outcomes


def _folder(environment, name):
    folder = Path(environment.get(name, ""))
    if not environment.get(name) or not folder.is_dir():
        raise DaTscanError(f"{name} names no folder: this command is for mercure, which sets it.")
    return folder


def _settings(path):
    """Of the module, as far as they concern this software."""
    try:
        if path.stat().st_size > _MOST_TASK_BYTES:
            raise ValueError
        process = json.loads(path.read_bytes())["process"]
        settings = (process[0] if isinstance(process, list) else process).get("settings") or {}
        return {key: kind(settings[key]) for key, kind in _SETTINGS.items() if key in settings}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, LookupError, AttributeError, TypeError, RecursionError) as error:
        raise DaTscanError(f"{TASK_FILE} holds no settings of a module: check the module in mercure.") from error


@quiet()
def _hand_over(case, outgoing):
    """The DICOM files of a case's results, under the names that mercure sends on."""
    for path in sorted(case.rglob("*")) if case.is_dir() else ():
        try:
            dataset = read_dataset(path, path.name, pixels=False) if path.suffix == ".dcm" else None
        except DaTscanError:
            continue
        if dataset is not None:
            series, image = (text(dataset, key) for key in ("SeriesInstanceUID", "SOPInstanceUID"))
            shutil.copyfile(path, outgoing / f"{Path(series).name}#{Path(image).name}.dcm")


def _result(outcomes):
    lines = [f"{outcome.case}: {outcome.row['error'] or outcome.row['label']}" for outcome, _ in outcomes]
    return {
        "version": VERSION,
        "research_use": RESEARCH_USE,
        "scans": [
            {**(result or {}), "case": outcome.case, "error": outcome.row["error"] or None}
            for outcome, result in outcomes
        ],
        "__mercure_notification": {
            "text": "\n".join([*lines, RESEARCH_USE]),
            "requested": any(outcome.failed for outcome, _ in outcomes),
        },
    }
