"""What explaining one answer takes, warm, on all cores: both maps, and the answers with replaced regions."""

import numpy as np

from ..analysis import measure
from ..classification.answer import Classifier
from ..classification.changed_parts import known_pass
from ..classification.evidence import OVERALL
from ..classification.model_folder import find_model
from ..explanation.methods import INTEGRATED_GRADIENTS, LRP
from ..explanation.reference import shipped_reference
from ..explanation.what_if import what_if
from ..quantification.mirroring import ipsilateral_left
from ..reading.scan import read_scan
from .child import environment, in_child
from .goals import Findings, Measured
from .settings import Settings
from .timing import middle, take_turns
from .workloads import sample_file


def run(settings: Settings) -> Findings:
    """The bundled sample and the model, in one process."""
    model = str(find_model(settings.model).folder.resolve())
    found = in_child(time_explanations, environment(), model=model, repetitions=settings.repetitions)
    seconds = found["seconds"]
    blocks, whole = middle(seconds["blocks"]), middle(seconds["whole"])
    note = f"{found['replaced']} regions; largest difference of a score {found['difference']:.1e} logits"
    return Findings(
        {
            "explanation_first_map": Measured(middle(seconds[INTEGRATED_GRADIENTS]), repetitions=seconds),
            "explanation_second_map": Measured(middle(seconds[LRP])),
            "explanation_what_if": Measured(blocks, whole, note),
        }
    )


def time_explanations(model: str, repetitions: int) -> dict:
    """Seconds of both maps and of what-ifs by `blocks` and by the `whole` network, and how far these two differ."""
    import torch

    classifier = Classifier(find_model(model), "cpu")
    found = measure(read_scan(sample_file()), "sample")
    scan = ipsilateral_left(found.normalized, found.result["quantification"]["mirrored"])
    normal = shipped_reference("normal").voxels
    image = np.ascontiguousarray(classifier.model.network_input(scan, classifier.atlas), np.float32)
    batch = torch.from_numpy(image)[None, None]
    relevance = classifier.maps.relevance([(1.0, batch)], OVERALL, INTEGRATED_GRADIENTS)

    def by_blocks():
        known = [known_pass(network, batch.expand(2, *batch.shape[1:])) for network in classifier.fast_networks]
        return what_if(scan, normal, relevance, lambda scans: classifier.answers(scans, known=known))

    tasks = {
        method: lambda method=method: classifier.maps.relevance([(1.0, batch)], OVERALL, method)
        for method in (INTEGRATED_GRADIENTS, LRP)
    }
    tasks |= {"blocks": by_blocks, "whole": lambda: what_if(scan, normal, relevance, classifier.answers)}
    seconds = take_turns(tasks, repetitions)
    pairs = list(zip(by_blocks(), tasks["whole"](), strict=True))
    difference = max(abs(one.move - other.move) for one, other in pairs)
    return {"seconds": seconds, "replaced": len(pairs), "difference": difference}
