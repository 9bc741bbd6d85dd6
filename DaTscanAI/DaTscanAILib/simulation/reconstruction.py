"""From projections to an image: filtered back-projection, Chang's attenuation correction, OSEM, filters.

Projections are `(views, detector columns, slices)`, by default equally spaced over 360 degrees; in view 0 the
detector stands where the image's column index is high, at 90 degrees where its row index is low. In view 0 the
projections' column index rises with the image's row index. In a patient (rows to the right, columns to the front)
view 0 is from the front, and the detector then goes to the patient's left.
"""

from functools import lru_cache

import numpy as np
from scipy import ndimage, sparse

from ..geometry import FWHM_PER_SIGMA
from .camera import Camera
from .projection import Projector

CHANG_ATTENUATION = 0.011  # 1/mm, effective coefficient with scatter in the image
SHEPP_LOGAN_CUTOFF = 0.125  # cycles/mm: the 1.25 cycles/cm of Nazari 2021
_VIEWS_AT_ONCE = 16  # bounds the memory of a matrix for angles that no later scan will share


def filtered_back_projection(
    projections: np.ndarray, pixel: float, cutoff: float = SHEPP_LOGAN_CUTOFF, angles: np.ndarray | None = None
) -> np.ndarray:
    """FBP with the Shepp-Logan filter, no corrections (the papers' first step).

    Args:
        projections: `(views, columns, slices)`.
        pixel: mm.
        cutoff: cycles/mm, where the filter ends; beyond the Nyquist frequency it is the Nyquist frequency.
        angles: `(views,)` degrees, in any order and with any gaps, that together cover 180; None for equal steps over
            360 from view 0.

    Returns:
        Image `(columns, columns, slices)`, counts per pixel, negative values kept.
    """
    views, size, _ = projections.shape
    filtered = _shepp_logan_filtered(projections, pixel, cutoff)
    if angles is None:
        image = back_projection_matrix(size, views) @ filtered.reshape(views * size, -1)
        return image.reshape(size, size, -1) * np.float32(np.pi / views)
    angles = np.deg2rad(angles)
    filtered *= view_weights(angles).astype(np.float32)[:, None, None]
    image = np.zeros((size**2, projections.shape[2]), np.float32)
    for first in range(0, views, _VIEWS_AT_ONCE):
        part = slice(first, first + _VIEWS_AT_ONCE)
        image += _back_projection_matrix(size, angles[part]) @ filtered[part].reshape(-1, image.shape[1])
    return image.reshape(size, size, -1)


def _shepp_logan_filtered(projections, pixel, cutoff):
    """Projections times ramp and Shepp-Logan window along the columns, float32."""
    size = projections.shape[1]
    padded = 2 ** int(np.ceil(np.log2(2 * size)))
    frequency = np.abs(np.fft.rfftfreq(padded, d=pixel))
    # The ramp as the transform of its band-limited kernel (Kak and Slaney, eq. 3.61): no offset of the mean.
    n = np.fft.fftfreq(padded, 1 / padded)
    kernel = np.zeros(padded)
    kernel[0] = 0.25
    odd = n.astype(int) % 2 == 1
    kernel[odd] = -1 / (np.pi * n[odd]) ** 2
    ramp = np.fft.rfft(kernel).real * np.sinc(frequency / (2 * cutoff)) * (frequency <= cutoff)
    filtered = np.fft.irfft(np.fft.rfft(projections, padded, axis=1) * ramp[None, :, None], padded, axis=1)[:, :size]
    return np.ascontiguousarray(filtered, np.float32)


def view_weights(angles: np.ndarray) -> np.ndarray:
    """Share of the half circle that each view stands for, radians; they add up to pi.

    Opposite views see the same rays of a source without attenuation, so angles count modulo 180 degrees, and views at
    the same angle share their part.

    Args:
        angles: `(views,)` radians.
    """
    # Rounding puts 0 and 180 degrees together, whatever the last digit of an angular step.
    folded = np.round(np.mod(angles, np.pi), 6) % np.round(np.pi, 6)
    distinct, place, copies = np.unique(folded, return_inverse=True, return_counts=True)
    before = np.diff(distinct, prepend=distinct[-1] - np.pi)
    return ((before + np.roll(before, -1)) / 2 / copies)[place]


@lru_cache(maxsize=4)
def back_projection_matrix(size: int, views: int) -> sparse.csr_matrix:
    """Sparse `(size*size, views*size)` matrix: each pixel inside the circle takes, in each view, its ray's value."""
    return _back_projection_matrix(size, 2 * np.pi * np.arange(views) / views)


def _back_projection_matrix(size, angles):
    centre = (size - 1) / 2
    row, column = np.meshgrid(np.arange(size) - centre, np.arange(size) - centre, indexing="ij")
    inside = np.flatnonzero((row**2 + column**2).ravel() <= centre**2)
    row, column = row.ravel()[inside], column.ravel()[inside]
    data, rows, columns = [], [], []
    for view, angle in enumerate(angles):
        u = np.cos(angle) * row + np.sin(angle) * column + centre
        low = np.clip(np.floor(u).astype(int), 0, size - 2)
        for shift, weight in ((0, low + 1 - u), (1, u - low)):
            data.append(weight)
            rows.append(inside)
            columns.append(view * size + low + shift)
    return sparse.csr_matrix(
        (np.concatenate(data).astype(np.float32), (np.concatenate(rows), np.concatenate(columns))),
        shape=(size**2, len(angles) * size),
    )


