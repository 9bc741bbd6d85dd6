"""Means over pairs of voxels are torch's average pooling, forwards and backwards, in both layouts of memory."""

import pytest
import torch
from torch import nn

from DaTscanAILib.explanation.convolution import channels_last
from DaTscanAILib.explanation.pair_means import quick_mean


@pytest.mark.parametrize("shape", [(6, 4, 8), (5, 7, 9), (2, 3, 2)])
@pytest.mark.parametrize("layout", [channels_last, torch.Tensor.contiguous], ids=["channels together", "apart"])
def test_means_and_gradients_are_those_of_average_pooling(shape, layout):
    pooling = nn.AvgPool3d(2, ceil_mode=True, count_include_pad=False)
    quick = quick_mean(pooling)
    assert quick is not pooling
    torch.manual_seed(0)
    image = layout(torch.randn(2, 3, *shape, dtype=torch.float64)).requires_grad_(True)
    expected, found = pooling(image), quick(image)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    weights = torch.randn_like(expected)
    (gradient,) = torch.autograd.grad((expected * weights).sum(), image)
    (of_quick,) = torch.autograd.grad((found * weights).sum(), image)
    torch.testing.assert_close(of_quick, gradient, rtol=0, atol=1e-12)
    assert of_quick.dtype == image.dtype
    assert of_quick.stride() == image.stride()


@pytest.mark.parametrize(
    "pooling",
    [
        nn.AvgPool3d(2),
        nn.AvgPool3d(3, ceil_mode=True, count_include_pad=False),
        nn.AvgPool3d(2, 1, ceil_mode=True, count_include_pad=False),
        nn.AvgPool3d(2, ceil_mode=True),
        nn.AvgPool3d(2, padding=1, ceil_mode=True, count_include_pad=False),
        nn.AvgPool2d(2, ceil_mode=True, count_include_pad=False),
    ],
)
def test_other_poolings_are_left_alone(pooling):
    assert quick_mean(pooling) is pooling
