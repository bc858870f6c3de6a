"""Cluster-level analysis: one number a cluster, compared between arms as a t-test does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crewe import _core
from crewe.exceptions import InputError, fault
from crewe.formula import design as designs
from crewe.formula import parse as parsing
from crewe.formula.design import Design
from crewe.formula.names import quoted
from crewe.formula.plan import Term
from crewe.frames.arguments import check_methods, checked
from crewe.frames.choices import MissingCovariates, RowwiseVcov
from crewe.models.arm import clusters_by_arm
from crewe.models.estimates import columns_of
from crewe.models.grouped import spread
from crewe.models.groups import FitFamily, FitGroup
from crewe.models.linear import ROWWISE, Data, Linear, rows_of_the_data
from crewe.models.margins import rows_at_means
from crewe.models.request import Request, read
from crewe.models.rows import ModelRows
from crewe.models.trial import refuse_too_few
from crewe.tables.wording import carry

if TYPE_CHECKING:
    from typing_extensions import TypedDict, Unpack

    from crewe.models.diagnostics import ClusterDiagnostics

    class Asked(TypedDict, total=False):
        """The arguments that :func:`cluster_level` documents."""

        vcov: RowwiseVcov | None
        weight: Literal["clusters", "participants"]
        missing: MissingCovariates
        level: float
        strata_terms: bool
        synthetic: bool
        keep_data: bool


Floats = NDArray[np.float64]

_DEFINITIONS = {
    "iid": "pooled variance of the clusters' values, t with G − k degrees of freedom (Hayes and "
    "Moulton 2017)",
    "HC0": "heteroskedasticity-robust standard errors over clusters (HC0), t with G − k df",
    "HC1": "heteroskedasticity-robust standard errors over clusters (HC1), t with G − k df",
    "HC2": "heteroskedasticity-robust standard errors over clusters (HC2), t with Bell-McCaffrey degrees "
    "of freedom",
    "HC3": "heteroskedasticity-robust standard errors over clusters (HC3), t with G − k df",
}
_WEIGHTED = {
    "HC2": "heteroskedasticity-robust standard errors over clusters (HC2), t with G − k df",
}


_PENALISED = "covariates predict the outcome perfectly in some rows: the regression of the first stage took Firth's penalty"


@dataclass
class Means:
    """What each cluster comes to; G clusters.

    Attributes
    ----------
    labels : Series
        What the clusters are called.
    sizes, observed, expected : array (G,)
        Rows, mean outcome, and the mean that the first stage expects of their covariates.
    ratios : array (G,) or None
        Observed over expected, of a yes-or-no outcome.
    """

    labels: pd.Series[Any]
    sizes: Floats
    observed: Floats
    expected: Floats
    ratios: Floats | None


@dataclass(repr=False)
class ClusterLevel(Linear):
    """A cluster-level analysis; made by :func:`cluster_level`.

    Its coefficients are those of least squares over clusters: the arm's is the difference of the arms' means of clusters'
    values. `statistics` holds their residual standard deviation.

    Attributes
    ----------
    n, clusters : int
        Rows, and the clusters that stand for them.
    stages : int
        2 where covariates were taken out of rows first, else 1.
    weight : str
        What counts alike: `"clusters"` or `"participants"`.
    """

    stages: int = 1
    weight: str = "clusters"
    _means: Means | None = field(default=None, repr=False)

    def _named(self, data: Data, kind: str, residual: bool) -> _core.Covariance:
        if kind.upper() not in [name.upper() for name in ROWWISE]:
            raise fault(
                InputError,
                f"vcov='{kind}' takes the rows of clusters, and here each cluster is one value",
                remedy=f"Choose one of {', '.join(ROWWISE)}, or fit the rows with cw.ols",
            )
        return super()._named(data, kind, residual)

    def _of_few_clusters(self, data: Data, procedure: str = "") -> list[str]:
        if self.weight != "clusters" or self._means is None:
            return []
        means, count = self._means, len(data.y)
        _, arms = clusters_by_arm(
            data.design, _core.Clusters(np.arange(count, dtype=np.uint32)), self.arm
        )
        # Only how often the outcome occurs matters, and how many rows there are.
        y = np.resize(means.observed, self.n)
        if means.ratios is not None:
            events = round(float(means.observed @ means.sizes))
            y = np.repeat([0.0, 1.0], [self.n - events, events])
        said = _core.few_clusters("cluster means", self.vcov_name, list(arms.values()), y)
        return [] if said is None else [said]

    def diagnostics(self, terms: Sequence[str] | None = None) -> ClusterDiagnostics:
        """Refuse: each cluster is one value here, which `cluster_means()` shows; ask a fit to rows."""
        raise fault(
            InputError,
            "each cluster is one value here",
            remedy="cluster_means() shows them; diagnostics are those of a fit to rows, such as cw.ols",
        )

    def _definition(self) -> str:
        own = _WEIGHTED if self.weight == "participants" else {}
        return own.get(self.vcov_name, _DEFINITIONS[self.vcov_name])

    def methods(self) -> list[str]:
        """Say in plain sentences what was done, for the methods section of a report."""
        first = (
            "The means of clusters were compared."
            if self.stages == 1
            else "Two stages: a regression of rows on their covariates, without the arm, then the mean residuals of "
            "clusters were compared (Hayes and Moulton 2017)."
        )
        alike = (
            "Every cluster counts the same."
            if self.weight == "clusters"
            else "Clusters count by their numbers of rows, so that every participant counts the same."
        )
        head, *rest = super().methods()
        return [head, first, alike, *rest]

    def cluster_means(self) -> Any:
        """Give what each cluster comes to: `cluster, size, observed, expected`.

        `expected` is the mean that the first stage expects of the covariates of its rows; without covariates that of all rows.
        """
        means = self._has_means()
        return self._build(
            {
                "cluster": means.labels.to_numpy(),
                "size": means.sizes,
                "observed": means.observed,
                "expected": means.expected,
            }
        )

    def ratio(self, level: float | None = None) -> Any:
        """Compare the arms by the ratio of their means, of a yes-or-no outcome a risk ratio.

        Of each cluster the observed share over the expected one is taken (Hayes and Moulton's ratio-residual; without
        covariates the share itself), and the means of the arms are compared on the log scale by the delta method, with the
        degrees of freedom of the difference.

        Returns
        -------
        frame
            As `tidy()`, one row an arm: `estimate` and limits are ratios; `std_error`, `statistic` and `p_value` those of
            the logarithm.

        Raises
        ------
        InputError
            For an outcome that is not yes or no, or an arm in which nobody has it: no ratio is defined.
        """
        data, means = self._needs_data(), self._has_means()
        if means.ratios is None:
            raise fault(
                InputError,
                "a ratio is defined for a yes-or-no outcome",
                remedy="Read the difference in tidy(), or code the outcome as 0 and 1",
            )
        design = data.design
        assert design is not None, "a cluster-level analysis comes from a formula"
        columns = _core.DesignMatrix(data.x, design.names, True)
        core = _core.ols_fit(means.ratios, "ratio", columns, data.weights)
        levels = design.columns[self.arm]
        values: list[Any] = (
            list(levels.levels)
            if levels.levels is not None
            else [float(value) for value in np.unique(levels.values)]
        )
        for place, value in enumerate(values):
            if not means.ratios[levels.values == (place if levels.levels else value)].any():
                raise fault(
                    InputError,
                    f"nobody in arm '{value}' has the outcome, so no ratio is above 0",
                    column=self.arm,
                    remedy="Read the difference in tidy()",
                )
        observed = None if data.weights is None else data.weights.values
        found = core.covariance(
            self.vcov_name, None, self.df_rule == "residual", self.aside
        ).margins(
            rows_at_means(design, [{self.arm: value} for value in values], observed),
            observed,
            [[i, 0] for i in range(1, len(values))],
            "ratio",
            self._level(level),
        )
        table = columns_of(found.comparisons)
        for key in ("estimate", "conf_low", "conf_high"):
            table[key] = np.exp(table[key])
        made = [names for term, names in design.made_of({self.arm}).items() if term]
        return self._build({"term": made[0], **table})

    def _has_means(self) -> Means:
        if self._means is None:
            self._needs_data()
        assert self._means is not None, "a fit that has its data has the means of its clusters"
        return self._means

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        state["_means"] = self._means if self.keep_data else None
        return state

    def _refit(
        self,
        x: Floats,
        y: Floats,
        clusters: pd.Series[Any] | None,
        design: Design | None,
        weights: _core.Weights | None,
    ) -> None:
        core = _core.ols_fit(
            y, self.formula.partition("~")[0].strip(), _matrix(x, self.terms), weights
        )
        self.data = Data(x, y, core, None, design, clusters, weights)


check_methods(ClusterLevel)


def _matrix(x: Floats, terms: Sequence[str]) -> _core.DesignMatrix:
    return _core.DesignMatrix(x, list(terms[1:]), True)


@overload
def cluster_level(
    formula: list[str] | tuple[str, ...],
    data: Any = None,
    design: Any = None,
    cluster: Any = None,
    *,
    by: None = None,
    **asked: Unpack[Asked],
) -> FitFamily[ClusterLevel]: ...


@overload
def cluster_level(
    formula: str,
    data: Any = None,
    design: Any = None,
    cluster: Any = None,
    *,
    by: None = None,
    **asked: Unpack[Asked],
) -> ClusterLevel: ...


@overload
def cluster_level(
    formula: str,
    data: Any = None,
    design: Any = None,
    cluster: Any = None,
    *,
    by: str,
    **asked: Unpack[Asked],
) -> FitGroup[ClusterLevel]: ...


@checked
def cluster_level(
    formula: str | list[str] | tuple[str, ...],
    data: Any = None,
    design: Any = None,
    cluster: Any = None,
    *,
    by: str | None = None,
    vcov: RowwiseVcov | None = None,
    weight: Literal["clusters", "participants"] = "clusters",
    missing: MissingCovariates = "drop",
    level: float = 0.95,
    strata_terms: bool = True,
    synthetic: bool = False,
    keep_data: bool = False,
) -> Any:
    """Compare arms by one value a cluster, which holds its size with few clusters.

    Without covariates that vary within clusters the value is the cluster's mean. With them it is the mean residual of a
    regression of rows on all covariates without the arm, logistic for an outcome of 0 and 1 (two stages; Hayes and Moulton
    2017, chapter 11; with Firth's penalty where they separate it, and a note), with the mean of all rows added. The values are compared by least squares over clusters on the arm,
    the strata of the trial and the covariates that are the same throughout a cluster: t with G less their number.

    Parameters
    ----------
    formula : str, or list of str
        `"score ~ arm + pretest"`; without a trial the first variable on the right is the arm. A list of formulas, one an
        outcome, gives a mapping of fits.
    data : data frame
        pandas, polars (eager or lazy), pyarrow or DuckDB.
    design : Assignment, optional
        The trial: gives the clusters, the arm and its order, and the strata, which are added as terms.
    cluster : str, or array of ids (n,)
        The unit that was randomised.
    by : str, optional
        Analyse separately for each value of this column; gives a mapping.
    vcov : {"iid", "HC0", "HC1", "HC2", "HC3"}, optional
        Over clusters. Default: the pooled variance of the t-test (`"iid"`) where clusters count the same, HC2 where
        participants do, since the pooled variance is then too small by the spread of sizes.
    weight : {"clusters", "participants"}
        What counts the same: each cluster (the cluster-average effect), or each participant (clusters weighted by their
        numbers of rows).
    missing : {"drop", "indicator", "refuse"}
        As :func:`ols`.
    level : float
        Of the confidence intervals.
    strata_terms : bool
        Whether `design` adds the strata.
    synthetic : bool
        Marks every table and figure as made from synthetic data.
    keep_data : bool
        Whether a pickle of the fit carries its values.

    Returns
    -------
    ClusterLevel
        With `tidy()` for the difference and `ratio()` for a yes-or-no outcome.

    Raises
    ------
    InputError
        No clusters, an arm that varies within a cluster or stands in other terms, no intercept.
    DesignError
        An arm with fewer than two clusters.
    RankError
        As :func:`ols`, of the first stage.

    Examples
    --------
    >>> import crewe as cw
    >>> trial = cw.datasets.achievement_awards()
    >>> fit = cw.cluster_level(
    ...     "Bagrut_status ~ treated + girl + siblings",
    ...     trial[trial["year"] == 2001],
    ...     cluster="school_id",
    ... )
    >>> fit.clusters, fit.stages, float(fit.df["treated"])
    (39, 2, 37.0)
    """
    level = _core.check_level(level)
    if weight not in ("clusters", "participants"):
        raise fault(
            InputError, f"weight={weight!r} is unknown", remedy="Use 'clusters' or 'participants'"
        )
    if not isinstance(formula, list | tuple):
        parsing.need_text(formula)

    def one(text: str, part: Any, ids: Any) -> ClusterLevel:
        left, right = parsing.parse(text)
        parsing.refuse_outcome_right(left, right)
        asked = read(
            part,
            right,
            design=design,
            cluster=ids,
            missing=missing,
            rules=("drop", "indicator", "refuse"),
            strata_terms=strata_terms,
        )
        made = asked.model(parsing.variables(left))
        fit = _analysed(left, asked, made, weight, level)
        fit.synthetic, fit.keep_data = synthetic or asked.synthetic, keep_data
        default: RowwiseVcov = "iid" if weight == "clusters" else "HC2"
        found: ClusterLevel = fit.vcov(default if vcov is None else vcov)
        return carry(found, asked.words)

    return spread("cluster_level", formula, data, by, cluster, missing, one)


def _analysed(
    left: str, asked: Request, made: ModelRows, weight: str, level: float
) -> ClusterLevel:
    """Work out the values of clusters and compare them."""
    built = made.design
    if made.codes is None or made.labels is None:
        raise fault(
            InputError,
            "a cluster-level analysis needs to know the clusters",
            remedy="Name the unit that was randomised, as cluster='family_id', or pass design=",
        )
    if not built.intercept:
        raise fault(
            InputError,
            "a cluster-level analysis needs an intercept",
            remedy="Leave '- 1' and '+ 0' out of the formula",
        )
    arm, own = _arm(asked, built)
    clusters = _core.Clusters(made.codes)
    constant = _core.constant_within(built.x, clusters)
    _check_arm(asked, made, arm, all(constant[j] for j in own))
    same, within = same_within(built, constant)
    kept = [_text(term.name, term.variables) for term in same]
    y = designs.left_values(left, built.columns)
    first = None
    if within:
        rest = [j for j in range(built.x.shape[1]) if j not in own]
        names = [built.names[j] for j in rest]
        first = _core.DesignMatrix(np.ascontiguousarray(built.x[:, rest]), names, True)
    with rows_of_the_data(built.rows):
        means = _core.cluster_means(y, left, first, clusters)
    notes = list(made.notes)
    if means.penalised:
        notes.append(_PENALISED)
    # formulaic is imported with the first formula.
    from crewe.formula import engine

    rows = np.asarray(means.first, dtype=np.int64)
    columns_of_clusters = built.columns.take(rows)
    x, plan, state = engine.materialise(" + ".join(kept), columns_of_clusters)
    names = list(plan.names[1:])
    second = replace(
        built,
        x=x,
        names=names,
        columns=columns_of_clusters,
        rows=built.rows[rows],
        plan=plan,
        state=state,
        owner=None,
    )
    # Means of clusters, or their residuals about the mean of all rows.
    values = means.observed if first is None else means.observed - means.expected + means.mean
    weights = _core.Weights(means.sizes, "probability") if weight == "participants" else None
    with rows_of_the_data(second.rows):
        core = _core.ols_fit(values, left, _core.DesignMatrix(x, names, True), weights)
    labels = made.labels.iloc[rows].reset_index(drop=True)
    strata = [] if asked.trial is None else asked.trial.strata_terms(second)
    return ClusterLevel(
        model="Cluster-level analysis",
        formula=f"{left} ~ {asked.right}",
        terms=core.terms,
        n=len(y),
        clusters=clusters.count,
        cluster_name=made.cluster_name,
        level=level,
        df_residual=core.df_residual,
        statistics={"sigma": core.sigma},
        base_notes=notes,
        synthetic=False,
        keep_data=False,
        implementation=asked.source._implementation,
        data=Data(x, values, core, None, second, labels, weights),
        aside=[names.index(name) for name in strata],
        strata_terms=strata,
        mark=asked.mark,
        arm=arm,
        stages=1 if first is None else 2,
        weight=weight,
        _means=Means(labels, means.sizes, means.observed, means.expected, means.ratios),
    )


def _arm(asked: Request, built: Design) -> tuple[str, list[int]]:
    """Give the column of the arm, and the columns of the design that are its one term."""
    terms = [term for term in built.plan.terms if term.variables]
    if not terms:
        raise fault(
            InputError, "the formula names no arm", remedy="Write it as 'outcome ~ arm + covariate'"
        )
    arm = terms[0].variables[0] if asked.trial is None else asked.trial.arm
    holding = [term for term in terms if arm in term.variables]
    if len(holding) != 1 or len(holding[0].variables) != 1:
        raise fault(
            InputError,
            "the arm must stand in the formula once, as a term of its own",
            column=arm,
            values=[term.name for term in holding],
            remedy="Write it as 'outcome ~ arm + covariate'; by= analyses subgroups",
        )
    where = holding[0].where
    return str(arm), [j - 1 for j in range(where.start, where.stop)]


def _check_arm(asked: Request, made: ModelRows, arm: str, constant: bool) -> None:
    """Refuse an arm that varies within clusters, or that has fewer than two of them."""
    built, codes = made.design, made.codes
    assert codes is not None, "the caller refused an analysis without clusters"
    if not constant:
        values = built.columns[arm].values
        pairs = pd.DataFrame({"cluster": codes, "arm": values})
        several = pairs.groupby("cluster")["arm"].transform("nunique").to_numpy() > 1
        raise fault(
            InputError,
            f"'{arm}' varies within {len(np.unique(codes[several])):,} clusters, and each must be in one arm",
            column=arm,
            rows=[int(row) for row in built.rows[several]],
            remedy="Name the unit that was randomised as the cluster, or correct the arm of these rows",
        )
    if asked.trial is None:
        column = built.columns[arm]
        named, of_rows = np.unique(column.values, return_inverse=True)
        levels = [str(value) for value in (column.levels or [f"{value:g}" for value in named])]
        refuse_too_few(levels, of_rows, codes, "clusters", arm)


def same_within(built: Design, constant: Sequence[bool]) -> tuple[list[Term], bool]:
    """Give the terms that are the same throughout every cluster, and say whether any others vary within.

    Parameters
    ----------
    built : Design
        The columns of a formula with an intercept.
    constant : sequence of bool
        Whether each of its columns is the same for all rows of every cluster.
    """
    kept, within = [], False
    for term in built.plan.terms:
        columns = [j - 1 for j in range(term.where.start, term.where.stop) if j >= 1]
        if columns and all(constant[j] for j in columns):
            kept.append(term)
        within = within or not all(constant[j] for j in columns)
    return kept, within


def _text(name: str, variables: Sequence[str]) -> str:
    """Give a term as a formula has it, its columns in backticks where they need them."""
    for variable in variables:
        name = name.replace(variable, quoted(variable))
    return name
