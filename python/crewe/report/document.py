"""A report before it has a format: sections of blocks, which every writer is given.

The order of work is always the same: results are read into a document (`building`), the words of its labels are put in
(`naming`), a rule of disclosure passes over it (`protection`), and one writer turns it into a file (`writers`). Nothing
after the first step sees a result, and nothing before the last knows of a format.
"""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

from crewe.tables.sheet import Sheet, Stacked


@dataclass(frozen=True)
class Run:
    """Some letters in one look.

    Attributes
    ----------
    text : str
        The letters.
    bold, italic, code : bool
        How they look.
    link : str
        Where they lead: an address on the web, or `#` and the anchor of a part of the report; nowhere where empty.
    """

    text: str
    bold: bool = False
    italic: bool = False
    code: bool = False
    link: str = ""


Runs = tuple[Run, ...]


@dataclass(frozen=True)
class Paragraph:
    """A paragraph."""

    runs: Runs


@dataclass(frozen=True)
class Listing:
    """A list of points, numbered or not, each with the points under it."""

    items: tuple[tuple[Runs, tuple[Runs, ...]], ...]
    ordered: bool = False


@dataclass(frozen=True)
class Subheading:
    """A heading within a section."""

    runs: Runs


@dataclass(frozen=True)
class Facts:
    """Names with what they stand for: a design, an estimand, abbreviations.

    Attributes
    ----------
    pairs : tuple of (str, Runs)
        Each name with its words.
    look : str
        `"card"` for a box of its own, `"versions"` for a long list of short words.
    """

    pairs: tuple[tuple[str, Runs], ...]
    look: str = "card"


@dataclass(frozen=True)
class Grid:
    """A numbered table.

    Attributes
    ----------
    number : int
        Its place among the tables of the report, from 1.
    sheet : Sheet
        Its caption, cells and notes.
    """

    number: int
    sheet: Sheet

    @property
    def name(self) -> str:
        """What the report calls it."""
        return f"Table {self.number}"

    @property
    def anchor(self) -> str:
        """Where links to it lead."""
        return f"table-{self.number}"

    @property
    def wide(self) -> bool:
        """Whether a page of A4 must lie on its side for it."""
        return room(self.sheet) > PORTRAIT


@dataclass(frozen=True)
class Drawing:
    """A numbered figure.

    Attributes
    ----------
    number : int
        Its place among the figures of the report, from 1.
    caption, alt : str
        Its title, and what is read out in its place.
    svg : str
        The picture, which loads and runs nothing.
    """

    number: int
    caption: str
    alt: str
    svg: str = field(repr=False)

    @property
    def name(self) -> str:
        """What the report calls it."""
        return f"Figure {self.number}"

    @property
    def anchor(self) -> str:
        """Where links to it lead."""
        return f"figure-{self.number}"


Block = Paragraph | Listing | Subheading | Facts | Grid | Drawing


@dataclass
class Section:
    """A part of a report under its heading; the first may have none.

    Attributes
    ----------
    heading : str
        What stands over it.
    slug : str
        Its anchor.
    blocks : list
        What it holds, in order.
    """

    heading: str
    slug: str
    blocks: list[Block] = field(default_factory=list)


@dataclass(frozen=True)
class Group:
    """Blocks of a section that stand on pages of one kind.

    Attributes
    ----------
    heading : bool
        Whether the heading of the section stands over them.
    wide : bool
        Whether their pages lie on their side.
    blocks : list
        The blocks.
    """

    heading: bool
    wide: bool
    blocks: list[Block]


def groups(section: Section) -> list[Group]:
    """Part the blocks of a section by the kind of their pages; words that lead to a wide table go with it.

    So does the heading where nothing else stands before the table.
    """
    made: list[Group] = []
    for wide, found in itertools.groupby(
        section.blocks, lambda block: isinstance(block, Grid) and block.wide
    ):
        blocks = list(found)
        if wide and made:
            before = made[-1].blocks
            leading = list(
                itertools.takewhile(
                    lambda block: isinstance(block, Paragraph | Subheading), reversed(before)
                )
            )[:2]
            blocks = [*reversed(leading), *blocks]
            made[-1] = Group(made[-1].heading, False, before[: len(before) - len(leading)])
            if not made[-1].blocks:
                made.pop()
        made.append(Group(not made, wide, blocks))
    return made or [Group(True, False, [])]


