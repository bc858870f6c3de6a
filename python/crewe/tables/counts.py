"""Counts in tables: how many and of whom, so that small ones can be protected wherever they are printed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any

from crewe.exceptions import InputError, fault
from crewe.tables.labels import share

At = tuple[tuple[str, str], ...]
"""Dimensions and levels, sorted; a dimension that is not named is summed over."""


@dataclass(frozen=True)
class Count:
    """How many, and of whom.

    Attributes
    ----------
    value : int
        How many.
    at : tuple of (str, str)
        Whose count it is: dimensions with their levels. A margin leaves a dimension out.
    of : str
        What is counted: rows, families, children.
    harmless : bool
        Whether it needs no protection: it says nothing of anybody, or is told elsewhere. Where it is
        printed it is never left out.
    withheld : bool
        Whether somebody has already left it out, so that no reader sees it.
    """

    value: int
    at: At = ()
    of: str = "rows"
    harmless: bool = field(default=False, compare=False)
    withheld: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        return f"{self.value:,}"

    @property
    def where(self) -> str:
        """Whose count it is, in words."""
        return ", ".join(f"{name}: {level}" for name, level in self.at) or "all"


def counted(
    value: Any,
    at: Mapping[str, Any] | None = None,
    of: str = "rows",
    *,
    harmless: bool = False,
    withheld: bool = False,
) -> Count:
    """Make a count; what is negative, fractional or no number is refused.

    Examples
    --------
    >>> counted(3, {"arm": "crewe", "closed": "1"}).where
    'arm: crewe, closed: 1'
    """
    places = {str(name): str(level) for name, level in (at or {}).items()}
    try:
        whole = int(value)
        fits = whole == value and whole >= 0
    except (TypeError, ValueError, OverflowError):
        fits = False
    if not fits:
        raise fault(
            InputError,
            "a count is negative, fractional or missing, and only whole numbers of people or units can be protected",
            values=[", ".join(f"{name}: {level}" for name, level in places.items())],
            remedy="Give counts from 0 upwards; weighted counts are rounded first",
        )
    return Count(whole, tuple(sorted(places.items())), of, harmless, withheld)


@dataclass(frozen=True)
class Relation:
    """A total and the parts that add up to it, as any reader knows."""

    total: Count
    parts: tuple[Count, ...]

    def __post_init__(self) -> None:
        found = sum(part.value for part in self.parts)
        if found != self.total.value:
            raise fault(
                InputError,
                f"the parts of '{self.total.where}' add up to {found:,} and their total is {self.total.value:,}",
                remedy="Give a total and parts that were counted over the same rows",
            )


@dataclass(frozen=True)
class Share:
    """A count as a share of another: it gives both away."""

    count: Count
    total: Count

    def __str__(self) -> str:
        return share_of(self.count.value, self.total.value)


@dataclass(frozen=True)
class Told:
    """Any other number, and the counts that it gives away.

    Attributes
    ----------
    text : str
        As it is printed.
    of : tuple of Count
        The counts that a reader may work out from it: the size of what it was worked out over.
    single : bool
        Whether it is the value of one person, as a minimum is.
    """

    text: str
    of: tuple[Count, ...] = ()
    single: bool = False

    def __str__(self) -> str:
        return self.text


Part = Count | Share | Told


@dataclass(frozen=True)
class Counted:
    """A cell of a table that counts stand in, or what was worked out from counts.

    Attributes
    ----------
    form : str
        How the parts stand beside each other, each as `{}`.
    parts : tuple of Count, Share or Told
        What stands there.
    """

    form: str
    parts: tuple[Part, ...]

    def __str__(self) -> str:
        return self.form.format(*self.parts)


def cell(*parts: Part, form: str = "") -> Counted:
    """Make a cell of counts.

    Examples
    --------
    >>> few, all = counted(3, {"arm": "crewe", "closed": "1"}), counted(24, {"arm": "crewe"})
    >>> str(cell(few, Share(few, all), form="{} ({})"))
    '3 (12.5%)'
    """
    return Counted(form or " ".join("{}" for _ in parts), parts)


def share_of(count: int, total: int) -> str:
    """Write a share, a dash where there is nothing to share."""
    return "–" if total == 0 else share(count / total)


def counts_in(part: Part) -> tuple[Count, ...]:
    """Give the counts that a part of a cell gives away."""
    if isinstance(part, Count):
        return (part,)
    return (part.count, part.total) if isinstance(part, Share) else part.of


def crossed(cells: Sequence[Count]) -> list[Relation]:
    """Give every margin of cells that are cross-classified in full, with the cells that it sums.

    Examples
    --------
    >>> cells = [counted(n, {"arm": arm, "closed": closed})
    ...          for n, arm, closed in [(3, "a", "0"), (9, "a", "1"), (7, "b", "0"), (2, "b", "1")]]
    >>> [(relation.total.where, relation.total.value) for relation in crossed(cells)][:2]
    [('closed: 0', 10), ('closed: 1', 11)]
    """
    found: dict[tuple[At, str], Relation] = {}
    waiting = [list(cells)]
    seen: set[tuple[str, ...]] = set()
    while waiting:
        level = waiting.pop(0)
        for name in [name for name, _ in level[0].at] if level else []:
            groups: dict[At, list[Count]] = {}
            for one in level:
                groups.setdefault(tuple(pair for pair in one.at if pair[0] != name), []).append(one)
            margin = [
                Count(sum(part.value for part in parts), at, level[0].of)
                for at, parts in groups.items()
            ]
            for total, parts in zip(margin, groups.values(), strict=True):
                found.setdefault((total.at, name), Relation(total, tuple(parts)))
            left = tuple(pair[0] for pair in margin[0].at)
            if left not in seen:
                seen.add(left)
                waiting.append(margin)
    return list(found.values())


REST = ("", "the rest")
DIFFERENCE = ("", "the difference")


def relations_of(total: Count, part: Count, mark: tuple[str, str] = REST) -> Relation:
    """Say that one count is part of another; what is left is nobody's business, or a `DIFFERENCE` to look at."""
    rest = Count(total.value - part.value, (*part.at, mark), part.of, harmless=True)
    return Relation(total, (part, rest))


