"""What a randomisation test found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crewe.comparisons.samples import Result, interval_heading, spread
from crewe.exceptions import InputError, fault
from crewe.plots import style
from crewe.plots.distribution import histogram
from crewe.resampling._rows import Said
from crewe.tables.display import Table, number, p_value
from crewe.tables.wording import worded, worded_term

Floats = NDArray[np.float64]

NAMES = {
    "difference_in_means": "difference in means",
    "difference_in_unit_means": "difference in means of units",
    "adjusted": "adjusted difference",
    "rank_sum": "rank sum",
    "stratified_rank_sum": "rank sum within strata",
    "difference_in_rates": "difference in rates",
    "rate_ratio": "log rate ratio",
    "restricted_mean": "difference in restricted means",
    "time_ratio": "log-rank score of a ratio of times",
}


@dataclass
class Comparison:
    """One arm beside the reference, or another comparison that was asked for.

    Attributes
    ----------
    arm : str
        The arm; of a combination of coefficients what it is called.
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
    p_adjusted : float or None
        With several arms, the p-value of the largest statistic of all (max T).
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
    p_adjusted: float | None = None
    said: Said | None = field(default=None, repr=False)

    @property
    def term(self) -> str:
        """What the comparison is called in `tidy()`."""
        return f"arm[T.{self.arm}]" if self.said is None else self.said.term

    def _named(self, reference: str) -> str:
        """Say which arms are compared, in the words that hold here."""
        if self.said is None:
            return f"{worded(self.arm)} − {worded(reference)}"
        if not self.said.arm:
            return worded_term(self.said.term)
        margin = f" ({self.said.margin})" if self.said.margin else ""
        return f"{worded(self.said.arm)} − {worded(self.said.other)}{margin}"


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
    effects : str
        What estimates and intervals are: effects on the outcome, log odds ratios, log hazard ratios, and so on.
    omnibus : tuple of float or None
        With more than two arms, what tests them all at once, and its p-value: the sum of squares between
        their means, or the quadratic form of a model's score.
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
    effects: str = "effects"

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
            "greater": f"one-sided: larger than in {worded(self.reference)}",
            "less": f"one-sided: smaller than in {worded(self.reference)}",
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
                    "term": comparison.term,
                    "estimate": comparison.estimate,
                    "statistic": comparison.statistic,
                    "p_value": comparison.p_value,
                    "conf_low": low,
                    "conf_high": high,
                }
            )
            if comparison.p_adjusted is not None:
                rows[-1]["p_adjusted"] = comparison.p_adjusted
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
                f"The interval holds the {self.effects}, the same for every row, that "
                + (
                    "neither one-sided test rejects."
                    if self.alternative == "two-sided"
                    else "the test does not reject."
                )
            )
        if any(comparison.p_adjusted is not None for comparison in self.comparisons):
            said.append(
                "Adjusted p-values are of the largest statistic of all arms (single-step max T of "
                "Westfall and Young 1993)."
            )
        return said

    def table(self) -> Table:
        """Give the table that is printed."""
        rows: list[list[Any]] = []
        for comparison in self.comparisons:
            interval = "" if comparison.conf_int is None else limits(*comparison.conf_int)
            rows.append(
                [
                    comparison._named(self.reference),
                    number(comparison.estimate, 3),
                    interval,
                    number(comparison.statistic, 3),
                    f"{number(comparison.null_mean, 3)} ({number(comparison.null_sd, 3)})",
                    p_value(comparison.p_value),
                ]
            )
            if comparison.p_adjusted is not None:
                rows[-1].append(p_value(comparison.p_adjusted))
        if self.omnibus is not None:
            statistic, p = self.omnibus
            rows.append(
                [
                    f"all arms ({'squares between' if self.means else 'together'})",
                    "",
                    "",
                    number(statistic, 3),
                    "",
                    p_value(p),
                ]
            )
        header = [
            "",
            "estimate",
            interval_heading(self.level),
            "statistic",
            "null mean (SD)",
            "p",
        ]
        if len(rows[0]) > len(header):
            header.append("adjusted p")
            rows = [[*row, ""][: len(header)] for row in rows]
        title = self._titled(f"Randomisation test: {self.outcome or 'statistic'}, {self._what}")
        return Table(
            header, rows, title, [*self.methods(), *(f"Note: {note}." for note in self.notes)]
        )

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
                    remedy="Name an arm that is compared",
                )
            shown = found[0]
        styles = style.arm_styles([self.reference, shown.arm])
        colours = styles[self.reference], styles[shown.arm]
        with style.printed():
            ax = histogram(
                shown.distribution,
                self.weight,
                shown.statistic,
                bins=bins,
                colours=colours,
                ax=ax,
            )
            ax.set_xlabel(f"{self._what[:1].upper()}{self._what[1:]} under no effect")
            kind = "assignments" if self.exact else "draws"
            ax.set_ylabel(f"Share of {kind} (%)")
        style.alt_text(
            ax,
            f"Histogram of the {self._what} over {self.assignments:,} {kind}, mean "
            f"{shown.null_mean:.3g}, standard deviation {shown.null_sd:.3g}; the observed value is "
            f"{shown.statistic:.3g}, p = {p_value(shown.p_value)}.",
        )
        if self.synthetic:
            style.label_synthetic(ax)
        return ax


def limits(low: float, high: float) -> str:
    """Print an interval whose ends may be infinite."""
    if np.isinf(low) and np.isinf(high):
        return "unbounded"
    if np.isinf(low):
        return f"up to {number(high, 3)}"
    if np.isinf(high):
        return f"from {number(low, 3)} up"
    return spread(low, high)
