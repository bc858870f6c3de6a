"""What a report must hold by a published list, and where it holds it."""

from __future__ import annotations

import fnmatch
import functools
import importlib.resources
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from crewe.exceptions import InputError, did_you_mean, fault
from crewe.files.toml import read
from crewe.report.building import Held
from crewe.tables.display import Table
from crewe.tables.printable import Printable


@dataclass(frozen=True)
class Item:
    """One thing that a list asks for.

    Attributes
    ----------
    number, part, topic : str
        Its number, the part of the report that it belongs to, and what it is about, in our words.
    met_by : tuple of str
        The kinds of result or part that answer it, `*` for any letters; `&` joins what is needed together.
    needs : str
        What would answer it.
    """

    number: str
    part: str
    topic: str
    met_by: tuple[str, ...] = ()
    needs: str = ""


@dataclass(frozen=True)
class Standard:
    """A list of what a report must hold.

    Attributes
    ----------
    name, source : str
        What it is called, and where it stands.
    items : tuple of Item
        In its order.
    extension : str
        The list that a trial of clusters adds.
    """

    name: str
    source: str
    items: tuple[Item, ...]
    extension: str = ""


@functools.cache
def standards() -> Mapping[str, Standard]:
    """Give the lists that are known, by name: every file of the folder `standards` is one."""
    found = {}
    folder = importlib.resources.files("crewe.report").joinpath("standards")
    for file in sorted(folder.iterdir(), key=lambda one: one.name):
        if file.name.endswith(".toml"):
            table = read(file.read_text("utf-8"), file.name, "Mend the file")
            items = tuple(
                Item(**{**item, "met_by": tuple(item.get("met_by", ()))}) for item in table["items"]
            )
            made = Standard(table["name"], table["source"], items, table.get("extension", ""))
            found[made.name] = made
    return found


def standard(name: str) -> Standard:
    """Find a list by its name.

    Raises
    ------
    InputError
        Where there is none of that name.
    """
    known = standards()
    if name not in known:
        near = [one for one in known if one.split()[0].lower() in str(name).lower()]
        raise fault(
            InputError,
            f"there is no list '{name}' of what a report must hold",
            values=list(known),
            remedy=did_you_mean(near or list(known)),
        )
    return known[name]


def check_items(items: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Refuse items that no list has."""
    made = {}
    for name, numbers in items.items():
        if isinstance(numbers, str):
            numbers = [numbers]
        known = [item.number for item in standard(name).items]
        unknown = [str(number) for number in numbers if number not in known]
        if unknown:
            raise fault(
                InputError,
                f"'{name}' has no item {', '.join(unknown)}",
                values=unknown,
                remedy=f"Its items are {', '.join(known)}",
            )
        made[name] = tuple(numbers)
    return made


@dataclass(frozen=True)
class Found:
    """An item with the places of the report that answer it."""

    standard: str
    item: Item
    places: tuple[str, ...]


@dataclass(repr=False)
class Checklist(Printable):
    """Which items of a list a report meets, and where.

    An item is met where the report holds a result or a part that answers it by its kind, or where the caller named it in
    `items=` of `Report.add`. That something stands there is all that is checked, not whether it says enough.

    Attributes
    ----------
    name : str
        The list.
    met, missing : list of str
        The numbers of the items, with the name of the list where an extension was added.
    sources : list of str
        Where the lists stand.
    """

    name: str
    found: list[Found] = field(repr=False)
    sources: list[str]

    @property
    def met(self) -> list[str]:
        """The items that are met."""
        return [self._number(one) for one in self.found if one.places]

    @property
    def missing(self) -> list[str]:
        """The items that are not."""
        return [self._number(one) for one in self.found if not one.places]

    def _number(self, one: Found) -> str:
        return one.item.number if one.standard == self.name else f"{one.standard} {one.item.number}"

    def tidy(self) -> pd.DataFrame:
        """Give one row an item: `list, number, part, topic, met, where, needs`."""
        return pd.DataFrame(
            {
                "list": [one.standard for one in self.found],
                "number": [one.item.number for one in self.found],
                "part": [one.item.part for one in self.found],
                "topic": [one.item.topic for one in self.found],
                "met": [bool(one.places) for one in self.found],
                "where": ["; ".join(one.places) for one in self.found],
                "needs": [one.item.needs or "words, with items=" for one in self.found],
            }
        )

    def _panels(self) -> Sequence[Table]:
        made = []
        for name in dict.fromkeys(one.standard for one in self.found):
            own = [one for one in self.found if one.standard == name]
            rows = [
                [
                    one.item.number,
                    one.item.topic,
                    "yes" if one.places else "no",
                    _few(one.places) or f"needs {one.item.needs or 'words, with items='}",
                ]
                for one in own
            ]
            met = sum(bool(one.places) for one in own)
            source = next(one for one in self.sources if one.startswith(f"{name}: "))
            notes = [
                f"{source.removeprefix(f'{name}: ')}. Topics are worded by crewe; read the items themselves there.",
                "Met means that something stands there, not that it says enough.",
            ]
            title = f"{name}: {met} of {len(own)} items met"
            made.append(
                Table(
                    ["Item", "Topic", "Met", "Where"], rows, title=title, notes=notes, align="llll"
                )
            )
        return made


_SHOWN = 3


def _few(places: Sequence[str]) -> str:
    """Give the first places, and how many there are besides; `tidy()` has all."""
    more = len(places) - _SHOWN
    return "; ".join(places[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def checklist(name: str, held: Sequence[Held], title: str, clusters: bool | None) -> Checklist:
    """Find what a report holds of a list, and of the extension to clusters where the trial has them."""
    chosen = [standard(name)]
    kinds = frozenset(kind for one in held for kind in one.kinds)
    if clusters is None:
        clusters = "Clustered" in kinds
    if clusters and chosen[0].extension:
        chosen.append(standard(chosen[0].extension))
    found = [
        Found(one.name, item, _places(one.name, item, held, title))
        for one in chosen
        for item in one.items
    ]
    return Checklist(name, found, [f"{one.name}: {one.source}" for one in chosen])


def _places(name: str, item: Item, held: Sequence[Held], title: str) -> tuple[str, ...]:
    places = [one.place for one in held if item.number in one.items.get(name, ())]
    for answer in item.met_by:
        if answer.startswith("title:"):
            places += ["Title"] if re.search(answer.removeprefix("title:"), title, re.I) else []
            continue
        parts = [part.strip() for part in answer.split("&")]
        by_part = [[one.place for one in held if fnmatch.filter(one.kinds, part)] for part in parts]
        if all(by_part):
            # What is needed together stands first where it stands in one place.
            together = [place for place in by_part[0] if all(place in others for others in by_part)]
            places += together or [place for found in by_part for place in found]
    return tuple(dict.fromkeys(places))
