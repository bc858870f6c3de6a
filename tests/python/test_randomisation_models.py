"""The randomisation test of a model: against brute force over every assignment, written from the formulas."""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Callable

import crewe as cw
import numpy as np
import pandas as pd
import pytest

G = 8
DESIGN = cw.Design("T", arms={"control": 1, "crewe": 1}, cluster="family", seed=3)


def _trial() -> tuple[pd.DataFrame, cw.Assignment, np.ndarray]:
    rng = np.random.default_rng(1)
    family = np.repeat(np.arange(G), rng.integers(1, 5, G))
    n = len(family)
    d = pd.DataFrame({"family": family, "x": rng.normal(size=n), "w": rng.uniform(0.5, 2, n)})
    drawn = DESIGN.assign(d)
    arm = d.family.astype(str).map(drawn.clusters).eq("crewe").to_numpy().astype(float)
    d["y"] = rng.normal(size=n) + 0.7 * arm + 0.3 * d.x
    d["b"] = (d.y > 0.2).astype(int)
    d["t"] = np.round(rng.exponential(np.exp(-0.5 * arm)) * 10) + 1
    d["e"] = (rng.random(n) < 0.8).astype(int)
    d["office"] = np.where(rng.random(n) < 0.5, "a", "b")
    return d, drawn, arm


D, DRAWN, ARM = _trial()
N = len(D)
FAMILY = D.family.to_numpy()
X = np.column_stack([np.ones(N), D.x])


