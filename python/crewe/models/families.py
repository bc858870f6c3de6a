"""Regressions of a yes-or-no outcome: a family is a class, which knows its name in the core, and a function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, overload

import numpy as np
from numpy.typing import NDArray

from crewe import _core
from crewe.formula import design as designs
from crewe.formula import parse as parsing
from crewe.frames.arguments import checked
from crewe.frames.source import Source
from crewe.models.groups import FitFamily, FitGroup
from crewe.models.linear import DEFINITIONS
from crewe.models.regression import Asked, Regression, _fit, _Options
from crewe.models.weights import Weights

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__: list[str] = ["Logit", "Probit", "logit", "probit"]

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
# A stratum needs this many clusters before its dummy stops biasing the others.
_CLUSTERS_OF_A_STRATUM = 10


class Binary(Regression):
    """A fitted regression of a yes-or-no outcome, of whatever family."""

    _family: ClassVar[str]

    @classmethod
    def _fitted(
        cls, y: Floats, y_name: str, design: _core.DesignMatrix, weights: _core.Weights | None
    ) -> tuple[_core.Fit, dict[str, float]]:
        fit = _core.glm_fit(cls._family, y, y_name, design, weights)
        return fit, {
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


@overload
def logit(
    formula: list[str] | tuple[str, ...],
    data: Any = None,
    design: Any = None,
    cluster: Any = None,
    vcov: str | None = None,
    *,
    by: None = None,
    weights: Any = None,
    **asked: Unpack[Asked],
) -> FitFamily[Logit]: ...


@overload
def logit(
    formula: Any,
    data: Any = None,
    design: Any = None,
    cluster: Any = None,
    vcov: str | None = None,
    *,
    by: None = None,
    weights: Any = None,
    **asked: Unpack[Asked],
) -> Logit: ...


@overload
def logit(
    formula: Any,
    data: Any = None,
    design: Any = None,
    cluster: Any = None,
    vcov: str | None = None,
    *,
    by: str,
    weights: Any = None,
    **asked: Unpack[Asked],
) -> FitGroup[Logit]: ...


@checked
def logit(
    formula: Any,
    data: Any = None,
    design: Any = None,
    cluster: Any = None,
    vcov: str | None = None,
    *,
    by: str | None = None,
    weights: Any = None,
    df: str = "default",
    missing: str = "drop",
    level: float = 0.95,
    intercept: bool = True,
    strata_terms: bool = True,
    names: Sequence[str] | None = None,
    synthetic: bool = False,
    keep_data: bool = False,
) -> Logit | FitGroup[Logit]:
    """Fit a logistic regression by maximum likelihood.

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
        As :func:`ols`; default CR2 with clusters, HC2 without. `"iid"` and `"HC0"` to `"HC3"` refer to z; the jackknife
        takes one step. Under probability weights `"iid"` is refused, since it depends on their scale.
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
        Columns that predict the outcome perfectly, so that no finite coefficient exists, named.

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
    """
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
    return _fit(Logit, formula, data, by, options)


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
    vcov: str | None = None,
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
    vcov: str | None = None,
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
    vcov: str | None = None,
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
    vcov: str | None = None,
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
