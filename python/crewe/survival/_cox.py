"""Cox's proportional hazards model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crewe import _core, _formula
from crewe._display import Table, number, p_value, stars
from crewe._frames import Source, build
from crewe._linear import array_clusters, cluster_codes
from crewe.exceptions import InputError, fault
from crewe.survival._adjusted import AdjustedCurves, adjusted_curves
from crewe.survival._surv import Surv, _numbers, array_codes, codes_of, equals, sides
from crewe.survival._zph import ProportionalHazards

Floats = NDArray[np.float64]
Codes = NDArray[np.uint32]

DEFINITIONS = {
    "iid": "model-based standard errors (the inverse information), z tests",
    "CR0": "cluster-robust standard errors (CR0: Lin and Wei 1989, as R's survival), z tests",
}


@dataclass
class Rows:
    """The rows of a fit; left out of pickles unless asked for."""

    surv: Surv
    x: Floats
    clusters: Codes | None
    strata: Codes | None
    weights: Floats | None
    design: _formula.Design | None


@dataclass
class CoxPH:
    """A fitted Cox model; made by :func:`coxph`.

    Attributes
    ----------
    coef, se, p_value : pandas.Series
        Log hazard ratios by term, with their standard errors and two-sided p-values.
    hazard_ratios : pandas.DataFrame
        `exp(coef)` with intervals.
    cov : pandas.DataFrame
        The covariance matrix of the coefficients.
    n, events : int
        Rows analysed, and those with an event.
    clusters : int or None
        Clusters, where they were given.
    loglik_null, loglik : float
        Log partial likelihood without and with the covariates.
    likelihood_ratio, wald, score, robust_score : dict
        Tests of all coefficients: `statistic, df, p_value`. Only the Wald and the robust score
        test take account of clusters.
    notes : list of str
        What a reader must know: dropped rows, few clusters.
    """

    formula: str
    terms: list[str]
    ties: str
    n: int
    events: int
    clusters: int | None
    cluster_name: str | None
    strata: list[str]
    level: float
    loglik_null: float
    loglik: float
    likelihood_ratio: dict[str, float]
    score: dict[str, float]
    robust_score: dict[str, float] | None
    base_notes: list[str]
    synthetic: bool
    keep_data: bool
    implementation: Any = field(repr=False)
    core: Any = field(repr=False)
    rows: Rows | None = field(repr=False)
    vcov_name: str = "iid"
    wald: dict[str, float] = field(default_factory=dict)
    _cov: Floats = field(default_factory=lambda: np.empty((0, 0)), repr=False)
    _tables: dict[float, dict[str, Floats]] = field(default_factory=dict, repr=False)

    model = "Cox"

    # -- covariance ------------------------------------------------------------------------

    def vcov(self, kind: str) -> CoxPH:
        """Give the same fit with another covariance: `"iid"` or `"CR0"`.

        Raises
        ------
        InputError
            For the corrections for few clusters (CR2 and others), which Cox models do not have yet.
        """
        record = self._needs_core().covariance(kind)
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other.vcov_name = record["kind"]
        other.wald = record["wald"]
        other._cov = record["matrix"]
        other._tables = {self.level: self.core.coefficients(kind, self.level)}
        return other

    def _needs_core(self) -> Any:
        if self.core is None:
            raise fault(
                InputError,
                "this fit was loaded without its data",
                remedy="Fit the model again, or pickle it with keep_data=True",
            )
        return self.core

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        state["core"] = None
        state["rows"] = self.rows if self.keep_data else None
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self.rows is not None:
            self.core = _fit_core(self.rows, self.terms, self.ties)

    # -- numbers ---------------------------------------------------------------------------

    def _table(self, level: float | None = None) -> dict[str, Floats]:
        level = self.level if level is None else level
        if level not in self._tables:
            table = self._needs_core().coefficients(self.vcov_name, level)
            self._tables = {**self._tables, level: table}
        return self._tables[level]

    def _series(self, key: str) -> pd.Series[Any]:
        return pd.Series(self._table()[key], index=self.terms, name=key)

    @property
    def coef(self) -> pd.Series[Any]:
        """Log hazard ratios by term."""
        return self._series("estimate")

    @property
    def se(self) -> pd.Series[Any]:
        """Their standard errors."""
        return self._series("std_error")

    @property
    def p_value(self) -> pd.Series[Any]:
        """Two-sided p-values."""
        return self._series("p_value")

    @property
    def cov(self) -> pd.DataFrame:
        """The covariance matrix of the coefficients."""
        return pd.DataFrame(self._cov, index=self.terms, columns=self.terms)

    @property
    def hazard_ratios(self) -> pd.DataFrame:
        """Hazard ratios with their intervals, by term."""
        table = self._table()
        columns = {key: np.exp(table[key]) for key in ("estimate", "conf_low", "conf_high")}
        return pd.DataFrame(columns, index=self.terms)

    @property
    def notes(self) -> list[str]:
        """What a reader of the result must know."""
        return list(self.base_notes)

    def confint(self, level: float | None = None) -> pd.DataFrame:
        """Give confidence intervals of the log hazard ratios."""
        table = self._table(level)
        return pd.DataFrame({k: table[k] for k in ("conf_low", "conf_high")}, index=self.terms)

    def tidy(self, level: float | None = None, *, exponentiate: bool = False) -> Any:
        """Give the coefficients as a frame of the kind that the data came in.

        Columns: `term, estimate, std_error, statistic, df, p_value, conf_low, conf_high`. With
        `exponentiate` the estimate and its limits are hazard ratios; the standard error stays
        that of the log hazard ratio.
        """
        columns: dict[str, Any] = {"term": self.terms, **self._table(level)}
        if exponentiate:
            for key in ("estimate", "conf_low", "conf_high"):
                columns[key] = np.exp(columns[key])
        return build(columns, self.implementation)

    def glance(self) -> Any:
        """Give one row about the whole fit."""
        row = {
            "model": self.model,
            "n": self.n,
            "events": self.events,
            "clusters": np.nan if self.clusters is None else self.clusters,
            "vcov": self.vcov_name,
            "ties": self.ties,
            "loglik_null": self.loglik_null,
            "loglik": self.loglik,
        }
        for name in ("likelihood_ratio", "wald", "score", "robust_score"):
            test = getattr(self, name)
            if test is not None:
                row[name], row[f"{name}_p"] = test["statistic"], test["p_value"]
        return build({key: [value] for key, value in row.items()}, self.implementation)

    def residuals(self, kind: str = "martingale") -> Floats:
        """Give `"martingale"` residuals (n,) or `"score"` residuals (n, p), one row an analysed row."""
        core = self._needs_core()
        if kind == "martingale":
            out: Floats = core.martingale_residuals()
        elif kind == "score":
            out = core.score_residuals()
        else:
            raise fault(
                InputError,
                f"residuals of kind {kind!r} are unknown",
                remedy="Use 'martingale' or 'score'",
            )
        return out

    # -- questions -------------------------------------------------------------------------

    def zph(self, transform: str = "km") -> ProportionalHazards:
        """Test whether hazards are proportional, by term and for all terms at once.

        The exact score test of a coefficient that changes with g(time), as `cox.zph` of R's
        survival since 3.0.

        Parameters
        ----------
        transform : {"km", "rank", "identity", "log"}
            g: 1 less Kaplan-Meier, the rank of time, time itself, or its logarithm.
        """
        core = self._needs_core()
        groups = {term: [j] for j, term in enumerate(self.terms)}
        design = None if self.rows is None else self.rows.design
        if design is not None:
            shift = int(design.intercept)
            groups = {
                str(term): [j - shift for j in range(columns.start, columns.stop)]
                for term, columns in design.spec.term_slices.items()
                if columns.start >= shift
            }
        record = core.zph(transform, list(groups.values()))
        return ProportionalHazards(
            transform=transform,
            terms=[*groups, "GLOBAL"],
            columns=self.terms,
            clustered=self.clusters is not None,
            synthetic=self.synthetic,
            implementation=self.implementation,
            **record,
        )

    def baseline(self, *, centred: bool = False) -> Any:
        """Give the cumulative baseline hazard, `stratum, time, hazard, survival`, for covariates of 0.

        With `centred` it is that of a row at the means of all columns.
        """
        records = self._needs_core().baseline(centred)
        names = self.strata or ["all"]
        hazard = np.concatenate([record["hazard"] for record in records])
        return build(
            {
                "stratum": [
                    name
                    for name, record in zip(names, records, strict=True)
                    for _ in record["time"]
                ],
                "time": np.concatenate([record["time"] for record in records]),
                "hazard": hazard,
                "survival": np.exp(-hazard),
            },
            self.implementation,
        )

    def adjusted_curves(
        self,
        term: str | None = None,
        *,
        times: Sequence[float] | None = None,
        conf_type: str = "log-log",
        level: float | None = None,
    ) -> AdjustedCurves:
        """Give survival by arm, averaged over the covariates of all analysed rows (g-computation).

        Every row is given each arm in turn, its curve is predicted, and the curves are averaged:
        the curve of the whole sample under each arm, which is not the curve at mean covariates.
        Covariates are taken as fixed. With clusters, standard errors come from the influence of
        each cluster on the average.

        Parameters
        ----------
        term : str, optional
            The column that holds the arm; the first of the formula by default.
        times : sequence of float, optional
            Where to give the curves; every distinct event time by default.
        conf_type : {"log-log", "log", "plain"}
            The scale of the intervals.
        level : float, optional
            Of the intervals.
        """
        core = self._needs_core()
        if self.rows is None or self.rows.design is None:
            raise fault(
                InputError,
                "adjusted curves need a fit from a formula",
                remedy="Fit 'Surv(days, event) ~ arm + ...' to a data frame",
            )
        return adjusted_curves(
            self,
            core,
            self.rows.design,
            term,
            times,
            conf_type,
            self.level if level is None else level,
        )

    # -- presentation ----------------------------------------------------------------------

    def methods(self) -> list[str]:
        """Say in plain sentences what was done, for the methods section of a report."""
        text = [
            f"Cox proportional hazards model: {self.formula}, {self.ties.capitalize()}'s method for ties.",
            f"Uncertainty: {DEFINITIONS[self.vcov_name]}.",
        ]
        if len(self.strata) > 1:
            text.append(f"A baseline hazard for each of {len(self.strata)} strata.")
        return text

    def summary(self, level: float | None = None) -> Table:
        """Give the printed table."""
        level = self.level if level is None else level
        table = self._table(level)
        keys = ("estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high")
        rows = [
            [
                term,
                number(b),
                number(np.exp(b), 3),
                number(se),
                number(z, 2),
                p_value(p) + stars(p),
                number(np.exp(low), 3),
                number(np.exp(high), 3),
            ]
            for term, b, se, z, p, low, high in zip(
                self.terms, *[table[key] for key in keys], strict=True
            )
        ]
        size = f"{self.n:,} rows, {self.events:,} events"
        if self.clusters is not None:
            size += f", {self.clusters:,} clusters ({self.cluster_name})"
        if len(self.strata) > 1:
            size += f", {len(self.strata)} strata"
        tests = "; ".join(
            f"{name} {test['statistic']:.2f} on {test['df']:g} df, {equals(test['p_value'])}"
            for name, test in (
                ("Likelihood ratio", self.likelihood_ratio),
                ("Wald", self.wald),
                ("score", self.score),
                ("robust score", self.robust_score),
            )
            if test is not None
        )
        definition = DEFINITIONS[self.vcov_name]
        notes = [
            f"{size}; ties: {self.ties}.",
            f"{tests}.",
            f"{definition[:1].upper()}{definition[1:]}.",
            *[f"Note: {note}." for note in self.notes],
        ]
        header = [
            "term",
            "log HR",
            "HR",
            "std. error",
            "z",
            "p",
            f"HR {100 * level:g}% low",
            "high",
        ]
        title = f"Cox: {self.formula}" + (" (SYNTHETIC data)" if self.synthetic else "")
        return Table(header, rows, title=title, notes=notes)

    def __repr__(self) -> str:
        return self.summary().text()

    def _repr_html_(self) -> str:
        return self.summary().html()

    def plot(self, **options: Any) -> Any:
        """Draw the log hazard ratios with their intervals; see :func:`crewe.coefplot`."""
        from crewe.plots import coefplot

        return coefplot(self, **{"xlabel": "Log hazard ratio", **options})


def _fit_core(rows: Rows, names: list[str], ties: str) -> Any:
    return _core.cox_fit(
        rows.surv.time,
        rows.surv.event,
        rows.surv.time_name,
        rows.surv.event_name,
        rows.x,
        names,
        ties,
        rows.strata,
        rows.clusters,
        rows.weights,
    )


def coxph(
    formula: Any,
    data: Any = None,
    design: Any = None,
    cluster: Any = None,
    vcov: str | None = None,
    *,
    ties: str = "efron",
    strata: Any = None,
    weights: Any = None,
    missing: str = "drop",
    level: float = 0.95,
    strata_terms: bool = True,
    names: Sequence[str] | None = None,
    synthetic: bool = False,
    keep_data: bool = False,
) -> CoxPH:
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
        The unit that was randomised.
    vcov : {"iid", "CR0"}, optional
        Default: CR0 (Lin and Wei) with clusters, model-based without.
    ties : {"efron", "breslow"}
        How deaths at one time are treated.
    strata : str, list of str, or array (n,), optional
        A baseline hazard for each.
    weights : str, or array (n,), optional
        Positive weights.
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
        Negative or missing times, events that are neither 0 nor 1, no event, unknown columns.
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
    if not isinstance(formula, str):
        rows, terms, shown = _from_arrays(formula, data, cluster, strata, weights, names)
        notes: list[str] = []
        implementation, cluster_name, labels = None, None if cluster is None else "cluster", []
        if rows.strata is not None:
            labels = [f"stratum {k + 1}" for k in range(int(rows.strata.max()) + 1)]
    else:
        if data is None:
            raise fault(InputError, "a formula needs data", remedy="Pass the data frame second")
        parts = sides(formula)
        source, right = Source(data), parts.right
        layers = parts.strata + ([strata] if isinstance(strata, str) else list(strata or []))
        trial = None
        left_out: list[str] = []
        if design is not None:
            from crewe._trial import join, without_left_out

            source, left_out = without_left_out(design, source)
            trial = join(design, source, right, strata_terms=strata_terms, layered=True)
            right, cluster = trial.right, cluster or trial.cluster
            if trial.layer is not None and trial.layer not in layers:
                layers.append(trial.layer)
            source = trial.source
        synthetic = synthetic or bool(getattr(data, "attrs", {}).get("synthetic", False))
        also = [*parts.columns(), *layers, *([weights] if isinstance(weights, str) else [])]
        built = _formula.design(
            source,
            right,
            also=also,
            missing=missing,
            keep=[trial.arm] if trial is not None and trial.arm else [],
            levels=trial.levels if trial is not None else None,
        )
        notes = [*left_out, *built.notes]
        if built.dropped.n:
            notes.append(built.dropped.note())
        if trial is not None:
            if built.dropped.n:
                notes.append(trial.dropped_by_arm(built.rows))
            trial.refuse_too_few(built.rows)
        codes = None if cluster is None else cluster_codes(source, cluster, built.rows)[0]
        layer_codes, labels = codes_of(built.frame, layers) if layers else (None, [])
        weight = None
        if isinstance(weights, str):
            weight = np.ascontiguousarray(built.frame[weights], dtype=np.float64)
        rows = Rows(parts.outcome(built.frame), built.x, codes, layer_codes, weight, built)
        terms = built.names
        layered = f" + strata({', '.join(layers)})" if layers else ""
        shown = f"Surv({parts.time}, {parts.event}) ~ {right}{layered}"
        implementation, cluster_name = source._implementation, cluster
    core = _fit_core(rows, terms, ties)
    record = core.record()
    fit = CoxPH(
        formula=shown,
        terms=record["names"],
        ties=ties,
        n=record["n"],
        events=record["events"],
        clusters=record["clusters"],
        cluster_name=cluster_name,
        strata=labels,
        level=level,
        loglik_null=record["loglik_null"],
        loglik=record["loglik"],
        likelihood_ratio=record["likelihood_ratio"],
        score=record["score"],
        robust_score=record["robust_score"],
        base_notes=[*notes, *record["notes"]],
        synthetic=synthetic,
        keep_data=keep_data,
        implementation=implementation,
        core=core,
        rows=rows,
    )
    return fit.vcov(vcov or ("iid" if rows.clusters is None else "CR0"))


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
    columns = np.asarray(x, dtype=np.float64)
    columns = columns[:, None] if columns.ndim == 1 else columns
    if columns.ndim != 2:
        raise fault(InputError, f"X has {columns.ndim} dimensions", remedy="Pass a matrix (n, p)")
    terms = list(names) if names is not None else [f"x{j + 1}" for j in range(columns.shape[1])]
    n = len(surv)
    rows = Rows(
        surv,
        columns,
        None if cluster is None else array_clusters(cluster, n)[0],
        None if strata is None else array_codes(strata, n, "strata")[0],
        None if weights is None else _numbers(weights, "weights"),
        None,
    )
    return rows, terms, "Surv(time, event) ~ " + " + ".join(terms)
