"""The training engine: MONAI's supervised trainer on ignite, with checkpoints, validation and the best weights."""

import json
import os
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ..base.allocator import keep_freed_memory
from .optimization import adam, normalized_dense, rate_factor
from .quick_layers import quick_layers
from .targets import ordinal_loss


@contextmanager
def process_group(device: str):
    """Joins the processes that `torchrun` has started, for as long as the block runs; a single process is left alone.

    Args:
        device: `cpu` or `cuda`.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield
        return
    import ignite.distributed as idist

    idist.initialize("nccl" if device == "cuda" else "gloo")
    try:
        yield
    finally:
        idist.finalize()


@contextmanager
def first_process_first():
    """Files that all processes need are written by the first; the others run the block after it and find them."""
    import ignite.distributed as idist

    if idist.get_rank() > 0:
        idist.barrier()
    yield
    if idist.get_rank() == 0:
        idist.barrier()


def run_engine(network, sets, plan, device: str, folder: Path, seed: int, *, patience=None) -> dict:
    """Train a network and return the state of its best epoch (lowest validation loss).

    Args:
        network: `torch.nn.Module` on the CPU, already initialized.
        sets: `input_sets.Sets`.
        plan: `plans.Plan`.
        device: `cpu` or `cuda`.
        folder: of the checkpoint; an interrupted run goes on from its last finished epoch.
        seed: of the order of the scans and of dropout.
        patience: stop after so many epochs without a lower validation loss; None for never.

    Returns:
        State dictionary on the CPU.
    """
    keep_freed_memory()
    with (
        average_taken(network, sets.training.averaged),
        normalized_dense(network, plan.normalized_dense) as folded,
        quick_layers(network, device),
    ):
        return folded(_run_engine(network, sets, plan, device, folder, seed, patience))


def _run_engine(network, sets, plan, device, folder, seed, patience):
    import ignite.distributed as idist
    import torch
    from ignite.engine import Events

    folder.mkdir(parents=True, exist_ok=True)
    network = idist.auto_model(network.to(device))
    optimizer = idist.auto_optim(adam(bare(network), plan))
    loader = _loader(sets.training, plan, shuffle=True, seed=seed)
    loss = head_losses(plan, device)
    trainer, schedule = _trainer(network, optimizer, loss, loader, plan, device)
    best = _Best(folder, network, optimizer, schedule, trainer)
    best.resume()

    @trainer.on(Events.EPOCH_STARTED)
    def reseed():
        # Dropout and the order of the scans depend on the epoch's number alone, so that a resumed run is the
        # undisturbed one.
        torch.manual_seed(seed + 100_003 * trainer.state.epoch)
        loader.sampler.set_epoch(trainer.state.epoch)

    @trainer.on(Events.EPOCH_COMPLETED)
    def validate():
        # One loss for all processes, as they must agree on when to stop.
        best.consider(idist.broadcast(validation_loss(bare(network), sets.validation, plan, loss, device), src=0))
        if best.waited(patience):
            trainer.terminate()

    if trainer.state.epoch < plan.epochs and not best.waited(patience):
        trainer.run()
    return best.shared_state()


def _trainer(network, optimizer, loss, loader, plan, device):
    """MONAI's trainer, and the schedule of the rates that it moves on after each step."""
    import torch
    from ignite.engine import Events
    from monai.engines import SupervisedTrainer

    steps = len(loader) * plan.epochs
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate_factor(step, steps, plan))
    trainer = SupervisedTrainer(
        device=torch.device(device),
        max_epochs=plan.epochs,
        train_data_loader=loader,
        network=network,
        optimizer=optimizer,
        loss_function=loss,
        inferer=mixed_precision_inferer(device),
        prepare_batch=_prepare_batch,
    )
    trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda: schedule.step())
    return trainer, schedule


@contextmanager
def average_taken(network, taken: bool):
    """For inputs that are averaged already, the network without its first layer, as long as the block runs."""
    import torch

    first = network[0]
    if taken:
        network[0] = torch.nn.Identity()
    try:
        yield
    finally:
        network[0] = first


def bare(network):
    """The network inside the wrapper of distributed training."""
    return getattr(network, "module", network)


def processor_multiplies_bfloat16() -> bool:
    """Whether it has instructions for that: oneDNN imitates them elsewhere, slower than float32."""
    import torch

    known = getattr(torch.cpu, "_is_avx512_bf16_supported", None)  # private, so perhaps not in every release
    return bool(known and known())


def mixed_precision_inferer(device: str):
    """Runs a network in bfloat16 where the processor multiplies it faster than float32, without loss scaling."""
    import torch
    from monai.inferers import SimpleInferer

    fast = device == "cuda" or processor_multiplies_bfloat16()

    class MixedPrecision(SimpleInferer):
        def __call__(self, inputs, network, *args, **kwargs):
            with torch.autocast(device, torch.bfloat16, enabled=fast):
                return super().__call__(inputs, network, *args, **kwargs)

    return MixedPrecision()


