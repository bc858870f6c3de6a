"""The report: what is added to it in order, and the formats that it is saved in."""

from __future__ import annotations

import datetime
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from crewe.disclosure import Rule
from crewe.exceptions import InputError, fault, said
from crewe.files.writing import as_path, encoded, write
from crewe.frames.arguments import check_methods
from crewe.plots import style
from crewe.report import writers
from crewe.report.blocks import Part
from crewe.report.building import Builder, Entry
from crewe.report.check import Checklist, check_items, checklist
from crewe.report.document import Document, printed, strings
from crewe.report.naming import Names
from crewe.report.pictures import figure_picture, is_figure
from crewe.report.protection import Ruled
from crewe.report.writers.registry import WRITERS, by_ending

__all__ = ["Report", "writers"]


class Report:
    """A report made from results, in the order in which they are added: HTML, PDF, Word and `results.json`.

    The contents, the lists of tables and figures, the methods with their definitions, where the warnings of results
    stand, the software and its versions, and a banner where data are synthetic are put in by the report itself. The
    HTML file loads nothing from anywhere. The same input gives the same bytes.

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
    labels : mapping of str to str, optional
        What columns, outcomes, arms, levels and terms are called, in every table, figure and sentence of the report:
        `{"arm": "Service", "crewe": "Project Crewe", "days_absent": "days absent"}`. Terms that are made of them follow:
        `arm[T.crewe]` is printed as "Service: Project Crewe", `np.log1p(days_absent)` as "logarithm of 1 + days
        absent". Words that the caller writes stay as they are.
    disclosure : Rule, optional
        The rule of disclosure under which the report goes out: `cw.disclosure.DFE`. All tables are protected together,
        figures beside them, and the report says what was done. Without one, a report that shows small counts of real
        data says on its first page and at the foot of every page that it is not for publication.

    Raises
    ------
    InputError
        Where there is no title, and for labels that are no text.

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
        labels: Mapping[str, str] | None = None,
        disclosure: Rule | None = None,
    ) -> None:
        if not isinstance(title, str) or not title.strip():
            raise fault(
                InputError,
                "a report needs a title",
                values=[] if isinstance(title, str) else [said(title)],
                remedy="Write Report('What it is about')",
            )
        self.title = str(title)
        self.subtitle = str(subtitle)
        self.author = str(author)
        self.date = _date(date)
        self._rule = _rule(disclosure)
        self._given = bool(synthetic)
        self._built = Builder(Names(_labels(labels)), bool(synthetic))
        # What was added, to be read again under a rule of disclosure.
        self._entries: list[Entry] | None = []

    @property
    def synthetic(self) -> bool:
        """Whether anything in the report rests on synthetic data."""
        return self._built.synthetic

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
        estimand: str = "",
        items: Mapping[str, Sequence[str]] | None = None,
        ids: Sequence[str] = (),
    ) -> Report:
        """Add a result: its words, its table and its figure; or a part in words, such as `cw.report.Estimand`.

        Parameters
        ----------
        result : any result, table, data frame, matplotlib figure or Axes, or part in words
            What to show.
        heading : str
            Begins a new section; without one the result joins the section before. Parts in words have a heading of their own.
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
        estimand : str
            The name or the outcome of the `Estimand`, added before, that its numbers estimate; that of its own outcome otherwise.
        items : mapping of str to sequence of str, optional
            Items of checklists that it answers, where that cannot be seen from what it is:
            `{"CONSORT 2025": ["11", "12a"]}`. See `check`.
        ids : sequence of str
            Columns of a data frame that hold identifiers of people or units, and are to be printed all the same.

        Returns
        -------
        Report
            Itself, so that calls can be chained.

        Raises
        ------
        InputError
            Where the object is nothing that can be shown, for a data frame of real data that holds identifiers which
            `ids=` does not name, and for an unknown estimand or item.
        """
        if result is None:
            raise fault(
                InputError,
                "there is nothing to add: the result is None",
                remedy="Give a result; words alone are added by add_text",
            )
        if is_figure(result):
            return self.add_figure(
                result,
                caption=caption,
                alt=alt,
                heading=heading,
                text=text,
                synthetic=synthetic,
                items=items,
            )
        if isinstance(result, type) and issubclass(result, Part):
            raise fault(
                InputError,
                f"{result.__name__} is the kind of a part, and not one",
                remedy=f"Fill it in: {result.__name__}(...)",
            )
        return self._add(
            Entry(
                result,
                heading=heading,
                text=text,
                caption=caption,
                figure=figure,
                figure_caption=figure_caption,
                alt=alt,
                synthetic=synthetic,
                estimand=estimand,
                items=_items(items),
                ids=[ids] if isinstance(ids, str) else list(ids),
            )
        )

    def add_figure(
        self,
        ax: Any,
        *,
        caption: str = "",
        alt: str = "",
        heading: str = "",
        text: str = "",
        synthetic: bool | None = None,
        items: Mapping[str, Sequence[str]] | None = None,
    ) -> Report:
        """Add a matplotlib figure, as it is now.

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
        items : mapping of str to sequence of str, optional
            As in `add`.

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
        drawn = figure_picture(made, self._built.made_up(ax, synthetic), self._built.names)
        entry = Entry(
            drawn, heading=heading, text=text, caption=caption, alt=alt, items=_items(items)
        )
        return self._add(entry)

    def add_text(
        self,
        text: str,
        *,
        heading: str = "",
        items: Mapping[str, Sequence[str]] | None = None,
    ) -> Report:
        """Add words in a little Markdown: paragraphs, lists, `###` headings, bold, code, links."""
        return self._add(Entry(None, heading=heading, text=text, items=_items(items)))

    def _add(self, entry: Entry) -> Report:
        self._built.add(entry)
        if self._entries is not None:
            self._entries.append(entry)
        return self

    def __getstate__(self) -> dict[str, Any]:
        # What is printed goes along; results, with the data that they may hold, do not.
        return {**self.__dict__, "_entries": None}

    @property
    def html(self) -> str:
        """The whole page."""
        return str(WRITERS["html"].write(self._document()))

    def save(self, path: str | os.PathLike[str], *, disclosure: Rule | None = None) -> Path:
        """Write the report in the format that the ending names, and give its path; folders on the way are made.

        The endings are `.html` or `.htm` (also where there is none), `.pdf`, `.docx`, and `.json` for the numbers
        (`crewe.results.load` reads them back). The file is written whole or not at all: where that fails, the one that
        was there before is untouched.

        Parameters
        ----------
        path : str or path
            Where to.
        disclosure : Rule, optional
            The rule of disclosure for this file, in place of the report's own.

        Raises
        ------
        InputError
            For another ending, text that is no Unicode, and a path that is a folder; under a rule for a report out of a
            pickle, which holds no results, and where the rule refuses.
        CreweError
            Where the system does not write: no room, no right, no such disk; and where a format needs a package that is
            not installed.
        """
        format = by_ending(path) if as_path(path).suffix else WRITERS["html"]
        document = self._document(_rule(disclosure))
        # Half a character is refused in the same words whatever the format.
        for text in strings(document):
            encoded(text)
        return write(path, format.write(document))

    def check(self, standard: str, *, clusters: bool | None = None) -> Checklist:
        """Say which items of a published list the report meets, and where; which are missing.

        Parameters
        ----------
        standard : str
            `"CONSORT 2025"`, `"CONSORT 2010 clusters"` (the extension of 2012) or `"EEF report"`.
        clusters : bool, optional
            Whether to add what a list asks of trials of clusters; where a result has clusters otherwise.

        Returns
        -------
        Checklist
            Prints as a table; `tidy()` has one row an item.

        Raises
        ------
        InputError
            For an unknown list.

        Examples
        --------
        >>> import crewe as cw
        >>> report = cw.Report("A randomised trial").add(cw.report.Limitations(["One site."]))
        >>> report.check("CONSORT 2025").met
        ['1a', '30']
        """
        return checklist(standard, self._built.held, self.title, clusters)

    def _document(self, rule: Rule | None = None) -> Document:
        """Give the report as every writer takes it, under a rule where there is one."""
        front = (self.title, self.subtitle, self.author, self.date)
        rule = rule or self._rule
        if rule is None:
            return self._built.document(*front)
        if self._entries is None:
            raise fault(
                InputError,
                "this report came out of a pickle, which holds no results to protect",
                remedy="Make the report again where its results are",
            )
        guard = Ruled(rule, [entry.source for entry in self._entries])
        built = Builder(self._built.names, self._given, guard)
        with guard.building():
            for entry in self._entries:
                built.add(entry)
        return built.document(*front)

    def __repr__(self) -> str:
        built = self._built
        headings = [section.heading for section in built.sections if section.heading]
        date = printed(self.date)
        return (
            f"Report: {self.title} ({date})\n"
            f"{len(headings)} sections, {built.tables} tables, {built.figures} figures\n"
            + "".join(f"  {i + 1}. {heading}\n" for i, heading in enumerate(headings))
        ).rstrip()


check_methods(Report)


def _labels(labels: Mapping[str, str] | None) -> dict[str, str]:
    if labels is None:
        return {}
    if not isinstance(labels, Mapping) or not all(
        isinstance(text, str) for pair in labels.items() for text in pair
    ):
        raise fault(
            InputError,
            "labels= takes what each name is called, as text",
            remedy="Write labels={'days_absent': 'days absent', 'crewe': 'Project Crewe'}",
        )
    return dict(labels)


def _rule(rule: Rule | None) -> Rule | None:
    if rule is not None and not isinstance(rule, Rule):
        raise fault(
            InputError,
            f"disclosure= takes a rule, not a {type(rule).__name__}",
            remedy="Pass cw.disclosure.DFE, or a cw.disclosure.Rule of your own",
        )
    return rule


def _items(items: Mapping[str, Sequence[str]] | None) -> dict[str, tuple[str, ...]]:
    return {} if items is None else check_items(items)


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