@dataclass
class Document:
    """A whole report.

    Attributes
    ----------
    title, subtitle, author : str
        What stands on its first page.
    date : date
        The day that it carries.
    synthetic : bool
        Whether its numbers rest on synthetic data, so that every page says so.
    statement : str
        What the first page and the foot of every page say of small numbers; nothing where empty.
    sections : list of Section
        What it says.
    software : mapping of str to str
        The versions that made it.
    results : dict
        What `results.json` holds of it, beside what is printed.
    """

    title: str
    subtitle: str
    author: str
    date: datetime.date
    synthetic: bool
    statement: str
    sections: list[Section]
    software: Mapping[str, str]
    results: dict[str, Any] = field(default_factory=dict)

    def numbered(self) -> Iterator[tuple[str, Section]]:
        """Give each section with its number; one without a heading has none."""
        count = 0
        for section in self.sections:
            count += bool(section.heading)
            yield (str(count) if section.heading else ""), section

    @property
    def tables(self) -> list[Grid]:
        """The tables in their order."""
        return [block for one in self.sections for block in one.blocks if isinstance(block, Grid)]

    @property
    def figures(self) -> list[Drawing]:
        """The figures in their order."""
        return [
            block for one in self.sections for block in one.blocks if isinstance(block, Drawing)
        ]

    @property
    def anchors(self) -> set[str]:
        """Where links within the report may lead."""
        numbered: list[Grid | Drawing] = [*self.tables, *self.figures]
        return {section.slug for section in self.sections} | {one.anchor for one in numbered}

    @property
    def printed_date(self) -> str:
        """The date in words."""
        return printed(self.date)


def strings(part: object) -> Iterator[str]:
    """Give every text within a part of a document, or within a whole one."""
    if isinstance(part, str):
        yield part
    elif isinstance(part, Mapping):
        for name, value in part.items():
            yield from strings(name)
            yield from strings(value)
    elif isinstance(part, list | tuple):
        for one in part:
            yield from strings(one)
    elif is_dataclass(part):
        for own in fields(part):
            yield from strings(getattr(part, own.name))


_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def printed(date: datetime.date) -> str:
    """Write a date as the British do, whatever the machine's locale."""
    return f"{date.day} {_MONTHS[date.month - 1]} {date.year}"


BANNER = (
    "Synthetic data.",
    "The numbers in this report come in whole or in part from data made by a program. They say nothing about any real "
    "person, family or service.",
)
"""What the first page of a report of synthetic data says: what stands out, and the rest."""

PORTRAIT = 118.0
"""The letters of 8 points that stand side by side on a page of A4 that stands upright, columns with their gaps."""


def room(sheet: Sheet) -> float:
    """Give the least width of a table in letters: of each column its longest word, and a gap.

    Numbers are one word, with their signs and brackets; a label may break at spaces, down to the width of a short line.
    """
    return sum(least for least, _ in widths(sheet))


def widths(sheet: Sheet) -> list[tuple[float, float]]:
    """Give for each column the least width in letters, and the width at which nothing breaks; gaps are in both."""
    lines = sheet.lines()
    heads = len(sheet.heads)
    found = []
    for j, place in enumerate(sheet.align):
        # Headings and labels may break between words, numbers may not; where they stand under brackets, their lines.
        broken = [word for row in lines[:heads] for word in row[j].split()]
        whole = [row[j] for row in lines[heads:]]
        least = max(
            [
                *(len(word) for word in broken),
                *(
                    max((len(w) for w in cell.split()), default=0) if place == "l" else _line(cell)
                    for cell in whole
                ),
                2,
            ]
        )
        if place == "l":
            # A label of a few words on as many lines is hard to read.
            least = max(least, min(14, max((_line(cell) for cell in whole), default=0)))
        most = max(least, *(_line(row[j]) for row in lines))
        found.append((least + 2.0, most + 2.0))
    return found


def _line(cell: str) -> int:
    return max((len(line) for line in cell.split("\n")), default=0)


def shares(sheet: Sheet, room_for: float) -> list[float]:
    """Share out a width, in letters, over the columns: each its least, the rest by what it holds."""
    columns = widths(sheet)
    least = sum(one for one, _ in columns)
    spare = max(room_for - least, 0.0)
    more = [min(most, 60.0) - one if most > one else 0.0 for one, most in columns]
    wish = sum(more)
    given = [
        one + (min(spare, wish) * m / wish if wish else 0.0)
        for (one, _), m in zip(columns, more, strict=True)
    ]
    total = sum(given)
    return [one / total for one in given]


def texts(sheet: Sheet) -> Iterator[str]:
    """Give every text of a table but its caption and notes."""
    for row in (*sheet.heads, *sheet.rows, *sheet.facts):
        for cell in row:
            if isinstance(cell, Stacked):
                yield cell.top
                yield cell.below
            else:
                yield cell
