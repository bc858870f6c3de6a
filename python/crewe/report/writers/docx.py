"""Word: headings, captions and tables that Word knows as such, so that a department can go on editing."""

from __future__ import annotations

import hashlib
import io
import itertools
import re
import zipfile
from datetime import datetime
from typing import Any

from crewe.report.document import (
    BANNER,
    Block,
    Document,
    Drawing,
    Facts,
    Grid,
    Listing,
    Run,
    Runs,
    Section,
    Subheading,
    groups,
    room,
    shares,
)
from crewe.report.writers.pdf import WHOLE, picture, width_mm
from crewe.report.writers.registry import missing, writer
from crewe.tables.writers.docx import table

UPRIGHT, SIDEWAYS = 9638, 14570
"""The twentieths of a point between the margins of A4, upright and on its side."""
_LETTER = 0.56
"""The width of a letter of Arial by its size, on average, capitals and figures among them."""


@writer("docx", ".docx")
def docx(document: Document) -> bytes:
    """Give the report as a Word document.

    Raises
    ------
    CreweError
        Where python-docx, or what turns figures into pictures, is not installed.
    """
    try:
        import docx as word
    except ImportError as error:
        raise missing("Word", "python-docx", "word", error) from None
    try:
        import typst  # noqa: F401
    except ImportError as error:
        raise missing("Word", "typst", "word", error) from None
    made = _Word(word.Document(), document)
    made.write()
    buffer = io.BytesIO()
    made.file.save(buffer)
    return _dated(buffer.getvalue())


def _dated(data: bytes) -> bytes:
    """Give the same archive with one date for every entry: the same report gives the same bytes."""
    made = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as before,
        zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as after,
    ):
        for name in before.namelist():
            # A picture of the template shows nothing that is in the report.
            if name == "docProps/thumbnail.jpeg":
                continue
            part = before.read(name)
            if name == "_rels/.rels":
                part = re.sub(rb"<Relationship [^>]*thumbnail[^>]*/>", b"", part)
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            after.writestr(entry, part, zipfile.ZIP_DEFLATED)
    return made.getvalue()


