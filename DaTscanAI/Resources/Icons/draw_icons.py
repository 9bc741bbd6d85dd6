"""Draws the icons of extension and module, and the thumbnails of the samples; needs the package's own requirements.

python DaTscanAI/Resources/Icons/draw_icons.py
"""

import math
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

from PIL import Image, ImageDraw  # noqa: E402

from DaTscanAILib.analysis import measure  # noqa: E402
from DaTscanAILib.atlas import GRID_AFFINE  # noqa: E402
from DaTscanAILib.colors import NEGATIVE_STOPS, POSITIVE_STOPS  # noqa: E402
from DaTscanAILib.figures import encode_png  # noqa: E402
from DaTscanAILib.files import atomic_write_bytes  # noqa: E402
from DaTscanAILib.reporting.panels import Cut, Volume, scan_limit, scan_slice  # noqa: E402
from DaTscanAILib.resources import resource_path  # noqa: E402
from DaTscanAILib.scan import read_scan  # noqa: E402
from DaTscanAILib.slicer_adapters.sample_names import SAMPLES  # noqa: E402

SIZE, OVERSAMPLING = 128, 8
BACKGROUND, BRAIN, CORTEX = (18, 22, 34), (52, 60, 82), (112, 124, 154)
BRIGHT, FADED = POSITIVE_STOPS[1][1], NEGATIVE_STOPS[0][1]
THUMBNAIL = (260, 280)


def draw_icon() -> Image.Image:
    """A brain from above: on one side the comma of a normal striatum, on the other the dot that disease leaves."""
    side = SIZE * OVERSAMPLING
    image = Image.new("RGBA", (side, side))
    draw = ImageDraw.Draw(image)
    unit = side / 128
    draw.rounded_rectangle((2 * unit, 2 * unit, 126 * unit, 126 * unit), 24 * unit, fill=BACKGROUND)
    draw.ellipse((21 * unit, 11 * unit, 107 * unit, 117 * unit), fill=BRAIN, outline=CORTEX, width=round(3 * unit))
    for top, bottom in ((12, 34), (92, 116)):
        draw.line((64 * unit, top * unit, 64 * unit, bottom * unit), fill=CORTEX, width=round(2.5 * unit))
    _draw_comma(draw, unit, 1, BRIGHT, 1.0)
    _draw_comma(draw, unit, -1, FADED, 0.16)
    return image.resize((SIZE, SIZE), Image.Resampling.LANCZOS)


def _draw_comma(draw, unit, direction, color, part):
    """Caudate and, along an arc to the back, as much of the putamen as is left."""
    steps = 160
    for step in range(round(steps * part) + 1):
        along = step / steps
        angle = math.radians(-100 + 150 * along)
        x = 64 + direction * (15 + 17 * math.cos(math.radians(-78 + 140 * along)) * (0.35 + along * 0.75))
        y = 66 + 25 * math.sin(angle) * (0.85 + 0.15 * along)
        radius = 9.5 - 4.0 * along
        draw.ellipse([unit * value for value in (x - radius, y - radius, x + radius, y + radius)], fill=color)


def draw_thumbnail(sample: str) -> Image.Image:
    """The axial slice through the striata of a bundled sample."""
    normalized = measure(read_scan(resource_path("Samples", f"{sample}.dcm")), sample).normalized
    pixels = scan_slice(Volume(normalized, GRID_AFFINE), Cut("axial", 4.0), scan_limit(normalized), 1.4)
    slice_image = Image.fromarray(pixels)
    image = Image.new("RGB", THUMBNAIL)
    image.paste(
        slice_image, tuple((whole - part) // 2 for whole, part in zip(THUMBNAIL, slice_image.size, strict=True))
    )
    return image


def main():
    icon = encode_png(draw_icon())
    atomic_write_bytes(HERE / "DaTscanAI.png", icon)
    atomic_write_bytes(HERE.parents[2] / "DaTscanAI.png", icon)
    for sample, name in SAMPLES.items():
        atomic_write_bytes(HERE / f"{name}.png", encode_png(draw_thumbnail(sample)))


if __name__ == "__main__":
    main()
