"""Small networks on top of Inception's features: Kim's retrained top layer and Quan's dense head."""

import numpy as np

from ..base.parallel import one_thread
from .inception import FEATURES

CURVE_EVERY = 100  # iterations


def train_top_layer(training, validation, iterations: int, learning_rate: float, batch_size: int, seed: int):
    """Two logits from the features by plain gradient descent, as Kim 2018 retrained Inception's top layer.

    Args:
        training, validation: `(features float32 (n, 2048), labels bool (n,))`.

    Returns:
        The layer (`torch.nn.Linear`), and the curve as `{"iteration": [...], "training_loss": [...],
        "validation_loss": [...], "validation_accuracy": [...]}`.
    """
    import torch
    from torch.nn import functional

    generator = torch.Generator().manual_seed(seed)
    features, labels = _tensors(training)
    held_out, truth = _tensors(validation)
    layer = torch.nn.Linear(FEATURES, 2)
    torch.nn.init.normal_(layer.weight, std=0.001, generator=generator)
    torch.nn.init.zeros_(layer.bias)
    optimizer = torch.optim.SGD(layer.parameters(), learning_rate)
    curve = {"iteration": [], "training_loss": [], "validation_loss": [], "validation_accuracy": []}
    with one_thread():
        for iteration in range(1, iterations + 1):
            chosen = torch.randint(len(labels), (batch_size,), generator=generator)
            loss = functional.cross_entropy(layer(features[chosen]), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if iteration % CURVE_EVERY == 0 or iteration == iterations:
                with torch.inference_mode():
                    logits = layer(held_out)
                point = (
                    iteration,
                    loss.item(),
                    functional.cross_entropy(logits, truth).item(),
                    (logits.argmax(1) == truth).float().mean().item(),
                )
                for column, value in zip(curve.values(), point, strict=True):
                    column.append(value)
    return layer, curve


def top_layer_scores(layer, features: np.ndarray) -> np.ndarray:
    """Softmax probability of reduced, `(n,)`."""
    import torch

    with one_thread(), torch.inference_mode():
        return torch.softmax(layer(torch.from_numpy(features)), 1)[:, 1].double().numpy()


def dense_head(seed: int, units: int = 1024, dropout: float = 0.5):
    """Dense layer with rectifier, dropout and one logit (Quan 2019); the sigmoid belongs to the loss."""
    import torch
    from torch import nn

    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(FEATURES, units), nn.ReLU(), nn.Dropout(dropout), nn.Linear(units, 1))


def train_dense_head(training, validation, epochs: int, batch_size: int, seed: int):
    """Quan's head by Adam, whose rate steps from 1e-3 to 1e-6 in four equal parts of the training.

    Args:
        training: `(features (n, copies, 2048), labels bool (n,))`; each epoch takes one copy of a scan at random.
        validation: `(features (n, 2048), labels)`, or None.

    Returns:
        The head in evaluation mode, and `{"epoch": [...], "training_loss": [...], "validation_loss": [...]}`.
    """
    import torch

    head = dense_head(seed)
    generator = torch.Generator().manual_seed(seed)
    features, labels = torch.from_numpy(training[0]), torch.from_numpy(training[1].astype(np.float32))
    optimizer = torch.optim.Adam(head.parameters(), 1e-3, fused=True)
    steps = [max(round(epochs * part / 4), 1) for part in (1, 2, 3)]
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, steps)
    curve = {"epoch": [], "training_loss": [], "validation_loss": []}
    with one_thread():
        for epoch in range(1, epochs + 1):
            loss = _epoch_of_head(head, optimizer, features, labels, batch_size, generator)
            schedule.step()
            curve["epoch"].append(epoch)
            curve["training_loss"].append(loss)
            curve["validation_loss"].append(_loss_of_head(head, validation))
    return head.eval(), curve


def dense_head_scores(head, features: np.ndarray) -> np.ndarray:
    """Probability of reduced, `(n,)`."""
    import torch

    with one_thread(), torch.inference_mode():
        return torch.sigmoid(head.eval()(torch.from_numpy(features))[:, 0]).double().numpy()


def _epoch_of_head(head, optimizer, features, labels, batch_size, generator):
    import torch
    from torch.nn import functional

    head.train()
    copies = torch.randint(features.shape[1], (len(labels),), generator=generator)
    order, total = torch.randperm(len(labels), generator=generator), 0.0
    for chosen in order.split(batch_size):
        logits = head(features[chosen, copies[chosen]])[:, 0]
        loss = functional.binary_cross_entropy_with_logits(logits, labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(chosen)
    return total / len(labels)


def _loss_of_head(head, validation):
    import torch
    from torch.nn import functional

    if validation is None:
        return None
    features, labels = torch.from_numpy(validation[0]), torch.from_numpy(validation[1].astype(np.float32))
    with torch.inference_mode():
        return functional.binary_cross_entropy_with_logits(head.eval()(features)[:, 0], labels).item()


def _tensors(pair):
    import torch

    features, labels = pair
    return torch.from_numpy(features), torch.from_numpy(labels.astype(np.int64))
