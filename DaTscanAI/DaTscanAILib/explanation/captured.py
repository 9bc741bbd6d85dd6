"""A map's work on a GPU as one CUDA graph, for scans of one shape."""

from .lrp import RelevancePropagator


class CapturedPropagator:
    """As the `RelevancePropagator` that it is made of, but the CPU starts all kernels with one call.

    What the kernels need stays in the GPU's memory (about 0.4 GB for the 236-million network) as long as this does.
    Not used by `analyze` before a GPU has measured it: see `benchmark --stages gpu`.

    Args:
        propagator: of a network on a GPU; its weights must stay where they are.
        image: one scan as `propagate` takes it, on that GPU; every other scan must have its shape and type.
    """

    def __init__(self, propagator: RelevancePropagator, image):
        import torch

        self._image = image.clone()
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(
            stream
        ):  # libraries choose and load their kernels before, not while, they are captured
            for _ in range(3):
                propagator.propagate(self._image)
        torch.cuda.current_stream().wait_stream(stream)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._found = propagator.propagate(self._image)

    def propagate(self, image):
        """Logits `(outputs,)` and relevance `(x, y, z)` of one scan, in memory of their own."""
        self._image.copy_(image)
        self._graph.replay()
        logits, relevance = self._found
        return logits.clone(), relevance.clone()
