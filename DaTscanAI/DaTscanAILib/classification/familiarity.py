"""How unlike the training scans a scan is: the Mahalanobis distance of what the networks see in it.

The features are the inputs of the last layer of every member, side by side (Lee et al. 2018, NeurIPS 31: a simple
unified framework for detecting out-of-distribution samples). One Gaussian for all training scans, its covariance
shrunk after Ledoit and Wolf 2004.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .weights import read_weights, write_weights

FILE = "models/training_features.safetensors"


@dataclass(frozen=True)
class TrainingFeatures:
    """The Gaussian of the training scans' features.

    Attributes:
        mean: float32 `(features,)`.
        precision: float32 `(features, features)`, the inverse covariance.
    """

    mean: np.ndarray
    precision: np.ndarray

    def distance(self, features: np.ndarray) -> np.ndarray:
        """Mahalanobis distance per feature of `(..., features)`: about 1 for a scan like those of the training."""
        beside = np.asarray(features, np.float64) - self.mean
        squared = np.einsum("...i,ij,...j->...", beside, self.precision.astype(np.float64), beside)
        return np.sqrt(np.maximum(squared, 0) / len(self.mean))


def fit_training_features(features: np.ndarray) -> TrainingFeatures:
    """The Gaussian of `(scans, features)`, shrunk where all features have the same spread."""
    from sklearn.covariance import LedoitWolf

    features = np.asarray(features, np.float64)
    spread = features.std(axis=0)
    spread = np.where(spread > 1e-6 * max(spread.max(), 1e-6), spread, max(spread.mean(), 1e-6))
    fitted = LedoitWolf().fit(features / spread)
    precision = fitted.precision_ / np.outer(spread, spread)
    return TrainingFeatures(features.mean(axis=0).astype(np.float32), precision.astype(np.float32))


def write_training_features(folder: Path, found: TrainingFeatures) -> None:
    """Write them into a model folder."""
    import torch

    state = {"mean": torch.from_numpy(found.mean), "precision": torch.from_numpy(found.precision)}
    write_weights(Path(folder) / FILE, state)


def read_training_features(folder: Path) -> TrainingFeatures:
    """Read them from a model folder.

    Raises:
        DaTscanError: the file is missing or damaged.
    """
    state = read_weights(Path(folder) / FILE)
    return TrainingFeatures(state["mean"].numpy(), state["precision"].numpy())
