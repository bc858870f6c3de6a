"""PDF by Typst: tagged for screen readers (PDF/UA-1), with an outline, and with every font inside.

The words of the report go to the compiler as data, not as code: `report.typ` is the same for every report.
"""

from __future__ import annotations

import functools
import importlib.resources
import itertools
import json
import re
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from crewe.exceptions import CreweError, fault
from crewe.plots.style import WIDTH_MM
from crewe.report.document import (
    BANNER,
    Block,
    Document,
    Drawing,
    Facts,
    Grid,
    Listing,
    Paragraph,
    Run,
    Runs,
    groups,
    room,
    shares,
)
from crewe.report.writers.registry import missing, writer
from crewe.tables.sheet import Stacked

UPRIGHT, SIDEWAYS = 482.0, 728.0
"""The points between the margins of A4, upright and on its side."""
_LETTER = 0.62
"""The width of a letter of the font by its size, on average."""
_FULL, _SMALL, _TALLEST = 170.0, 145.0, 210.0
"""The millimetres of a figure that fills the width of a page, of one that is made to be small, and of the tallest."""
_PAGE, _CAPTION = 250.0, 15.0
"""The millimetres of a page for words and figures, and those that a caption takes with its gaps."""
_LARGE = 1.15
"""How much larger than it was made a figure of several under each other may be."""
_LEAST = 0.85
"""How much smaller than it was made a figure may be, so that a page is filled: its letters stay above 7 points."""
WHOLE = 10
"""The lines up to which a table is kept on one page."""
_LARGEST = 7.9
"""The points of a table that has room."""


@writer("pdf", ".pdf")
def pdf(document: Document) -> bytes:
    """Give the report as PDF.

    Raises
    ------
    CreweError
        Where the package typst is not installed.
    """
    try:
        import typst
    except ImportError as error:
        raise missing("PDF", "typst", "pdf", error) from None
    data = json.dumps(_data(document), ensure_ascii=False)
    template = importlib.resources.files("crewe.report").joinpath("report.typ").read_bytes()
    moment = datetime(
        document.date.year, document.date.month, document.date.day, tzinfo=timezone.utc
    )
    try:
        compiler = typst.Compiler(
            template, font_paths=_fonts(_foreign(data)), sys_inputs={"document": data}
        )
        made = compiler.compile(format="pdf", pdf_standards="ua-1", timestamp=moment)
    except typst.TypstError as error:
        raise fault(
            CreweError,
            f"the report could not be set as PDF: {error.message}",
            remedy="Save it as .html and print that from a browser, and report what failed",
        ) from error
    assert isinstance(made, bytes), "one document is one file"
    return made


def picture(svg: str, width_mm: float, dots: int = 220) -> bytes:
    """Give a drawing as PNG, for formats that cannot hold it as it is.

    Raises
    ------
    ImportError
        Where the package typst is not installed.
    """
    import typst

    template = (
        "#set page(width: auto, height: auto, margin: 0pt)\n"
        '#set text(font: "DejaVu Sans")\n'
        '#image(bytes(sys.inputs.svg), format: "svg", width: float(sys.inputs.width) * 1mm)'
    )
    compiler = typst.Compiler(
        template.encode(),
        font_paths=_fonts(_foreign(svg)),
        sys_inputs={"svg": _bare(svg), "width": f"{width_mm:.2f}"},
    )
    made = compiler.compile(format="png", ppi=dots)
    assert isinstance(made, bytes), "one page is one picture"
    return made


def _bare(svg: str) -> str:
    """Leave the width out: a width without a height would be taken for another shape than that of the drawing."""
    head, tag, rest = svg.partition(">")
    return re.sub(r'\swidth="[\d.]+mm"', "", head) + tag + rest


def natural_mm(drawing: Drawing) -> float:
    """Give the width that a drawing was made for, in millimetres."""
    found = re.search(r'\swidth="([\d.]+)mm"', drawing.svg.partition(">")[0])
    return min(float(found[1]), WIDTH_MM) if found else WIDTH_MM


def width_mm(drawing: Drawing) -> float:
    """Give the width of a drawing on paper, in millimetres: that of the page, but for those made to be small.

    A figure and its caption stay within a page.
    """
    natural = natural_mm(drawing)
    width = _FULL if natural >= _SMALL else natural * _FULL / WIDTH_MM
    height = _ratio(drawing) * width
    return width * min(1.0, _TALLEST / height) if height else width


def _ratio(drawing: Drawing) -> float:
    """Give the height of a drawing by its width."""
    box = re.search(r'viewBox="([^"]*)"', drawing.svg.partition(">")[0])
    sides = [float(part) for part in re.split(r"[\s,]+", box[1].strip())] if box else []
    return sides[3] / sides[2] if len(sides) == 4 and sides[2] else 0.0


# -- fonts ------------------------------------------------------------------------------------


@functools.cache
def _folder() -> Path:
    import matplotlib

    return Path(matplotlib.get_data_path()) / "fonts" / "ttf"


@functools.cache
def _fonts(system: bool) -> Any:
    """Give the fonts of matplotlib and of Typst, the same on every machine; those of the system for other scripts."""
    import typst

    return typst.Fonts(
        include_system_fonts=system, include_embedded_fonts=True, font_paths=[_folder()]
    )


@functools.cache
def _letters() -> frozenset[int]:
    from matplotlib.ft2font import FT2Font

    return frozenset(FT2Font(str(_folder() / "DejaVuSans.ttf")).get_charmap())


