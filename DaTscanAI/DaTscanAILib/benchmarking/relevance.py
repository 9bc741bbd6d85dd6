"""Relevance maps beside zennit: time of one thread, agreement with zennit in float64, peak memory."""

from contextlib import ExitStack

from ..classification.model_folder import find_model
from ..explanation.lrp import RelevancePropagator
from .child import TUNED_ALLOCATOR, environment, in_child
from .goals import Findings, Measured
from .machine import is_installed
from .memory import peak_growth
from .settings import Settings
from .timing import middle, take_turns
from .workloads import contrast_of, load_image, load_networks, twin
from .zennit_peer import zennit_propagator, zennit_relevance

MATRIX = 2048  # rows and columns of the matrices
NORM = "L2 norm of the difference from zennit in float64, by the relevance at the logits"


def run(settings: Settings) -> Findings:
    """The published network of 236 million parameters, then the default model."""
    peer = is_installed("zennit")
    large, model = settings.large_network, {"model": str(find_model(settings.model).folder.resolve())}
    repetitions = settings.repetitions
    times = _times(large, TUNED_ALLOCATOR, repetitions, peer)
    return Findings(
        {
            "relevance_full_time": times,
            "relevance_full_time_default": _times(large, {}, repetitions, peer),
            "relevance_full_error": _errors(large, peer),
            "relevance_full_memory": _memory(large, peer),
            "relevance_full_forwards": _in_forwards(times),
            "relevance_full_convolutions": _convolutions(large, repetitions),
            "relevance_default_time": _times(model, TUNED_ALLOCATOR, 3 * repetitions, peer),
            "relevance_default_error": _errors(model, peer),
        }
    )


def _times(source, allocator, repetitions, peer):
    variables = environment(threads=1, **allocator)
    seconds = in_child(time_maps, variables, source=source, repetitions=repetitions, peer=peer)
    note = "" if peer else "peer not installed"
    return Measured(middle(seconds["ours"]), middle(seconds.get("peer", [])), note, seconds)


def _errors(source, peer):
    """Not with the tuned allocator: under it zennit in float64 takes 18 GB for the large network in place of 5."""
    if not peer:
        return Measured(note="peer not installed")
    errors = in_child(errors_of_maps, environment(threads=1), source=source)
    return Measured(errors["ours"], errors["peer"], NORM)


def _in_forwards(times):
    """Ours and the peer's as multiples of the network's plain way forward."""
    forward = middle(times.repetitions["forward"])
    peer = times.peer / forward if times.peer else None
    return Measured(times.ours / forward, peer, f"a forward pass takes {1000 * forward:.0f} ms")


def _convolutions(source, repetitions):
    """What no arrangement of the other work can save, and how near it is to what the processor can do."""
    found = in_child(
        time_convolutions, environment(threads=1, **TUNED_ALLOCATOR), source=source, repetitions=repetitions
    )
    note = "{convolution:.0f} GFLOP/s; a product of large matrices on the same core {product:.0f}".format(
        **found["rates"]
    )
    return Measured(found["seconds"], note=note)


def _memory(source, peer):
    ours, theirs = (
        in_child(memory_of_map, environment(threads=1), source=source, engine=engine)
        for engine in ("ours", "zennit" if peer else "none")
    )
    note = "" if peer else "peer not installed"
    return Measured(ours, theirs, "this system does not tell the memory of a process" if ours is None else note)


def time_maps(source: dict, repetitions: int, peer: bool) -> dict[str, list[float]]:
    """Seconds of `ours`, of the plain way `forward` and, if wanted, of the `peer`, for all networks together."""
    import torch

    image, networks = load_image(source), load_networks(source)
    propagators = [RelevancePropagator(network) for network in networks]

    def forward():
        with torch.inference_mode():
            return [network(image) for network in networks]

    tasks = {"ours": lambda: [propagator.propagate(image) for propagator in propagators], "forward": forward}
    with ExitStack() as stack:
        if not peer:
            return take_turns(tasks, repetitions)
        theirs = [stack.enter_context(zennit_propagator(twin(network), contrast_of(network))) for network in networks]
        return take_turns({**tasks, "peer": lambda: [propagate(image) for propagate in theirs]}, repetitions)


def time_convolutions(source: dict, repetitions: int) -> dict:
    """`seconds` of the convolutions of 16 by 16 channels in one map, and GFLOP/s (`rates`) beside a matrix product's.

    Nine of them: one way forward in the second layer, and in the third and fourth two ways (positive and negative
    weights) in either direction. The first layer's, of one channel, is left out.
    """
    import torch

    shape = load_image(source).shape[2:]
    last = torch.channels_last_3d
    image = torch.rand(1, 16, *shape).contiguous(memory_format=last)
    weight = torch.rand(16, 16, 3, 3, 3).contiguous(memory_format=last)
    matrix = torch.rand(MATRIX, MATRIX)
    tasks = {
        "convolution": lambda: torch.nn.functional.conv3d(image, weight, padding=1),
        "product": lambda: matrix @ matrix,
    }
    operations = {"convolution": 2 * weight.numel() * shape.numel(), "product": 2 * MATRIX**3}
    with torch.inference_mode():
        seconds = {name: middle(times) for name, times in take_turns(tasks, repetitions).items()}
    rates = {name: operations[name] / seconds[name] / 1e9 for name in tasks}
    return {"seconds": 9 * seconds["convolution"], "rates": rates}


def memory_of_map(source: dict, engine: str) -> float | None:
    """MB that one map of `ours` or `zennit` adds at its peak to a process that holds the network."""
    if engine == "none":
        return None
    image, (network, *_) = load_image(source), load_networks(source)
    contrast = contrast_of(network)
    if engine == "ours":
        return peak_growth(lambda: RelevancePropagator(network).propagate(image))
    zennit_relevance(*_tiny(), contrast)  # loads its code
    return peak_growth(lambda: zennit_relevance(network, image, contrast))


def _tiny():
    """A network and an image of a few voxels."""
    import torch

    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(8, 2)), torch.ones(1, 1, 2, 2, 2)


def errors_of_maps(source: dict) -> dict[str, float]:
    """Largest difference, over the networks, from zennit in float64, by the starting relevance.

    The L2 norm of the difference of the maps is divided by the magnitude of the relevance at the logits: the maps
    themselves may nearly cancel.
    """
    image, errors = load_image(source), {"ours": 0.0, "peer": 0.0}
    for network in load_networks(source):
        contrast = contrast_of(network)
        found = {
            "ours": RelevancePropagator(network, contrast).propagate(image)[1].double(),
            "peer": zennit_relevance(network, image, contrast)[1].double(),
        }
        logits, exact = zennit_relevance(network.double(), image.double(), contrast)
        start = float((contrast * logits).sum().abs())
        errors = {name: max(errors[name], float((found[name] - exact).norm()) / start) for name in found}
    return errors
