"""Linear and logistic regression of an outcome."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict, TypeVar, cast, overload

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crewe import _core
from crewe.exceptions import InputError, fault
from crewe.formula import design as designs
from crewe.formula import parse as parsing
from crewe.formula.design import Design
from crewe.frames.arguments import checked
from crewe.frames.choices import AnyVcov, DfRule, LinearVcov, MissingCovariates
from crewe.frames.source import Source, aligned, index_of, numbers
from crewe.frames.synthetic import marked
from crewe.models.grouped import spread
from crewe.models.groups import FitFamily, FitGroup, several_formulas
from crewe.models.linear import (
    Data,
    Linear,
    array_clusters,
    design_needs_a_formula,
    rows_of_the_data,
)
from crewe.models.request import read
from crewe.models.weights import Weights, left_out_note
from crewe.tables.wording import carry

if TYPE_CHECKING:
    from typing_extensions import Unpack

Floats = NDArray[np.float64]

_SMALLEST = 1e-145
"""Squares of residuals below this one's lose digits."""


class Regression(Linear):
    """A regression that the core fits from an outcome and a design."""

    _name: ClassVar[str]

    @classmethod
    def _fitted(
        cls, y: Floats, y_name: str, design: _core.DesignMatrix, weights: _core.Weights | None
    ) -> tuple[_core.Fit, dict[str, float]]:
        """Let the core fit the model; gives the fit and what `statistics` says of it."""
        raise NotImplementedError

    def _refit(
        self,
        x: Floats,
        y: Floats,
        clusters: pd.Series[Any] | None,
        design: Design | None,
        weights: _core.Weights | None,
    ) -> None:
        outcome = self.formula.partition("~")[0].strip()
        intercept = bool(self.terms) and self.terms[0] == "Intercept"
        names = self.terms[1:] if intercept else self.terms
        core, _ = self._fitted(y, outcome, _core.DesignMatrix(x, names, intercept), weights)
        groups = None
        if clusters is not None:
            groups = _core.Clusters(pd.factorize(clusters)[0].astype(np.uint32))
        self.data = Data(x, y, core, groups, design, clusters, weights)

    @classmethod
    def _kind(cls, asked: str | None, groups: Any) -> str:
        """Give the covariance that was asked for, whatever the word, or the default."""
        return ("HC2" if groups is None else "CR2") if asked is None else asked

    @classmethod
    def _objection(cls, source: Source, left: str) -> Callable[[Any], str] | None:
        """Give what says why terms of the strata would harm this model; None where they never do."""
        return None


Fitted = TypeVar("Fitted", bound=Regression)


class OLS(Regression):
    """A fitted ordinary least squares regression; made by :func:`ols`."""

    _name = "OLS"

    def _simulated(self) -> str:
        return "OLS"

    @classmethod
    def _fitted(
        cls, y: Floats, y_name: str, design: _core.DesignMatrix, weights: _core.Weights | None
    ) -> tuple[_core.Fit, dict[str, float]]:
        fit = _core.ols_fit(y, y_name, design, weights)
        return fit, {
            "r_squared": fit.r_squared,
            "adj_r_squared": fit.adj_r_squared,
            "sigma": fit.sigma,
        }


@dataclass(frozen=True)
class _Options:
    """The arguments that the models share, as :func:`ols` documents them."""

    design: Any
    cluster: Any
    vcov: str | None
    weights: Weights | None
    df: str
    missing: str
    level: float
    intercept: bool
    strata_terms: bool
    names: Sequence[str] | None
    synthetic: bool
    keep_data: bool


class Asked(TypedDict, total=False):
    """The arguments that all models share, as :func:`ols` documents them."""

    df: DfRule
    missing: MissingCovariates
    level: float
    intercept: bool
    strata_terms: bool
    names: Sequence[str] | None
    synthetic: bool
    keep_data: bool


@overload
def ols(
    formula: list[str] | tuple[str, ...],
    data: Any = None,
    design: Any = None,
    cluster: Any = None,
    vcov: LinearVcov | None = None,
    *,
    by: None = None,
    weights: Any = None,
    **asked: Unpack[Asked],
) -> FitFamily[OLS]: ...


@overload
def ols(
    formula: Any,
    data: Any = None,
    design: Any = None,
    cluster: Any = None,
    vcov: LinearVcov | None = None,
    *,
    by: None = None,
    weights: Any = None,
    **asked: Unpack[Asked],
) -> OLS: ...


@overload
def ols(
    formula: Any,
    data: Any = None,
    design: Any = None,
    cluster: Any = None,
    vcov: LinearVcov | None = None,
    *,
    by: str,
    weights: Any = None,
    **asked: Unpack[Asked],
) -> FitGroup[OLS]: ...