def within(value: Any, place: tuple[str, str]) -> Any:
    """Give what holds counts (a count, a part, a cell, a relation) as that of one group; else as it is."""
    if isinstance(value, Count):
        return replace(value, at=tuple(sorted({*value.at, place})))
    if isinstance(value, Share):
        return Share(within(value.count, place), within(value.total, place))
    if isinstance(value, Told):
        return replace(value, of=tuple(within(count, place) for count in value.of))
    if isinstance(value, Counted):
        return Counted(value.form, tuple(within(part, place) for part in value.parts))
    if isinstance(value, Relation):
        parts = tuple(within(part, place) for part in value.parts)
        return Relation(within(value.total, place), parts)
    return value


def over_groups(counts: Sequence[Count], name: str) -> list[Relation]:
    """Give the sums over the groups that a column makes, of counts that every reader can add up."""
    groups: dict[tuple[At, str], dict[Count, None]] = {}
    for count in counts:
        at = tuple(pair for pair in count.at if pair[0] != name)
        groups.setdefault((at, count.of), {}).setdefault(count)
    return [
        Relation(Count(sum(part.value for part in parts), at, of), tuple(parts))
        for (at, of), parts in groups.items()
        # Where a group has two counts of one kind, nobody can say which to add.
        if len({part.at for part in parts}) == len(parts)
    ]


def parts_of(rows: Sequence[Sequence[Any]]) -> Iterator[Part]:
    """Give the parts of the cells of a table."""
    for row in rows:
        for value in row:
            if isinstance(value, Counted):
                yield from value.parts


Protector = Callable[[Sequence[Count], Sequence[Relation]], list[str]]

PROTECTOR: ContextVar[Protector | None] = ContextVar("protector", default=None)
"""What writes the counts of figures, where a rule applies."""


def written(counts: Sequence[Count], relations: Sequence[Relation] = ()) -> list[str]:
    """Write the counts of a figure: as they are, or as the rule has them that applies."""
    protector = PROTECTOR.get()
    return list(map(str, counts)) if protector is None else protector(counts, relations)


def shown(counts: Sequence[Count], relations: Sequence[Relation] = ()) -> list[int | None]:
    """Give the counts that a figure may show, rounded where the rule rounds; None for one that is left out."""
    texts = [text.replace(",", "") for text in written(counts, relations)]
    return [int(text) if text.isdigit() else None for text in texts]
