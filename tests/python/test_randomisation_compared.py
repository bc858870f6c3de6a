"""Randomisation tests of margins, products and pairs of arms: against every assignment, refitted in plain Python."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import crewe as cw
import numpy as np
import pandas as pd
import pytest

G = 8
DESIGN = cw.Design("T", arms={"control": 1, "crewe": 1}, cluster="family", seed=3)
THREE = cw.Design("T", arms={"a": 1, "b": 1, "c": 1}, cluster="family", seed=8)


def _trial() -> tuple[pd.DataFrame, cw.Assignment, np.ndarray]:
    rng = np.random.default_rng(5)
    family = np.repeat(np.arange(G), rng.integers(2, 6, G))
    n = len(family)
    d = pd.DataFrame({"family": family, "x": rng.normal(2, 1, n), "w": rng.uniform(0.5, 2, n)})
    drawn = DESIGN.assign(d)
    arm = d.family.astype(str).map(drawn.clusters).eq("crewe").to_numpy().astype(float)
    d["y"] = rng.normal(size=n) + 0.7 * arm + 0.3 * d.x
    d["b"] = (d.y > 1).astype(int)
    d["site"] = np.where(rng.random(n) < 0.5, "north", "south")
    d["t"], d["e"] = np.round(rng.exponential(10, n)) + 1, (rng.random(n) < 0.8).astype(int)
    return d, drawn, arm


D, DRAWN, ARM = _trial()
N = len(D)
FAMILY = D.family.to_numpy()


def _every(statistic: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    return np.array(
        [
            statistic(np.isin(FAMILY, some).astype(float))
            for some in itertools.combinations(range(G), G // 2)
        ]
    )


def _p(found: float, values: np.ndarray) -> float:
    near = 1e-9 * max(abs(found), values.std())
    return min(1.0, 2 * min((values <= found + near).mean(), (values >= found - near).mean()))


def _interacted(
    z: np.ndarray, x: np.ndarray, beside: np.ndarray, e: np.ndarray, w: np.ndarray, at: np.ndarray
) -> float:
    """A combination of the steps of the columns z v from a model without them, over its CR1 standard error."""
    columns = z[:, None] * beside
    left = columns - x @ np.linalg.solve(x.T @ (w[:, None] * x), x.T @ (w[:, None] * columns))
    information = left.T @ (w[:, None] * left)
    u = np.array([(left * e[:, None])[g == FAMILY].sum(axis=0) for g in range(G)])
    step = np.linalg.solve(information, u.sum(axis=0))
    bread = np.linalg.inv(information)
    variance = bread @ (G / (G - 1) * u.T @ u) @ bread
    return float(at @ step / np.sqrt(at @ variance @ at))


@pytest.mark.parametrize("weights", [None, "w"])
@pytest.mark.parametrize("beside", ["x", "C(site)"])
def test_the_margin_of_a_linear_model_with_products(weights, beside):
    fit = cw.ols(f"y ~ arm * {beside}", D, design=DRAWN, weights=weights)
    w = np.ones(N) if weights is None else D.w.to_numpy()
    v = D.x.to_numpy() if beside == "x" else (D.site == "south").to_numpy().astype(float)
    x = np.column_stack([np.ones(N), v])
    y = D.y.to_numpy()
    e = w * (y - x @ np.linalg.solve(x.T @ (w[:, None] * x), x.T @ (w * y)))
    mean = np.array([1.0, np.average(v, weights=w)])
    values = _every(lambda z: _interacted(z, x, x, e, w, mean))
    found = _interacted(ARM, x, x, e, w, mean)
    test = cw.randomisation_test(fit, design=DRAWN, of="margin")
    assert test.exact and test.statistic == pytest.approx(found, rel=1e-9)
    assert test.p_value == pytest.approx(_p(found, values), abs=1e-12)
    contrast = fit.margins("arm", at="observed").contrasts()
    assert test.estimate == pytest.approx(float(contrast["estimate"].iloc[0]), rel=1e-9)
    plain = cw.randomisation_test(fit, design=DRAWN, of="margin", studentised=False)

    def margin(z: np.ndarray) -> float:
        full, root = np.column_stack([x, z[:, None] * x]), np.sqrt(w)
        b = np.linalg.lstsq(root[:, None] * full, root * y, rcond=None)[0]
        return float(mean @ b[2:])

    assert plain.statistic == pytest.approx(margin(ARM), rel=1e-9)
    assert plain.p_value == pytest.approx(_p(margin(ARM), _every(margin)), abs=1e-12)
    assert "(margin)" in str(test) and "g-computation" in str(test)


def test_the_interval_of_a_margin_is_where_refits_stop_rejecting():
    fit = cw.ols("y ~ arm * x", D, design=DRAWN)
    test = cw.randomisation_test(fit, design=DRAWN, of="margin", level=0.8)
    x = np.column_stack([np.ones(N), D.x])
    mean = np.array([1.0, D.x.mean()])

    def tails(effect: float) -> tuple[float, float]:
        y = D.y.to_numpy() - effect * ARM
        e = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
        found = _interacted(ARM, x, x, e, np.ones(N), mean)
        values = _every(lambda z: _interacted(z, x, x, e, np.ones(N), mean))
        return (values <= found + 1e-9).mean(), (values >= found - 1e-9).mean()

    low, high = test.conf_int
    assert np.isfinite([low, high]).all()
    assert tails(low - 1e-6)[1] <= 0.1 < tails(low + 1e-6)[1]
    assert tails(high + 1e-6)[0] <= 0.1 < tails(high - 1e-6)[0]


@pytest.mark.parametrize("family", ["logit", "probit"])
def test_the_margin_of_a_family(family):
    """Its gradient at no effect weights rows by the slope of the mean; its interval is that of the odds ratio, carried over."""
    from scipy.stats import norm

    y, x = D.b.to_numpy().astype(float), np.column_stack([np.ones(N), D.x])
    mean_of = (lambda eta: 1 / (1 + np.exp(-eta))) if family == "logit" else norm.cdf
    slope_of = (lambda eta: mean_of(eta) * (1 - mean_of(eta))) if family == "logit" else norm.pdf

    def null(offset: np.ndarray) -> np.ndarray:
        b = np.zeros(2)
        for _ in range(300):
            eta = x @ b + offset
            mu, slope = mean_of(eta), slope_of(eta)
            e, w = (y - mu) * slope / (mu * (1 - mu)), slope**2 / (mu * (1 - mu))
            b = b + np.linalg.solve(x.T @ (w[:, None] * x), x.T @ e)
        return x @ b

    eta = null(np.zeros(N))
    mu, slope = mean_of(eta), slope_of(eta)
    e, w = (y - mu) * slope / (mu * (1 - mu)), slope**2 / (mu * (1 - mu))
    at = np.array([1.0, np.average(D.x, weights=slope)])
    fit = getattr(cw, family)("b ~ arm * x", D, design=DRAWN)
    test = cw.randomisation_test(fit, design=DRAWN, of="margin", interval=False)
    found = _interacted(ARM, x, x, e, w, at)
    assert test.statistic == pytest.approx(found, rel=1e-8)
    every = _every(lambda z: _interacted(z, x, x, e, w, at))
    assert test.p_value == pytest.approx(_p(found, every), abs=1e-12)
    contrast = fit.margins("arm", at="observed").contrasts()
    assert test.estimate == pytest.approx(float(contrast["estimate"].iloc[0]), rel=1e-9)

    plain = getattr(cw, family)("b ~ arm + x", D, design=DRAWN)
    ratio = cw.randomisation_test(plain, design=DRAWN, level=0.8)
    margin = cw.randomisation_test(plain, design=DRAWN, level=0.8, of="margin")
    assert margin.p_value == ratio.p_value
    for limit, carried in zip(ratio.conf_int, margin.conf_int, strict=True):
        if np.isfinite(limit):
            without = null(limit * ARM)
            raised = (mean_of(without + limit) - mean_of(without)).mean()
            assert carried == pytest.approx(raised, rel=1e-6)
        else:
            assert carried == np.sign(limit)
    assert "differences in probability" in str(margin)


def test_the_coefficient_of_a_product_says_which_hypothesis_it_tests():
    fit = cw.ols("y ~ arm * x", D, design=DRAWN)
    x = np.column_stack([np.ones(N), D.x])
    e = D.y.to_numpy() - x @ np.linalg.lstsq(x, D.y.to_numpy(), rcond=None)[0]
    at = np.array([0.0, 1.0])
    found = _interacted(ARM, x, x, e, np.ones(N), at)
    test = cw.randomisation_test(fit, design=DRAWN, of="arm[T.crewe]:x")
    assert test.statistic == pytest.approx(found, rel=1e-9)
    every = _every(lambda z: _interacted(z, x, x, e, np.ones(N), at))
    assert test.p_value == pytest.approx(_p(found, every), abs=1e-12)
    assert test.estimate == pytest.approx(fit.coef["arm[T.crewe]:x"], rel=1e-12)
    assert test.conf_int is None
    assert any("no arm has an effect on anybody" in note for note in test.notes)
    assert any("says nothing of how effects differ" in note for note in test.notes)
    assert test.tidy()["term"].tolist() == ["arm[T.crewe]:x"]
    both = cw.randomisation_test(fit, design=DRAWN, of=["arm[T.crewe]", "arm[T.crewe]:x"])
    assert both.comparisons[1].p_value == test.p_value
    assert both.comparisons[1].p_adjusted >= test.p_value / 2
    assert any("several comparisons" in note for note in both.notes)


def _three() -> tuple[pd.DataFrame, cw.Assignment, np.ndarray]:
    d = D[FAMILY < 6].reset_index(drop=True)
    drawn = THREE.assign(d)
    return d, drawn, d.family.to_numpy()


@pytest.mark.parametrize("model", ["ols", "logit", "coxph"])
def test_pairs_of_arms(model):
    d, drawn, family = _three()
    formula = {"ols": "y ~ arm + x", "logit": "b ~ arm + x", "coxph": "Surv(t, e) ~ arm + x"}[model]
    fit = getattr(cw, model)(formula, d, design=drawn)
    pairs = cw.randomisation_test(fit, design=drawn, of="pairs")
    assert pairs.tidy()["term"].tolist() == ["arm[T.b]", "arm[T.c]", "c - b"]
    assert pairs.omnibus is None
    alone = cw.randomisation_test(fit, design=drawn, of="c - b")
    assert alone.p_value == pairs.comparisons[2].p_value
    assert alone.estimate == pytest.approx(fit.coef["arm[T.c]"] - fit.coef["arm[T.b]"], rel=1e-12)
    usual = cw.randomisation_test(fit, design=drawn)
    for j in (0, 1):
        assert pairs.comparisons[j].p_value == usual.comparisons[j].p_value
    by_terms = cw.randomisation_test(fit, design=drawn, of="arm[T.c] - arm[T.b]")
    assert by_terms.p_value == alone.p_value
    assert "c − b" in str(alone)
    if model != "ols":
        return
    y, x = d.y.to_numpy(), np.column_stack([np.ones(len(d)), d.x])
    e = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]

    def t(b: tuple[int, ...], c: tuple[int, ...]) -> float:
        z = np.column_stack([np.isin(family, b), np.isin(family, c)]).astype(float)
        left = z - x @ np.linalg.lstsq(x, z, rcond=None)[0]
        u = np.array([(left * e[:, None])[family == g].sum(axis=0) for g in range(6)])
        bread = np.linalg.inv(left.T @ left)
        at, variance = np.array([-1.0, 1.0]), bread @ (6 / 5 * u.T @ u) @ bread
        return float(at @ bread @ u.sum(axis=0) / np.sqrt(at @ variance @ at))

    own = {arm: tuple(int(f) for f, a in drawn.clusters.items() if a == arm) for arm in "bc"}
    values = np.array(
        [
            t(b, c)
            for b in itertools.combinations(range(6), 2)
            for c in itertools.combinations([g for g in range(6) if g not in b], 2)
        ]
    )
    found = t(own["b"], own["c"])
    assert alone.statistic == pytest.approx(found, rel=1e-9)
    assert alone.p_value == pytest.approx(_p(found, values), abs=1e-12)


def test_margins_of_several_arms_are_their_contrasts():
    d, drawn, _ = _three()
    fit = cw.ols("y ~ arm * x", d, design=drawn)
    test = cw.randomisation_test(fit, design=drawn, of="margin")
    expected = fit.margins("arm", at="observed").contrasts()["estimate"].tolist()
    assert [c.estimate for c in test.comparisons] == pytest.approx(expected, rel=1e-9)
    assert test.tidy()["p_adjusted"].notna().all()


def test_what_cannot_be_compared_is_refused():
    fit = cw.ols("y ~ arm * x", D, design=DRAWN)
    for of, words in {
        "x": "no draw of the arms changes",
        "arm[T.crewe] - x": "no draw of the arms changes",
        "control - crewe": "arm that the others are compared with",
        "crewe - control": "depends on the row",
        "-arm[T.crewe]": "sign turned",
        "nobody": "cannot be read",
    }.items():
        with pytest.raises(cw.InputError, match=words):
            cw.randomisation_test(fit, design=DRAWN, of=of)
    with pytest.raises(cw.InputError, match="names nothing"):
        cw.randomisation_test(fit, design=DRAWN, of=[])
    with pytest.raises(cw.InputError, match="side by side"):
        cw.randomisation_test(fit, design=DRAWN, of=["margin", "arm[T.crewe]:x"])
    with pytest.raises(cw.InputError, match=r'of="margin", or of="arm\[T.crewe\]:x"'):
        cw.randomisation_test(fit, design=DRAWN)
    with pytest.raises(cw.InputError, match="no products of every arm"):
        # Both columns of arm:x change with the draw, that of the reference too.
        cw.randomisation_test(cw.ols("y ~ arm + arm:x", D, design=DRAWN), design=DRAWN)
    with pytest.raises(cw.InputError, match="would change with every draw"):
        cw.randomisation_test("y ~ arm + arm:x", D, DRAWN)
    cox = cw.coxph("Surv(t, e) ~ arm + x", D, design=DRAWN)
    with pytest.raises(cw.InputError, match="has no margin"):
        cw.randomisation_test(cox, design=DRAWN, of="margin")
    products = cw.coxph("Surv(t, e) ~ arm * x", D, design=DRAWN)
    with pytest.raises(cw.InputError, match="coefficients of the arms alone"):
        cw.randomisation_test(products, design=DRAWN, of="arm[T.crewe]:x")
    with pytest.raises(cw.InputError, match="of= is for a fit"):
        cw.randomisation_test("y ~ arm", D, DRAWN, of="margin")
