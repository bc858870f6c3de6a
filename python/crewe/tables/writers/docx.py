"""Word.

A .docx is a zip of three small XML files, so it is written here rather than through a
dependency. The entries carry a fixed date: the same table gives the same bytes.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from html import escape

from crewe.files.writing import encoded
from crewe.tables.sheet import Sheet
from crewe.tables.writers.registry import writer

_TYPES = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" '
    'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/>'
    '<Override PartName="/word/document.xml" ContentType='
    '"application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/>'
    "</Types>"
)
_RELATIONS = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="rId1" Type='
    '"http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" '
    'Target="word/document.xml"/></Relationships>'
)
# 160 mm in twentieths of a point.
_WIDTH = 9070
_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def document(text: str, title: str) -> bytes:
    """Make a document of what stands in it."""
    page = "<w:sectPr><w:pgSz w:w='11906' w:h='16838'/><w:pgMar w:top='1134' w:right='1418' "
    page += "w:bottom='1134' w:left='1418' w:header='567' w:footer='567' w:gutter='0'/></w:sectPr>"
    whole = (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
        f'<w:document xmlns:w="{_WORD}"><w:body>{text}{page}</w:body></w:document>'
    )
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in (
            ("[Content_Types].xml", _TYPES),
            ("_rels/.rels", _RELATIONS),
            ("word/document.xml", whole),
        ):
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), encoded(part))
    return made.getvalue()


# Two tables with nothing between them would be one to Word.
@writer("docx", ".docx", between="<w:p/>", file=document, binary=True)
def docx(sheet: Sheet) -> str:
    """Write the table as a Word document and give its path."""
    return "".join(
        [
            _paragraph(sheet.title, bold=True, keep=True) if sheet.title else "",
            table(sheet, _widths(sheet.lines())),
            *(_paragraph(note, size=16) for note in sheet.notes),
        ]
    )


def table(sheet: Sheet, widths: Sequence[int], size: int = 18, *, whole: bool = False) -> str:
    """Give the table alone.

    The widths of its columns are twentieths of a point, the size of its letters halves of one; one that is `whole` is not
    parted by the end of a page.
    """
    heads, lines = len(sheet.heads), sheet.lines()
    ruled = {heads - 1, len(lines) - len(sheet.facts) - 1 if sheet.facts else heads - 1}
    return "".join(
        [
            f"<w:tbl><w:tblPr><w:tblW w:w='{sum(widths)}' w:type='dxa'/><w:tblBorders>"
            "<w:top w:val='single' w:sz='8'/><w:bottom w:val='single' w:sz='8'/>"
            "</w:tblBorders><w:tblLayout w:type='fixed'/></w:tblPr><w:tblGrid>",
            *(f"<w:gridCol w:w='{width}'/>" for width in widths),
            "</w:tblGrid>",
            *(
                _row(
                    line,
                    widths,
                    sheet.align,
                    size,
                    head=i < heads,
                    rule=i in ruled,
                    keep=i < heads or (whole and i < len(lines) - 1),
                )
                for i, line in enumerate(lines)
            ),
            "</w:tbl>",
        ]
    )


def _widths(lines: Sequence[Sequence[str]]) -> list[int]:
    """Share out the width of the page: each column its longest word, the rest by what it holds."""
    columns = list(zip(*lines, strict=True))
    words = [max(len(word) for cell in c for word in [*cell.split(), ""]) for c in columns]
    # Letters of the table's size, and the margins of a cell.
    least = [115 * min(length, 30) + 220 for length in words]
    more = [
        115 * min(max(map(len, column)), 60) + 440 - taken
        for column, taken in zip(columns, least, strict=True)
    ]
    spare = max(_WIDTH - sum(least), 0)
    shares = [taken + spare * wish / sum(more) for taken, wish in zip(least, more, strict=True)]
    return [int(_WIDTH * share / sum(shares)) for share in shares]


def _words(text: str) -> str:
    """Escape text for a run, with line breaks as Word's own."""
    return "<w:br/>".join(
        f"<w:t xml:space='preserve'>{escape(line, quote=False)}</w:t>" for line in text.split("\n")
    )


def _paragraph(
    text: str, *, bold: bool = False, size: int = 20, right: bool = False, keep: bool = False
) -> str:
    look = ("<w:b/>" if bold else "") + f"<w:sz w:val='{size}'/>"
    place = ("<w:keepNext/>" if keep else "") + "<w:spacing w:before='20' w:after='20'/>"
    place += "<w:jc w:val='right'/>" if right else ""
    return f"<w:p><w:pPr>{place}</w:pPr><w:r><w:rPr>{look}</w:rPr>{_words(text)}</w:r></w:p>"


def _row(
    row: Sequence[str],
    widths: Sequence[int],
    align: str,
    size: int,
    *,
    head: bool,
    rule: bool,
    keep: bool,
) -> str:
    line = "<w:tcBorders><w:bottom w:val='single' w:sz='4'/></w:tcBorders>" if rule else ""
    cells = "".join(
        f"<w:tc><w:tcPr><w:tcW w:w='{width}' w:type='dxa'/>{line}</w:tcPr>"
        + _paragraph(text, bold=head, size=size, right=place == "r", keep=keep)
        + "</w:tc>"
        for text, width, place in zip(row, widths, align, strict=True)
    )
    look = "<w:trPr><w:cantSplit/>" + ("<w:tblHeader/>" if head else "") + "</w:trPr>"
    return f"<w:tr>{look}{cells}</w:tr>"
