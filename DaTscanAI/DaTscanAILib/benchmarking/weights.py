"""Loading the largest published network's weights, to its first logits, in fresh processes that take turns."""

import tempfile
import time
from pathlib import Path

from ..classification.answer_rule import AnswerRule
from ..classification.model_folder import read_model, write_model
from ..classification.networks import build_network
from ..classification.preprocessing import Preprocessing
from ..classification.weights import read_weights
from .child import environment, in_child
from .goals import Findings, Measured
from .settings import Settings
from .timing import in_turn, middle
from .workloads import load_image, load_networks

WAYS = ("ours", "checked", "peer")


def run(settings: Settings) -> Findings:
    """Write the weights once, then load them as the extension does and as is commonly done.

    The file stays in the system's cache, so that neither waits for the disk.
    """
    architecture = "nazari2021-striatum" if settings.quick else "nazari2021-full"
    repetitions = min(settings.repetitions, 5)
    seconds = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory(dir=settings.output) as folder:
        in_child(write_weights_twice, environment(), folder=folder, architecture=architecture)
        for number in range(repetitions):
            for way in in_turn(WAYS, number):
                seconds[way].append(
                    in_child(time_loading, environment(), folder=folder, architecture=architecture, way=way)
                )
    ours, checked, peer = (middle(seconds[way]) for way in WAYS)
    return Findings(
        {"weights_time": Measured(ours, peer, repetitions=seconds), "weights_checked": Measured(checked, peer)}
    )


def write_weights_twice(folder: str, architecture: str) -> None:
    """The same untrained weights as a model folder and as torch's own file."""
    import torch

    networks = load_networks({"architecture": architecture})
    write_model(Path(folder) / "model", architecture, networks, Preprocessing(), AnswerRule(), "nothing")
    torch.save(networks[0].state_dict(), Path(folder) / "weights.pt")


def time_loading(folder: str, architecture: str, way: str) -> float:
    """Seconds from the file to the first logits, torch being imported before.

    Args:
        way: `ours` maps the file into memory and hands its pages to a network that was never initialized, `checked`
            also compares their SHA-256 as the extension does, `peer` initializes a network and copies.
    """
    import torch

    source = {"architecture": architecture}
    image, model = load_image(source), read_model(Path(folder) / "model")
    file = model.folder / model.weights[0][0]
    start = time.perf_counter()
    if way == "checked":
        (network,) = model.load_networks()
    elif way == "ours":
        network = build_network(architecture, initialize=False)
        network.load_state_dict(read_weights(file), assign=True)
    else:
        network = build_default(architecture)
        network.load_state_dict(torch.load(Path(folder) / "weights.pt", weights_only=True))
    with torch.inference_mode():
        network(image)
    return time.perf_counter() - start


def build_default(architecture: str):
    """The network as torch's constructors leave it, each layer with its default initialization."""
    import torch

    network = build_network(architecture, initialize=False).to_empty(device="cpu")
    for layer in network:
        if isinstance(layer, torch.nn.Linear | torch.nn.Conv2d | torch.nn.Conv3d):
            layer.reset_parameters()
    return network
