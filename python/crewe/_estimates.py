"""What every fitted model says of its coefficients, from one table of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crewe._frames import build
from crewe.exceptions import InputError, fault

Floats = NDArray[np.float64]


class Estimates:
    """Coefficients by term, under the covariance that the fit carries.

    A model gives `_coefficients`, the table at a level; tables that were worked out are kept, so
    that a fit loaded without its data still answers at its own level.
    """

    terms: list[str]
    level: float
    implementation: Any
    _cov: Floats
    _tables: dict[float, dict[str, Floats]]

    def _coefficients(self, level: float) -> dict[str, Floats]:
        """Work out `estimate, std_error, statistic, df, p_value, conf_low, conf_high`."""
        raise NotImplementedError

    def _table(self, level: float | None = None) -> dict[str, Floats]:
        level = self.level if level is None else level
        if level not in self._tables:
            self._tables = {**self._tables, level: self._coefficients(level)}
        return self._tables[level]

    def _series(self, key: str) -> pd.Series[Any]:
        return pd.Series(self._table()[key], index=self.terms, name=key)

    def _build(self, columns: Mapping[str, Any]) -> Any:
        return build(columns, self.implementation)

    @property
    def coef(self) -> pd.Series[Any]:
        """The coefficients by term: of a logit log odds ratios, of a Cox model log hazard ratios."""
        return self._series("estimate")

    @property
    def se(self) -> pd.Series[Any]:
        """Their standard errors by term."""
        return self._series("std_error")

    @property
    def p_value(self) -> pd.Series[Any]:
        """Two-sided p-values by term."""
        return self._series("p_value")

    @property
    def df(self) -> pd.Series[Any]:
        """Degrees of freedom by term; infinite where z is used."""
        return self._series("df")

    @property
    def cov(self) -> pd.DataFrame:
        """The covariance matrix of the coefficients."""
        return pd.DataFrame(self._cov, index=self.terms, columns=self.terms)

    def confint(self, level: float | None = None) -> Any:
        """Give confidence intervals: `term, conf_low, conf_high`."""
        table = self._table(level)
        return self._build(
            {"term": self.terms, "conf_low": table["conf_low"], "conf_high": table["conf_high"]}
        )

    def _tidied(self, level: float | None, exponentiate: bool = False) -> Any:
        """Give the coefficients as a frame, or ratios with their limits in place of logarithms."""
        columns: dict[str, Any] = {"term": self.terms, **self._table(level)}
        if exponentiate:
            for key in ("estimate", "conf_low", "conf_high"):
                columns[key] = np.exp(columns[key])
        return self._build(columns)

    # -- questions -------------------------------------------------------------------------

    def _covariance(self) -> Any:
        """Give the core's covariance, which carries its fit; refused where a fit was loaded without its data."""
        raise NotImplementedError

    def contrast(
        self, weights: Mapping[str, float] | Sequence[float] | Floats, level: float | None = None
    ) -> Any:
        """Estimate linear combinations of coefficients.

        Parameters
        ----------
        weights : mapping of term to weight, or array (k,) or (m, k)
        level : float, optional
            Of the intervals.

        Returns
        -------
        frame
            As `tidy()`, one row a combination.
        """
        matrix, labels = self._contrast_matrix(weights)
        return self._build({"term": labels, **self._contrasts(matrix, level)})

    def _contrasts(self, matrix: Floats, level: float | None) -> dict[str, Floats]:
        level = self.level if level is None else level
        matrix = np.ascontiguousarray(matrix, dtype=np.float64)
        result: dict[str, Floats] = self._covariance().contrasts(matrix, level)
        return result

    def _contrast_matrix(
        self, weights: Mapping[str, float] | Sequence[float] | Floats
    ) -> tuple[Floats, list[str]]:
        if isinstance(weights, Mapping):
            row = np.zeros(len(self.terms))
            for term, weight in weights.items():
                row[self._position(term)] = weight
            label = " + ".join(f"{weight:g}·{term}" for term, weight in weights.items())
            return row[None, :], [label]
        matrix = np.atleast_2d(_contrast_numbers(weights))
        return matrix, [f"contrast {i + 1}" for i in range(len(matrix))]

    def _position(self, term: str) -> int:
        if term not in self.terms:
            raise fault(
                InputError,
                f"the model has no term '{term}'",
                remedy=f"Its terms are {', '.join(self.terms)}",
            )
        return self.terms.index(term)

    def test(self, terms: Sequence[str] | Floats) -> Any:
        """Test jointly that terms (or the rows of a matrix of contrasts) are all zero.

        HTZ under CR2 and HC2 (Tipton and Pustejovsky 2015), F on (q, G − 1) under the other clustered kinds, F on
        (q, n − k) otherwise; chi-squared / q where tests refer to z.

        Returns
        -------
        frame
            One row: `test, statistic, df_num, df_denom, p_value`.

        Raises
        ------
        RankError
            Contrasts that repeat each other, or whose covariance has a lower rank: too few clusters.
        """
        if isinstance(terms, str):
            terms = [terms]
        if len(terms) == 0:
            matrix = np.zeros((0, len(self.terms)))
        elif isinstance(terms[0], str):
            matrix = np.zeros((len(terms), len(self.terms)))
            for i, term in enumerate(terms):
                matrix[i, self._position(str(term))] = 1.0
        else:
            matrix = np.ascontiguousarray(np.atleast_2d(_contrast_numbers(terms)))
        record = self._covariance().wald(matrix)
        return self._build({key: [value] for key, value in record.items()})


def _contrast_numbers(weights: Any) -> Floats:
    try:
        return np.asarray(weights, dtype=np.float64)
    except (TypeError, ValueError):
        raise fault(
            InputError,
            "the weights of a contrast are not numbers",
            remedy="Give one number for each coefficient, or a mapping of terms to weights",
        ) from None
