"""Randomisation tests: the trial's own procedure drawn again and again."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crewe import _core, _formula, _style
from crewe._assignment import Assignment
from crewe._display import Table, number, p_value
from crewe._frames import Source
from crewe._keys import Key, read_seed
from crewe._samples import Result, check_alternative, count, interval_heading, kind_of, spread
from crewe.exceptions import CreweError, DesignError, InputError, fault

Floats = NDArray[np.float64]

NAMES = {
    "difference_in_means": "difference in means",
    "difference_in_unit_means": "difference in means of units",
    "adjusted": "adjusted difference",
}
LEFT_OUT = 255
_SILENT_SECONDS = 2.0


@dataclass
class Comparison:
    """One arm beside the reference.

    Attributes
    ----------
    arm : str
        The arm.
    estimate : float
        The difference as it was observed; a user's statistic itself.
    statistic : float
        What was compared with the distribution: the estimate, or the estimate over its standard
        error.
    p_value, p_lower, p_upper : float
        The p-value of the alternative, and of statistics at most and at least as large.
    conf_int : tuple of float or None
        The effects that the test does not reject; limits may be infinite.
    null_mean, null_sd : float
        Mean and standard deviation of the statistic over the assignments.
    distribution : array
        The statistic of every assignment.
    """

    arm: str
    estimate: float
    statistic: float
    p_value: float
    p_lower: float
    p_upper: float
    conf_int: tuple[float, float] | None
    null_mean: float
    null_sd: float
    distribution: Floats = field(repr=False)


@dataclass(repr=False)
class RandomisationTest(Result):
    """A randomisation test; made by :func:`randomisation_test`.

    The attributes of the comparison (`estimate`, `p_value`, `conf_int`, `distribution` and so on)
    are those of the second arm; with more than two arms see `comparisons`.

    Attributes
    ----------
    comparisons : list of Comparison
        Every arm but the reference, in order.
    exact : bool
        Whether all assignments that the design can give were used.
    assignments : int
        How many assignments the p-values stand on: all, or draws.
    weight : array or None
        The probabilities of the assignments (or weights in proportion), where all were used.
    seed : int or None
        The seed of the draws, where it is a number.
    means : dict
        The mean of every arm, for differences in means.
    omnibus : tuple of float or None
        With more than two arms, the sum of squares between the arms and its p-value.
    """

    outcome: str = ""
    statistic_name: str = "difference_in_means"
    studentised: bool = False
    reference: str = ""
    alternative: str = "two-sided"
    comparisons: list[Comparison] = field(default_factory=list)
    exact: bool = False
    assignments: int = 0
    weight: Floats | None = field(default=None, repr=False)
    seed: int | None = None
    weighted: bool = False
    means: dict[str, float] = field(default_factory=dict)
    omnibus: tuple[float, float] | None = None
    procedure: str = ""
    units: str = "units"

    @property
    def _first(self) -> Comparison:
        if len(self.comparisons) != 1:
            raise fault(
                InputError,
                "there are several comparisons",
                values=[comparison.arm for comparison in self.comparisons],
                remedy="Look at them one by one: test.comparisons, or test.tidy()",
            )
        return self.comparisons[0]

    @property
    def estimate(self) -> float:
        """The difference as it was observed."""
        return self._first.estimate

    @property
    def statistic(self) -> float:
        """What was compared with the distribution."""
        return self._first.statistic

    @property
    def p_value(self) -> float:
        """The p-value; never 0."""
        return self._first.p_value

    @property
    def conf_int(self) -> tuple[float, float] | None:
        """The effects that the test does not reject; None where it was not inverted."""
        return self._first.conf_int

    @property
    def distribution(self) -> Floats:
        """The statistic of every assignment."""
        return self._first.distribution

    @property
    def draws(self) -> int | None:
        """The number of draws; None where all assignments were used."""
        return None if self.exact else self.assignments

    @property
    def rule(self) -> str:
        """How the p-value was formed."""
        tail = {
            "two-sided": "two-sided: twice the smaller tail, at most 1",
            "greater": f"one-sided: larger than in {self.reference}",
            "less": f"one-sided: smaller than in {self.reference}",
        }[self.alternative]
        if not self.exact:
            return f"{tail}; (1 + x)/(1 + {self.assignments:,}) for x draws at least as extreme"
        equal = self.weight is None or bool((self.weight == self.weight[0]).all())
        return f"{tail}; over all {self.assignments:,} assignments, " + (
            "equally likely" if equal else "weighted by their probabilities"
        )

    @property
    def _what(self) -> str:
        what = NAMES.get(self.statistic_name, self.statistic_name)
        return f"studentised {what}" if self.studentised else what

    def _rows(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        for comparison in self.comparisons:
            low, high = comparison.conf_int or (np.nan, np.nan)
            rows.append(
                {
                    "term": f"arm[T.{comparison.arm}]",
                    "estimate": comparison.estimate,
                    "statistic": comparison.statistic,
                    "p_value": comparison.p_value,
                    "conf_low": low,
                    "conf_high": high,
                }
            )
        return rows

    def methods(self) -> list[str]:
        """Say in sentences how the numbers were worked out."""
        over = (
            f"all {self.assignments:,} assignments that it can give"
            if self.exact
            else f"{self.assignments:,} new draws of it"
        )
        seed = f" (seed {self.seed})" if self.seed is not None else ""
        said = [
            f"Randomisation test of the {self._what}: the {self.units} were randomised by "
            f"{self.procedure}, and the statistic is compared with its values over {over}{seed}.",
            f"p is {self.rule}.",
        ]
        if any(comparison.conf_int is not None for comparison in self.comparisons):
            said.append(
                "The interval holds the effects, the same for every row, that neither one-sided "
                "test rejects."
                if self.alternative == "two-sided"
                else "The interval holds the effects, the same for every row, that the test does "
                "not reject."
            )
        return said

    def table(self) -> Table:
        """Give the table that is printed."""
        rows: list[list[Any]] = []
        for comparison in self.comparisons:
            interval = "" if comparison.conf_int is None else _limits(*comparison.conf_int)
            rows.append(
                [
                    f"{comparison.arm} − {self.reference}",
                    number(comparison.estimate, 3),
                    interval,
                    number(comparison.statistic, 3),
                    f"{number(comparison.null_mean, 3)} ({number(comparison.null_sd, 3)})",
                    p_value(comparison.p_value),
                ]
            )
        if self.omnibus is not None:
            statistic, p = self.omnibus
            rows.append(
                ["all arms (squares between)", "", "", number(statistic, 3), "", p_value(p)]
            )
        header = [
            "",
            "estimate",
            interval_heading(self.level),
            "statistic",
            "null mean (SD)",
            "p",
        ]
        title = self._titled(f"Randomisation test: {self.outcome or 'statistic'}, {self._what}")
        return Table(header, rows, title, [*self.methods(), *self.notes])

    def plot(self, arm: str | None = None, *, bins: int = 41, ax: Any = None) -> Any:
        """Draw the null distribution with the observed statistic.

        Parameters
        ----------
        arm : str, optional
            Which arm, where there are several.
        bins : int
            The number of bars.
        ax : matplotlib Axes, optional
            Where to draw.

        Returns
        -------
        matplotlib.axes.Axes
        """
        shown = self.comparisons[0]
        if arm is not None:
            found = [comparison for comparison in self.comparisons if comparison.arm == arm]
            if not found:
                raise fault(
                    InputError,
                    f"there is no comparison of '{arm}'",
                    values=[comparison.arm for comparison in self.comparisons],
                )
            shown = found[0]
        finite = np.isfinite(shown.distribution)
        values = shown.distribution[finite]
        weight = np.ones(len(values)) if self.weight is None else self.weight[finite]
        inside = [*values, shown.statistic] if np.isfinite(shown.statistic) else list(values)
        low, high = min(inside), max(inside)
        with _style.printed():
            if ax is None:
                ax = _style.figure(height_mm=70)[1]
            if low == high:
                low, high = low - 0.5, high + 0.5
            places, tops = np.unique(np.round(values, 12), return_inverse=True)
            styles = _style.arm_styles([self.reference, shown.arm])
            grey, ink = styles[self.reference], styles[shown.arm]
            shares = 100 * weight / weight.sum()
            if len(places) <= bins:
                # Few different values: a bar for each, or bins would part them unevenly.
                heights = np.bincount(tops, shares, minlength=len(places))
                gap = float(np.diff(places).min()) if len(places) > 1 else high - low
                left, width = places - 0.45 * gap, np.full(len(places), 0.9 * gap)
            else:
                heights, edges = np.histogram(
                    values, np.linspace(low, high, bins + 1), weights=shares
                )
                left, width = edges[:-1], np.diff(edges)
            ax.bar(
                left,
                heights,
                width,
                align="edge",
                color=grey.fill,
                edgecolor=grey.colour,
                linewidth=0.4,
            )
            if np.isfinite(shown.statistic):
                ax.axvline(shown.statistic, color=ink.colour, linewidth=1.6)
                ax.annotate(
                    f"observed {shown.statistic:.3g}",
                    (shown.statistic, 1),
                    xycoords=("data", "axes fraction"),
                    xytext=(4 if shown.statistic < (low + high) / 2 else -4, -2),
                    textcoords="offset points",
                    ha="left" if shown.statistic < (low + high) / 2 else "right",
                    va="top",
                    color=ink.colour,
                )
                # Room above the bars, so that the label covers none.
                ax.set_ylim(0, 1.15 * max(heights.max(), 1e-9))
            ax.set_xlabel(f"{self._what[:1].upper()}{self._what[1:]} under no effect")
            kind = "assignments" if self.exact else "draws"
            ax.set_ylabel(f"Share of {kind} (%)")
        _style.alt_text(
            ax,
            f"Histogram of the {self._what} over {self.assignments:,} {kind}, mean "
            f"{shown.null_mean:.3g}, standard deviation {shown.null_sd:.3g}; the observed value is "
            f"{shown.statistic:.3g}, p = {p_value(shown.p_value)}.",
        )
        if self.synthetic:
            _style.label_synthetic(ax)
        return ax


def _limits(low: float, high: float) -> str:
    if np.isinf(low) and np.isinf(high):
        return "unbounded"
    if np.isinf(low):
        return f"up to {number(high, 3)}"
    if np.isinf(high):
        return f"from {number(low, 3)} up"
    return spread(low, high)


def randomisation_test(
    statistic: Any,
    data: Any,
    design: Any,
    *,
    outcome: str | None = None,
    draws: int = 9_999,
    seed: int | Key | None = None,
    alternative: str = "two-sided",
    level: float = 0.95,
    interval: bool = True,
    studentised: bool = False,
    weights: str = "auto",
    compared: Sequence[bool] | None = None,
    strata_terms: bool = True,
    progress: bool | None = None,
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
        - ``"score ~ arm"``: the difference in means between the arms over all rows;
        - ``"score ~ arm + history"``: the coefficient of the arm in that linear model, with terms
          for the strata (two arms);
        - ``"difference_in_means"`` (over rows, such as children) or
          ``"difference_in_unit_means"`` (over families' own means), with `outcome=`;
        - a fit of :func:`crewe.ols`: its coefficient of the arm;
        - a function of (frame, arm): `frame` is `data` itself, `arm` an array of the arms' names,
          one a row. It returns a number; larger ones speak for larger outcomes.
    data : data frame
        The rows of the analysis, in any order. Units without rows are drawn again all the same.
    design : Assignment
        What ``design.assign(frame)`` or ``design.observe(frame, arm=...)`` returned.
    outcome : str, optional
        The outcome's column, where the statistic is a name.
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
    studentised : bool
        Whether differences in means are divided by their standard error, taken over units. The test
        then also holds, in large trials, for no effect on average (Wu and Ding 2021,
        doi:10.1080/01621459.2020.1750415).
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
    """
    check_alternative(alternative)
    if not isinstance(design, Assignment):
        raise fault(
            DesignError,
            f"the third argument must be an assignment, not a {type(design).__name__}",
            remedy="Pass what design.assign(frame) or design.observe(frame, arm=...) returned",
        )
    if weights not in ("auto", "equal", "inverse_probability"):
        raise fault(
            InputError,
            f"weights={weights!r} is unknown",
            remedy="Choose 'auto', 'equal' or 'inverse_probability'",
        )
    draws = count(draws, "draws")
    source = Source(data)
    synthetic = synthetic or bool(getattr(data, "attrs", {}).get("synthetic", False))
    options = _Options(
        draws, None if seed is None else read_seed(seed), alternative, level, interval, weights
    )
    if callable(statistic) and not isinstance(statistic, str):
        if studentised or compared is not None:
            raise fault(
                InputError,
                "studentised= and compared= are for the statistics that crewe computes",
                remedy="Do in the function what they would do",
            )
        called = str(getattr(statistic, "__name__", "statistic"))
        test = _by_function(statistic, data, source, design, options, progress)
        test.outcome, test.statistic_name = outcome or called, called
    else:
        rows = _rows_of(statistic, source, design, outcome, strata_terms)
        if studentised and rows.covariates is not None:
            raise fault(
                InputError,
                "the coefficient of a model cannot be studentised yet",
                remedy="Leave out the covariates, or leave out studentised=True",
            )
        test = _built_in(rows, design, options, studentised, compared)
        test.implementation = kind_of(source)
    test.synthetic = synthetic
    test.reference = design.arms[0]
    test.procedure = str(design.design.method)
    test.units = design.noun
    return test


