"""The smallest sound writer of a one-page PDF: real text, lines, rectangles, pictures.

Pillow writes pages of pixels only; a report needs text that can be searched and copied. The fonts are the
standard Helvetica and Helvetica-Bold, which every reader has, so nothing is embedded. The same page gives the
same bytes: no dates, no random identifiers. Source: PDF Reference, third edition (Adobe, 2001: PDF 1.4),
sections 3.4 and 5.5 and appendix D.
"""

import io
import unicodedata

from PIL import Image

from .wording import shorten, transliterate

A4 = (595.28, 841.89)  # points of 1/72 inch

# Widths of the characters 32 to 126 in thousandths of the size: Adobe's Helvetica.afm and Helvetica-Bold.afm.
_REGULAR = (
    "278 278 355 556 556 889 667 191 333 333 389 584 278 333 278 278 556 556 556 556 556 556 556 556 556 "
    "556 278 278 584 584 584 556 1015 667 667 722 722 667 611 778 722 278 500 667 556 833 722 778 667 778 "
    "722 667 611 722 667 944 667 667 611 278 278 278 469 556 333 556 556 500 556 556 278 556 556 222 222 "
    "500 222 833 556 556 556 556 333 500 278 556 500 722 500 500 500 334 260 334 584"
)
_BOLD = (
    "278 333 474 556 556 889 722 238 333 333 389 584 278 333 278 278 556 556 556 556 556 556 556 556 556 "
    "556 333 333 584 584 584 611 975 722 722 722 722 667 611 778 722 278 556 722 611 833 722 778 667 778 "
    "722 667 611 722 667 944 667 667 611 333 278 333 584 556 333 556 611 556 611 556 333 611 611 278 278 "
    "556 278 889 611 611 611 611 389 556 333 611 556 778 556 556 500 389 280 389 584"
)
_WIDTHS = [dict(zip(map(chr, range(32, 127)), map(int, widths.split()), strict=True)) for widths in (_REGULAR, _BOLD)]
_OTHER_WIDTHS = {"±": 584, "\N{MULTIPLICATION SIGN}": 584, "·": 278, "°": 400, "•": 350, "ß": 611}
_DEFAULT_WIDTH = 556

_SHARED_OBJECTS = [  # the font objects 4 and 5; 1 is the catalog, 2 the page tree, 3 the page
    b"<< /Type /Font /Subtype /Type1 /BaseFont /%s /Encoding /WinAnsiEncoding >>" % name
    for name in (b"Helvetica", b"Helvetica-Bold")
]


def text_width(text: str, size: float, bold: bool = False) -> float:
    """Width in points of one line of Helvetica."""
    return size / 1000 * sum(_character_width(character, _WIDTHS[bold]) for character in encodable(text))


def encodable(text: str) -> str:
    """One line of text with only what WinAnsi, the encoding of western Europe, has."""
    return transliterate(text, _in_winansi)


def wrap(text: str, width: float, size: float, bold: bool = False) -> list[str]:
    """Lines no wider than `width`: broken between words, and inside a word that is wider than a line."""
    lines = [""]
    for word in encodable(text).split():
        if text_width(f"{lines[-1]} {word}", size, bold) <= width:
            lines[-1] = f"{lines[-1]} {word}".strip()
            continue
        lines.append("")
        for character in word:
            if lines[-1] and text_width(lines[-1] + character, size, bold) > width:
                lines.append("")
            lines[-1] += character
    return [line for line in lines if line]


