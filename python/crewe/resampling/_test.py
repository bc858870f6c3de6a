"""The randomisation test."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from crewe import _core
from crewe._core import read_seed
from crewe.comparisons.samples import check_alternative, count, kind_of
from crewe.design.assignment import Assignment
from crewe.design.keys import Key
from crewe.exceptions import DesignError, InputError, fault
from crewe.frames.arguments import checked
from crewe.frames.choices import Alternative
from crewe.frames.source import Source
from crewe.ledger.ledger import Ledger
from crewe.models.trial import refuse_too_few
from crewe.resampling._function import by_function
from crewe.resampling._ledger import of_ledger
from crewe.resampling._model import is_fit, of_fit
from crewe.resampling._read import STUDENTISED, missing, rows_of
from crewe.resampling._result import Comparison, RandomisationTest
from crewe.resampling._rows import Rows
from crewe.resampling._shared import Asked, Shared
from crewe.tables.wording import carry


@checked
def randomisation_test(
    statistic: Any,
    data: Any = None,
    design: Any = None,
    *,
    outcome: str | None = None,
    of: str | Sequence[str] | None = None,
    horizon: float | str | None = None,
    draws: int = 9_999,
    seed: int | Key | None = None,
    alternative: Alternative = "two-sided",
    level: float = 0.95,
    interval: bool = True,
    studentised: bool | None = None,
    residuals: Literal["null", "unrestricted"] = "null",
    weights: Literal["auto", "equal", "inverse_probability"] = "auto",
    compared: Sequence[bool] | None = None,
    strata_terms: bool = True,
    progress: bool | None = None,
    executor: Executor | None = None,
    synthetic: bool = False,
) -> RandomisationTest:
    r"""Test whether the trial had an effect by drawing its randomisation again.

    If no arm has an effect on anybody, the outcomes would have been the same under every
    assignment. So the statistic is compared with its values over the assignments that the design
    could have given: all of them, weighted by their probabilities, where there are no more than
    `draws`; else `draws` new draws of the very procedure, whole families at a time, in the order of
    arrival where it counts.

    Parameters
    ----------
    statistic : str, fit or callable
        - a fit of :func:`crewe.ols`, :func:`crewe.logit`, :func:`crewe.probit` or
          :func:`crewe.coxph`, without data: the arm in that model, on its own rows. It has to know
          its units: fit it with ``design=assignment``, or with their column as ``cluster=``;
        - ``"score ~ arm"``: the difference in means between the arms over all rows;
        - ``"score ~ arm + history"``: the coefficient of the arm in that linear model, with terms
          for the strata (two arms);
        - ``"Surv(days, closed) ~ arm"``: the log-rank score, in the strata of ``+ strata(office)``;
          with covariates the score of the arm in that Cox model;
        - ``"difference_in_means"`` (over rows, such as children), ``"difference_in_unit_means"``
          (over families' own means), ``"rank_sum"`` or, within the trial's strata,
          ``"stratified_rank_sum"``, with `outcome=`;
        - ``"difference_in_rates"`` or ``"rate_ratio"`` of an event coded 0 and 1;
        - ``"restricted_mean"``, the difference in mean times without the event up to `horizon=`, and
          ``"time_ratio"``, by the log-rank score, with ``outcome="Surv(days, closed)"``;
        - a function of (frame, arm): `frame` is `data` itself, `arm` an array of the arms' names,
          one a row. It returns a number; larger ones speak for larger outcomes.
    data : data frame, optional
        The rows of the analysis, in any order; a fit has its own. Units without rows are drawn
        again all the same.
    design : Assignment or Ledger
        What ``design.assign(frame)`` or ``design.observe(frame, arm=...)`` returned, or a closed
        ledger: its arrivals are drawn again in their order, those that came while an arm was full
        included, though these are not compared.
    outcome : str, optional
        The outcome's column, where the statistic is a name.
    of : str or list of str, optional
        What of a fit is compared, where it is not every arm with the reference: ``"margin"``, the
        mean difference over all rows that a model with products of the arm gives
        (``score ~ arm * history``); ``"pairs"``, every two arms, or two of them as ``"c - b"``; a
        coefficient that holds the arm, ``"arm[T.crewe]:history"``, or a combination. Whichever it
        is, the hypothesis is that no arm has an effect on anybody.
    horizon : float or str, optional
        Of restricted means where the areas end; of a ratio of times the time at which follow-up
        would have ended, one for all rows or a column, whatever happened before.
    draws : int
        The number of draws.
    seed : int or Key, optional
        Of the draws. By default the design's own, where it drew the assignment and is no secret
        key; else one from the operating system, which the result reports.
    alternative : {"two-sided", "less", "greater"}
        `"greater"`: the statistic is larger than without an effect.
    level : float
        Of the interval.
    interval : bool
        Whether to invert the test into an interval (two arms; not for a function).
    studentised : bool, optional
        Whether the statistic is divided by its standard error, taken over units; by default where a
        model, rates or times are tested. The test then also holds, in large trials, for no effect on average (Wu and
        Ding 2021, doi:10.1080/01621459.2020.1750415).
    residuals : {"null", "unrestricted"}
        The residuals of a studentised model's standard error: those of the model without the arm,
        or with the redrawn arm (least squares of two arms).
    weights : {"auto", "equal", "inverse_probability"}
        How units count in a difference in means; `"auto"`: by the inverse of their probability of
        the arm (Hájek) where the chances differ between units.
    compared : sequence of bool, optional
        Whether each unit, in the order of ``design.units``, takes part in the comparison. The
        others are drawn again with all and count for nothing.
    strata_terms : bool
        Whether a formula with covariates gets terms for the strata.
    progress : bool, optional
        Whether a function's progress is shown; by default where it takes over two seconds.
    executor : concurrent.futures.Executor, optional
        What shares the draws among processes or machines, with the same result to the bit; a secret
        key is sent nowhere. By default this process's threads, which are enough for a statistic of
        crewe's own unless there are a great many draws.
    synthetic : bool
        Marks every table and figure as made from synthetic data.

    Returns
    -------
    RandomisationTest

    Raises
    ------
    InputError
        Unknown columns, an arm without outcomes, a function that does not return a finite number on
        every assignment.
    DesignError
        Rows of units that were not randomised or whose arm is not the one drawn; an assignment that
        the declared procedure cannot give.

    Notes
    -----
    Enumerated, :math:`p = \sum_a P(a)\,1\{T(a) \ge T\}`; else :math:`(1 + x)/(1 + n)` for x of n
    draws. Two-sided p is twice the smaller tail. The interval holds the effects e for which the
    outcomes less e in the treated rows show no effect; for differences in means and coefficients
    its limits are found exactly.

    In a model the arm's score :math:`U = z'e`, with e the score residuals of the model fitted
    without the arm, stands over the root of :math:`G/(G-1) \sum_g u_g^2`, where :math:`u_g` is the
    part of unit g in the efficient score (CR1). An interval holds the log odds ratios or log hazard
    ratios that, given to the treated rows as an offset, are not rejected: it stands on the model,
    while the p-value does not. With several arms :math:`p` is also adjusted by the largest
    statistic of all (`p_adjusted`, single-step max T of Westfall and Young 1993).

    A margin's interval holds the effects that, the same for every row, are not rejected; of a logit
    or a probit it is that of the ratio, carried over to probabilities. The log rate ratio is tested
    by giving it to the treated units as an offset. Under a ratio of times the treated rows' times
    are divided by it and all rows censored again at the end of follow-up (Robins and Tsiatis 1991,
    doi:10.1080/03610929108830654); a difference in restricted means has no interval.

    A trial that was randomised elsewhere (``design.observe``) has no procedure to replay: its arms
    are permuted among the units of a stratum, and a note says so.

    Examples
    --------
    >>> import crewe as cw, pandas as pd
    >>> design = cw.Design("Trial", arms={"control": 1, "crewe": 1}, cluster="family", seed=3)
    >>> rows = pd.DataFrame({"family": [1, 1, 2, 3, 3, 4, 5, 6], "score": [2, 3, 1, 4, 4, 2, 5, 1]})
    >>> trial = design.assign(rows)
    >>> test = cw.randomisation_test("score ~ arm", rows, trial)
    >>> test.exact, test.assignments
    (True, 20)
    >>> bool(0 < test.p_value <= 1)
    True

    A model is tested on its own rows:

    >>> fit = cw.ols("score ~ arm", rows, design=trial)
    >>> model = cw.randomisation_test(fit, design=trial)
    >>> model.exact, bool(abs(model.estimate - test.estimate) < 1e-12)
    (True, True)
    >>> cw.randomisation_test("rate_ratio", rows.assign(high=rows.score > 3), trial, outcome="high").exact
    True
    """
    try:
        seed = read_seed(seed)
    except BaseException:
        # It may be a secret: no traceback shows it.
        del seed
        raise
    check_alternative(alternative)
    level = _core.check_level(level)
    noted: list[str] = []
    home = design
    if isinstance(design, Ledger):
        design.need_closed()
        home = design.assignment()
        if compared is None:
            design, compared, noted = of_ledger(design)
        else:
            design = home
    if not isinstance(design, Assignment):
        raise fault(
            DesignError,
            "which trial is tested is missing"
            if design is None
            else f"design= must be an assignment or a ledger, not a {type(design).__name__}",
            remedy="Pass what design.assign(frame) or design.observe(frame, arm=...) returned",
        )
    _core.check_word("weights", str(weights))
    draws = count(draws, "draws")
    asked = Asked(draws, alternative, level, interval, weights)
    options = asked.options(seed)
    _core.check_word("residuals", str(residuals))
    if data is None and not callable(statistic):
        rows, kind = _own_rows(statistic, design, home, of), statistic.implementation
        synthetic = synthetic or statistic.synthetic
    else:
        if of is not None:
            raise fault(
                InputError,
                "of= is for a fit, without data",
                values=[str(of)],
                remedy='Fit the model first: cw.randomisation_test(cw.ols("score ~ arm * x", data, '
                'design=assignment), design=assignment, of="margin")',
            )
        source = Source(data)
        synthetic, kind = synthetic or source.synthetic, kind_of(source)
        if callable(statistic) and not isinstance(statistic, str):
            if studentised or compared is not None:
                raise fault(
                    InputError,
                    "studentised= and compared= are for the statistics that crewe computes",
                    remedy="Do in the function what they would do; of a ledger in which an arm was "
                    "full, pass ledger.assignment()",
                )
            joined = design.check(source)
            _refuse_few(design, joined.unit)
            called = str(getattr(statistic, "__name__", "statistic"))
            test = by_function(statistic, data, source, design, options, progress, executor)
            test.outcome, test.statistic_name = outcome or called, called
            return _said(test, design, noted, synthetic)
        rows = rows_of(statistic, source, design, outcome, horizon, strata_terms)
        if studentised and rows.covariates is not None:
            rows.model = _core.ArmModel.linear(rows.covariates, None)
    mask = None if compared is None else [bool(part) for part in compared]
    if studentised is None:
        studentised = rows.model is not None or rows.statistic in STUDENTISED
    _refuse_unseen(design, rows, mask)
    tested = Shared(design.design, design._core, rows, mask, studentised, residuals, asked)
    test = _built_in(tested, tested.found(seed, executor), design)
    test.implementation = kind
    return _said(test, design, noted, synthetic)


def _own_rows(
    statistic: Any, design: Assignment, home: Assignment, of: str | Sequence[str] | None
) -> Rows:
    """Read the rows that a fit has."""
    if not is_fit(statistic):
        raise fault(
            InputError,
            f"a {type(statistic).__name__} has no rows of its own to be tested on",
            remedy="Pass the data second, or a fit of cw.ols, cw.logit, cw.probit or cw.coxph",
        )
    return of_fit(statistic, design, home, of)


def _said(
    test: RandomisationTest, design: Assignment, noted: list[str], synthetic: bool
) -> RandomisationTest:
    """Give the result with what the trial is called."""
    test.notes += noted
    test.synthetic = synthetic
    test.reference = design.arms[0]
    test.procedure = str(design.design.method)
    test.units = design.noun
    return carry(test, design.design.labels)


def _refuse_few(assignment: Assignment, unit: NDArray[Any]) -> None:
    """Refuse rows in which an arm has a single unit; one with none is refused for having no outcomes."""
    arm = assignment._arm[unit]
    if all((arm == code).any() for code in range(len(assignment.arms))):
        refuse_too_few(assignment.arms, arm, unit, assignment.noun, assignment._arm_column or "arm")


def _refuse_unseen(design: Assignment, rows: Rows, mask: list[bool] | None) -> None:
    """Refuse outcomes of a single unit in an arm, among those that are compared."""
    seen = ~np.isnan(rows.values)
    if mask is not None and len(mask) == len(design):
        seen &= np.array(mask)[rows.unit]
    _refuse_few(design, rows.unit[seen])


def _built_in(
    tested: Shared, found: _core.RandomisationTest, assignment: Assignment
) -> RandomisationTest:
    """Give what the core found, with what a reader must know."""
    rows, asked = tested.rows, tested.asked
    comparisons = [
        Comparison(
            arm=c.arm,
            estimate=c.estimate,
            statistic=c.statistic,
            p_value=c.p_value,
            p_adjusted=c.p_adjusted,
            p_lower=c.p_lower,
            p_upper=c.p_upper,
            conf_int=c.interval,
            null_mean=c.null_mean,
            null_sd=c.null_sd,
            distribution=c.distribution,
        )
        for c in found.comparisons
    ]
    for comparison, said in zip(comparisons, rows.said, strict=False):
        comparison.said = said
    if len(comparisons) > 1 or rows.contrasts is not None:
        # One step from no effect is what the core has of several arms; the fit knows them.
        for comparison, estimate in zip(comparisons, rows.estimates or (), strict=False):
            comparison.estimate = estimate
    notes = [*rows.notes, *missing(rows, assignment, tested.compared), *found.notes]
    return RandomisationTest(
        asked.level,
        notes,
        outcome=rows.name,
        statistic_name=rows.statistic,
        studentised=tested.studentised,
        alternative=asked.alternative,
        comparisons=comparisons,
        exact=found.exact,
        assignments=found.assignments,
        weight=found.weight,
        seed=found.seed,
        weighted=found.weighted,
        means=dict(zip(assignment.arms, found.means, strict=False)),
        omnibus=found.omnibus,
        effects=rows.effects,
    )
