"""The wild cluster bootstrap of a fitted model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from crewe import _core
from crewe.comparisons.samples import count
from crewe.exceptions import DesignError, InputError, fault
from crewe.frames.arguments import checked
from crewe.frames.source import numbers
from crewe.models.arm import clusters_by_arm
from crewe.models.families import Binary
from crewe.models.linear import Data, Linear
from crewe.models.regression import OLS
from crewe.resampling._wild_result import WildBootstrap
from crewe.survival._cox_model import CoxPH
from crewe.tables.wording import carry, words_of

Floats = NDArray[np.float64]

_FEW_TREATED = 6
"""So many clusters on one side of a comparison are too few for the wild bootstrap."""


@checked
def wild_bootstrap(
    fit: Any,
    term: str | Sequence[Any] | Mapping[str, float] | Floats,
    draws: int = 9_999,
    seed: int | None = None,
    *,
    value: float | Sequence[float] = 0.0,
    kind: Literal["11", "13", "31", "33"] | None = None,
    null: bool = True,
    weights: Literal["rademacher", "webb", "mammen"] = "rademacher",
    p: Literal["symmetric", "equal-tailed"] = "symmetric",
    level: float | None = None,
    interval: bool = True,
) -> WildBootstrap:
    r"""Test a coefficient of a clustered fit by the wild cluster bootstrap.

    With few clusters, or clusters of very different sizes, t tests by a cluster-robust standard error reject too
    often. The bootstrap multiplies the scores of whole clusters by random weights, refits, and compares the fit's own t
    statistic with those of the draws.

    Parameters
    ----------
    fit : fit
        Of :func:`crewe.ols`, weighted or not, with clusters; or of :func:`crewe.logit` or :func:`crewe.probit`, whose
        scores are bootstrapped (Kline and Santos 2012).
    term : str, sequence, mapping of term to weight, or array
        As ``fit.test`` and ``fit.contrast`` take them: a term, a factor as a whole, `"a - b = 0"`; several are tested
        jointly.
    draws : int
        The number of draws. All signs are used instead where they are no more than these and the trial itself.
    seed : int, optional
        Of the draws; by default one from the operating system, which the result reports. A draw is found by its number:
        the same seed gives the same bits on any number of threads.
    value : float, or sequence of float
        What the hypothesis says the term is; one a row of several.
    kind : {"11", "13", "31", "33"}, optional
        The first digit: 1 scores as they are, 3 transformed by the jackknife; the second: 1 the CR1 variance, 3 the
        jackknife's. Default: `"11"` with more than 20 clusters, else `"33"`,
        or `"11"` where a contrast cannot be estimated without one of them.
    null : bool
        Whether the hypothesis is imposed on the draws (WCR), which holds the size better, or not (WCU).
    weights : {"rademacher", "webb", "mammen"}
        Webb's have more different draws, for fewer than about ten clusters.
    p : {"symmetric", "equal-tailed"}
        What is as extreme: |t*| at least |t|, or twice the smaller tail.
    level : float, optional
        Of the interval; by default the fit's.
    interval : bool
        Whether the test is inverted into an interval (not for several contrasts).

    Returns
    -------
    WildBootstrap

    Raises
    ------
    InputError
        A fit without clusters, a Cox model, an unknown term, fewer draws than 1 / (1 - level), outcomes that are all
        equal, a type that leaves out a cluster without which the term cannot be estimated.
    DesignError
        A term that a single cluster has, or that all but one have.
    ConvergenceError
        A logit or probit that has no maximum under the hypothesis.

    Notes
    -----
    With :math:`\tilde\beta` the estimates under the hypothesis (or without it) and :math:`\tilde s_g` the score of
    cluster g there, a draw v gives :math:`\beta^* = \tilde\beta + (X'X)^{-1} \sum_g v_g \tilde s_g`, and the scores of
    its residuals are :math:`v_g \tilde s_g - X_g'X_g (\beta^* - \tilde\beta)`. So scores and cross-products by cluster
    are all it takes, however large the clusters are. Of all signs p is the share of draws as extreme as the fit, those of
    the fit included; of n draws :math:`(1 + x)/(1 + n)`. The interval holds the values that are not rejected, found by
    bisection over the same draws.

    J. G. MacKinnon, M. Ø. Nielsen and M. D. Webb (2023), doi:10.1002/jae.2969.

    Examples
    --------
    >>> import crewe as cw
    >>> trial = cw.datasets.achievement_awards()
    >>> fit = cw.ols(
    ...     "Bagrut_status ~ treated + girl + siblings",
    ...     trial[trial["year"] == 2001],
    ...     cluster="school_id",
    ... )
    >>> test = cw.wild_bootstrap(fit, "treated", seed=2017)
    >>> test.method, test.clusters
    ('WCR-11', 39)
    >>> bool(test.conf_int[0] < test.estimate < test.conf_int[1])
    True
    """
    model = _model(fit)
    matrix, label = _contrasts(model, term)
    values = _values(value, len(matrix))
    draws = count(draws, "draws")
    level = model._level(level)
    notes = _few_treated(model, matrix)
    data = model._needs_data()
    if data.groups is None:
        raise fault(
            InputError,
            "the wild cluster bootstrap needs to know the clusters, and the fit has none",
            remedy="Fit it with cluster=, the unit that was randomised, or with design=assignment",
        )
    if kind is None and null and _of_the_arm(model, data, matrix):
        procedure = {"OLS": "wild bootstrap", "logit": "score bootstrap"}.get(model._simulated())
        notes += model._of_few_clusters(data, procedure) if procedure else []
    options = _core.WildOptions(draws, _seed(seed), level, interval).of(
        None if kind is None else str(kind), null, str(weights), str(p)
    )
    covariance = model._named(data, "CR1", False)
    found = _core.wild_bootstrap(covariance, matrix, values, options)
    result = WildBootstrap(
        level,
        [*notes, *found.notes],
        model.synthetic,
        model.implementation,
        term=label,
        value=float(values[0]) if len(values) == 1 else 0.0,
        estimate=found.estimate,
        std_error=found.std_error,
        statistic=found.statistic,
        p_value=found.p_value,
        conf_int=found.interval,
        distribution=found.distribution,
        kind=found.kind,
        null=null,
        weights=str(weights),
        p=str(p),
        contrasts=found.contrasts,
        draws=found.draws,
        exact=found.exact,
        clusters=found.clusters,
        cluster_name=model.cluster_name or "",
        seed=found.seed,
        model=model.formula,
        score=isinstance(model, Binary),
    )
    return carry(result, words_of(model))


def _of_the_arm(model: Linear, data: Data, matrix: Floats) -> bool:
    """Say whether contrasts are of the arm alone."""
    groups = data.groups
    arm, _ = ("", None) if groups is None else clusters_by_arm(data.design, groups, model.arm)
    own = model._columns_of_terms().get(arm, [])
    return bool(own) and set(np.flatnonzero(matrix.any(axis=0)).tolist()) <= set(own)


def _model(fit: Any) -> Linear:
    if isinstance(fit, CoxPH):
        raise fault(
            InputError,
            "the wild bootstrap is not defined for a Cox model: its likelihood is no sum over clusters",
            remedy="Use cw.randomisation_test(fit, design=assignment), which needs no variance between clusters",
        )
    if not isinstance(fit, OLS | Binary):
        raise fault(
            InputError,
            f"a {type(fit).__name__} has no wild bootstrap",
            remedy="Pass a fit of cw.ols, cw.logit or cw.probit",
        )
    return fit


def _contrasts(model: Linear, term: Any) -> tuple[Floats, str]:
    """Give the contrasts that are tested, one a row, and what they are called."""
    if isinstance(term, str):
        matrix = np.ascontiguousarray(model._rows_of_a_test(term))
        named = np.flatnonzero(matrix[0])
        if len(matrix) == 1 and len(named) == 1 and matrix[0, named[0]] == 1.0:
            return matrix, model.terms[named[0]]
        return matrix, term.partition("=")[0].strip()
    if not isinstance(term, Mapping) and len(term) and all(isinstance(one, str) for one in term):
        rows = np.vstack([model._rows_of_a_test(one) for one in term])
        return rows, ", ".join(str(one) for one in term)
    matrix, labels = model._contrast_matrix(term)
    return np.ascontiguousarray(matrix, dtype=np.float64), ", ".join(labels)


def _values(value: Any, rows: int) -> Floats:
    values = np.atleast_1d(numbers(value, "value") if np.ndim(value) else np.float64(value))
    if values.shape == (1,):
        values = np.repeat(values, rows)
    return np.ascontiguousarray(values, dtype=np.float64)


def _seed(seed: int | None) -> int | None:
    found = None if seed is None else _core.read_seed(seed)
    if found is not None and not isinstance(found, int):
        raise fault(
            InputError,
            "the seed of a bootstrap is a whole number: there is nothing to conceal",
            remedy="Give for instance seed=1",
        )
    return found


def _few_treated(model: Linear, matrix: Floats) -> list[str]:
    """Note a term that few clusters have, as where few were treated; one that a single one has is refused."""
    data = model.data
    used = np.flatnonzero(matrix.any(axis=0)) - int(model.terms[:1] == ["Intercept"])
    if data is None or data.clusters is None or len(used) != 1 or used[0] < 0:
        return []
    column = data.x[:, used[0]]
    if not np.isin(column, (0.0, 1.0)).all():
        return []
    codes = np.unique(np.asarray(data.clusters), return_inverse=True)[1]
    rows, ones = np.bincount(codes), np.bincount(codes, weights=column)
    if ((ones > 0) & (ones < rows)).any():
        return []
    treated, everybody = int(np.count_nonzero(ones)), len(rows)
    fewest = min(treated, everybody - treated)
    name = model.terms[int(np.flatnonzero(matrix.any(axis=0))[0])]
    if fewest == 1:
        raise fault(
            DesignError,
            f"one of {everybody} clusters is by itself on one side of '{name}'",
            remedy="A side needs at least two clusters, or its variation cannot be known: use a randomisation test",
        )
    if fewest >= _FEW_TREATED:
        return []
    return [
        f"{fewest} of {everybody} clusters are on one side of {name}: with so few the bootstrap rejects too seldom "
        "where it imposes the hypothesis and too often where it does not (MacKinnon and Webb 2017); prefer a "
        "randomisation test"
    ]
