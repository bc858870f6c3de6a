"""A formula compiled once: terms, their factors, the columns that these make.

formulaic reads the formula and settles which columns a full rank needs; what it settled is kept as a plan, and the plan
is evaluated here: for the rows of a fit, for settings of margins, for new data, without parsing again. Where a factor is
more than a column, a category or a function that gives numbers, formulaic evaluates the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crewe import _core
from crewe.formula import names as _names
from crewe.frames.column import Column, Columns

Floats = NDArray[np.float64]
State = dict[str, Any]


@dataclass(frozen=True)
class Part:
    """A factor in the columns of a term.

    Attributes
    ----------
    expression : str
        As formulaic has it.
    column : str or None
        The column that it is, as numbers or as a category; None where it is worked out from columns.
    variables : tuple of str
        The columns inside.
    numbers : array or None
        The numbers that are the levels, for `C()` of numbers.
    width : int
        How many columns it makes.
    first : int or None
        Of a category: the first level that has a column of its own, the columns being 0 and 1.
    coding : array (levels, width) or None
        Of a category that is coded otherwise.
    """

    expression: str
    column: str | None
    variables: tuple[str, ...]
    width: int = 1
    numbers: Floats | None = None
    first: int | None = None
    coding: Floats | None = None

    @property
    def is_category(self) -> bool:
        """Whether it is coded by its levels."""
        return self.first is not None or self.coding is not None

    def codes(self, column: Column) -> NDArray[np.intp]:
        """Give the level of each row, -1 where it is none of them."""
        if self.numbers is None:
            return column.values
        values = column.values.astype(np.float64)
        places = np.minimum(np.searchsorted(self.numbers, values), len(self.numbers) - 1)
        return np.where(self.numbers[places] == values, places, -1)

    def coded(self, codes: NDArray[np.intp]) -> Floats:
        """Give the columns of these levels."""
        if self.coding is not None:
            return np.concatenate([self.coding, np.zeros((1, self.width))])[codes]
        if self.width == 1:
            own: Floats = np.equal(codes, self.first or 0).astype(np.float64)
            return own[:, None]
        out = np.zeros((len(codes), self.width))
        place = codes - (self.first or 0)
        rows = np.flatnonzero(place >= 0)
        out[rows, place[rows]] = 1.0
        return out

    def averaged(self, shares: Floats) -> Floats:
        """Give the mean of the columns where each level has this share."""
        return shares @ self.coding if self.coding is not None else shares[self.first :]


@dataclass(frozen=True)
class Block:
    """Columns of a term that are the products of the columns of its parts."""

    parts: tuple[Part, ...]
    scale: float
    where: slice

    def product(self, columns: Sequence[Floats], n: int) -> Floats:
        """Multiply out; the columns of the last part change slowest, as in R."""
        out = np.ones((n, 1)) if not columns else columns[0]
        for other in columns[1:]:
            out = (other[:, :, None] * out[:, None, :]).reshape(n, -1)
        return out if self.scale == 1.0 else self.scale * out


@dataclass(frozen=True)
class Term:
    """A term of a formula: its name, the columns of the data in it, the columns of the design that it makes."""

    name: str
    variables: tuple[str, ...]
    where: slice
    factors: tuple[str, ...]
    blocks: tuple[Block, ...] = ()

    @property
    def is_one_factor(self) -> str | None:
        """The column of the data that the term is, where it is nothing else."""
        return _names.name_of(self.factors[0]) if len(self.factors) == 1 else None


@dataclass(frozen=True)
class Plan:
    """A compiled right-hand side.

    Attributes
    ----------
    terms : list of Term
        In order.
    names : list of str
        The names of the columns, the intercept's included.
    raw : list of str
        The same as formulaic has them.
    coded : frozenset of str
        The columns of numbers that enter as categories, through `C()`.
    spec : formulaic.ModelSpec or None
        What evaluates the formula where no plan can.
    """

    terms: tuple[Term, ...]
    names: tuple[str, ...]
    raw: tuple[str, ...]
    coded: frozenset[str]
    spec: Any = None

    @property
    def intercept(self) -> bool:
        """Whether the first column is the constant."""
        return self.raw[:1] == ("Intercept",)

    @property
    def variables(self) -> list[str]:
        """The columns of the data, in order of appearance."""
        return list(dict.fromkeys(name for term in self.terms for name in term.variables))

    def evaluate(self, columns: Columns, state: State, *, constant: bool = True) -> Floats:
        """Give the columns of the design, (n, k), by rows; `state` is filled in at the first time.

        With ``constant=False`` the intercept's column is left out, which spares large data a second copy.
        """
        left_out = 0 if constant else int(self.intercept)
        if self.spec is not None:
            from crewe.formula.functions import by_formulaic

            whole = by_formulaic(self.spec, columns, "the model at other values")[0]
            return whole if constant else np.ascontiguousarray(whole[:, left_out:])
        known: dict[tuple[str, int | None], Floats] = {}
        products = [
            (block.where, self._product(block, columns, state, known))
            for term in self.terms
            for block in term.blocks
            if block.where.stop > left_out
        ]
        return _by_rows(products, columns.n, len(self.names), left_out)

    def term_at(self, term: Term, columns: Columns, state: State) -> Floats:
        """Give the columns of one term."""
        if self.spec is not None:
            return self.evaluate(columns, state)[:, term.where]
        known: dict[tuple[str, int | None], Floats] = {}
        products = [
            (block.where, self._product(block, columns, state, known)) for block in term.blocks
        ]
        return _by_rows(products, columns.n, term.where.stop, term.where.start)

    def _product(
        self,
        block: Block,
        columns: Columns,
        state: State,
        known: dict[tuple[str, int | None], Floats],
    ) -> Floats:
        made = []
        for part in block.parts:
            key = (part.expression, part.first)
            if key not in known:
                known[key] = self.part(part, columns, state)
            made.append(known[key])
        product = block.product(made, columns.n)
        if product.shape[1] != block.where.stop - block.where.start:
            raise Changed
        return product

    def part(self, part: Part, columns: Columns, state: State) -> Floats:
        """Give the columns of one factor."""
        if part.column is None:
            from crewe.formula.functions import function_values

            return function_values(part.expression, part.variables, columns, state)
        column = columns[part.column]
        if part.is_category:
            return part.coded(part.codes(column))
        return column.values.astype(np.float64, copy=False)[:, None]


_ROWS = 16_384
"""So many rows of a design stay in the cache of a processor while its columns are written one after the other."""


def _by_rows(products: Sequence[tuple[slice, Floats]], n: int, stop: int, start: int) -> Floats:
    """Write blocks of columns, each with its place, side by side; the places from `start` to `stop` are kept."""
    if n > _ROWS:
        blocks = [(values, where.start - start) for where, values in products]
        made = _core.side_by_side(blocks, n, stop - start)
        if made is not None:
            return made
    out = np.empty((n, stop - start))
    for first in range(0, n, _ROWS):
        rows = slice(first, first + _ROWS)
        for where, values in products:
            out[rows, where.start - start : where.stop - start] = values[rows]
    return out


class Changed(Exception):
    """A function gives other columns than when the plan was made."""
