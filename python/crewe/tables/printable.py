"""What every result offers of its printed tables: text, HTML, Markdown, LaTeX, Word and CSV."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, overload

# The folder registers its formats when it is imported.
from crewe.frames.arguments import check_methods
from crewe.tables import writers
from crewe.tables.synthetic import print_as_synthetic
from crewe.tables.wording import print_in_own_words
from crewe.tables.writers.registry import WRITERS, Written, by_ending

if TYPE_CHECKING:
    from crewe.tables.display import Table

__all__ = ["Printable", "Words", "writers"]


class Printable(Written):
    """A result that prints itself: it gives its tables in `_panels`, and every format follows.

    A format that is registered besides those below adds its method by itself.
    """

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        print_as_synthetic(cls)
        print_in_own_words(cls)
        check_methods(cls)

    def _panels(self) -> Sequence[Table]:
        """Give the tables that the result prints, in order."""
        raise NotImplementedError

    def text(self) -> str:
        """Give the table for a terminal."""
        return WRITERS["text"].of(self._panels())

    def html(self) -> str:
        """Give the table as HTML, with a caption and scoped headings."""
        return WRITERS["html"].of(self._panels())

    def markdown(self) -> str:
        """Give the table as a Markdown pipe table."""
        return WRITERS["markdown"].of(self._panels())

    def latex(self) -> str:
        """Give the table as LaTeX.

        It needs the package booktabs; scripts other than Latin and Greek need XeLaTeX or LuaLaTeX.
        """
        return WRITERS["latex"].of(self._panels())

    def docx(self, path: str | os.PathLike[str]) -> Path:
        """Write the table as a Word document and give its path."""
        return WRITERS["docx"].save(self._panels(), path)

    @overload
    def csv(self, path: None = None) -> str: ...

    @overload
    def csv(self, path: str | os.PathLike[str]) -> Path: ...

    def csv(self, path: str | os.PathLike[str] | None = None) -> str | Path:
        """Give the cells as comma-separated values, or write them to a file and give its path.

        The cells are those that are printed, rounded as they are; `tidy()` gives all digits. Title
        and notes are left out, but where a result prints several tables each has its title first.
        """
        made = WRITERS["csv"]
        return made.of(self._panels()) if path is None else made.save(self._panels(), path)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the table to a file, in the format that its ending names, and give its path.

        The endings are `.txt`, `.html` or `.htm` (a whole page), `.md` or `.markdown`, `.tex`,
        `.docx` and `.csv`. The file is written whole or not at all; folders on the way are made.

        Raises
        ------
        InputError
            For another ending or none, text that is no Unicode, and a path that is a folder.
        CreweError
            Where the system does not write: no room, no right, no such disk.
        """
        return by_ending(path).save(self._panels(), path)

    def __repr__(self) -> str:
        return WRITERS["text"].of(self._panels())

    def _repr_html_(self) -> str:
        return WRITERS["html"].of(self._panels())


class Words(str):
    """Text that may be called as well: what was an attribute first and is a method elsewhere."""

    __slots__ = ()

    def __call__(self) -> str:
        """Give the text."""
        return str(self)
