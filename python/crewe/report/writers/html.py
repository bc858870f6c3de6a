"""HTML: one page that is complete in itself, for a screen of any width, a screen reader and paper."""

from __future__ import annotations

import html as escaping
import importlib.resources
import re
from dataclasses import replace

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
    Section,
    Subheading,
    groups,
)
from crewe.report.writers.registry import writer
from crewe.tables.writers.html import paragraphs, table

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


@writer("html", ".html", ".htm")
def html(document: Document) -> str:
    """Give the whole page."""
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en-GB">',
            _head(document),
            "<body>",
            '<a class="skip" href="#main">Skip to the report</a>',
            _header(document),
            _contents(document),
            '<main id="main" tabindex="-1">',
            *(_section(number, section) for number, section in document.numbered()),
            "</main>",
            _footer(document),
            "</body>",
            "</html>",
            "",
        ]
    )


def escape(text: str) -> str:
    """Let text be text."""
    return escaping.escape(text)


def _head(document: Document) -> str:
    style = importlib.resources.files("crewe.report").joinpath("page.css").read_text("utf-8")
    foot = _css_text(document.title)
    running = f'@page{{@bottom-left{{content:"{foot}"}}}}'
    if document.statement:
        running = f'@page{{@bottom-left{{content:"{foot}\\a {_css_text(document.statement)}";white-space:pre-line}}}}'
    if document.synthetic:
        running += '@page{@top-right{content:"SYNTHETIC DATA"}}'
    author = (
        f'<meta name="author" content="{escape(document.author)}">\n' if document.author else ""
    )
    return (
        '<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light">\n'
        f"{author}"
        '<link rel="icon" href="data:,">\n'
        f"<title>{escape(document.title)}</title>\n"
        f"<style>\n{style}{running}\n</style>\n</head>"
    )


def _css_text(text: str) -> str:
    return re.sub(r"[^\w .,:;-]", lambda found: f"\\{ord(found[0]):x} ", text)


def _header(document: Document) -> str:
    subtitle = f'<p class="subtitle">{escape(document.subtitle)}</p>' if document.subtitle else ""
    author = f"<span>{escape(document.author)}</span> " if document.author else ""
    date = f'<time datetime="{document.date.isoformat()}">{escape(document.printed_date)}</time>'
    banner = (
        f'<p class="banner" role="note"><strong>{BANNER[0]}</strong> {BANNER[1]}</p>'
        if document.synthetic
        else ""
    )
    statement = (
        f'<p class="banner" role="note">{escape(document.statement)}</p>'
        if document.statement
        else ""
    )
    return (
        f"<header>\n<h1>{escape(document.title)}</h1>\n{subtitle}\n"
        f'<p class="byline">{author}{date}</p>\n{banner}{statement}\n</header>'
    )


def _contents(document: Document) -> str:
    items = "".join(
        f'<li><a href="#{section.slug}"><span class="no">{number}</span> {escape(section.heading)}</a></li>'
        for number, section in document.numbered()
        if section.heading
    )
    return (
        '<nav aria-labelledby="contents"><h2 id="contents">Contents</h2>'
        f'<ol role="list">{items}</ol>{_lists(document)}</nav>'
    )


def _lists(document: Document) -> str:
    """Give the lists of tables and figures, closed on a screen and open on paper."""
    made = ""
    for heading, slug, found in (
        ("Tables", "tables", [(one.name, one.anchor, one.sheet.title) for one in document.tables]),
        ("Figures", "figures", [(one.name, one.anchor, one.caption) for one in document.figures]),
    ):
        if len(found) < 2:
            continue
        items = "".join(
            f'<li><a href="#{anchor}"><span class="no">{name.split()[-1]}</span> {escape(title)}</a></li>'
            for name, anchor, title in found
        )
        made += (
            f'<details class="lists" id="lists-{slug}"><summary>{heading} ({len(found)})</summary>'
            f'<ol role="list">{items}</ol></details>'
        )
    return made


def _section(number: str, section: Section) -> str:
    body = ""
    for group in groups(section):
        parts = list(map(_block, group.blocks))
        if group.heading and section.heading:
            parts.insert(
                0,
                f'<h2 id="{section.slug}"><span class="no">{number}</span> {escape(section.heading)}</h2>',
            )
        held = "\n".join(parts)
        body += f'<div class="sideways">{held}</div>\n' if group.wide else f"{held}\n"
    if not section.heading:
        return f'<section id="{section.slug}" class="lead" aria-label="Summary">\n{body}</section>'
    return f'<section aria-labelledby="{section.slug}">\n{body}</section>'


def _block(block: Block) -> str:
    if isinstance(block, Paragraph):
        return f"<p>{words(block.runs)}</p>"
    if isinstance(block, Subheading):
        return f"<h3>{words(block.runs)}</h3>"
    if isinstance(block, Listing):
        return _listing(block)
    if isinstance(block, Facts):
        look = "card versions" if block.look == "versions" else "card"
        pairs = "".join(
            f"<div><dt>{escape(name)}</dt><dd>{words(said)}</dd></div>"
            for name, said in block.pairs
        )
        return f'<dl class="{look}">{pairs}</dl>'
    if isinstance(block, Grid):
        return _grid(block)
    return _drawing(block)


def _listing(block: Listing) -> str:
    tag = "ol" if block.ordered else "ul"
    items = ""
    for said, under in block.items:
        inner = "".join(f"<li>{words(one)}</li>" for one in under)
        items += f"<li>{words(said)}{f'<ul>{inner}</ul>' if inner else ''}</li>"
    return f"<{tag}>{items}</{tag}>"


def _grid(block: Grid) -> str:
    title = block.sheet.title
    caption = (
        f'<caption id="{block.anchor}"><span class="said"><span class="no">{block.name}.</span>'
        f"{f' {escape(title)}' if title else ''}</span></caption>"
    )
    made = table(replace(block.sheet, notes=()), caption)
    return (
        f'<div class="table"><div class="scroll" role="region" tabindex="0" '
        f'aria-label="{escape(title or block.name)}"><div class="wide">{made}</div></div>'
        f"{paragraphs(block.sheet.notes)}</div>"
    )


def _drawing(block: Drawing) -> str:
    caption = f" {escape(block.caption)}" if block.caption else ""
    return (
        f'<figure id="{block.anchor}"><figcaption><span class="no">{block.name}.</span>{caption}'
        f"</figcaption>{block.svg}</figure>"
    )


def words(runs: Runs) -> str:
    """Give words as HTML."""
    return "".join(map(_run, runs))


def _run(run: Run) -> str:
    text = escape(run.text).replace("\n", "<br>")
    for tag, wanted in (("code", run.code), ("em", run.italic), ("strong", run.bold)):
        text = f"<{tag}>{text}</{tag}>" if wanted else text
    return f'<a href="{escape(run.link)}">{text}</a>' if run.link else text


def _footer(document: Document) -> str:
    statement = f"<p>{escape(document.statement)}</p>" if document.statement else ""
    return (
        f"<footer>{statement}<p>Made with crewe {escape(document.software['crewe'])}. This file is "
        "complete in itself: it loads nothing and sends nothing.</p></footer>"
    )
