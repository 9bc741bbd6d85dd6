"""A reader of the PDF files that the report writes: strict about structure, independent of the writer."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Text:
    """A shown text and its place in points from the page's lower left corner."""

    x: float
    y: float
    size: float
    font: str
    text: str


class PdfFile:
    """The objects of a PDF file, found by its cross-reference table only."""

    def __init__(self, data: bytes):
        self.data = data
        table = int(re.search(rb"startxref\n(\d+)\n%%EOF\n\Z", data).group(1))
        assert data[table : table + 5] == b"xref\n"
        count = int(re.match(rb"xref\n0 (\d+)\n", data[table:]).group(1))
        first = data.index(b"\n", table + 5) + 1
        lines = [data[first + 20 * number : first + 20 * (number + 1)] for number in range(count)]
        assert lines[0] == b"0000000000 65535 f \n"
        assert all(re.fullmatch(rb"\d{10} 00000 n \n", line) for line in lines[1:])
        self.offsets = {number: int(line[:10]) for number, line in enumerate(lines) if number}
        self.trailer = data[first + 20 * count :]

    def content_of(self, number: int) -> bytes:
        """Everything between `N 0 obj` and `endobj`."""
        start = self.offsets[number]
        head = b"%d 0 obj\n" % number
        assert self.data[start : start + len(head)] == head
        return self.data[start + len(head) : self.data.index(b"\nendobj\n", start)]

    def stream_of(self, number: int) -> bytes:
        """A stream, by its stated length."""
        content = self.content_of(number)
        dictionary, rest = content.split(b"\nstream\n", 1)
        length = int(re.search(rb"/Length (\d+)", dictionary).group(1))
        assert rest[length:] == b"\nendstream"
        return rest[:length]

    def pages(self) -> list[int]:
        """Numbers of the page objects, through catalog and page tree."""
        catalog = self.content_of(int(re.search(rb"/Root (\d+) 0 R", self.trailer).group(1)))
        tree = self.content_of(int(re.search(rb"/Pages (\d+) 0 R", catalog).group(1)))
        kids = re.search(rb"/Kids \[([^\]]*)\]", tree).group(1)
        return [int(number) for number in re.findall(rb"(\d+) 0 R", kids)]

    def page_content(self) -> bytes:
        """The drawing instructions of the only page."""
        (page,) = self.pages()
        return self.stream_of(int(re.search(rb"/Contents (\d+) 0 R", self.content_of(page)).group(1)))

    def images(self) -> list[bytes]:
        """The picture streams of the only page, in the order of their names."""
        (page,) = self.pages()
        numbers = re.findall(rb"/Im\d+ (\d+) 0 R", self.content_of(page))
        return [self.stream_of(int(number)) for number in numbers]

    def texts(self) -> list[Text]:
        """All texts of the only page, in the order of drawing."""
        shown = re.compile(rb"/(F\d) ([\d.]+) Tf ([\d.-]+) ([\d.-]+) Td \(((?:\\.|[^\\()])*)\) Tj")
        return [
            Text(float(x), float(y), float(size), font.decode(), re.sub(rb"\\(.)", rb"\1", text).decode("cp1252"))
            for font, size, x, y, text in shown.findall(self.page_content())
        ]

    def title(self) -> str:
        """The title in the document information."""
        information = self.content_of(int(re.search(rb"/Info (\d+) 0 R", self.trailer).group(1)))
        digits = re.search(rb"/Title <FEFF([0-9A-F]*)>", information).group(1)
        return bytes.fromhex(digits.decode()).decode("utf-16-be")
