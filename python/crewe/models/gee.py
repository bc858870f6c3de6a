"""Generalised estimating equations: a working correlation of the rows of a cluster, and corrected sandwiches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from crewe import _core
from crewe.exceptions import InputError, fault
from crewe.frames.arguments import check_methods, checked
from crewe.frames.choices import DfRule, GeeVcov, MissingCovariates
from crewe.models.clustered import SHARED, Clustered, made
from crewe.models.families import Logit
from crewe.models.groups import FitFamily, FitGroup
from crewe.models.linear import DEFINITIONS

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from crewe.models.clustered import Asked

Floats = NDArray[np.float64]

_DEFINITIONS = {
    "iid": "model-based standard errors, which rest on the working correlation, z",
    "CR0": "the sandwich of Liang and Zeger (1986), t with G − k df",
    "CR1": "the sandwich of Liang and Zeger (1986) times G/(G − 1), t with G − k df",
    "CR1S": "the sandwich of Liang and Zeger (1986) times G/(G − 1) · (n − 1)/(n − k), t with G − k df",
    "CR2": "the sandwich corrected by the root of I − H (Kauermann and Carroll 2001), t with Satterthwaite "
    "degrees of freedom",
    "CR3": "the sandwich corrected by I − H (Mancl and DeRouen 2001), t with G − k df",
    "KC": "the sandwich corrected by the principal root of I − H (KC, Kauermann and Carroll 2001), t with "
    "G − k df",
    "MD": "the sandwich corrected by I − H (MD, Mancl and DeRouen 2001), t with G − k df",
    "FG": "the sandwich corrected coefficient by coefficient (FG, Fay and Graubard 2001, bound 0.75), t with "
    "G − k df",
    "MBN": "the sandwich with an additive correction (MBN, Morel, Bokossa and Neerchal 2003), t with "
    "G − k df",
    "CV3L": "leave-one-cluster-out jackknife standard errors in one step, t with G − k df",
}


@dataclass(repr=False)
class GEE(Clustered):
    """Solved generalised estimating equations; made by :func:`gee`.

    `statistics` holds the working correlation and the dispersion. Coefficients of a binomial outcome are log odds ratios,
    averaged over the population.

    Attributes
    ----------
    family : {"gaussian", "binomial"}
        The distribution of the outcome.
    corstr : {"exchangeable", "independence"}
        The working correlation.
    divisor : {"n", "n-p"}
        What correlation and dispersion are divided by.
    single : bool
        Whether no cluster has two rows.
    impossible : float or None
        The correlation that came out although clusters of their size cannot have it, so that the equations were solved under
        independence.
    """

    family: str = "gaussian"
    corstr: str = "exchangeable"
    divisor: str = "n"
    single: bool = False
    impossible: float | None = None

    _name = "gee"
    _model = "GEE"

    def _fitted(
        self, y: Floats, name: str, design: _core.DesignMatrix, groups: _core.Clusters
    ) -> _core.ClusteredFit:
        how = (self.family, self.corstr, self.divisor)
        fit = _core.gee_fit(y, name, design, groups, how, self.aside)
        alone = self.corstr == "independence"
        working = {} if alone else {"working_correlation": fit.alpha}
        self.statistics = {**working, "dispersion": fit.scale}
        self.single, self.impossible = fit.single, fit.impossible
        return fit

    @property
    def notes(self) -> list[str]:
        """What a reader of the result must know."""
        told = super().notes
        if self.impossible is not None:
            told = [
                *told,
                f"the correlation within clusters came out as {self.impossible:.3f}, which clusters of their size cannot "
                "have: the equations were solved under the working correlation 'independence', and the sandwich is as "
                "robust",
            ]
        if not self.single or self.corstr == "independence":
            return told
        return [*told, "every cluster has one row, so no correlation was estimated"]

    def _simulated(self) -> str:
        if self.corstr != "exchangeable":
            return ""
        return "logit GEE" if self.family == "binomial" else "GEE"

    @property
    def working_correlation(self) -> float:
        """The estimated correlation of two rows of a cluster; 0 under independence."""
        return self.statistics.get("working_correlation", 0.0)

    def tidy(self, level: float | None = None, exponentiate: bool = False) -> Any:
        """Give the coefficients as a frame of the kind that the data came in.

        Columns: `term, estimate, std_error, statistic, df, p_value, conf_low, conf_high`.

        Parameters
        ----------
        level : float, optional
            Of the intervals.
        exponentiate : bool
            Gives odds ratios of a binomial outcome: `estimate`, `conf_low` and `conf_high` are exponentiated.
        """
        if exponentiate and self.family != "binomial":
            raise fault(
                InputError,
                "coefficients of a gaussian outcome are no logarithms",
                remedy="Leave exponentiate out",
            )
        return self._tidied(level, exponentiate)

    def methods(self) -> list[str]:
        """Say in plain sentences what was done, for the methods section of a report."""
        head, *rest = super().methods()
        link = "logit" if self.family == "binomial" else "identity"
        how = (
            f"Generalised estimating equations (Liang and Zeger 1986), {self.family} family with the {link} link, "
            f"{self.corstr} working correlation"
        )
        if self.impossible is not None:
            how += (
                f", replaced by independence since the correlation came out as {self.impossible:.3f}, which clusters of "
                "their size cannot have"
            )
        elif self.corstr == "exchangeable":
            how += f" estimated as {self.working_correlation:.3f}"
        return [head, f"{how}.", *rest]

    def _definition(self) -> str:
        return _DEFINITIONS.get(self.vcov_name, DEFINITIONS.get(self.vcov_name, ""))

    def _margin_methods(self, at: str) -> list[str]:
        return [] if self.family == "gaussian" else Logit._margin_methods(self, at)  # type: ignore[arg-type]


check_methods(GEE)


@overload
def gee(
    formula: list[str] | tuple[str, ...],
    data: Any = None,
    design: Any = None,
    cluster: Any = None,
    *,
    by: None = None,
    family: Literal["gaussian", "binomial"] = "gaussian",
    corstr: Literal["exchangeable", "independence"] = "exchangeable",
    divisor: Literal["n", "n-p"] = "n",
    vcov: GeeVcov | None = None,
    **asked: Unpack[Asked],
) -> FitFamily[GEE]: ...


@overload
def gee(
    formula: str,
    data: Any = None,
    design: Any = None,
    cluster: Any = None,
    *,
    by: None = None,
    family: Literal["gaussian", "binomial"] = "gaussian",
    corstr: Literal["exchangeable", "independence"] = "exchangeable",
    divisor: Literal["n", "n-p"] = "n",
    vcov: GeeVcov | None = None,
    **asked: Unpack[Asked],
) -> GEE: ...


@overload
def gee(
    formula: str,
    data: Any = None,
    design: Any = None,
    cluster: Any = None,
    *,
    by: str,
    family: Literal["gaussian", "binomial"] = "gaussian",
    corstr: Literal["exchangeable", "independence"] = "exchangeable",
    divisor: Literal["n", "n-p"] = "n",
    vcov: GeeVcov | None = None,
    **asked: Unpack[Asked],
) -> FitGroup[GEE]: ...


@checked
def gee(
    formula: str | list[str] | tuple[str, ...],
    data: Any = None,
    design: Any = None,
    cluster: Any = None,
    *,
    by: str | None = None,
    family: Literal["gaussian", "binomial"] = "gaussian",
    corstr: Literal["exchangeable", "independence"] = "exchangeable",
    divisor: Literal["n", "n-p"] = "n",
    vcov: GeeVcov | None = None,
    df: DfRule = "default",
    missing: MissingCovariates = "drop",
    level: float = 0.95,
    strata_terms: bool = True,
    synthetic: bool = False,
    keep_data: bool = False,
) -> Any:
    """Solve generalised estimating equations, with corrections for few clusters.

    `Σ D′V⁻¹(y − μ) = 0` over clusters, `V = φ A½ R(α) A½` (Liang and Zeger 1986). The effect is averaged over the
    population; with an exchangeable correlation rows of large clusters count for less than under least squares or a logit.

    Parameters
    ----------
    formula : str, or list of str
        `"closed ~ arm + history"`. A list of formulas, one an outcome, gives a mapping of fits.
    data : data frame
        pandas, polars (eager or lazy), pyarrow or DuckDB.
    design : Assignment, optional
        The trial: gives the clusters, the order of the arms and the strata, as :func:`ols`; with a binomial outcome strata
        are added as :func:`logit` adds them.
    cluster : str, or array of ids (n,)
        The unit that was randomised.
    by : str, optional
        Fit the model separately for each value of this column; gives a mapping.
    family : {"gaussian", "binomial"}
        A number with the identity link, or 0 and 1 with the logit.
    corstr : {"exchangeable", "independence"}
        The working correlation within clusters: one for every pair, or none. Where the one comes out as clusters of their
        size cannot have it (such as −0.3 in families of nine), none is taken, and a note says so.
    divisor : {"n", "n-p"}
        What the moments of correlation and dispersion are divided by: rows and pairs (as geepack and Stata), or these less
        the number of coefficients (as SAS and R's gee).
    vcov : {"KC", "MD", "FG", "MBN", "CR0", "CR1", "CR2", "iid", ...}, optional
        `"CR0"` is the sandwich of Liang and Zeger, `"iid"` the model-based covariance; KC, MD, FG and MBN correct the
        sandwich for few clusters. Default: MD for a gaussian outcome and KC for a binomial one, which simulations of few
        families found to hold (`docs/evidence/few.md`). All but `"iid"` (z) and `"CR2"` (Satterthwaite) refer to t with G − k.
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
    GEE
        Or, with `by` or several formulas, a mapping of fits.

    Raises
    ------
    InputError
        No clusters, no more of them than coefficients, and as :func:`ols` and :func:`logit`.
    RankError, SeparationError
        As :func:`logit`.
    ConvergenceError
        Where the iteration does not settle.

    Examples
    --------
    >>> import crewe as cw
    >>> trial = cw.datasets.achievement_awards()
    >>> fit = cw.gee(
    ...     "Bagrut_status ~ treated + girl",
    ...     trial[trial["year"] == 2001],
    ...     cluster="school_id",
    ...     family="binomial",
    ... )
    >>> fit.vcov_name, round(fit.working_correlation, 3), float(fit.df["treated"])
    ('KC', 0.086, 36.0)
    """
    call = {key: value for key, value in locals().items() if key in SHARED}
    if vcov is None:
        call["vcov"] = "KC" if family == "binomial" else "MD"
    return made(
        GEE,
        {"family": family, "corstr": corstr, "divisor": divisor},
        formula,
        call,
        Logit._objection if family == "binomial" else lambda source, left: None,
    )
