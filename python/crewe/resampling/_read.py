"""Reading what the built-in statistics are computed from: a name, a formula, or a fit."""

from __future__ import annotations

from typing import Any

import numpy as np

from crewe import _core
from crewe.design.assignment import Assignment
from crewe.exceptions import InputError, fault
from crewe.formula import design as designs
from crewe.formula import parse as parsing
from crewe.formula.design import Design
from crewe.frames.source import Source
from crewe.models.arm import beside_arm
from crewe.models.request import read
from crewe.resampling._model import beside_the_arm, of_times
from crewe.resampling._rows import Floats, Rows
from crewe.resampling._times import TIMES, of_restricted

LEFT_OUT = 255


STUDENTISED = ("difference_in_rates", "rate_ratio", *TIMES)
"""Names of the statistics that are studentised unless the user says otherwise."""


def rows_of(
    statistic: Any,
    source: Source,
    assignment: Assignment,
    outcome: str | None,
    horizon: float | str | None,
    strata_terms: bool,
) -> Rows:
    """Read what the statistic needs: a name with an outcome, a formula, or a fit."""
    if horizon is not None and statistic not in TIMES:
        raise fault(
            InputError,
            "horizon= is for restricted means and ratios of times",
            values=[str(horizon)],
            remedy=f"Leave it out, or test {' or '.join(map(repr, TIMES))}",
        )
    if isinstance(statistic, str) and "~" in statistic:
        return _of_formula(statistic, source, assignment, strata_terms)
    if isinstance(statistic, str):
        known = [*_core.statistics(), *TIMES]
        if statistic not in known:
            raise fault(
                InputError,
                f"the statistic {statistic!r} is unknown",
                remedy=f"Choose {' or '.join(map(repr, known))} with outcome=, a "
                'formula such as "score ~ arm", a fit of cw.ols, or a function of (frame, arm)',
            )
        if outcome is None:
            raise fault(
                InputError,
                "which outcome is tested is missing",
                remedy='Pass outcome="score", or a formula: "score ~ arm"',
            )
        if statistic in TIMES:
            return of_restricted(statistic, outcome, source, assignment, horizon)
        rows = _of_formula(f"{outcome} ~ arm", source, assignment, False)
        if rows.model is not None:
            raise fault(
                InputError,
                f"the statistic {statistic!r} is none of times",
                values=[outcome],
                remedy=f"Test {' or '.join(map(repr, TIMES))}, or the formula {outcome + ' ~ arm'!r}",
            )
        rows.statistic = statistic
        if statistic == "rate_ratio":
            rows.effects = "log rate ratios"
        return rows
    from crewe.models.regression import OLS

    if not isinstance(statistic, OLS):
        raise fault(
            InputError,
            f"a {type(statistic).__name__} is tested on its own rows, and other data came beside it",
            remedy="Leave the data out: cw.randomisation_test(fit, design=assignment)",
        )
    built = statistic._needs_data()
    if built.design is None:
        raise fault(
            InputError,
            "the fit was made from arrays, whose rows belong to no data",
            remedy="Fit it from a formula and the data",
        )
    name = parsing.parse(statistic.formula)[0]
    return _adjusted(name, source, assignment, built.design, built.y, None)


def _of_formula(formula: str, source: Source, assignment: Assignment, strata_terms: bool) -> Rows:
    left, right = parsing.parse(formula)
    if left.replace(" ", "").startswith("Surv("):
        return of_times(formula, source, assignment, strata_terms)
    plain = beside_the_arm(left, right, assignment) == 0
    asked = read(source, right, design=assignment, strata_terms=strata_terms and not plain)
    built = asked.model(parsing.variables(left)).design
    y = designs.left_values(left, built.columns)
    if not plain:
        return _adjusted(left, source, assignment, built, y, asked.right)
    values = np.full(source.n, np.nan)
    values[built.rows] = y
    unit = np.ascontiguousarray(assignment.check(source).unit, dtype=np.uint32)
    return Rows(left, "difference_in_means", values, unit, None, [])


def _adjusted(
    name: str,
    source: Source,
    assignment: Assignment,
    built: Design,
    y: Floats,
    right: str | None,
) -> Rows:
    """Split the design of a linear model into the arm and the rest."""
    if len(assignment.arms) != 2:
        raise fault(
            InputError,
            "adjustment by covariates takes two arms",
            values=assignment.arms,
            remedy="Compare means without covariates, or give a function of (frame, arm)",
        )
    if built.rows.max(initial=-1) >= source.n:
        raise fault(
            InputError,
            "the fit was made from other data",
            remedy="Pass the data that the model was fitted to",
        )
    joined = assignment.check(source)
    treated = joined.arm[built.rows] == 1
    rest = beside_arm(built, treated)
    if built.intercept:
        rest = np.column_stack([np.ones(len(rest)), rest])
    values = np.full(source.n, np.nan)
    values[built.rows] = y
    covariates = np.full((source.n, rest.shape[1]), np.nan)
    covariates[built.rows] = rest
    unit = np.ascontiguousarray(joined.unit, dtype=np.uint32)
    notes = [] if right is None else [f"the model is {name} ~ {right}"]
    return Rows(name, "adjusted", values, unit, covariates, notes)


def missing(rows: Rows, assignment: Assignment, mask: list[bool] | None) -> list[str]:
    """Count by arm what was drawn again and has no outcome, or takes no part."""
    arm, arms = assignment._arm, assignment.arms
    notes = []
    empty = np.isnan(rows.values)
    if empty.any():
        by_arm = ", ".join(
            f"{name} {int((empty & (arm[rows.unit] == code)).sum())} of "
            f"{int((arm[rows.unit] == code).sum())}"
            for code, name in enumerate(arms)
        )
        notes.append(
            f"rows without {rows.name} (or a covariate) by arm: {by_arm}; the test assumes that the "
            "arm does not influence what is missing"
        )
    seen = np.zeros(len(arm), dtype=bool)
    seen[rows.unit[~empty]] = True
    if not seen.all():
        by_arm = ", ".join(
            f"{name} {int((~seen & (arm == code)).sum())} of {int((arm == code).sum())}"
            for code, name in enumerate(arms)
        )
        notes.append(f"{assignment.noun} drawn again that have no outcome, by arm: {by_arm}")
    if mask is not None:
        out = ~np.asarray(mask, dtype=bool)
        by_arm = ", ".join(
            f"{name} {int((out & (arm == code)).sum())}" for code, name in enumerate(arms)
        )
        notes.append(f"{assignment.noun} outside the comparison, by arm: {by_arm}")
    return notes
