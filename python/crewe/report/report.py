"""The report: sections in the order in which they were added, and what every report needs."""

from __future__ import annotations

import datetime
import html
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crewe.exceptions import InputError, fault
from crewe.files.writing import as_path, write
from crewe.frames.arguments import check_methods
from crewe.plots import style
from crewe.report import markup
from crewe.report.page import Page, assemble
from crewe.report.versions import versions
from crewe.tables import protocols
from crewe.tables.display import Table, number, p_value
from crewe.tables.labels import pretty, sentence
from crewe.tables.printable import Printable
from crewe.tables.table import ModelTable
from crewe.tables.writers.html import paragraphs


@dataclass
class _Section:
    heading: str
    slug: str
    parts: list[str] = field(default_factory=list)
    methods: list[tuple[str, list[str]]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    warned: list[str] = field(default_factory=list)


class Report:
    """One self-contained HTML file made from results, in the order in which they are added.

    The contents list, the methods with their definitions, where the warnings of results stand, the
    software and its versions, and a banner where data are synthetic are put in by the report itself. The
    file loads nothing from anywhere, prints on A4 and can be read by screen readers. The same input
    gives the same bytes.

    Parameters
    ----------
    title : str
        The title.
    subtitle, author : str
        What stands under it.
    date : date or str, optional
        The date to print; today otherwise.
    synthetic : bool
        Whether the whole report rests on synthetic data: a banner then heads the page and every
        figure says so. Results whose own `synthetic` is true bring the banner by themselves.

    Raises
    ------
    InputError
        Where there is no title.

    Examples
    --------
    >>> import crewe as cw, pandas as pd
    >>> report = cw.Report("A small trial", author="Evaluation team", date="2016-11-01")
    >>> frame = pd.DataFrame({"arm": ["control", "crewe"], "cases": [45, 83]})
    >>> page = report.add(frame, heading="Cases", text="Analysed cases by arm.").html
    >>> "Table 1" in page and "1 November 2016" in page
    True
    """

    def __init__(
        self,
        title: str,
        *,
        subtitle: str = "",
        author: str = "",
        date: datetime.date | str | None = None,
        synthetic: bool = False,
    ) -> None:
        if not str(title).strip():
            raise fault(
                InputError, "a report needs a title", remedy="Write Report('What it is about')"
            )
        self.title = str(title)
        self.subtitle = subtitle
        self.author = author
        self.date = _date(date)
        self.synthetic = bool(synthetic)
        self._sections: list[_Section] = []
        self._slugs: set[str] = {"main", "contents", "notes", "methods", "software"}
        self._figures = 0
        self._tables = 0

    def add(
        self,
        result: Any,
        *,
        heading: str = "",
        text: str = "",
        caption: str = "",
        figure: bool | None = None,
        figure_caption: str = "",
        alt: str = "",
        synthetic: bool | None = None,
    ) -> Report:
        """Add a result: its words, its table and its figure.

        Parameters
        ----------
        result : any result, table, data frame, or matplotlib figure or Axes
            What to show.
        heading : str
            Begins a new section; without one the result joins the section before.
        text : str
            What to say before the table, in a little Markdown.
        caption : str
            The title of the table, in place of its own.
        figure : bool, optional
            Whether to draw the result. By default everything that has `plot()` is drawn but
            fitted models.
        figure_caption, alt : str
            The title of the figure and its alternative text, where `plot()` attaches none.
        synthetic : bool, optional
            Whether it rests on synthetic data; as the result or the report says otherwise.

        Returns
        -------
        Report
            Itself, so that calls can be chained.

        Raises
        ------
        InputError
            Where the object is nothing that can be shown.
        """
        if _is_figure(result):
            return self.add_figure(
                result, caption=caption, alt=alt, heading=heading, text=text, synthetic=synthetic
            )
        made_up = self._made_up(result, synthetic)
        shown = _table_html(result)
        drawn = not protocols.is_frame(result) and (
            isinstance(result, protocols.Plotted) or _svg_of(result) is not None
        )
        if shown is None and not drawn:
            raise fault(
                InputError,
                f"{type(result).__name__} has nothing to show",
                remedy="Give a result with tidy(), a table, a data frame or a figure",
            )
        section = self._section(heading)
        if text:
            section.parts.append(markup.markdown(text))
        if protocols.attribute(result, "design") is not None:
            section.parts.append(_design_card(result))
        labels: list[str] = []
        notes = protocols.notes(result)
        if shown is not None:
            before = self._tables
            shown = markup.clean(shown, self._caption, caption, section.heading)
            labels += [f"Table {i + 1}" for i in range(before, self._tables)]
            shown += paragraphs([sentence(note) for note in _unsaid(notes, shown, result)])
            section.parts.append(f'<div class="table">{shown}</div>')
        if drawn if figure is None and not protocols.formula(result) else figure:
            self._draw(section, result, figure_caption or caption, alt, made_up, labels)
            labels.append(f"Figure {self._figures}")
        place = ", ".join(labels)
        if isinstance(result, ModelTable):
            for name, source in zip(result.names, result.sources, strict=True):
                section.methods.append((f"{place}, {name}", protocols.methods(source)))
        else:
            section.methods.append((place, protocols.methods(result)))
        # What stands under a table is only pointed to.
        if shown is not None and notes:
            section.warned += [label for label in labels if label.startswith("Table")]
        else:
            section.notes += [
                f"{place}: {sentence(note)}" if place else sentence(note) for note in notes
            ]
        return self

    def add_figure(
        self,
        ax: Any,
        *,
        caption: str = "",
        alt: str = "",
        heading: str = "",
        text: str = "",
        synthetic: bool | None = None,
    ) -> Report:
        """Add a matplotlib figure as inline SVG.

        Parameters
        ----------
        ax : matplotlib Figure or Axes
            The figure.
        caption : str
            Its title.
        alt : str
            The alternative text; what crewe's own figures carry otherwise.
        heading, text : str
            As in `add`.
        synthetic : bool, optional
            Whether to label it as synthetic; as the report says otherwise.

        Returns
        -------
        Report
            Itself.

        Raises
        ------
        InputError
            Where there is neither a caption nor an alternative text.
        """
        made = style.figure_of(ax)
        section = self._section(heading)
        if text:
            section.parts.append(markup.markdown(text))
        made_up = self._made_up(ax, synthetic)
        self._figure(section, _svg_maker(made, made_up), caption, alt or style.alt_of(made))
        return self

    def add_text(self, text: str, *, heading: str = "") -> Report:
        """Add words in a little Markdown: paragraphs, lists, `###` headings, bold, code, links."""
        self._section(heading).parts.append(markup.markdown(text))
        return self

    @property
    def html(self) -> str:
        """The whole page."""
        return assemble(
            Page(
                title=self.title,
                subtitle=self.subtitle,
                author=self.author,
                date=_printed(self.date),
                iso_date=self.date.isoformat(),
                synthetic=self.synthetic,
                sections=[(s.heading, s.slug, "\n".join(s.parts)) for s in self._sections],
                methods=self._methods(),
                notes=[
                    (s.heading, s.slug, s.warned, s.notes)
                    for s in self._sections
                    if s.warned or s.notes
                ],
                software=versions(),
            )
        )

    def save(self, path: str | Path) -> Path:
        """Write the page and give its path; folders on the way are made.

        The file is written whole or not at all: where that fails, the one that was there before is untouched.

        Raises
        ------
        InputError
            For an ending other than .html and .htm, text that is no Unicode, and a path that is a folder.
        CreweError
            Where the system does not write: no room, no right, no such disk.
        """
        ending = as_path(path).suffix.lower()
        if ending and ending not in {".html", ".htm"}:
            raise fault(
                InputError,
                "a report is not written in the format that this ending names",
                values=[ending],
                remedy="Use an ending that reports are written in: '.html' or '.htm'; a browser prints the page as PDF",
            )
        return write(path, self.html)

    def __repr__(self) -> str:
        headings = [section.heading for section in self._sections if section.heading]
        return (
            f"Report: {self.title} ({_printed(self.date)})\n"
            f"{len(headings)} sections, {self._tables} tables, {self._figures} figures\n"
            + "".join(f"  {i + 1}. {heading}\n" for i, heading in enumerate(headings))
        ).rstrip()

    def _section(self, heading: str) -> _Section:
        if heading or not self._sections:
            self._sections.append(_Section(heading, self._slug(heading or "summary")))
        return self._sections[-1]

    def _slug(self, heading: str) -> str:
        plain = unicodedata.normalize("NFKD", heading).encode("ascii", "ignore").decode()
        base = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-") or "section"
        if re.match(r"(table|figure|fig)-?\d", base):
            base = f"section-{base}"
        slug, again = base, 2
        while slug in self._slugs:
            slug, again = f"{base}-{again}", again + 1
        self._slugs.add(slug)
        return slug

    def _caption(self, title: str) -> str:
        self._tables += 1
        words = f" {html.escape(title)}" if title else ""
        return (
            f'<caption id="table-{self._tables}"><span class="said">'
            f'<span class="no">Table {self._tables}.</span>{words}</span></caption>'
        )

    def _made_up(self, result: Any, synthetic: bool | None) -> bool:
        """Say whether this result is synthetic; the banner follows from any that is."""
        if synthetic is None:
            synthetic = self.synthetic or protocols.synthetic(result) or _labelled(result)
        self.synthetic = self.synthetic or synthetic
        return synthetic

    def _draw(
        self,
        section: _Section,
        result: Any,
        caption: str,
        alt: str,
        made_up: bool,
        tables: Sequence[str],
    ) -> None:
        caption = caption or section.heading
        alt = alt or protocols.description(result)
        ready = _svg_of(result)
        if ready is not None:
            self._figure(section, _svg_embedder(ready, made_up), caption, alt)
            return
        import matplotlib.pyplot as plt

        made = style.figure_of(result.plot())
        try:
            alt = alt or style.alt_of(made)
            if not alt and tables:
                alt = f"{caption}. The numbers are in {' and '.join(tables)}."
            self._figure(section, _svg_maker(made, made_up), caption, alt)
        finally:
            # A notebook shows every figure that is left open.
            plt.close(made)

    def _figure(
        self, section: _Section, maker: Callable[[str, str, str], str], caption: str, alt: str
    ) -> None:
        if not (caption or alt):
            raise fault(
                InputError,
                "a figure needs words for readers who cannot see it",
                remedy="Pass caption= and alt=, the text to be read out in place of the figure",
            )
        self._figures += 1
        n = self._figures
        svg = maker(f"Figure {n}. {caption}".rstrip(), alt or caption, f"fig{n}")
        words = f" {html.escape(caption)}" if caption else ""
        section.parts.append(
            f'<figure id="figure-{n}"><figcaption><span class="no">Figure {n}.</span>{words}'
            f"</figcaption>{svg}</figure>"
        )

    def _methods(self) -> list[tuple[str, str, list[tuple[str, list[str]]]]]:
        """Group the sentences by section; a result that says nothing new is left out.

        Of one that differs from an earlier one in a sentence or two only these are said.
        """
        said: list[tuple[str, list[str]]] = []
        groups = []
        for section in self._sections:
            fresh = []
            for place, sentences in section.methods:
                own = list(dict.fromkeys(sentences))
                new = [one for one in own if not any(one in others for _, others in said)]
                if not new:
                    continue
                like, theirs = max(
                    said, key=lambda other: len(set(own) & set(other[1])), default=("", [])
                )
                shared = [one for one in own if one in theirs]
                short = len(shared) > 1 and len(new) + len(shared) == len(own)
                fresh.append((place, [*new, f"Otherwise as {like}."] if short else own))
                said.append((place, own))
            if fresh:
                groups.append((section.heading, section.slug, fresh))
        return groups


check_methods(Report)


def _svg_maker(made: Any, made_up: bool) -> Callable[[str, str, str], str]:
    def make(title: str, desc: str, prefix: str) -> str:
        # The label is there only while the SVG is made: the user's figure stays as it was.
        label = style.label_synthetic(made) if made_up else None
        labelled = made_up or style.is_synthetic(made)
        try:
            words = f"Synthetic data. {desc}" if labelled else desc
            return style.to_svg(made, title, words, prefix)
        finally:
            if label is not None:
                label.remove()

    return make


def _svg_embedder(ready: str, made_up: bool) -> Callable[[str, str, str], str]:
    def make(title: str, desc: str, prefix: str) -> str:
        words = f"Synthetic data. {desc}" if made_up else desc
        return style.embed_svg(ready, title, words, prefix, synthetic=made_up)

    return make


def _is_figure(result: Any) -> bool:
    return any(protocols.attribute(result, name) is not None for name in ("savefig", "transAxes"))


def _labelled(result: Any) -> bool:
    return _is_figure(result) and style.is_synthetic(result)


def _svg_of(result: Any) -> str | None:
    svg = protocols.attribute(result, "svg")
    svg = svg() if callable(svg) else svg
    return svg if isinstance(svg, str) else None


def _unsaid(notes: list[str], shown: str, result: Any) -> list[str]:
    """Give the notes that do not stand under the tables yet; those of groups stand there with or without the group."""
    said = " ".join(html.unescape(re.sub(r"<[^>]*>", " ", shown)).split()).lower()

    def there(note: str) -> bool:
        return " ".join(note.split()).rstrip(".").lower() in said

    grouped = isinstance(result, Mapping)
    return [
        note
        for note in dict.fromkeys(notes)
        if not there(note) and not (grouped and there(note.partition(": ")[2] or note))
    ]


_HEADS = {
    "term": "Term",
    "level": "Level",
    "by": "By",
    "estimate": "Estimate",
    "std_error": "Standard error",
    "statistic": "Statistic",
    "df": "df",
    "p_value": "p",
    "conf_low": "95% CI, low",
    "conf_high": "95% CI, high",
}


def _table_html(result: Any) -> str | None:
    """Give a result's own HTML, or a frame or tidy result as a table, or None."""
    if isinstance(result, Printable):
        return result.html()
    own = getattr(result, "_repr_html_", None)
    columns = isinstance(result, Mapping) and not callable(own)
    if protocols.is_frame(result) or columns:
        return _frame_table(protocols.rows(result))
    if callable(own):
        return str(own())
    if isinstance(result, protocols.Tidy):
        return _frame_table(protocols.tidy(result))
    return None


def _frame_table(rows: list[dict[str, Any]]) -> str:
    names = list(rows[0]) if rows else []
    cells = [
        [
            pretty(str(row[name]))
            if name == "term"
            else p_value(row[name])
            if name == "p_value" and isinstance(row[name], float)
            else _plain_number(row[name])
            for name in names
        ]
        for row in rows
    ]
    return Table([_HEADS.get(name, name.replace("_", " ")) for name in names], cells).html()


def _plain_number(value: Any) -> str:
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, datetime.date):
        return value.isoformat()
    return number(value, 3)