def _foreign(text: str) -> bool:
    """Say whether a text has letters that the report's own font lacks."""
    return any(ord(letter) > 0x7F and ord(letter) not in _letters() for letter in set(text))


# -- the document as data ---------------------------------------------------------------------


def _data(document: Document) -> dict[str, Any]:
    anchors = document.anchors
    return {
        "title": document.title,
        "subtitle": document.subtitle,
        "author": [document.author] if document.author else [],
        "date": document.printed_date,
        "year": document.date.year,
        "month": document.date.month,
        "day": document.date.day,
        "synthetic": document.synthetic,
        "statement": document.statement,
        "banner": BANNER,
        "fonts": ["DejaVu Sans", "Libertinus Serif"],
        "mono": ["DejaVu Sans Mono", "DejaVu Sans"],
        "tables": len(document.tables),
        "figures": len(document.figures),
        "sections": [
            {
                "heading": section.heading,
                "slug": section.slug,
                "groups": [
                    {
                        "heading": group.heading,
                        "wide": group.wide,
                        "blocks": _group(group.blocks, anchors),
                    }
                    for group in groups(section)
                ],
            }
            for section in document.sections
        ],
    }


def _group(blocks: list[Block], anchors: set[str]) -> list[dict[str, Any]]:
    made = [_block(block, anchors) for block in blocks]
    for one, following in itertools.pairwise(made):
        if one["kind"] == "paragraph":
            one["leads"] = following["kind"] in ("grid", "facts", "points")
    for drawn, run in itertools.groupby(
        zip(blocks, made, strict=True), lambda pair: isinstance(pair[0], Drawing)
    ):
        if drawn:
            _fill([(block, one) for block, one in run if isinstance(block, Drawing)])
    return made


def _fill(run: list[tuple[Drawing, dict[str, Any]]]) -> None:
    """Let figures that follow each other fill their pages: as many under each other as are large enough to be read."""
    for block, one in run if len(run) > 2 else []:
        natural, ratio = natural_mm(block), _ratio(block)
        for many in (2, 3, 4):
            width = min(_FULL, (_PAGE / many - _CAPTION) / ratio) if ratio else _FULL
            if _LEAST * natural <= width <= _LARGE * natural:
                one.update(width=width / _FULL, least=min(1.0, _LEAST * natural / width))
                break


def _block(block: Block, anchors: set[str]) -> dict[str, Any]:
    if isinstance(block, Grid):
        return _grid(block)
    if isinstance(block, Drawing):
        return {
            "kind": "drawing",
            "anchor": block.anchor,
            "number": block.number,
            "caption": block.caption,
            "alt": block.alt,
            "svg": _bare(block.svg),
            "width": width_mm(block) / _FULL,
            "least": min(1.0, _LEAST * natural_mm(block) / width_mm(block)),
        }
    if isinstance(block, Listing):
        return {
            "kind": "points",
            "ordered": block.ordered,
            "items": [
                [_runs(said, anchors), [_runs(one, anchors) for one in under]]
                for said, under in block.items
            ],
        }
    if isinstance(block, Facts):
        pairs = [[_breakable(name), _runs(said, anchors)] for name, said in block.pairs]
        return {"kind": "facts", "look": block.look, "pairs": pairs}
    kind = "paragraph" if isinstance(block, Paragraph) else "subheading"
    return {"kind": kind, "runs": _runs(block.runs, anchors), "leads": False}


def _runs(runs: Runs, anchors: set[str]) -> list[dict[str, Any]]:
    return [_run(run, anchors) for run in runs]


def _run(run: Run, anchors: set[str]) -> dict[str, Any]:
    inside = run.link.startswith("#")
    link = run.link if not inside or run.link[1:] in anchors else ""
    text = run.text if run.code else _breakable(run.text)
    return {"text": text, "bold": run.bold, "italic": run.italic, "code": run.code, "link": link}


def _grid(block: Grid) -> dict[str, Any]:
    sheet = block.sheet
    place = SIDEWAYS if block.wide else UPRIGHT
    needed = max(room(sheet), 1.0)
    size = max(5.0, min(_LARGEST, place / (_LETTER * needed)))
    return {
        "kind": "grid",
        "anchor": block.anchor,
        "number": block.number,
        "caption": _breakable(sheet.title),
        "heads": [[_breakable(cell) for cell in row] for row in sheet.heads],
        "rows": [list(map(_cell, row)) for row in sheet.rows],
        "facts": [[_breakable(cell) for cell in row] for row in sheet.facts],
        "notes": [_breakable(note) for note in sheet.notes],
        "align": list(sheet.align),
        "starred": any(text.endswith("*") for row in sheet.body() for text in row),
        "long": len(sheet.lines()) + len(sheet.notes) > WHOLE,
        "size": size,
        "shares": shares(sheet, place / (_LETTER * size)),
    }


def _cell(cell: str | Stacked) -> Any:
    if isinstance(cell, Stacked):
        return [_breakable(cell.top), _breakable(cell.below)]
    return _breakable(cell)


_LONG = 40


def _breakable(text: str) -> str:
    """Let a word that is longer than a line break anywhere."""
    return re.sub(rf"\S{{{_LONG},}}", lambda found: "\u200b".join(_pieces(found[0])), text)


def _pieces(word: str) -> Iterator[str]:
    for start in range(0, len(word), 12):
        yield word[start : start + 12]
