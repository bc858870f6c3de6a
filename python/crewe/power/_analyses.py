"""The planned analysis of a simulated trial."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

from crewe import _core
from crewe.formula import parse as parsing
from crewe.frames.arguments import checked
from crewe.power._quantities import real

Target: TypeAlias = Literal["all", "subgroup", "interaction"]


@dataclass(frozen=True, init=False)
class Analysis:
    """What all analyses have: a formula, a kind of variance, a level."""

    formula: str
    vcov: str | None
    alpha: float
    strata_terms: bool
    target: Target

    _name: ClassVar[str]
    _words: ClassVar[str]
    # By default, of individuals and of clusters.
    _variances: ClassVar[tuple[str, str]] = ("HC2", "CR2")

    @checked
    def __init__(
        self,
        formula: str = "~ arm",
        *,
        vcov: str | None = None,
        alpha: float = 0.05,
        strata_terms: bool = True,
        target: Target = "all",
    ) -> None:
        parsing.need_text(formula)
        if vcov is not None:
            _core.check_word("vcov", str(vcov))
        put = object.__setattr__
        put(self, "formula", formula)
        put(self, "vcov", vcov)
        put(self, "alpha", real("alpha", alpha))
        put(self, "strata_terms", bool(strata_terms))
        _core.check_word("target", str(target))
        put(self, "target", str(target))

    @property
    def right(self) -> str:
        """What stands on the right of the formula."""
        left, tilde, right = self.formula.partition("~")
        # What stands on the left is only a name, `Surv(days, closed)` among them.
        return parsing.parse(f"outcome ~ {right}" if tilde else left)[1]


class LinearModel(Analysis):
    """The planned analysis: the coefficient of the arm in a linear model.

    Parameters
    ----------
    formula : str
        The model, such as ``"~ arm"`` or ``"closed ~ arm + history"``: what stands on the left is
        only a name. The columns on the right are those of the units' frame. Terms for the design's
        strata are added, as in :func:`crewe.ols`.
    vcov : str, optional
        The kind of variance, as in :func:`crewe.ols`; by default CR2 where clusters are randomised,
        HC2 where individuals are.
    alpha : float
        The two-sided level of the test.
    strata_terms : bool
        Whether terms for the strata are added.
    target : {"all", "subgroup", "interaction"}
        Whose effect it is about: that of all, that of the outcome's subgroup in its rows alone, or the
        subgroup's less that of the others, the product of arm and subgroup in the model.

    Examples
    --------
    >>> import crewe as cw
    >>> cw.power.LinearModel("~ arm", vcov="CR1").alpha
    0.05
    """

    _name = "linear"
    _words = "linear model on {model}"


class LogitModel(Analysis):
    """The planned analysis: the average difference of the arms' rates in a logit model.

    The difference is that of ``cw.logit(...).margins("arm", at="observed")``, with its error by the
    delta method.

    Parameters
    ----------
    formula, alpha, strata_terms, target : Any
        As for :class:`LinearModel`, but for an interaction.
    vcov : str, optional
        The kind of variance, as in :func:`crewe.logit`; by default CR2 where clusters are randomised,
        HC2 where individuals are.

    Examples
    --------
    >>> import crewe as cw
    >>> cw.power.LogitModel("~ arm + age").formula
    '~ arm + age'
    """

    _name = "logit"
    _words = "average difference in a logit model on {model}"


class CoxModel(Analysis):
    """The planned analysis: the hazard ratio of the arm in a Cox model.

    Parameters
    ----------
    formula, alpha, strata_terms, target : Any
        As for :class:`LinearModel`.
    vcov : str, optional
        The kind of variance, as in :func:`crewe.coxph`; by default CR3 where clusters are randomised,
        that of the model where individuals are. The size of the test stands beside its power.

    Examples
    --------
    >>> import crewe as cw
    >>> cw.power.CoxModel(vcov="KC").formula
    '~ arm'
    """

    _name = "cox"
    _words = "Cox model on {model}"
    _variances = ("iid", "CR3")


class LogRank(Analysis):
    """The planned analysis: the log-rank test, within the strata of the design.

    Parameters
    ----------
    vcov : {"CR0", "iid"}, optional
        ``"CR0"``, the default where clusters are randomised: by the variance of the clusters' scores.
        ``"iid"``: as if members were independent.
    alpha : float
        The two-sided level of the test.
    strata_terms : bool
        Whether arms are compared within the strata.
    target : {"all", "subgroup"}
        Whether all are compared, or the members of the outcome's subgroup alone.

    Notes
    -----
    The estimate is one step from no effect, (O - E) / V: near the logarithm of the hazard ratio
    where that is small, and nearer to 0 where it is large.

    Examples
    --------
    >>> import crewe as cw
    >>> cw.power.LogRank().formula
    '~ arm'
    """

    _name = "log_rank"
    _words = "log-rank test"
    _variances = ("iid", "CR0")

    @checked
    def __init__(
        self,
        *,
        vcov: str | None = None,
        alpha: float = 0.05,
        strata_terms: bool = True,
        target: Literal["all", "subgroup"] = "all",
    ) -> None:
        super().__init__("~ arm", vcov=vcov, alpha=alpha, strata_terms=strata_terms, target=target)


WORDS = {kind._name: kind._words for kind in (LinearModel, LogitModel, CoxModel, LogRank)}
"""What the core calls an analysis, in words."""

__all__ = ["WORDS", "Analysis", "CoxModel", "LinearModel", "LogRank", "LogitModel"]
