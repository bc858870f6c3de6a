"""The power calculation of Project Crewe: as printed, and for the trial that happened."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import pandas as pd

from crewe.exceptions import InputError, fault
from crewe.frames.arguments import checked
from crewe.power._binary import binary
from crewe.power._compare import Comparison, summary
from crewe.power._quantities import percent, sizes_of
from crewe.power._result import Power
from crewe.tables.display import Table

_METHODS: tuple[Literal["arcsine", "pooled", "unpooled"], ...] = ("arcsine", "pooled", "unpooled")
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

    def solve(part: str, label: str, printed: float = math.nan, **asked: Any) -> Power:
        answer = binary(power=0.8, **asked)
        rows.append({"part": part, "sizes": label, "printed": printed, **summary(answer)})
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
        choices[f"sizes given, mean {sum(given) / max(len(given), 1):.2f}"] = given
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


def _plain_points(answer: Power) -> str:
    return "—" if answer.effect is None else f"{100 * answer.effect:.1f}".replace("-", "−")