class _Word:
    """A document of Word while it is written."""

    def __init__(self, file: Any, document: Document) -> None:
        self.file = file
        self.document = document
        self.bookmarks = 0
        self.anchors = document.anchors

    def write(self) -> None:
        self._properties()
        self._styles()
        self._page(self.file.sections[0])
        self._front()
        for number, section in self.document.numbered():
            self._section(number, section)

    # -- the whole document ----------------------------------------------------------------

    def _properties(self) -> None:
        from docx.oxml.ns import qn

        date = self.document.date
        moment = datetime(date.year, date.month, date.day)
        core = self.file.core_properties
        # Word holds no more letters in a property.
        core.title, core.author = self.document.title[:255], self.document.author[:255]
        core.subject, core.language = self.document.subtitle[:255], "en-GB"
        core.last_modified_by, core.comments, core.revision = "", "", 1
        core.created = core.modified = moment
        for defaults in self.file.styles.element.iter(qn("w:lang")):
            defaults.set(qn("w:val"), "en-GB")

    def _styles(self) -> None:
        from docx.enum.text import WD_LINE_SPACING
        from docx.oxml.ns import qn
        from docx.shared import Pt, RGBColor

        looks = {
            "Normal": (10, False, "1A1A1A", 0, 6),
            "Title": (22, True, "1A1A1A", 0, 4),
            "Subtitle": (12, False, "505050", 0, 8),
            "Heading 1": (15, True, "1A1A1A", 18, 6),
            "Heading 2": (11, True, "1A1A1A", 12, 4),
            "Caption": (9.5, True, "1A1A1A", 10, 4),
            "List Bullet": (10, False, "1A1A1A", 0, 3),
            "List Bullet 2": (10, False, "1A1A1A", 0, 3),
            "List Number": (10, False, "1A1A1A", 0, 3),
            "Header": (8, True, "8A2B00", 0, 0),
            "Footer": (8, False, "505050", 0, 0),
        }
        for name, (size, bold, colour, before, after) in looks.items():
            style = self.file.styles[name]
            font = style.font
            font.name, font.size, font.bold, font.italic = "Arial", Pt(size), bold, False
            font.color.rgb = RGBColor.from_string(colour)
            letters = style.element.get_or_add_rPr()
            for spacing in letters.findall(qn("w:spacing")):
                letters.remove(spacing)
            fonts = letters.get_or_add_rFonts()
            for attribute in list(fonts.attrib):
                if attribute.endswith("Theme"):
                    del fonts.attrib[attribute]
            for script in ("w:ascii", "w:hAnsi", "w:cs", "w:eastAsia"):
                fonts.set(qn(script), "Arial")
            form = style.paragraph_format
            form.space_before, form.space_after = Pt(before), Pt(after)
            form.line_spacing_rule = WD_LINE_SPACING.SINGLE
            form.widow_control = True
        self.file.styles["Normal"].paragraph_format.line_spacing = 1.15
        for name in ("Heading 1", "Heading 2", "Caption"):
            self.file.styles[name].paragraph_format.keep_with_next = True
        borders = self.file.styles["Title"].element.pPr.find(qn("w:pBdr"))
        if borders is not None:
            self.file.styles["Title"].element.pPr.remove(borders)

    def _page(self, section: Any) -> None:
        from docx.shared import Mm

        section.page_width, section.page_height = Mm(210), Mm(297)
        section.left_margin = section.right_margin = Mm(20)
        section.top_margin, section.bottom_margin = Mm(22), Mm(22)
        section.header_distance = section.footer_distance = Mm(10)
        if self.document.synthetic:
            line = section.header.paragraphs[0]
            line.text, line.alignment = "SYNTHETIC DATA", 2
        foot = section.footer.paragraphs[0]
        foot.add_run(f"{self.document.title} · ")
        self._field(foot, "PAGE", "1")
        foot.add_run(" of ")
        self._field(foot, "NUMPAGES", "1")
        if self.document.statement:
            foot.add_run().add_break()
            foot.add_run(self.document.statement).bold = True

    def _front(self) -> None:
        document = self.document
        self.file.add_paragraph(document.title, style="Title")
        if document.subtitle:
            self.file.add_paragraph(document.subtitle, style="Subtitle")
        self.file.add_paragraph(
            " · ".join(one for one in (document.author, document.printed_date) if one)
        )
        if document.synthetic:
            self._banner(BANNER[0].upper(), f" {BANNER[1]}")
        if document.statement:
            self._banner(document.statement, "")
        headings = [
            (f"{number} {section.heading}", section.slug)
            for number, section in document.numbered()
            if section.heading
        ]
        self._list("Contents", 'TOC \\o "1-1" \\h \\z \\u', headings)
        for name, found in (
            ("Table", [(f"{one.name}. {one.sheet.title}", one.anchor) for one in document.tables]),
            ("Figure", [(f"{one.name}. {one.caption}", one.anchor) for one in document.figures]),
        ):
            if len(found) > 1:
                self._list(f"{name}s", f'TOC \\h \\z \\c "{name}"', found)

    def _banner(self, strong: str, rest: str) -> None:
        from docx.shared import RGBColor

        line = self.file.add_paragraph()
        first = line.add_run(strong)
        first.bold, first.font.color.rgb = True, RGBColor.from_string("8A2B00")
        line.add_run(rest)
        self._box(line, "8A2B00")

    def _list(self, heading: str, code: str, entries: list[tuple[str, str]]) -> None:
        """Put a list that Word makes anew from its headings or captions, and that is whole before it does."""
        from docx.shared import Pt

        # Not a heading: it is none of the report's parts.
        title = self.file.add_paragraph()
        title.paragraph_format.space_before, title.paragraph_format.keep_with_next = Pt(12), True
        title.add_run(heading).bold = True
        for i, (words, anchor) in enumerate(entries):
            line = self.file.add_paragraph()
            line.paragraph_format.space_after = Pt(2)
            if i == 0:
                self._part(line, "begin", dirty=True)
                self._code(line, code)
                self._part(line, "separate")
            self._linked(line, f"#{anchor}", words)
            if i == len(entries) - 1:
                self._part(line, "end")

    # -- sections --------------------------------------------------------------------------

    def _section(self, number: str, section: Section) -> None:
        for group in groups(section):
            if group.wide:
                self._turn(sideways=True)
            if group.heading and section.heading:
                line = self.file.add_paragraph(style="Heading 1")
                self._marked(line, section.slug, f"{number} {section.heading}")
            for block, following in itertools.zip_longest(group.blocks, group.blocks[1:]):
                self._block(block, isinstance(following, Grid | Drawing | Facts | Listing))
            if group.wide:
                self._turn(sideways=False)

    def _turn(self, *, sideways: bool) -> None:
        """Begin pages that lie on their side, or stand upright again."""
        from docx.enum.section import WD_ORIENT, WD_SECTION
        from docx.shared import Mm

        section = self.file.add_section(WD_SECTION.NEW_PAGE)
        section.orientation = WD_ORIENT.LANDSCAPE if sideways else WD_ORIENT.PORTRAIT
        sides = (Mm(297), Mm(210)) if sideways else (Mm(210), Mm(297))
        section.page_width, section.page_height = sides

    def _block(self, block: Block, leads: bool) -> None:
        if isinstance(block, Grid):
            self._grid(block)
        elif isinstance(block, Drawing):
            self._drawing(block)
        elif isinstance(block, Facts):
            self._facts(block)
        elif isinstance(block, Listing):
            style = "List Number" if block.ordered else "List Bullet"
            for said, under in block.items:
                self._words(self.file.add_paragraph(style=style), said)
                for one in under:
                    self._words(self.file.add_paragraph(style="List Bullet 2"), one)
        else:
            style = "Heading 2" if isinstance(block, Subheading) else "Normal"
            line = self.file.add_paragraph(style=style)
            self._words(line, block.runs)
            # Words that lead to a table or a figure stay with it.
            line.paragraph_format.keep_with_next = leads or isinstance(block, Subheading)

    def _facts(self, block: Facts) -> None:
        from docx.shared import Mm, Pt

        for i, (name, said) in enumerate(block.pairs):
            line = self.file.add_paragraph()
            form = line.paragraph_format
            form.left_indent, form.first_line_indent = Mm(42), Mm(-42)
            form.tab_stops.add_tab_stop(Mm(42))
            form.space_after = Pt(2)
            form.keep_with_next = i < len(block.pairs) - 1
            line.add_run(f"{name}\t").bold = True
            self._words(line, said)
        self.file.add_paragraph().paragraph_format.space_after = Pt(0)

    def _grid(self, block: Grid) -> None:
        from docx.oxml import parse_xml
        from docx.oxml.ns import qn
        from docx.shared import Pt

        self._caption("Table", block.number, block.anchor, block.sheet.title)
        sheet = block.sheet
        place = SIDEWAYS if block.wide else UPRIGHT
        points = max(6.0, min(9.0, place / 20 / (_LETTER * max(room(sheet), 1.0))))
        widths = [int(place * one) for one in shares(sheet, place / 20 / (_LETTER * points))]
        text = table(sheet, widths, int(2 * points), whole=len(sheet.lines()) <= WHOLE)
        names = f'xmlns:w="{qn("w:tbl")[1:-4]}"'
        made = parse_xml(text.replace("<w:tbl>", f"<w:tbl {names}>", 1))
        look = made.find(qn("w:tblPr"))
        margins = look.makeelement(qn("w:tblCellMar"))
        for side in ("left", "right"):
            sizes = {qn("w:w"): "60", qn("w:type"): "dxa"}
            margins.append(margins.makeelement(qn(f"w:{side}"), sizes))
        look.append(margins)
        for name, words in (("w:tblCaption", block.name), ("w:tblDescription", sheet.title)):
            said = look.makeelement(qn(name), {qn("w:val"): words})
            look.append(said)
        body = self.file.element.body
        body.insert(len(body) - 1, made)
        for note in sheet.notes:
            line = self.file.add_paragraph()
            line.paragraph_format.space_before = Pt(2)
            line.paragraph_format.space_after = Pt(0)
            line.add_run(note).font.size = Pt(8)
        # Two tables with nothing between them would be one to Word.
        self.file.add_paragraph().paragraph_format.space_after = Pt(2)

    def _drawing(self, block: Drawing) -> None:
        from docx.shared import Mm

        self._caption("Figure", block.number, block.anchor, block.caption)
        width = width_mm(block)
        image = io.BytesIO(picture(block.svg, width))
        shape = self.file.add_paragraph().add_run().add_picture(image, width=Mm(width))
        properties = shape._inline.docPr
        properties.set("descr", block.alt)
        properties.set("title", block.name)
        properties.set("name", block.name)

    def _caption(self, kind: str, number: int, anchor: str, title: str) -> None:
        line = self.file.add_paragraph(style="Caption")
        start, end = self._bookmark(anchor)
        line._p.append(start)
        line.add_run(f"{kind} ")
        self._field(line, f"SEQ {kind} \\* ARABIC", str(number))
        line._p.append(end)
        line.add_run(f". {title}" if title else ".")

    # -- words and fields ------------------------------------------------------------------

    def _words(self, line: Any, runs: Runs) -> None:
        for run in runs:
            if run.link and (not run.link.startswith("#") or run.link[1:] in self.anchors):
                self._linked(line, run.link, run.text, run)
            else:
                self._look(line.add_run(run.text), run)

    def _look(self, made: Any, run: Run) -> None:
        if run.bold:
            made.bold = True
        if run.italic:
            made.italic = True
        if run.code:
            from docx.shared import Pt

            made.font.name, made.font.size = "Courier New", Pt(8)

    def _linked(self, line: Any, target: str, words: str, run: Run | None = None) -> None:
        from docx.opc.constants import RELATIONSHIP_TYPE
        from docx.oxml import OxmlElement
        from docx.oxml.ns import qn
        from docx.shared import RGBColor

        link = OxmlElement("w:hyperlink")
        if target.startswith("#"):
            link.set(qn("w:anchor"), _name(target[1:]))
        else:
            part = self.file.part.relate_to(target, RELATIONSHIP_TYPE.HYPERLINK, is_external=True)
            link.set(qn("r:id"), part)
        made = line.add_run(words)
        if run is not None:
            self._look(made, run)
        if not target.startswith("#"):
            made.font.color.rgb, made.font.underline = RGBColor.from_string("0B4F8A"), True
        link.append(made._r)
        line._p.append(link)

    def _marked(self, line: Any, anchor: str, words: str) -> None:
        start, end = self._bookmark(anchor)
        line._p.append(start)
        line.add_run(words)
        line._p.append(end)

    def _bookmark(self, anchor: str) -> tuple[Any, Any]:
        from docx.oxml import OxmlElement
        from docx.oxml.ns import qn

        self.bookmarks += 1
        start, end = OxmlElement("w:bookmarkStart"), OxmlElement("w:bookmarkEnd")
        for mark in (start, end):
            mark.set(qn("w:id"), str(self.bookmarks))
        start.set(qn("w:name"), _name(anchor))
        return start, end

    def _field(self, line: Any, code: str, shown: str) -> None:
        """Put a field, with what it shows until Word works it out."""
        self._part(line, "begin")
        self._code(line, code)
        self._part(line, "separate")
        line.add_run(shown)
        self._part(line, "end")

    def _part(self, line: Any, kind: str, *, dirty: bool = False) -> None:
        from docx.oxml import OxmlElement
        from docx.oxml.ns import qn

        mark = OxmlElement("w:fldChar")
        mark.set(qn("w:fldCharType"), kind)
        if dirty:
            mark.set(qn("w:dirty"), "true")
        line.add_run()._r.append(mark)

    def _code(self, line: Any, code: str) -> None:
        from docx.oxml import OxmlElement
        from docx.oxml.ns import qn

        made = OxmlElement("w:instrText")
        made.set(qn("xml:space"), "preserve")
        made.text = f" {code} "
        line.add_run()._r.append(made)

    def _box(self, line: Any, colour: str) -> None:
        from docx.oxml import OxmlElement
        from docx.oxml.ns import qn

        borders = OxmlElement("w:pBdr")
        for side, width in (("top", 6), ("left", 36), ("bottom", 6), ("right", 6)):
            edge = OxmlElement(f"w:{side}")
            for key, value in (
                ("val", "single"),
                ("sz", str(width)),
                ("space", "6"),
                ("color", colour),
            ):
                edge.set(qn(f"w:{key}"), value)
            borders.append(edge)
        line._p.get_or_add_pPr().append(borders)


def _name(anchor: str) -> str:
    """Give the name of a bookmark: Word takes 40 letters, figures and underscores, after a letter."""
    plain = "".join(one if one.isalnum() else "_" for one in anchor)
    if len(plain) > 36:
        plain = f"{plain[:26]}_{hashlib.sha256(anchor.encode()).hexdigest()[:8]}"
    return f"r_{plain}"
