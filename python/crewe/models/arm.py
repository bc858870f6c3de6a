"""The arm among the columns of a linear model, apart from the rest, which no draw of the arms changes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crewe.exceptions import InputError, fault
from crewe.formula.design import Design

Floats = NDArray[np.float64]


def beside_arm(built: Design, treated: NDArray[np.bool_]) -> Floats:
    """Give the columns of a design other than the arm, without the intercept.

    Parameters
    ----------
    built : Design
        The design of a model.
    treated : array of bool
        Whether each of its rows has the second arm.

    Raises
    ------
    InputError
        Where no column, or more than one, is the arm, or a term holds it.
    """
    same = [j for j in range(built.x.shape[1]) if np.array_equal(built.x[:, j] == 1, treated)]
    same = [j for j in same if set(np.unique(built.x[:, j])) <= {0.0, 1.0}]
    if len(same) != 1:
        raise fault(
            InputError,
            "the model has no one term that is the arm",
            values=built.names,
            remedy="Put the arm into it once, as drawn, and fit it to the same data",
        )
    moving = _moving(built, same[0])
    if moving:
        raise fault(
            InputError,
            "terms that hold the arm would change with every draw",
            values=moving,
            remedy="Leave out interactions with the arm, or give a function of (frame, arm)",
        )
    rest: Floats = np.delete(built.x, same[0], axis=1)
    return rest


def _moving(built: Design, own: int) -> list[str]:
    """Name the columns besides the arm's own that another arm would change, whatever they are called."""
    term = built.names[own]
    known = (v for v in built.variables if term == v or term.startswith((f"{v}[", f"C({v}")))
    variable = next(known, None)
    if variable is None:
        return [name for name in built.names if ":" in name and term in name.split(":")]
    at = [
        built.with_values({variable: level})
        for level in built.columns[variable].levels or (0.0, 1.0)
    ]
    return [
        name
        for j, name in enumerate(built.names)
        if j != own and any(not np.array_equal(at[0][:, j], other[:, j]) for other in at[1:])
    ]
