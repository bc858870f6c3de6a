"""What every linear predictor offers once it is fitted: tables, margins, contrasts, joint tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crewe import _core
from crewe.exceptions import CreweError, InputError, fault
from crewe.formula.design import Design
from crewe.frames.choices import AnyVcov, AveragedOver, Compare, DfRule
from crewe.frames.source import Source, aligned
from crewe.models.arm import clusters_by_arm
from crewe.models.estimates import Estimates
from crewe.models.margins import Margins, margins, predict
from crewe.tables.display import Table, number, p_value, stars
from crewe.tables.labels import MINUS, of_strata
from crewe.tables.printable import Printable
from crewe.tables.wording import worded_term

if TYPE_CHECKING:
    from crewe.models.diagnostics import ClusterDiagnostics, Clustering

Floats = NDArray[np.float64]

DEFINITIONS = {
    "iid": "classical standard errors: s²(X'X)⁻¹, t with n − k degrees of freedom",
    "HC0": "heteroskedasticity-robust standard errors (HC0, White 1980), t with n − k df",
    "HC1": "Huber-White standard errors (HC1: HC0 times n/(n − k), Stata's `robust`), t with n − k df",
    "HC2": "heteroskedasticity-robust standard errors (HC2, MacKinnon and White 1985), "
    "t with Bell-McCaffrey degrees of freedom",
    "HC3": "heteroskedasticity-robust standard errors (HC3: e²/(1 − h)², no further factor), t with n − k df",
    "CR0": "cluster-robust standard errors (CR0, no correction), t with G − 1 df",
    "CR1": "cluster-robust standard errors (CR1: CR0 times G/(G − 1)), t with G − 1 df",
    "CR1S": "cluster-robust standard errors (CR1S, Stata's: CR0 times G/(G − 1) · "
    "(n − 1)/(n − k)), t with G − 1 df",
    "CR2": "cluster-robust standard errors with bias-reduced linearisation (CR2, Bell and "
    "McCaffrey 2002; Pustejovsky and Tipton 2018), t with Satterthwaite degrees of freedom",
    "CR3": "cluster-robust standard errors (CR3 of clubSandwich: (I − H)⁻¹, no factor), t with G − 1 df",
    "jackknife": "leave-one-cluster-out jackknife standard errors (CV3 of MacKinnon, Nielsen and Webb: "
    "(G − 1)/G · Σ(b₍g₎ − b)²), t with G − 1 df",
    "CV3": "leave-one-cluster-out jackknife standard errors (CV3 of MacKinnon, Nielsen and Webb: "
    "(G − 1)/G · Σ(b₍g₎ − b)²), t with G − 1 df",
    "CV3L": "leave-one-cluster-out jackknife standard errors (CV3L of MacKinnon, Nielsen and Webb: refits to "
    "first order, (G − 1)/G · CR3), t with G − 1 df",
    "hansen": "Hansen's leave-one-cluster-out jackknife (V5 of Hansen 2025: Σ(b₍g₎ − b)², the least slopes where a "
    "cluster cannot be left out; its root over its scale a), t with degrees of freedom of each contrast",
}

PROFILE = "profile"
"""Intervals by profiles of a penalised likelihood."""

_FEW = 300
_ROWS = 10
"""More clusters, and more rows of one, were not simulated: nothing is looked up for them."""

ROWWISE = ("iid", "HC0", "HC1", "HC2", "HC3", PROFILE)
"""The covariances that count rows as independent."""


@dataclass
class Data:
    """What a fit needs to answer further questions; left out of pickles unless asked for."""

    x: Floats
    y: Floats
    core: _core.Fit | _core.ClusteredFit
    groups: _core.Clusters | None
    design: Design | None
    clusters: pd.Series[Any] | None = None
    weights: _core.Weights | None = None


@dataclass(repr=False)
class Linear(Estimates, Printable):
    """A fitted linear predictor.

    Attributes
    ----------
    coef, se, p_value : pandas.Series
        By term.
    cov : pandas.DataFrame
        The covariance matrix of the coefficients.
    n : int
        Rows analysed.
    clusters : int or None
        Clusters, where they were given.
    notes : list of str
        What a reader of the result must know: dropped rows, few clusters, small degrees of freedom.
    formula : str
        The model as it was fitted.
    vcov_name : str
        Which covariance.
    weighted : str
        What weights the rows have; empty without.
    by_kind : dict of str to list of str
        What to note of covariances by their name, where a trial says that they are not right.
    aside : list of int
        The columns of the design that stand for strata and sets; notes on degrees of freedom pass them over.
    strata_terms : list of str
        The coefficients of the trial's strata or sets, which tables print as one line and figures leave out.
    mark : str
        The trial that `design=` joined, by name and hash; empty without one.
    arm : str
        The column that holds the arm of the trial; empty without one.
    """

    model: str
    formula: str
    terms: list[str]
    n: int
    clusters: int | None
    cluster_name: str | None
    level: float
    df_residual: float
    statistics: dict[str, float]
    base_notes: list[str]
    synthetic: bool
    keep_data: bool
    implementation: Any = field(repr=False)
    data: Data | None = field(repr=False)
    vcov_name: str = ""
    df_rule: str = "default"
    by_kind: dict[str, list[str]] = field(default_factory=dict)
    aside: list[int] = field(default_factory=list)
    weighted: str = ""
    strata_terms: list[str] = field(default_factory=list)
    mark: str = ""
    arm: str = ""
    _cov: Floats = field(default_factory=lambda: np.empty((0, 0)), repr=False)
    _vcov: _core.Covariance | None = field(default=None, repr=False)
    _vcov_notes: list[str] = field(default_factory=list, repr=False)
    _tables: dict[float, _core.Contrasts] = field(default_factory=dict, repr=False)

    def _needs_data(self) -> Data:
        if self.data is None:
            raise fault(
                InputError,
                "this fit was loaded without its data",
                remedy="Fit the model again, or pickle it with keep_data=True",
            )
        return self.data

    # -- covariance ------------------------------------------------------------------------

    def vcov(self, kind: AnyVcov, df: DfRule = "default") -> Any:
        """Give the same fit with another covariance, without refitting.

        Parameters
        ----------
        kind : str
            `"iid"`, `"HC0"` to `"HC3"`, `"CR0"`, `"CR1"`, `"CR1S"`, `"CR2"`, `"CR3"`, `"CV3"` (which
            `"jackknife"` names too), `"CV3L"` or, of linear models with clusters, `"hansen"`.
        df : {"default", "residual"}
            `"residual"` refers every test to n − k degrees of freedom.
        """
        if df not in ("default", "residual"):
            raise fault(InputError, f"df={df!r} is unknown", remedy="Use 'default' or 'residual'")
        if not isinstance(kind, str):
            raise fault(
                InputError,
                f"vcov takes the name of a covariance, not a {type(kind).__name__}",
                remedy="Name it, for instance vcov='CR2', and the clusters as cluster='family_id'",
            )
        data = self._needs_data()
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        covariance = self._named(data, kind, df == "residual")
        other.vcov_name = covariance.kind
        other.df_rule = df
        other._cov = covariance.matrix
        other._vcov, other._vcov_notes = covariance, covariance.notes
        if df == "default":
            other._vcov_notes = [*covariance.notes, *other._of_few_clusters(data)]
        other._tables, other._beneath = {}, None
        return other

    def _named(self, data: Data, kind: str, residual: bool) -> _core.Covariance:
        """Ask the core for a covariance by its name."""
        if isinstance(data.core, _core.ClusteredFit):
            return data.core.covariance(kind, residual)
        return data.core.covariance(kind, data.groups, residual, self.aside)

    def _simulated(self) -> str:
        """Give the name by which the simulations of few clusters know the model; empty where they do not."""
        return ""

    def _of_few_clusters(self, data: Data, procedure: str = "") -> list[str]:
        """Say where simulations found that this covariance does not hold with so few clusters, and what did.

        `procedure` names another that is asked of the fit, such as a bootstrap.
        """
        groups = data.groups
        few = groups is not None and groups.count <= _FEW and len(data.y) <= _ROWS * groups.count
        name = procedure or self._simulated()
        if groups is None or not few or not name or self.weighted:
            return []
        _, arms = clusters_by_arm(data.design, groups, self.arm)
        kind = "CR1" if procedure else self.vcov_name
        said = _core.few_clusters(name, kind, list(arms.values()), data.y)
        return [] if said is None else [said]

    def _covariance(self) -> _core.Covariance:
        self._needs_data()
        assert self._vcov is not None, "vcov() gave a covariance to every fit that has its data"
        return self._vcov

    def _columns_of_terms(self) -> dict[str, list[int]]:
        design = None if self.data is None else self.data.design
        if design is None:
            return {}
        shift = int(design.intercept)
        return {term: [j + shift for j in found] for term, found in design.term_columns.items()}

    def __getstate__(self) -> dict[str, Any]:
        # A fit that is loaded without its data still answers at its own level.
        self._table()
        self._at_a_glance()
        state = self.__dict__.copy()
        state["_vcov"] = None
        kept = None
        if self.keep_data and self.data is not None:
            data = self.data
            kept = (data.x, data.y, data.clusters, data.design, data.weights)
        state["data"] = kept
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        kept = state.pop("data")
        self.__dict__.update(state)
        self.data = None
        if kept is not None:
            self._refit(*kept)
            restored = self.vcov(cast(AnyVcov, self.vcov_name), cast(DfRule, self.df_rule))
            self.__dict__.update(restored.__dict__)

    def _refit(
        self,
        x: Floats,
        y: Floats,
        clusters: pd.Series[Any] | None,
        design: Design | None,
        weights: _core.Weights | None,
    ) -> None:
        raise NotImplementedError

    # -- numbers ---------------------------------------------------------------------------

    def _coefficients(self, level: float) -> _core.Contrasts:
        return self._covariance().coefficients(level)

    @property
    def notes(self) -> list[str]:
        """What a reader of the result must know."""
        own = self.by_kind.get(self.vcov_name, [])
        return [*self.base_notes, *own, *self._vcov_notes]

    def tidy(self, level: float | None = None) -> Any:
        """Give the coefficients as a frame of the kind that the data came in.

        Columns: `term, estimate, std_error, statistic, df, p_value, conf_low, conf_high`.
        """
        return self._tidied(level)

    def glance(self) -> Any:
        """Give one row about the whole fit."""
        return self._build({key: [value] for key, value in self._glance().items()})

    def _glance(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "n": self.n,
            "clusters": np.nan if self.clusters is None else self.clusters,
            "vcov": self.vcov_name,
            "df_residual": self.df_residual,
            **self.statistics,
        }

    def residuals(self) -> Floats:
        """Residuals on the response scale, one for each analysed row."""
        return self._needs_data().core.residuals()

    # -- questions -------------------------------------------------------------------------

    def margins(
        self,
        term: str,
        at: AveragedOver = "means",
        by: str | None = None,
        values: Sequence[Any] | None = None,
        level: float | None = None,
        compare: Compare = "difference",
    ) -> Margins:
        """Give predicted levels of the outcome at each value of a term, and their comparisons.

        At `"means"` (the report's "re-weighted means") every other variable stands at its mean over all analysed
        rows of both arms: a category at its observed shares, transformed columns and interactions recomputed from
        the set values. That is the product of the means and shares of the separate variables: Stata's
        `margins, atmeans`, emmeans' `weights="outer"`. At `"observed"` the prediction is averaged over the rows
        with the term set to each value (g-computation). The two are the same number only in a linear model without
        products among the covariates and without transformed ones.

        With weights, means and averages are weighted. Covariate means are taken as fixed. Standard errors and degrees
        of freedom are those of the contrast that each level is (its gradient, by the delta method), under the
        covariance of this fit. Ratios and odds ratios are compared on the log scale: `std_error`, `statistic` and
        `p_value` are those of the logarithm, `estimate` and limits the ratio's.

        Parameters
        ----------
        term : str
            The variable (a column of the data, not a dummy).
        at : {"means", "observed"}
        by : str, optional
            A second variable, at each of whose values the levels are given (`at="observed"` then averages over
            all rows with both set).
        values : sequence, optional
            The values of the term; needed for a number with more than ten.
        level : float, optional
            Of the intervals.
        compare : {"difference", "ratio", "odds_ratio"}
            How later levels are compared with the first.
        """
        return margins(self, term, at=at, by=by, values=values, level=level, compare=compare)

    def predict(
        self,
        data: Any = None,
        kind: Literal["response", "link"] = "response",
        level: float | None = None,
    ) -> Any:
        """Predict the outcome for the analysed rows, or for the rows of other data.

        Parameters
        ----------
        data : data frame, or array (m, p), optional
            With the columns of the formula; for a fit from arrays the columns of X. A row with a missing value gets
            none. Categories that the model has not seen are refused.
        kind : {"response", "link"}
            The mean of the outcome, or the linear predictor.
        level : float, optional
            Adds `std_error, df, conf_low, conf_high`: of the mean, not of a new outcome.

        Returns
        -------
        frame
            `estimate`, one row a row of the data, of the data's own kind.
        """
        return predict(self, data, kind, level)

    def _margin_methods(self, at: str) -> list[str]:
        return []

    def diagnostics(self, terms: Sequence[str] | None = None) -> ClusterDiagnostics:
        """Say how much the fit rests on single clusters, and whether its covariance is to be trusted.

        Clusters of each arm and their sizes; leverage and partial leverage of each cluster and the estimates without it
        (MacKinnon, Nielsen and Webb 2023); the effective number of clusters (Carter, Schnepel and Steigerwald 2017). Without
        a cluster linear models are exact, logit and probit are fitted again, and estimating equations and mixed models hold
        what else they estimate.

        Parameters
        ----------
        terms : sequence of str, optional
            Coefficients as `tidy()` names them; by default those of the arm, or of the first variable if no cluster has two
            values of it, else all but intercept and strata.

        Returns
        -------
        ClusterDiagnostics
            With `tidy()`, `by_cluster()`, `plot()`, and `doubt`, a sentence where the covariance is not to be trusted.

        Raises
        ------
        InputError
            For a fit without clusters.
        """
        from crewe.models.diagnostics import diagnose, without_clusters

        self._needs_data()
        parts = self._clustering()
        if parts is None:
            raise without_clusters()
        return diagnose(self, parts, terms)

    def _clustering(self) -> Clustering | None:
        from crewe.models.diagnostics import Clustering

        data = self.data
        if data is None or data.groups is None:
            return None
        shift = int(bool(self.terms) and self.terms[0] == "Intercept")
        return Clustering(
            # Estimating equations refuse a sandwich where one cluster alone informs a term; the model's own knows them too.
            self._named(data, "iid" if isinstance(data.core, _core.ClusteredFit) else "CR0", False),
            data.groups,
            None if data.clusters is None else data.clusters.to_numpy(),
            data.design,
            self.arm,
            [self.terms[j + shift] for j in self.aside],
        )

    # -- presentation ----------------------------------------------------------------------

    def methods(self) -> list[str]:
        """Say in plain sentences what was done, for the methods section of a report."""
        text = [f"{self.model}: {self.formula}.", f"Uncertainty: {self._definition()}."]
        if self.df_rule == "residual":
            text.append("Degrees of freedom were set to n − k on request.")
        if self.weighted:
            text.append(f"{self.weighted}.")
        if self.clusters is not None and self.cluster_name:
            text.append(f"Clusters: {self.clusters:,} of {self.cluster_name}.")
        return text

    def _definition(self) -> str:
        return DEFINITIONS[self.vcov_name]

    def _summary_table(self, level: float | None = None) -> Table:
        level = self._level(level)
        table = self._table(level)
        percent = f"{100 * level:g}%"
        columns = [table.estimate, table.std_error, table.statistic, table.df, table.p_value]
        strata = set(self.strata_terms)
        rows = [
            [
                worded_term(term),
                number(b),
                number(se),
                number(t, 2),
                number(df, 1),
                p_value(p) + stars(p),
                number(low),
                number(high),
            ]
            for term, b, se, t, df, p, low, high in zip(
                self.terms, *columns, table.conf_low, table.conf_high, strict=True
            )
            if term not in strata
        ]
        if strata:
            rows.append([of_strata(len(strata)), *[""] * 7])
        size = f"{self.n:,} rows"
        if self.clusters is not None:
            size += f", {self.clusters:,} clusters ({self.cluster_name})"
        fit = ", ".join(
            f"{key.replace('_', ' ')} {value:{',.1f' if abs(value) >= 1e4 else '.4g'}}".replace(
                " -", f" {MINUS}"
            )
            for key, value in self.statistics.items()
        )
        notes: list[Any] = [f"{size}; {fit}.", *([f"{self.weighted}."] if self.weighted else [])]
        rests, relations = self._rests_on()
        notes += [f"{self._definition()}.", *rests, *self._sentences()]
        statistic = "z" if np.isinf(table.df).all() else "t"
        header = ["term", "estimate", "std. error", statistic, "df", "p", f"{percent} low", "high"]
        title = f"{self.model}: {self.formula}" + (" (SYNTHETIC data)" if self.synthetic else "")
        return Table(
            header,
            rows,
            title=title,
            notes=[n[:1].upper() + n[1:] if isinstance(n, str) else n for n in notes],
            relations=relations,
        )

    def _sentences(self) -> list[str]:
        return [f"Note: {note}." for note in self.notes]

    def summary(self, level: float | None = None) -> Table:
        """Give the printed table."""
        return self._summary_table(level)

    def _panels(self) -> list[Table]:
        return [self.summary()]

    def plot(self, **options: Any) -> Any:
        """Draw the coefficients with their intervals; see :func:`crewe.coefplot`."""
        from crewe.plots import coefplot

        return coefplot(self, **options)


@contextmanager
def rows_of_the_data(rows: NDArray[np.int64] | None) -> Iterator[None]:
    """Let an error count rows as the user's data do, and not as the rows that were kept."""
    try:
        yield
    except CreweError as error:
        if rows is None or not error.rows or len(rows) == rows[-1] + 1:
            raise
        places = [int(rows[row]) for row in error.rows]
        raise fault(
            type(error),
            error.problem,
            column=error.column,
            rows=places,
            values=error.values,
            remedy=error.remedy,
        ) from None


def design_needs_a_formula() -> CreweError:
    """Say that arrays hold no identifiers to join a trial by."""
    return fault(
        InputError,
        "design= joins a trial by the identifiers in the data, and arrays have none",
        remedy="Pass a formula and the data frame, or cluster=ids with the arrays",
    )


def array_clusters(
    cluster: Any, n: int, index: Any = None
) -> tuple[NDArray[np.uint32], pd.Series[Any] | None]:
    """Give the cluster of each row of arrays as a code; integers are codes already.

    Ids whose rows have labels are brought into the order of `index`.
    """
    values = np.asarray(aligned(cluster, index, "cluster"))
    if values.ndim != 1:
        raise fault(
            InputError,
            f"cluster cannot be a {type(cluster).__name__}",
            column="cluster",
            remedy="Name a column of the data, or pass one id for each row",
        )
    if len(values) != n:
        raise fault(
            InputError,
            f"{len(values)} cluster ids for {n} rows",
            column="cluster",
            remedy="Pass one id for each row of the data, those that are left out included",
        )
    if values.dtype.kind in "iu" and values.size and 0 <= values.min() <= values.max() < 2**32 - 1:
        return np.ascontiguousarray(values, dtype=np.uint32), pd.Series(values)
    codes, _ = Source(pd.DataFrame({"cluster": values})).ids("cluster")
    return codes, pd.Series(values)
