"""What a format is, and which there are."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crewe.exceptions import InputError, fault
from crewe.files.writing import as_path, write
from crewe.tables.sheet import Sheet

if TYPE_CHECKING:
    from crewe.tables.display import Table


@dataclass(frozen=True)
class Writer:
    """A format of tables.

    Attributes
    ----------
    name : str
        The method that gives it: `result.markdown()`.
    endings : tuple of str
        The endings of its files, the usual one first.
    write : function
        From a table to text; a result may print several tables.
    between : str
        What stands between two tables.
    file : function
        From that text, and the title of the first table, to the content of a file.
    binary : bool
        Whether only a file is of use, so that the method asks for a path.
    """

    name: str
    endings: tuple[str, ...]
    write: Callable[[Sheet], str]
    between: str
    file: Callable[[str, str], str | bytes]
    binary: bool

    def of(self, tables: Sequence[Table]) -> str:
        """Write the tables of one result, one after the other."""
        return self.between.join(self.write(table.sheet(len(tables) == 1)) for table in tables)

    def save(self, tables: Sequence[Table], path: str | os.PathLike[str]) -> Path:
        """Write the tables of one result to a file, whole or not at all."""
        return write(path, self.file(self.of(tables), tables[0].title if tables else ""))


WRITERS: dict[str, Writer] = {}
"""The formats by name."""


class Written:
    """The methods that formats give to every result; each format adds its own as it registers."""

    def _panels(self) -> Sequence[Table]:
        """Give the tables that the result prints, in order."""
        raise NotImplementedError


def writer(
    name: str,
    *endings: str,
    between: str = "\n\n",
    file: Callable[[str, str], str | bytes] = lambda text, title: text + "\n",
    binary: bool = False,
) -> Callable[[Callable[[Sheet], str]], Callable[[Sheet], str]]:
    """Register a function from a `Sheet` to text as a format; see `Writer` for the arguments.

    Every result then has a method of that name, and `save` knows the endings.

    Raises
    ------
    InputError
        Where the name or an ending is taken.
    """
    taken = [known for known in WRITERS.values() if {*endings} & {*known.endings}]
    if name in WRITERS or taken or not name.isidentifier():
        raise fault(
            InputError,
            f"the format '{name}' cannot be registered: a name is one word, and names and endings are given once",
            values=[name, *endings],
            remedy=f"The endings taken are {', '.join(_endings())}",
        )

    def register(function: Callable[[Sheet], str]) -> Callable[[Sheet], str]:
        made = WRITERS[name] = Writer(name, endings, function, between, file, binary)
        setattr(Written, name, _method(made))
        return function

    return register


def _method(made: Writer) -> Callable[..., Any]:
    def method(self: Written, path: str | os.PathLike[str] | None = None) -> Any:
        if path is None and not made.binary:
            return made.of(self._panels())
        if path is None:
            raise fault(
                InputError,
                f"{made.name} is written to a file only",
                remedy=f"Give its path, for instance 'table{made.endings[0]}'",
            )
        return made.save(self._panels(), path)

    method.__name__ = made.name
    method.__doc__ = made.write.__doc__
    return method


def by_ending(path: str | os.PathLike[str]) -> Writer:
    """Find the format that the ending of a path names, in small letters or capitals.

    Raises
    ------
    InputError
        Where it names none.
    """
    ending = as_path(path).suffix.lower()
    for made in WRITERS.values():
        if ending in made.endings:
            return made
    raise fault(
        InputError,
        "a table is not written in the format that this ending names"
        if ending
        else "the path has no ending to name a format",
        values=[ending or str(path)],
        remedy=f"Use an ending that tables are written in: {', '.join(_endings())}",
    )


def _endings() -> list[str]:
    return [f"'{ending}'" for made in WRITERS.values() for ending in made.endings]
