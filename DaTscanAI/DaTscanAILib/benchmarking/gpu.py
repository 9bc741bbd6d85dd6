"""Relevance maps and training on a GPU, where there is one."""

import copy
import time

from ..explanation.captured import CapturedPropagator
from ..explanation.lrp import RelevancePropagator
from .child import environment, in_child
from .goals import GOALS, Findings, Measured
from .machine import gpu_name, is_installed
from .settings import Settings
from .timing import middle, take_turns
from .training import BATCH, engine_step
from .workloads import contrast_of, load_image, load_networks, twin
from .zennit_peer import zennit_propagator, zennit_relevance

EPOCH = 864  # scans, as in Nazari 2021


def run(settings: Settings) -> Findings:
    """Map beside zennit's in eager float32, and an epoch from inputs that stay in the GPU's memory."""
    if not gpu_name():
        return Findings({goal.key: Measured(note="no GPU") for goal in GOALS if goal.stage == "gpu"})
    peer, source = is_installed("zennit"), settings.large_network
    repetitions = 10 * settings.repetitions
    maps = in_child(time_maps, environment(), source=source, repetitions=repetitions, peer=peer)
    layouts = in_child(time_layouts, environment(), source=source, repetitions=repetitions)
    checked = in_child(check_map, environment(), source=source, peer=peer)
    scans = 4 * BATCH if settings.quick else EPOCH
    seconds = in_child(time_epoch, environment(), source=source, scans=scans)
    note, theirs = "" if peer else "peer not installed", middle(maps.get("peer", []))
    return Findings(
        {
            "gpu_relevance": Measured(middle(maps["ours"]), theirs, note, maps),
            "gpu_relevance_graph": Measured(middle(maps["graph"]), theirs, note),
            "gpu_relevance_error": Measured(checked["error"], note=f"from {checked['oracle']} in float64 on the CPU"),
            "gpu_relevance_memory": Measured(checked["megabytes"]),
            "gpu_convolutions": Measured(middle(layouts["last"]), middle(layouts["first"]), repetitions=layouts),
            "gpu_epoch": Measured(seconds, note=f"{scans} scans, batches of {BATCH}, without validation"),
        }
    )


def time_maps(source: dict, repetitions: int, peer: bool) -> dict[str, list[float]]:
    """Seconds of a map by `ours`, as one `graph` and, if wanted, by the `peer`, the image being on the GPU."""
    import torch

    network, image = load_networks(source)[0].cuda(), load_image(source).cuda()
    propagator = RelevancePropagator(network)

    def finished(propagate):
        def task():
            propagate(image)
            torch.cuda.synchronize()

        return task

    tasks = {
        "ours": finished(propagator.propagate),
        "graph": finished(CapturedPropagator(propagator, image).propagate),
    }
    if not peer:
        return take_turns(tasks, repetitions, warm_up=3)
    torch.backends.cudnn.allow_tf32 = False  # as ours: float32 means float32
    with zennit_propagator(twin(network), contrast_of(network).cuda()) as propagate:
        return take_turns({**tasks, "peer": finished(propagate)}, repetitions, warm_up=3)


def time_layouts(source: dict, repetitions: int) -> dict[str, list[float]]:
    """Seconds of the four convolutions of the alpha-beta rule, channels `first` and channels `last` in memory."""
    import torch
    from torch.nn.functional import conv3d

    shape = load_image(source).shape[2:]

    def task(layout):
        images = [torch.rand(1, n, *shape, device="cuda").contiguous(memory_format=layout) for n in (16, 32)]
        weights = [torch.rand(48 - n, n, 3, 3, 3, device="cuda").contiguous(memory_format=layout) for n in (16, 32)]

        def convolve():
            with torch.inference_mode(), torch.backends.cudnn.flags(deterministic=True, allow_tf32=False):
                for image, weight in 2 * list(zip(images, weights, strict=True)):
                    conv3d(image, weight, padding=1)
            torch.cuda.synchronize()

        return convolve

    layouts = {"first": torch.contiguous_format, "last": torch.channels_last_3d}
    return take_turns({name: task(layout) for name, layout in layouts.items()}, repetitions, warm_up=3)


def check_map(source: dict, peer: bool) -> dict:
    """The larger `error` of a map and its graph from the `oracle`; `megabytes` that a map adds at its peak."""
    import torch

    (network, *_), image = load_networks(source), load_image(source)
    exact, contrast = copy.deepcopy(network).double(), contrast_of(network).double()
    propagate = zennit_relevance if peer else lambda *given: RelevancePropagator(*given[::2]).propagate(given[1])
    logits, expected = propagate(exact, image.double(), contrast)
    del exact
    network, image = network.cuda(), image.cuda()
    propagator = RelevancePropagator(network)
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    found = [propagator.propagate(image)[1]]
    megabytes = (torch.cuda.max_memory_allocated() - before) / 1e6
    found.append(CapturedPropagator(propagator, torch.zeros_like(image)).propagate(image)[1])
    start = (contrast * logits).sum().abs()
    error = max(float((one.cpu().double() - expected).norm() / start) for one in found)
    return {"error": error, "oracle": "zennit" if peer else "our own", "megabytes": megabytes}


def time_epoch(source: dict, scans: int) -> float:
    """Seconds of one epoch of the engine's steps over float16 inputs cached on the GPU, after a warm-up of steps."""
    import torch

    network, image = load_networks(source)[0].cuda(), load_image(source)
    cache = image.half().cuda().expand(scans, -1, -1, -1, -1).contiguous()
    images, labels = cache[:BATCH].float(), (torch.arange(BATCH) % 2).cuda()
    step = engine_step(network, images, labels, source["architecture"], "cuda")
    for _ in range(3):
        step()
    torch.cuda.synchronize()
    start = time.perf_counter()
    for batch in torch.randperm(scans).cuda().split(BATCH):
        images[: len(batch)] = cache[batch]
        step()
    torch.cuda.synchronize()
    return time.perf_counter() - start
