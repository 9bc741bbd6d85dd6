"""What a model's metadata say of its training."""

from dataclasses import asdict

import numpy as np

from ..base.version import VERSION
from ..classification.grades import REGIONS
from ..classification.networks import ARCHITECTURES
from .origin import describe_origins
from .plans import Plan
from .preparation import Prepared
from .variants import LABELS

NAZARI_2021, WENZEL_2019 = "doi:10.1007/s00259-021-05569-9", "doi:10.1007/s00259-019-04502-5"

# Of a plan; the metadata hold them under keys of their own.
_ELSEWHERE = ("preprocessing", "reference")


def describe_data(training: list[Prepared], failed: dict) -> str:
    """The sentence that every result of the model repeats."""
    counts = {label: sum(one.case.label == label for one in training) for label in LABELS}
    kind = describe_origins(one.case for one in training)
    left_out = f"; {len(failed)} scans could not be used" if failed else ""
    return f"Trained on {counts['normal']} normal and {counts['reduced']} reduced {kind}{left_out}."


def bundle_metadata(plan: Plan, trained_on: str, scores: dict, parameters: int) -> dict:
    """What MONAI's bundle format wants to know of a model."""
    import monai
    import torch

    shape = ARCHITECTURES[plan.architecture].input_shape
    outputs = 2 * len(plan.heads) + (len(REGIONS) if plan.regions else 0)
    return {
        "version": VERSION,
        "changelog": {VERSION: "first training"},
        "monai_version": monai.__version__,
        "pytorch_version": torch.__version__.split("+")[0],
        "numpy_version": np.__version__,
        "task": "classification of dopamine transporter SPECT as normal or reduced",
        "authors": "DaTscanAI developers",
        "copyright": "Apache-2.0",
        "data_source": trained_on,
        "data_type": "SPECT in MNI space, 2 mm",
        "intended_use": "research only, not a medical device",
        "eval_metrics": scores,
        "references": [WENZEL_2019 if plan.architecture == "wenzel2019" else NAZARI_2021],
        "parameters": parameters,
        "training": {key: value for key, value in asdict(plan).items() if key not in _ELSEWHERE},
        "network_data_format": {
            "inputs": {
                "image": {
                    "type": "image",
                    "modality": "SPECT",
                    "num_channels": 1,
                    "spatial_shape": list(shape[1:]),
                    "dtype": "float32",
                    "is_patch_data": False,
                }
            },
            "outputs": {"pred": {"type": "logits", "num_channels": outputs, "dtype": "float32"}},
        },
    }
