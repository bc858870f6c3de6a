"""What a trial calls the units that are randomised and the rows of a unit."""

from __future__ import annotations

from collections.abc import Sequence

from crewe import _core
from crewe.exceptions import DesignError, fault


class Noun(str):
    """A noun, written for many; `one` is one of them.

    Examples
    --------
    >>> pupils = Noun.read("pupil", "member_noun")
    >>> pupils, pupils.one, pupils.counted(1), pupils.counted(1200)
    ('pupils', 'pupil', '1 pupil', '1,200 pupils')
    """

    one: str

    def __new__(cls, many: str, one: str) -> Noun:
        """Write a noun for many and for one."""
        noun = super().__new__(cls, many)
        noun.one = one
        return noun

    @classmethod
    def read(cls, given: str | Sequence[str], name: str) -> Noun:
        """Read a noun as it is declared: one of them, whose plural is regular, or both.

        Raises
        ------
        DesignError
            For what is neither.
        """
        pair = _core.regular_noun(given) if isinstance(given, str) else given
        if not isinstance(pair, list | tuple) or [type(word) for word in pair] != [str, str]:
            raise fault(
                DesignError,
                f"{name}= takes a noun",
                values=[repr(given)],
                remedy=f'Write {name}="school", or both forms: {name}=("child", "children")',
            )
        return cls(pair[1], pair[0])

    @classmethod
    def of_many(cls, many: str) -> Noun:
        """Read a noun that is given for many alone."""
        if isinstance(many, Noun):
            return many
        known = {"children": "child", "people": "person"}
        stem = many[:-3] + "y" if many.endswith("ies") else many.removesuffix("s")
        if many.endswith(("ses", "xes", "ches", "shes")):
            stem = many[:-2]
        return cls(many, known.get(many, stem))

    def counted(self, count: int) -> str:
        """Say so many of them."""
        return f"{count:,} {self.one if count == 1 else self}"

    def __reduce__(self) -> tuple[type[Noun], tuple[str, str]]:
        return Noun, (str(self), self.one)