@dataclass
class _Options:
    draws: int
    seed: int | Key | None
    alternative: str
    level: float
    interval: bool
    weights: str

    @property
    def secret(self) -> Any:
        return self.seed._secret if isinstance(self.seed, Key) else self.seed


@dataclass
class _Rows:
    """What a built-in statistic is computed from, by row of the data."""

    name: str
    statistic: str
    values: Floats
    unit: NDArray[np.uint32]
    covariates: Floats | None
    notes: list[str]


def _rows_of(
    statistic: Any, source: Source, assignment: Assignment, outcome: str | None, strata_terms: bool
) -> _Rows:
    """Read what the statistic needs: a name with an outcome, a formula, or a fit."""
    if isinstance(statistic, str) and "~" in statistic:
        return _of_formula(statistic, source, assignment, strata_terms)
    if isinstance(statistic, str):
        if statistic not in ("difference_in_means", "difference_in_unit_means"):
            raise fault(
                InputError,
                f"the statistic {statistic!r} is unknown",
                remedy="Choose 'difference_in_means' or 'difference_in_unit_means' with outcome=, a "
                'formula such as "score ~ arm", a fit of cw.ols, or a function of (frame, arm)',
            )
        if outcome is None:
            raise fault(
                InputError,
                "which outcome is tested is missing",
                remedy='Pass outcome="score", or a formula: "score ~ arm"',
            )
        rows = _of_formula(f"{outcome} ~ arm", source, assignment, False)
        rows.statistic = statistic
        return rows
    from crewe.regression import OLS

    if not isinstance(statistic, OLS):
        raise fault(
            InputError,
            f"a randomisation test of a {type(statistic).__name__} is not there yet",
            remedy="Use a fit of cw.ols, a formula, or a function of (frame, arm) that fits the "
            "model and returns its coefficient",
        )
    built = statistic._needs_data()
    if built.design is None:
        raise fault(
            InputError,
            "the fit was made from arrays, whose rows belong to no data",
            remedy="Fit it from a formula and the data",
        )
    name = _formula.parse(statistic.formula)[0]
    return _adjusted(name, source, assignment, built.design, built.y, None)


