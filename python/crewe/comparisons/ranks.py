"""Ranks: two samples compared without a model.

Every result prints the rule by which its two-sided p-value was formed, since the rules differ by
tradition.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from crewe import _core
from crewe.comparisons.samples import (
    Result,
    Samples,
    check_alternative,
    interval_heading,
    samples_of,
    spread,
    tail_rule,
    two_arrays,
)
from crewe.exceptions import InputError, fault
from crewe.frames.arguments import checked
from crewe.frames.choices import Alternative, Missing
from crewe.models.grouped import each
from crewe.tables.counts import Count, Counted, Told, cell, counted
from crewe.tables.display import Table, number, p_value
from crewe.tables.wording import carry, worded, words_of


@dataclass(repr=False)
class MannWhitney(Result):
    """A Mann-Whitney U test; made by :func:`mann_whitney`.

    Attributes
    ----------
    outcome : str
        What was compared.
    arms : tuple of str
        The arm that was compared, then the reference.
    n : tuple of int
        Their numbers of observed values.
    u : float
        Pairs in which the compared arm is larger, ties counting half (the `W` of R's
        `wilcox.test`).
    z : float
        The standardised statistic of the normal approximation.
    p_value : float
        The p-value, exact where `exact` says so.
    superiority, superiority_interval : float, tuple
        P(compared > reference) + ½ P(equal), and Newcombe's interval.
    shift, shift_interval : float, tuple
        The Hodges-Lehmann shift, and the interval that inverts the test.
    """

    outcome: str = ""
    arms: tuple[str, str] = ("x", "y")
    alternative: str = "two-sided"
    n: tuple[int, int] = (0, 0)
    u: float = np.nan
    z: float = np.nan
    p_value: float = np.nan
    exact: bool = True
    ties: bool = False
    superiority: float = np.nan
    superiority_interval: tuple[float, float] = (np.nan, np.nan)
    shift: float = np.nan
    shift_interval: tuple[float, float] = (np.nan, np.nan)
    shift_exact: bool = False
    attained: float = np.nan
    correct: bool = True
    p_adjusted: float | None = None
    by: str = field(default="arm", repr=False)
    adjustment: str | None = None

    @property
    def rule(self) -> str:
        """The rule of the p-value."""
        if self.alternative != "two-sided":
            return tail_rule(self.alternative, *self.arms)
        if self.exact:
            return "two-sided: P(|U − E U| ≥ |u − E U|) over all labellings"
        return "two-sided: both tails of the normal approximation"

    def _rows(self) -> list[dict[str, Any]]:
        same: dict[str, Any] = {"statistic": self.u, "p_value": self.p_value}
        treated, reference = self.arms
        superiority = {
            "term": f"{self.outcome}: P({treated} > {reference})",
            "estimate": self.superiority,
            "conf_low": self.superiority_interval[0],
            "conf_high": self.superiority_interval[1],
        }
        shift = {
            "term": f"{self.outcome}: shift {treated} − {reference}",
            "estimate": self.shift,
            "conf_low": self.shift_interval[0],
            "conf_high": self.shift_interval[1],
        }
        rows = [{**superiority, **same}, {**shift, **same}]
        if self.p_adjusted is not None:
            rows = [{**row, "p_adjusted": self.p_adjusted} for row in rows]
        return rows

    def methods(self) -> list[str]:
        """Say in sentences how the numbers were worked out."""
        test = (
            "exact over all labellings, ties included (shift algorithm on mid-ranks)"
            if self.exact
            else "normal approximation with the correction for ties"
            + (" and continuity" if self.correct else "")
        )
        shift = (
            f"exact, attained coverage {100 * self.attained:.1f}%"
            if self.shift_exact
            else "inverting the normal approximation"
            + (", since there are ties" if self.exact and self.ties else "")
        )
        return [
            f"Mann-Whitney U test, {test}; {self.rule}.",
            "Probability of superiority with the interval of Newcombe (2006), method 5.",
            f"Hodges-Lehmann shift, the median of all differences; interval {shift}.",
        ]

    def _sizes(self) -> tuple[Count, Count]:
        """Give the numbers of observed values as counts."""
        first, second = (
            counted(n, {self.by: arm, f"{self.outcome}: observed": "yes"})
            for n, arm in zip(self.n, self.arms, strict=True)
        )
        return first, second

    def table(self) -> Table:
        """Give the table that is printed."""
        treated, reference = map(worded, self.arms)
        sizes = self._sizes()

        def told(text: str) -> Counted:
            return cell(Told(text, sizes))

        rows: list[list[Any]] = [
            [f"n of {treated}", cell(sizes[0]), ""],
            [f"n of {reference}", cell(sizes[1]), ""],
            [
                f"P({treated} > {reference}) + ½P(=)",
                told(number(self.superiority, 3)),
                told(spread(*self.superiority_interval)),
            ],
            [
                "shift (Hodges-Lehmann)",
                told(number(self.shift, 3)),
                told(spread(*self.shift_interval)),
            ],
            ["U", told(number(self.u, 1)), ""],
            ["p", told(p_value(self.p_value)), ""],
        ]
        if self.p_adjusted is not None:
            rows.append([f"p ({self.adjustment})", told(p_value(self.p_adjusted)), ""])
        title = f"Mann-Whitney U: {self.outcome}, {treated} against {reference}"
        return Table(
            ["", "estimate", interval_heading(self.level)],
            rows,
            self._titled(title),
            [*self.methods(), *(f"Note: {note}." for note in self.notes)],
        )


@dataclass(repr=False)
class MannWhitneyFamily(Result):
    """Mann-Whitney tests of several outcomes, adjusted for their number.

    Attributes
    ----------
    tests : list of MannWhitney
        One an outcome, in the order asked for; index by position or by the outcome's name.
    adjustment : str
        The method of adjustment.
    """

    tests: list[MannWhitney] = field(default_factory=list)
    adjustment: str = "holm"

    def __getitem__(self, key: int | str) -> MannWhitney:
        if isinstance(key, int):
            return self.tests[key]
        for test in self.tests:
            if test.outcome == key:
                return test
        raise fault(
            InputError,
            f"'{key}' was not tested",
            values=[test.outcome for test in self.tests],
            remedy="Name one of the outcomes",
        )

    def __len__(self) -> int:
        return len(self.tests)

    def _rows(self) -> list[dict[str, Any]]:
        return [{**test._rows()[0], "term": test.outcome} for test in self.tests]

    def methods(self) -> list[str]:
        """Say in sentences how the numbers were worked out."""
        exact = [test.outcome for test in self.tests if not test.exact]
        rough = f" (normal approximation for {', '.join(exact)})" if exact else ""
        return [
            f"Mann-Whitney U tests, exact over all labellings with ties{rough}; {self.tests[0].rule}.",
            "Probability of superiority with the interval of Newcombe (2006), method 5.",
            f"p-values adjusted for {len(self.tests)} outcomes by {self.adjustment}.",
        ]

    def table(self) -> Table:
        """Give the table that is printed."""
        treated, reference = map(worded, self.tests[0].arms)
        rows = [
            [
                test.outcome,
                cell(*sizes, form="{} and {}"),
                *(
                    cell(Told(text, sizes))
                    for text in (
                        number(test.superiority, 3),
                        spread(*test.superiority_interval),
                        p_value(test.p_value),
                        p_value(np.nan if test.p_adjusted is None else test.p_adjusted),
                    )
                ),
            ]
            for test in self.tests
            for sizes in [test._sizes()]
        ]
        header = [
            "outcome",
            "n",
            f"P({treated} > {reference})",
            interval_heading(self.level),
            "p",
            f"p ({self.adjustment})",
        ]
        title = self._titled(f"Mann-Whitney U: {treated} against {reference}")
        return Table(
            header, rows, title, [*self.methods(), *(f"Note: {note}." for note in self.notes)]
        )


@checked
def mann_whitney(
    formula: Any,
    data: Any = None,
    *,
    exact: bool | None = None,
    alternative: Alternative = "two-sided",
    correct: bool = True,
    design: Any = None,
    cluster: Any = None,
    by: str | None = None,
    missing: Missing = "drop",
    reference: Any = None,
    adjust: str = "holm",
    level: float = 0.95,
    synthetic: bool = False,
) -> Any:
    r"""Compare two arms by ranks: the Mann-Whitney U (Wilcoxon rank sum) test.

    The exact test conditions on the ties. It gives the probability, over all labellings of the
    pooled sample, of a rank sum at least as far from its expectation, as R's `coin`; `scipy`'s
    "exact" ignores ties.

    Parameters
    ----------
    formula : str, list of str, or array
        `"score ~ arm"`; several for several outcomes, adjusted together; or x as an array with y in
        `data`. The second arm is compared with the first, x with y.
    data : data frame or array
        The data, or y.
    exact : bool, optional
        True insists on the exact distribution, False on the normal approximation with tie
        correction. By default exact where it takes about a second at most.
    alternative : {"two-sided", "less", "greater"}
        `"greater"`: the compared arm tends to be larger.
    correct : bool
        Whether the approximation is corrected for continuity.
    design : Assignment or closed Ledger, optional
        The trial: gives the arm and its order, the reference first, and the units that were randomised.
    cluster : str, or array of ids (n,), optional
        The unit that was randomised. With several rows a unit the test is refused, since ranks of
        siblings are not independent: ``cw.randomisation_test("rank_sum", data, assignment, outcome="score")``
        draws whole families again.
    by : str, optional
        A column, for a result within each of its values.
    missing : {"drop", "refuse"}
        What becomes of rows with missing values: left out and counted by arm, or refused.
    reference : str, optional
        The reference arm, where it is not the first.
    adjust : str
        For several outcomes: see :func:`adjust`.
    level : float
        Of the intervals.
    synthetic : bool
        Marks every table as made from synthetic data.

    Returns
    -------
    MannWhitney or MannWhitneyFamily, or with `by` a mapping from group to one

    Raises
    ------
    InputError
        No two arms, an empty arm, values that are all equal, an outcome that is text.
    DesignError
        Several rows a cluster.

    Notes
    -----
    :math:`U = \#\{x > y\} + \tfrac12\#\{x = y\}`; the probability of superiority is :math:`U/(mn)`,
    with the interval of Newcombe (2006, method 5, doi:10.1002/sim.2324).

    Examples
    --------
    >>> import crewe as cw
    >>> test = cw.mann_whitney([12, 15, 15, 19], [8, 12, 11, 15, 10])
    >>> test.u, round(test.superiority, 3), round(test.p_value, 4)
    (17.5, 0.875, 0.0794)
    """
    check_alternative(alternative)
    options = _core.MannWhitneyOptions(alternative, exact, correct, level)
    several = (
        isinstance(formula, Sequence) and bool(formula) and all(isinstance(f, str) for f in formula)
    )
    if by is not None and several:
        return each(
            by,
            data,
            cluster,
            missing,
            lambda part, inside: mann_whitney(
                formula,
                part,
                exact=exact,
                alternative=alternative,
                correct=correct,
                level=level,
                design=design,
                cluster=inside,
                missing=missing,
                reference=reference,
                adjust=adjust,
                synthetic=synthetic,
            ),
        )
    if not several:
        return _mann_whitney(two_arrays(formula, data, design, cluster, by), options, synthetic)
    tests = [
        _mann_whitney(
            samples_of(f, data, reference, design=design, cluster=cluster, missing=missing),
            options,
            synthetic,
        )
        for f in ([formula] if isinstance(formula, str) else formula)
    ]
    if isinstance(formula, str):
        return tests[0]
    values = _core.adjust(np.array([test.p_value for test in tests]), adjust)
    for test, value in zip(tests, values, strict=True):
        test.p_adjusted, test.adjustment = float(value), adjust
    notes = [f"{test.outcome}: {note}" for test in tests for note in test.notes]
    family = MannWhitneyFamily(
        level,
        notes,
        tests[0].synthetic,
        tests[0].implementation,
        tests=tests,
        adjustment=adjust,
    )
    return carry(family, words_of(tests))


def _mann_whitney(
    samples: Samples, options: _core.MannWhitneyOptions, synthetic: bool
) -> MannWhitney:
    got = _core.mann_whitney(samples.treated, samples.reference, samples.outcome, options)
    notes = list(samples.notes)
    if not got.exact and options.exact is None:
        notes.append("the samples are too large for the exact distribution, so p is approximate")
    made = MannWhitney(
        options.level,
        notes,
        synthetic or samples.synthetic,
        samples.implementation,
        outcome=samples.outcome,
        arms=(samples.arms[1], samples.arms[0]),
        by=samples.by,
        alternative=options.alternative,
        n=got.n,
        u=got.u,
        z=got.z,
        p_value=got.p_value,
        exact=got.exact,
        ties=got.ties,
        superiority=got.superiority,
        superiority_interval=got.superiority_interval,
        shift=got.shift,
        shift_interval=got.shift_interval,
        shift_exact=got.shift_exact,
        attained=got.attained,
        correct=options.correct,
    )
    return carry(made, samples.words)
