"""The same model in each group of the data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pandas as pd

from crewe import _core
from crewe.exceptions import InputError, fault
from crewe.frames.cells import label_of
from crewe.frames.source import Source, build
from crewe.models.estimates import columns_of
from crewe.tables.counts import counts_in, over_groups, parts_of
from crewe.tables.display import Table
from crewe.tables.printable import Printable

if TYPE_CHECKING:
    from crewe.models.linear import Linear
    from crewe.models.margins import Margins

Result = TypeVar("Result")
Model = TypeVar("Model", bound="Linear")


def label_among(value: Any, levels: Sequence[str]) -> str:
    """Name a level as the data print it: `True` is 1, and `1.0` is 1, unless the text itself is a level."""
    text = str(value)
    if text not in levels and isinstance(value, int | float | np.number | np.bool_):
        return label_of(float(value))
    return text


class Results(Printable, Mapping[str, Result]):
    """One result for each value of a column: a mapping from value to result.

    Attributes
    ----------
    by : str
        The column.
    notes : list of str
        The notes of every result, each with its group.
    """

    _done = "Worked out"

    def __init__(self, by: str, results: dict[str, Result]) -> None:
        self.by = by
        self._results = results

    def __getitem__(self, key: Any) -> Result:
        return self._results[label_among(key, list(self._results))]

    def __iter__(self) -> Iterator[str]:
        return iter(self._results)

    def __len__(self) -> int:
        return len(self._results)

    @property
    def _first(self) -> Any:
        return next(iter(self._results.values()))

    def _items(self) -> Iterable[tuple[str, Any]]:
        return self._results.items()

    @property
    def notes(self) -> list[str]:
        """The notes of every result, each with its group."""
        return [f"{group}: {note}" for group, one in self._items() for note in one.notes]

    @property
    def synthetic(self) -> bool:
        """Whether any result rests on synthetic data."""
        return any(one.synthetic for _, one in self._items())

    def methods(self) -> list[str]:
        """Say in plain sentences what was done."""
        return [*self._first.methods(), f"{self._done} separately by {self.by}."]

    def tidy(self) -> Any:
        """Stack `tidy()` of every result, the group in the first column."""
        columns: dict[str, list[Any]] = {self.by: []}
        for group, one in self._items():
            part = Source(one.tidy())._frame
            for name in part.columns:
                place = f"{name} of the result" if name == self.by else name
                columns.setdefault(place, [None] * len(columns[self.by])).extend(
                    part[name].to_list()
                )
            columns[self.by] += [group] * len(part)
        n = len(columns[self.by])
        padded = {k: [*v, *[None] * (n - len(v))] for k, v in columns.items()}
        return build(padded, self._first.implementation, synthetic=self.synthetic)

    def _panels(self) -> Sequence[Table]:
        panels = [
            replace(
                panel.within((self.by, group)),
                title=". ".join(filter(None, [f"{self.by}: {group}", panel.title])),
            )
            for group, one in self._items()
            for panel in one._panels()
        ]
        counts = [
            count for panel in panels for part in parts_of(panel.rows) for count in counts_in(part)
        ]
        first = replace(panels[0], relations=[*panels[0].relations, *over_groups(counts, self.by)])
        return [first, *panels[1:]]


class FitGroup(Results[Model]):
    """Fits of one model, one for each value of a column: a mapping from value to fit.

    Attributes
    ----------
    by : str
        The column.
    notes : list of str
        The notes of every fit, each with its group.
    """

    _done = "Fitted"

    def tidy(self, level: float | None = None) -> Any:
        """Give the coefficients of every fit: a column with the group, then as `tidy()` of a fit."""
        parts = []
        for group, fit in self._results.items():
            table = pd.DataFrame({"term": fit.terms, **columns_of(fit._table(level))})
            table.insert(0, self.by, group)
            parts.append(table)
        stacked = pd.concat(parts, ignore_index=True)
        kind = self._first.implementation
        columns = {name: stacked[name].to_numpy() for name in stacked}
        return build(columns, kind, synthetic=self.synthetic)

    @property
    def strata_terms(self) -> list[str]:
        """The coefficients of the strata or sets in any of the fits."""
        return list(dict.fromkeys(name for _, fit in self._items() for name in fit.strata_terms))

    def margins(self, term: str, **options: Any) -> dict[str, Margins]:
        """Give the margins of every fit, by group; see :meth:`crewe.models.linear.Linear.margins`."""
        return {group: fit.margins(term, **options) for group, fit in self._results.items()}

    def table(self, **options: Any) -> Any:
        """Print the fits side by side; see :func:`crewe.table`."""
        from crewe.tables.table import table

        return table(self._results, **options)

    def _panels(self) -> Sequence[Table]:
        panels: Sequence[Table] = self.table()._panels()
        return panels


class FitFamily(FitGroup[Model]):
    """Fits of one model to several outcomes: a mapping from the outcome to its fit."""

    def __init__(self, fits: dict[str, Model]) -> None:
        super().__init__("outcome", fits)

    def methods(self) -> list[str]:
        """Say in plain sentences what was done."""
        return [sentence for fit in self._results.values() for sentence in fit.methods()]

    def adjust(self, method: str = "holm", term: str | None = None) -> Any:
        """Adjust the p-values of one term for the number of outcomes.

        Parameters
        ----------
        method : str
            As :func:`crewe.adjust`.
        term : str, optional
            A coefficient as `tidy()` names it; by default the first after the intercept.

        Returns
        -------
        frame
            `outcome, term, estimate, std_error, p_value, p_adjusted`, one row an outcome.
        """
        rows: dict[str, list[Any]] = {"outcome": [], "term": []}
        numbers: dict[str, list[float]] = {"estimate": [], "std_error": [], "p_value": []}
        for outcome, fit in self._results.items():
            if term is None:
                place = int(fit.terms[0] == "Intercept" and len(fit.terms) > 1)
            else:
                place = fit._position(term)
            rows["outcome"].append(outcome)
            rows["term"].append(fit.terms[place])
            table = fit._table()
            numbers["estimate"].append(float(table.estimate[place]))
            numbers["std_error"].append(float(table.std_error[place]))
            numbers["p_value"].append(float(table.p_value[place]))
        adjusted = _core.adjust(np.array(numbers["p_value"]), method)
        kind = self._first.implementation
        arrays = {key: np.array(values) for key, values in numbers.items()}
        return build({**rows, **arrays, "p_adjusted": adjusted}, kind, synthetic=self.synthetic)


def several_formulas(formula: Any) -> bool:
    """Say whether an argument is a list of formulas, and not an outcome as a list of values."""
    return (
        isinstance(formula, list | tuple)
        and bool(formula)
        and all(isinstance(one, str) and "~" in one for one in formula)
    )


def fit_family(formulas: Sequence[str], fit: Callable[[str], Model]) -> FitFamily[Model]:
    """Fit a model to each of several outcomes."""
    fits: dict[str, Model] = {}
    for formula in formulas:
        outcome = formula.partition("~")[0].strip()
        if outcome in fits:
            raise fault(
                InputError,
                f"the outcome '{outcome}' has two formulas",
                remedy="Give each outcome one formula, or fit the models one by one",
            )
        fits[outcome] = fit(formula)
    return FitFamily(fits)
