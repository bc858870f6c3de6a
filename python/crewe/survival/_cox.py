"""Cox's proportional hazards model: from a formula over a data frame, or from arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, TypedDict, overload

from crewe import _core
from crewe.exceptions import InputError, fault
from crewe.formula.names import quoted
from crewe.frames.arguments import checked
from crewe.frames.choices import CoxVcov
from crewe.frames.source import aligned, index_of, numbers
from crewe.frames.synthetic import marked
from crewe.models.grouped import each
from crewe.models.groups import Results
from crewe.models.linear import (
    array_clusters,
    design_needs_a_formula,
    rows_of_the_data,
)
from crewe.models.request import read
from crewe.models.weights import Weights
from crewe.survival._cox_model import CoxPH, Rows, fit_core, groups_of, named_in_words, said
from crewe.survival._surv import (
    Surv,
    array_codes,
    codes_of,
    layers_of,
    refuse_missing_times,
    sides,
)
from crewe.tables.wording import carry

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["CoxPH", "coxph"]


class Asked(TypedDict, total=False):
    """The arguments that :func:`coxph` documents."""

    ties: Literal["efron", "breslow"]
    strata: Any
    weights: Any
    missing: Literal["drop", "indicator"]
    level: float
    strata_terms: bool
    names: Sequence[str] | None
    synthetic: bool
    keep_data: bool


@overload
def coxph(
    formula: Any,
    data: Any = None,
    design: Any = None,
    cluster: Any = None,
    vcov: CoxVcov | None = None,
    *,
    by: None = None,
    **asked: Unpack[Asked],
) -> CoxPH: ...


@overload
def coxph(
    formula: str,
    data: Any = None,
    design: Any = None,
    cluster: Any = None,
    vcov: CoxVcov | None = None,
    *,
    by: str,
    **asked: Unpack[Asked],
) -> Results[CoxPH]: ...


@checked
def coxph(
    formula: Any,
    data: Any = None,
    design: Any = None,
    cluster: Any = None,
    vcov: CoxVcov | None = None,
    *,
    by: str | None = None,
    ties: Literal["efron", "breslow"] = "efron",
    strata: Any = None,
    weights: Any = None,
    missing: Literal["drop", "indicator"] = "drop",
    level: float = 0.95,
    strata_terms: bool = True,
    names: Sequence[str] | None = None,
    synthetic: bool = False,
    keep_data: bool = False,
) -> CoxPH | Results[CoxPH]:
    """Fit Cox's proportional hazards model.

    Parameters
    ----------
    formula : str, or Surv
        `"Surv(days, closed) ~ arm + history"`, also with `+ strata(office)`; or
        `cw.Surv(time, event)` with X in `data`.
    data : data frame, or array (n, p)
        pandas, polars (eager or lazy), pyarrow or DuckDB; or the columns of X.
    design : Assignment, optional
        The trial: gives the clusters, the order of the arms and the strata, each with a baseline
        hazard of its own unless the formula tells them apart already.
    cluster : str, or array of ids (n,)
        The unit that was randomised. With `design`, its unit wherever a unit has several rows: coarser
        clusters are taken, clusters that split a unit are refused.
    vcov : str, optional
        Default: CR3 (Lin and Wei with the correction of Mancl and DeRouen, on t(G − 1)) with clusters, model-based
        without; in simulations CR3 alone keeps its size from 10 clusters on. `"CR0"` is what R's survival prints. Further
        kinds are those of :meth:`CoxPH.vcov`.
    by : str, optional
        Fit the model separately for each value of this column; gives a mapping of fits.
    ties : {"efron", "breslow"}
        How deaths at one time are treated.
    strata : str, list of str, or array (n,), optional
        A baseline hazard for each.
    weights : str, or array (n,), optional
        Probability weights; a row with weight 0 takes no part and is counted in the notes.
    missing : {"drop", "indicator"}
        Rows with a missing covariate are dropped and counted, or filled with the mean beside an indicator.
    level : float
        Of the confidence intervals.
    strata_terms : bool
        Whether `design` adds its strata.
    names : sequence of str, optional
        With arrays: the names of the columns of X.
    synthetic : bool
        Marks every table and figure as made from synthetic data.
    keep_data : bool
        Whether a pickle of the fit carries the rows.

    Raises
    ------
    InputError
        Negative times, times that are missing although the event is known, events that are neither 0 nor 1, no event, unknown columns.
    SeparationError
        A column without a finite hazard ratio, such as an arm without events, named.
    RankError
        A column that repeats others, named.

    Examples
    --------
    >>> import crewe as cw
    >>> fit = cw.coxph("Surv(week, arrest) ~ fin + age + prio", cw.datasets.rossi())
    >>> fit.coef.round(4).tolist()
    [-0.347, -0.0671, 0.0969]
    """
    level = _core.check_level(level)
    if by is not None:
        whole = {name: value for name, value in locals().items() if name in _SHARED}
        _by_columns(formula, strata, weights)
        return each(
            by,
            data,
            cluster,
            "drop",
            lambda part, ids: coxph(formula, part, design, ids, vcov, **whole),
        )
    by_kind: dict[str, list[str]] = {}
    if not isinstance(formula, str):
        if design is not None:
            raise design_needs_a_formula()
        rows, terms, shown = _from_arrays(formula, data, cluster, strata, weights, names)
        synthetic = synthetic or formula.synthetic or marked(data)
        notes: list[str] = []
        words: Mapping[str, str] = {}
        implementation, cluster_name, labels = None, None if cluster is None else "cluster", []
        arm = ""
        if rows.strata is not None:
            labels = [f"stratum {k + 1}" for k in range(int(rows.strata.max()) + 1)]
    else:
        parts = sides(formula)
        asked = read(
            data,
            parts.right,
            design=design,
            cluster=cluster,
            weights=_probability_weights(weights),
            missing=missing,
            rules=("drop", "indicator", "refuse"),
            strata_terms=strata_terms,
            layered=True,
        )
        layers = parts.strata + layers_of(strata, asked.source.names)
        layer = None if asked.trial is None else asked.trial.layer
        if layer is not None and layer not in layers:
            layers.append(layer)
        synthetic, words = synthetic or asked.synthetic, asked.words
        refuse_missing_times(asked.source, parts, asked.rows)
        made = asked.model([*parts.columns(), *layers])
        built, notes, by_kind = made.design, made.notes, made.by_kind
        layer_codes, labels = codes_of(built.columns, layers) if layers else (None, [])
        weight = None if made.weighted is None else made.weighted.values
        outcome = parts.outcome(built.columns)
        rows = Rows(outcome, built.x, made.codes, layer_codes, weight, built)
        terms = built.names
        layered = f" + strata({', '.join(map(quoted, layers))})" if layers else ""
        shown = f"Surv({parts.time}, {parts.event}) ~ {asked.right}{layered}"
        implementation, cluster_name = asked.source._implementation, made.cluster_name
        arm = asked.arm
    kept = None if rows.design is None else rows.design.rows
    with rows_of_the_data(kept), named_in_words(rows.design):
        core = fit_core(rows, terms, ties)
    groups = groups_of(rows)
    fit = CoxPH(
        formula=shown,
        terms=core.terms,
        ties=ties,
        n=core.n,
        events=core.events,
        clusters=None if groups is None else groups.count,
        cluster_name=cluster_name,
        strata=labels,
        level=level,
        loglik_null=core.loglik_null,
        loglik=core.loglik,
        likelihood_ratio=said(core.likelihood_ratio),
        score=said(core.score),
        robust_score=None if groups is None else said(core.robust_score(groups)),
        base_notes=notes,
        synthetic=synthetic,
        keep_data=keep_data,
        implementation=implementation,
        core=core,
        rows=rows,
        groups=groups,
        by_kind=by_kind,
        arm=arm,
    )
    if vcov is not None:
        fitted = fit.vcov(vcov)
    else:
        fitted = fit.vcov("iid") if rows.clusters is None else _corrected(fit)
    return carry(fitted, words)


_SHARED = frozenset(Asked.__annotations__)
"""The arguments that a call passes on to each group."""


def _by_columns(formula: Any, strata: Any, weights: Any) -> None:
    """Refuse what groups of rows cannot be taken of: anything but columns by their names."""
    listed = strata if isinstance(strata, list | tuple) else [strata]
    for name, value in (
        ("formula", formula),
        *(("strata", one) for one in listed),
        ("weights", weights),
    ):
        if value is not None and not isinstance(value, str):
            raise fault(
                InputError,
                f"with by= the rows of a group are taken by column, and {name} is a {type(value).__name__}",
                remedy=f"Put it into the data frame, and name the column in {name}=",
            )


def _corrected(fit: CoxPH) -> CoxPH:
    """Give the default with clusters: CR3, or where it is not estimable CR0, which then says so."""
    try:
        return fit.vcov("CR3")
    except InputError as error:
        note = (
            f"CR3, the default, is not to be had here ({error.problem}): CR0 stands in its place, which is too small "
            "with few clusters"
        )
        told = {**fit.by_kind, "CR0": [*fit.by_kind.get("CR0", []), note]}
        return replace(fit, by_kind=told).vcov("CR0")


def _from_arrays(
    surv: Any, x: Any, cluster: Any, strata: Any, weights: Any, names: Sequence[str] | None
) -> tuple[Rows, list[str], str]:
    if not isinstance(surv, Surv) or x is None:
        raise fault(
            InputError,
            f"{type(surv).__name__} is not a survival outcome",
            remedy="Pass 'Surv(days, event) ~ arm' and a data frame, or cw.Surv(time, event) and X",
        )
    if names is None and hasattr(x, "columns"):
        names = [str(name) for name in x.columns]
    index = index_of(x) if surv.index is None else surv.index
    columns = numbers(aligned(x, index, "X"), "X")
    columns = columns[:, None] if columns.ndim == 1 else columns
    if columns.ndim != 2:
        raise fault(InputError, f"X has {columns.ndim} dimensions", remedy="Pass a matrix (n, p)")
    terms = list(names) if names is not None else [f"x{j + 1}" for j in range(columns.shape[1])]
    n = len(surv)
    asked = _probability_weights(weights)
    given = None if asked is None else asked.values(n, index)
    rows = Rows(
        surv,
        columns,
        None if cluster is None else array_clusters(cluster, n, index)[0],
        None if strata is None else array_codes(aligned(strata, index, "strata"), n, "strata")[0],
        given,
        None,
    )
    return rows, terms, "Surv(time, event) ~ " + " + ".join(terms)


def _probability_weights(weights: Any) -> Weights | None:
    asked = Weights.of(weights)
    if asked is not None and asked.kind != "probability":
        raise fault(
            InputError,
            f"Cox models take no {asked.kind} weights",
            column="weights",
            remedy="A partial likelihood has no variance of a row to be in proportion to: name a column of "
            "probability weights",
        )
    return asked
