"""Models that say how the rows of a cluster hang together: estimating equations and the linear mixed model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar, overload

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crewe import _core
from crewe.exceptions import InputError, fault
from crewe.formula import design as designs
from crewe.formula import parse as parsing
from crewe.formula.design import Design
from crewe.frames.arguments import check_methods, checked
from crewe.frames.choices import AnyVcov, DfRule, GeeVcov, MissingCovariates, MixedVcov
from crewe.frames.source import Source
from crewe.models.families import Logit
from crewe.models.grouped import spread
from crewe.models.groups import FitFamily, FitGroup
from crewe.models.linear import DEFINITIONS, Data, Linear, rows_of_the_data
from crewe.models.request import read
from crewe.tables.wording import carry

if TYPE_CHECKING:
    from typing_extensions import TypedDict, Unpack

    class Asked(TypedDict, total=False):
        """The arguments that the models share, as :func:`mixed` documents them."""

        df: DfRule
        missing: MissingCovariates
        level: float
        strata_terms: bool
        synthetic: bool
        keep_data: bool


Floats = NDArray[np.float64]

_OF_EQUATIONS = {
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
_OF_MIXED_MODELS = {
    "iid": "model-based standard errors, z",
    "kenward-roger": "standard errors and degrees of freedom of Kenward and Roger (1997), t",
    "satterthwaite": "model-based standard errors, t with Satterthwaite degrees of freedom",
    "CV3L": "leave-one-cluster-out jackknife standard errors at the estimated variances, t with G − 1 df",
}


class Clustered(Linear):
    """A fitted model of rows in clusters."""

    _name: ClassVar[str]
    _model: ClassVar[str]

    def _fitted(
        self, y: Floats, name: str, design: _core.DesignMatrix, groups: _core.Clusters
    ) -> _core.ClusteredFit:
        """Let the core fit the model, and keep what it says in `statistics`."""
        raise NotImplementedError

    def _refit(
        self,
        x: Floats,
        y: Floats,
        clusters: pd.Series[Any] | None,
        design: Design | None,
        weights: _core.Weights | None,
    ) -> None:
        intercept = bool(self.terms) and self.terms[0] == "Intercept"
        columns = _core.DesignMatrix(x, self.terms[1:] if intercept else self.terms, intercept)
        groups = _core.Clusters(pd.factorize(clusters)[0].astype(np.uint32))
        core = self._fitted(y, self.formula.partition("~")[0].strip(), columns, groups)
        self.data = Data(x, y, core, groups, design, clusters, weights)

    def vcov(self, kind: AnyVcov, df: DfRule = "default") -> Any:
        """Give the same fit with another covariance, without refitting.

        Parameters
        ----------
        kind : str
            As the function that made the fit documents `vcov`.
        df : {"default", "residual"}
            `"residual"` refers every test to n − k degrees of freedom.
        """
        return super().vcov(kind, df)


Fit = TypeVar("Fit", bound=Clustered)


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
        return _OF_EQUATIONS.get(self.vcov_name, DEFINITIONS.get(self.vcov_name, ""))

    def _margin_methods(self, at: str) -> list[str]:
        return [] if self.family == "gaussian" else Logit._margin_methods(self, at)  # type: ignore[arg-type]


check_methods(GEE)


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
        return _OF_MIXED_MODELS.get(self.vcov_name, DEFINITIONS.get(self.vcov_name, ""))


check_methods(Mixed)


def _made(
    empty: type[Fit],
    own: dict[str, Any],
    formula: Any,
    call: dict[str, Any],
    objection: Callable[[Source, str], Callable[[Any], str] | None],
) -> Any:
    """Fit a model of rows in clusters once, by outcome or by group, as a call asks."""
    level = _core.check_level(call["level"])
    name = empty._name
    if not isinstance(formula, list | tuple):
        parsing.need_text(formula)

    def one(text: str, part: Any, ids: Any) -> Fit:
        left, right = parsing.parse(text)
        parsing.refuse_outcome_right(left, right)
        asked = read(
            part,
            right,
            design=call["design"],
            cluster=ids,
            missing=call["missing"],
            rules=("drop", "indicator", "refuse"),
            strata_terms=call["strata_terms"],
            objection=lambda source: objection(source, left),
        )
        made = asked.model(parsing.variables(left))
        built = made.design
        if made.codes is None:
            raise fault(
                InputError,
                f"{name} needs to know the clusters",
                remedy="Name the unit that was randomised, as cluster='family_id', or pass design=",
            )
        y = designs.left_values(left, built.columns)
        groups = _core.Clusters(made.codes)
        fit = empty(
            model=empty._model,
            formula=f"{left} ~ {asked.right}",
            terms=["Intercept", *built.names] if built.intercept else list(built.names),
            n=len(y),
            clusters=groups.count,
            cluster_name=made.cluster_name,
            level=level,
            df_residual=float(len(y) - len(built.names) - int(built.intercept)),
            statistics={},
            base_notes=made.notes,
            synthetic=call["synthetic"] or asked.synthetic,
            keep_data=call["keep_data"],
            implementation=asked.source._implementation,
            data=None,
            by_kind=made.by_kind,
            aside=made.aside(groups.count),
            strata_terms=made.strata_terms,
            mark=asked.mark,
            arm=asked.arm,
            **own,
        )
        with rows_of_the_data(built.rows):
            columns = _core.DesignMatrix(built.x, built.names, built.intercept)
            core = fit._fitted(y, left, columns, groups)
            fit.data = Data(built.x, y, core, groups, built, made.labels)
            found: Fit = fit.vcov(call["vcov"], call["df"])
        return carry(found, asked.words)

    return spread(name, formula, call["data"], call["by"], call["cluster"], call["missing"], one)


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
    call = {key: value for key, value in locals().items() if key in _SHARED}
    if vcov is None:
        call["vcov"] = "KC" if family == "binomial" else "MD"
    return _made(
        GEE,
        {"family": family, "corstr": corstr, "divisor": divisor},
        formula,
        call,
        Logit._objection if family == "binomial" else lambda source, left: None,
    )


_SHARED = frozenset(
    [
        "data",
        "design",
        "cluster",
        "by",
        "vcov",
        "df",
        "missing",
        "level",
        "strata_terms",
        "synthetic",
        "keep_data",
    ]
)


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
    call = {key: value for key, value in locals().items() if key in _SHARED}
    return _made(Mixed, {}, formula, call, lambda source, left: None)
