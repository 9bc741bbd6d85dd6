"""Controls without a network: what a study's scans tell by logistic regression on means of small regions.

Where a network answers badly, the first question is whether its input holds the answer; where it answers well,
whether a network was needed. This tells in seconds: means of small blocks of a picture, or of the atlas's regions
outside the box that `nazari2021-extrastriatal` takes the striatum away with.
"""

import numpy as np

from ..mni.atlas import FULL_BOX, GRID_SHAPE, STRIATUM_BOX, VOXEL_VOLUME_ML, Atlas
from .clusters import LEAST_VOLUME_ML

PIXELS = "pixels in place of Inception"  # in tables and figures
BLOCK = 4  # pixels of 2 mm a side: about the camera's resolution
INVERSE_PENALTY = 0.01  # on standardized means: there are about as many of them as scans, or more


def linear_scores(training: np.ndarray, truth: np.ndarray, tested: np.ndarray) -> np.ndarray:
    """Probability of reduced of the tested rows, `(n,)`, by logistic regression on standardized columns.

    Args:
        training, tested: `(scans, means)`.
        truth: bool, which of the training rows are of reduced scans.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(C=INVERSE_PENALTY, max_iter=1000))
    return model.fit(training, truth).predict_proba(tested)[:, 1]


def block_means(pictures: list[np.ndarray]) -> np.ndarray:
    """Means of `BLOCK` x `BLOCK` pixels, float64 `(n, means)`, of pictures `([colors,] rows, columns)`, 0 to 255.

    Pixels at the lower and right edge that fill no block are left out.
    """
    found = np.stack(pictures).astype(np.float64)
    rows, columns = (size // BLOCK for size in found.shape[-2:])
    found = found[..., : rows * BLOCK, : columns * BLOCK]
    found = found.reshape(*found.shape[:-2], rows, BLOCK, columns, BLOCK).mean(axis=(-3, -1))
    return found.reshape(len(pictures), -1)


def regions_without_box(atlas: Atlas) -> list[np.ndarray]:
    """Flat indices of each region of the atlas in the full image, the striatum's box left out.

    Regions of which less than `LEAST_VOLUME_ML` lies there are left out.
    """
    outside = np.zeros(GRID_SHAPE, bool)
    outside[FULL_BOX] = True
    outside[STRIATUM_BOX] = False
    regions = [np.flatnonzero((atlas.labels == number) & outside) for number in atlas.names]
    return [one for one in regions if one.size * VOXEL_VOLUME_ML >= LEAST_VOLUME_ML]
