"""Color tables of the pictures, shared by the Slicer module: a scan map and a signed relevance map.

A table is `(256, 4)` uint8 RGBA. Entry `i` stands for the `i`-th of 256 equal bins of a range, as a color
table node of Slicer reads it.
"""

import numpy as np

ENTRIES = 256

# Hot iron as nuclear medicine knows it. Each color stands at its own CIE lightness, so that equal steps of
# uptake are equal steps of brightness, in print and to a color-blind reader too.
SCAN_STOPS = (
    (0.000, (0, 0, 0)),
    (0.179, (96, 0, 8)),
    (0.421, (196, 28, 0)),
    (0.665, (245, 132, 0)),
    (0.886, (255, 221, 62)),
    (1.000, (255, 255, 255)),
)

# Blue against orange is kept apart by every common color vision deficiency; both sides have one lightness
# at the same magnitude, so that neither sign looks stronger.
NEGATIVE_STOPS = ((0.0, (0, 102, 214)), (1.0, (92, 228, 255)))
POSITIVE_STOPS = ((0.0, (192, 60, 0)), (1.0, (255, 209, 56)))

# Of the difference from normal: other colors than the relevance's, which is another thing.
LESS_STOPS = ((0.0, (150, 0, 120)), (1.0, (255, 150, 235)))
MORE_STOPS = ((0.0, (0, 110, 60)), (1.0, (150, 255, 170)))


def scan_table() -> np.ndarray:
    """Opaque table for uptake, black at the low end, white at the high end."""
    colors = _interpolate(SCAN_STOPS, bin_centers(0.0, 1.0))
    return np.column_stack([colors, np.full(ENTRIES, 255)]).astype(np.uint8)


def relevance_table(threshold: float = 0.1, opacity: float = 1.0) -> np.ndarray:
    """Table for signed relevance in the symmetric range -limit..limit: blue negative, orange positive.

    Args:
        threshold: part of the limit, 0 to 1; entries nearer to zero have alpha 0. The two entries around zero
            have alpha 0 at any threshold: no relevance is never painted.
        opacity: alpha at the limit, 0 to 1. It falls with the root of the magnitude: weak relevance looks
            weak. A slice view of Slicer uses it as a yes or no only.
    """
    return _signed_table(NEGATIVE_STOPS, POSITIVE_STOPS, threshold, opacity)


def difference_table(threshold: float, opacity: float = 1.0) -> np.ndarray:
    """Table for a difference from normal in the symmetric range: magenta less, green more; options as above."""
    return _signed_table(LESS_STOPS, MORE_STOPS, threshold, opacity)


def _signed_table(negative_stops, positive_stops, threshold, opacity):
    centers = bin_centers(-1.0, 1.0)
    magnitude = np.abs(centers)
    negative, positive = (_interpolate(stops, magnitude) for stops in (negative_stops, positive_stops))
    colors = np.where(centers[:, None] < 0, negative, positive)
    visible = (magnitude >= threshold) & (magnitude > 1 / ENTRIES)
    alpha = np.where(visible, opacity * np.sqrt(magnitude), 0.0)
    return np.column_stack([colors, np.round(255 * alpha)]).astype(np.uint8)


def bin_centers(low: float, high: float) -> np.ndarray:
    """The values (256,) in the middle of a table's bins over the range low..high."""
    return low + (np.arange(ENTRIES) + 0.5) * (high - low) / ENTRIES


def look_up(values: np.ndarray, table: np.ndarray, low: float, high: float) -> np.ndarray:
    """Colors `(..., 4)` uint8 of values in the range low..high; values outside it get the end's color."""
    bins = (np.asarray(values, np.float32) - low) / (high - low) * ENTRIES
    return table[np.clip(bins, 0, ENTRIES - 1).astype(np.uint8)]


def paint_over(background: np.ndarray, rgba: np.ndarray) -> np.ndarray:
    """RGB uint8 `(..., 3)`: `rgba` laid over `background` (RGB uint8) by its alpha."""
    alpha = rgba[..., 3:].astype(np.float32) / 255
    return np.round(background * (1 - alpha) + rgba[..., :3] * alpha).astype(np.uint8)


def _interpolate(stops, positions):
    """RGB `(n, 3)` at positions between the stops `((position, (red, green, blue)), ...)`."""
    places, colors = zip(*stops, strict=True)
    channels = [np.interp(positions, places, channel) for channel in zip(*colors, strict=True)]
    return np.round(np.column_stack(channels))
