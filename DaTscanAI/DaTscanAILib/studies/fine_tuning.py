"""Inception's base and the head on top of it trained together, after the head has learned alone."""

from copy import deepcopy
from dataclasses import replace

import numpy as np

from .inception import Extractor, pooling_without_padding, to_input
from .picture_augmentation import quan_copies

RATE = 1e-5  # so low that what photographs have taught is changed, not lost


def fine_tune(
    extractor: Extractor,
    head,
    pictures: list[np.ndarray],
    truth: np.ndarray,
    epochs: int,
    batch_size: int,
    seed: int,
    rate: float = RATE,
):
    """Train copies of both by Adam on one newly changed copy of each picture an epoch.

    The base stays in evaluation mode: batches of a few similar pictures would spoil its normalization. It computes in
    bfloat16 where the extractor does; weights and their steps are float32.

    Args:
        head: `torch.nn.Module` of one logit.
        pictures: uint8 `(3, rows, columns)` each.
        truth: bool `(n,)`, labelled reduced.

    Returns:
        The new extractor, the new head on the CPU in evaluation mode, and the mean loss of each epoch.
    """
    import torch
    from torch.nn import functional

    torch.manual_seed(seed)
    network, head = deepcopy(extractor.network).eval(), deepcopy(head).to(extractor.device).train()
    labels = torch.from_numpy(truth.astype(np.float32)).to(extractor.device)
    optimizer = torch.optim.Adam([*network.parameters(), *head.parameters()], rate)
    random, losses = np.random.default_rng(seed), []
    with pooling_without_padding(extractor.keras_pooling):
        for _ in range(epochs):
            total = 0.0
            for chosen in np.array_split(random.permutation(len(pictures)), -(-len(pictures) // batch_size)):
                changed = [quan_copies(pictures[k], int(random.integers(2**31)), 2)[1] for k in chosen]
                batch = to_input(torch.from_numpy(np.stack(changed)))
                batch = batch.to(extractor.device, memory_format=torch.channels_last)
                with torch.autocast(extractor.device, torch.bfloat16, enabled=extractor.bfloat16):
                    features = network(batch)
                loss = functional.binary_cross_entropy_with_logits(head(features.float())[:, 0], labels[chosen])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                total += loss.item() * len(chosen)
            losses.append(total / len(pictures))
    return replace(extractor, network=network), head.cpu().eval(), losses
