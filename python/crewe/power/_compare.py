"""Power calculations side by side."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from crewe.exceptions import InputError, fault
from crewe.frames.arguments import checked
from crewe.power._binary import binary
from crewe.power._continuous import continuous
from crewe.power._count import count
from crewe.power._quantities import (
    LABELS,
    Outcome,
    Quantity,
    cell,
    effect_text,
    label_of,
    named,
    percent,
    short,
)
from crewe.power._result import Power
from crewe.power._survival import survival
from crewe.tables.display import Table
from crewe.tables.printable import Printable


@dataclass(frozen=True, repr=False)
class Comparison(Printable):
    """Several power calculations side by side.

    Attributes
    ----------
    frame : pandas.DataFrame
        A row a calculation.
    tables : list of Table
        The same, laid out for reading.
    notes : list of str
        What to know about them.
    """

    frame: pd.DataFrame
    tables: list[Table]
    notes: list[str]

    def tidy(self) -> pd.DataFrame:
        """Give the frame."""
        return self.frame

    def _panels(self) -> list[Table]:
        # The notes hold for all of the tables.
        return [*self.tables[:-1], replace(self.tables[-1], notes=self.notes)]


_FUNCTIONS: dict[str, Callable[..., Power]] = {
    "binary": binary,
    "continuous": continuous,
    "count": count,
    "survival": survival,
}


@checked
def table(outcome: Outcome = "binary", **arguments: Any) -> Comparison:
    """Solve a power calculation for every combination of arguments.

    Parameters
    ----------
    outcome : {"binary", "continuous", "count", "survival"}
        The kind of outcome.
    **arguments
        Those of the function of that name. A list stands for several values, and a mapping for several values with
        labels (the way to compare lists of sizes: ``cluster_size={"mean 3": 3, "as recruited": [1,
        4, 2]}``). A list given as `cluster_size` is one list of sizes.

    Returns
    -------
    Comparison
        A row a combination, in the order of the arguments, the last one changing fastest.

    Examples
    --------
    >>> import crewe as cw
    >>> known = {"baseline": 0.226, "cluster_size": 3, "power": 0.8}
    >>> grid = cw.power.table(**known, icc=[0.36, 1], clusters=286)
    >>> [round(100 * effect, 1) for effect in grid.frame["effect"]]
    [11.2, 15.1]
    """
    function = _FUNCTIONS.get(outcome)
    if function is None:
        raise fault(
            InputError,
            "the outcome is not known",
            values=[str(outcome)],
            remedy=f"Choose {', '.join(_FUNCTIONS)}",
        )
    choices: dict[str, list[tuple[Any, Any]]] = {}
    for name, value in arguments.items():
        if isinstance(value, Mapping):
            choices[name] = list(value.items())
        elif name != "cluster_size" and not isinstance(value, str) and _several(value):
            choices[name] = [(item, item) for item in value]
        else:
            choices[name] = [(named(value), value)]
    rows, answers = [], []
    for combination in itertools.product(*choices.values()):
        asked = {name: value for name, (_, value) in zip(choices, combination, strict=True)}
        labels = {name: label for name, (label, _) in zip(choices, combination, strict=True)}
        answer = function(**asked)
        answers.append(answer)
        rows.append({**summary(answer), **labels})
    if not rows:
        raise fault(
            InputError, "an argument has no values", remedy="Give each list at least one value"
        )
    frame = pd.DataFrame(rows)
    varied = [name for name, options in choices.items() if len(options) > 1]
    solved = answers[0].solved
    body = [
        [*(short(row[name]) for name in varied), _shown(answer, solved)]
        for row, answer in zip(rows, answers, strict=True)
    ]
    laid_out = Table(
        header=[*(LABELS.get(name, name) for name in varied), label_of(answers[0], solved)],
        rows=body,
        title=f"{label_of(answers[0], solved)}, solved for",
    )
    notes = sorted({said for answer in answers for said in answer.methods()})
    return Comparison(frame=frame, tables=[laid_out], notes=notes)


def _several(value: Any) -> bool:
    return isinstance(value, Iterable) and np.ndim(value) == 1  # type: ignore[arg-type]


def summary(answer: Power) -> dict[str, Any]:
    """Give the quantities of an answer, for a row of a frame."""
    kept = (
        "baseline",
        "treated",
        "effect",
        "clusters",
        "power",
        "icc",
        "cluster_size",
        "cv",
        "design_effect",
        "allocation",
        "method",
        "direction",
        "distribution",
        "alpha",
        "r2",
        "clusters_analysed",
        "units_analysed",
        "df",
        "ceiling",
    )
    return {name: getattr(answer, name) for name in kept}


def _shown(answer: Power, name: Quantity) -> str:
    value = getattr(answer, name)
    if not answer.attainable or value is None:
        return f"unattainable (power {percent(answer.ceiling)})"
    if name == "effect":
        return effect_text(answer, value)
    return cell(answer, name, value)
