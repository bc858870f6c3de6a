"""Tables protected: the same tables, with symbols where counts were left out."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from crewe.disclosure.pattern import Pattern, rounded
from crewe.disclosure.pattern import protect as find
from crewe.disclosure.rules import CONFIDENTIAL, LOW, Rule
from crewe.disclosure.system import Floats, System
from crewe.exceptions import InputError, fault
from crewe.frames.source import build
from crewe.tables import protocols
from crewe.tables.counts import (
    DIFFERENCE,
    Count,
    Counted,
    Part,
    Relation,
    Share,
    Told,
    counts_in,
    parts_of,
    relations_of,
)
from crewe.tables.display import Table
from crewe.tables.printable import Printable


@dataclass(frozen=True)
class Behind:
    """What stands behind protected tables, and must not leave the house."""

    pattern: Pattern
    tables: list[Table]
    assumed: list[str]


@dataclass(repr=False)
class Protected(Printable):
    """Results with their small counts protected; made by :meth:`Rule.protect`.

    Attributes
    ----------
    rule : Rule
        The rule.
    tables : list of Table
        All tables in order, protected.
    done : list of dict
        What became of each cell that holds counts.
    notes : list of str
        What was done, and what was taken for granted.
    synthetic : bool
        Whether any of the results rests on synthetic data.
    """

    rule: Rule
    tables: list[Table]
    done: list[dict[str, Any]]
    notes: list[str]
    _of: list[int] = field(repr=False)
    _behind: Behind | None = field(repr=False)
    synthetic: bool = False

    def __len__(self) -> int:
        return max(self._of, default=-1) + 1

    def __getitem__(self, place: int) -> Protected:
        """Give one of the results that were protected together."""
        here = range(len(self))[place]
        kept = [k for k, of in enumerate(self._of) if of == here]
        return replace(
            self,
            tables=[self.tables[k] for k in kept],
            done=[row for row in self.done if row["table"] in kept],
            _of=[0] * len(kept),
        )

    @property
    def touched(self) -> bool:
        """Whether anything was left out or rounded, so that the results' own numbers may not stand beside."""
        return any(row["action"] != "shown" for row in self.done)

    @property
    def pattern(self) -> Pattern:
        """What was decided of each count; it is not in a pickle, which may be sent to readers."""
        return self._kept.pattern

    @property
    def before(self) -> list[Table]:
        """The tables before they were protected; they are not in a pickle."""
        return self._kept.tables

    @property
    def assumed(self) -> list[str]:
        """What was taken for granted."""
        return self._kept.assumed

    @property
    def _kept(self) -> Behind:
        if self._behind is None:
            raise fault(
                InputError,
                "these tables came out of a pickle, which holds no suppressed counts",
                remedy="Protect the results again where their data are",
            )
        return self._behind

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_behind": None}

    def tidy(self) -> Any:
        """Give a row for each cell that holds counts.

        Columns: `table` (its number, from 0), `title`, `row`, `column`, `shown` (what is printed) and
        `action`: shown, rounded, primary, secondary, or withheld for what would give a count away.
        """
        names = ("table", "title", "row", "column", "shown", "action")
        columns = {name: [row[name] for row in self.done] for name in names}
        return build(columns, synthetic=self.synthetic)

    def methods(self) -> list[str]:
        """Say how the tables were protected."""
        rule = self.rule
        said = (
            f"Counts under {rule.threshold} were suppressed, and further ones so that no reader can bound a "
            f"suppressed count to fewer than {rule.threshold} values from all tables together (linear "
            "programming; Fischetti and Salazar 2001)."
        )
        if rule.base > 1:
            said += f" The others were rounded to {rule.base}, totals by themselves."
        return [said, *(f"Rule: {source.title} ({source.url})." for source in rule.sources)]

    def _panels(self) -> Sequence[Table]:
        return self.tables


