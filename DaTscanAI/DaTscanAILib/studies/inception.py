"""Inception v3 of torchvision as an extractor of features, below a top layer that the studies train."""

from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from ..base.errors import DaTscanError
from ..classification.weights import file_sha256, read_weights
from .workspace import Workspace

SIZE = 299  # pixels, what Inception v3 was made for
FEATURES = 2048
BATCH = 16
PUBLISHED_FILE = "inception_v3_google-0cc3c7bd.pth"
RANDOM_WARNING = (
    "Inception ran with RANDOM weights to try the pipeline: these figures say nothing about the paper's method."
)
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, which torchvision expects


@dataclass(frozen=True)
class Extractor:
    """Inception v3 without its top layer.

    Attributes:
        network: in evaluation mode, on `device`.
        source: where its weights come from, for the summary.
        is_random: with random weights.
        device: `cpu` or `cuda`.
        keras_pooling: average pools leave the padding out.
        bfloat16: compute in this format of 8 bits of precision.
    """

    network: object
    source: str
    is_random: bool
    device: str
    keras_pooling: bool = False
    bfloat16: bool = False

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Features float32 `(n, 2048)` of pictures `(n, rows, columns)` or `(n, 3, rows, columns)`, 0 to 255."""
        import torch

        features = []
        precision = torch.autocast(self.device, torch.bfloat16, enabled=self.bfloat16)
        with torch.inference_mode(), pooling_without_padding(self.keras_pooling), precision:
            for start in range(0, len(images), BATCH):
                batch = torch.from_numpy(np.ascontiguousarray(images[start : start + BATCH], np.float32))
                batch = to_input(batch).to(
                    self.device, memory_format=torch.channels_last
                )  # 1.7 times as fast on a CPU
                features.append(self.network(batch).float().cpu().numpy())
        return np.concatenate(features)


def to_input(batch):
    """Pictures `(n, [3,] rows, columns)`, 0 to 255, as Inception takes them: `(n, 3, 299, 299)`, ImageNet's scale."""
    import torch
    from torch.nn import functional

    if batch.ndim == 3:
        batch = batch[:, None].expand(-1, 3, -1, -1)
    rows, columns = batch.shape[-2:]
    edge = max(rows, columns)
    sides, ends = edge - columns, edge - rows
    batch = functional.pad(batch, (sides // 2, sides - sides // 2, ends // 2, ends - ends // 2))
    batch = functional.interpolate(batch / 255, (SIZE, SIZE), mode="bilinear", antialias=True)
    mean, deviation = (torch.tensor(values)[:, None, None] for values in (_MEAN, _DEVIATION))
    return (batch - mean) / deviation


def load_extractor(workspace: Workspace, random: bool = False) -> Extractor:
    """Inception v3 with the weights that the options name: a file, random ones, or torchvision's of ImageNet.

    Args:
        random: random weights whatever the options say, for a control.

    Raises:
        DaTscanError: torchvision is missing or does not fit torch, or the weights cannot be had.
    """
    import torch

    options = workspace.options
    inception = _torchvision_inception()
    random = random or options.random_weights
    if random:
        network, source = _random_network(inception, options.seed), "random (only to try the pipeline)"
    elif options.weights:
        network = _with_weights(inception, options.weights)
        source = f"{options.weights.name}, SHA-256 {file_sha256(options.weights)}"
    else:
        network, source = _published_network(inception), "ImageNet, torchvision's Inception_V3_Weights.IMAGENET1K_V1"
    network.fc = torch.nn.Identity()
    if options.keras_pooling:
        source += ", average pools without their padding"
    network = network.eval().to(workspace.device, memory_format=torch.channels_last)
    return Extractor(network, source, random, workspace.device, options.keras_pooling, options.bfloat16)


def _torchvision_inception():
    try:
        from torchvision.models import inception
    except ImportError as error:
        raise DaTscanError(
            "This study needs the package torchvision: install the version made for your torch."
        ) from error
    except RuntimeError as error:  # its compiled operators are of another build of torch
        raise DaTscanError(
            "The installed torchvision does not fit the installed torch: install both from the same index."
        ) from error
    return inception


def _published_network(inception):
    try:
        return inception.inception_v3(weights=inception.Inception_V3_Weights.IMAGENET1K_V1)
    except (OSError, RuntimeError) as error:  # no network, or a file that does not match its checksum
        raise DaTscanError(
            f"Inception's ImageNet weights could not be downloaded: give torchvision's file {PUBLISHED_FILE} with "
            "--weights FILE, or try the pipeline with --random-weights."
        ) from error


def _with_weights(inception, path: Path):
    import torch

    network = inception.inception_v3(weights=None, init_weights=False, transform_input=True)
    try:
        is_safe = path.suffix == ".safetensors"
        state = read_weights(path) if is_safe else torch.load(path, map_location="cpu", weights_only=True)
        network.load_state_dict(state)
    except Exception as error:  # torch raises what its unpickler happens to raise
        raise DaTscanError(
            f"{path.name}: this file does not hold the weights of torchvision's Inception v3: give {PUBLISHED_FILE}."
        ) from error
    return network


def _random_network(inception, seed):
    """He's variance, which keeps activations in scale without trained normalization."""
    import torch

    torch.manual_seed(seed)
    network = inception.inception_v3(weights=None, init_weights=False, transform_input=True)
    for layer in network.modules():
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(layer.weight)
    return network


def departures(extractor: Extractor, papers: str) -> list[str]:
    """How the features differ from the paper's, whose weights are of ImageNet, one sentence each.

    Args:
        papers: whose file of them the paper used.
    """
    found = [f"Inception's weights: {extractor.source}. The paper's are of ImageNet, {papers}."]
    if extractor.bfloat16:
        found.append("Inception was computed in bfloat16, which changes its features by about 1 %, not in float32.")
    return found


@contextmanager
def pooling_without_padding(active: bool):
    """As long as the block runs, Inception's average pools divide by the pixels inside the picture alone.

    Keras's pools do so and torchvision's do not: features of weights that come from Keras are otherwise 18 % off
    (relative, measured on a photo-trained network). torchvision's blocks call the function by its module, so the
    module's name for it is what is exchanged.
    """
    if not active:
        yield
        return
    inception = _torchvision_inception()
    functional = inception.F
    pool = partial(functional.avg_pool2d, count_include_pad=False)
    inception.F = SimpleNamespace(**{**vars(functional), "avg_pool2d": pool})
    try:
        yield
    finally:
        inception.F = functional


def cached_features(
    workspace: Workspace, extractor: Extractor, names: list[str], images_of, cache: str = "features"
) -> list[np.ndarray]:
    """Features `(copies, 2048)` of each case, kept in `work/features` for a resumed run.

    Args:
        workspace: of the study.
        extractor: of the features.
        names: of the cases.
        images_of: gives the pictures of the case at an index, 0 to 255.
        cache: name of that folder, another for other pictures or weights.
    """
    folder, features = workspace.folder("work", cache), []
    for index, name in enumerate(names):
        file = folder / f"{name}.npy"
        if not file.exists():
            temporary = folder / f".{name}.tmp.npy"
            np.save(temporary, extractor(images_of(index)))
            temporary.replace(file)
        features.append(np.load(file))
        if (index + 1) % 20 == 0 or index + 1 == len(names):
            workspace.say(f"features of {index + 1} of {len(names)} scans")
    return features
