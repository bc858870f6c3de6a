"""Intracluster correlations that others found, for planning, each with its source."""

from __future__ import annotations

import importlib.resources
from dataclasses import dataclass
from functools import cache
from typing import Any

import pandas as pd

from crewe.exceptions import InputError, fault
from crewe.files import toml
from crewe.frames.arguments import checked
from crewe.tables.display import Table, number
from crewe.tables.printable import Printable

_COLUMNS = (
    "setting",
    "cluster",
    "outcome",
    "measure",
    "icc",
    "low",
    "high",
    "spread",
    "clusters",
    "n",
    "where",
    "citation",
    "place",
    "doi",
)


@cache
def _known() -> tuple[dict[str, Any], ...]:
    file = importlib.resources.files("crewe.comparisons") / "data" / "icc_planning.toml"
    read = toml.read(file.read_text("utf-8"), file.name, "Install crewe again")
    sources = {source["key"]: source for source in read["source"]}
    return tuple({**value, **sources[value["source"]]} for value in read["value"])


@dataclass(frozen=True, repr=False)
class PlanningValues(Printable):
    """Intracluster correlations for planning; made by :func:`icc_planning`.

    Attributes
    ----------
    frame : pandas.DataFrame
        A row a value: `setting, cluster, outcome, measure, icc, low, high, spread, clusters, n, where, citation, place, doi`. What
        a source does not say is missing; `spread` says what `low` and `high` are.
    """

    frame: pd.DataFrame

    def tidy(self) -> pd.DataFrame:
        """Give the frame."""
        return self.frame

    def methods(self) -> list[str]:
        """Say where the values come from."""
        return [
            f"{citation}{f', doi:{doi}' if doi else ''}: {place}."
            for citation, doi, place in dict.fromkeys(
                zip(self.frame["citation"], self.frame["doi"], self.frame["place"], strict=True)
            )
        ]

    def _panels(self) -> list[Table]:
        def range_of(low: float, high: float, spread: str | None) -> str:
            if spread is None or pd.isna(high):
                return "–"
            if pd.isna(low):
                return f"{spread} {number(high, 3)}"
            return f"{number(low, 3)} to {number(high, 3)} ({spread})"

        rows = [
            [
                value["setting"],
                value["cluster"],
                f"{value['outcome']} ({value['where']})",
                "–" if pd.isna(value["icc"]) else number(value["icc"], 3),
                range_of(value["low"], value["high"], value["spread"]),
            ]
            for value in self.frame.to_dict("records")
        ]
        return [
            Table(
                ["setting", "cluster", "outcome", "ICC", "range"],
                rows,
                title="Intracluster correlations for planning",
                notes=[
                    *self.methods(),
                    "An ICC belongs to its outcome, measure, clusters and place: take the nearest, "
                    "and show what the plan needs over its range.",
                ],
                align="lllrl",
            )
        ]


@checked
def icc_planning(setting: str | None = None, *, cluster: str | None = None) -> PlanningValues:
    """Give intracluster correlations that others found, for planning, each with its source.

    Parameters
    ----------
    setting : {"education", "housing", "social care"}, optional
        Only those of one setting.
    cluster : {"family", "care home", "school", "class", "region", "region by support need"}, optional
        Only those of one kind of cluster.

    Returns
    -------
    PlanningValues

    Raises
    ------
    InputError
        A setting or a kind of cluster of which none is known.

    Examples
    --------
    >>> import crewe as cw
    >>> siblings = cw.icc_planning("social care", cluster="family").frame
    >>> siblings[["outcome", "icc"]].values.tolist()
    [['re-referral, siblings', 0.36]]
    """
    kept = list(_known())
    for name, wanted in (("setting", setting), ("cluster", cluster)):
        if wanted is None:
            continue
        found = sorted({value[name] for value in kept})
        # A value of schools and classes alike is one of each.
        kept = [value for value in kept if wanted in value[name].split(" or ")]
        if not kept:
            raise fault(
                InputError,
                f"no intracluster correlation is known for {name} '{wanted}'",
                values=found,
                remedy="Choose one of these, or estimate it from data with cw.icc",
            )
    frame = pd.DataFrame([{name: value.get(name) for name in _COLUMNS} for value in kept])
    for name in ("icc", "low", "high", "clusters", "n"):
        frame[name] = pd.to_numeric(frame[name])
    return PlanningValues(frame)
