"""What every fitted model says of its coefficients, from one table of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crewe._frames import build

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
