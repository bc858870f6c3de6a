"""A fitted Cox model: its tables, tests, baseline and curves."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crewe import _core
from crewe.exceptions import InputError, SeparationError, fault
from crewe.formula.design import Design
from crewe.frames.choices import AnyVcov, Compare, CurveInterval
from crewe.frames.column import Columns
from crewe.models.estimates import Estimates
from crewe.models.margins import Margins
from crewe.survival._adjusted import AdjustedCurves, adjusted_curves
from crewe.survival._surv import Surv, equals
from crewe.survival._zph import ProportionalHazards
from crewe.tables.display import Table, number, p_value, stars
from crewe.tables.printable import Printable
from crewe.tables.wording import worded_term

if TYPE_CHECKING:
    from crewe.models.diagnostics import ClusterDiagnostics, Clustering

FEW = 50
"""Clusters below which a robust result is compared with the randomisation."""

Floats = NDArray[np.float64]
Codes = NDArray[np.uint32]

DEFINITIONS = {
    "iid": "model-based standard errors (the inverse information), z tests",
    "HC0": "robust standard errors (HC0: Lin and Wei 1989 with every row a cluster), z tests",
    "CR0": "cluster-robust standard errors (CR0: Lin and Wei 1989, as R's survival), z tests",
    "CR1": "cluster-robust standard errors (CR1: CR0 times G/(G − 1)), t with G − 1 df",
    "CR3": "cluster-robust standard errors with the correction of Mancl and DeRouen (CR3: "
    "(I − L)⁻¹, Wang, Turner and Li 2023), t with G − 1 df",
    "jackknife": "leave-one-cluster-out jackknife standard errors by refits (CV3: "
    "(G − 1)/G · Σ(b₍g₎ − b)²), t with G − 1 df",
    "CV3": "leave-one-cluster-out jackknife standard errors by refits (CV3: "
    "(G − 1)/G · Σ(b₍g₎ − b)²), t with G − 1 df",
    "MD": "cluster-robust standard errors with the correction of Mancl and DeRouen (MD, which CR3 names too), t "
    "with G − 1 df",
    "KC": "cluster-robust standard errors with the correction of Kauermann and Carroll (KC), t with G − 1 df",
    "FG": "cluster-robust standard errors with the correction of Fay and Graubard (FG), t with G − 1 df",
    "MBN": "cluster-robust standard errors with the correction of Morel, Bokossa and Neerchal (MBN), t with G − 1 df",
    "MR": "cluster-robust standard errors of corrected martingale residuals (MR: Wang, Turner and Li 2023), t with "
    "G − 1 df",
    **{
        f"{kind}MR": f"cluster-robust standard errors of corrected martingale residuals with the correction {kind} "
        f"({kind}MR: Wang, Turner and Li 2023), t with G − 1 df"
        for kind in ("MD", "KC", "FG", "MBN")
    },
}


@dataclass
class Rows:
    """The rows of a fit; left out of pickles unless asked for."""

    surv: Surv
    x: Floats
    clusters: Codes | None
    strata: Codes | None
    weights: Floats | None
    design: Design | None


@dataclass(repr=False)
class CoxPH(Estimates, Printable):
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
        test take account of clusters; NaN where too few clusters say anything.
    notes : list of str
        What a reader must know: dropped rows, few clusters.
    by_kind : dict of str to list of str
        What to note of covariances by their name, where a trial says that they are not right.
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
    core: _core.CoxFit | None = field(repr=False)
    rows: Rows | None = field(repr=False)
    vcov_name: str = "iid"
    by_kind: dict[str, list[str]] = field(default_factory=dict)
    arm: str = ""
    wald: dict[str, float] = field(default_factory=dict)
    _cov: Floats = field(default_factory=lambda: np.empty((0, 0)), repr=False)
    _vcov: _core.Covariance | None = field(default=None, repr=False)
    _vcov_notes: list[str] = field(default_factory=list, repr=False)
    _tables: dict[float, _core.Contrasts] = field(default_factory=dict, repr=False)
    groups: _core.Clusters | None = field(default=None, repr=False)

    model = "Cox"

    # -- covariance ------------------------------------------------------------------------

    def vcov(self, kind: AnyVcov) -> CoxPH:
        """Give the same fit with another covariance, without refitting.

        Parameters
        ----------
        kind : str
            `"iid"`, `"HC0"`, `"CR0"`, `"CR1"`; for few clusters, on t(G − 1), `"CR3"` (or `"MD"`, Mancl and DeRouen),
            `"KC"`, `"FG"`, `"MBN"`, of corrected martingale residuals `"MR"`, `"MDMR"`, `"KCMR"`, `"FGMR"`, `"MBNMR"`, and
            `"CV3"` (or `"jackknife"`), which fits the model again without each cluster; where one of these fits has no
            estimate there is no variance (NaN, and a note that says why).

        Raises
        ------
        InputError
            For kinds that Cox models do not have.
        """
        core = self._needs_core()
        covariance = core.covariance(kind, self.groups)
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other.vcov_name = covariance.kind
        other.wald = said(core.wald(covariance))
        other._cov = covariance.matrix
        other._vcov, other._vcov_notes = covariance, covariance.notes
        other._tables, other._beneath = {}, None
        return other

    def _covariance(self) -> _core.Covariance:
        self._needs_core()
        assert self._vcov is not None, "vcov() gave a covariance to every fit that has its data"
        return self._vcov

    def _needs_core(self) -> _core.CoxFit:
        if self.core is None:
            raise fault(
                InputError,
                "this fit was loaded without its data",
                remedy="Fit the model again, or pickle it with keep_data=True",
            )
        return self.core

    def __getstate__(self) -> dict[str, Any]:
        # A fit that is loaded without its data still answers at its own level.
        self._table()
        self._at_a_glance()
        state = self.__dict__.copy()
        state["core"] = state["groups"] = state["_vcov"] = None
        state["rows"] = self.rows if self.keep_data else None
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self.rows is not None:
            self.core = fit_core(self.rows, self.terms, self.ties)
            self.groups = groups_of(self.rows)
            self.__dict__.update(self.vcov(cast(AnyVcov, self.vcov_name)).__dict__)

    # -- numbers ---------------------------------------------------------------------------

    def _coefficients(self, level: float) -> _core.Contrasts:
        return self._covariance().coefficients(level)

    @property
    def hazard_ratios(self) -> pd.DataFrame:
        """Hazard ratios with their intervals, by term."""
        table = self._table()
        columns = {
            "estimate": np.exp(table.estimate),
            "conf_low": np.exp(table.conf_low),
            "conf_high": np.exp(table.conf_high),
        }
        return pd.DataFrame(columns, index=self.terms)

    @property
    def notes(self) -> list[str]:
        """What a reader of the result must know."""
        own = self.by_kind.get(self.vcov_name, [])
        return [*self.base_notes, *own, *self._vcov_notes, *self._by_randomisation()]

    def _by_randomisation(self) -> list[str]:
        """Say where a robust result of few clusters can be compared with the trial's own randomisation."""
        few = self.clusters is not None and self.clusters < FEW and self.vcov_name != "iid"
        tested = (
            self.rows is not None and self.rows.design is not None and self.rows.weights is None
        )
        if not few or not tested or any(":" in term for term in self.terms):
            return []
        return [
            f"where these {self.clusters} clusters were randomised, the randomisation itself gives a p-value that needs no "
            "large number of them: cw.randomisation_test(fit, design=assignment)"
        ]

    def tidy(self, level: float | None = None, *, exponentiate: bool = False) -> Any:
        """Give the coefficients as a frame of the kind that the data came in.

        Columns: `term, estimate, std_error, statistic, df, p_value, conf_low, conf_high`. With
        `exponentiate` the estimate and its limits are hazard ratios; the standard error stays
        that of the log hazard ratio.
        """
        return self._tidied(level, exponentiate)

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
        return self._build({key: [value] for key, value in row.items()})

    def residuals(self, kind: str = "martingale") -> Floats:
        """Give `"martingale"` residuals (n,) or `"score"` residuals (n, p), one row an analysed row."""
        core = self._needs_core()
        if kind == "martingale":
            return core.martingale_residuals()
        if kind == "score":
            return core.score_residuals()
        raise fault(
            InputError,
            f"residuals of kind {kind!r} are unknown",
            remedy="Use 'martingale' or 'score'",
        )

    # -- questions -------------------------------------------------------------------------

    def margins(
        self,
        term: str,
        by: str | None = None,
        values: Sequence[Any] | None = None,
        level: float | None = None,
        compare: Compare | None = None,
        time: float | None = None,
    ) -> Margins:
        """Give hazard ratios between the values of a term, or adjusted risks at a time and their comparisons.

        Without `time` the contrasts are hazard ratios of each value against the first, with all other variables at
        their means (as :meth:`crewe.OLS.margins` sets them): with products among the covariates they differ from
        `hazard_ratios`. With `time` the levels are the risks of the event by then, averaged over the covariates of all
        analysed rows with the term set to each value (g-computation), with intervals on the log-log scale of
        survival; covariates are taken as fixed.

        Parameters
        ----------
        term : str
            The variable (a column of the data, not a dummy).
        by : str, optional
            A second variable, at each of whose values the comparisons are given.
        values : sequence, optional
            The values of the term; needed for a number with more than ten.
        level : float, optional
            Of the intervals.
        compare : {"ratio", "difference", "odds_ratio"}, optional
            How values are compared with the first: hazards by their ratio, risks by their difference unless another
            way is asked for. Ratios are compared on the log scale.
        time : float, optional
            On the scale of the outcome. Beyond the last time of all rows risks are not known: NaN, and a note.
        """
        from crewe.survival._risks import margins

        return margins(self, term, by=by, values=values, level=level, compare=compare, time=time)

    def predict(
        self,
        data: Any = None,
        kind: Literal["hazard_ratio", "link", "risk", "survival"] = "hazard_ratio",
        level: float | None = None,
        time: float | None = None,
        stratum: str | None = None,
    ) -> Any:
        """Predict for the analysed rows, or for the rows of other data.

        Parameters
        ----------
        data : data frame, or array (m, p), optional
            With the columns of the formula; for a fit from arrays the columns of X. A row with a missing value gets
            none. Categories that the model has not seen are refused.
        kind : {"hazard_ratio", "link", "risk", "survival"}
            The hazard against a row at the means of all columns, its logarithm, or the risk of the event by `time`
            and its complement.
        level : float, optional
            Adds `std_error, conf_low, conf_high` (of the logarithm for hazard ratios: only the limits).
        time : float, optional
            Needed for `"risk"` and `"survival"`. Beyond the last time of the stratum neither is known: NaN.
        stratum : str, optional
            The baseline hazard for `"risk"` and `"survival"`, where there are several.

        Returns
        -------
        frame
            `estimate`, one row a row of the data, of the data's own kind.
        """
        from crewe.survival._risks import predict

        return predict(self, data, kind, level, time, stratum)

    def _columns_of_terms(self) -> dict[str, list[int]]:
        design = None if self.rows is None else self.rows.design
        return {} if design is None else design.term_columns

    def diagnostics(self, terms: Sequence[str] | None = None) -> ClusterDiagnostics:
        """Say how much the fit rests on single clusters, as :meth:`crewe.OLS.diagnostics`.

        A cluster's information is the derivative of its score, so that shares may be negative; without a cluster the model
        is fitted again.
        """
        from crewe.models.diagnostics import diagnose, without_clusters

        self._needs_core()
        parts = self._clustering()
        if parts is None:
            raise without_clusters()
        return diagnose(self, parts, terms)

    def _clustering(self) -> Clustering | None:
        from crewe.models.diagnostics import Clustering

        if self.core is None or self.groups is None:
            return None
        design = None if self.rows is None else self.rows.design
        owner = None if design is None else design.owner
        labels = None
        if owner is not None and owner.labels and owner.column == self.cluster_name:
            labels = np.asarray(owner.labels, dtype=object)[owner.codes]
        covariance = self.core.covariance("CR0", self.groups)
        return Clustering(covariance, self.groups, labels, design, self.arm, [])

    def zph(
        self, transform: Literal["km", "rank", "identity", "log"] = "km"
    ) -> ProportionalHazards:
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
                term: [j - shift for j in range(columns.start, columns.stop)]
                for term, columns in design.term_slices.items()
                if columns.start >= shift
            }
        found = core.zph(transform, list(groups.values()))
        return ProportionalHazards(
            transform=transform,
            terms=[*groups, "GLOBAL"],
            columns=self.terms,
            clustered=self.clusters is not None,
            synthetic=self.synthetic,
            implementation=self.implementation,
            statistic=found.statistic,
            df=found.df,
            p_value=found.p_value,
            time=found.time,
            transformed=found.transformed,
            scaled_schoenfeld=found.scaled_schoenfeld,
        )

    def baseline(self, *, centred: bool = False) -> Any:
        """Give the cumulative baseline hazard, `stratum, time, hazard, survival`, for covariates of 0.

        With `centred` it is that of a row at the means of all columns.
        """
        records = self._needs_core().baseline(centred)
        names = self.strata or ["all"]
        hazard = np.concatenate([record.hazard for record in records])
        return self._build(
            {
                "stratum": [
                    name for name, record in zip(names, records, strict=True) for _ in record.time
                ],
                "time": np.concatenate([record.time for record in records]),
                "hazard": hazard,
                "survival": np.exp(-hazard),
            },
        )

    def adjusted_curves(
        self,
        term: str | None = None,
        *,
        times: Sequence[float] | None = None,
        conf_type: CurveInterval = "log-log",
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
            Where to give the curves; every distinct event time by default. Beyond the last time of all rows they are
            NaN, and a note says so.
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
            self._level(level),
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
        level = self._level(level)
        table = self._table(level)
        rows = [
            [
                worded_term(term),
                number(b),
                number(np.exp(b), 3),
                number(se),
                number(z, 2),
                p_value(p) + stars(p),
                number(np.exp(low), 3),
                number(np.exp(high), 3),
            ]
            for term, b, se, z, p, low, high in zip(
                self.terms,
                table.estimate,
                table.std_error,
                table.statistic,
                table.p_value,
                table.conf_low,
                table.conf_high,
                strict=True,
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
        rests, relations = self._rests_on()
        notes = [
            f"{size}; ties: {self.ties}.",
            f"{tests}.",
            f"{definition[:1].upper()}{definition[1:]}.",
            *rests,
            *[f"Note: {note}." for note in self.notes],
        ]
        header = [
            "term",
            "log HR",
            "HR",
            "std. error",
            "z" if np.isinf(table.df).all() else "t",
            "p",
            f"HR {100 * level:g}% low",
            "high",
        ]
        title = f"Cox: {self.formula}" + (" (SYNTHETIC data)" if self.synthetic else "")
        return Table(header, rows, title=title, notes=notes, relations=relations)

    def _panels(self) -> list[Table]:
        return [self.summary()]

    def plot(self, **options: Any) -> Any:
        """Draw the log hazard ratios with their intervals; see :func:`crewe.coefplot`."""
        from crewe.plots import coefplot

        return coefplot(self, **{"xlabel": "Log hazard ratio", **options})


@contextmanager
def named_in_words(design: Design | None) -> Iterator[None]:
    """Let an error speak of the levels of a category, and not of their dummy columns."""
    try:
        yield
    except SeparationError as error:
        column = error.column or ""
        columns = Columns({}, 0) if design is None else design.columns
        problem = _in_words(error.problem, columns)
        base = re.sub(r"^C\(`?(.+?)`?(?:,.*)?\)$", r"\1", column.partition("[")[0])
        known = base if base in columns else column
        raise fault(
            SeparationError,
            problem,
            column=known or None,
            # The core repeats the column here, unless several run away together.
            values=error.values if len(error.values) > 1 else [],
            remedy=error.remedy,
        ) from None


def _in_words(problem: str, columns: Columns) -> str:
    def words(found: re.Match[str]) -> str:
        name, level, value = found[1], found[2], found[3]
        if name not in columns:
            return found[0]
        if value == "1":
            return f"'{name}' = '{level}'"
        others = [known for known in columns[name].levels or () if known != level]
        return f"'{name}' = '{others[0]}'" if len(others) == 1 else f"'{name}' other than '{level}'"

    dummy = r"'(?:C\(`?)?([^'\[]+?)(?:`?(?:,[^'\[]*)?\))?\[T\.([^\]']+)\]' = ([01])\b"
    return re.sub(dummy, words, problem)


def fit_core(rows: Rows, names: list[str], ties: str) -> _core.CoxFit:
    """Let the core fit the model."""
    return _core.cox_fit(rows.surv.core(rows.weights), rows.x, names, ties, rows.strata)


def groups_of(rows: Rows) -> _core.Clusters | None:
    """Give the clusters of the rows as the core holds them."""
    return None if rows.clusters is None else _core.Clusters(rows.clusters)


def said(test: _core.Test) -> dict[str, float]:
    """Give a test as the results of a fit hold it."""
    return {"statistic": test.statistic, "df": test.df, "p_value": test.p_value}
