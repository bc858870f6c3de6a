"""Weights of rows: what they are called in a call, and what they mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crewe.exceptions import InputError, fault
from crewe.frames.source import Source, aligned, numbers, refuse_text

Floats = NDArray[np.float64]

_REMEDY = (
    "Name a column of probability weights, or pass cw.Analytic(name) where the variance of a row is in "
    "inverse proportion to its weight; weights that count repeated rows are not taken: repeat the rows"
)


_LARGEST = 1e150
"""Squares above this one's overflow."""


@dataclass(frozen=True)
class Analytic:
    """Analytic weights: a row is a mean whose variance is in inverse proportion to its weight.

    Attributes
    ----------
    weights : str, or array (n,)
        The column of the data; with arrays the weights themselves.

    Examples
    --------
    >>> import crewe as cw
    >>> import pandas as pd
    >>> schools = pd.DataFrame({"score": [3.1, 2.7, 3.9, 4.4], "arm": [0, 0, 1, 1], "pupils": [20, 35, 28, 30]})
    >>> cw.ols("score ~ arm", schools, weights=cw.Analytic("pupils"), vcov="iid").coef.round(3).tolist()
    [2.845, 1.313]
    """

    weights: Any


@dataclass(frozen=True)
class Weights:
    """Weights as a call gave them, and their kind as the core knows it."""

    given: Any
    kind: str

    @classmethod
    def of(cls, asked: Any) -> Weights | None:
        """Read the argument `weights=` of a model."""
        if asked is None or isinstance(asked, Weights):
            return asked
        given, kind = (
            (asked.weights, "analytic") if isinstance(asked, Analytic) else (asked, "probability")
        )
        if not isinstance(given, str) and np.ndim(given) != 1:
            raise fault(
                InputError,
                f"weights cannot be a {type(asked).__name__}",
                column="weights",
                remedy=_REMEDY,
            )
        return cls(given, kind)

    @property
    def column(self) -> str | None:
        """The column of the data, where they are one."""
        return self.given if isinstance(self.given, str) else None

    def without(self, source: Source) -> NDArray[np.bool_]:
        """Say which rows of the data have a weight of 0."""
        if self.column is None:
            raise fault(
                InputError,
                "a formula takes the weights from the data",
                column="weights",
                remedy="Name their column",
            )
        column = source.column(self.column)
        refuse_text(column, self.column)
        values = column.values
        bad = np.flatnonzero(~(column.missing | ((values >= 0) & np.isfinite(values))))
        if len(bad):
            raise fault(
                InputError,
                "weights must be numbers of 0 or more",
                column=self.column,
                rows=[int(row) for row in bad],
                values=sorted({"negative" if values[row] < 0 else "infinite" for row in bad}),
                remedy="Repair these weights, or give a weight of 0 to rows that should not count",
            )
        refuse_overflow(values.astype(np.float64), self.column)
        zero = np.asarray(values == 0.0, dtype=np.bool_)
        if zero.any() and not (values > 0).any():
            raise fault(
                InputError,
                "every weight is 0",
                column=self.column,
                remedy="Check how the weights were made: with none above 0 there is nothing to analyse",
            )
        return zero

    def values(self, n: int, index: Any = None) -> Floats:
        """Give weights that came as an array, in the order of the rows that `index` labels."""
        given = aligned(self.given, index, "weights")
        values = np.ascontiguousarray(numbers(given, "weights"))
        if len(values) != n:
            raise fault(
                InputError,
                f"{len(values)} weights for {n} rows",
                column="weights",
                remedy="Give one weight for each row",
            )
        refuse_overflow(values, "weights")
        return values


def refuse_overflow(values: Floats, column: str) -> None:
    """Refuse weights whose products with each other leave the range of double precision."""
    finite = np.abs(values[np.isfinite(values)])
    over = np.flatnonzero(np.isfinite(values) & (np.abs(values) > _LARGEST / max(len(finite), 1)))
    if len(over):
        raise fault(
            InputError,
            "weights are so large that their sums and squares overflow",
            column=column,
            rows=[int(row) for row in over],
            remedy="Divide all of them by one number, such as their mean: only their ratios matter",
        )


def left_out_note(zero: NDArray[np.bool_], column: str) -> list[str]:
    """Count the rows with a weight of 0."""
    count = int(zero.sum())
    if not count:
        return []
    return [f"{count:,} of {len(zero):,} rows have a weight of 0 ({column}) and take no part"]
