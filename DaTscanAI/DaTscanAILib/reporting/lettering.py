"""Text in pictures, with the one font that every installation of Pillow has."""

import functools

from PIL import ImageFont

from .wording import shorten, transliterate

WHITE = (255, 255, 255)


def draw_text(draw, place, text, size, color=WHITE, anchor="la", bold=False, width=None):
    """Draw one line of the characters that the font has, shortened to `width` if one is given."""
    letters, text = font(size), transliterate(text, _in_font)
    if width is not None:
        text = shorten(text, width, letters.getlength)
    # Pillow brings no bold font; a hair-line stroke looks like one
    draw.text(place, text, fill=color, font=letters, anchor=anchor, stroke_width=0.5 if bold else 0)


@functools.cache
def font(size):
    """Pillow's own font, the only one that every installation has."""
    # without Raqm, which some installations have: it spaces letters differently, and bytes must be the same
    return ImageFont.load_default(size).font_variant(layout_engine=ImageFont.Layout.BASIC)


def _in_font(character):
    """Whether Pillow's embedded font has the character: ASCII and a few signs."""
    return " " <= character <= "~" or character in "±·°…"