def _p(statistic: Callable[[np.ndarray], float]) -> tuple[float, float]:
    """The statistic, and p over every assignment: twice the smaller tail."""
    found = statistic(ARM)
    values = np.array(
        [
            statistic(np.isin(FAMILY, some).astype(float))
            for some in itertools.combinations(range(G), G // 2)
        ]
    )
    near = 1e-9 * max(abs(found), values.std())
    tails = (values <= found + near).mean(), (values >= found - near).mean()
    return found, min(1.0, 2 * min(tails))


def _by_family(rows: np.ndarray) -> np.ndarray:
    return np.array([rows[g == FAMILY].sum() for g in range(G)])


def _studentised(z: np.ndarray, e: np.ndarray, w: np.ndarray) -> float:
    """U over the root of G/(G - 1) times the sum of squares of the efficient score's parts."""
    beside = z - X @ np.linalg.solve(X.T @ (w[:, None] * X), X.T @ (w * z))
    u = _by_family(beside * e)
    return float(z @ e / np.sqrt(G / (G - 1) * (u**2).sum()))


def _null_glm(y: np.ndarray, family: str, offset: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Score residuals and weights of a model without the arm, by Fisher's scoring."""
    from scipy.stats import norm

    b = np.zeros(X.shape[1])
    for _ in range(300):
        eta = X @ b + offset
        mu = 1 / (1 + np.exp(-eta)) if family == "logit" else norm.cdf(eta)
        slope = mu * (1 - mu) if family == "logit" else norm.pdf(eta)
        e = (y - mu) * slope / (mu * (1 - mu))
        w = slope**2 / (mu * (1 - mu))
        b = b + np.linalg.solve(X.T @ (w[:, None] * X), X.T @ e)
    return e, w


def _cox_parts(columns: np.ndarray, beta: np.ndarray, strata: np.ndarray):
    """Score residuals and information of Efron's partial likelihood, term by term."""
    time, event = D.t.to_numpy(), D.e.to_numpy()
    risk = np.exp(columns @ beta)
    scores = np.zeros(columns.shape)
    information = np.zeros((columns.shape[1],) * 2)
    for stratum in np.unique(strata):
        here = strata == stratum
        for t in np.unique(time[here & (event == 1)]):
            dying = np.flatnonzero(here & (time == t) & (event == 1))
            for k in range(len(dying)):
                weight = risk * (here & (time >= t))
                weight[dying] *= 1 - k / len(dying)
                mean = weight @ columns / weight.sum()
                information += columns.T @ (weight[:, None] * columns) / weight.sum()
                information -= np.outer(mean, mean)
                scores[dying] += (columns[dying] - mean) / len(dying)
                scores -= weight[:, None] * (columns - mean) / weight.sum()
    return scores, information


def _cox(z: np.ndarray, covariates: np.ndarray, strata: np.ndarray) -> float:
    p = covariates.shape[1]
    b = np.zeros(p)
    for _ in range(30 if p else 0):
        scores, information = _cox_parts(covariates, b, strata)
        b = b + np.linalg.solve(information, scores.sum(axis=0))
    scores, information = _cox_parts(np.column_stack([covariates, z]), np.append(b, 0.0), strata)
    u = scores[:, p]
    if p:
        u = u - scores[:, :p] @ np.linalg.solve(information[:p, :p], information[:p, p])
    by_family = _by_family(u)
    return float(by_family.sum() / np.sqrt(G / (G - 1) * (by_family**2).sum()))


def _same(test: cw.RandomisationTest, statistic: Callable[[np.ndarray], float]) -> None:
    found, p = _p(statistic)
    assert test.exact and test.assignments == 70
    assert test.statistic == pytest.approx(found, rel=1e-9)
    assert test.p_value == pytest.approx(p, abs=1e-12)


@pytest.mark.parametrize("weights", [None, "w"])
def test_least_squares_with_the_residuals_of_no_arm(weights):
    fit = cw.ols("y ~ arm + x", D, design=DRAWN, weights=weights)
    test = cw.randomisation_test(fit, design=DRAWN)
    w = np.ones(N) if weights is None else D.w.to_numpy()
    y = D.y.to_numpy()
    e = w * (y - X @ np.linalg.solve(X.T @ (w[:, None] * X), X.T @ (w * y)))
    _same(test, lambda z: _studentised(z, e, w))
    assert test.estimate == pytest.approx(fit.coef["arm[T.crewe]"], rel=1e-9)


def test_least_squares_with_unrestricted_residuals():
    fit = cw.ols("y ~ arm + x", D, design=DRAWN)
    y = D.y.to_numpy()

    def t(z: np.ndarray) -> float:
        full = np.column_stack([X, z])
        b, *_ = np.linalg.lstsq(full, y, rcond=None)
        beside = z - X @ np.linalg.lstsq(X, z, rcond=None)[0]
        u = _by_family(beside * (y - full @ b))
        return float((beside @ beside) * b[-1] / np.sqrt(G / (G - 1) * (u**2).sum()))

    _same(cw.randomisation_test(fit, design=DRAWN, residuals="unrestricted"), t)


def test_least_squares_not_studentised_is_the_coefficient():
    fit = cw.ols("y ~ arm + x", D, design=DRAWN)
    plain = cw.randomisation_test(fit, design=DRAWN, studentised=False)
    _same(
        plain,
        lambda z: float(
            np.linalg.lstsq(np.column_stack([X, z]), D.y.to_numpy(), rcond=None)[0][-1]
        ),
    )
    before = cw.randomisation_test("y ~ arm + x", D, DRAWN)
    assert plain.p_value == before.p_value
    assert plain.conf_int == pytest.approx(before.conf_int, rel=1e-8)


@pytest.mark.parametrize("family", ["logit", "probit"])
def test_families_by_the_score(family):
    fit = getattr(cw, family)("b ~ arm + x", D, design=DRAWN)
    test = cw.randomisation_test(fit, design=DRAWN)
    e, w = _null_glm(D.b.to_numpy().astype(float), family, np.zeros(N))
    _same(test, lambda z: _studentised(z, e, w))
    assert test.estimate == pytest.approx(fit.coef["arm[T.crewe]"], abs=1e-8)


@pytest.mark.parametrize("family", ["logit", "probit"])
def test_one_step_of_a_family_is_its_score_over_its_information(family):
    fit = getattr(cw, family)("b ~ arm + x", D, design=DRAWN)
    test = cw.randomisation_test(fit, design=DRAWN, studentised=False)
    e, w = _null_glm(D.b.to_numpy().astype(float), family, np.zeros(N))

    def step(z: np.ndarray) -> float:
        beside = z - X @ np.linalg.solve(X.T @ (w[:, None] * X), X.T @ (w * z))
        return float((z @ e) / ((w * beside) @ beside))

    _same(test, step)


def test_a_weighted_logit_by_the_score():
    fit = cw.logit("b ~ arm + x", D, design=DRAWN, weights="w")
    test = cw.randomisation_test(fit, design=DRAWN)
    prior, y = D.w.to_numpy(), D.b.to_numpy()
    b = np.zeros(2)
    for _ in range(60):
        mu = 1 / (1 + np.exp(-X @ b))
        e, w = prior * (y - mu), prior * mu * (1 - mu)
        b = b + np.linalg.solve(X.T @ (w[:, None] * X), X.T @ e)
    _same(test, lambda z: _studentised(z, e, w))
    assert test.estimate == pytest.approx(fit.coef["arm[T.crewe]"], abs=1e-8)


def test_cox_with_several_arms_against_brute_force():
    arms = {"a": 1, "b": 1, "c": 2}
    drawn = cw.Design("T", arms=arms, cluster="family", seed=8).assign(D)
    fit = cw.coxph("Surv(t, e) ~ arm + x", D, design=drawn)
    test = cw.randomisation_test(fit, design=drawn)
    x, strata = D[["x"]].to_numpy(), np.zeros(N)
    b = np.zeros(1)
    for _ in range(30):
        scores, information = _cox_parts(x, b, strata)
        b = b + np.linalg.solve(information, scores.sum(axis=0))

    def t(of: np.ndarray) -> np.ndarray:
        z = np.column_stack([of == 1, of == 2])[FAMILY].astype(float)
        scores, i = _cox_parts(np.column_stack([x, z]), np.append(b, [0.0, 0.0]), strata)
        beside = scores[:, 1:] - scores[:, :1] @ np.linalg.solve(i[:1, :1], i[:1, 1:])
        left = i[1:, 1:] - i[1:, :1] @ np.linalg.solve(i[:1, :1], i[:1, 1:])
        u = np.array([beside[g == FAMILY].sum(axis=0) for g in range(G)])
        middle, bread = G / (G - 1) * u.T @ u, np.linalg.inv(left)
        step = bread @ u.sum(axis=0)
        own = step / np.sqrt(np.diag(bread @ middle @ bread))
        return np.array([*own, u.sum(axis=0) @ np.linalg.solve(middle, u.sum(axis=0))])

    observed = t(np.array([list(arms).index(drawn.clusters[str(g)]) for g in range(G)]))
    values = []
    for first in itertools.combinations(range(G), 2):
        for second in itertools.combinations([g for g in range(G) if g not in first], 2):
            values.append(
                t(np.array([1 if g in first else 0 if g in second else 2 for g in range(G)]))
            )
    every = np.array(values)
    assert test.assignments == len(every) == 420
    near = 1e-9 * np.maximum(abs(observed), every.std(axis=0))
    for j, comparison in enumerate(test.comparisons):
        low = (every[:, j] <= observed[j] + near[j]).mean()
        high = (every[:, j] >= observed[j] - near[j]).mean()
        assert comparison.statistic == pytest.approx(observed[j], rel=1e-8)
        assert comparison.p_value == pytest.approx(min(1, 2 * min(low, high)), abs=1e-12)
    assert test.omnibus[0] == pytest.approx(observed[2], rel=1e-8)
    assert test.omnibus[1] == pytest.approx((every[:, 2] >= observed[2] - near[2]).mean())


@pytest.mark.parametrize("adjusted", [False, True])
def test_one_step_of_cox_is_its_score_over_its_information(adjusted):
    covariates = D[["x"]].to_numpy() if adjusted else np.zeros((N, 0))
    p, strata = covariates.shape[1], np.zeros(N)
    b = np.zeros(p)
    for _ in range(30 if p else 0):
        scores, information = _cox_parts(covariates, b, strata)
        b = b + np.linalg.solve(information, scores.sum(axis=0))

    def step(z: np.ndarray) -> float:
        scores, i = _cox_parts(np.column_stack([covariates, z]), np.append(b, 0.0), strata)
        left = i[p, p] - (i[p, :p] @ np.linalg.solve(i[:p, :p], i[:p, p]) if p else 0.0)
        return float(scores[:, p].sum() / left)

    formula = "Surv(t, e) ~ arm" + (" + x" if adjusted else "")
    _same(cw.randomisation_test(formula, D, DRAWN, studentised=False), step)


@pytest.mark.parametrize("stratified", [False, True])
@pytest.mark.parametrize("adjusted", [False, True])
def test_cox_and_log_rank_by_the_score(adjusted, stratified):
    strata = D.office.to_numpy() if stratified else np.zeros(N)
    formula = "Surv(t, e) ~ arm" + (" + x" if adjusted else "")
    formula += " + strata(office)" if stratified else ""
    covariates = D[["x"]].to_numpy() if adjusted else np.zeros((N, 0))
    test = cw.randomisation_test(formula, D, DRAWN)
    _same(test, lambda z: _cox(z, covariates, strata))
    fit = cw.coxph(formula, D, design=DRAWN)
    of_fit = cw.randomisation_test(fit, design=DRAWN)
    assert of_fit.statistic == pytest.approx(test.statistic, rel=1e-12)
    assert of_fit.p_value == test.p_value
    assert of_fit.estimate == pytest.approx(fit.coef["arm[T.crewe]"], abs=1e-7)


@pytest.mark.parametrize("studentised", [False, True])
def test_ranks(studentised):
    from scipy.stats import rankdata

    ranks = rankdata(D.t)

    def t(z: np.ndarray) -> float:
        if not studentised:
            return float(ranks[z == 1].mean() - ranks[z == 0].mean())
        e = ranks - ranks.mean()
        u = _by_family((z - z.mean()) * e)
        return float(z @ e / np.sqrt(G / (G - 1) * (u**2).sum()))

    _same(cw.randomisation_test("rank_sum", D, DRAWN, outcome="t", studentised=studentised), t)


@pytest.mark.parametrize("studentised", [False, True])
@pytest.mark.parametrize("outcome", ["y", "t"])
def test_the_estimate_of_ranks_is_the_median_of_the_differences(outcome, studentised):
    values = D[outcome].to_numpy()
    apart = np.subtract.outer(values[ARM == 1], values[ARM == 0])
    test = cw.randomisation_test(
        "rank_sum", D, DRAWN, outcome=outcome, studentised=studentised, interval=False
    )
    assert test.estimate == pytest.approx(np.median(apart), abs=1e-7)


def test_ranks_within_strata():
    design = cw.Design("T", arms={"a": 1, "b": 1}, cluster="family", strata=["site"], seed=4)
    d = D.assign(site=np.where(FAMILY < 4, "north", "south"))
    drawn = design.assign(d)
    test = cw.randomisation_test("stratified_rank_sum", d, drawn, outcome="y")
    z = d.family.astype(str).map(drawn.clusters).eq("b").to_numpy()
    ranks = d.groupby("site").y.rank() / (d.groupby("site").y.transform("size") + 1)
    centred = ranks - ranks.groupby(d.site).transform("mean")
    beside = z - pd.Series(z).groupby(d.site).transform("mean").to_numpy()
    expected = float((centred * z).sum() / (beside**2).sum())
    assert test.statistic == pytest.approx(expected, rel=1e-12)
    assert test.assignments == 36


def test_the_interval_is_where_brute_force_stops_rejecting():
    fit = cw.logit("b ~ arm + x", D, design=DRAWN)
    test = cw.randomisation_test(fit, design=DRAWN, level=0.8)
    low, high = test.conf_int
    y = D.b.to_numpy().astype(float)

    def tails(effect: float) -> tuple[float, float]:
        e, w = _null_glm(y, "logit", effect * ARM)
        found = _studentised(ARM, e, w)
        values = np.array(
            [
                _studentised(np.isin(FAMILY, some).astype(float), e, w)
                for some in itertools.combinations(range(G), G // 2)
            ]
        )
        return (values <= found + 1e-9).mean(), (values >= found - 1e-9).mean()

    assert np.isfinite(low)
    assert tails(low - 1e-6)[1] <= 0.1 < tails(low + 1e-6)[1]
    if np.isfinite(high):
        assert tails(high + 1e-6)[0] <= 0.1 < tails(high - 1e-6)[0]


def test_clusters_named_by_their_column_are_the_units():
    d = D.assign(arm=np.where(ARM == 1, "crewe", "control"), family=[f"F{f}" for f in FAMILY])
    design = cw.Design("T", arms={"control": 1, "crewe": 1}, cluster="family", seed=3)
    drawn = design.observe(d, arm="arm")
    by_design = cw.randomisation_test(cw.ols("y ~ arm + x", d, design=drawn), design=drawn)
    by_column = cw.randomisation_test(cw.ols("y ~ arm + x", d, cluster="family"), design=drawn)
    assert by_column.p_value == by_design.p_value == _p_of_ols()
    again = pickle.loads(pickle.dumps(by_column))
    assert again.p_value == by_column.p_value and again.statistic_name == by_column.statistic_name


def _p_of_ols() -> float:
    return cw.randomisation_test(cw.ols("y ~ arm + x", D, design=DRAWN), design=DRAWN).p_value


def test_several_arms_against_brute_force():
    design = cw.Design("T", arms={"a": 1, "b": 1, "c": 1}, cluster="family", seed=8)
    d = D[FAMILY < 6].reset_index(drop=True)
    family = d.family.to_numpy()
    drawn = design.assign(d)
    fit = cw.ols("y ~ arm + x", d, design=drawn)
    test = cw.randomisation_test(fit, design=drawn)
    y, x = d.y.to_numpy(), np.column_stack([np.ones(len(d)), d.x])
    e = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]

    def t(arms: dict[int, str]) -> np.ndarray:
        arm = np.array([arms[f] for f in family])
        z = np.column_stack([arm == "b", arm == "c"]).astype(float)
        beside = z - x @ np.linalg.lstsq(x, z, rcond=None)[0]
        u = np.array([(beside * e[:, None])[family == g].sum(axis=0) for g in range(6)])
        middle = 6 / 5 * u.T @ u
        bread = np.linalg.inv(beside.T @ z)
        step = bread @ (z.T @ e)
        variance = bread @ middle @ bread.T
        score = z.T @ e
        return np.array(
            [*(step / np.sqrt(np.diag(variance))), score @ np.linalg.solve(middle, score)]
        )

    own = {int(label): arm for label, arm in drawn.clusters.items()}
    found = t(own)
    values = []
    for b in itertools.combinations(range(6), 2):
        for c in itertools.combinations([g for g in range(6) if g not in b], 2):
            values.append(t({g: "b" if g in b else "c" if g in c else "a" for g in range(6)}))
    all_ = np.array(values)
    assert test.assignments == len(all_) == 90
    near = 1e-9 * np.maximum(abs(found), all_.std(axis=0))
    for j, comparison in enumerate(test.comparisons):
        low = (all_[:, j] <= found[j] + near[j]).mean()
        high = (all_[:, j] >= found[j] - near[j]).mean()
        assert comparison.statistic == pytest.approx(found[j], rel=1e-9)
        assert comparison.p_value == pytest.approx(min(1, 2 * min(low, high)), abs=1e-12)
    assert test.omnibus[0] == pytest.approx(found[2], rel=1e-9)
    assert test.omnibus[1] == pytest.approx((all_[:, 2] >= found[2] - near[2]).mean(), abs=1e-12)
    largest = (abs(all_[:, :2]) / all_[:, :2].std(axis=0)).max(axis=1)
    for j, comparison in enumerate(test.comparisons):
        observed = abs(found[j]) / all_[:, j].std()
        expected = (largest >= observed - 1e-9 * max(observed, largest.std())).mean()
        assert comparison.p_adjusted == pytest.approx(expected, abs=1e-12)
    assert test.tidy()["p_adjusted"].tolist() == [c.p_adjusted for c in test.comparisons]
    assert [c.estimate for c in test.comparisons] == pytest.approx(
        [fit.coef["arm[T.b]"], fit.coef["arm[T.c]"]], rel=1e-9
    )


@pytest.mark.parametrize("model", ["ols", "logit", "cox"])
def test_size_where_nothing_has_an_effect(model):
    rng = np.random.default_rng(11)
    rejected, trials = 0, 150
    for trial in range(trials):
        family = np.repeat(np.arange(24), rng.integers(1, 4, 24))
        own = rng.normal(size=24)[family]
        d = pd.DataFrame({"family": family, "x": rng.normal(size=len(family))})
        noise = own + rng.normal(size=len(family))
        d["y"], d["b"] = np.exp(noise), (noise > 0.3).astype(int)
        d["t"], d["e"] = np.round(20 * np.exp(noise)) + 1, (rng.random(len(d)) < 0.8).astype(int)
        design = cw.Design("T", arms={"a": 1, "b": 2}, cluster="family", seed=trial)
        drawn = design.assign(d)
        fit = {
            "ols": lambda d=d, drawn=drawn: cw.ols("y ~ arm + x", d, design=drawn),
            "logit": lambda d=d, drawn=drawn: cw.logit("b ~ arm + x", d, design=drawn),
            "cox": lambda d=d, drawn=drawn: cw.coxph("Surv(t, e) ~ arm + x", d, design=drawn),
        }[model]()
        test = cw.randomisation_test(fit, design=drawn, draws=199, seed=trial + 1, interval=False)
        rejected += test.p_value <= 0.05
    # The size is 5% at most: four standard errors of 150 trials.
    assert rejected / trials <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / trials)


def test_refusals_say_what_to_do():
    fit = cw.ols("y ~ arm + x", D, design=DRAWN)
    other = cw.Design("T", arms={"control": 1, "crewe": 1}, cluster="family", seed=4).assign(D)
    with pytest.raises(cw.DesignError, match="made with another assignment"):
        cw.randomisation_test(fit, design=other)
    with pytest.raises(cw.DesignError, match="which trial is tested is missing"):
        cw.randomisation_test(fit)
    with pytest.raises(cw.InputError, match="does not say which unit"):
        d = D.assign(arm=np.where(ARM == 1, "crewe", "control"))
        cw.randomisation_test(cw.ols("y ~ arm + x", d), design=DRAWN)
    with pytest.raises(cw.InputError, match="no one column that is the arm"):
        d = D.assign(other=1 - ARM, arm=ARM)
        cw.randomisation_test(cw.ols("y ~ other", d, cluster="family"), design=DRAWN)
    with pytest.raises(cw.InputError, match="would change with every draw"):
        cw.randomisation_test(cw.ols("y ~ arm * x", D, design=DRAWN), design=DRAWN)
    with pytest.raises(cw.InputError, match="unrestricted"):
        logit = cw.logit("b ~ arm + x", D, design=DRAWN)
        cw.randomisation_test(logit, design=DRAWN, residuals="unrestricted")
    with pytest.raises(cw.InputError, match="choice of residuals"):
        cw.randomisation_test(fit, design=DRAWN, residuals="raw")
    with pytest.raises(cw.InputError, match="no rows of its own"):
        cw.randomisation_test("y ~ arm", design=DRAWN)
    with pytest.raises(cw.InputError, match="loaded without its data"):
        cw.randomisation_test(pickle.loads(pickle.dumps(fit)), design=DRAWN)
    with pytest.raises(cw.InputError, match="weighted Cox"):
        cox = cw.coxph("Surv(t, e) ~ arm", D, design=DRAWN, weights="w")
        cw.randomisation_test(cox, design=DRAWN)
    with pytest.raises(cw.InputError, match="on its own rows"):
        cw.randomisation_test(logit, D, DRAWN)


def test_what_is_printed():
    fit = cw.logit("b ~ arm + x", D, design=DRAWN)
    test = cw.randomisation_test(fit, design=DRAWN)
    text = str(test)
    assert "score of the arm in a logit" in text and "the same ratio for every row" in text
    row = test.tidy().iloc[0]
    assert (row["estimate"], row["statistic"]) == (test.estimate, test.statistic)
    assert (row["conf_low"], row["conf_high"]) == test.conf_int
    assert "log odds ratios, the same for every row" in text
    assert test.plot().get_xlabel().startswith("Studentised score of the arm")


@pytest.mark.parametrize("adjusted", [False, True])
@pytest.mark.parametrize("studentised", [False, True])
def test_assignments_that_leave_an_arm_empty_have_no_score(adjusted, studentised):
    """All in one arm: what is left of the score of a Cox model is rounding, and no statistic."""
    rng = np.random.default_rng(2)
    data = pd.DataFrame({"family": np.repeat(np.arange(8), 2), "t": rng.exponential(size=16)})
    data = data.assign(e=1, x=rng.normal(size=16))
    arms = {"control": 1, "crewe": 1}
    drawn = cw.Design("t", arms=arms, cluster="family", method=cw.Simple(), seed=3).assign(data)
    formula = "Surv(t, e) ~ arm" + (" + x" if adjusted else "")
    test = cw.randomisation_test(formula, data, drawn, studentised=studentised, interval=False)
    assert test.exact and len(test.distribution) == 2**8 - 2
