"""Power calculations side by side."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from crewe.exceptions import InputError, fault
from crewe.frames.arguments import checked
from crewe.power._binary import BinaryPower, binary
from crewe.power._quantities import (
    LABELS,
    Method,
    Quantity,
    named,
    percent,
    points,
    short,
    sizes_of,
)
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


@checked
def table(**arguments: Any) -> Comparison:
    """Solve a power calculation for every combination of arguments.

    Parameters
    ----------
    **arguments
        Those of `binary`. A list stands for several values, and a mapping for several values with
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
    choices: dict[str, list[tuple[Any, Any]]] = {}
    for name, value in arguments.items():
        if isinstance(value, Mapping):
            choices[name] = list(value.items())
        elif isinstance(value, list | tuple) and name != "cluster_size":
            choices[name] = [(item, item) for item in value]
        else:
            choices[name] = [(named(value), value)]
    rows, answers = [], []
    for combination in itertools.product(*choices.values()):
        asked = {name: value for name, (_, value) in zip(choices, combination, strict=True)}
        labels = {name: label for name, (label, _) in zip(choices, combination, strict=True)}
        answer = binary(**asked)
        answers.append(answer)
        rows.append({**_summary(answer), **labels})
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
        header=[*(LABELS.get(name, name) for name in varied), LABELS[solved]],
        rows=body,
        title=f"{LABELS[solved]}, solved for",
    )
    notes = sorted({said for answer in answers for said in answer.methods()})
    return Comparison(frame=frame, tables=[laid_out], notes=notes)


def _summary(answer: BinaryPower) -> dict[str, Any]:
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
        "ceiling",
    )
    return {name: getattr(answer, name) for name in kept}


def _shown(answer: BinaryPower, name: Quantity) -> str:
    value = getattr(answer, name)
    if not answer.attainable or value is None:
        return f"unattainable (power {percent(answer.ceiling)})"
    if name == "effect":
        return points(value)
    return percent(value) if name == "power" else f"{value:.4g}"


_METHODS: tuple[Method, ...] = ("arcsine", "pooled", "unpooled")
# Appendix 6 of the report: baseline, ICC, smallest detectable effect in points.
_PRINTED = ((0.226, 1.0, 15.1), (0.226, 0.36, 11.2), (0.113, 1.0, 12.4), (0.113, 0.36, 9.1))
_FAMILIES, _CHILDREN, _CASES = 132, 326, 126


