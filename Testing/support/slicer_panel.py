"""Slicer's panel as tests use it: a run at once, a scan selected, what the views and the log show."""

import json
import pickle
from pathlib import Path

from slicer_cases import add_input

from DaTscanAILib.base.errors import DaTscanError
from DaTscanAILib.slicer_adapters import worker


def run_now(arguments, logCallback, completedCallback, **_options):
    """As `slicer.util.launchConsoleProcess` with the worker, but at once and in this process."""
    folder = Path(arguments[-1])
    request = pickle.loads((folder / worker.REQUEST).read_bytes())
    try:
        answer = request.run(lambda event: logCallback(f"{worker.EVENT} {json.dumps(event)}"))
        (folder / worker.ANSWER).write_bytes(pickle.dumps(answer))
        completedCallback(worker.DONE)
    except DaTscanError as error:
        logCallback(f"{worker.EVENT} {json.dumps({'error': str(error)})}")
        completedCallback(worker.UNUSABLE)


def layers(composite):
    """Names of background and foreground."""
    import slicer

    nodes = [slicer.mrmlScene.GetNodeByID(name or "") for name in _layer_ids(composite)]
    return [node and node.GetName() for node in nodes]


def _layer_ids(composite):
    return composite.GetBackgroundVolumeID(), composite.GetForegroundVolumeID()


def select_input(widget, name="scan"):
    """A scan with voxels, selected."""
    import slicer

    volume = add_input(slicer, name)
    widget.parameters.inputVolume = volume
    return volume


def fail(*_arguments):
    raise RuntimeError("a defect")
