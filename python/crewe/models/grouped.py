"""A call answered within each value of a column, which `by=` names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from crewe.exceptions import InputError, fault
from crewe.formula.names import unquoted
from crewe.frames import cells
from crewe.models.groups import FitFamily, FitGroup, Results, fit_family, several_formulas
from crewe.models.linear import array_clusters, rows_of_the_data
from crewe.models.request import Request, refuse_empty, source_of


def each(
    by: str, data: Any, cluster: Any, missing: str, answer: Callable[[Any, Any], Any]
) -> Results[Any]:
    """Answer within each value of a column; rows without one are counted in every result."""
    answers = in_groups(by, data, cluster, missing, answer)
    return Results(unquoted(by), answers)


def spread(
    name: str,
    formula: Any,
    data: Any,
    by: str | None,
    cluster: Any,
    missing: str,
    fit: Callable[[str, Any, Any], Any],
) -> Any:
    """Fit a model once, once for each of several outcomes, or once in each group.

    Parameters
    ----------
    name : str
        What the function is called.
    fit : callable
        The fit of a formula to data with these clusters.
    """
    if isinstance(data, str):
        raise fault(
            InputError,
            "the data come second, after the formula",
            remedy=f"Write cw.{name}({data!r}, data)",
        )
    if several_formulas(formula):
        if by is not None:
            raise fault(
                InputError,
                "several outcomes and by= do not go together",
                remedy="Fit one outcome by group, or several outcomes in all rows",
            )
        family: FitFamily[Any] = fit_family(formula, lambda one: fit(one, data, cluster))
        return family
    if by is None:
        return fit(formula, data, cluster)
    rule = "drop" if missing == "indicator" else missing
    fits = in_groups(by, data, cluster, rule, lambda part, ids: fit(formula, part, ids))
    group: FitGroup[Any] = FitGroup(unquoted(by), fits)
    return group


def in_groups(
    by: str, data: Any, cluster: Any, missing: str, answer: Callable[[Any, Any], Any]
) -> dict[str, Any]:
    """Answer within each value of a column, by that value."""
    if data is None:
        raise fault(InputError, "a formula needs data", remedy="Pass the data frame second")
    if not isinstance(by, str):
        raise fault(
            InputError, "by= takes the name of one column", remedy="Write by='site', for instance"
        )
    source = source_of(data)
    if source.n == 0:
        raise fault(
            InputError,
            "there are no rows to analyse",
            remedy="Check the filter that came before",
        )
    by = unquoted(by, source.names)
    column = source.column(by)
    refuse_empty(column, by)
    levels, codes = cells.levels(column)
    whole = Request(source, None, None, missing, np.arange(source.n), [], False)
    kept, _ = whole.kept({by: codes < 0})
    given = None
    if cluster is not None and not isinstance(cluster, str):
        given = array_clusters(cluster, source.n, source.index)[0]
    results = {}
    for i, level in enumerate(levels):
        rows = np.flatnonzero(codes == i)
        with rows_of_the_data(rows):
            part = source.take([int(row) for row in rows]).native()
            one = answer(part, cluster if given is None else given[rows])
        if not kept.all():
            said = f"{int((~kept).sum())} rows without {by} are in no group"
            (one.base_notes if hasattr(one, "base_notes") else one.notes).append(said)
        one.synthetic = one.synthetic or source.synthetic
        results[level] = one
    return results
