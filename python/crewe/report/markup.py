"""Words and tables made fit for the page: a little Markdown, and result HTML made safe."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from html.parser import HTMLParser

from crewe.tables.labels import MINUS
from crewe.tables.writers.html import unscrolled

_LINK = re.compile(r"\[([^\]]+)\]\((#[\w-]+|https?://[^\s)]+|mailto:[^\s)]+)\)")


def inline(text: str, *, links: bool = True) -> str:
    """Turn `**bold**`, `*italic*`, `` `code` `` and `[text](address)` into HTML; escape all else.

    Sentences that hold names from the data are written without `links`.

    Examples
    --------
    >>> inline("p < .05 in **both** arms")
    'p &lt; .05 in <strong>both</strong> arms'
    """
    parts = re.split(r"(`[^`]+`)", text)
    out = []
    for part in parts:
        if len(part) > 2 and part.startswith("`"):
            out.append(f"<code>{html.escape(part[1:-1])}</code>")
            continue
        safe = html.escape(part)
        if links:
            safe = _LINK.sub(r'<a href="\2">\1</a>', safe)
        safe = re.sub(r"\*\*(\S(?:.*?\S)?)\*\*", r"<strong>\1</strong>", safe)
        safe = re.sub(r"(?<![\w*])\*([^\s*](?:[^*]*[^\s*])?)\*(?![\w*])", r"<em>\1</em>", safe)
        out.append(safe)
    return "".join(out)


def markdown(text: str) -> str:
    r"""Turn a little Markdown into HTML: paragraphs, lists, `###` headings and what `inline` knows.

    Headings of any depth become h3, since h1 and h2 are the report's own.

    Examples
    --------
    >>> markdown("Two rules:\n\n- one\n- two")
    '<p>Two rules:</p>\n<ul><li>one</li><li>two</li></ul>'
    """
    blocks = []
    for block in re.split(r"\n\s*\n", text.strip()):
        lines = [line.strip() for line in block.strip().splitlines()]
        if not lines:
            continue
        heading = re.match(r"#{1,6}\s+(.*)", lines[0])
        if heading:
            blocks.append(f"<h3>{inline(heading[1])}</h3>")
            lines = lines[1:]
        for tag, pattern in (("ul", r"[-*]\s+"), ("ol", r"\d+[.)]\s+")):
            if lines and re.match(pattern, lines[0]):
                items: list[str] = []
                for line in lines:
                    if re.match(pattern, line):
                        items.append(re.sub(pattern, "", line, count=1))
                    else:
                        items[-1] += f" {line}"
                listed = "".join(f"<li>{inline(item)}</li>" for item in items)
                blocks.append(f"<{tag}>{listed}</{tag}>")
                break
        else:
            if lines:
                blocks.append(f"<p>{inline(' '.join(lines))}</p>")
    return "\n".join(blocks)


_KEPT = frozenset(
    re.findall(
        r"\w+",
        "p br span div strong b em i code sup sub small ul ol li dl dt dd table caption colgroup "
        "col thead tbody tfoot tr th td h1 h2 h3 h4 h5 h6 a abbr",
    )
)
_DROPPED = {"script", "style", "iframe", "object", "template", "head", "noscript", "svg", "math"}
_VOID = {"br", "col"}
_ATTRIBUTES = {"class", "scope", "colspan", "rowspan", "lang", "title"}


class _Cleaner(HTMLParser):
    """Keep the tags of words and tables; give tables a numbered caption and a box to scroll in."""

    def __init__(self, caption: Callable[[str], str], title: str, fallback: str) -> None:
        super().__init__(convert_charrefs=True)
        self.out: list[str] = []
        self.skipping = 0
        self.caption = caption
        self.title = title
        self.fallback = fallback
        self.in_caption: list[str] | None = None
        self.owed: int | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _DROPPED:
            self.skipping += 1
        if self.skipping or tag not in _KEPT:
            return
        if tag in {"h1", "h2", "h4", "h5", "h6"}:
            tag = "h3"
        if tag == "caption":
            self.in_caption = []
            return
        if self.in_caption is not None:
            return
        kept = "".join(
            f' {name}="{html.escape(value or "")}"'
            for name, value in attrs
            if name in _ATTRIBUTES or (name == "href" and (value or "").startswith("#"))
        )
        if tag == "table":
            self.out.append(
                f'<div class="scroll" role="region" tabindex="0"><div class="wide"><table{kept}>'
            )
            self.owed = len(self.out)
            return
        self.out.append(f"<{tag}{kept}>")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in _DROPPED:
            self.skipping = max(0, self.skipping - 1)
            return
        if self.skipping or tag not in _KEPT or tag in _VOID:
            return
        if tag == "caption":
            self._settle("".join(self.in_caption or []).strip())
            self.in_caption = None
            return
        if self.in_caption is not None:
            return
        if tag == "table":
            self._settle("")
            self.out.append("</table></div></div>")
            return
        if tag in {"h1", "h2", "h4", "h5", "h6"}:
            tag = "h3"
        self.out.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if self.skipping:
            return
        if self.in_caption is not None:
            self.in_caption.append(data)
        else:
            # A hyphen before a number in a cell is a minus.
            data = re.sub(r"^(\s*[(\[]?)-(?=[\d.])", rf"\1{MINUS}", data)
            self.out.append(html.escape(data, quote=False))

    def _settle(self, title: str) -> None:
        """Put the caption at the head of the table that still owes one."""
        if self.owed is None:
            return
        title, self.title = self.title or title or self.fallback, ""
        opening = self.out[self.owed - 1]
        label = html.escape(title or "Table")
        self.out[self.owed - 1] = opening.replace(
            'tabindex="0">', f'tabindex="0" aria-label="{label}">', 1
        )
        self.out.insert(self.owed, self.caption(title))
        self.owed = None


def clean(text: str, caption: Callable[[str], str], title: str = "", fallback: str = "") -> str:
    """Give a result's HTML with only words and tables in it.

    Parameters
    ----------
    text : str
        The HTML of a result.
    caption : callable
        From a title to a whole caption element; it numbers the tables.
    title : str
        The title of the first table, in place of its own.
    fallback : str
        The title of a table that has none.
    """
    cleaner = _Cleaner(caption, title, fallback)
    cleaner.feed(unscrolled(text))
    cleaner.close()
    return "".join(cleaner.out)
