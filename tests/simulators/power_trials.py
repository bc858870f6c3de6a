"""Trials simulated member by member, and the tests that they are analysed with: how often does each reject?

Written from the designs alone: nothing of crewe is imported here, and no formula of its closed forms. Every function gives
the share of rejections among `reps` trials.
"""

from __future__ import annotations

import numpy as np
from scipy import stats

Rng = np.random.Generator


def chunks(reps: int, cells: int):
    """Cut replicates so that an array of `cells` numbers each stays small."""
    size = max(1, min(reps, 4_000_000 // max(cells, 1)))
    while reps > 0:
        yield min(size, reps)
        reps -= size


def share(reject: list[np.ndarray]) -> float:
    return float(np.concatenate(reject).mean())


def critical(alpha: float, df: float, sides: int = 2) -> float:
    law = stats.norm if np.isinf(df) else stats.t(df)
    return float(law.isf(alpha / sides))


def cluster_means(rng: Rng, n: int, icc: float, k: int, m: int) -> np.ndarray:
    """Means of clusters of m members each drawn, n trials by k clusters."""
    own = np.sqrt(icc) * rng.standard_normal((n, k))
    return own + np.sqrt(1 - icc) * rng.standard_normal((n, k, m)).mean(axis=2)


def regress(y: np.ndarray, x: np.ndarray, term: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Least squares of many trials with one design: estimate and standard error of a term, and df."""
    inverse = np.linalg.inv(x.T @ x)
    coef = y @ x @ inverse
    residual = y - coef @ x.T
    df = x.shape[0] - x.shape[1]
    sigma2 = (residual**2).sum(axis=1) / df
    return coef[:, term], np.sqrt(sigma2 * inverse[term, term]), df


# Continuous outcomes


def means_t(
    rng: Rng, reps: int, *, treated: int, control: int, m: int, icc: float, effect: float,
    alpha: float = 0.05, sides: int = 2,
) -> float:  # fmt: skip
    """Equal clusters, a t test of their means. With m = 1 and icc = 0 individuals."""
    z = np.repeat([1.0, 0.0], [treated, control])
    x = np.column_stack([np.ones_like(z), z])
    found = []
    for n in chunks(reps, (treated + control) * m):
        y = cluster_means(rng, n, icc, treated + control, m) + effect * z
        b, se, df = regress(y, x, 1)
        t = b / se
        bound = critical(alpha, df, sides)
        found.append(np.abs(t) > bound if sides == 2 else t > bound)
    return share(found)


def equivalence_t(
    rng: Rng, reps: int, *, arm: int, effect: float, margin: float, alpha: float = 0.05
) -> float:
    """Two one-sided t tests of individuals."""
    z = np.repeat([1.0, 0.0], arm)
    x = np.column_stack([np.ones_like(z), z])
    found = []
    for n in chunks(reps, 2 * arm):
        b, se, df = regress(rng.standard_normal((n, 2 * arm)) + effect * z, x, 1)
        c = critical(alpha, df, 1)
        found.append(((b + margin) / se > c) & ((b - margin) / se < -c))
    return share(found)


def non_inferiority_t(
    rng: Rng, reps: int, *, arm: int, m: int, icc: float, effect: float, margin: float, alpha: float
) -> float:
    """Clusters of m, a one-sided t test that the effect lies above a margin."""
    z = np.repeat([1.0, 0.0], arm)
    x = np.column_stack([np.ones_like(z), z])
    found = []
    for n in chunks(reps, 2 * arm * m):
        y = cluster_means(rng, n, icc, 2 * arm, m) + effect * z
        b, se, df = regress(y, x, 1)
        found.append((b - margin) / se > critical(alpha, df, 1))
    return share(found)


def several_z(
    rng: Rng, reps: int, *, arm: int, m: int, icc: float, effects: list[float], corr: list[list[float]],
    holm: bool, least: int,
) -> float:  # fmt: skip
    """Outcomes that go together between and within clusters of m, z tests with known variances; at least so many found."""
    root = np.linalg.cholesky(np.array(corr))
    number = len(effects)
    error = np.sqrt((icc + (1 - icc) / m) * 2 / arm)
    levels = 0.05 / (np.arange(number, 0, -1) if holm else np.ones(number))
    found = []
    for n in chunks(reps, 2 * arm * (m + 1) * number):
        own = np.sqrt(icc) * rng.standard_normal((n, 2 * arm, number))
        rest = np.sqrt(1 - icc) * rng.standard_normal((n, 2 * arm, m, number)).mean(axis=2)
        y = (own + rest) @ root.T
        z = (y[:, :arm].mean(axis=1) - y[:, arm:].mean(axis=1) + np.array(effects)) / error
        p = np.sort(2 * stats.norm.sf(np.abs(z)), axis=1)
        # Step by step: the first that fails ends it.
        passed = np.cumprod(p <= levels, axis=1).sum(axis=1) if holm else (p <= 0.05).sum(axis=1)
        found.append(passed >= least)
    return share(found)


def adjusted_means(
    rng: Rng, reps: int, *, arm: int, m: int, icc: float, effect: float, r2: float, r2_cluster: float,
) -> float:  # fmt: skip
    """A covariate of members and one of clusters, each in the model: the slope within clusters, then the means."""
    k = 2 * arm
    z = np.repeat([1.0, 0.0], arm)
    found = []
    for n in chunks(reps, 3 * k * m):
        v = rng.standard_normal((n, k))
        own = np.sqrt(icc) * (
            np.sqrt(r2_cluster) * v + np.sqrt(1 - r2_cluster) * rng.standard_normal((n, k))
        )
        x = rng.standard_normal((n, k, m))
        x -= x.mean(
            axis=2, keepdims=True
        )  # of members alone: its mean is the same in every cluster
        y = own[:, :, None] + effect * z[:, None]
        scale = np.sqrt(m / (m - 1))
        y = y + np.sqrt(1 - icc) * (
            np.sqrt(r2) * scale * x + np.sqrt(1 - r2) * rng.standard_normal((n, k, m))
        )
        means = y.mean(axis=2)
        design = np.stack([np.ones((n, k)), np.broadcast_to(z, (n, k)), v], axis=2)
        cross = np.linalg.inv(np.swapaxes(design, 1, 2) @ design)
        coef = (cross @ (np.swapaxes(design, 1, 2) @ means[:, :, None]))[:, :, 0]
        residual = means - (design @ coef[:, :, None])[:, :, 0]
        sigma2 = (residual**2).sum(axis=1) / (k - 3)
        t = coef[:, 1] / np.sqrt(sigma2 * cross[:, 1, 1])
        found.append(np.abs(t) > critical(0.05, k - 3))
    return share(found)


def baseline_means(
    rng: Rng, reps: int, *, arm: int, m: int, icc: float, effect: float, members: float,
    clusters: float, change: bool,
) -> float:  # fmt: skip
    """The same members measured before: cluster means, with the mean before as a covariate or subtracted."""
    k = 2 * arm
    z = np.repeat([1.0, 0.0], arm)
    found = []

    def pair(shape: tuple[int, ...], r: float) -> tuple[np.ndarray, np.ndarray]:
        before = rng.standard_normal(shape)
        return before, r * before + np.sqrt(1 - r * r) * rng.standard_normal(shape)

    for n in chunks(reps, 3 * k * m):
        u0, u1 = pair((n, k), clusters)
        e0, e1 = pair((n, k, m), members)
        before = np.sqrt(icc) * u0 + np.sqrt(1 - icc) * e0.mean(axis=2)
        after = np.sqrt(icc) * u1 + np.sqrt(1 - icc) * e1.mean(axis=2) + effect * z
        if change:
            b, se, df = regress(after - before, np.column_stack([np.ones(k), z]), 1)
            found.append(np.abs(b / se) > critical(0.05, df))
            continue
        design = np.stack([np.ones((n, k)), np.broadcast_to(z, (n, k)), before], axis=2)
        cross = np.linalg.inv(np.swapaxes(design, 1, 2) @ design)
        coef = (cross @ (np.swapaxes(design, 1, 2) @ after[:, :, None]))[:, :, 0]
        residual = after - (design @ coef[:, :, None])[:, :, 0]
        sigma2 = (residual**2).sum(axis=1) / (k - 3)
        found.append(np.abs(coef[:, 1] / np.sqrt(sigma2 * cross[:, 1, 1])) > critical(0.05, k - 3))
    return share(found)


def robust(sums: np.ndarray, counts: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Difference of the members' means with CR2 errors, trials by clusters of sums and counts; empty clusters are none."""
    estimate, variance = 0.0, 0.0
    for sign, arm in ((1, z == 1), (-1, z == 0)):
        s, c = sums[:, arm], counts[:, arm].astype(float)
        total = c.sum(axis=1, keepdims=True)
        mean = s.sum(axis=1, keepdims=True) / total
        score = (s - c * mean) ** 2 / (1 - c / total)
        variance = variance + score.sum(axis=1) / total[:, 0] ** 2
        estimate = estimate + sign * mean[:, 0]
    return estimate, np.sqrt(variance)


def sizes_robust(
    rng: Rng, reps: int, *, sizes: list[int], treated: int, icc: float, effect: float, df: float,
    kept: float = 1.0, clusters_kept: float = 1.0,
) -> float:  # fmt: skip
    """Clusters of these sizes, shuffled between arms; members and clusters lost at random; CR2 errors and t."""
    sizes_ = np.asarray(sizes)
    k = len(sizes_)
    top = sizes_.max()
    z = np.repeat([1.0, 0.0], [treated, k - treated])
    found = []
    for n in chunks(reps, 2 * k * top):
        order = rng.permuted(np.tile(sizes_, (n, 1)), axis=1)
        present = np.arange(top) < order[:, :, None]
        present &= rng.random((n, k, top)) < kept
        # A fixed share of the clusters of each arm is lost.
        lost = np.concatenate(
            [
                np.argsort(rng.random((n, size)), axis=1) >= round(clusters_kept * size)
                for size in (treated, k - treated)
            ],
            axis=1,
        )
        present &= ~lost[:, :, None]
        y = np.sqrt(icc) * rng.standard_normal((n, k))[:, :, None] + effect * z[:, None]
        y = y + np.sqrt(1 - icc) * rng.standard_normal((n, k, top))
        b, se = robust((y * present).sum(axis=2), present.sum(axis=2), z)
        found.append(np.abs(b / se) > critical(0.05, df))
    return share(found)


def sizes_weighted(
    rng: Rng, reps: int, *, sizes: list[int], treated: int, icc: float, effect: float
) -> float:
    """Clusters of these sizes, shuffled between arms; means weighted by their true precision, z test."""
    sizes_ = np.asarray(sizes, dtype=float)
    z = np.repeat([1.0, 0.0], [treated, len(sizes) - treated])
    found = []
    for n in chunks(reps, 4 * len(sizes)):
        order = rng.permuted(np.tile(sizes_, (n, 1)), axis=1)
        variance = icc + (1 - icc) / order
        y = np.sqrt(variance) * rng.standard_normal(order.shape) + effect * z
        w = 1 / variance
        estimate, spread = 0.0, 0.0
        for sign, arm in ((1, z == 1), (-1, z == 0)):
            total = w[:, arm].sum(axis=1)
            estimate = estimate + sign * (w[:, arm] * y[:, arm]).sum(axis=1) / total
            spread = spread + 1 / total
        found.append(np.abs(estimate) / np.sqrt(spread) > critical(0.05, np.inf))
    return share(found)


def interaction(
    rng: Rng, reps: int, *, arm: int, m: int, inside: int, icc: float, effect: float
) -> float:
    """A subgroup of `inside` of the m members of each cluster: dummies of clusters, the subgroup, and its product."""
    k = 2 * arm
    z = np.repeat([1.0, 0.0], arm)
    s = (np.arange(m) < inside).astype(float)
    found = []
    # Within clusters: deviations from each cluster's mean.
    own = np.tile(s - s.mean(), k)
    product = np.concatenate([zj * (s - s.mean()) for zj in z])
    x = np.column_stack([own, product])
    inverse = np.linalg.inv(x.T @ x)
    df = k * m - k - 2
    for n in chunks(reps, k * m):
        y = np.sqrt(icc) * rng.standard_normal((n, k, 1)) + effect * (z[:, None] * s)
        y = y + np.sqrt(1 - icc) * rng.standard_normal((n, k, m))
        y = (y - y.mean(axis=2, keepdims=True)).reshape(n, k * m)
        coef = y @ x @ inverse
        sigma2 = ((y - coef @ x.T) ** 2).sum(axis=1) / df
        found.append(np.abs(coef[:, 1]) / np.sqrt(sigma2 * inverse[1, 1]) > critical(0.05, df))
    return share(found)


def cluster_interaction(
    rng: Rng, reps: int, *, cell: tuple[int, int], m: int, icc: float, effect: float
) -> float:
    """A subgroup of clusters: cell[0] clusters an arm in it and cell[1] not; the product of two dummies."""
    z = np.repeat([1.0, 1.0, 0.0, 0.0], [*cell, *cell])
    s = np.repeat([1.0, 0.0, 1.0, 0.0], [*cell, *cell])
    x = np.column_stack([np.ones_like(z), z, s, z * s])
    found = []
    for n in chunks(reps, len(z) * m):
        b, se, df = regress(cluster_means(rng, n, icc, len(z), m) + effect * z * s, x, 3)
        found.append(np.abs(b / se) > critical(0.05, df))
    return share(found)


def pairs(
    rng: Rng, reps: int, *, pairs: int, m: int, icc: float, correlation: float, effect: float
) -> float:
    """Matched pairs of clusters, a paired t test."""
    found = []
    for n in chunks(reps, 2 * pairs * m):
        common = np.sqrt(correlation) * rng.standard_normal((n, pairs, 1))
        own = np.sqrt(icc) * (
            common + np.sqrt(1 - correlation) * rng.standard_normal((n, pairs, 2))
        )
        y = own + np.sqrt(1 - icc) * rng.standard_normal((n, pairs, 2, m)).mean(axis=3)
        d = y[:, :, 1] - y[:, :, 0] + effect
        t = d.mean(axis=1) / (d.std(axis=1, ddof=1) / np.sqrt(pairs))
        found.append(np.abs(t) > critical(0.05, pairs - 1))
    return share(found)


def blocks(
    rng: Rng, reps: int, *, blocks: int, size: int, m: int, icc: float, explained: float,
    effect: float,
) -> float:  # fmt: skip
    """Clusters within blocks, half of each treated; means of clusters with a dummy a block."""
    k = blocks * size
    z = np.tile(np.repeat([1.0, 0.0], size // 2), blocks)
    x = np.column_stack([z, np.kron(np.eye(blocks), np.ones((size, 1)))])
    found = []
    for n in chunks(reps, k * m):
        level = np.repeat(rng.standard_normal((n, blocks)), size, axis=1)
        own = np.sqrt(icc) * (
            np.sqrt(explained) * level + np.sqrt(1 - explained) * rng.standard_normal((n, k))
        )
        y = own + np.sqrt(1 - icc) * rng.standard_normal((n, k, m)).mean(axis=2) + effect * z
        b, se, df = regress(y, x, 0)
        found.append(np.abs(b / se) > critical(0.05, df))
    return share(found)


def varying_blocks(
    rng: Rng, reps: int, *, blocks: int, treated: int, control: int, m: int, icc: float, effect: float,
    sd: float,
) -> float:  # fmt: skip
    """Blocks with effects of their own, clusters (or with m = 1 individuals) in them: a t test of the blocks' differences."""
    k = treated + control
    found = []
    for n in chunks(reps, blocks * k * m):
        y = cluster_means(rng, n * blocks, icc, k, m).reshape(n, blocks, k)
        own = effect + sd * rng.standard_normal((n, blocks))
        d = y[:, :, :treated].mean(axis=2) - y[:, :, treated:].mean(axis=2) + own
        t = d.mean(axis=1) / (d.std(axis=1, ddof=1) / np.sqrt(blocks))
        found.append(np.abs(t) > critical(0.05, blocks - 1))
    return share(found)


def three_levels(
    rng: Rng, reps: int, *, arm: int, classes: int, m: int, icc: float, icc_class: float, effect: float,
) -> float:  # fmt: skip
    """Schools of classes of m pupils, a t test of the schools' means."""
    k = 2 * arm
    z = np.repeat([1.0, 0.0], arm)
    x = np.column_stack([np.ones(k), z])
    found = []
    for n in chunks(reps, k * classes * m):
        y = np.sqrt(icc) * rng.standard_normal((n, k)) + effect * z
        y = y + np.sqrt(icc_class) * rng.standard_normal((n, k, classes)).mean(axis=2)
        rest = np.sqrt(1 - icc - icc_class)
        y = y + rest * rng.standard_normal((n, k, classes * m)).mean(axis=2)
        b, se, df = regress(y, x, 1)
        found.append(np.abs(b / se) > critical(0.05, df))
    return share(found)


def nested(rng: Rng, reps: int, *, groups: int, m: int, icc: float, effect: float) -> float:
    """Groups in the treated arm alone, as many individuals in the other: Welch's t over means of groups and individuals."""
    controls = groups * m
    found = []
    for n in chunks(reps, 2 * controls):
        g = cluster_means(rng, n, icc, groups, m) + effect
        c = rng.standard_normal((n, controls))
        v1, v0 = g.var(axis=1, ddof=1) / groups, c.var(axis=1, ddof=1) / controls
        t = (g.mean(axis=1) - c.mean(axis=1)) / np.sqrt(v1 + v0)
        df = (v1 + v0) ** 2 / (v1**2 / (groups - 1) + v0**2 / (controls - 1))
        found.append(np.abs(t) > stats.t.isf(0.025, df))
    return share(found)


def periods(
    rng: Rng, reps: int, *, pattern: list[list[int]], each: int, m: int, icc: float, lasting: float,
    decay: bool, effect: float, cohort: float = 0.0,
) -> float:  # fmt: skip
    """Clusters over periods, other members each time or a cohort: generalised least squares with the true covariance, z test."""
    x = np.array(pattern, dtype=float)
    sequences, times = x.shape
    k = sequences * each
    treated = np.repeat(x, each, axis=0)
    apart = np.abs(np.subtract.outer(np.arange(times), np.arange(times)))
    level = np.where(apart == 0, 1.0, lasting**apart if decay else lasting)
    root = np.linalg.cholesky(icc * level + 1e-12 * np.eye(times))
    members = cohort + (1 - cohort) * np.eye(times)
    v = np.kron(np.eye(k), icc * level + (1 - icc) / m * members)
    design = np.column_stack([treated.ravel(), np.tile(np.eye(times), (k, 1))])
    whitener = np.linalg.inv(np.linalg.cholesky(v))
    inverse = np.linalg.inv((whitener @ design).T @ (whitener @ design))
    weights = (inverse @ design.T @ whitener.T @ whitener)[0]
    found = []
    for n in chunks(reps, k * times * m):
        y = rng.standard_normal((n, k, times)) @ root.T + effect * treated
        moment = rng.standard_normal((n, k, times, m)).mean(axis=3)
        lasting_own = rng.standard_normal((n, k, 1, m)).mean(axis=3)
        y = y + np.sqrt(1 - icc) * (np.sqrt(1 - cohort) * moment + np.sqrt(cohort) * lasting_own)
        z = (y.reshape(n, -1) @ weights) / np.sqrt(inverse[0, 0])
        found.append(np.abs(z) > critical(0.05, np.inf))
    return share(found)


# Binary outcomes and counts


def two_rates(
    rng: Rng, reps: int, *, treated: int, control: int, p0: float, p1: float, method: str
) -> float:
    """Individuals: the test of arcsines, pooled z or Wald."""
    a = rng.binomial(treated, p1, reps) / treated
    b = rng.binomial(control, p0, reps) / control
    inverse = 1 / treated + 1 / control
    if method == "arcsine":
        z = 2 * (np.arcsin(np.sqrt(a)) - np.arcsin(np.sqrt(b))) / np.sqrt(inverse)
    else:
        p = (treated * a + control * b) / (treated + control)
        own = a * (1 - a) / treated + b * (1 - b) / control
        se = np.sqrt(p * (1 - p) * inverse if method == "pooled" else own)
        z = np.divide(a - b, se, out=np.zeros(reps), where=se > 0)
    return float((np.abs(z) > critical(0.05, np.inf)).mean())


def families(
    rng: Rng, reps: int, *, sizes: list[int], treated: int, p0: float, p1: float, icc: float,
    method: str, df: float,
) -> float:  # fmt: skip
    """Beta-binomial families: CR2 errors with t, or arcsine and pooled z over the true design effect."""
    sizes_ = np.asarray(sizes)
    k = len(sizes_)
    z = np.repeat([1.0, 0.0], [treated, k - treated])
    found = []
    for n in chunks(reps, 4 * k):
        order = rng.permuted(np.tile(sizes_, (n, 1)), axis=1)
        p = np.where(z == 1, p1, p0)
        if icc == 1:
            events = order * (rng.random((n, k)) < p)
        elif icc == 0:
            events = rng.binomial(order, p)
        else:
            q = rng.beta(p * (1 - icc) / icc, (1 - p) * (1 - icc) / icc, (n, k))
            events = rng.binomial(order, q)
        if method == "unpooled":
            b, se = robust(events.astype(float), order, z)
            with np.errstate(divide="ignore", invalid="ignore"):
                found.append(np.nan_to_num(np.abs(b / se)) > critical(0.05, df))
            continue
        n1, n0 = order[:, z == 1].sum(axis=1), order[:, z == 0].sum(axis=1)
        a, b = events[:, z == 1].sum(axis=1) / n1, events[:, z == 0].sum(axis=1) / n0
        deff = 1 + icc * ((sizes_**2).sum() / sizes_.sum() - 1)
        inverse = deff * (1 / n1 + 1 / n0)
        if method == "arcsine":
            stat = 2 * (np.arcsin(np.sqrt(a)) - np.arcsin(np.sqrt(b))) / np.sqrt(inverse)
        else:
            rate = (n1 * a + n0 * b) / (n1 + n0)
            stat = (a - b) / np.sqrt(rate * (1 - rate) * inverse)
        found.append(np.abs(stat) > critical(0.05, np.inf))
    return share(found)


def rates(
    rng: Rng, reps: int, *, arm: int, m: int, rate: float, ratio: float, k: float, exposure: float,
    log: bool, extra: float = 1.0,
) -> float:  # fmt: skip
    """Poisson counts (negative binomial: variance `extra` times the mean) in clusters whose rates have a CV of k."""
    found = []
    for n in chunks(reps, 2 * arm * m):
        totals = []
        for level in (rate * ratio, rate):
            own = level * (rng.gamma(1 / k**2, k**2, (n, arm)) if k > 0 else np.ones((n, arm)))
            mean = np.broadcast_to((own * exposure)[:, :, None], (n, arm, m))
            if extra > 1:
                mean = rng.gamma(mean / (extra - 1), extra - 1)
            totals.append(rng.poisson(mean).sum(axis=2) / (m * exposure))
        a, b = totals
        ma, mb = a.mean(axis=1), b.mean(axis=1)
        va, vb = a.var(axis=1, ddof=1) / arm, b.var(axis=1, ddof=1) / arm
        if log:
            t = np.log(ma / mb) / np.sqrt(va / ma**2 + vb / mb**2)
        else:
            t = (ma - mb) / np.sqrt(va + vb)
        found.append(np.abs(t) > critical(0.05, 2 * arm - 2))
    return share(found)


# Times to an event


def sibling_times(rng: Rng, n: int, k: int, m: int, theta: float, hazard: np.ndarray) -> np.ndarray:
    """Exponential times by the Clayton copula (Kendall's tau theta / (theta + 2)): hazards stay proportional marginally."""
    e = rng.exponential(size=(n, k, m))
    if theta == 0:
        return e / hazard[:, None]
    frailty = rng.gamma(1 / theta, 1.0, (n, k, 1))
    survival = (1 + e / frailty) ** (-1 / theta)
    return -np.log(survival) / hazard[:, None]


def log_rank_scores(time: np.ndarray, event: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Each member's share in the log-rank statistic, trials by members; times without ties."""
    n, size = time.shape
    order = np.argsort(time, axis=1)
    d = np.take_along_axis(event, order, axis=1).astype(float)
    g = np.take_along_axis(np.broadcast_to(z, (n, size)), order, axis=1)
    at_risk = size - np.arange(size)
    mean = np.cumsum(g[:, ::-1], axis=1)[:, ::-1] / at_risk
    hazard = np.cumsum(d / at_risk, axis=1)
    weighted = np.cumsum(d / at_risk * mean, axis=1)
    score = d * (g - mean) - (g * hazard - weighted)
    out = np.empty_like(score)
    np.put_along_axis(out, order, score, axis=1)
    return out


def log_rank(
    rng: Rng, reps: int, *, treated: int, control: int, m: int, share_event: float, ratio: float,
    theta: float, df: float = np.inf,
) -> float:  # fmt: skip
    """The log-rank test with the families' summed scores for its variance; with m = 1 close to the ordinary one."""
    k = treated + control
    z = np.repeat([1.0, 0.0], [treated, control])
    hazard = -np.log(1 - share_event) * np.where(z == 1, ratio, 1.0)
    found = []
    for n in chunks(reps, 6 * k * m):
        time = sibling_times(rng, n, k, m, theta, hazard).reshape(n, k * m)
        event = time < 1
        time = np.minimum(time, 1) + 1e-9 * rng.random(time.shape) * ~event
        score = log_rank_scores(time, event, np.repeat(z, m))
        by_family = score.reshape(n, k, m).sum(axis=2)
        statistic = by_family.sum(axis=1) / np.sqrt((by_family**2).sum(axis=1))
        found.append(np.abs(statistic) > critical(0.05, df))
    return share(found)


def score_icc(rng: Rng, *, m: int, share_event: float, theta: float) -> float:
    """The correlation of siblings' martingale residuals, from 400,000 pairs of a control arm."""
    hazard = np.array([-np.log(1 - share_event)])
    time = sibling_times(rng, 400_000, 1, 2, theta, hazard)[:, 0, :]
    residual = (time < 1) - hazard[0] * np.minimum(time, 1)
    return float((residual[:, 0] * residual[:, 1]).mean() / (residual**2).mean())
