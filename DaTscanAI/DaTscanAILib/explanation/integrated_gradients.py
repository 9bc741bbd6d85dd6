"""Integrated gradients: relevance that sums to what the network says of the scan more than of the reference.

    relevance_i = (x_i - r_i) * integral over a from 0 to 1 of  d f(r + a (x - r)) / d x_i

with the scan's input x, the reference's input r and f the contrast of the logits (Sundararajan et al., ICML 2017,
equation 1). Summed over the voxels that is f(x) - f(r) (completeness). The integral is taken by Gauss-Legendre
quadrature, which needs far fewer gradients than the sum of rectangles that the paper uses.
"""

import numpy as np

from ..base.errors import DaTscanError
from ..base.parallel import one_thread
from .fast_network import fast_network

STEPS = 4
_AT_ONCE = 4  # gradients: more need more memory, and one alone takes a slow convolution of torch for small images


class IntegratedGradients:
    """Relevance maps of one network, prepared once, used for any number of scans.

    The network is not changed: batch normalizations are folded into copies of convolutions, dropout is left out.

    Args:
        network: `torch.nn.Sequential` that ends in logits.
        reference: the reference's input, a tensor `(1, 1, x, y, z)` or `(1, 1, x, y)` on the network's device.
        contrast: one weight for each output, see `lrp.RelevancePropagator`.
        steps: gradients a map.
    """

    def __init__(self, network, reference, contrast=None, steps: int = STEPS):
        import torch

        self._first_mean, self._network = _for_gradients(network)
        first = next(network.parameters())
        self._reference = reference.to(first)
        self._start = self._averaged(self._reference)
        outputs = network[-1].out_features
        contrast = (-1.0, 1.0, *[0.0] * (outputs - 2)) if contrast is None else contrast
        self._contrast = torch.as_tensor(contrast, dtype=torch.float64).to(first)
        nodes, weights = np.polynomial.legendre.leggauss(steps)
        along = (-1, *[1] * (self._reference.ndim - 1))
        self._shares = torch.as_tensor((nodes + 1) / 2).to(first).view(along)
        self._weights = torch.as_tensor(weights / 2).to(first).view(along)

    def relevance(self, image):
        """Relevance map of one scan.

        Args:
            image: tensor `(1, 1, x, y, z)`, for 2D networks `(1, 1, x, y)`.

        Returns:
            `(x, y, z)` or `(x, y)`, which sums to the contrast of the scan's logits minus that of the reference's.

        Raises:
            DaTscanError: `image` has not the shape of the reference.
        """
        if image.shape != self._reference.shape:
            raise DaTscanError(f"Relevance takes one scan at a time, not the shape {tuple(image.shape)}.")
        difference, mean_gradient = image.to(self._reference) - self._reference, 0.0
        # A first mean over voxels is linear: it is taken of the path's ends, and goes back once for all its points.
        start, along = self._start, self._averaged(difference)
        parts = zip(self._shares.split(_AT_ONCE), self._weights.split(_AT_ONCE), strict=True)
        for shares, weights in parts:
            mean_gradient = mean_gradient + (self._gradients(start + shares * along) * weights).sum(0, keepdim=True)
        return (difference * self._average_back(mean_gradient, difference))[0, 0]

    def gradient_times_input(self, image):
        """The gradient at the scan alone, times its difference from the reference; shapes as in `relevance`."""
        image = image.to(self._reference)
        gradient = self._gradients(self._averaged(image).expand(2, *[-1] * (image.ndim - 1)))[:1]
        return ((image - self._reference) * self._average_back(gradient, image))[0, 0]

    def _averaged(self, image):
        import torch

        with torch.no_grad():
            return image if self._first_mean is None else self._first_mean(image)

    def _average_back(self, gradient, like):
        """From the gradient with respect to the means to that with respect to the voxels."""
        import torch

        if self._first_mean is None:
            return gradient
        with torch.enable_grad():
            voxels = torch.zeros_like(like).requires_grad_(True)
            # Of one number: torch would import its symbolic shapes, half a second, to take a gradient of several.
            return torch.autograd.grad((self._first_mean(voxels) * gradient).sum(), voxels)[0]

    def _gradients(self, points):
        """Of the contrast, at a batch of points, with respect to the input of what follows a first mean."""
        import torch

        with torch.enable_grad(), one_thread():
            points = points.detach().requires_grad_(True)
            (gradients,) = torch.autograd.grad((self._network(points) @ self._contrast).sum(), points)
        return gradients


def _for_gradients(network):
    """The network's first mean over voxels (None without), and the rest as a network, both ready (`fast_network`)."""
    from torch import nn

    fast = fast_network(network)
    begins_with_mean = isinstance(fast[0], nn.AvgPool2d | nn.AvgPool3d)
    return (fast[0], fast[1:]) if begins_with_mean else (None, fast)