@checked
def ols(
    formula: Any,
    data: Any = None,
    design: Any = None,
    cluster: Any = None,
    vcov: LinearVcov | None = None,
    *,
    by: str | None = None,
    weights: Any = None,
    df: DfRule = "default",
    missing: MissingCovariates = "drop",
    level: float = 0.95,
    intercept: bool = True,
    strata_terms: bool = True,
    names: Sequence[str] | None = None,
    synthetic: bool = False,
    keep_data: bool = False,
) -> OLS | FitGroup[OLS]:
    """Fit a linear model by ordinary least squares.

    Parameters
    ----------
    formula : str, list of str, or array (n,)
        `"closed ~ arm + history"`, or the outcome as an array, with X in `data`. A list of formulas, one an outcome,
        gives a mapping of fits with `.tidy()` and `.adjust("holm")`.
    data : data frame, or array (n, p)
        pandas, polars (eager or lazy), pyarrow or DuckDB; or the columns of X without an intercept.
    design : Assignment, optional
        The trial: gives the clusters, the order of the arms and the strata, which are added as `C(stratum)` unless
        the formula spans them already. Rows whose arm or stratum disagrees with the one drawn are refused.
    cluster : str, or array of ids (n,)
        The unit that was randomised. With `design`, its unit wherever a unit has several rows: coarser clusters are
        taken, clusters that split a unit are refused.
    vcov : str, optional
        `"iid"`, `"HC0"` to `"HC3"`, `"CR0"`, `"CR1"`, `"CR1S"`, `"CR2"`, `"CR3"`, `"CV3"` (which `"jackknife"` names
        too: the model fitted again without each cluster), `"CV3L"` (the same to first order; for a linear model the same
        number), `"hansen"` (Hansen's jackknife with its scale and degrees of freedom: never too small, also of a
        coefficient that one cluster alone informs). Default: CR2 with clusters, HC2 without.
    by : str, optional
        Fit the model separately for each value of this column; gives a mapping of fits.
    weights : str, cw.Analytic, or array (n,), optional
        A column of probability weights (a row stands for so many of a population; only their ratios matter), or
        analytic ones (the variance of a row is in inverse proportion). A row with weight 0 takes no part and is counted
        in the notes. CR2 under probability weights takes the working covariance that does not know them, as
        clubSandwich's `lm`. Weights that count repeated rows are not taken: repeat the rows.
    df : {"default", "residual"}
        Degrees of freedom: those of the covariance, or n − k.
    missing : {"drop", "indicator", "refuse"}
        Rows with a missing covariate are dropped and counted, or filled with the mean beside an indicator, or refused.
    level : float
        Of the confidence intervals.
    intercept : bool
        With arrays: whether to add one.
    strata_terms : bool
        Whether `design` adds the strata.
    names : sequence of str, optional
        With arrays: the names of the columns of X.
    synthetic : bool
        Marks every table and figure as made from synthetic data.
    keep_data : bool
        Whether a pickle of the fit carries the rows.

    Returns
    -------
    OLS
        Or, with `by`, a mapping from each value to its fit.

    Raises
    ------
    InputError
        A missing or infinite value, an unknown column, an empty frame, ids that are missing, clusters that are too
        few; the message names the column and the rows.
    RankError
        A column that repeats others, named.

    Examples
    --------
    >>> import crewe as cw
    >>> trial = cw.datasets.achievement_awards()
    >>> fit = cw.ols(
    ...     "Bagrut_status ~ treated + girl + siblings",
    ...     trial[trial["year"] == 2001],
    ...     cluster="school_id",
    ... )
    >>> fit.vcov_name, fit.clusters
    ('CR2', 39)
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
    return _fit(OLS, formula, data, by, options)


def _fit(
    kind: type[Fitted], formula: Any, data: Any, by: str | None, options: _Options
) -> Fitted | FitGroup[Fitted]:
    """Fit a model from a formula or arrays, in each group of `by` where that is asked for."""
    options = replace(options, level=_core.check_level(options.level))
    if not isinstance(formula, str) and not isinstance(data, str) and not several_formulas(formula):
        return _from_arrays(kind, formula, data, options)
    made: Fitted | FitGroup[Fitted] = spread(
        kind._name.split()[0].lower(),
        formula,
        data,
        by,
        options.cluster,
        options.missing,
        lambda one, part, cluster: _from_formula(
            kind, one, part, replace(options, cluster=cluster)
        ),
    )
    return made


def _from_formula(kind: type[Fitted], formula: str, data: Any, options: _Options) -> Fitted:
    left, right = parsing.parse(formula)
    parsing.refuse_outcome_right(left, right)
    asked = read(
        data,
        right,
        design=options.design,
        cluster=options.cluster,
        weights=options.weights,
        missing=options.missing,
        rules=("drop", "indicator", "refuse"),
        strata_terms=options.strata_terms,
        objection=lambda source: kind._objection(source, left),
    )
    made = asked.model(parsing.variables(left))
    built, weights = made.design, options.weights
    y = designs.left_values(left, built.columns)
    _refuse_tiny(y, left)
    with rows_of_the_data(built.rows):
        columns = _core.DesignMatrix(built.x, built.names, built.intercept)
        core, statistics = kind._fitted(y, left, columns, made.weighted)
    groups = None if made.codes is None else _core.Clusters(made.codes)
    fit = kind(
        model=kind._name,
        formula=f"{left} ~ {asked.right}",
        terms=core.terms,
        n=core.n,
        clusters=None if groups is None else groups.count,
        cluster_name=made.cluster_name,
        level=options.level,
        df_residual=core.df_residual,
        statistics=statistics,
        base_notes=made.notes,
        synthetic=options.synthetic or asked.synthetic,
        keep_data=options.keep_data,
        implementation=asked.source._implementation,
        data=Data(built.x, y, core, groups, built, made.labels, made.weighted),
        by_kind=made.by_kind,
        aside=made.aside(len(y) if groups is None else groups.count),
        weighted=""
        if weights is None
        else f"{weights.kind.capitalize()} weights: {weights.column}",
        strata_terms=made.strata_terms,
        mark=asked.mark,
        arm=asked.arm,
    )
    with rows_of_the_data(built.rows):
        fitted: Fitted = fit.vcov(
            cast(AnyVcov, kind._kind(options.vcov, groups)), cast(DfRule, options.df)
        )
    return carry(fitted, asked.words)


def _refuse_tiny(y: Floats, name: str) -> None:
    largest = float(np.abs(y).max(initial=0.0)) if np.isfinite(y).all() else 1.0
    if 0.0 < largest < _SMALLEST:
        raise fault(
            InputError,
            "the squares of the values are too small for the numbers of a computer",
            column=name,
            remedy="Rescale the column, for instance to thousandths",
        )


def _from_arrays(kind: type[Fitted], y: Any, x: Any, options: _Options) -> Fitted:
    names, intercept, cluster = options.names, options.intercept, options.cluster
    if options.design is not None:
        raise design_needs_a_formula()
    outcome = np.ascontiguousarray(numbers(y, "y"))
    if outcome.ndim != 1:
        raise fault(InputError, f"y has {outcome.ndim} dimensions", remedy="Pass one column")
    if x is None:
        x = np.empty((len(outcome), 0))
    if names is None and hasattr(x, "columns"):
        names = [str(name) for name in x.columns]
    index = index_of(y, x)
    columns = numbers(aligned(x, index, "X"), "X")
    columns = columns[:, None] if columns.ndim == 1 else columns
    if columns.ndim != 2:
        raise fault(InputError, f"X has {columns.ndim} dimensions", remedy="Pass a matrix (n, p)")
    labels = list(names) if names is not None else [f"x{j + 1}" for j in range(columns.shape[1])]
    weights, weighted = options.weights, None
    notes: list[str] = []
    if weights is not None:
        values = weights.values(len(outcome), index)
        notes += left_out_note(values == 0.0, "weights")
        weighted = _core.Weights(values, weights.kind)
    _refuse_tiny(outcome, "y")
    matrix = _core.DesignMatrix(columns, labels, intercept)
    core, statistics = kind._fitted(outcome, "y", matrix, weighted)
    groups = ids = None
    if cluster is not None:
        codes, ids = array_clusters(cluster, len(outcome), index)
        groups = _core.Clusters(codes)
    fit = kind(
        model=kind._name,
        formula="y ~ " + (" + ".join(labels) if labels else "1") + ("" if intercept else " - 1"),
        terms=core.terms,
        n=core.n,
        clusters=None if groups is None else groups.count,
        cluster_name="cluster" if groups is not None else None,
        level=options.level,
        df_residual=core.df_residual,
        statistics=statistics,
        base_notes=notes,
        synthetic=options.synthetic or marked(y) or marked(x),
        keep_data=options.keep_data,
        implementation=None,
        data=Data(columns, outcome, core, groups, None, ids, weighted),
        weighted="" if weights is None else f"{weights.kind.capitalize()} weights",
    )
    fitted: Fitted = fit.vcov(
        cast(AnyVcov, kind._kind(options.vcov, groups)), cast(DfRule, options.df)
    )
    return fitted
