"""An exact permutation test of a difference in means."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from crewe import _core
from crewe.comparisons.samples import (
    Result,
    check_alternative,
    samples_of,
    tail_rule,
    two_arrays,
)
from crewe.frames.arguments import checked
from crewe.frames.choices import Alternative, Missing
from crewe.models.grouped import each
from crewe.tables.counts import Counted, Told, cell, counted
from crewe.tables.display import Table, number, p_value
from crewe.tables.wording import carry, worded


@dataclass(repr=False)
class PermutationTest(Result):
    """An exact permutation test of a difference in means; made by :func:`permutation_test`.

    Attributes
    ----------
    outcome : str
        What was compared.
    arms : tuple of str
        The arm that was compared, then the reference.
    n, means : tuple
        Their numbers and means.
    difference : float
        The mean of the compared arm less that of the reference.
    p_value, p_lower, p_upper : float
        The p-value of the alternative, and of differences at most and at least as large.
    count_lower, count_upper, labellings : int or None
        The labellings with a difference at most and at least as large, and all; None where they
        were too many to be counted (the p-values are exact all the same).
    """

    outcome: str = ""
    arms: tuple[str, str] = ("x", "y")
    alternative: str = "two-sided"
    n: tuple[int, int] = (0, 0)
    means: tuple[float, float] = (np.nan, np.nan)
    difference: float = np.nan
    spread: float = np.nan
    p_value: float = np.nan
    p_lower: float = np.nan
    p_upper: float = np.nan
    count_lower: int | None = None
    count_upper: int | None = None
    labellings: int | None = None
    by: str = field(default="arm", repr=False)

    @property
    def rule(self) -> str:
        """The rule of the p-value."""
        if self.alternative == "two-sided":
            return "two-sided: twice the smaller tail, at most 1"
        return tail_rule(self.alternative, *self.arms)

    def _rows(self) -> list[dict[str, Any]]:
        return [
            {
                "term": f"{self.outcome}: {self.arms[0]} − {self.arms[1]}",
                "estimate": self.difference,
                "statistic": self.difference,
                "p_value": self.p_value,
                "p_lower": self.p_lower,
                "p_upper": self.p_upper,
            }
        ]

    def methods(self) -> list[str]:
        """Say in sentences how the numbers were worked out."""
        count = "all labellings" if self.labellings is None else f"{self.labellings:,} labellings"
        return [
            f"Exact permutation test of the difference in means over {count} of the sample "
            f"with the same arm sizes (shift algorithm); {self.rule}.",
            "No interval is given: the labels of a sample are permuted, and an interval would "
            "need a model of the effect.",
        ]

    def table(self) -> Table:
        """Give the table that is printed."""
        treated, reference = map(worded, self.arms)
        sizes = [
            counted(n, {self.by: arm, f"{self.outcome}: observed": "yes"})
            for n, arm in zip(self.n, self.arms, strict=True)
        ]
        # A mean that is a share of the arm may be a count of noughts and ones.
        had = [
            counted(round(mean * n), {self.by: arm, self.outcome: "1"})
            for mean, n, arm in zip(self.means, self.n, self.arms, strict=True)
            if 0 <= mean <= 1 and abs(mean * n - round(mean * n)) < 1e-9
        ]

        def told(text: str) -> Counted:
            return cell(Told(text, (*sizes, *had)))

        rows: list[list[Any]] = [
            [f"mean of {name}", told(number(mean, 3)), cell(size, form="n = {}")]
            for name, mean, size in zip((treated, reference), self.means, sizes, strict=True)
        ]
        rows.append(["difference", told(number(self.difference, 3)), ""])
        rows.append(["p", told(p_value(self.p_value)), ""])
        if self.labellings is not None:
            # Their number is a binomial coefficient of the sizes.
            rows.append(["labellings ≤ difference", told(f"{self.count_lower:,}"), ""])
            rows.append(["labellings ≥ difference", told(f"{self.count_upper:,}"), ""])
            rows.append(["labellings", told(f"{self.labellings:,}"), ""])
        title = self._titled(f"Exact permutation test: {self.outcome}, {treated} − {reference}")
        return Table(
            ["", "value", ""],
            rows,
            title,
            [*self.methods(), *(f"Note: {note}." for note in self.notes)],
        )


@checked
def permutation_test(
    formula: Any,
    data: Any = None,
    *,
    alternative: Alternative = "two-sided",
    design: Any = None,
    cluster: Any = None,
    by: str | None = None,
    missing: Missing = "drop",
    reference: Any = None,
    synthetic: bool = False,
) -> Any:
    """Test a difference in means over all labellings of the sample, exactly.

    For whole-number scores (or halves, thirds, ... thousandths) the shift algorithm counts every
    labelling at once: 155,117,520 for 15 and 15 cases. It asks what the arm labels of these cases
    could have been, and so suits a sample that was drawn by arm; a trial's own randomisation is
    replayed by the randomisation test.

    Parameters
    ----------
    formula : str or array
        `"change ~ arm"`, or x as an array with y in `data`. The second arm is compared with the
        first, x with y.
    data : data frame or array
        The data, or y.
    alternative : {"two-sided", "less", "greater"}
        Two-sided p is twice the smaller tail, at most 1. `"greater"`: the compared arm's mean is
        larger.
    design : Assignment or closed Ledger, optional
        The trial: gives the arm and its order, the reference first, and the units that were randomised.
    cluster : str, or array of ids (n,), optional
        The unit that was randomised; several rows a unit are refused.
    by : str, optional
        A column, for a result within each of its values.
    missing : {"drop", "refuse"}
        What becomes of rows with missing values: left out and counted by arm, or refused.
    reference : str, optional
        The reference arm, where it is not the first.
    synthetic : bool
        Marks every table as made from synthetic data.

    Returns
    -------
    PermutationTest, or with `by` a mapping from group to one

    Raises
    ------
    InputError
        Scores that are on no grid, an empty arm.
    DesignError
        Several rows a cluster.

    Examples
    --------
    >>> import crewe as cw
    >>> test = cw.permutation_test([3, 4, 5], [0, 1, 2])
    >>> test.difference, test.count_upper, test.labellings, round(test.p_value, 3)
    (3.0, 1, 20, 0.1)
    """
    check_alternative(alternative)
    if by is not None and isinstance(formula, str):
        return each(
            by,
            data,
            cluster,
            missing,
            lambda part, inside: permutation_test(
                formula,
                part,
                alternative=alternative,
                design=design,
                cluster=inside,
                missing=missing,
                reference=reference,
                synthetic=synthetic,
            ),
        )
    samples = (
        samples_of(
            formula,
            data,
            reference,
            design=design,
            cluster=cluster,
            missing=missing,
            tests="permutation tests of rows",
            instead="difference_in_means",
        )
        if isinstance(formula, str)
        else two_arrays(formula, data, design, cluster, by)
    )
    got = _core.permutation_test(samples.treated, samples.reference, alternative, samples.outcome)
    made = PermutationTest(
        0.95,
        samples.notes,
        synthetic or samples.synthetic,
        samples.implementation,
        outcome=samples.outcome,
        arms=(samples.arms[1], samples.arms[0]),
        by=samples.by,
        alternative=alternative,
        n=got.n,
        means=got.mean,
        difference=got.difference,
        spread=got.spread,
        p_value=got.p_value,
        p_lower=got.p_lower,
        p_upper=got.p_upper,
        count_lower=_whole(got.count_lower),
        count_upper=_whole(got.count_upper),
        labellings=_whole(got.labellings),
    )
    return carry(made, samples.words)


def _whole(digits: str | None) -> int | None:
    return None if digits is None else int(digits)
