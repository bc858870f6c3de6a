"""Planned analyses whose p-value follows from no standard error: the randomisation test, ranks, two rates."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from crewe import _core
from crewe.exceptions import InputError, fault
from crewe.formula import parse as parsing
from crewe.frames.arguments import checked
from crewe.power._analyses import Analysis
from crewe.power._quantities import whole

Statistic: TypeAlias = Literal[
    "difference_in_means",
    "difference_in_unit_means",
    "coefficient",
    "difference_in_rates",
    "rate_ratio",
    "rank_sum",
    "stratified_rank_sum",
]
Part: TypeAlias = Literal["all", "subgroup"]


class RandomisationTest(Analysis):
    """The planned analysis: the randomisation test, as :func:`crewe.randomisation_test` makes it.

    In every replicate the declared procedure is drawn again, and the statistic compared with its values
    under these draws; all assignments are listed instead where there are no more than `draws`.

    Parameters
    ----------
    formula : str
        The model, for ``statistic="coefficient"``; else ``"~ arm"``.
    statistic : str
        ``"difference_in_means"`` (over members), ``"difference_in_unit_means"``, ``"coefficient"`` (of the
        arm in the linear model `formula`), ``"difference_in_rates"``, ``"rate_ratio"``, ``"rank_sum"`` or
        ``"stratified_rank_sum"``.
    draws : int
        How often the procedure is drawn for every replicate.
    studentised : bool, optional
        Whether the statistic is divided by its cluster-robust standard error; by default coefficients and
        rates are, as in the test itself.
    alpha : float
        The two-sided level of the test.
    strata_terms : bool
        Whether a model gets terms for the strata. Draws are within them in any case.
    target : {"all", "subgroup"}
        Whether all are compared, or the members of the outcome's subgroup alone.

    Notes
    -----
    Two-sided p is twice the smaller tail. With few clusters the size of the test is the largest level that
    its p-values attain at `alpha`, which may be 0; a note then says so. The estimate of a coefficient or a
    difference is that of the test, and its interval holds the effects that are not rejected where it follows
    from the draws: without studentising, with two arms. Of a rate ratio it is the logarithm, and of ranks
    the shift.

    Draws of replicate i are numbers of their own, so that no two replicates share any, and results are the
    same to the bit on any number of threads.

    Examples
    --------
    >>> import crewe as cw
    >>> design = cw.Design("Trial", arms={"control": 1, "crewe": 1}, cluster="family")
    >>> families = cw.power.ClusterSizes([3] * 20)
    >>> score = cw.power.ContinuousOutcome(effect=0.8, icc=0.1)
    >>> planned = cw.power.RandomisationTest(draws=199)
    >>> found = cw.power.simulate(design, families, score, planned, sims=200, seed=1)
    >>> found.power > 0.5, found.size < 0.12
    (True, True)
    """

    statistic: str
    draws: int
    studentised: bool | None

    _name = "randomisation_test"

    @checked
    def __init__(
        self,
        formula: str = "~ arm",
        *,
        statistic: Statistic = "difference_in_means",
        draws: int = 999,
        studentised: bool | None = None,
        alpha: float = 0.05,
        strata_terms: bool = True,
        target: Part = "all",
    ) -> None:
        _core.check_word("simulated statistic", str(statistic))
        model = statistic == "coefficient"
        super().__init__(
            formula, alpha=alpha, strata_terms=strata_terms and model, target=_part(target)
        )
        beside = [name for name in parsing.variables(self.right) if name != "arm"]
        if beside and not model:
            raise fault(
                InputError,
                f"the statistic {statistic!r} knows no covariates",
                values=beside,
                remedy='Give statistic="coefficient", or leave them out of the formula',
            )
        put = object.__setattr__
        put(self, "statistic", str(statistic))
        put(self, "draws", whole("draws", draws, "Give for instance draws=999"))
        put(self, "studentised", studentised)

    def _options(self, clustered: bool) -> dict[str, Any]:
        return {
            "statistic": self.statistic,
            "draws": max(self.draws, 0),
            "studentised": self.studentised,
        }

    def _text(self, model: str, vcov: str, clustered: bool) -> str:
        what = "the coefficient of the arm" if self.statistic == "coefficient" else self.statistic
        within = f" in the linear model {model}" if self.statistic == "coefficient" else ""
        own = self.statistic in ("coefficient", "difference_in_rates", "rate_ratio")
        scaled = own if self.studentised is None else self.studentised
        studentised = ", studentised" if scaled else ""
        return (
            f"randomisation test of {what.replace('_', ' ')}{within}{studentised}, "
            f"{self.draws:,} draws of the procedure"
        )


class MannWhitney(Analysis):
    """The planned analysis: the Mann-Whitney test, as :func:`crewe.mann_whitney` makes it.

    Where clusters are randomised their mean outcomes are ranked, so that siblings are never taken as
    independent; where individuals are, their outcomes.

    Parameters
    ----------
    exact : bool, optional
        True insists on the exact distribution, False on the normal approximation with tie correction. By
        default exact where it takes about a second at most: without ties it is worked out once, with ties in
        every replicate, and ``exact=False`` is then much faster.
    correct : bool
        Whether the approximation is corrected for continuity.
    alpha : float
        The two-sided level of the test.
    target : {"all", "subgroup"}
        Whether all are compared, or the members of the outcome's subgroup alone.

    Notes
    -----
    The estimate is the Hodges-Lehmann shift, with the interval that inverts the test. Strata are not known
    to it: ``RandomisationTest(statistic="stratified_rank_sum")`` ranks within them.

    Examples
    --------
    >>> import crewe as cw
    >>> design = cw.Design("Trial", arms={"control": 1, "crewe": 1}, unit="id")
    >>> people = cw.power.ClusterSizes(1, clusters=60)
    >>> score = cw.power.ContinuousOutcome(effect=0.8, icc=0)
    >>> found = cw.power.simulate(design, people, score, cw.power.MannWhitney(), sims=500, seed=1)
    >>> found.power > 0.75, found.coverage > 0.9
    (True, True)
    """

    exact: bool | None
    correct: bool

    _name = "mann_whitney"

    @checked
    def __init__(
        self,
        *,
        exact: bool | None = None,
        correct: bool = True,
        alpha: float = 0.05,
        target: Part = "all",
    ) -> None:
        super().__init__("~ arm", alpha=alpha, strata_terms=False, target=_part(target))
        object.__setattr__(self, "exact", exact)
        object.__setattr__(self, "correct", bool(correct))

    def _options(self, clustered: bool) -> dict[str, Any]:
        return {"exact": self.exact, "correct": self.correct}

    def _text(self, model: str, vcov: str, clustered: bool) -> str:
        kind = {None: "", True: "exact ", False: "asymptotic "}[self.exact]
        of = " of the clusters' mean outcomes" if clustered else ""
        return f"{kind}Mann-Whitney test{of}"


class Rates(Analysis):
    """The planned analysis: the rates of an event in the arms, by their difference or ratio.

    Where individuals are randomised the p-value is that of Fisher's exact test, as in
    :func:`crewe.compare_rates`. Where clusters are, rates over members are compared with their cluster-robust
    variance, as in ``cw.ols("closed ~ arm", ...).margins("arm", compare=...)``.

    Parameters
    ----------
    compare : {"difference", "ratio"}
        The rate of an arm less that of the reference, or over it. Estimates of ratios are logarithms.
    vcov : str, optional
        The kind of variance where clusters are randomised, by default CR2.
    alpha : float
        The two-sided level of the test.
    target : {"all", "subgroup"}
        Whether all are compared, or the members of the outcome's subgroup alone.

    Notes
    -----
    Fisher's test gives a difference with Newcombe's interval; a ratio has none. Bias and coverage of a ratio
    are those of its logarithm, under the rates that the outcome's baseline and effect imply.

    Examples
    --------
    >>> import crewe as cw
    >>> design = cw.Design("Trial", arms={"control": 1, "crewe": 1}, cluster="family")
    >>> families = cw.power.ClusterSizes([3] * 80)
    >>> closed = cw.power.BinaryOutcome(baseline=0.3, effect=0.2, icc=0.1)
    >>> ratio = cw.power.Rates(compare="ratio")
    >>> found = cw.power.simulate(design, families, closed, ratio, sims=300, seed=1)
    >>> found.power > 0.6, abs(found.bias) < 0.1
    (True, True)
    """

    compare: str

    _name = "rates"

    @checked
    def __init__(
        self,
        *,
        compare: Literal["difference", "ratio"] = "difference",
        vcov: str | None = None,
        alpha: float = 0.05,
        target: Part = "all",
    ) -> None:
        super().__init__("~ arm", vcov=vcov, alpha=alpha, strata_terms=False, target=_part(target))
        if compare not in ("difference", "ratio"):
            raise fault(
                InputError,
                "rates are compared by their difference or their ratio",
                values=[str(compare)],
                remedy='Give compare="difference" or "ratio"',
            )
        object.__setattr__(self, "compare", str(compare))

    def _options(self, clustered: bool) -> dict[str, Any]:
        if not clustered and self.vcov is not None:
            raise fault(
                InputError,
                "the rates of individuals are compared by Fisher's exact test, which has no variance",
                values=[self.vcov],
                remedy='Leave out vcov=, or analyse by LinearModel("~ arm", vcov=...)',
            )
        return {"compare": self.compare, "exact": not clustered}

    def _text(self, model: str, vcov: str, clustered: bool) -> str:
        by = f"with {vcov}" if clustered else "by Fisher's exact test"
        return f"{self.compare} of the rates {by}"


def _part(target: str) -> Literal["all", "subgroup"]:
    if target in ("all", "subgroup"):
        return "all" if target == "all" else "subgroup"
    raise fault(
        InputError,
        "a test compares all, or the members of a subgroup",
        values=[str(target)],
        remedy='Give target="all" or "subgroup"; an interaction is a term of LinearModel or CoxModel',
    )


__all__ = ["MannWhitney", "RandomisationTest", "Rates"]