def head_losses(plan, device):
    """Sum over the heads of the cross entropy with each head's class weights, and the regions' ordinal loss.

    Targets are labels, or with regional losses what `input_sets.ImageSet` gives.
    """
    import torch
    from torch.nn.functional import cross_entropy

    weights = [torch.tensor(pair, device=device) for pair in plan.head_weights]

    def loss(logits, targets):
        labels = targets if targets.ndim == 1 else targets[:, 0].long()
        total = sum(
            cross_entropy(logits[:, [normal, reduced]].float(), labels, weight)
            for (_, normal, reduced), weight in zip(plan.heads, weights, strict=True)
        )
        if targets.ndim == 1:
            return total
        scores = logits[:, plan.regions : plan.regions + targets.shape[1] - 1]
        return total + plan.region_weight * ordinal_loss(scores, targets[:, 1:])

    return loss


def validation_loss(network, images, plan, loss, device) -> float:
    """Mean loss over a set, the network in evaluation mode."""
    import torch

    network.eval()
    total, infer = 0.0, mixed_precision_inferer(device)
    with torch.inference_mode():
        for inputs, labels in _loader(images, plan):
            total += float(loss(infer(inputs.to(device), network), labels.to(device))) * len(labels)
    network.train()
    return total / len(images)


def _loader(images, plan, shuffle=False, seed=0):
    """Batches of a set; a shuffled one is shared out among the processes and ordered anew by `sampler.set_epoch`."""
    import ignite.distributed as idist
    import torch

    sampler = None
    if shuffle:
        sampler = torch.utils.data.DistributedSampler(images, idist.get_world_size(), idist.get_rank(), seed=seed)
    return torch.utils.data.DataLoader(
        images, plan.batch_size, sampler=sampler, drop_last=shuffle and len(images) > plan.batch_size
    )


def _prepare_batch(batch, device, non_blocking, **_):
    inputs, labels = batch
    return inputs.to(device, non_blocking=non_blocking), labels.to(device, non_blocking=non_blocking)


class _Best:
    """Keeps the best weights and writes a checkpoint after every epoch."""

    def __init__(self, folder, network, optimizer, schedule, trainer):
        self.file = folder / "checkpoint.pt"
        self.curve_file = folder / "learning_curve.json"
        self.network, self.optimizer, self.schedule, self.trainer = network, optimizer, schedule, trainer
        self.lowest, self.state, self.curve = np.inf, None, []

    def waited(self, patience):
        """Whether the lowest loss is at least so many epochs old."""
        losses = [point["validation_loss"] for point in self.curve]
        return patience is not None and len(losses) > patience and len(losses) - 1 - np.argmin(losses) >= patience

    def shared_state(self):
        """The best state of the first process: statistics of batch normalization differ between processes."""
        import ignite.distributed as idist
        import torch

        idist.barrier()
        if idist.get_rank() > 0:
            self.state = torch.load(self.file, map_location="cpu", weights_only=True)["best"]
        return self.state

    def resume(self):
        import torch

        if not self.file.exists():
            return
        saved = torch.load(self.file, map_location="cpu", weights_only=True)
        bare(self.network).load_state_dict(saved["network"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.schedule.load_state_dict(saved["schedule"])
        self.lowest, self.state, self.curve = saved["lowest"], saved["best"], saved["curve"]
        self.trainer.load_state_dict(saved["trainer"])

    def consider(self, validation_loss):
        import ignite.distributed as idist

        state = {key: value.detach().cpu().clone() for key, value in bare(self.network).state_dict().items()}
        self.curve.append(self._point(validation_loss))
        if validation_loss < self.lowest:
            self.lowest, self.state = validation_loss, state
        if idist.get_rank() == 0:
            self._write(state)
            name, epoch = self.file.parent.name, self.trainer.state.epoch
            print(f"{name} epoch {epoch}: validation loss {validation_loss:.4f}", file=sys.stderr, flush=True)

    def _point(self, validation_loss):
        output = self.trainer.state.output
        training_loss = float((output[0] if isinstance(output, list) else output)["loss"])
        return {
            "epoch": self.trainer.state.epoch,
            "last_training_loss": round(training_loss, 5),
            "validation_loss": round(validation_loss, 5),
        }

    def _write(self, state):
        import torch

        temporary = self.file.with_suffix(".tmp")
        torch.save(
            {
                "network": state,
                "optimizer": self.optimizer.state_dict(),
                "schedule": self.schedule.state_dict(),
                "trainer": self.trainer.state_dict(),
                "lowest": self.lowest,
                "best": self.state,
                "curve": self.curve,
            },
            temporary,
        )
        temporary.replace(self.file)
        self.curve_file.write_text(json.dumps(self.curve, indent=1))
