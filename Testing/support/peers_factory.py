"""Seeded random weights under the names and in the shapes of github.com/ThomasBudd/dat_spect_ud."""

import torch

from DaTscanAILib.classification.dat_spect_ud import MEMBERS


def published_state(seed, at_places=False, biased=True):
    """One network's state dictionary; `at_places` is the later form, with one logit and flat kernels."""
    random = torch.Generator().manual_seed(seed)
    flat = at_places
    state, before = {}, 1
    for stage, (channels, edge, blocks) in enumerate(((16, 1, 1), (32, 3, 1), (64, 3, 2))):
        state[f"body.{stage}.first_conv.weight"] = _kernel(random, channels, before, edge, flat)
        for block in range(blocks):
            for layer in (0, 3):
                place = f"body.{stage}.blocks.{block}"
                state[f"{place}.{layer}.weight"] = _kernel(random, channels, channels, 3, flat)
                state |= {f"{place}.{layer + 1}.{k}": v for k, v in _norm(random, channels, biased).items()}
            state[f"body.{stage}.skip_inits.{block}"] = torch.rand((), generator=random)
        before = channels
    outputs = 1 if at_places else 2
    weight = torch.randn(outputs, 64, generator=random) / 8
    state["logits.weight"] = weight[:, :, None, None] if at_places else weight
    state["logits.bias"] = torch.randn(outputs, generator=random) * biased
    return state


def write_published_weights(folder, name, seed=0, at_places=False, biased=True):
    """The five files of an ensemble."""
    folder.mkdir(parents=True, exist_ok=True)
    for member in range(MEMBERS):
        state = published_state(seed + member, at_places, biased)
        torch.save(state, folder / f"network_weights_{name}_{member}")


def _kernel(random, outputs, inputs, edge, flat):
    kernel = torch.randn(outputs, inputs, edge, edge, generator=random) / (inputs * edge**2) ** 0.5
    return kernel if flat else kernel[:, :, None]


def _norm(random, channels, biased):
    return {
        "weight": 0.5 + torch.rand(channels, generator=random),
        "bias": torch.randn(channels, generator=random) * biased,
        "running_mean": torch.randn(channels, generator=random) * biased,
        "running_var": 0.5 + torch.rand(channels, generator=random),
        "num_batches_tracked": torch.tensor(7),
    }
