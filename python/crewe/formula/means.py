"""Rows of a design at the means of its variables: what margins `at="means"` rest on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crewe.formula.plan import Block, Part, Plan, State, Term
from crewe.frames.column import Column, Columns

Floats = NDArray[np.float64]


def rows_at_means(
    plan: Plan,
    state: State,
    columns: Columns,
    fixed: Sequence[dict[str, Any]],
    observed: Floats | None,
) -> tuple[Floats, Floats]:
    """Give one row of the design for each setting, all other variables at their means.

    Numbers stand at their (weighted) mean; a category stands at its observed shares; transformed columns and
    interactions are recomputed from these. Each term is linear in the shares of its categories, so it is evaluated
    on the levels of its own categories only and averaged. The second array holds what the mean of a column is beyond
    a double, which counts where the standard deviation is nothing beside the mean.
    """
    at = _Means(plan, state, columns, observed)
    out = np.empty((len(fixed), len(plan.names)))
    beyond = np.zeros_like(out)
    for i, setting in enumerate(fixed):
        for term in plan.terms:
            alone = term.is_one_factor
            if alone is not None and alone not in setting and at.is_number(alone):
                beyond[i, term.where] = at.rest(alone)
            out[i, term.where] = at.row(term, setting)
    return out, beyond


class _Means:
    """The means of variables over the rows of a fit, each worked out once."""

    def __init__(self, plan: Plan, state: State, columns: Columns, observed: Floats | None) -> None:
        self.plan, self.state, self.columns, self.observed = plan, state, columns, observed
        self._known: dict[str, float] = {}
        self._shares: dict[str, Floats] = {}

    def is_number(self, name: str) -> bool:
        """Whether a variable stands at its mean, and not at the shares of its levels."""
        return (
            name is not None and self.columns[name].levels is None and name not in self.plan.coded
        )

    def mean(self, name: str) -> float:
        """Give the mean of a column of numbers."""
        if name not in self._known:
            values = self.columns[name].values
            self._known[name] = float(np.average(values, weights=self.observed))
        return self._known[name]

    def rest(self, name: str) -> float:
        """Give what the mean is beyond a double."""
        values = self.columns[name].values.astype(np.float64) - self.mean(name)
        return float(np.average(values, weights=self.observed))

    def row(self, term: Term, setting: dict[str, Any]) -> Floats:
        """Give the columns of a term."""
        if self.plan.spec is None and all(self._apart(block, setting) for block in term.blocks):
            made = [
                block.product([self._part(part, setting)[None, :] for part in block.parts], 1)[0]
                for block in term.blocks
            ]
            return np.concatenate(made) if made else np.empty(0)
        return self._averaged(term, setting)

    def _apart(self, block: Block, setting: dict[str, Any]) -> bool:
        """Whether no two parts share a variable, and functions are of numbers at their means."""
        seen: set[str] = set()
        for part in block.parts:
            if seen & set(part.variables):
                return False
            seen |= set(part.variables)
            if part.column is None and not all(map(self.is_number, part.variables)):
                return False
        return True

    def _part(self, part: Part, setting: dict[str, Any]) -> Floats:
        name = part.column
        if name is not None and part.is_category:
            if name in setting:
                column = self.columns[name].filled(setting[name], 1)
                coded: Floats = part.coded(part.codes(column))[0]
                return coded
            if part.expression not in self._shares:
                codes = part.codes(self.columns[name])
                levels = len(self.columns[name].levels or ()) or len(part.numbers)  # type: ignore[arg-type]
                counts = np.bincount(codes, weights=self.observed, minlength=levels)
                self._shares[part.expression] = counts / counts.sum()
            return part.averaged(self._shares[part.expression])
        if name is not None:
            value = float(setting[name]) if name in setting else self.mean(name)
            return np.array([value])
        stand = {
            variable: self.columns[variable].filled(
                setting[variable] if variable in setting else self.mean(variable), 1
            )
            for variable in part.variables
        }
        worked: Floats = self.plan.part(part, Columns(stand, 1), self.state)[0]
        return worked

    def _averaged(self, term: Term, setting: dict[str, Any]) -> Floats:
        """Evaluate a term on all combinations of the levels of its categories, and average."""
        spread = [
            name for name in term.variables if name not in setting and not self.is_number(name)
        ]
        grid, weights = self._grid(spread)
        n = len(weights)
        stand = {}
        for name, column in self.columns.items():
            if name in grid:
                stand[name] = grid[name]
            elif name in setting:
                stand[name] = column.filled(setting[name], n)
            elif column.levels is not None:
                stand[name] = Column(np.zeros(n, dtype=np.intp), column.levels)
            elif name in self.plan.coded:
                stand[name] = Column(np.repeat(column.values[:1], n))
            else:
                stand[name] = column.filled(self.mean(name), n)
        return np.asarray(weights @ self.plan.term_at(term, Columns(stand, n), self.state))

    def _grid(self, names: Sequence[str]) -> tuple[dict[str, Column], Floats]:
        grid: dict[str, Column] = {}
        weights = np.ones(1)
        for name in names:
            column = self.columns[name]
            unique, codes = np.unique(column.values, return_inverse=True)
            counts = np.bincount(codes, weights=self.observed)
            share = counts / counts.sum()
            grid = {
                key: Column(np.repeat(known.values, len(unique)), known.levels)
                for key, known in grid.items()
            }
            grid[name] = Column(np.tile(unique, len(weights)), column.levels)
            weights = np.asarray(np.outer(weights, share).ravel(), dtype=np.float64)
        return grid, weights
