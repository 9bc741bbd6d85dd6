"""Relevance maps and training on a GPU, where there is one."""

import time

from ..explanation.lrp import RelevancePropagator
from .child import environment, in_child
from .goals import GOALS, Findings, Measured
from .machine import gpu_name, is_installed
from .settings import Settings
from .timing import middle, take_turns
from .training import BATCH, engine_step
from .workloads import contrast_of, load_image, load_networks, twin
from .zennit_peer import zennit_propagator

EPOCH = 864  # scans, as in Nazari 2021


def run(settings: Settings) -> Findings:
    """Map beside zennit's in eager float32, and an epoch from inputs that stay in the GPU's memory."""
    if not gpu_name():
        return Findings({goal.key: Measured(note="no GPU") for goal in GOALS if goal.stage == "gpu"})
    peer, source = is_installed("zennit"), settings.large_network
    maps = in_child(time_maps, environment(), source=source, repetitions=10 * settings.repetitions, peer=peer)
    scans = 4 * BATCH if settings.quick else EPOCH
    seconds = in_child(time_epoch, environment(), source=source, scans=scans)
    note = "" if peer else "peer not installed"
    return Findings(
        {
            "gpu_relevance": Measured(middle(maps["ours"]), middle(maps.get("peer", [])), note, maps),
            "gpu_epoch": Measured(seconds, note=f"{scans} scans, batches of {BATCH}, without validation"),
        }
    )


def time_maps(source: dict, repetitions: int, peer: bool) -> dict[str, list[float]]:
    """Seconds of a map by `ours` and, if wanted, by the `peer`, the image being on the GPU."""
    import torch

    network, image = load_networks(source)[0].cuda(), load_image(source).cuda()
    propagator = RelevancePropagator(network)

    def finished(propagate):
        def task():
            propagate(image)
            torch.cuda.synchronize()

        return task

    tasks = {"ours": finished(propagator.propagate)}
    if not peer:
        return take_turns(tasks, repetitions, warm_up=3)
    torch.backends.cudnn.allow_tf32 = False  # as ours: float32 means float32
    with zennit_propagator(twin(network), contrast_of(network).cuda()) as propagate:
        return take_turns({**tasks, "peer": finished(propagate)}, repetitions, warm_up=3)


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