class Page:
    """One page. Places are in points from its upper left corner, colors RGB from 0 to 255.

    Args:
        title: of the document, any characters.
        language: tag of the text's language.
        size: (width, height) in points.
    """

    def __init__(self, title: str, language: str = "en", size: tuple[float, float] = A4):
        self.title, self.language = title, language
        self.width, self.height = size
        self._content: list[bytes] = []
        self._images: list[bytes] = []

    def text(self, x, y, text, size=9.0, bold=False, color=(0, 0, 0), align="left", width=None):
        """Draw one line with its baseline at `y`.

        Args:
            align: which end of the text is at `x`: `left`, `center` or `right`.
            width: a longer text is shortened to it in its middle.
        """
        text = encodable(text)
        if width is not None:
            text = shorten(text, width, lambda part: text_width(part, size, bold))
        x -= {"left": 0.0, "center": 0.5, "right": 1.0}[align] * text_width(text, size, bold)
        font = b"/F2" if bold else b"/F1"
        self._add(
            f"BT {_rgb(color)} rg",
            font,
            f"{size:g} Tf {x:.2f} {self.height - y:.2f} Td",
            _string(text),
            "Tj ET",
        )

    def line(self, x0, y0, x1, y1, width=0.5, color=(0, 0, 0)):
        """Draw a straight line."""
        ends = f"{x0:.2f} {self.height - y0:.2f} m {x1:.2f} {self.height - y1:.2f} l"
        self._add(f"{_rgb(color)} RG {width:g} w {ends} S")

    def rectangle(self, x, y, width, height, fill=None, outline=None, line_width=1.0):
        """Draw a rectangle whose upper left corner is at (x, y)."""
        corner = f"{x:.2f} {self.height - y - height:.2f} {width:.2f} {height:.2f} re"
        if fill is not None:
            self._add(f"{_rgb(fill)} rg {corner} f")
        if outline is not None:
            self._add(f"{_rgb(outline)} RG {line_width:g} w {corner} S")

    def image(self, x, y, width, height, image: Image.Image):
        """Draw an RGB picture, stored as JPEG of high quality, whose upper left corner is at (x, y)."""
        data = io.BytesIO()
        image.convert("RGB").save(data, "JPEG", quality=92, subsampling=0)
        header = f"<< /Type /XObject /Subtype /Image /Width {image.width} /Height {image.height} "
        header += "/ColorSpace /DeviceRGB /BitsPerComponent 8 /Filter /DCTDecode /Interpolate true"
        self._images.append(_stream(header, data.getvalue()))
        place = f"{width:.2f} 0 0 {height:.2f} {x:.2f} {self.height - y - height:.2f} cm"
        self._add(f"q {place} /Im{len(self._images)} Do Q")

    def to_bytes(self) -> bytes:
        """The PDF file."""
        names = " ".join(f"/Im{index + 1} {index + 8} 0 R" for index in range(len(self._images)))
        resources = f"<< /Font << /F1 4 0 R /F2 5 0 R >> /XObject << {names} >> >>"
        page = f"/MediaBox [0 0 {self.width:g} {self.height:g}] /Contents 6 0 R /Resources {resources}"
        information = b"<< /Title %s /Producer (DaTscanAI) >>" % _unicode_string(self.title)
        return _file(
            [
                b"<< /Type /Catalog /Pages 2 0 R /Lang (%s) >>" % self.language.encode("ascii", "replace"),
                b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
                f"<< /Type /Page /Parent 2 0 R {page} >>".encode("ascii"),
                *_SHARED_OBJECTS,
                _stream("<<", b"\n".join(self._content)),
                information,
                *self._images,
            ]
        )

    def _add(self, *parts: str | bytes):
        self._content.append(b" ".join(part if isinstance(part, bytes) else part.encode("ascii") for part in parts))


def _file(objects: list[bytes]) -> bytes:
    """Objects numbered from 1 (the catalog; 7 is the document information), then their cross-references."""
    data = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")  # four high bytes: tools must treat the file as binary
    offsets = []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = len(data)
    data += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    data += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    data += b"trailer\n<< /Size %d /Root 1 0 R /Info 7 0 R >>\n" % (len(objects) + 1)
    data += b"startxref\n%d\n%%%%EOF\n" % table
    return bytes(data)


def _stream(dictionary: str, data: bytes) -> bytes:
    return b"%s /Length %d >>\nstream\n%s\nendstream" % (dictionary.encode("ascii"), len(data), data)


def _rgb(color):
    return " ".join(f"{channel / 255:.3f}" for channel in color)


def _string(text):
    data = text.encode("cp1252")
    for special in (b"\\", b"(", b")"):
        data = data.replace(special, b"\\" + special)
    return b"(" + data + b")"


def _unicode_string(text):
    return b"<FEFF" + text.encode("utf-16-be", "replace").hex().upper().encode("ascii") + b">"


def _in_winansi(character):
    return character.encode("cp1252", "ignore") != b"" and character.isprintable()


def _character_width(character, widths):
    base = unicodedata.normalize("NFD", character)[0]  # an accent does not widen a letter
    return widths.get(base) or _OTHER_WIDTHS.get(base, _DEFAULT_WIDTH)