def _design_card(result: Any) -> str:
    """Show the design that was committed to, before any of its numbers."""
    design = result.design
    facts: list[tuple[str, str]] = []

    def fact(label: str, value: Any) -> None:
        if value is None or value == "" or value == [] or value == {}:
            return
        if isinstance(value, Mapping):
            value = ", ".join(f"{name} ({share})" for name, share in value.items())
        elif isinstance(value, list | tuple):
            value = ", ".join(str(item) for item in value)
        facts.append((label, html.escape(str(value))))

    fact("Trial", getattr(design, "name", None))
    fact("Arms (ratio)", getattr(design, "arms", None))
    unit = getattr(design, "cluster", None) or getattr(design, "unit", None)
    fact("Unit randomised", unit)
    fact("Strata", getattr(design, "strata", None))
    method = getattr(design, "method", None)
    fact("Procedure", getattr(method, "name", method))
    made = _commitment(result)
    if made is not None:
        code = str(getattr(made, "digest", made))
        label = str(getattr(made, "label", "") or "")
        words = f"<code>{html.escape(code)}</code>"
        facts.append(("Commitment", words + (f"<br>{html.escape(label)}" if label else "")))
    pairs = "".join(f"<div><dt>{label}</dt><dd>{value}</dd></div>" for label, value in facts)
    return f'<dl class="card">{pairs}</dl>'


def _commitment(result: Any) -> Any:
    """Give the commitment that was drawn with, or that of the design; None for observed trials."""
    if hasattr(result, "commitment"):
        return result.commitment
    commit = getattr(result.design, "commitment", None)
    return commit() if callable(commit) else commit


def _date(date: datetime.date | str | None) -> datetime.date:
    if date is None:
        return datetime.date.today()
    # NaT is an instance of datetime, and no date.
    if isinstance(date, datetime.datetime) and date == date:
        if date.utcoffset() is not None:
            raise fault(
                InputError,
                f"the date '{date}' carries a time zone, so its day depends on the place",
                remedy="Pass the day itself, as 2016-11-01",
            )
        return date.date()
    if isinstance(date, datetime.date) and date == date:
        return date
    try:
        return datetime.date.fromisoformat(str(date))
    except ValueError as error:
        raise fault(
            InputError,
            f"'{date}' is not a date",
            remedy="Write it as 2016-11-01, or pass a datetime.date",
        ) from error


_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def _printed(date: datetime.date) -> str:
    """Write the date as the British do, whatever the machine's locale."""
    return f"{date.day} {_MONTHS[date.month - 1]} {date.year}"