@checked
def project_crewe(sizes: Sequence[int] | None = None) -> Comparison:
    """Show the power calculation of Project Crewe: as printed, and for the trial that happened.

    The report (Heal, Nolan and Sanders, DfE RR580, 2017, Appendix 6) prints four smallest
    detectable effects. Only the arcsine formula and a rise fit all four, with 286 or 287 families
    at 1:1 (322 or 323 at 2:1): more than twice the 132 families that were recruited.

    Parameters
    ----------
    sizes : sequence of int, optional
        The number of children in each family, where they are at hand. The report does not print
        them; without them the mean sizes 3 (as planned) and 326/132 (as recruited) are shown.

    Returns
    -------
    Comparison
        `part` says which table a row belongs to: "printed", "trial" or "index cases".

    Examples
    --------
    >>> import crewe as cw
    >>> shown = cw.power.project_crewe().frame
    >>> trial = shown[(shown["part"] == "trial") & (shown["method"] == "arcsine")]
    >>> [round(100 * effect, 1) for effect in trial[trial["direction"] == "rise"]["effect"]]
    [24.3, 18.0, 24.3, 18.8]
    """
    rows: list[dict[str, Any]] = []

    def solve(part: str, label: str, printed: float = math.nan, **asked: Any) -> BinaryPower:
        answer = binary(power=0.8, **asked)
        rows.append({"part": part, "sizes": label, "printed": printed, **_summary(answer)})
        return answer

    designs = ((286, 0.5, "286 at 1:1"), (322, 2 / 3, "322 at 2:1"))
    printed = []
    for baseline, icc, in_points in _PRINTED:
        cells = [f"{percent(baseline)}, ICC {icc:g}", f"{in_points:.1f}"]
        for clusters, share, _ in designs:
            for method in _METHODS:
                answer = solve(
                    "printed",
                    "mean 3",
                    in_points / 100,
                    baseline=baseline,
                    icc=icc,
                    cluster_size=3,
                    clusters=clusters,
                    allocation=share,
                    method=method,
                )
                cells.append(_plain_points(answer))
        printed.append(cells)
    choices: dict[str, Any] = {
        "mean 3": 3,
        f"mean {_CHILDREN / _FAMILIES:.2f}": _CHILDREN / _FAMILIES,
    }
    if sizes is not None:
        given = sizes_of(sizes)
        if not isinstance(given, list):
            raise fault(
                InputError,
                "sizes must be a list, one number a family",
                values=[f"{given:g}"],
                remedy="Leave it out for the mean sizes",
            )
        choices[f"{len(given)} sizes given, mean {np.mean(given):.2f}"] = given
    trial = []
    for label, size in choices.items():
        families = len(size) if isinstance(size, list) else _FAMILIES
        for icc in (1.0, 0.36):
            cells = [f"{families} families, {label}, ICC {icc:g}"]
            for way in ("rise", "fall"):
                for method in _METHODS:
                    answer = solve(
                        "trial",
                        label,
                        baseline=0.226,
                        icc=icc,
                        cluster_size=size,
                        clusters=families,
                        allocation=2 / 3,
                        method=method,
                        direction=way,
                    )
                    cells.append(_plain_points(answer))
            trial.append(cells)
    rates = ((0.226, "report"), (0.273, "North East"), (0.234, "England"))
    index = []
    for baseline, name in rates:
        cells = [f"{percent(baseline)} ({name})"]
        children = {"icc": 0.36, "cluster_size": _CHILDREN / _FAMILIES, "clusters": _FAMILIES}
        cases = {"icc": 0.0, "cluster_size": 1, "clusters": _CASES}
        for label, units in ((f"{_CHILDREN} children", children), (f"{_CASES} index cases", cases)):
            for way in ("rise", "fall"):
                answer = solve(
                    "index cases",
                    label,
                    baseline=baseline,
                    allocation=2 / 3,
                    direction=way,
                    **units,
                )
                cells.append(_plain_points(answer))
        index.append(cells)
    by_method = [f"{design[2]}: {method}" for design in designs for method in _METHODS]
    tables = [
        Table(
            header=["Baseline", "printed", *by_method],
            rows=printed,
            title="Smallest detectable rise in points at 80% power, families of 3: printed and worked out",
        ),
        Table(
            header=["Trial at 2:1, baseline 22.6%"]
            + [f"{way}: {method}" for way in ("rise", "fall") for method in _METHODS],
            rows=trial,
            title="What the trial that happened could detect, in points at 80% power",
        ),
        Table(
            header=["Baseline"]
            + [
                f"{label}: {way}"
                for label in (f"{_CHILDREN} children", f"{_CASES} index cases")
                for way in ("rise", "fall")
            ],
            rows=index,
            title="Children (ICC 0.36) and index cases (one a family), arcsine, 2:1, points at 80% power",
        ),
    ]
    notes = [
        "Two-sided 5% level, normal distribution, both tails counted as power. — : no rate "
        "between 0 and "
        "100% would be found with 80% power.",
        "Of the three formulas only arcsine, and of the two directions only a rise, fits all "
        "four printed "
        "effects: with 286 or 287 families at 1:1, 322 or 323 at 2:1, 340 or 341 at 70:30.",
        "That the report's 132 cases are families with 326 children is an inference; it does "
        "not print the "
        "size of each family.",
    ]
    return Comparison(frame=pd.DataFrame(rows), tables=tables, notes=notes)


def _plain_points(answer: BinaryPower) -> str:
    return "—" if answer.effect is None else f"{100 * answer.effect:.1f}".replace("-", "−")
