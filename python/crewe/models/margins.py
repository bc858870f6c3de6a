"""Predicted levels of the outcome ("re-weighted means"), their comparisons, and predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from crewe.exceptions import InputError, fault, shown_labels
from crewe.frames.column import Columns
from crewe.frames.fingerprint import fingerprint
from crewe.frames.source import Source, build, label_of, numbers
from crewe.models.estimates import columns_of
from crewe.tables.display import Table, number, p_value, stars
from crewe.tables.printable import Printable
from crewe.tables.wording import carry, worded, words_of

if TYPE_CHECKING:
    from crewe.formula.design import Design
    from crewe.models.linear import Linear

Floats = NDArray[np.float64]


_SIGNS = {"difference": " − ", "ratio": " / ", "odds_ratio": " / "}


@dataclass(repr=False)
class Margins(Printable):
    """Predicted levels of the outcome at values of a term, and their comparisons with the first.

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
    compare : str
        How levels were compared with the first: `"difference"`, `"ratio"` or `"odds_ratio"`.
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
    compare: str = "difference"
    described: str = ""
    fingerprint: dict[str, Any] | None = field(default=None, repr=False)

    def tidy(self) -> Any:
        """Give the levels: `level, by, estimate, std_error, statistic, df, p_value, conf_low, conf_high`."""
        return build(self._levels, self.implementation, synthetic=self.synthetic)

    def contrasts(self) -> Any:
        """Give the comparisons with the first level, with the same columns and `contrast` for `level`.

        Ratios stand with their limits as they are; their `std_error`, `statistic` and `p_value` are of the logarithm.
        """
        return build(self._contrasts, self.implementation, synthetic=self.synthetic)

    def methods(self) -> list[str]:
        """Say in plain sentences what was done."""
        at = (
            "all other variables at their means over the analysed rows of every arm (categories at "
            "their observed shares; the product of separate means, as Stata's margins, atmeans)"
            if self.at == "means"
            else "predictions averaged over all analysed rows (g-computation)"
        )
        ratios = {"ratio": "ratios", "odds_ratio": "odds ratios"}.get(self.compare)
        compared = (
            [f"Levels are compared by their {ratios}, on the log scale, by the delta method."]
            if ratios
            else []
        )
        said = self.described or f"Predicted levels of {self.outcome} by {self.term}: {at}."
        return [said, *compared, *self._methods]

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
                        self._said(str(table[name][i])),
                        *([worded(str(table["by"][i]))] if by else []),
                        number(table["estimate"][i]),
                        number(table["std_error"][i]),
                        number(table["df"][i], 1),
                        number(table["conf_low"][i]),
                        number(table["conf_high"][i]),
                        p_value(p) + stars(p) if name == "contrast" else "",
                    ]
                )
        title = f"Predicted {self.outcome} by {self.term}" + (f" and {self.by}" if by else "")
        if self.synthetic:
            title += " (SYNTHETIC data)"
        return Table(
            header, rows, title=title, notes=[*self.methods(), *(f"Note: {n}." for n in self.notes)]
        )

    def _said(self, level: str) -> str:
        """Say a level, or a comparison of two, in the words that hold here."""
        sign = _SIGNS.get(self.compare, _SIGNS["difference"])
        names = set(self._levels["level"])
        first, between, second = level.rpartition(sign)
        if between and first in names and second in names:
            return f"{worded(first)}{sign}{worded(second)}"
        return worded(level)

    def _panels(self) -> list[Table]:
        return [self._table()]

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
    compare: str,
) -> Margins:
    """Work out the margins of a fit; see :meth:`crewe.models.linear.Linear.margins`."""
    if at not in ("means", "observed"):
        raise fault(InputError, f"at={at!r} is unknown", remedy="Use 'means' or 'observed'")
    data = fit._needs_data()
    design = data.design
    if design is None:
        raise fault(
            InputError,
            "margins need a fit made from a formula",
            remedy="Fit with a formula and a data frame, or use contrast() with the rows of X",
        )
    settings, labels = _settings(design, term, by, values)
    observed = None if data.weights is None else data.weights.values
    first = _first_of_group(labels)
    away = [i for i in range(len(labels)) if i != first[i]]
    confidence = fit._level(level)
    found = fit._covariance().margins(
        _rows(design, settings, at, observed),
        observed,
        [[i, first[i]] for i in away],
        compare,
        confidence,
    )
    estimated, compared = columns_of(found.levels), columns_of(found.comparisons)
    if compare != "difference":
        for key in ("estimate", "conf_low", "conf_high"):
            compared[key] = np.exp(compared[key])
    sign = _SIGNS.get(compare, _SIGNS["difference"])
    names: dict[str, list[str]] = {"level": [a for a, _ in labels]}
    others: dict[str, list[str]] = {
        "contrast": [f"{labels[i][0]}{sign}{labels[first[i]][0]}" for i in away]
    }
    if by is not None:
        names["by"] = [b for _, b in labels]
        others["by"] = [labels[i][1] for i in away]
    made = Margins(
        term=term,
        by=by,
        at=at,
        outcome=fit.formula.partition("~")[0].strip(),
        confidence=confidence,
        notes=[*fit.notes, *without_variance(estimated, compared, names, others)],
        synthetic=fit.synthetic,
        vcov_name=fit.vcov_name,
        implementation=fit.implementation,
        _levels={**names, **estimated},
        _contrasts={**others, **compared},
        _methods=[*fit._margin_methods(at), *fit.methods()],
        counts=[_count(design.columns, setting) for setting in settings],
        compare=compare,
        fingerprint={
            "fingerprint": fingerprint(design.columns),
            "rows": design.columns.n,
            "columns": sorted(design.columns),
        },
    )
    return carry(made, words_of(fit))


