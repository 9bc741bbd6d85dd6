"""One step of training, as the engine does it and in plain eager float32."""

from ..training.engine import head_losses, mixed_precision_inferer, processor_multiplies_bfloat16
from ..training.plans import PLANS
from ..training.quick_layers import quick_layers
from .child import environment, in_child
from .goals import Findings, Measured
from .settings import Settings
from .timing import middle, take_turns
from .workloads import load_image, load_networks, twin

BATCH = 8


def run(settings: Settings) -> Findings:
    """Both kinds of step in turn, on all cores."""
    repetitions = min(settings.repetitions, 5)
    seconds = in_child(time_steps, environment(), source=settings.large_network, repetitions=repetitions)
    note = "" if seconds.pop("bfloat16") else "this processor does not multiply bfloat16: all in float32"
    return Findings(
        {"training_step": Measured(middle(seconds["ours"]), middle(seconds["peer"]), note, repetitions=seconds)}
    )


def time_steps(source: dict, repetitions: int) -> dict:
    """Seconds of a step by the engine (`ours`) and by plain torch (`peer`); `bfloat16`: whether ours mixes it in."""
    import torch

    network = load_networks(source)[0]
    images = load_image(source).expand(BATCH, -1, -1, -1, -1).contiguous()
    labels = torch.arange(BATCH) % 2
    peer = plain_step(twin(network).requires_grad_(), images, labels)
    with quick_layers(network, "cpu"):
        tasks = {"ours": engine_step(network, images, labels, source["architecture"], "cpu"), "peer": peer}
        return {**take_turns(tasks, repetitions), "bfloat16": processor_multiplies_bfloat16()}


def engine_step(network, images, labels, architecture, device):
    """A function that takes one step with the engine's precision, loss and optimizer.

    On a CPU the engine also lays the network out by `quick_layers`, which is the caller's to do.
    """
    import torch

    plan, network = PLANS[architecture], network.train()
    optimizer = torch.optim.AdamW(
        network.parameters(), plan.learning_rate, weight_decay=plan.weight_decay, fused=True
    )
    infer, loss = mixed_precision_inferer(device), head_losses(plan, device)

    def step():
        optimizer.zero_grad()
        loss(infer(images, network), labels).backward()
        optimizer.step()

    return step


def plain_step(network, images, labels):
    """A function that takes one step as torch's tutorials do."""
    import torch

    network.train()
    optimizer = torch.optim.Adam(network.parameters(), 1e-4)

    def step():
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(images), labels).backward()
        optimizer.step()

    return step
