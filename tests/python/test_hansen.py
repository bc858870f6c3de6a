"""Hansen's jackknife: its standard error, law and words, beside the refits that it is made of."""

from __future__ import annotations

import crewe as cw
import numpy as np
import pandas as pd
import pytest
from scipy import stats


def families(treated: tuple[int, ...] = (1, 4, 6, 9, 10)) -> pd.DataFrame:
    rng = np.random.default_rng(4)
    family = np.repeat(np.arange(12), rng.integers(1, 6, 12))
    arm = np.where(np.isin(family, treated), "crewe", "control")
    data = pd.DataFrame({"family": family, "arm": arm, "age": rng.normal(9, 3, len(family))})
    y = 20 + 2 * (arm == "crewe") + rng.normal(0, 1, 12)[family] + rng.normal(0, 2, len(family))
    return data.assign(y=y)


def forms(data: pd.DataFrame, columns: np.ndarray, contrast: np.ndarray) -> np.ndarray:
    """Give d_g of every family, families x rows: c'(b - b_(g)) = d_g'y, by whole matrices."""
    bread = np.linalg.inv(columns.T @ columns)
    found = []
    for family in data["family"].unique():
        kept = (data["family"] != family).to_numpy()
        without = np.zeros_like(columns.T)
        without[:, kept] = np.linalg.pinv(columns[kept])
        found.append((bread @ columns.T - without).T @ contrast)
    return np.array(found)


@pytest.mark.parametrize("treated", [(1, 4, 6, 9, 10), (3,)])
def test_standard_error_statistic_and_interval(treated: tuple[int, ...]) -> None:
    data = families(treated)
    fit = cw.ols("y ~ arm + age", data, cluster="family", vcov="hansen")
    x = np.column_stack([np.ones(len(data)), data["arm"] == "crewe", data["age"]]).astype(float)
    c = np.array([0.0, 1.0, -0.5])
    d = forms(data, x, c)
    products = d @ d.T
    bread = np.linalg.inv(x.T @ x)
    scale = np.sqrt(np.trace(products) / (c @ bread @ c))
    df = np.trace(products) ** 2 / np.sum(products**2)
    se = np.sqrt(np.sum((d @ data["y"]) ** 2)) / scale
    found = fit.contrast("arm[T.crewe] - 0.5*age = 0").iloc[0]
    assert found["std_error"] == pytest.approx(se, rel=1e-9)
    assert found["df"] == pytest.approx(df, rel=1e-9)
    t = found["estimate"] / se
    assert found["p_value"] == pytest.approx(2 * stats.t.sf(abs(t), df), rel=1e-9)
    assert found["conf_high"] == pytest.approx(
        found["estimate"] + stats.t.ppf(0.975, df) * se, rel=1e-9
    )
    # One contrast jointly is its t squared, and the covariance itself is V5.
    arm = fit.tidy().set_index("term").loc["arm[T.crewe]"]
    assert fit.test("arm").p_value.iloc[0] == pytest.approx(arm["p_value"], rel=1e-9)
    own = forms(data, x, np.array([0.0, 1.0, 0.0])) @ data["y"]
    assert fit.cov.loc["arm[T.crewe]", "arm[T.crewe]"] == pytest.approx(np.sum(own**2), rel=1e-9)


def test_where_every_family_can_be_left_out_it_is_cr3_made_smaller() -> None:
    fit = cw.ols("y ~ arm + age", families(), cluster="family", vcov="hansen")
    cr3 = fit.vcov("CR3")
    np.testing.assert_allclose(fit.cov, cr3.cov, rtol=1e-12)
    assert (fit.se < cr3.se).all() and (fit.df < 11).all()
    assert "Hansen" in repr(fit)


def test_one_treated_family_is_never_significant() -> None:
    data = families((3,))
    data.loc[data["arm"] == "crewe", "y"] += 1000.0
    fit = cw.ols("y ~ arm", data, cluster="family", vcov="hansen")
    assert fit.p_value["arm[T.crewe]"] > 0.3
    assert any("counts as 0" in note for note in fit.notes)
    with pytest.raises(cw.InputError, match="CR3 is not defined"):
        fit.vcov("CR3")


def test_models_and_weights_that_have_none_say_so() -> None:
    data = families().assign(closed=lambda rows: (rows["y"] > 20).astype(int), w=1.5)
    for fit in (
        cw.logit("closed ~ arm", data, cluster="family"),
        cw.gee("y ~ arm", data, cluster="family"),
    ):
        with pytest.raises(cw.InputError, match="linear models"):
            fit.vcov("hansen")
    with pytest.raises(cw.InputError, match="linear models"):
        cw.ols("y ~ arm", data, cluster="family", weights="w", vcov="hansen")
    with pytest.raises(cw.InputError, match="needs to know the clusters"):
        cw.ols("y ~ arm", data, vcov="hansen")
    weighted = cw.ols("y ~ arm", data, cluster="family", weights=cw.Analytic("w"), vcov="hansen")
    plain = cw.ols("y ~ arm", data, cluster="family", vcov="hansen")
    np.testing.assert_allclose(weighted.se, plain.se, rtol=1e-9)


def test_strata_of_one_family_leave_the_arm_alone() -> None:
    data = families().assign(place=lambda rows: np.where(rows["family"] == 7, "lone", "other"))
    with_place = cw.ols("y ~ arm + place", data, cluster="family", vcov="hansen")
    without = cw.ols("y ~ arm", data[data["family"] != 7], cluster="family", vcov="hansen")
    assert with_place.se["arm[T.crewe]"] == pytest.approx(without.se["arm[T.crewe]"], rel=1e-9)
    assert with_place.df["arm[T.crewe]"] == pytest.approx(without.df["arm[T.crewe]"], rel=1e-9)