def butterworth(image: np.ndarray, pixel: float, cutoff: float, order: float) -> np.ndarray:
    """Three-dimensional Butterworth low pass 1 / sqrt(1 + (f/cutoff)^(2 order)); cutoff in cycles/mm."""
    squared = sum(
        np.meshgrid(
            *[np.fft.fftfreq(n, pixel) ** 2 for n in image.shape[:2]],
            np.fft.rfftfreq(image.shape[2], pixel) ** 2,
            indexing="ij",
        )
    )
    gain = 1 / np.sqrt(1 + (squared / cutoff**2) ** order)
    return np.fft.irfftn(np.fft.rfftn(image) * gain, image.shape, axes=(0, 1, 2)).astype(np.float32)


def chang_factors(outline: np.ndarray, pixel: float, attenuation: float, directions: int = 24) -> np.ndarray:
    """Chang's first-order correction factors (1978) of a uniform head.

    Args:
        outline: `(size, size, slices)` head mask.
        pixel: mm.
        attenuation: effective (broad-beam) coefficient, 1/mm.

    Returns:
        Factors >= 1 of the same shape, 1 outside.
    """
    total = np.zeros(outline.shape, np.float32)
    mask = outline.astype(np.float32)
    for angle in np.arange(directions) * 360 / directions:
        turned = ndimage.rotate(mask, angle, axes=(0, 1), reshape=False, order=1)
        length = (np.cumsum(turned[::-1], axis=0)[::-1] - turned / 2) * pixel
        total += ndimage.rotate(np.exp(-attenuation * length), -angle, axes=(0, 1), reshape=False, order=1, cval=1.0)
    return np.where(outline, directions / np.maximum(total, 1e-3), 1.0).astype(np.float32, copy=False)


def osem(
    projections: np.ndarray, projector: Projector, iterations: int, subsets: int, background: np.ndarray | float = 0.0
) -> np.ndarray:
    """Ordered-subsets expectation maximisation (Hudson and Larkin 1994).

    Args:
        projections: `(views, size, slices)` counts.
        projector: models what shall be corrected (attenuation, resolution).
        background: expected scatter, of the projections' shape.

    Returns:
        Image `(size, size, slices)`, never negative.
    """
    views = projections.shape[0]
    image = np.ones((projector.size, projector.size, projections.shape[2]), np.float32)
    # A Fortran-like order of subsets keeps neighbouring updates far apart in angle.
    order = np.argsort([int(f"{k:08b}"[::-1], 2) for k in range(subsets)])
    parts = [range(int(start), views, subsets) for start in order]
    sensitivity = [
        projector.back_project(np.ones((len(part), *projections.shape[1:]), np.float32), part) for part in parts
    ]
    scattered = np.broadcast_to(background, projections.shape)
    for _ in range(iterations):
        for part, norm in zip(parts, sensitivity, strict=True):
            expected = projector.project(image, part) + scattered[list(part)]
            ratio = projections[list(part)] / np.maximum(expected, 1e-6)
            image *= projector.back_project(ratio, part) / np.maximum(norm, 1e-6)
    return image


def widen(volume: np.ndarray, size: int, axes: tuple[int, ...]) -> np.ndarray:
    """Zeros on both sides of the given axes up to `size`."""
    margins = [((size - n) // 2, (size - n + 1) // 2) if k in axes else (0, 0) for k, n in enumerate(volume.shape)]
    return np.pad(volume, margins)


def reconstruct_counts(
    counts: np.ndarray, camera: Camera, attenuation_map: np.ndarray, scattered: np.ndarray
) -> np.ndarray:
    """The image that a camera's own software would give, never negative, as wide as the camera's matrix.

    Args:
        counts: projections `(views, size, slices)`.
        camera: says how to reconstruct.
        attenuation_map: `(size, size, slices)` 1/mm, for the methods that correct attenuation.
        scattered: expected scatter `(views, size, slices)`, for the methods that correct attenuation.

    Returns:
        `(matrix, matrix, slices)` float32.
    """
    if not camera.reconstruction.startswith("fbp"):
        return widen(_iterative(counts, camera, attenuation_map, scattered), camera.matrix, (0, 1))
    image = filtered_back_projection(widen(counts, camera.matrix, (1,)), camera.pixel)
    if camera.reconstruction != "fbp_shepp_logan":
        image = butterworth(image, camera.pixel, camera.butterworth_cutoff, camera.butterworth_order)
    if camera.reconstruction.endswith("chang"):
        outline = attenuation_map > attenuation_map.max() / 2
        image *= widen(chang_factors(outline, camera.pixel, CHANG_ATTENUATION), camera.matrix, (0, 1))
    return np.maximum(image, 0)


def _iterative(counts, camera, attenuation_map, scattered):
    corrects = "ac" in camera.reconstruction
    projector = Projector(
        camera,
        counts.shape[1],
        attenuation_map if corrects else None,
        resolve=camera.reconstruction.endswith("rr"),
        remember=corrects,
    )
    image = osem(counts, projector, camera.iterations, camera.subsets, scattered if corrects else 0.0)
    return ndimage.gaussian_filter(image, camera.post_filter / FWHM_PER_SIGMA / camera.pixel)
