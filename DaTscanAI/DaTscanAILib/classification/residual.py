"""Residual blocks whose change begins as nothing (SkipInit: De and Smith 2020, NeurIPS 33)."""

from functools import lru_cache

_SLOPE = 0.01  # of the leaky rectifier


def residual_block(channels: int):
    """A module `x + skip_init * change(x)`; the change is two 3x3 convolutions, each normalized and rectified."""
    return _block_class()(channels)


@lru_cache(maxsize=1)
def _block_class():
    """Made at first use: torch is imported in functions only."""
    import torch
    from torch import nn

    class ResidualBlock(nn.Module):
        def __init__(self, channels):
            super().__init__()
            layers = []
            for _ in range(2):
                layers += [
                    nn.Conv2d(channels, channels, 3, padding=1, bias=False),
                    nn.BatchNorm2d(channels),
                    nn.LeakyReLU(_SLOPE),
                ]
            self.change = nn.Sequential(*layers)
            self.skip_init = nn.Parameter(torch.zeros(()))

        def forward(self, inputs):
            return inputs + self.skip_init * self.change(inputs)

    return ResidualBlock
