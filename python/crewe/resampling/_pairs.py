"""The pairs cluster bootstrap of any statistic."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crewe import _core
from crewe.comparisons.samples import Result, count, interval_heading, kind_of
from crewe.exceptions import CreweError, DesignError, InputError, fault, from_signal
from crewe.frames.arguments import check_methods, checked
from crewe.frames.source import Source, build
from crewe.parallel import bar, spread
from crewe.plots import style
from crewe.plots.distribution import histogram
from crewe.resampling._result import limits
from crewe.tables.display import Table, number, p_value

Floats = NDArray[np.float64]

_LEAST = 16
"""The fewest replicates that are worth sending to a worker."""


@dataclass(repr=False)
class PairsBootstrap(Result):
    """A pairs cluster bootstrap; made by :func:`pairs_bootstrap`.

    Attributes
    ----------
    statistic_name : str
        What was computed.
    estimate : float
        The statistic of the data.
    std_error, bias : float
        The standard deviation of the replicates, and their mean less the estimate.
    percentile : tuple of float
        The interval between quantiles of the replicates.
    studentised : tuple of float or None
        The bootstrap-t interval, where the statistic has a standard error.
    p_value : float
        That the statistic is `null`; never 0.
    null : float
        What the hypothesis says.
    replicates : array
        The statistic of every replicate.
    draws, seed : int
        How many replicates, and the seed of their draws.
    clusters, strata : int
        How many clusters, and how many strata they were drawn within.
    """

    statistic_name: str = "statistic"
    estimate: float = np.nan
    std_error: float = np.nan
    bias: float = np.nan
    percentile: tuple[float, float] = (np.nan, np.nan)
    studentised: tuple[float, float] | None = None
    p_value: float = np.nan
    null: float = 0.0
    replicates: Floats = field(default_factory=lambda: np.empty(0), repr=False)
    draws: int = 0
    seed: int = 0
    clusters: int = 0
    strata: int = 1
    cluster_name: str = ""
    strata_name: str = ""

    @property
    def conf_int(self) -> tuple[float, float]:
        """The bootstrap-t interval where there is one, else that of the percentiles."""
        return self.percentile if self.studentised is None else self.studentised

    def _rows(self) -> list[dict[str, Any]]:
        low, high = self.conf_int
        return [
            {
                "term": self.statistic_name,
                "estimate": self.estimate,
                "std_error": self.std_error,
                "p_value": self.p_value,
                "conf_low": low,
                "conf_high": high,
                "bias": self.bias,
            }
        ]

    def glance(self) -> Any:
        """Give one row about the whole bootstrap."""
        row = {
            "interval": "percentile" if self.studentised is None else "bootstrap-t",
            "clusters": self.clusters,
            "strata": self.strata,
            "draws": self.draws,
            "p_value": self.p_value,
        }
        columns = {key: [value] for key, value in row.items()}
        return build(columns, self.implementation, synthetic=self.synthetic)

    def methods(self) -> list[str]:
        """Say in sentences how the numbers were worked out."""
        within = f", within {self.strata_name}" if self.strata_name else ""
        kind = (
            "between quantiles of the replicates (percentile)"
            if self.studentised is None
            else "by quantiles of the replicates' t statistics (bootstrap-t)"
        )
        return [
            f"Pairs cluster bootstrap of {self.statistic_name}: {self.clusters} clusters of {self.cluster_name} drawn "
            f"with replacement{within}, {self.draws:,} times (seed {self.seed}).",
            f"The interval lies {kind}; p is twice the smaller tail, each count and the draws increased by 1.",
        ]

    def table(self) -> Table:
        """Give the table that is printed."""
        header = ["", "estimate", "bootstrap SE", interval_heading(self.level), "bias", "p"]
        row = [
            self.statistic_name,
            number(self.estimate, 3),
            number(self.std_error, 3),
            limits(*self.conf_int),
            number(self.bias, 3),
            p_value(self.p_value),
        ]
        title = self._titled(f"Pairs cluster bootstrap: {self.statistic_name}")
        notes = [*self.methods(), *(f"Note: {note}." for note in self.notes)]
        return Table(header, [row], title, notes)

    def plot(self, *, bins: int = 41, ax: Any = None) -> Any:
        """Draw the distribution of the replicates with the statistic of the data.

        Parameters
        ----------
        bins : int
            The number of bars.
        ax : matplotlib Axes, optional
            Where to draw.

        Returns
        -------
        matplotlib.axes.Axes
        """
        grey, ink = style.arm_styles(["draws", "observed"]).values()
        with style.printed():
            ax = histogram(
                self.replicates, None, self.estimate, bins=bins, colours=(grey, ink), ax=ax
            )
            ax.set_xlabel(f"Bootstrapped {self.statistic_name}")
            ax.set_ylabel("Share of replicates (%)")
        style.alt_text(
            ax,
            f"Histogram of {self.statistic_name} over {self.draws:,} replicates of a pairs cluster bootstrap, standard "
            f"deviation {self.std_error:.3g}; the observed value is {self.estimate:.3g}.",
        )
        if self.synthetic:
            style.label_synthetic(ax)
        return ax


check_methods(PairsBootstrap)


@checked
def pairs_bootstrap(
    data: Any,
    statistic: Callable[..., Any],
    cluster: str,
    strata: str | None = None,
    draws: int = 999,
    seed: int | None = None,
    *,
    null: float = 0.0,
    level: float = 0.95,
    progress: bool | None = None,
    executor: Executor | None = None,
    synthetic: bool = False,
) -> PairsBootstrap:
    r"""Bootstrap any statistic by drawing whole clusters with replacement.

    Parameters
    ----------
    data : data frame
        pandas, polars, pyarrow or DuckDB.
    statistic : callable of (frame)
        Called with a frame of the kind of `data` (lazy frames collected, DuckDB's as Arrow tables): returns a number, or a pair of an estimate and its standard error,
        which gives the bootstrap-t interval.
    cluster : str
        The column of the unit that was randomised. In what the statistic is called with it holds numbers, one for each
        cluster drawn: a cluster that was drawn twice is two clusters.
    strata : str, optional
        A column within whose values clusters are drawn, such as the arm, so that every replicate has as many clusters an
        arm as the trial. Constant within clusters.
    draws : int
        The number of replicates.
    seed : int, optional
        Of the draws; by default one from the operating system, which the result reports. A replicate is found by its
        number, so results are the same however the work is shared.
    null : float
        What the hypothesis of `p_value` says the statistic is.
    level : float
        Of the intervals.
    progress : bool, optional
        Whether progress is shown; by default where it takes over two seconds.
    executor : concurrent.futures.Executor, optional
        What shares the calls among processes or machines, with the same result.
    synthetic : bool
        Marks every table and figure as made from synthetic data.

    Returns
    -------
    PairsBootstrap

    Raises
    ------
    InputError
        Unknown columns, ids that are missing, fewer draws than 1 / (1 - level), a statistic that is not finite on every
        replicate.
    DesignError
        A cluster in several strata, or a stratum of a single cluster.

    Notes
    -----
    The percentile interval lies between the quantiles of the replicates; quantile a of n is number :math:`a (n + 1)` in
    order. With standard errors :math:`t_b = (\theta_b - \theta)/s_b`, and the interval is
    :math:`\theta - s\,t_{(1-a/2)}` to :math:`\theta - s\,t_{(a/2)}` (Efron and Tibshirani 1993, 12.5 and 13.3). With few
    clusters percentile intervals are too short; the bootstrap-t is better, and for a linear model
    :func:`crewe.wild_bootstrap`.

    Examples
    --------
    >>> import crewe as cw
    >>> children = cw.datasets.project_crewe(seed=2017).children
    >>> found = cw.pairs_bootstrap(
    ...     children, lambda frame: frame["age"].mean(), "family_id", draws=99, seed=1
    ... )
    >>> found.clusters, bool(found.percentile[0] < found.estimate < found.percentile[1])
    (132, True)
    """
    source = Source(data)
    if not callable(statistic):
        raise fault(
            InputError,
            f"the statistic is a {type(statistic).__name__}, not a function of the frame",
            remedy="Pass a function that takes a frame and returns a number, or an estimate with its standard error",
        )
    level = _core.check_level(level)
    draws = _enough(count(draws, "draws"), level)
    seed = _core.system_seed() if seed is None else _core.read_seed(seed)
    if not isinstance(seed, int):
        raise fault(
            InputError,
            "the seed of a bootstrap is a whole number: there is nothing to conceal",
            remedy="Give for instance seed=1",
        )
    codes, labels = source.ids(cluster)
    if len(labels) < 2:
        raise fault(
            InputError,
            f"a bootstrap by clusters needs at least 2 clusters, and there {'is' if len(labels) == 1 else 'are'} "
            f"{len(labels)}",
            column=cluster,
            remedy="With one cluster nothing can be said about the variation between clusters: check the column of ids",
        )
    layers, names = _layers(source, strata, codes, labels)
    eager = Source(source.native())
    trial = _Clusters(statistic, eager, cluster, codes, layers, seed)
    estimate, error = _pair(statistic(eager.native()))
    if not np.isfinite(estimate):
        raise fault(
            InputError,
            "the statistic of the data is not a finite number",
            values=[str(estimate)],
            remedy="Let the function return one number, or a pair of an estimate and its standard error",
        )
    if executor is None:
        made = [trial.values(0, draws, progress)]
    else:
        made = spread(
            executor,
            trial.values,
            draws,
            _LEAST,
            "replicates",
            given=lambda first, end: (first, end, False),
        )
    values = np.concatenate([part for part, _, _ in made])
    errors = np.concatenate([part for _, part, _ in made])
    failed = np.flatnonzero(~np.isfinite(values)).tolist()
    if failed:
        reason = next((said for *_, said in made if said), "")
        raise fault(
            InputError,
            f"the statistic is not a finite number on {len(failed)} of {draws} replicates",
            values=[reason or f"replicate {failed[0]}: {values[failed[0]]}"],
            remedy="Draw the clusters within strata (strata='arm'), or give the statistic a value wherever a replicate "
            "may lead: leaving such replicates out would bias the interval",
        )
    has_errors = error is not None
    found = _core.bootstrap_replicates(
        (estimate, error), values, errors if has_errors else None, float(null), level
    )
    return PairsBootstrap(
        level,
        [],
        synthetic or source.synthetic,
        kind_of(source),
        statistic_name=str(getattr(statistic, "__name__", "statistic")).replace(
            "<lambda>", "statistic"
        ),
        estimate=estimate,
        std_error=found.std_error,
        bias=found.bias,
        percentile=found.percentile,
        studentised=found.studentised,
        p_value=found.p_value,
        null=float(null),
        replicates=values,
        draws=draws,
        seed=seed,
        clusters=len(labels),
        strata=names,
        cluster_name=cluster,
        strata_name=strata or "",
    )


def _enough(draws: int, level: float) -> int:
    least = int(np.ceil((1 - 1e-12) / (1 - level)))
    if not least <= draws <= 10_000_000:
        raise fault(
            InputError,
            f"{draws} draws are too {'few' if draws < least else 'many'} for an interval at {100 * level:g}%",
            values=[f"draws = {draws}"],
            remedy=f"Draw at least {least} times; 999 serve for intervals, 9,999 for p-values",
        )
    return draws


def _layers(
    source: Source, strata: str | None, codes: NDArray[np.uint32], labels: list[str]
) -> tuple[NDArray[np.uint32], int]:
    """Give the stratum of every cluster, and how many strata there are."""
    layers = np.zeros(len(labels), dtype=np.uint32)
    if strata is None:
        return layers, 1
    of_rows, names = source.ids(strata)
    layers[codes] = of_rows
    split = np.unique(codes[layers[codes] != of_rows])
    if len(split):
        raise fault(
            DesignError,
            f"{len(split)} clusters are in several strata",
            column=strata,
            ids=[labels[code] for code in split],
            remedy="A cluster is drawn as a whole: strata= is constant within clusters",
        )
    alone = [names[code] for code, n in enumerate(np.bincount(layers)) if n == 1]
    if alone:
        raise fault(
            DesignError,
            f"{len(alone)} of {len(names)} strata have a single cluster, which would be drawn every time",
            column=strata,
            labels=alone,
            remedy="Name a coarser column, such as the arm",
        )
    return layers, len(names)


def _pair(returned: Any) -> tuple[float, float | None]:
    """Read a number, or an estimate with its standard error."""
    pair = isinstance(returned, tuple | list) or np.ndim(returned) == 1
    one: Any = returned
    try:
        if pair:
            estimate, error = (float(one) for one in returned)
            return estimate, error
        return float(one), None
    except (TypeError, ValueError) as error:
        raise fault(
            InputError,
            f"the statistic returned a {type(returned).__name__}, not a number",
            remedy="Let the function of (frame) return one number, or a pair of an estimate and its standard error",
        ) from error


@dataclass(frozen=True)
class _Clusters:
    """The user's function with what it is called on, as it travels to those who call it."""

    function: Callable[..., Any]
    source: Source
    cluster: str
    codes: NDArray[np.uint32]
    layers: NDArray[np.uint32]
    seed: int

    def values(self, first: int, end: int, progress: bool | None) -> tuple[Floats, Floats, str]:
        """Call the function on these replicates; with standard errors, and the first reason why it gave none."""
        order = np.argsort(self.codes, kind="stable")
        sizes = np.bincount(self.codes, minlength=len(self.layers))
        members = np.split(order, np.cumsum(sizes)[:-1])
        drawn = _core.bootstrap_pairs(self.layers, first, end, self.seed)
        values, errors, reason = np.empty(len(drawn)), np.full(len(drawn), np.nan), ""
        for i, row in enumerate(bar(drawn, unit="replicate", shown=progress)):
            rows = np.concatenate([members[cluster] for cluster in row])
            fresh = np.repeat(np.arange(len(row)), sizes[row])
            frame = self.source.take(rows.tolist()).with_columns({self.cluster: fresh})
            try:
                values[i], error = _pair(self.function(frame))
                errors[i] = np.nan if error is None else error
            except (ArithmeticError, ValueError, CreweError) as error:
                if (raised := from_signal(error)) is not None:
                    raise raised from None
                values[i], reason = np.nan, reason or f"{type(error).__name__}: {error}"
        return values, errors, reason