def _rows(
    design: Design, settings: list[dict[str, Any]], at: str, observed: Floats | None
) -> list[tuple[Floats, Floats | None]]:
    """Give the rows of the design over which each level is averaged, without the intercept."""
    if at == "means":
        return rows_at_means(design, settings, observed)
    return [(design.with_values(setting), None) for setting in settings]


def rows_at_means(
    design: Design, settings: list[dict[str, Any]], observed: Floats | None
) -> list[tuple[Floats, Floats | None]]:
    """Give one row of the design for each setting, without the intercept, and what its means are beyond doubles."""
    first = int(design.intercept)
    rows, beyond = design.rows_at_means(settings, observed)
    return [
        (np.ascontiguousarray(row[None, first:]), np.ascontiguousarray(rest[first:]))
        for row, rest in zip(rows, beyond, strict=True)
    ]


def without_variance(
    estimated: dict[str, Any],
    compared: dict[str, Any],
    names: dict[str, list[str]],
    others: dict[str, list[str]],
) -> list[str]:
    """Say which levels and comparisons have no variance, and so no test."""
    flat = [
        label
        for table, labels in ((estimated, names["level"]), (compared, others["contrast"]))
        for label, se in zip(labels, table["std_error"], strict=True)
        if se == 0.0
    ]
    if not flat:
        return []
    return [f"not estimable: nothing varies in the rows that {', '.join(flat)} rest on"]


def predict(fit: Linear, data: Any, kind: str, level: float | None) -> Any:
    """Work out predictions; see :meth:`crewe.models.linear.Linear.predict`."""
    if kind not in ("response", "link"):
        raise fault(InputError, f"kind={kind!r} is unknown", remedy="Use 'response' or 'link'")
    held = fit._needs_data()
    implementation, synthetic = fit.implementation, fit.synthetic
    if data is None:
        rows = held.x
        whole: NDArray[np.bool_] = np.ones(len(rows), dtype=np.bool_)
    elif held.design is None:
        rows = np.ascontiguousarray(np.atleast_2d(numbers(data, "X")))
        whole = np.asarray(np.isfinite(rows).all(axis=1))
    else:
        rows, whole = held.design.rows_of(data)
        source = Source(data)
        implementation, synthetic = source._implementation, synthetic or source.synthetic
    if level is None:
        table = {"estimate": held.core.predict(np.ascontiguousarray(rows[whole]), kind == "link")}
    else:
        found = columns_of(
            fit._covariance().predict(np.ascontiguousarray(rows[whole]), kind == "link", level)
        )
        table = {
            key: found[key] for key in ("estimate", "std_error", "df", "conf_low", "conf_high")
        }
    spread = {}
    for key, found_values in table.items():
        spread[key] = np.full(len(rows), np.nan)
        spread[key][whole] = found_values
    return build(spread, implementation, synthetic=synthetic)


def _settings(
    design: Design, term: str, by: str | None, values: Sequence[Any] | None
) -> tuple[list[dict[str, Any]], list[tuple[str, str]]]:
    if by == term:
        raise fault(
            InputError,
            f"'{term}' cannot be set and be held beside itself",
            column=term,
            remedy="Name another variable as by=, or leave it out",
        )
    settings: list[dict[str, Any]] = []
    labels: list[tuple[str, str]] = []
    for other in [None] if by is None else _values(design, by, None):
        for value in _values(design, term, values):
            setting = {term: value} if by is None else {term: value, by: other}
            settings.append(setting)
            labels.append((_label(value), "" if other is None else _label(other)))
    return settings, labels


def _count(columns: Columns, setting: dict[str, Any]) -> int:
    same = np.ones(columns.n, dtype=bool)
    for name, value in setting.items():
        column = columns[name]
        same &= column.values == (value if column.levels is None else column.code_of(value))
    return int(same.sum())


def _values(design: Design, name: str, values: Sequence[Any] | None) -> list[Any]:
    known = design.variables
    if name not in known:
        raise fault(
            InputError,
            f"'{name}' is not a variable of the model",
            column=name,
            remedy=f"Its variables are {', '.join(known)}",
        )
    if isinstance(values, str | bytes):
        raise fault(
            InputError,
            f"values={values!r} is one text, and no list of values",
            column=name,
            remedy=f"Write values=[{values!r}]",
        )
    column = design.columns[name]
    if column.levels is not None or (name in design.coded and values is not None):
        levels: list[Any] = (
            list(column.levels)
            if column.levels is not None
            else [float(value) for value in np.unique(column.values)]
        )
        unknown = [str(v) for v in (() if values is None else values) if v not in levels]
        if unknown:
            raise fault(
                InputError,
                f"'{name}' has no such level",
                column=name,
                values=unknown,
                remedy=f"Its levels are {', '.join(shown_labels([_label(v) for v in levels])) or 'others'}",
            )
        return list(values) if values is not None else levels
    if values is not None:
        asked = np.asarray(numbers(list(values), name), dtype=np.float64)
        if not np.isfinite(asked).all():
            raise fault(
                InputError,
                "the values of a margin must be finite numbers",
                column=name,
                values=[str(value) for value in values],
                remedy="Leave missing values out",
            )
        return [value if isinstance(value, int) else float(value) for value in values]
    unique = list(np.unique(column.values))
    if len(unique) > 10:
        raise fault(
            InputError,
            f"'{name}' is a number with {len(unique)} different values",
            column=name,
            remedy=f"Say which, for instance margins('{name}', values=[0, 10])",
        )
    return unique


def _label(value: Any) -> str:
    return str(value) if isinstance(value, str) else label_of(value)


def _first_of_group(labels: Sequence[tuple[str, str]]) -> list[int]:
    seen: dict[str, int] = {}
    return [seen.setdefault(by, i) for i, (_, by) in enumerate(labels)]
