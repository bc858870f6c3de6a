"""The page: head, landmarks, contents, and the parts that every report has."""

from __future__ import annotations

import html
import importlib.resources
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from crewe.report.markup import inline

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


@dataclass
class Page:
    """What stands on a page; sections, methods and notes carry their heading and their anchor."""

    title: str
    subtitle: str
    author: str
    date: str
    iso_date: str
    synthetic: bool
    sections: Sequence[tuple[str, str, str]]
    methods: Sequence[tuple[str, str, Sequence[tuple[str, Sequence[str]]]]]
    notes: Sequence[tuple[str, str, Sequence[str], Sequence[str]]]
    software: Mapping[str, str]


def assemble(page: Page) -> str:
    """Give the whole HTML document."""
    sections = [*page.sections]
    if page.notes:
        sections.append(("Notes and warnings", "notes", _notes(page)))
    if page.methods:
        sections.append(("Methods and definitions", "methods", _methods(page)))
    sections.append(("Software", "software", _software(page)))
    numbered = []
    count = 0
    for heading, slug, body in sections:
        count += bool(heading)
        numbered.append((str(count) if heading else "", heading, slug, body))
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en-GB">',
            _head(page),
            "<body>",
            '<a class="skip" href="#main">Skip to the report</a>',
            _header(page),
            _contents(numbered),
            '<main id="main" tabindex="-1">',
            *(_section(*part) for part in numbered),
            "</main>",
            f"<footer><p>Made with crewe {html.escape(page.software['crewe'])}. This file is "
            "complete in itself: it loads nothing and sends nothing.</p></footer>",
            "</body>",
            "</html>",
            "",
        ]
    )


def _head(page: Page) -> str:
    style = importlib.resources.files("crewe.report").joinpath("page.css").read_text("utf-8")
    running = f'@page{{@bottom-left{{content:"{_css_text(page.title)}"}}}}'
    if page.synthetic:
        running += '@page{@top-right{content:"SYNTHETIC DATA"}}'
    author = f'<meta name="author" content="{html.escape(page.author)}">\n' if page.author else ""
    return (
        '<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light">\n'
        f"{author}"
        '<link rel="icon" href="data:,">\n'
        f"<title>{html.escape(page.title)}</title>\n"
        f"<style>\n{style}{running}\n</style>\n</head>"
    )


def _css_text(text: str) -> str:
    return re.sub(r"[^\w .,:;-]", lambda found: f"\\{ord(found[0]):x} ", text)


def _header(page: Page) -> str:
    subtitle = f'<p class="subtitle">{html.escape(page.subtitle)}</p>' if page.subtitle else ""
    author = f"<span>{html.escape(page.author)}</span> " if page.author else ""
    date = f'<time datetime="{html.escape(page.iso_date)}">{html.escape(page.date)}</time>'
    banner = (
        '<p class="banner" role="note"><strong>Synthetic data.</strong> The numbers in this '
        "report come in whole or in part from data made by a program. They say nothing about "
        "any real person, family or service.</p>"
        if page.synthetic
        else ""
    )
    return (
        f"<header>\n<h1>{html.escape(page.title)}</h1>\n{subtitle}\n"
        f'<p class="byline">{author}{date}</p>\n{banner}\n</header>'
    )


def _contents(sections: Sequence[tuple[str, str, str, str]]) -> str:
    items = "".join(
        f'<li><a href="#{slug}"><span class="no">{count}</span> {html.escape(heading)}</a></li>'
        for count, heading, slug, _ in sections
        if heading
    )
    return f'<nav aria-labelledby="contents"><h2 id="contents">Contents</h2><ol role="list">{items}</ol></nav>'


def _section(count: str, heading: str, slug: str, body: str) -> str:
    if not heading:
        return f'<section id="{slug}" class="lead" aria-label="Summary">\n{body}\n</section>'
    return (
        f'<section aria-labelledby="{slug}">\n<h2 id="{slug}"><span class="no">{count}</span> '
        f"{html.escape(heading)}</h2>\n{body}\n</section>"
    )


def _methods(page: Page) -> str:
    parts = []
    for heading, _, results in page.methods:
        said = "".join(
            f"<p>{f'<strong>{html.escape(place)}.</strong> ' if place else ''}"
            f"{' '.join(inline(sentence, links=False) for sentence in sentences)}</p>"
            for place, sentences in results
        )
        parts.append(f"<h3>{html.escape(heading or 'Summary')}</h3>\n{said}")
    return "\n".join(parts)


def _notes(page: Page) -> str:
    """Point to the tables that warnings stand under, and give those that stand under none."""
    rows = []
    for heading, slug, places, notes in page.notes:
        title = f'<a href="#{slug}">{html.escape(heading or "Summary")}</a>'
        links = [
            f'<a href="#{html.escape(place.lower().replace(" ", "-"))}">{html.escape(place)}</a>'
            for place in dict.fromkeys(places)
        ]
        said = f": under {_listed(links)}." if links else "."
        items = "".join(f"<li>{html.escape(note)}</li>" for note in dict.fromkeys(notes))
        rows.append(f"<li>{title}{said}{f'<ul>{items}</ul>' if items else ''}</li>")
    return (
        "<p>What the results themselves warn of, and where it stands.</p>\n"
        f"<ul>{''.join(rows)}</ul>"
    )


def _listed(names: Sequence[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def _software(page: Page) -> str:
    rows = "".join(
        f"<div><dt>{html.escape(name)}</dt><dd>{html.escape(version)}</dd></div>"
        for name, version in page.software.items()
    )
    return (
        "<p>The versions that made this report. The arithmetic of crewe is done in its Rust core."
        f'</p>\n<dl class="card versions">{rows}</dl>'
    )