def protect(rule: Rule, results: Sequence[Any], published: Sequence[Any] = ()) -> Protected:
    """Protect results that are published together; see :meth:`Rule.protect`."""
    panels = [(k, result, table) for k, one in enumerate(results) for result, table in opened(one)]
    if not panels:
        raise fault(
            InputError, "there is nothing to protect", remedy="Pass results that print tables"
        )
    tables = [typed(table, f"table {k + 1}") for k, (_, _, table) in enumerate(panels)]
    before = [typed(table, f"before {k + 1}") for k, (_, table) in enumerate(opened(published))]
    pattern = pattern_of(rule, tables, before)
    find(pattern, costs(pattern, rule))
    writer = Writer(pattern)
    done: list[dict[str, Any]] = []
    made = [
        writer.table(table, result, k, done)
        for k, ((_, result, _), table) in enumerate(zip(panels, tables, strict=True))
    ]
    assumed = assumptions(pattern, rule, tables)
    number = {name: int(mask.sum()) for name, mask in vars(pattern).items() if name in _COUNTED}
    notes = [
        f"{many(number['primary'], 'count')} under {rule.threshold} and {many(number['secondary'], 'other')} "
        "suppressed",
        *(["no smaller pattern protects: all of a table was suppressed"] if pattern.shut else []),
        *assumed,
    ]
    return Protected(
        rule,
        made,
        done,
        notes,
        [k for k, _, _ in panels],
        Behind(pattern, tables, assumed),
        synthetic=any(protocols.synthetic(result) for _, result, _ in panels),
    )


_COUNTED = ("primary", "secondary")


def many(number: int, noun: str) -> str:
    """Write how many.

    Examples
    --------
    >>> many(1, "count"), many(0, "count")
    ('1 count', '0 counts')
    """
    return f"{number:,} {noun}{'s' * (number != 1)}"


def opened(one: Any) -> Iterator[tuple[Any, Table]]:
    """Give the tables of a result, of a list or a mapping of them, each with its result."""
    if isinstance(one, Printable):
        yield from ((one, table) for table in one._panels())
    elif isinstance(one, Mapping | list | tuple):
        for inner in one.values() if isinstance(one, Mapping) else one:
            yield from opened(inner)
    else:
        raise fault(
            InputError,
            f"{type(one).__name__} has no tables that could be protected",
            remedy="Pass a result of crewe or a table; make a table of a frame of counts with "
            "cw.disclosure.tabulated, and replace identifiers in a frame of people with pseudonymise",
        )


def typed(table: Table, name: str) -> Table:
    """Take whole numbers in a table whose cells are not typed as counts that nothing ties to others."""
    plain: dict[tuple[int, int], Count] = {
        (i, j): Count(int(value), (("cell", f"{name}: {i}, {j}"), ("row", str(row[0]))), name)
        for i, row in enumerate(table.rows)
        for j, value in enumerate(row)
        if j and isinstance(value, int | np.integer) and not isinstance(value, bool)
    }
    rows = [
        [Counted("{}", (plain[i, j],)) if (i, j) in plain else value for j, value in enumerate(row)]
        for i, row in enumerate(table.rows)
    ]
    return replace(table, rows=rows, relations=[*table.relations, *_sums(plain)])


def _sums(cells: Mapping[tuple[int, int], Count]) -> list[Relation]:
    """Find a last row or column that is the sum of those before it, throughout."""
    found = []
    for axis in (0, 1):
        lines: dict[int, dict[int, Count]] = {}
        for at, count in cells.items():
            lines.setdefault(at[1 - axis], {})[at[axis]] = count
        last = max((place for line in lines.values() for place in line), default=0)
        sums = [
            (line[last], tuple(count for place, count in line.items() if place != last))
            for line in lines.values()
            if last in line and len(line) > 2
        ]
        if sums and all(total.value == sum(p.value for p in parts) for total, parts in sums):
            found += [Relation(total, parts) for total, parts in sums]
    return found


