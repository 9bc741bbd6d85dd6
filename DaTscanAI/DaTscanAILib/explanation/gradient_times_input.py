"""Relevance of networks with skips: gradient times input.

Where a network consists of convolutions, rectifiers (leaky ones too), maximum pooling, sums and dense layers, the
epsilon rule in every layer with epsilon to 0 gives the gradient of the output times the input (Ancona et al. 2018,
ICLR; Shrikumar et al. 2016, arXiv 1605.01713). So no rule for skips, strides or negative activations is needed.
Without biases the map sums to the output.
"""


class GradientTimesInput:
    """Logits and relevance maps of one network, used as `lrp.RelevancePropagator` is.

    Args:
        network: `torch.nn.Module` in evaluation mode.
        contrast: one weight for each output: relevance starts as `contrast * logits`.
    """

    def __init__(self, network, contrast):
        import torch

        self._network = network
        self._contrast = torch.as_tensor(contrast, dtype=torch.float64).to(next(network.parameters()))

    def propagate(self, image):
        """Logits `(outputs,)` and relevance of one scan `(1, 1, ...)`, without its first two axes."""
        import torch

        with torch.enable_grad():
            inputs = image.detach().clone().requires_grad_(True)
            logits = self._network(inputs)[0]
            (gradient,) = torch.autograd.grad(logits @ self._contrast, inputs)
        return logits.detach(), (gradient * inputs.detach())[0, 0]
