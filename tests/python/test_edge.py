"""Numbers at the edge of arithmetic, one test a fault that was found, by its number.

The expected values are R's on the same toy data (clubSandwich 0.5.8, on centred columns in moderate units):

    i <- 0:59
    d <- data.frame(y = sin(i*1.7)+cos(i*0.31), pre = sin(i*2.3), arm = (i %/% 4) %% 2,
                    q = as.numeric(i %% 3 == 1), r = as.numeric(i %% 3 == 2), cl = i %/% 4)
    f <- lm(y ~ arm + pre + q + r, d)
    Wald_test(f, rbind(c(0,1,0,0,0), c(0,0,1,0,0)), vcovCR(f, d$cl, "CR2"), test = "HTZ")
    e <- d; e$far <- 1e5 * (1e-5*cos(i*5.1)); g <- lm(y ~ arm + pre + far, e)   # spans arm, pre, pre + 1e-5 cos
    Wald_test(g, rbind(c(0,0,1,0), c(0,0,0,1)), vcovCR(g, e$cl, "CR1"), test = "Naive-F")

The degrees of freedom beside a leftover code are those of the definition in 50-digit arithmetic (mpmath): cluster by cluster
the symmetric root of I - H_gg, and (tr G)^2 / sum of G^2 of the exact 15 x 15 matrix G.
"""

from __future__ import annotations

import crewe as cw
import numpy as np
import pandas as pd
import pytest