def _of_formula(formula: str, source: Source, assignment: Assignment, strata_terms: bool) -> _Rows:
    from crewe._trial import join

    left, right = _formula.parse(formula)
    if left.replace(" ", "").startswith("Surv("):
        raise fault(
            InputError,
            "survival times are not tested here yet: an additive effect is no effect on them",
            remedy="Give a function of (frame, arm) that returns, for instance, the log hazard "
            "ratio of cw.coxph",
        )
    terms = [term.strip() for term in right.split("+")]
    known: str = assignment._arm_column or "arm"
    if known not in terms and "arm" not in terms:
        raise fault(
            InputError,
            "the formula does not name the arm",
            values=terms,
            remedy=f"Write it as one of the terms: '{left} ~ {known}'",
        )
    plain = len(terms) == 1
    trial = join(assignment, source, right, strata_terms=strata_terms and not plain)
    built = _formula.design(
        trial.source, trial.right, also=_formula.variables(left), levels=trial.levels
    )
    y = _formula.left_values(left, built.frame)
    if not plain:
        return _adjusted(left, source, assignment, built, y, trial.right)
    values = np.full(source.n, np.nan)
    values[built.rows] = y
    unit = np.ascontiguousarray(trial._unit, dtype=np.uint32)
    return _Rows(left, "difference_in_means", values, unit, None, [])


