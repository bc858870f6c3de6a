"""The rows that a call has read: those of a model, ready for the core, and the clusters that they are in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crewe import _core
from crewe.formula.design import Design


@dataclass
class ModelRows:
    """The rows of a model, ready for the core.

    Attributes
    ----------
    design : Design
        The columns of the right-hand side.
    notes : list of str
        What a reader must know.
    codes, labels : array and Series, or None
        The cluster of each row, as a code and as it is called.
    cluster_name : str or None
        The column that names the clusters.
    by_kind : dict of str to list of str
        What to note of covariances by their name.
    weighted : the core's Weights, or None
        The weights and their kind.
    strata_terms : list of str
        The columns of the design that are of the trial's strata or sets.
    apart : frozenset of str, or None
        The columns of the data that the trial balanced.
    """

    design: Design
    notes: list[str]
    codes: NDArray[np.uint32] | None
    labels: pd.Series[Any] | None
    cluster_name: str | None
    by_kind: dict[str, list[str]]
    weighted: _core.Weights | None
    strata_terms: list[str]
    apart: frozenset[str] | None

    def aside(self, clusters: int) -> list[int]:
        """Give the columns after which nobody asks: terms of the trial's strata and sets.

        Without a trial these are the categories, after the first term, with so many levels that few clusters share one.
        """
        aside: list[int] = []
        built = self.design
        shift, place = int(built.intercept), 0
        for term in built.plan.terms:
            columns = [j - shift for j in range(term.where.start, term.where.stop) if j >= shift]
            if not columns:
                continue
            place += 1
            if self.apart is not None:
                passed = bool(term.variables) and set(term.variables) <= self.apart
            else:
                many = len(columns) > 1 and 5 * len(columns) > clusters
                passed = place > 1 and many and bool(np.isin(built.x[:, columns], (0.0, 1.0)).all())
            aside += columns if passed else []
        return aside


@dataclass
class Clusters:
    """The clusters of the kept rows: a code a row of the data, how many there are, which have several rows."""

    codes: NDArray[Any]
    count: int
    several: NDArray[np.int64]
    name: str
    noun: str

    @property
    def one(self) -> str:
        """What one of them is called: by the trial's noun, else by the name of the column."""
        return str(getattr(self.noun, "one", self.name))

    @classmethod
    def of(cls, codes: NDArray[Any], rows: NDArray[np.int64], name: str, noun: str) -> Clusters:
        """Count the clusters of the rows used by number."""
        _, dense = np.unique(codes, return_inverse=True)
        counts = np.bincount(dense[rows])
        return cls(dense, int((counts > 0).sum()), np.flatnonzero(counts > 1), name, noun)
