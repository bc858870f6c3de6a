"""A table as a Word document.

A .docx is a zip of three small XML files, so it is written here rather than through a
dependency. The entries carry a fixed date: the same table gives the same bytes.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from crewe.files.writing import encoded, write

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
_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def write_table(
    path: Path, title: str, grid: Sequence[Sequence[str]], notes: Sequence[str]
) -> Path:
    """Write a document with one table, whole or not at all; the first row of `grid` is its heading."""
    columns = len(grid[0])
    # 160 mm in twentieths of a point; the labels take a wider first column.
    first = 9070 * 2 // (columns + 1)
    widths = [first, *[(9070 - first) // max(columns - 1, 1)] * (columns - 1)]
    body = [
        _paragraph(title, bold=True, keep=True) if title else "",
        "<w:tbl><w:tblPr><w:tblW w:w='9070' w:type='dxa'/><w:tblBorders>"
        "<w:top w:val='single' w:sz='8'/><w:bottom w:val='single' w:sz='8'/>"
        "</w:tblBorders><w:tblLayout w:type='fixed'/></w:tblPr><w:tblGrid>",
        *(f"<w:gridCol w:w='{width}'/>" for width in widths),
        "</w:tblGrid>",
        *(_row(row, widths, head=i == 0) for i, row in enumerate(grid)),
        "</w:tbl>",
        *(_paragraph(note, size=16) for note in notes),
    ]
    page = "<w:sectPr><w:pgSz w:w='11906' w:h='16838'/><w:pgMar w:top='1134' w:right='1418' "
    page += "w:bottom='1134' w:left='1418' w:header='567' w:footer='567' w:gutter='0'/></w:sectPr>"
    document = (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
        f'<w:document xmlns:w="{_WORD}"><w:body>{"".join(body)}{page}</w:body></w:document>'
    )
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in (
            ("[Content_Types].xml", _TYPES),
            ("_rels/.rels", _RELATIONS),
            ("word/document.xml", document),
        ):
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), encoded(text))
    return write(path, made.getvalue())


# What XML 1.0 has no place for, even escaped.
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ud800-\udfff\ue000-\ufffd\U00010000-\U0010ffff]")


def _words(text: str) -> str:
    """Escape text for a run: control characters left out, line breaks as Word's own."""
    lines = re.split(r"\r\n|[\r\n\x0b\x0c\x85\u2028\u2029]", text)
    return "<w:br/>".join(
        f"<w:t xml:space='preserve'>{escape(_NO_XML.sub('', line))}</w:t>" for line in lines
    )


def _paragraph(
    text: str, *, bold: bool = False, size: int = 20, right: bool = False, keep: bool = False
) -> str:
    look = ("<w:b/>" if bold else "") + f"<w:sz w:val='{size}'/>"
    place = ("<w:keepNext/>" if keep else "") + "<w:spacing w:before='20' w:after='20'/>"
    place += "<w:jc w:val='right'/>" if right else ""
    return f"<w:p><w:pPr>{place}</w:pPr><w:r><w:rPr>{look}</w:rPr>{_words(text)}</w:r></w:p>"


def _row(row: Sequence[str], widths: Sequence[int], *, head: bool) -> str:
    rule = "<w:tcBorders><w:bottom w:val='single' w:sz='4'/></w:tcBorders>" if head else ""
    cells = "".join(
        f"<w:tc><w:tcPr><w:tcW w:w='{width}' w:type='dxa'/>{rule}</w:tcPr>"
        + _paragraph(text, bold=head, size=18, right=j > 0)
        + "</w:tc>"
        for j, (text, width) in enumerate(zip(row, widths, strict=True))
    )
    look = "<w:trPr><w:cantSplit/>" + ("<w:tblHeader/>" if head else "") + "</w:trPr>"
    return f"<w:tr>{look}{cells}</w:tr>"
