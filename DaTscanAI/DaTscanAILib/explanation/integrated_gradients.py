"""Integrated gradients: relevance that sums to what the network says of the scan more than of the reference.

    relevance_i = (x_i - r_i) * integral over a from 0 to 1 of  d f(r + a (x - r)) / d x_i

with the scan's input x, the reference's input r and f the contrast of the logits (Sundararajan et al., ICML 2017,
equation 1). Summed over the voxels that is f(x) - f(r) (completeness). The integral is taken by Gauss-Legendre
quadrature, which needs far fewer gradients than the sum of rectangles that the paper uses.
"""

import numpy as np

from ..base.errors import DaTscanError

STEPS = 8


class IntegratedGradients:
    """Logits and relevance maps of one network, prepared once, used for any number of scans.

    The network is not changed: batch normalizations are folded into copies of convolutions, dropout is left out.

    Args:
        network: `torch.nn.Sequential` that ends in logits.
        reference: the reference's input, `(x, y, z)` or `(x, y)`, on the network's device.
        contrast: one weight for each output, see `lrp.RelevancePropagator`.
        steps: gradients a map; all are computed as one batch.
    """

    def __init__(self, network, reference, contrast=None, steps: int = STEPS):
        import torch

        self._network = _for_inference(network)
        first = next(network.parameters())
        self._reference = reference.to(first)[None, None]
        outputs = network[-1].out_features
        contrast = (-1.0, 1.0, *[0.0] * (outputs - 2)) if contrast is None else contrast
        self._contrast = torch.as_tensor(contrast, dtype=torch.float64).to(first)
        nodes, weights = np.polynomial.legendre.leggauss(steps)
        self._shares = torch.as_tensor((nodes + 1) / 2).to(first)
        self._weights = torch.as_tensor(weights / 2).to(first)

    def propagate(self, image):
        """Logits and relevance map of one scan, as `lrp.RelevancePropagator.propagate` gives them.

        Args:
            image: tensor `(1, 1, x, y, z)`, for 2D networks `(1, 1, x, y)`.

        Returns:
            Logits `(outputs,)` and relevance `(x, y, z)` or `(x, y)`.

        Raises:
            DaTscanError: `image` has not the shape of the reference.
        """
        import torch

        if image.shape != self._reference.shape:
            raise DaTscanError(f"Relevance takes one scan at a time, not the shape {tuple(image.shape)}.")
        image = image.to(self._reference)
        along = (-1, *[1] * (image.ndim - 1))
        with torch.no_grad():
            logits = self._network(image)[0]
        with torch.enable_grad():
            points = self._reference + self._shares.view(along) * (image - self._reference)
            points.requires_grad_(True)
            total = (self._network(points) @ self._contrast).sum()
            (gradients,) = torch.autograd.grad(total, points)
        mean_gradient = (gradients * self._weights.view(along)).sum(0, keepdim=True)
        return logits, ((image - self._reference) * mean_gradient)[0, 0]


def _for_inference(network):
    """The network in evaluation mode, its weights not to be learned, without layers that only training needs."""
    import copy

    from torch import nn
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    layers = []
    for layer in network:
        if isinstance(layer, nn.BatchNorm2d | nn.BatchNorm3d) and isinstance(layers[-1], nn.Conv2d | nn.Conv3d):
            layers[-1] = fuse_conv_bn_eval(layers[-1].eval(), copy.deepcopy(layer).eval())
        elif isinstance(layer, nn.ReLU):
            layers.append(nn.ReLU())  # an in-place one would overwrite what the gradient needs
        elif not isinstance(layer, nn.Dropout):
            layers.append(layer)
    return nn.Sequential(*layers).requires_grad_(False).eval()
