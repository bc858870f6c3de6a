"""Tests of proportional hazards."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crewe.frames.source import build
from crewe.plots import style
from crewe.tables.display import Table, number, p_value
from crewe.tables.labels import pretty
from crewe.tables.printable import Printable

Floats = NDArray[np.float64]


_SCALES = {
    "km": "time as the Kaplan-Meier estimate has it",
    "rank": "time as ranks",
    "identity": "time as it is",
    "log": "time as its logarithm",
}


@dataclass(repr=False)
class ProportionalHazards(Printable):
    """Tests of proportional hazards; made by :meth:`CoxPH.zph`.

    Attributes
    ----------
    terms : list of str
        The terms of the model, then `GLOBAL`.
    statistic, df, p_value : array
        Chi-squared tests.
    transform : str
        The function of time.
    time, transformed : array (d,)
        The times of the events, and g of them.
    scaled_schoenfeld : array (d, p)
        Scaled Schoenfeld residuals plus the coefficients.
    """

    transform: str
    terms: list[str]
    columns: list[str]
    clustered: bool
    synthetic: bool
    implementation: Any = field(repr=False)
    statistic: Floats
    df: Floats
    p_value: Floats
    time: Floats = field(repr=False)
    transformed: Floats = field(repr=False)
    scaled_schoenfeld: Floats = field(repr=False)

    @property
    def notes(self) -> list[str]:
        """What a reader must know."""
        notes = []
        low = [t for t, p in zip(self.terms[:-1], self.p_value, strict=False) if p < 0.05]
        if low:
            notes.append(
                f"hazards do not look proportional in {', '.join(low)}: one hazard ratio "
                "is then an average over time"
            )
        else:
            notes.append(
                f"{len(self.time)} event times give this test little power, and it looks for a "
                "hazard ratio that rises or falls with time: curves that part and meet again can "
                "pass it, so look at the curves too"
            )
        if self.clustered:
            notes.append("the test takes no account of the clusters")
        return notes

    def tidy(self) -> Any:
        """Give one row a term and one for all: `term, statistic, df, p_value`."""
        return build(
            {
                "term": self.terms,
                "statistic": self.statistic,
                "df": self.df,
                "p_value": self.p_value,
            },
            self.implementation,
            synthetic=self.synthetic,
        )

    def summary(self) -> Table:
        """Give the printed table."""
        rows = [
            [term, number(float(x), 3), f"{df:g}", p_value(float(p))]
            for term, x, df, p in zip(
                self.terms, self.statistic, self.df, self.p_value, strict=True
            )
        ]
        return Table(
            ["term", "chi-squared", "df", "p"],
            rows,
            title=f"Test of proportional hazards, {_SCALES.get(self.transform, self.transform)}",
            notes=[f"Note: {note}." for note in self.notes],
        )

    def _panels(self) -> list[Table]:
        return [self.summary()]

    @style.printed()
    def plot(self, term: str | None = None, ax: Any = None, *, xlabel: str = "Time") -> Any:
        """Draw the scaled residuals of one column against time: a slope is a hazard ratio that changes.

        Parameters
        ----------
        term : str, optional
            A column of the model; the first by default.
        ax : matplotlib Axes, optional
        xlabel : str
            The name of the axis of time, with its unit.
        """
        from crewe.exceptions import InputError, fault

        name = self.columns[0] if term is None else term
        if name not in self.columns:
            raise fault(
                InputError,
                f"the model has no column '{name}'",
                remedy=f"Its columns are {', '.join(self.columns)}",
            )
        if ax is None:
            _, ax = style.figure(120, 75)
        j = self.columns.index(name)
        ax.plot(
            self.time,
            self.scaled_schoenfeld[:, j],
            linestyle="none",
            marker="o",
            markersize=3,
            markerfacecolor="#ffffff",
            markeredgecolor=style.QUIET,
        )
        ax.axhline(float(self.scaled_schoenfeld[:, j].mean()), color=style.INK, linewidth=0.8)
        style.note(ax, "A point for each event; the line is their mean.")
        ax.set_xlabel(xlabel)
        ax.set_ylabel(f"Log hazard ratio of {pretty(name)}")
        style.alt_text(
            ax,
            f"Scaled Schoenfeld residuals of {pretty(name)} at {len(self.time)} event times, with "
            f"their mean, {self.scaled_schoenfeld[:, j].mean():.2f}, as a line.",
        )
        if self.synthetic:
            style.label_synthetic(ax)
        return ax
