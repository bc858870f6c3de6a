"""The same model in each group of the data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import pandas as pd

from crewe._cells import as_text
from crewe._frames import Source, build

if TYPE_CHECKING:
    from crewe._linear import Linear
    from crewe._margins import Margins

Model = TypeVar("Model", bound="Linear")


class FitGroup(Mapping[str, Model]):
    """Fits of one model, one for each value of a column: a mapping from value to fit.

    Attributes
    ----------
    by : str
        The column.
    notes : list of str
        The notes of every fit, each with its group.
    """

    def __init__(self, by: str, fits: dict[str, Model]) -> None:
        self.by = by
        self._fits = fits

    def __getitem__(self, key: str) -> Model:
        return self._fits[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fits)

    def __len__(self) -> int:
        return len(self._fits)

    @property
    def notes(self) -> list[str]:
        """The notes of every fit, each with its group."""
        return [f"{group}: {note}" for group, fit in self._fits.items() for note in fit.notes]

    @property
    def synthetic(self) -> bool:
        """Whether any fit rests on synthetic data."""
        return any(fit.synthetic for fit in self._fits.values())

    def methods(self) -> list[str]:
        """Say in plain sentences what was done."""
        first = next(iter(self._fits.values()))
        return [*first.methods(), f"Fitted separately by {self.by}."]

    def tidy(self, level: float | None = None) -> Any:
        """Give the coefficients of every fit: a column with the group, then as `tidy()` of a fit."""
        parts = []
        for group, fit in self._fits.items():
            table = pd.DataFrame({"term": fit.terms, **fit._table(level)})
            table.insert(0, self.by, group)
            parts.append(table)
        stacked = pd.concat(parts, ignore_index=True)
        kind = next(iter(self._fits.values())).implementation
        return build({name: stacked[name].to_numpy() for name in stacked}, kind)

    def margins(self, term: str, **options: Any) -> dict[str, Margins]:
        """Give the margins of every fit, by group; see :meth:`crewe._linear.Linear.margins`."""
        return {group: fit.margins(term, **options) for group, fit in self._fits.items()}

    def table(self, **options: Any) -> Any:
        """Print the fits side by side; see :func:`crewe.table`."""
        from crewe._table import table

        return table(self._fits, **options)

    def __repr__(self) -> str:
        return repr(self.table())

    def _repr_html_(self) -> str:
        html: str = self.table()._repr_html_()
        return html


def fit_by(by: str, data: Any, fit: Callable[[Any], Model]) -> FitGroup[Model]:
    """Fit a model in each group; rows without a group are left out with a note in every fit."""
    source = Source(data)
    column = source.column(by)
    if not isinstance(column.dtype, pd.CategoricalDtype):
        column = as_text(column)
    missing = int(column.isna().sum())
    fits: dict[str, Model] = {}
    for group in column.cat.categories:
        rows = column.eq(group).to_numpy(dtype=bool)
        result = fit(source._frame.filter(rows.tolist()).to_native())
        if missing:
            result.base_notes.append(f"{missing} rows without a value of {by} are in no group")
        fits[str(group)] = result
    return FitGroup(by, fits)
