"""Predicted levels of the outcome ("re-weighted means") and their differences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crewe._display import Table, number, p_value, stars
from crewe._frames import build
from crewe.exceptions import InputError, fault

if TYPE_CHECKING:
    from crewe._linear import Linear

Floats = NDArray[np.float64]


@dataclass
class Margins:
    """Predicted levels of the outcome at values of a term, and their differences from the first.

    Attributes
    ----------
    term, by : str
        The variables that were set.
    at : str
        What the others stand at.
    notes : list of str
        What a reader must know.
    counts : list of int
        The analysed rows that have each level; none where the level is nobody's own.
    """

    term: str
    by: str | None
    at: str
    outcome: str
    confidence: float
    notes: list[str]
    synthetic: bool
    vcov_name: str
    implementation: Any = field(repr=False)
    _levels: dict[str, Any] = field(repr=False)
    _contrasts: dict[str, Any] = field(repr=False)
    _methods: list[str] = field(default_factory=list, repr=False)
    counts: list[int] = field(default_factory=list, repr=False)

    def tidy(self) -> Any:
        """Give the levels: `level, by, estimate, std_error, statistic, df, p_value, conf_low, conf_high`."""
        return build(self._levels, self.implementation)

    def contrasts(self) -> Any:
        """Give the differences from the first level, with the same columns and `contrast` for `level`."""
        return build(self._contrasts, self.implementation)

    def methods(self) -> list[str]:
        """Say in plain sentences what was done."""
        at = (
            "all other variables at their means over the analysed rows of every arm (categories at "
            "their observed shares)"
            if self.at == "means"
            else "predictions averaged over all analysed rows (g-computation)"
        )
        return [f"Predicted levels of {self.outcome} by {self.term}: {at}.", *self._methods]

    def _table(self) -> Table:
        by = self.by is not None
        percent = f"{100 * self.confidence:g}%"
        header = [
            self.term,
            *([self.by or ""] if by else []),
            "estimate",
            "std. error",
            "df",
            f"{percent} low",
            "high",
            "p",
        ]
        rows = []
        for table, name in ((self._levels, "level"), (self._contrasts, "contrast")):
            for i in range(len(table["estimate"])):
                p = float(table["p_value"][i])
                rows.append(
                    [
                        str(table[name][i]),
                        *([str(table["by"][i])] if by else []),
                        number(table["estimate"][i]),
                        number(table["std_error"][i]),
                        number(table["df"][i], 1),
                        number(table["conf_low"][i]),
                        number(table["conf_high"][i]),
                        p_value(p) + stars(p) if name == "contrast" else "",
                    ]
                )
        title = f"Predicted {self.outcome} by {self.term}"
        if self.synthetic:
            title += " (SYNTHETIC data)"
        return Table(
            header, rows, title=title, notes=[*self.methods(), *(f"Note: {n}." for n in self.notes)]
        )

    def __repr__(self) -> str:
        return self._table().text()

    def _repr_html_(self) -> str:
        return self._table().html()

    def plot(self, **options: Any) -> Any:
        """Draw the levels with their intervals; see :func:`crewe.plots.means`."""
        from crewe.plots import means

        return means(self, **options)


def margins(
    fit: Linear,
    term: str,
    *,
    at: str,
    by: str | None,
    values: Sequence[Any] | None,
    level: float | None,
) -> Margins:
    """Work out the margins of a fit; see :meth:`crewe._linear.Linear.margins`."""
    if at not in ("means", "observed"):
        raise fault(InputError, f"at={at!r} is unknown", remedy="Use 'means' or 'observed'")
    design = fit._needs_data().design
    if design is None:
        raise fault(
            InputError,
            "margins need a fit made from a formula",
            remedy="Fit with a formula and a data frame, or use contrast() with the rows of X",
        )
    frame = design.frame
    settings, labels = _settings(frame, term, by, values)
    row = design.rows_at_means(settings) if at == "means" else None
    estimates = np.empty(len(settings))
    gradients = np.empty((len(settings), len(design.spec.column_names)))
    for i, setting in enumerate(settings):
        if row is not None:
            over = row[i : i + 1]
        else:
            changed = frame.copy()
            for name, value in setting.items():
                changed[name] = _constant(value, frame[name])
            over = design.columns_at(changed)
        estimates[i], gradients[i] = fit._level(over)
    first = _first_of_group(labels)
    away = [i for i in range(len(labels)) if i != first[i]]
    base = [first[i] for i in away]
    confidence = fit.level if level is None else level
    estimated = fit._levels(estimates, gradients, row, confidence)
    compared = (
        fit._differences(
            estimates[away] - estimates[base], gradients[away] - gradients[base], confidence
        )
        if away
        else {k: np.empty(0) for k in estimated}
    )
    names: dict[str, list[str]] = {"level": [a for a, _ in labels]}
    others: dict[str, list[str]] = {
        "contrast": [f"{labels[i][0]} − {labels[first[i]][0]}" for i in away]
    }
    if by is not None:
        names["by"] = [b for _, b in labels]
        others["by"] = [labels[i][1] for i in away]
    return Margins(
        term=term,
        by=by,
        at=at,
        outcome=fit.formula.partition("~")[0].strip(),
        confidence=confidence,
        notes=fit.notes,
        synthetic=fit.synthetic,
        vcov_name=fit.vcov_name,
        implementation=fit.implementation,
        _levels={**names, **estimated},
        _contrasts={**others, **compared},
        _methods=[*fit._margin_methods(at), *fit.methods()],
        counts=[_count(frame, setting) for setting in settings],
    )


def _settings(
    frame: pd.DataFrame, term: str, by: str | None, values: Sequence[Any] | None
) -> tuple[list[dict[str, Any]], list[tuple[str, str]]]:
    settings: list[dict[str, Any]] = []
    labels: list[tuple[str, str]] = []
    for other in [None] if by is None else _values(frame, by, None):
        for value in _values(frame, term, values):
            setting = {term: value} if by is None else {term: value, by: other}
            settings.append(setting)
            labels.append((_label(value), "" if other is None else _label(other)))
    return settings, labels


def _count(frame: pd.DataFrame, setting: dict[str, Any]) -> int:
    same = np.ones(len(frame), dtype=bool)
    for name, value in setting.items():
        same &= np.asarray(frame[name] == value)
    return int(same.sum())


def _values(frame: pd.DataFrame, name: str, values: Sequence[Any] | None) -> list[Any]:
    if name not in frame:
        raise fault(
            InputError,
            f"'{name}' is not a variable of the model",
            column=name,
            remedy=f"Its variables are {', '.join(map(str, frame.columns))}",
        )
    column = frame[name]
    if isinstance(column.dtype, pd.CategoricalDtype):
        levels = list(column.cat.categories)
        unknown = [str(v) for v in values or [] if v not in levels]
        if unknown:
            raise fault(
                InputError,
                f"'{name}' has no such level",
                column=name,
                values=unknown,
                remedy=f"Its levels are {', '.join(map(str, levels))}",
            )
        return list(values) if values is not None else levels
    if values is not None:
        return [float(value) for value in values]
    unique = sorted(column.unique())
    if len(unique) > 10:
        raise fault(
            InputError,
            f"'{name}' is a number with {len(unique)} different values",
            column=name,
            remedy=f"Say which, for instance margins('{name}', values=[0, 10])",
        )
    return unique


def _label(value: Any) -> str:
    return str(value) if isinstance(value, str) else f"{value:g}"


def _constant(value: Any, like: pd.Series[Any]) -> Any:
    if isinstance(like.dtype, pd.CategoricalDtype):
        return pd.Categorical([value] * len(like), categories=like.cat.categories)
    return float(value)


def _first_of_group(labels: Sequence[tuple[str, str]]) -> list[int]:
    seen: dict[str, int] = {}
    return [seen.setdefault(by, i) for i, (_, by) in enumerate(labels)]
