"""Changed copies of pictures for the two-dimensional studies (MONAI's transforms)."""

import numpy as np

KIM_COPIES = 44  # Kim 2018: 54 scans of a class became 2376 pictures


def kim_copies(picture: np.ndarray, seed: int, copies: int = KIM_COPIES) -> np.ndarray:
    """A picture and its copies by rotation, scale and shear, then all of them flipped left to right.

    Args:
        picture: uint8 `(rows, columns)`.
        seed: of the changes; the picture itself comes first and unchanged.
        copies: even; 44 in the paper.

    Returns:
        float32 `(copies, rows, columns)`, 0 to 255.
    """
    from monai.transforms import RandAffine

    change = RandAffine(
        prob=1.0,
        rotate_range=[np.deg2rad(15)],
        scale_range=[0.1, 0.1],
        shear_range=[0.1, 0.1],
        mode="bilinear",
        padding_mode="zeros",
    ).set_random_state(seed)
    image = picture[None].astype(np.float32)
    upright = [image[0], *(np.asarray(change(image)[0]) for _ in range(copies // 2 - 1))]
    return np.stack([*upright, *(one[:, ::-1] for one in upright)]).astype(np.float32)


def quan_copies(image: np.ndarray, seed: int, copies: int) -> np.ndarray:
    """A picture of three slices and its copies by shift (10 %), flip left to right and brightness (20 %).

    Args:
        image: uint8 `(3, rows, columns)`.

    Returns:
        float32 `(copies, 3, rows, columns)`, 0 to 255; the picture itself comes first.
    """
    from monai.transforms import Compose, RandAffine, RandFlip, RandScaleIntensity

    shift = [0.1 * size for size in image.shape[1:]]
    change = Compose(
        [
            RandAffine(prob=1.0, translate_range=shift, mode="bilinear", padding_mode="zeros"),
            RandFlip(prob=0.5, spatial_axis=1),
            RandScaleIntensity(0.2, prob=1.0),
        ]
    ).set_random_state(seed)
    image = image.astype(np.float32)
    changed = [np.clip(np.asarray(change(image)), 0, 255) for _ in range(copies - 1)]
    return np.stack([image, *changed]).astype(np.float32)
