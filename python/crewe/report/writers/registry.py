"""What a format of reports is, and which there are."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from crewe.exceptions import CreweError, InputError, fault
from crewe.files.writing import as_path
from crewe.report.document import Document


@dataclass(frozen=True)
class Writer:
    """A format of reports.

    Attributes
    ----------
    name : str
        What it is called.
    endings : tuple of str
        The endings of its files, the usual one first.
    write : function
        From a document to the content of a file.
    """

    name: str
    endings: tuple[str, ...]
    write: Callable[[Document], str | bytes]


WRITERS: dict[str, Writer] = {}
"""The formats by name."""


def writer(
    name: str, *endings: str
) -> Callable[[Callable[[Document], str | bytes]], Callable[[Document], str | bytes]]:
    """Register a function from a `Document` to text or bytes as a format.

    Raises
    ------
    InputError
        Where the name or an ending is taken.
    """
    taken = [known for known in WRITERS.values() if {*endings} & {*known.endings}]
    if name in WRITERS or taken:
        raise fault(
            InputError,
            f"the format '{name}' cannot be registered: names and endings are given once",
            values=[name, *endings],
            remedy=f"The endings taken are {', '.join(_endings())}",
        )

    def register(
        function: Callable[[Document], str | bytes],
    ) -> Callable[[Document], str | bytes]:
        WRITERS[name] = Writer(name, endings, function)
        return function

    return register


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
        "a report is not written in the format that this ending names"
        if ending
        else "the path has no ending to name a format",
        values=[ending or str(path)],
        remedy=f"Use an ending that reports are written in: {', '.join(_endings())}",
    )


def missing(format: str, package: str, extra: str, error: ImportError) -> CreweError:
    """Say that a format needs a package, and how it is installed."""
    made = fault(
        CreweError,
        f"a report as {format} needs the package {package}, which is not installed",
        remedy=f"Install it with: pip install 'crewe[{extra}]'",
    )
    made.__cause__ = error
    return made


def _endings() -> list[str]:
    return [f"'{ending}'" for made in WRITERS.values() for ending in made.endings]
