"""The columns of a model that hold the arm, apart from those that no draw of the arms changes."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from crewe.design.assignment import LEFT_OUT, Assignment
from crewe.exceptions import DesignError, InputError, fault
from crewe.formula.design import Design
from crewe.resampling._rows import Floats


@dataclass
class Parts:
    """A design, taken apart.

    Attributes
    ----------
    rest : array (n, k)
        The columns without the arm, and without the intercept.
    own : list of int
        The column that is each arm but the reference, in their order.
    held : list of list of int
        The columns of each arm: its own, then its products.
    products : array (n, q), or None
        What every arm is multiplied by.
    names : list of str
        The names of all columns.
    variable : str
        The variable of the formula that is the arm; empty where that cannot be told.
    levels : list
        What it holds for each arm.
    """

    rest: Floats
    own: list[int]
    held: list[list[int]]
    products: Floats | None
    names: list[str]
    variable: str = ""
    levels: list[str | float] = field(default_factory=list)

    def refuse_products(self) -> None:
        """Refuse products with the arm, whose own coefficient says nothing by itself."""
        if self.products is None:
            return
        moving = [self.names[j] for columns in self.held for j in columns[1:]]
        raise fault(
            InputError,
            "terms that hold the arm would change with every draw",
            values=moving,
            remedy=f'Say what is tested: of="margin", or of="{moving[0]}"; or leave out interactions with '
            "the arm",
        )


def apart(built: Design, assignment: Assignment, unit: NDArray[np.uint32]) -> Parts:
    """Split the columns of a model into those that hold the arm and the rest.

    Every product with the arm must be one with the arm as drawn, of every arm alike, and with the trial's
    reference: then the model without an effect is the model without these columns.
    """
    drawn = assignment._arm[unit]
    if (drawn == LEFT_OUT).any():
        raise fault(
            DesignError,
            f"rows of {assignment.noun} that the procedure left out are in the fit",
            rows=[int(row) for row in built.rows[drawn == LEFT_OUT]],
            remedy="Fit it with design=assignment, which leaves them out",
        )
    own = []
    for code in range(1, len(assignment.arms)):
        indicator = (drawn == code).astype(np.float64)
        same = [j for j in range(built.x.shape[1]) if np.array_equal(built.x[:, j], indicator)]
        if len(same) != 1:
            raise fault(
                InputError,
                f"the model has no one column that is the arm '{assignment.arms[code]}', as drawn",
                values=built.names,
                remedy="Put the arm into it once, as drawn and with the trial's reference arm, without "
                "products",
            )
        own += same
    variable = _variable(built, assignment, own)
    levels = _levels(built, assignment, variable)
    if not levels:
        _refuse_names(built, own)
        return Parts(np.delete(built.x, own, axis=1), own, [[j] for j in own], None, built.names)
    held, products = _products(built, variable, levels, own)
    taken = [j for columns in held for j in columns]
    rest = np.delete(built.x, taken, axis=1)
    return Parts(rest, own, held, products, built.names, variable, levels)


def _variable(built: Design, assignment: Assignment, own: list[int]) -> str:
    """Give the variable of the formula that is the arm; empty where that cannot be told."""
    known = [assignment._arm_column, "arm", built.names[own[0]]]
    return next((name for name in known if name in built.variables), "")


def _levels(built: Design, assignment: Assignment, variable: str) -> list[str | float]:
    """Give what the variable holds for each arm; nothing where that cannot be told."""
    if not variable:
        return []
    levels = built.columns[variable].levels
    if levels is not None and set(assignment.arms) <= set(levels):
        return list(assignment.arms)
    if levels is None and len(assignment.arms) == 2:
        return [0.0, 1.0]
    if levels is not None and set(levels) == {"0", "1"} and len(assignment.arms) == 2:
        return ["0", "1"]
    return []


def _products(
    built: Design, variable: str, levels: list[str | float], own: list[int]
) -> tuple[list[list[int]], Floats | None]:
    """Find the columns that change with the arm, by the design with every row in one arm and in another."""
    alone = [[j] for j in own]
    at = [built.with_values({variable: level}) for level in levels]
    changing = [
        [j for j in range(built.x.shape[1]) if not np.array_equal(here[:, j], at[0][:, j])]
        for here in at[1:]
    ]
    every = sorted({j for columns in changing for j in columns})
    if every == sorted(own):
        return alone, None
    held = [[j, *(k for k in columns if k != j)] for j, columns in zip(own, changing, strict=True)]
    beside = [here[:, columns[1:]] for here, columns in zip(at[1:], held, strict=True)]
    alike = all(np.array_equal(beside[0], other) for other in beside[1:])
    taken = [j for columns in held for j in columns]
    if not alike or len(set(taken)) != len(taken) or at[0][:, every].any():
        raise fault(
            InputError,
            "terms that hold the arm would change with every draw, and are no products of every arm but the "
            "reference with covariates",
            values=[built.names[j] for j in every if j not in own],
            remedy="Write products as arm * x, with x in the model by itself too",
        )
    return held, np.ascontiguousarray(beside[0])


def _refuse_names(built: Design, own: list[int]) -> None:
    """Refuse products by their names, where the arm is no variable whose values are known."""
    names = {built.names[j] for j in own}
    moving = [name for name in built.names if ":" in name and names & set(name.split(":"))]
    if moving:
        raise fault(
            InputError,
            "terms that hold the arm would change with every draw",
            values=moving,
            remedy="Leave out interactions with the arm, or give a function of (frame, arm)",
        )