def _adjusted(
    name: str,
    source: Source,
    assignment: Assignment,
    built: _formula.Design,
    y: Floats,
    right: str | None,
) -> _Rows:
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
    same = [j for j in range(built.x.shape[1]) if np.array_equal(built.x[:, j] == 1, treated)]
    same = [j for j in same if set(np.unique(built.x[:, j])) <= {0.0, 1.0}]
    if len(same) != 1:
        raise fault(
            InputError,
            "the model has no one term that is the arm",
            values=built.names,
            remedy="Put the arm into it once, as drawn, and fit it to the same data",
        )
    term = built.names[same[0]]
    moving = [n for n in built.names if ":" in n and term in n.split(":")]
    if moving:
        raise fault(
            InputError,
            "terms that hold the arm would change with every draw",
            values=moving,
            remedy="Leave out interactions with the arm, or give a function of (frame, arm)",
        )
    rest = np.delete(built.x, same[0], axis=1)
    if built.intercept:
        rest = np.column_stack([np.ones(len(rest)), rest])
    values = np.full(source.n, np.nan)
    values[built.rows] = y
    covariates = np.full((source.n, rest.shape[1]), np.nan)
    covariates[built.rows] = rest
    unit = np.ascontiguousarray(joined.unit, dtype=np.uint32)
    notes = [] if right is None else [f"the model is {name} ~ {right}"]
    return _Rows(name, "adjusted", values, unit, covariates, notes)


