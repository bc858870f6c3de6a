"""From results to a document: tables as sheets, figures as drawings, and the methods and warnings that come along."""

from __future__ import annotations

import copy
import datetime
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from crewe.exceptions import InputError, fault
from crewe.frames.ids import unnamed
from crewe.plots import style
from crewe.report import gathering, record
from crewe.report.blocks import Estimand, Part
from crewe.report.card import design_card
from crewe.report.document import Block, Document, Drawing, Grid, Paragraph, Section
from crewe.report.gathering import Gathered
from crewe.report.naming import Names
from crewe.report.pictures import Picture, figure_picture, is_figure, svg_of, svg_picture
from crewe.report.protection import Guard
from crewe.report.reading import bare, kinds_of, panels, unsaid, with_minus
from crewe.report.versions import versions
from crewe.report.words import markdown, plain
from crewe.tables import protocols
from crewe.tables.display import Table
from crewe.tables.labels import sentence
from crewe.tables.sheet import Sheet, clean
from crewe.tables.table import ModelTable
from crewe.tables.wording import wording

Items = Mapping[str, Sequence[str]]
"""Of a list of what a report must hold, the numbers of its items."""


@dataclass(frozen=True)
class Entry:
    """What one call added to a report."""

    source: Any
    heading: str = ""
    text: str = ""
    caption: str = ""
    figure: bool | None = None
    figure_caption: str = ""
    alt: str = ""
    synthetic: bool | None = None
    estimand: str = ""
    items: Items = field(default_factory=dict)
    ids: Sequence[str] = ()


@dataclass
class Held:
    """What a report holds at a place, for the lists of what it must hold."""

    kinds: frozenset[str]
    place: str
    items: Items


