"""Probit regression of a yes-or-no outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

from crewe.frames.arguments import checked
from crewe.models.groups import FitFamily, FitGroup
from crewe.models.logit import Binary
from crewe.models.regression import Asked, _fit, _Options
from crewe.models.weights import Weights

if TYPE_CHECKING:
    from typing_extensions import Unpack


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
