"""The arm among the columns of a linear model: the rest, which no draw of the arms changes, and the clusters of each arm."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crewe import _core
from crewe.exceptions import InputError, fault
from crewe.formula.design import Design

Floats = NDArray[np.float64]

_MOST_ARMS = 10


def clusters_by_arm(
    built: Design | None, groups: _core.Clusters, arm: str
) -> tuple[str, dict[str, int]]:
    """Give the column of the arm and how many clusters each has.

    Parameters
    ----------
    built : Design or None
        The design of a model; without one nothing is known.
    groups : the core's Clusters
        The clusters of its rows.
    arm : str
        The column of the trial's arm; where it is empty, the first variable is taken if no cluster has two values of it.
    """
    if built is None:
        return "", {}
    first = next((term.variables[0] for term in built.plan.terms if term.variables), "")
    arm = arm or first
    if arm not in built.columns:
        return "", {}
    column = built.columns[arm]
    named, codes = np.unique(column.values, return_inverse=True)
    values = np.ascontiguousarray(codes, dtype=np.float64)[:, None]
    if len(named) > _MOST_ARMS or not _core.constant_within(values, groups)[0]:
        return "", {}
    counts = np.bincount(codes[np.asarray(groups.first())], minlength=len(named))
    levels = column.levels or [f"{value:g}" for value in named]
    return arm, dict(zip([str(level) for level in levels], map(int, counts), strict=True))


def beside_arm(built: Design, treated: NDArray[np.bool_]) -> Floats:
    """Give the columns of a design other than the arm, without the intercept.

    Parameters
    ----------
    built : Design
        The design of a model.
    treated : array of bool, rows or rows x arms
        Whether each of its rows has the second arm; with several, a column for each but the first.

    Raises
    ------
    InputError
        Where no column, or more than one, is the arm, or a term holds it.
    """
    places = [_place(built, one) for one in treated.reshape(len(treated), -1).T]
    moving = _moving(built, places)
    if moving:
        raise fault(
            InputError,
            "terms that hold the arm would change with every draw",
            values=moving,
            remedy="Leave out interactions with the arm, or give a function of (frame, arm)",
        )
    rest: Floats = np.delete(built.x, places, axis=1)
    return rest


def _place(built: Design, treated: NDArray[np.bool_]) -> int:
    """Find the one column that is an arm."""
    same = [j for j in range(built.x.shape[1]) if np.array_equal(built.x[:, j] == 1, treated)]
    same = [j for j in same if set(np.unique(built.x[:, j])) <= {0.0, 1.0}]
    if len(same) != 1:
        raise fault(
            InputError,
            "the model has no one term that is the arm",
            values=built.names,
            remedy="Put the arm into it once, as drawn, and fit it to the same data",
        )
    return same[0]


def _moving(built: Design, own: list[int]) -> list[str]:
    """Name the columns besides the arms' own that another arm would change, whatever they are called."""
    term, terms = built.names[own[0]], {built.names[j] for j in own}
    known = (v for v in built.variables if term == v or term.startswith((f"{v}[", f"C({v}")))
    variable = next(known, None)
    if variable is None:
        return [name for name in built.names if ":" in name and terms & set(name.split(":"))]
    at = [
        built.with_values({variable: level})
        for level in built.columns[variable].levels or (0.0, 1.0)
    ]
    return [
        name
        for j, name in enumerate(built.names)
        if j not in own and any(not np.array_equal(at[0][:, j], other[:, j]) for other in at[1:])
    ]