def pattern_of(rule: Rule, tables: Sequence[Table], before: Sequence[Table] = ()) -> Pattern:
    """Gather the counts of tables and say which are small; nothing else is left out yet."""
    system = System()
    for table in (*tables, *before):
        parts = [*parts_of(table.rows), *parts_of([table.notes])]
        shown = [declared(count, rule) for part in parts for count in counts_in(part)]
        relations = [
            Relation(
                declared(relation.total, rule),
                tuple(declared(part, rule) for part in relation.parts),
            )
            for relation in table.relations
        ]
        system.add([count for count in shown if not count.withheld], relations)
    _differences(system, rule)
    n = len(system.counts)
    fixed, exact = np.zeros(n, dtype=np.bool_), np.zeros(n, dtype=np.bool_)
    withheld = np.zeros(n, dtype=np.bool_)
    for table in before:
        for part in parts_of(table.rows):
            for count in counts_in(part):
                fixed[system.place(count)] = not count.withheld
    for table in tables:
        for part in (*parts_of(table.rows), *parts_of([table.notes])):
            for count in counts_in(part):
                exact[system.place(count)] |= isinstance(part, Told)
                withheld[system.place(count)] |= count.withheld
    told = system.harmless & system.printed
    primary = (system.value < rule.threshold) & system.printed & ~system.harmless & ~fixed
    return Pattern(
        system,
        rule.threshold,
        rule.base,
        primary | withheld,
        np.zeros(n, dtype=np.bool_),
        fixed,
        exact | fixed | told,
    )


def declared(count: Count, rule: Rule) -> Count:
    """Mark a zero that was declared structural, and a difference that the rule looks at."""
    if rule.differences and DIFFERENCE in count.at and count.value:
        return replace(count, harmless=False)
    if count.value == 0 and not count.harmless and rule.zero_is_structural(count.at):
        return replace(count, harmless=True)
    return count


def _differences(system: System, rule: Rule) -> None:
    """Tie counts of one group that differ between tables: the smaller is taken to be part of the larger."""
    groups: dict[Any, list[Count]] = {}
    for count, printed in zip(system.counts, system.printed, strict=True):
        if printed:
            groups.setdefault((count.at, count.of), []).append(count)
    relations = []
    for counts in groups.values():
        ordered = sorted(counts, key=lambda count: count.value)
        for small, large in itertools.pairwise(ordered):
            made = relations_of(large, small, DIFFERENCE)
            relations.append(Relation(large, (small, declared(made.parts[1], rule))))
    if relations:
        system.add([], relations)


def costs(pattern: Pattern, rule: Rule) -> Floats:
    """Say what it costs to leave each count out."""
    value = pattern.system.value.astype(np.float64)
    if rule.cost == "counts":
        return np.asarray(value + 1.0)
    # Among equally many cells the small ones go, and totals, which readers look for, last.
    return np.asarray(1.0 + value / (1.0 + value.max(initial=0)) + 2.0 * pattern.system.totals)


def assumptions(pattern: Pattern, rule: Rule, tables: Sequence[Table]) -> list[str]:
    """Say what was taken for granted, and what was seen and left."""
    said = []
    for k, table in enumerate(tables):
        name = f"'{table.title}'" if table.title else f"table {k + 1}"
        shown = {count for part in parts_of(table.rows) for count in counts_in(part)}
        if not shown:
            said.append(f"{name} holds no counts that are known as such, and was left as it is")
        elif not any(relation.total in shown for relation in table.relations):
            said.append(
                f"{name} prints no totals of its counts: no reader is taken to know them from elsewhere"
            )
    small = [gap for gap in pattern.system.gaps() if gap < rule.threshold]
    if small and not rule.differences:
        said.append(
            f"{len(small)} counts of a group differ between tables by fewer than {rule.threshold}; Rule(differences=True) "
            "protects these differences too"
        )
    return said


def _label(row: Sequence[Any]) -> str:
    """Give what stands before the first count of a row."""
    texts = itertools.takewhile(lambda value: not isinstance(value, Counted), row)
    return ", ".join(map(str, texts))


