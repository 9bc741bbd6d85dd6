"""Scans, models and analyses for the tests of the Slicer module."""

from dataclasses import asdict, replace
from functools import lru_cache

import numpy as np
from picture_factory import blob, result_with

from DaTscanAILib.analysis import Analysis
from DaTscanAILib.base.resources import resource_path
from DaTscanAILib.batch.comparison import Comparison
from DaTscanAILib.mni.atlas import GRID_AFFINE, GRID_SHAPE, load_atlas
from DaTscanAILib.quantification.change import changes
from DaTscanAILib.registration.affine import register

SAMPLE = resource_path("Samples", "reduced.dcm")
RIGHT, LEFT = (26.0, 0.0, 2.0), (-26.0, 0.0, 2.0)


_REGISTRATIONS = {}


def registered_once(scan):
    """In place of `analysis.register` where many tests register one scan: same voxels and header, same answer."""
    key = (hash(scan.voxels.tobytes()), scan.affine.tobytes(), scan.orientation_assumed)
    if key not in _REGISTRATIONS:
        _REGISTRATIONS[key] = register(scan)
    return _REGISTRATIONS[key]


def tiny_model(folder):
    """A model folder with an untrained network, small and quick."""
    import torch

    from DaTscanAILib.classification.answer_rule import AnswerRule
    from DaTscanAILib.classification.model_folder import write_model
    from DaTscanAILib.classification.networks import build_network
    from DaTscanAILib.classification.preprocessing import Preprocessing

    torch.manual_seed(0)
    network = build_network("wenzel2019")
    return write_model(
        folder, "wenzel2019", [network], Preprocessing(box="slab"), AnswerRule(), trained_on="nothing at all"
    )


def synthetic_analysis() -> Analysis:
    """A finished analysis with known pictures: relevance +1 in the right putamen, -0.8 in the left one."""
    relevance, scan = (voxels.copy() for voxels in _pictures())
    matrix = np.eye(4)
    matrix[:3, 3] = (1.0, -2.0, 30.0)
    registration = {
        "scanner_from_mni_ras": matrix.tolist(),
        "quality": 0.93,
        "accepted": True,
        "manual": False,
        "flipped": None,
        "features": {},
    }
    result = result_with(registration=registration, warnings=[], error=None, patient={"age": 61.0, "sex": "F"})
    result["classification"].update(model_version="0.1.0", trained_on="nothing at all", device="cpu")
    return Analysis(result, scan, relevance * np.float32(0.003), None)


def analysis_up_to(last_stage: str, shift: float = 0.0) -> Analysis:
    """The synthetic analysis as a run up to a stage gives it, its registration `shift` mm to the right."""
    analysis = synthetic_analysis()
    result, stages = analysis.result, ("registration", "quantification", "classification")
    result["registration"]["scanner_from_mni_ras"][0][3] += shift
    if last_stage != "classification":
        result["classification"] = {"label": None, "probability_reduced": None, "model": None}
        result["explanation"] = {"ipsilateral_putamen_relevance": None, "consistent": None}
    if last_stage == "registration":
        result["quantification"] = None
    number = stages.index(last_stage)
    return Analysis(
        result, analysis.normalized if number else None, analysis.relevance if number == 2 else None, None
    )


def synthetic_comparison(name, _before, _after, years, _normals=None, _registrations=(None, None)) -> Comparison:
    """In place of `batch.comparison.compare_scans`: a third of the binding is lost between two synthetic scans."""
    first, second = analysis_up_to("quantification"), analysis_up_to("quantification")
    brain = load_atlas().brain
    second = replace(second, normalized=(brain + (first.normalized - brain) * 2 / 3).astype(np.float32))
    sbr = second.result["quantification"]["sbr"]
    second.result["quantification"]["sbr"] = {key: value * 2 / 3 for key, value in sbr.items()}
    parts = {
        part: {key: analysis.result[key] for key in ("patient", "quantification")}
        for part, analysis in (("before", first), ("after", second))
    }
    change = changes(*(part["quantification"]["sbr"] for part in parts.values()), years, comparable=True)
    result = {
        "case": name,
        "years": years,
        "same_camera": True,
        "change": {key: entry and asdict(entry) for key, entry in change.items()},
        "limits": "Limits of nothing.",
        "warnings": ["Look at both."],
        **parts,
    }
    return Comparison(result, first.normalized, second.normalized, None, (first, second))


@lru_cache(maxsize=1)
def _pictures():
    relevance = (blob(RIGHT) - np.float32(0.8) * blob(LEFT, width=5.0)).astype(np.float32)
    return relevance, (load_atlas().brain + 2 * blob(RIGHT) + 3 * blob(LEFT)).astype(np.float32)


def add_input(slicer, name="scan"):
    """A volume node with the geometry of the MNI grid, brighter on the patient's right."""
    voxels = np.broadcast_to(np.linspace(1, 2, GRID_SHAPE[0], dtype=np.float32), GRID_SHAPE[::-1]).copy()
    return slicer.util.addVolumeFromArray(voxels, np.array(GRID_AFFINE), name)
