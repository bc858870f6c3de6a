"""The linear mixed model: an intercept for every cluster, by restricted maximum likelihood."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from crewe import _core
from crewe.frames.arguments import check_methods, checked
from crewe.frames.choices import DfRule, MissingCovariates, MixedVcov
from crewe.models.clustered import SHARED, Clustered, made
from crewe.models.groups import FitFamily, FitGroup
from crewe.models.linear import DEFINITIONS

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from crewe.models.clustered import Asked

Floats = NDArray[np.float64]

_DEFINITIONS = {
    "iid": "model-based standard errors, z",
    "kenward-roger": "standard errors and degrees of freedom of Kenward and Roger (1997), t",
    "satterthwaite": "model-based standard errors, t with Satterthwaite degrees of freedom",
    "CV3L": "leave-one-cluster-out jackknife standard errors at the estimated variances, t with G − 1 df",
}


@dataclass(repr=False)
class Mixed(Clustered):
    """A linear mixed model with an intercept for every cluster; made by :func:`mixed`.

    `statistics` holds the variances between and within clusters, the intracluster correlation and the restricted
    log-likelihood.

    Attributes
    ----------
    boundary : bool
        Whether the variance between clusters was estimated as 0, the end of what it can be.
    """

    boundary: bool = False

    _name = "mixed"
    _model = "Mixed model"

    def _fitted(
        self, y: Floats, name: str, design: _core.DesignMatrix, groups: _core.Clusters
    ) -> _core.ClusteredFit:
        fit = _core.mixed_fit(y, name, design, groups, self.aside)
        self.boundary = fit.boundary
        self.statistics = {
            "variance_between": fit.between,
            "variance_within": fit.within,
            "icc": fit.icc,
            "log_likelihood": fit.log_likelihood,
        }
        return fit

    @property
    def notes(self) -> list[str]:
        """What a reader of the result must know."""
        if not self.boundary:
            return super().notes
        return [
            *super().notes,
            "the variance between clusters was estimated as 0, the least that it can be: the model then counts rows as "
            "independent, and its standard errors may be too small; a sandwich over clusters (vcov='CR2') does not rest "
            "on it",
        ]

    def _simulated(self) -> str:
        return "mixed"

    @property
    def icc(self) -> float:
        """The intracluster correlation given the terms of the model."""
        return self.statistics["icc"]

    def methods(self) -> list[str]:
        """Say in plain sentences what was done, for the methods section of a report."""
        head, *rest = super().methods()
        how = (
            "Linear mixed model with an intercept for every cluster, by restricted maximum likelihood; variance "
            f"{self.statistics['variance_between']:.4g} between and {self.statistics['variance_within']:.4g} within "
            f"clusters, intracluster correlation {self.icc:.3f}."
        )
        return [head, how, *rest]

    def _definition(self) -> str:
        return _DEFINITIONS.get(self.vcov_name, DEFINITIONS.get(self.vcov_name, ""))


check_methods(Mixed)


@overload
def mixed(
    formula: list[str] | tuple[str, ...],
    data: Any = None,
    design: Any = None,
    cluster: Any = None,
    *,
    by: None = None,
    vcov: MixedVcov = "kenward-roger",
    **asked: Unpack[Asked],
) -> FitFamily[Mixed]: ...


@overload
def mixed(
    formula: str,
    data: Any = None,
    design: Any = None,
    cluster: Any = None,
    *,
    by: None = None,
    vcov: MixedVcov = "kenward-roger",
    **asked: Unpack[Asked],
) -> Mixed: ...


@overload
def mixed(
    formula: str,
    data: Any = None,
    design: Any = None,
    cluster: Any = None,
    *,
    by: str,
    vcov: MixedVcov = "kenward-roger",
    **asked: Unpack[Asked],
) -> FitGroup[Mixed]: ...


@checked
def mixed(
    formula: str | list[str] | tuple[str, ...],
    data: Any = None,
    design: Any = None,
    cluster: Any = None,
    *,
    by: str | None = None,
    vcov: MixedVcov = "kenward-roger",
    df: DfRule = "default",
    missing: MissingCovariates = "drop",
    level: float = 0.95,
    strata_terms: bool = True,
    synthetic: bool = False,
    keep_data: bool = False,
) -> Any:
    """Fit a linear mixed model with an intercept for every cluster, by restricted maximum likelihood.

    `y = Xb + u + e`, u one draw a cluster. Standard errors and degrees of freedom by Kenward and Roger unless others are asked
    for. Clusters may differ in size.

    Parameters
    ----------
    formula : str, or list of str
        `"score ~ arm + pretest"`. A list of formulas, one an outcome, gives a mapping of fits.
    data : data frame
        pandas, polars (eager or lazy), pyarrow or DuckDB.
    design : Assignment, optional
        The trial: gives the clusters, the order of the arms and the strata, as :func:`ols`.
    cluster : str, or array of ids (n,)
        The unit that was randomised: each has an intercept.
    by : str, optional
        Fit the model separately for each value of this column; gives a mapping.
    vcov : {"kenward-roger", "satterthwaite", "iid", "CR0", "CR1", "CR2", "CR3", "CV3L"}
        Kenward and Roger's covariance and degrees of freedom; the model-based covariance with Satterthwaite's, as lmerTest, or
        with z (`"iid"`); or a sandwich over clusters, which does not rest on the variances.
    df : {"default", "residual"}
        Degrees of freedom: those of the covariance, or n − k.
    missing : {"drop", "indicator", "refuse"}
        As :func:`ols`.
    level : float
        Of the confidence intervals.
    strata_terms : bool
        Whether `design` adds the strata.
    synthetic : bool
        Marks every table and figure as made from synthetic data.
    keep_data : bool
        Whether a pickle of the fit carries the rows.

    Returns
    -------
    Mixed
        Or, with `by` or several formulas, a mapping of fits.

    Raises
    ------
    InputError
        No clusters, fewer than two, clusters of one row each, an outcome that does not vary within clusters; and as
        :func:`ols`.
    RankError
        A column that repeats others, named.

    Examples
    --------
    >>> import crewe as cw
    >>> trial = cw.datasets.achievement_awards()
    >>> fit = cw.mixed(
    ...     "Bagrut_status ~ treated + girl", trial[trial["year"] == 2001], cluster="school_id"
    ... )
    >>> fit.vcov_name, round(fit.icc, 3), round(float(fit.df["treated"]), 1)
    ('kenward-roger', 0.182, 36.9)
    """
    call = {key: value for key, value in locals().items() if key in SHARED}
    return made(Mixed, {}, formula, call, lambda source, left: None)