def _built_in(
    rows: _Rows,
    assignment: Assignment,
    options: _Options,
    studentised: bool,
    compared: Sequence[bool] | None,
) -> RandomisationTest:
    mask = None if compared is None else [bool(part) for part in compared]
    found = _core.randomisation_test(
        assignment.design._core(),
        assignment._units(),
        assignment._arm,
        assignment._probability,
        assignment._simulated,
        assignment.commitment is not None,
        rows.name,
        rows.values,
        rows.unit,
        mask,
        rows.statistic,
        studentised,
        rows.covariates,
        options.weights,
        options.draws,
        options.secret,
        options.alternative,
        options.level,
        options.interval,
    )
    comparisons = [
        Comparison(
            arm=c["arm"],
            estimate=c["estimate"],
            statistic=c["statistic"],
            p_value=c["p_value"],
            p_lower=c["p_lower"],
            p_upper=c["p_upper"],
            conf_int=c["interval"],
            null_mean=c["null_mean"],
            null_sd=c["null_sd"],
            distribution=c["distribution"],
        )
        for c in found["comparisons"]
    ]
    notes = [*rows.notes, *_missing(rows, assignment, mask), *found["notes"]]
    return RandomisationTest(
        options.level,
        notes,
        outcome=rows.name,
        statistic_name=rows.statistic,
        studentised=studentised,
        alternative=options.alternative,
        comparisons=comparisons,
        exact=found["exact"],
        assignments=found["assignments"],
        weight=found["weight"],
        seed=found["seed"],
        weighted=found["weighted"],
        means=dict(zip(assignment.arms, found["means"], strict=False)),
        omnibus=found["omnibus"],
    )