ROW = np.arange(60)
D = pd.DataFrame(
    {
        "y": np.sin(ROW * 1.7) + np.cos(ROW * 0.31),
        "pre": np.sin(ROW * 2.3),
        "arm": np.where((ROW // 4) % 2 == 1, "b", "a"),
        "h": np.array(list("pqr"))[ROW % 3],
        "cl": ROW // 4,
    }
)


@pytest.mark.parametrize("unit", [1.0, 1e8, 1e-8, 1e-9, 1e12, 1e-12])
def test_3_1_joint_tests_do_not_depend_on_units(unit):
    fit = cw.ols("y ~ arm + pre + h", D.assign(pre=D["pre"] * unit), cluster="cl")
    row = fit.test(["arm[T.b]", "pre"]).iloc[0]
    assert row["test"] == "HTZ"
    np.testing.assert_allclose(
        [row["statistic"], row["df_denom"], row["p_value"]],
        [0.0798877937364067, 12.3241722256049, 0.923694049477652],
        rtol=1e-9,
    )
    scaled = fit.test([[0.0, 1e-9, 0, 0, 0], [0.0, 0.0, 1.0, 0.0, 0.0]]).iloc[0]
    np.testing.assert_allclose(scaled["p_value"], row["p_value"], rtol=1e-9)


def test_3_2_one_leftover_missing_code():
    data = D.copy()
    data.loc[7, "pre"] = 999999.0
    fit = cw.ols("y ~ arm + pre", data, cluster="cl")
    np.testing.assert_allclose(
        fit.df, [7.0000000000091998, 12.593034267807608, 1.0663741288804129], rtol=1e-11
    )
    assert (fit.df >= 1).all()


@pytest.mark.parametrize("offset", [0.0, 1e6, 1e8, 1e10])
@pytest.mark.parametrize("at", ["means", "observed"])
def test_3_3_margins_beside_large_means(offset, at):
    # Multiples of 2^-16 hold the offset exactly.
    data = D.assign(pre=np.round(D["pre"] * 2**16) / 2**16)
    near = cw.ols("y ~ arm + pre", data, cluster="cl").margins("arm", at=at)
    far = cw.ols("y ~ arm + pre", data.assign(pre=data["pre"] + offset), cluster="cl").margins(
        "arm", at=at
    )
    for one, other in ((near.tidy(), far.tidy()), (near.contrasts(), far.contrasts())):
        for key in ("estimate", "std_error", "df", "p_value"):
            np.testing.assert_allclose(one[key], other[key], rtol=1e-9)


@pytest.mark.parametrize("value", [0.0, 1.0, 3.0, 7.0, 0.1])
def test_3_4_an_outcome_that_never_varies(value):
    for data, cluster in ((D, "cl"), (D, None)):
        fit = cw.ols("y ~ arm + pre", data.assign(y=value), cluster=cluster)
        table = fit.tidy()
        assert table["estimate"].iloc[1:].tolist() == [0.0, 0.0]
        assert table[["statistic", "p_value", "conf_low", "conf_high"]].isna().all().all()
        assert any("not estimable" in note for note in fit.notes)


def test_3_5_the_margin_of_a_lone_row_has_no_variance():
    data = D.assign(lone=np.where(ROW == 5, "z", "o"))
    for vcov in ("CR2", "CR1"):
        margins = cw.ols("y ~ lone", data, cluster="cl", vcov=vcov).margins("lone")
        row = margins.tidy().iloc[1]
        assert row["std_error"] == 0.0 and np.isnan(row["p_value"])
        assert any("not estimable" in note for note in margins.notes)


def test_3_6_joint_tests_of_columns_that_are_close():
    data = D.assign(near=D["pre"] + 1e-5 * np.cos(ROW * 5.1))
    row = (
        cw.ols("y ~ arm + pre + near", data, cluster="cl", vcov="CR1").test(["pre", "near"]).iloc[0]
    )
    np.testing.assert_allclose(row["statistic"], 0.0464549631630829, rtol=1e-8)
    np.testing.assert_allclose(row["p_value"], 0.954754065810169, rtol=1e-8)


def test_3_7_hc3_near_leverage_one():
    # The same question with the far value brought near: a column and its multiple by 1e6 less what it adds to the mean.
    for size in (1e5, 1e7, 1e9):
        x = np.where(ROW == 9, size, D["pre"])
        fit = cw.ols("y ~ x", D.assign(x=x), vcov="HC3")
        # The slope is all but y_9 less the mean of the others, over the size; HC3 is the jackknife without a factor.
        changes = []
        for i in range(60):
            kept = i != ROW
            design = np.column_stack([np.ones(59), (x[kept] - x[kept].mean()) / np.ptp(x[kept])])
            beta = np.linalg.lstsq(design, D["y"].to_numpy()[kept], rcond=None)[0]
            changes.append(beta[1] / np.ptp(x[kept]) - fit.coef.iloc[1])
        # Exact identity: b_(i) - b is what HC3 squares.
        np.testing.assert_allclose(fit.se.iloc[1], np.sqrt(np.sum(np.square(changes))), rtol=1e-6)


def test_3_9_cox_joint_tests_with_few_clusters():
    data = D.assign(t=1.0 + ROW, e=(ROW % 5 != 0).astype(int), few=ROW // 20)
    fit = cw.coxph("Surv(t, e) ~ arm + pre + h", data, cluster="few", vcov="CR0")
    assert np.isnan(fit.wald["p_value"]) and np.isnan(fit.robust_score["p_value"])
    assert any("joint tests are not available" in note for note in fit.notes)
    with pytest.raises(cw.RankError):
        fit.test(["arm[T.b]", "pre", "h[T.q]"])


def test_3_10_cox_arm_constant_within_every_risk_set():
    data = D.assign(t=1.0 + ROW, e=(ROW % 5 != 0).astype(int))
    with pytest.raises(cw.RankError, match="arm") as error:
        cw.coxph("Surv(t, e) ~ pre + arm + strata(cl)", data)
    assert "arm" in error.value.column


def test_3_13_the_default_term_is_the_first_of_the_formula():
    data = D.assign(
        t=1.0 + ROW, e=1, age=10.0 + ROW % 7, age_group=np.where(ROW % 7 > 3, "old", "young")
    )
    fit = cw.coxph("Surv(t, e) ~ age_group + age + arm", data)
    assert fit.adjusted_curves(times=[10.0]).term == "age_group"


def test_3_15_a_factor_of_many_levels():
    n, levels = 4_000, 120
    rng = np.random.default_rng(3)
    data = pd.DataFrame(
        {
            "y": rng.normal(size=n),
            "arm": rng.integers(0, 2, n),
            "x": rng.normal(size=n),
            "f": [f"l{i % levels:03}" for i in range(n)],
        }
    )
    fit = cw.ols("y ~ arm + x + f", data)
    singles = cw.ols("y ~ arm + x + f", data, cluster=None, vcov="HC2")
    dense = np.column_stack(
        [np.ones(n), data[["arm", "x"]], pd.get_dummies(data["f"], dtype=float).iloc[:, 1:]]
    )
    q, r = np.linalg.qr(dense)
    h = (q**2).sum(axis=1)
    # Bell and McCaffrey's degrees of freedom by their definition, for the arm.
    u = np.linalg.solve(r.T, np.eye(dense.shape[1])[1])
    a = (q @ u) / np.sqrt(1 - h)
    outer = (q * a[:, None]).T @ (q * a[:, None])
    trace = (a**2 * (1 - h)).sum()
    total = (a**4 * (1 - 2 * h)).sum() + (outer**2).sum()
    np.testing.assert_allclose(fit.df.iloc[1], trace**2 / total, rtol=1e-9)
    assert np.isfinite(fit.tidy()["df"]).all() and fit.df.equals(singles.df)


@pytest.mark.parametrize(
    "ask",
    [
        lambda fit: fit.contrast([0.0, np.nan, 0.0]),
        lambda fit: fit.contrast(np.zeros((0, 3))),
        lambda fit: fit.test([]),
        lambda fit: fit.test(np.zeros((0, 3))),
        lambda fit: fit.confint(95),
        lambda fit: fit.margins("arm", level=95),
        lambda fit: fit.contrast([0.0, 1.0]),
        lambda fit: fit.margins("arm", compare="gap"),
    ],
)
def test_bad_questions_are_refused_in_one_class(ask):
    with pytest.raises(cw.InputError):
        ask(cw.ols("y ~ arm + pre", D, cluster="cl"))