class Writer:
    """Writes cells as a pattern has them."""

    def __init__(self, pattern: Pattern) -> None:
        self.pattern = pattern
        self.hidden = pattern.primary | pattern.secondary
        self.seen: set[str] = set()

    def table(self, table: Table, result: Any, place: int, done: list[dict[str, Any]]) -> Table:
        """Give a table with symbols, and tell what was done."""
        self.seen = set()
        rows = []
        for row in table.rows:
            label = self._text(row[0])
            cells: list[Any] = [label]
            for name, value in zip(table.header[1:], row[1:], strict=False):
                if not isinstance(value, Counted):
                    cells.append(value)
                    continue
                text, action = self.cell(value)
                # It stays a cell that was looked at, and gives nothing away.
                cells.append(Counted("{}", (Told(text),)))
                done.append(
                    {
                        "table": place,
                        "title": str(table.title),
                        "row": _label(row),
                        "column": str(name),
                        "shown": text,
                        "action": action,
                    }
                )
            rows.append(cells)
        notes = self._notes(table, result)
        return replace(table, rows=rows, notes=notes, relations=())

    def _text(self, value: Any) -> Any:
        return self.cell(value)[0] if isinstance(value, Counted) else value

    def cell(self, value: Counted) -> tuple[str, str]:
        """Write a cell, and say what was done to it."""
        told = [self.part(part) for part in value.parts]
        actions = [action for _, action in told]
        if actions[0] != "shown" and actions[0] != "rounded":
            self.seen.add(CONFIDENTIAL)
            return CONFIDENTIAL, actions[0]
        return value.form.format(*(text for text, _ in told)), actions[0]

    def part(self, part: Part) -> tuple[str, str]:
        """Write a part of a cell, and say what was done to it."""
        places = [self.pattern.system.place(count) for count in counts_in(part)]
        if isinstance(part, Count):
            if self.hidden[places[0]]:
                self.seen.add(CONFIDENTIAL)
                return CONFIDENTIAL, "primary" if self.pattern.primary[places[0]] else "secondary"
            return self._rounded(part.value, places[0])
        if self.hidden[places].any() or (isinstance(part, Told) and part.single):
            self.seen.add(CONFIDENTIAL)
            return CONFIDENTIAL, "withheld"
        if isinstance(part, Share) and self.pattern.base > 1:
            few, all_ = rounded(self.pattern.system.value[places], self.pattern.base)
            return ("–" if all_ == 0 else f"{100 * few / all_:.1f}%"), "rounded"
        return str(part), "shown"

    def _rounded(self, value: int, place: int) -> tuple[str, str]:
        if self.pattern.base == 1 or (self.pattern.system.counts[place].harmless and value == 0):
            return f"{value:,}", "shown"
        near = int(rounded(np.array([value]), self.pattern.base)[0])
        if near == 0:
            self.seen.add(LOW)
            return LOW, "rounded"
        return f"{near:,}", "rounded"

    def _notes(self, table: Table, result: Any) -> list[str]:
        """Keep the notes, but for those of the data that give numbers; say what symbols mean."""
        own = protocols.notes(result)
        given = [self._text(note) for note in table.notes]
        kept = [
            note
            for note in given
            if not any(other in note and any(map(str.isdigit, other)) for other in own)
        ]
        gone = len(given) - len(kept)
        meaning = {
            CONFIDENTIAL: f"{CONFIDENTIAL}: suppressed to protect confidentiality.",
            LOW: f"{LOW}: rounds to 0 and is not 0.",
        }
        said = [text for symbol, text in meaning.items() if symbol in self.seen]
        if self.pattern.base > 1:
            said.append(
                f"Counts are rounded to {self.pattern.base}, totals by themselves, so that parts may not add up."
            )
        if gone:
            said.append(f"{many(gone, 'note')} with numbers of rows left out here.")
        return [*map(str, kept), *said]
