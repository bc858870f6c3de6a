"""The HTML that results of other packages bring along, read into words and tables; nothing else of it is kept."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from crewe.report.document import Block, Paragraph, Run, Runs, Subheading
from crewe.report.words import points
from crewe.tables.sheet import Sheet, clean, one_line

_DROPPED = {"script", "style", "iframe", "object", "template", "head", "noscript", "svg", "math"}
_BLOCKS = {"p", "div", "section", "article", "header", "footer", "dl", "dt", "dd", "pre", "body"}
_HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}
_LOOKS = {"strong": "bold", "b": "bold", "em": "italic", "i": "italic", "code": "code"}


class _Reader(HTMLParser):
    """Gather the words and the cells of HTML."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[Block | Sheet] = []
        self.skipping = 0
        self.words: list[Run] = []
        self.looks: list[str] = []
        self.items: list[list[Runs]] = []
        self.table: _Table | None = None
        self.cell: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _DROPPED:
            self.skipping += 1
        if self.skipping:
            return
        if tag == "br":
            self.handle_data("\n" if self.cell is not None else " ")
        elif tag in _LOOKS:
            self.looks.append(_LOOKS[tag])
        elif self.table is not None:
            self._in_table(tag, dict(attrs))
        elif tag == "table":
            self._settle()
            self.table = _Table()
        elif tag in ("ul", "ol"):
            self._settle()
            self.items.append([])
        elif tag in _BLOCKS | _HEADINGS | {"li"}:
            self._settle()

    def _in_table(self, tag: str, attrs: dict[str, str | None]) -> None:
        assert self.table is not None
        if tag == "tr":
            self.table.rows.append([])
        elif tag == "thead":
            self.table.in_head = True
        elif tag in ("td", "th", "caption"):
            self.cell = []
            self.table.span = _span(attrs.get("colspan"))

    def handle_endtag(self, tag: str) -> None:
        if tag in _DROPPED:
            self.skipping = max(0, self.skipping - 1)
            return
        if self.skipping:
            return
        if tag in _LOOKS:
            if self.looks:
                self.looks.pop()
        elif self.table is not None:
            self._out_of_table(tag)
        elif tag in _HEADINGS:
            if words := self._taken():
                self.blocks.append(Subheading(words))
        elif tag in ("ul", "ol") and self.items:
            self._settle()
            items = self.items.pop()
            if items:
                self.blocks.append(points(items, ordered=tag == "ol"))
        elif tag in _BLOCKS | {"li"}:
            self._settle()

    def _out_of_table(self, tag: str) -> None:
        table = self.table
        assert table is not None
        if tag in ("td", "th", "caption") and self.cell is not None:
            text = re.sub(
                r"[ \t]*\n[ \t]*", "\n", re.sub(r"[ \t]+", " ", "".join(self.cell))
            ).strip()
            self.cell = None
            if tag == "caption":
                table.title = one_line(text)
                return
            if not table.rows:
                table.rows.append([])
            table.rows[-1] += [(text, tag == "th"), *[("", tag == "th")] * (table.span - 1)]
        elif tag == "thead":
            table.in_head = False
            table.heads = len(table.rows)
        elif tag == "table":
            self.table = None
            self.blocks.append(table.sheet())

    def handle_data(self, data: str) -> None:
        if self.skipping:
            return
        data = clean(data)
        if self.cell is not None:
            self.cell.append(data)
        elif self.table is None:
            data = re.sub(r"\s+", " ", data)
            if data.strip() or self.words:
                held = self.looks
                self.words.append(Run(data, "bold" in held, "italic" in held, "code" in held))

    def close(self) -> None:
        super().close()
        if self.table is not None:
            self._out_of_table("table")
        while self.items:
            self._settle()
            self.blocks.append(points(self.items.pop()))
        self._settle()

    def _taken(self) -> Runs:
        words, self.words = tuple(self.words), []
        return words if any(run.text.strip() for run in words) else ()

    def _settle(self) -> None:
        """End the paragraph or the point that is open."""
        words = self._taken()
        if words and self.items:
            self.items[-1].append(words)
        elif words:
            self.blocks.append(Paragraph(words))


def _span(text: str | None) -> int:
    return min(int(text), 100) if text and text.isdecimal() and int(text) else 1


class _Table:
    """The rows of a table while it is read."""

    def __init__(self) -> None:
        self.rows: list[list[tuple[str, bool]]] = []
        self.title = ""
        self.heads = 0
        self.span = 1
        self.in_head = False

    def sheet(self) -> Sheet:
        rows = [row for row in self.rows if row] or [[("", False)]]
        columns = max(map(len, rows))
        heads = min(self.heads, len(rows)) or int(
            len(rows) > 1 and all(is_head for _, is_head in rows[0])
        )
        grid = [tuple([*(text for text, _ in row), *[""] * (columns - len(row))]) for row in rows]
        align = "l" + "".join(
            "r" if all(_numeric(row[j]) for row in grid[heads:]) else "l" for j in range(1, columns)
        )
        return Sheet(self.title, (), tuple(grid[:heads]), tuple(grid[heads:]), (), align)


def _numeric(cell: str) -> bool:
    return bool(re.fullmatch(r"[^A-Za-z]{0,3}\d[^A-Za-z]*|\W*", cell))


def read(text: str) -> list[Block | Sheet]:
    """Read HTML into words and tables.

    Examples
    --------
    >>> found = read("<h1>Big</h1><script>bad()</script><table><tr><td>1 &lt; 2</td></tr></table>")
    >>> found[0].runs[0].text, found[1].rows
    ('Big', (('1 < 2',),))
    """
    reader = _Reader()
    reader.feed(text)
    reader.close()
    return reader.blocks
