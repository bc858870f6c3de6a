"""Regressions of a yes-or-no outcome: a family is a class, which knows its name in the core, and a function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, overload

import numpy as np
from numpy.typing import NDArray

from crewe import _core
from crewe.exceptions import InputError, fault
from crewe.formula import design as designs
from crewe.formula import parse as parsing
from crewe.frames.arguments import checked
from crewe.frames.choices import AnyVcov, BinaryVcov, DfRule, MissingCovariates, PenalisedVcov
from crewe.frames.source import Source
from crewe.models.groups import FitFamily, FitGroup
from crewe.models.linear import DEFINITIONS, PROFILE
from crewe.models.regression import Asked, Regression, _fit, _Options
from crewe.models.weights import Weights

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__: list[str] = ["Logit", "PenalisedLogit", "Probit", "logit", "probit"]

Floats = NDArray[np.float64]

_OWN_DEFINITIONS = {
    "iid": "classical standard errors: inverse of the information, z",
    "HC0": "heteroskedasticity-robust standard errors (HC0, White 1980), z",
    "HC1": "Huber-White standard errors (HC1: HC0 times n/(n − k)), z",
    "HC2": "heteroskedasticity-robust standard errors (HC2, with the hat values of the final weighted "
    "least squares), z",
    "HC3": "heteroskedasticity-robust standard errors (HC3, with the hat values of the final weighted "
    "least squares), z",
    "CR1": "cluster-robust standard errors (CR1: CR0 times G/(G − 1), Stata's for logit), t with "
    "G − 1 df",
    "CR1S": "cluster-robust standard errors (CR1S of clubSandwich: CR0 times G/(G − 1) · "
    "(n − 1)/(n − k)), t with G − 1 df",
    "CR2": "cluster-robust standard errors with bias-reduced linearisation (CR2, Bell and McCaffrey "
    "2002; Pustejovsky and Tipton 2018, working variance μ(1 − μ)), t with Satterthwaite degrees of "
    "freedom",
}
# With a penalty the model is fitted again without each of up to so many clusters.
_REFITTED = 40
# A stratum needs this many clusters before its dummy stops biasing the others.
_CLUSTERS_OF_A_STRATUM = 10


class Binary(Regression):
    """A fitted regression of a yes-or-no outcome, of whatever family."""

    _family: ClassVar[str]
    _penalty: ClassVar[str | None] = None

    def _simulated(self) -> str:
        return "Firth" if self._penalty else self._family

    @classmethod
    def _fitted(
        cls, y: Floats, y_name: str, design: _core.DesignMatrix, weights: _core.Weights | None
    ) -> tuple[_core.Fit, dict[str, float]]:
        fit = _core.glm_fit(cls._family, y, y_name, design, weights, cls._penalty)
        return fit, cls._statistics(fit)

    @classmethod
    def _statistics(cls, fit: _core.GlmFit) -> dict[str, float]:
        return {
            "log_likelihood": fit.log_likelihood,
            "pseudo_r_squared": fit.pseudo_r_squared,
            "aic": fit.aic,
        }

    def _definition(self) -> str:
        return _OWN_DEFINITIONS.get(self.vcov_name, DEFINITIONS[self.vcov_name])

    def _margin_methods(self, at: str) -> list[str]:
        intervals = (
            "Intervals of levels are those of the linear predictor, transformed; differences, their "
            "intervals and p-values are by the delta method"
            if at == "means"
            else "Standard errors, intervals and p-values are by the delta method"
        )
        return [f"{intervals}, with the degrees of freedom of the gradient as a contrast."]

    @classmethod
    def _objection(cls, source: Source, left: str) -> Callable[[Any], str]:
        def reason(joined: Any) -> str:
            columns = source.columns(parsing.variables(left))
            gone = [column.missing for column in columns.values()]
            kept = np.flatnonzero(~np.any(gone, axis=0))
            y = designs.left_values(left, columns.take(kept))
            unit, stratum = joined.unit[kept], joined.stratum[kept]
            weak = 0
            for code in range(len(joined.strata)):
                rows = stratum == code
                clusters = len(np.unique(unit[rows]))
                weak += clusters < _CLUSTERS_OF_A_STRATUM or len(np.unique(y[rows])) < 2
            if not weak:
                return ""
            return (
                f"no terms of the strata were added: {weak} of {len(joined.strata)} strata have fewer than "
                f"{_CLUSTERS_OF_A_STRATUM} units or one outcome only, and a dummy for each would bias the log "
                "odds ratio away from 0; for a comparison within strata use ols, whose coefficients do not "
                "suffer"
            )

        return reason


class Logit(Binary):
    """A fitted logistic regression; made by :func:`logit`.

    Coefficients are log odds ratios. `statistics` holds the log-likelihood, McFadden's pseudo R² and AIC.
    """

    _name = "Logit"
    _family = "logit"

    def tidy(self, level: float | None = None, exponentiate: bool = False) -> Any:
        """Give the coefficients as a frame of the kind that the data came in.

        Columns: `term, estimate, std_error, statistic, df, p_value, conf_low, conf_high`.

        Parameters
        ----------
        level : float, optional
            Of the intervals.
        exponentiate : bool
            Gives odds ratios: `estimate`, `conf_low` and `conf_high` are exponentiated; `std_error`, `statistic`
            and `p_value` stay those of the log odds ratio.
        """
        return self._tidied(level, exponentiate)

    def odds_ratios(self, level: float | None = None) -> Any:
        """Give odds ratios: `term, odds_ratio, conf_low, conf_high, p_value`, without the intercept.

        The interval is the exponentiated interval of the log odds ratio; the p-value is the coefficient's.
        """
        table = self._table(level)
        kept = [i for i, term in enumerate(self.terms) if term != "Intercept"]
        return self._build(
            {
                "term": [self.terms[i] for i in kept],
                "odds_ratio": np.exp(table.estimate[kept]),
                "conf_low": np.exp(table.conf_low[kept]),
                "conf_high": np.exp(table.conf_high[kept]),
                "p_value": table.p_value[kept],
            }
        )


_PENALISED_DEFINITIONS = {
    PROFILE: "intervals and p-values by profiles of the penalised likelihood (Heinze and Schemper 2002), standard "
    "errors from the inverse of the information; rows are counted as independent",
    "iid": "classical standard errors: inverse of the information at the penalised estimate, z",
    "HC0": "heteroskedasticity-robust standard errors (HC0, of the penalised score), z",
    "HC1": "Huber-White standard errors (HC1: HC0 of the penalised score times n/(n − k)), z",
    "CR0": "cluster-robust standard errors (CR0: sums of the penalised score over clusters), t with G − 1 df",
    "CR1": "cluster-robust standard errors (CR1: sums of the penalised score over clusters, times G/(G − 1)), t "
    "with G − 1 df",
}


class PenalisedLogit(Logit):
    """A fitted logistic regression with Firth's penalty; made by :func:`logit` with `penalty="firth"`.

    Coefficients are log odds ratios, finite where the outcomes are separated too. `statistics` holds the penalised
    log-likelihood and the likelihood ratio of all slopes, `likelihood_ratio`, with its p-value; `separated` says whether the
    likelihood without the penalty has no maximum.
    """

    _name = "Logit with Firth's penalty"
    _penalty = "firth"
    separated: bool = False

    @classmethod
    def _statistics(cls, fit: _core.GlmFit) -> dict[str, float]:
        found = fit.penalised
        assert found is not None, "a fit with a penalty knows its penalised likelihood"
        return {
            "penalised_log_likelihood": found.log_likelihood,
            "likelihood_ratio": found.likelihood_ratio,
            "likelihood_ratio_df": found.df,
            "likelihood_ratio_p": found.p_value,
        }

    @classmethod
    def _kind(cls, asked: str | None, groups: Any) -> str:
        if asked is not None:
            return asked
        if groups is None:
            return PROFILE
        # Refits hold their size better than CR1, and take long with many clusters.
        return "CV3" if groups.count <= _REFITTED else "CR1"

    @property
    def notes(self) -> list[str]:
        """What a reader of the result must know."""
        told = super().notes
        if not self.separated or self.vcov_name in (PROFILE, "iid"):
            return told
        return [
            *told,
            f"the outcomes are separated: where nobody, or everybody, has the outcome, scores hardly vary, and {self.vcov_name} "
            "is too small whatever the number of clusters; read the randomisation test or the cluster-level analysis, and "
            "vcov='profile' only where rows are independent",
        ]

    def vcov(self, kind: AnyVcov, df: DfRule = "default") -> Any:
        """Give the same fit with other standard errors, without refitting.

        Parameters
        ----------
        kind : str
            `"profile"`: intervals and tests of the coefficients by profiles of the penalised likelihood, with the inverse
            of the information for everything else (margins, contrasts); rows count as independent. Or `"iid"`, `"HC0"`,
            `"HC1"`, `"CR0"`, `"CR1"`, `"CR1S"`, `"CV3"` (or `"jackknife"`), of the penalised score. CR2, CR3, CV3L, HC2
            and HC3 are refused: they correct residuals, of which that score is not made alone.
        df : {"default", "residual"}
            `"residual"` refers tests to n − k degrees of freedom; not for profiles, which have none.
        """
        if kind == PROFILE and df != "default":
            raise fault(
                InputError,
                "profiles of the likelihood have no degrees of freedom to choose",
                remedy="Leave out df=, or take vcov='iid'",
            )
        other = super().vcov("iid" if kind == PROFILE else kind, df)
        other.vcov_name = PROFILE if kind == PROFILE else other.vcov_name
        found = self._core_fit().penalised
        other.separated = found is not None and found.separated
        return other

    def _core_fit(self) -> _core.GlmFit:
        core = self._needs_data().core
        assert isinstance(core, _core.GlmFit), "the core fits logits as such"
        return core

    def _coefficients(self, level: float) -> _core.Contrasts:
        if self.vcov_name != PROFILE:
            return super()._coefficients(level)
        return self._core_fit().profile(level)

    def _definition(self) -> str:
        return _PENALISED_DEFINITIONS.get(self.vcov_name, DEFINITIONS.get(self.vcov_name, ""))

    def _margin_methods(self, at: str) -> list[str]:
        return [
            *super()._margin_methods(at),
            "The penalty draws predicted probabilities towards 1/2, so that their average is not quite the observed share.",
        ]

    def methods(self) -> list[str]:
        """Say in plain sentences what was done, for the methods section of a report."""
        said = super().methods()
        penalty = (
            "The likelihood was penalised by half the logarithm of the determinant of the information (Firth 1993), "
            "so that estimates are finite where the outcomes are separated."
        )
        return [said[0], penalty, *said[1:]]


@overload
def logit(
    formula: list[str] | tuple[str, ...],
    data: Any = None,
    design: Any = None,
    cluster: Any = None,
    vcov: PenalisedVcov | None = None,
    *,
    by: None = None,
    weights: Any = None,
    penalty: Literal["firth"] | None = None,
    **asked: Unpack[Asked],
) -> FitFamily[Logit]: ...


@overload
def logit(
    formula: Any,
    data: Any = None,
    design: Any = None,
    cluster: Any = None,
    vcov: PenalisedVcov | None = None,
    *,
    by: None = None,
    weights: Any = None,
    penalty: Literal["firth"] | None = None,
    **asked: Unpack[Asked],
) -> Logit: ...


@overload
def logit(
    formula: Any,
    data: Any = None,
    design: Any = None,
    cluster: Any = None,
    vcov: PenalisedVcov | None = None,
    *,
    by: str,
    weights: Any = None,
    penalty: Literal["firth"] | None = None,
    **asked: Unpack[Asked],
) -> FitGroup[Logit]: ...


@checked
def logit(
    formula: Any,
    data: Any = None,
    design: Any = None,
    cluster: Any = None,
    vcov: PenalisedVcov | None = None,
    *,
    by: str | None = None,
    weights: Any = None,
    penalty: Literal["firth"] | None = None,
    df: DfRule = "default",
    missing: MissingCovariates = "drop",
    level: float = 0.95,
    intercept: bool = True,
    strata_terms: bool = True,
    names: Sequence[str] | None = None,
    synthetic: bool = False,
    keep_data: bool = False,
) -> Logit | FitGroup[Logit]:
    """Fit a logistic regression by maximum likelihood, or with Firth's penalty.

    `P(y = 1) = 1 / (1 + exp(−x'b))`.

    Parameters
    ----------
    formula : str, or array (n,)
        `"closed ~ arm + history"`, or the outcome (0 or 1) as an array, with X in `data`.
    data : data frame, or array (n, p)
        As :func:`ols`.
    design : Assignment, optional
        The trial: gives the clusters, the order of the arms and the strata. Terms of the strata are added only where
        every stratum has at least 10 units and both outcomes; else none is, and a note says why: with few units in a
        stratum their dummies bias the other coefficients (Neyman and Scott 1948).
    cluster : str, or array of ids (n,)
        The unit that was randomised, as :func:`ols`.
    vcov : str, optional
        As :func:`ols`; default CR2 with clusters, HC2 without. `"iid"` and `"HC0"` to `"HC3"` refer to z.
        `"CV3"` fits the model again without each cluster; where one of these fits is separated there is no variance (NaN,
        and a note that says why). `"CV3L"` is the same to first order, without refits. Under probability weights `"iid"` is
        refused, since it depends on their scale. With a penalty the default is CV3 with up to 40 clusters, CR1 with more
        and `"profile"` without any: see :class:`PenalisedLogit`.
    penalty : {"firth"}, optional
        Takes Firth's penalty off the likelihood, so that every coefficient is finite, separated outcomes or not; gives
        a :class:`PenalisedLogit`. Rows must have no weights. Never taken unless asked for.
    by, weights, df, missing, level, intercept, strata_terms, names, synthetic, keep_data
        As :func:`ols`.

    Returns
    -------
    Logit

    Raises
    ------
    InputError
        As :func:`ols`; an outcome that is not 0 or 1, with its rows, or that never varies.
    RankError
        A column that repeats others, named.
    SeparationError
        Columns that predict the outcome perfectly, so that no finite coefficient exists, named; not with a penalty.

    Examples
    --------
    >>> import crewe as cw
    >>> trial = cw.datasets.achievement_awards()
    >>> fit = cw.logit(
    ...     "Bagrut_status ~ treated + girl + siblings",
    ...     trial[trial["year"] == 2001],
    ...     cluster="school_id",
    ... )
    >>> fit.vcov_name, fit.clusters
    ('CR2', 39)
    >>> list(fit.odds_ratios()["term"])
    ['treated', 'girl', 'siblings']

    No event in the first arm: there is no odds ratio, but a penalised one.

    >>> import pandas as pd
    >>> few = pd.DataFrame({"event": [0, 0, 0, 0, 1, 1, 1, 0], "arm": list("aaaabbbb")})
    >>> fit = cw.logit("event ~ arm", few, penalty="firth")
    >>> fit.odds_ratios()["odds_ratio"].round(3).tolist()
    [21.0]
    """
    if penalty not in (None, "firth"):
        raise fault(
            InputError,
            f"there is no penalty called '{penalty}'",
            remedy="Use penalty='firth', or leave it out",
        )
    options = _Options(
        design=design,
        cluster=cluster,
        vcov=vcov,
        weights=Weights.of(weights),
        df=df,
        missing=missing,
        level=level,
        intercept=intercept,
        strata_terms=strata_terms,
        names=names,
        synthetic=synthetic,
        keep_data=keep_data,
    )
    return _fit(Logit if penalty is None else PenalisedLogit, formula, data, by, options)


class Probit(Binary):
    """A fitted probit regression; made by :func:`probit`.

    Coefficients are on the scale of a standard normal. `statistics` holds the log-likelihood, McFadden's pseudo R² and
    AIC.
    """

    _name = "Probit"
    _family = "probit"


_DEFAULTS: Asked = {
    "df": "default",
    "missing": "drop",
    "level": 0.95,
    "intercept": True,
    "strata_terms": True,
    "names": None,
    "synthetic": False,
    "keep_data": False,
}


@overload
def probit(
    formula: list[str] | tuple[str, ...],
    data: Any = None,
    design: Any = None,
    cluster: Any = None,
    vcov: BinaryVcov | None = None,
    *,
    by: None = None,
    weights: Any = None,
    **options: Unpack[Asked],
) -> FitFamily[Probit]: ...


@overload
def probit(
    formula: Any,
    data: Any = None,
    design: Any = None,
    cluster: Any = None,
    vcov: BinaryVcov | None = None,
    *,
    by: None = None,
    weights: Any = None,
    **options: Unpack[Asked],
) -> Probit: ...


@overload
def probit(
    formula: Any,
    data: Any = None,
    design: Any = None,
    cluster: Any = None,
    vcov: BinaryVcov | None = None,
    *,
    by: str,
    weights: Any = None,
    **options: Unpack[Asked],
) -> FitGroup[Probit]: ...


@checked
def probit(
    formula: Any,
    data: Any = None,
    design: Any = None,
    cluster: Any = None,
    vcov: BinaryVcov | None = None,
    *,
    by: str | None = None,
    weights: Any = None,
    **options: Unpack[Asked],
) -> Probit | FitGroup[Probit]:
    """Fit a probit regression by maximum likelihood.

    `P(y = 1) = Φ(x'b)`. Standard errors rest on the expected information, as R's `glm`, sandwich and clubSandwich have
    it; Stata's rest on the observed one and differ in the third digit.

    Parameters
    ----------
    formula : str, or array (n,)
        `"closed ~ arm + history"`, or the outcome (0 or 1) as an array, with X in `data`.
    data : data frame, or array (n, p)
        As :func:`ols`.
    design, cluster, vcov, by, weights
        As :func:`logit`.
    **options
        `df, missing, level, intercept, strata_terms, names, synthetic, keep_data`, as :func:`ols`.

    Returns
    -------
    Probit
        Or, with `by`, a mapping from each value to its fit.

    Raises
    ------
    InputError, RankError, SeparationError
        As :func:`logit`.

    Examples
    --------
    >>> import crewe as cw
    >>> trial = cw.datasets.achievement_awards()
    >>> fit = cw.probit(
    ...     "Bagrut_status ~ treated + girl + siblings",
    ...     trial[trial["year"] == 2001],
    ...     cluster="school_id",
    ... )
    >>> fit.vcov_name, fit.clusters
    ('CR2', 39)
    """
    # Every key is one of the names above, with its type.
    asked: dict[str, Any] = {**_DEFAULTS, **options}
    unknown = sorted(set(asked) - set(_DEFAULTS))
    if unknown:
        raise TypeError(f"probit() got an unexpected keyword argument '{unknown[0]}'")
    shared = _Options(
        design=design, cluster=cluster, vcov=vcov, weights=Weights.of(weights), **asked
    )
    return _fit(Probit, formula, data, by, shared)