def _missing(rows: _Rows, assignment: Assignment, mask: list[bool] | None) -> list[str]:
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


def _by_function(
    function: Callable[[Any, Any], float],
    data: Any,
    source: Source,
    assignment: Assignment,
    options: _Options,
    progress: bool | None,
) -> RandomisationTest:
    """Call the user's function on every assignment."""
    unit = assignment.check(source).unit
    core, units = assignment.design._core(), assignment._units()
    names = np.array([*assignment.arms, None], dtype=object)

    def arms(drawn: NDArray[np.uint8]) -> Any:
        return names[np.minimum(drawn, len(names) - 1)[unit]]

    observed = _value(function(data, arms(assignment._arm)))
    if not np.isfinite(observed):
        raise fault(
            InputError,
            "the statistic of the trial itself is not a finite number",
            values=[str(observed)],
            remedy="Let the function return one number",
        )
    support = core.support(units, options.draws)
    notes: list[str] = []
    seed = options.secret
    if support is None:
        if seed is None:
            own = assignment.design.seed
            if assignment.commitment is not None and isinstance(own, int):
                seed = own
            else:
                seed = _core.system_seed()
                notes.append(f"the draws have the seed {seed}; pass it to repeat them")
        drawn, weight = core.draws(units, options.draws, seed), None
    else:
        drawn, weight = support["arm"], support["probability"]
        if not (drawn == assignment._arm).all(axis=1).any():
            raise fault(
                DesignError,
                "the trial's own assignment is none of those that the design can give",
                values=[f"{len(drawn)} assignments"],
                remedy="Declare the design, its ratio, strata and procedure, as the trial was run",
            )
        if np.ptp(weight) <= 1e-12 * weight.max():
            weight = np.ones(len(weight))
    values = np.empty(len(drawn))
    failed: list[int] = []
    reason = ""
    for i, row in enumerate(_bar(drawn, progress)):
        try:
            values[i] = _value(function(data, arms(row)))
        except (ArithmeticError, ValueError, CreweError) as error:
            values[i], reason = np.nan, reason or f"{type(error).__name__}: {error}"
        if not np.isfinite(values[i]):
            failed.append(i)
    if failed:
        raise fault(
            InputError,
            f"the statistic is not a finite number on {len(failed)} of {len(drawn)} assignments",
            values=[reason or f"assignment {failed[0]}: {values[failed[0]]}"],
            remedy="Give it a value wherever the procedure may lead, for instance where an arm has "
            "no events: leaving such assignments out would bias the test",
        )
    found = _core.randomisation_tails(values, weight, observed, options.alternative)
    comparison = Comparison(
        arm=assignment.arms[-1] if len(assignment.arms) == 2 else "all arms",
        estimate=observed,
        statistic=observed,
        conf_int=None,
        distribution=values,
        **found,
    )
    return RandomisationTest(
        options.level,
        notes,
        implementation=kind_of(source),
        alternative=options.alternative,
        comparisons=[comparison],
        exact=support is not None,
        assignments=len(drawn),
        weight=weight,
        seed=seed if support is None and isinstance(seed, int) else None,
    )


def _value(returned: Any) -> float:
    try:
        return float(returned)
    except TypeError as error:
        raise fault(
            InputError,
            f"the statistic returned a {type(returned).__name__}, not a number",
            remedy="Let the function of (frame, arm) return one number",
        ) from error


def _bar(rows: Any, progress: bool | None) -> Any:
    """Show a bar once the calls have taken two seconds, or from the start, or never."""
    if progress is False:
        yield from rows
        return
    from tqdm.auto import tqdm

    began = time.monotonic()
    bar = tqdm(total=len(rows), unit="draw") if progress else None
    try:
        for i, row in enumerate(rows):
            yield row
            if bar is None and time.monotonic() - began > _SILENT_SECONDS:
                bar = tqdm(total=len(rows), initial=i, unit="draw")
            if bar is not None:
                bar.update()
    finally:
        if bar is not None:
            bar.close()