class Builder:
    """A report while it is built.

    Attributes
    ----------
    names : Names
        What everything is called.
    guard : Guard
        What every table and figure passes.
    place : int
        The place of the call that is built, from 0.
    synthetic : bool
        Whether anything so far rests on synthetic data.
    sections : list of Section
        What was added, in order.
    records, estimands : list of dict
        What `results.json` says of results and of what they estimate.
    held : list of Held
        What a checklist finds.
    """

    def __init__(self, names: Names, synthetic: bool, guard: Guard | None = None) -> None:
        self.names = names
        self.guard = guard or Guard()
        self.place = -1
        self.synthetic = synthetic
        self.sections: list[Gathered] = []
        self.records: list[dict[str, Any]] = []
        self.estimands: list[dict[str, Any]] = []
        self.held: list[Held] = []
        self.figures = 0
        self.tables = 0
        self._slugs: set[str] = {"main", "contents", "notes", "methods", "software"}
        self._slugs |= {"lists-tables", "lists-figures", "disclosure-control"}

    # -- what is added ---------------------------------------------------------------------

    def add(self, entry: Entry) -> None:
        """Add what one call gave; where it is refused, nothing is added."""
        before = self._state()
        try:
            self._put(entry)
        except BaseException:
            self.__dict__.update(before)
            raise

    def _state(self) -> dict[str, Any]:
        """Give everything that an addition changes, so that it can be put back."""
        state = {**self.__dict__, "guard": copy.copy(self.guard)}
        for name in ("records", "estimands", "held"):
            state[name] = list(state[name])
        state["_slugs"] = set(self._slugs)
        state["sections"] = [
            replace(
                one,
                blocks=list(one.blocks),
                methods=list(one.methods),
                notes=list(one.notes),
                warned=list(one.warned),
            )
            for one in self.sections
        ]
        return state

    def _put(self, entry: Entry) -> None:
        source = entry.source
        self.place += 1
        if source is None:
            section = self._section(entry.heading)
            section.blocks += markdown(entry.text)
            self._hold(entry, section, frozenset({"Text"}), "")
        elif isinstance(source, Part):
            self._part(entry, source)
        elif isinstance(source, Picture):
            self._picture(entry, source)
        else:
            self._result(entry, source)

    def _part(self, entry: Entry, part: Part) -> None:
        section = self._section(entry.heading or part.heading)
        if entry.text:
            section.blocks += markdown(entry.text)
        kind = type(part).__name__
        if isinstance(part, Estimand):
            self.estimands.append(
                {
                    "id": f"estimand-{len(self.estimands) + 1}",
                    **{name: getattr(part, name) or None for name in part.__dataclass_fields__},
                    "intercurrent": dict(part.intercurrent),
                }
            )
            part = replace(part, outcome=self.names.of(part.outcome))
        section.blocks += part.blocks()
        kinds = frozenset({kind, *(f"{kind}.{name}" for name in part.said())})
        self._hold(entry, section, kinds, "")

    def _picture(self, entry: Entry, picture: Picture) -> None:
        section = self._section(entry.heading)
        if entry.text:
            section.blocks += markdown(entry.text)
        self._figure(section, picture, entry.caption, entry.alt)
        self._hold(entry, section, frozenset({"Figure"}), f"Figure {self.figures}")

    def _result(self, entry: Entry, result: Any) -> None:
        # The report's own words go before those that a result brings from its design.
        with wording(self.names.labels):
            self._shown(entry, result)

    def _shown(self, entry: Entry, result: Any) -> None:
        made_up = self.made_up(result, entry.synthetic)
        printed = panels(result)
        drawn = not protocols.is_frame(result) and (
            isinstance(result, protocols.Plotted) or svg_of(result) is not None
        )
        if printed is None and not drawn:
            raise fault(
                InputError,
                f"{type(result).__name__} has nothing to show",
                remedy="Give a result with tidy(), a table, a data frame or a figure",
            )
        section = self._section(entry.heading)
        if entry.text:
            section.blocks += markdown(entry.text)
        if protocols.attribute(result, "design") is not None:
            section.blocks.append(design_card(result, self.names))
        self.guard.frame(result, entry.ids, made_up)
        found = None if printed is None else self._guarded(printed, made_up)
        names = self.names.of_result(result)
        notes = protocols.notes(result)
        labels: list[str] = []
        if found is not None:
            labels += self._tables(section, entry, result, found, notes, names)
        if drawn if entry.figure is None and not protocols.formula(result) else entry.figure:
            self._draw(section, entry, result, made_up, labels, names)
            labels.append(f"Figure {self.figures}")
        place = ", ".join(labels)
        if isinstance(result, ModelTable):
            for name, source in zip(result.names, result.sources, strict=True):
                said = self._sentences(source, self.names.of_result(source))
                section.methods.append((f"{place}, {name}", said))
        else:
            section.methods.append((place, self._sentences(result, names)))
        # What stands under a table is only pointed to.
        if found is not None and notes:
            section.warned += [label for label in labels if label.startswith("Table")]
        else:
            said = [sentence(self.names.said(unnamed(note), names)) for note in notes]
            section.notes += [f"{place}: {note}" if place else note for note in said]
        self._record(entry, result, section, labels, made_up)
        self._hold(entry, section, kinds_of(result), place)

    def _guarded(
        self, printed: Sequence[Block | Table | Sheet], made_up: bool
    ) -> list[Block | Sheet]:
        """Let the guard see every table before it is only text."""
        tables = [one for one in printed if isinstance(one, Table)]
        rest = iter(self.guard.tables(self.place, tables, made_up))
        alone = len(tables) == 1
        return [next(rest).sheet(alone) if isinstance(one, Table) else one for one in printed]

    # -- sections --------------------------------------------------------------------------

    def _section(self, heading: str) -> Gathered:
        if heading or not self.sections:
            self.sections.append(Gathered(clean(heading), self._slug(heading or "summary")))
        return self.sections[-1]

    def _slug(self, heading: str) -> str:
        letters = unicodedata.normalize("NFKD", heading).encode("ascii", "ignore").decode()
        base = re.sub(r"[^a-z0-9]+", "-", letters.lower()).strip("-") or "section"
        if re.match(r"(table|figure|fig)-?\d", base):
            base = f"section-{base}"
        slug, again = base, 2
        while slug in self._slugs:
            slug, again = f"{base}-{again}", again + 1
        self._slugs.add(slug)
        return slug

    def _hold(self, entry: Entry, section: Section, kinds: frozenset[str], place: str) -> None:
        number = sum(bool(one.heading) for one in self.sections)
        where = f"section {number}" if section.heading else "summary"
        where += f", {place}" if place else ""
        self.held.append(Held(kinds, where, entry.items))

    def made_up(self, result: Any, synthetic: bool | None) -> bool:
        """Say whether this result is synthetic; the banner follows from any that is."""
        if synthetic is None:
            drawn = is_figure(result) and style.is_synthetic(result)
            synthetic = self.synthetic or protocols.synthetic(result) or drawn
        self.synthetic = self.synthetic or synthetic
        return synthetic

    # -- tables ----------------------------------------------------------------------------

    def _tables(
        self,
        section: Gathered,
        entry: Entry,
        result: Any,
        found: Sequence[Block | Sheet],
        notes: Sequence[str],
        names: Mapping[str, str],
    ) -> list[str]:
        others = [sentence(unnamed(note)) for note in unsaid(notes, found, result)]
        methods = {bare(one) for one in protocols.methods(result)}
        title, labels = entry.caption, []
        last = max((i for i, one in enumerate(found) if isinstance(one, Sheet)), default=-1)
        for i, one in enumerate(found):
            if not isinstance(one, Sheet):
                section.blocks.append(one)
                continue
            # What the methods say is not said again under every table.
            own = [note for note in one.notes if bare(note) not in methods]
            own = [*map(unnamed, own), *(others if i == last else [])]
            written = one.title
            one = self.names.sheet(replace(one, notes=tuple(map(clean, own))), names)
            # The words of whoever gave a table its title are nobody's names.
            theirs = result.title if isinstance(result, ModelTable) else ""
            of_its_own = written if theirs and written.startswith(theirs) else one.title
            shown = clean(title) or of_its_own[:1].upper() + of_its_own[1:] or section.heading
            title = ""
            self.tables += 1
            section.blocks.append(Grid(self.tables, with_minus(replace(one, title=shown))))
            labels.append(f"Table {self.tables}")
        if last < 0:
            section.blocks += [Paragraph(plain(note)) for note in others]
        return labels

    def _sentences(self, result: Any, names: Mapping[str, str]) -> list[str]:
        return [self.names.said(clean(one), names) for one in protocols.methods(result)]

    # -- figures ---------------------------------------------------------------------------

    def _draw(
        self,
        section: Gathered,
        entry: Entry,
        result: Any,
        made_up: bool,
        tables: Sequence[str],
        names: Mapping[str, str],
    ) -> None:
        caption = entry.figure_caption or entry.caption or section.heading
        alt = entry.alt or self.names.said(protocols.description(result), names)
        ready = svg_of(result)
        if ready is not None:
            self._figure(section, svg_picture(ready, made_up), caption, alt)
            return
        import matplotlib.pyplot as plt

        made = style.figure_of(result.plot())
        try:
            alt = alt or self.names.said(style.alt_of(made), names)
            if not alt and tables:
                alt = f"{caption}. The numbers are in {' and '.join(tables)}."
            self._figure(section, figure_picture(made, made_up, self.names), caption, alt)
        finally:
            # A notebook shows every figure that is left open.
            plt.close(made)

    def _figure(self, section: Gathered, picture: Picture, caption: str, alt: str) -> None:
        alt = alt or picture.alt
        if not (caption or alt):
            raise fault(
                InputError,
                "a figure needs words for readers who cannot see it",
                remedy="Pass caption= and alt=, the text to be read out in place of the figure",
            )
        number = self.figures + 1
        caption, alt = clean(caption), clean(alt or caption)
        if picture.synthetic:
            alt = f"Synthetic data. {alt}"
        svg = picture.make(f"Figure {number}. {caption}".rstrip(), alt, f"fig{number}")
        self.figures = number
        section.blocks.append(Drawing(number, caption, alt, svg))

    # -- numbers ---------------------------------------------------------------------------

    def _record(
        self, entry: Entry, result: Any, section: Gathered, labels: Sequence[str], made_up: bool
    ) -> None:
        for one in record.records(result):
            one["synthetic"] = one["synthetic"] or made_up
            outcome = entry.estimand or one["outcome"]
            one["estimand"] = next(
                (
                    known["id"]
                    for known in self.estimands
                    if outcome and outcome in (known["name"], known["outcome"])
                ),
                None,
            )
            if entry.estimand and one["estimand"] is None:
                raise fault(
                    InputError,
                    f"no estimand is called '{entry.estimand}'",
                    values=[known["name"] or known["outcome"] for known in self.estimands],
                    remedy="Add the Estimand before its results, and name it as its name= or outcome= does",
                )
            place = {
                "id": f"result-{len(self.records) + 1}",
                "section": section.heading or "Summary",
                "tables": [label for label in labels if label.startswith("Table")],
                "figures": [label for label in labels if label.startswith("Figure")],
            }
            self.records.append(self.guard.record(self.place, {**place, **one}))

    # -- the whole -------------------------------------------------------------------------

    def document(self, title: str, subtitle: str, author: str, date: datetime.date) -> Document:
        """Give the whole report, with what is gathered from all of its results."""
        software = versions()
        sections: list[Section] = [
            Section(one.heading, one.slug, list(one.blocks)) for one in self.sections
        ]
        for heading, slug, blocks in (
            ("Disclosure control", "disclosure-control", self.guard.said()),
            ("Notes and warnings", "notes", gathering.notes(self.sections)),
            ("Methods and definitions", "methods", gathering.methods(self.sections)),
            ("Software", "software", gathering.software_used(software)),
        ):
            if blocks:
                sections.append(Section(heading, slug, blocks))
        return Document(
            title=clean(title),
            subtitle=clean(subtitle),
            author=clean(author),
            date=date,
            synthetic=self.synthetic,
            statement=self.guard.statement(),
            sections=sections,
            software=software,
            results={"estimands": self.estimands, "results": self.records},
        )
