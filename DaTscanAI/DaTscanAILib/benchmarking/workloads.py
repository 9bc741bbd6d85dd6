"""Networks and inputs that the stages share; a network is named by a dictionary, as it travels to child processes."""

import copy

import numpy as np

from ..analysis import measure
from ..base.resources import resource_path
from ..classification.model_folder import find_model
from ..classification.networks import ARCHITECTURES, build_network
from ..mni.atlas import load_atlas
from ..quantification.mirroring import ipsilateral_left
from ..reading.scan import read_scan

SEED = 7


def sample_file():
    """The bundled scan on which one-scan figures are measured."""
    return resource_path("Samples", "reduced.dcm")


def load_networks(source: dict) -> list:
    """The networks of `{"model": name or folder}`, or the untrained one of `{"architecture": name}`.

    `{"architecture": ..., "input_shape": [1, x, y, z]}` is one for a smaller image.
    """
    import torch

    if "model" in source:
        return find_model(source["model"]).load_networks()
    torch.manual_seed(SEED)
    return [build_network(source["architecture"], input_shape=source.get("input_shape"))]


def load_image(source: dict):
    """Input `(1, 1, x, y, z)` of the networks: the bundled sample for a model, noise for an untrained one."""
    import torch

    if "model" in source:
        found = measure(read_scan(sample_file()), "sample")
        voxels = ipsilateral_left(found.normalized, found.result["quantification"]["mirrored"])
        image = find_model(source["model"]).network_input(voxels, load_atlas())
        return torch.from_numpy(np.ascontiguousarray(image, np.float32))[None, None]
    shape = source.get("input_shape") or ARCHITECTURES[source["architecture"]].input_shape
    return torch.rand(1, *shape, generator=torch.Generator().manual_seed(SEED))


def contrast_of(network):
    """Weights of the logits at which relevance starts: the difference reduced - normal of the first head."""
    import torch

    contrast = torch.zeros(network[-1].out_features)
    contrast[:2] = torch.tensor([-1.0, 1.0])
    return contrast


def twin(network):
    """A network of its own with the same weights in memory, which hooks and canonizers may change."""
    from torch.nn import Parameter

    shared = {id(weight): Parameter(weight.detach(), requires_grad=False) for weight in network.parameters()}
    return copy.deepcopy(network, shared)
