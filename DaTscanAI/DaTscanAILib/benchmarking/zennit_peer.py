"""Layer-wise relevance propagation by zennit, rules as in `explanation/lrp.py`: peer here, oracle in the tests."""

from contextlib import contextmanager

_definitions = []  # torch forgets the operators of a library that nobody holds


def import_zennit():
    """The module `zennit`, also where the operators of torchvision, which it imports, do not load.

    zennit uses none of them, so declaring them is enough.
    """
    try:
        import zennit.canonizers
        import zennit.composites
        import zennit.core
        import zennit.rules
        import zennit.types
    except RuntimeError:
        declare_torchvision_operators()
        return import_zennit()
    return zennit


def declare_torchvision_operators() -> None:
    """Beside a CPU build of torch, torchvision lacks its compiled operators; its import fails without these two."""
    import torch

    library = torch.library.Library("torchvision", "FRAGMENT")
    for operator in ("nms", "qnms"):
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _definitions.append(library)


def zennit_relevance(network, image, contrast):
    """Logits `(outputs,)` and relevance `(x, y, z)` by zennit and automatic differentiation.

    Args:
        network: `torch.nn.Sequential`, left as it was.
        image: `(1, 1, x, y, z)`.
        contrast: `(outputs,)`; relevance starts as `contrast * logits`.
    """
    with zennit_propagator(network, contrast) as propagate:
        return propagate(image)


@contextmanager
def zennit_propagator(network, contrast):
    """A function from an image to what `zennit_relevance` gives, prepared once for many images.

    Inside the block the network carries zennit's hooks; behind it, it is as it was.
    """
    import torch

    zennit = import_zennit()
    composite = zennit.core.Composite(_nazari_rules(zennit), [_exact_batch_norm_canonizer(zennit)])

    def propagate(image):
        image = image.clone().requires_grad_()
        logits = hooked(image)
        (relevance,) = torch.autograd.grad(logits, image, grad_outputs=logits.detach() * contrast)
        return logits.detach()[0], relevance[0].sum(0)

    with composite.context(network) as hooked:
        yield propagate


def _nazari_rules(zennit):
    """Epsilon for dense layers, flat for the first two convolutions, alpha 2 and beta 1 for the others."""
    import torch

    def rule_of(context, name, layer):  # noqa: ARG001
        if isinstance(layer, zennit.types.Convolution):
            context["convolutions"] = context.get("convolutions", 0) + 1
            if context["convolutions"] <= 2:
                return zennit.rules.Flat(stabilizer=0.0)  # the denominators are counts of inputs
            return zennit.rules.AlphaBeta(2.0, 1.0, stabilizer=1e-6)
        if isinstance(layer, torch.nn.Linear):
            return zennit.rules.Epsilon(1e-4)
        if isinstance(layer, zennit.types.AvgPool) and context.get("convolutions", 0) < 2:
            return zennit.rules.Flat(stabilizer=0.0)
        if isinstance(layer, zennit.types.AvgPool):
            return zennit.rules.Norm(stabilizer=1e-6)
        if isinstance(layer, zennit.types.Activation | zennit.types.BatchNorm):
            return zennit.rules.Pass()
        return None

    return rule_of


def _exact_batch_norm_canonizer(zennit):
    """zennit leaves eps in a normalization it has merged, which then still divides by sqrt(1 + eps)."""

    class Exact(zennit.canonizers.SequentialMergeBatchNorm):
        def register(self, linears, batch_norm):
            super().register(linears, batch_norm)
            self.eps, batch_norm.eps = batch_norm.eps, 0.0

        def remove(self):
            super().remove()
            self.batch_norm.eps = self.eps

    return Exact()
