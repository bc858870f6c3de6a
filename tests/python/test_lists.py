"""Procedures that draw a whole list at once, from Python: frames, notes, fits."""

from __future__ import annotations

import os
import pickle
import re
from pathlib import Path

import crewe as cw
import matplotlib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from crewe.frames.source import Source

matplotlib.use("agg")

EQUAL = {"control": 1, "crewe": 1}


def schools(n: int = 24, seed: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "school": [f"s{k:02d}" for k in range(n)],
            "region": rng.choice(["north", "south"], n),
            "size": rng.normal(200, 60, n).round(),
            "need": rng.normal(0, 1, n).round(3),
        }
    )


def design(method: cw.Method, **changes: object) -> cw.Design:
    settings = {"arms": EQUAL, "unit": "school", "method": method, "seed": 11}
    return cw.Design("Schools", **(settings | changes))


def with_outcome(assignment: cw.Assignment) -> pd.DataFrame:
    frame = assignment.frame
    rng = np.random.default_rng(5)
    return frame.assign(y=frame["need"] + (frame["arm"] == "crewe") + rng.normal(size=len(frame)))


# -- misfits -------------------------------------------------------------------------------------


def test_units_left_out_are_in_no_arm_and_in_no_comparison() -> None:
    data = schools(25)
    drawn = design(
        cw.Complete(misfits="leave_out"), arms={"control": 1, "crewe": 2}, strata=["region"]
    ).assign(data)
    gone = drawn.frame["arm"].isna()
    left = sum(n % 3 for n in data["region"].value_counts())
    assert gone.sum() == left > 0
    size = data["region"].map(data["region"].value_counts())
    spare = (size % 3) / size
    np.testing.assert_allclose(drawn.frame["probability"][gone], spare[gone], rtol=1e-14)
    np.testing.assert_allclose(1 - drawn.probability.sum(axis=1), spare, atol=1e-14)
    assert sum(drawn.counts().values()) == len(drawn.clusters) == 25 - left
    assert any("left out" in note for note in drawn.notes)
    assert "were left out" in drawn.methods()[0]
    assert "exactly the ratio" not in drawn.methods()[0]
    # Flow and balance.
    flow = cw.consort(drawn)
    assert flow.randomised == (25 - left, 25 - left)
    assert flow.assessed == (25, 25)
    assert int(drawn.balance(["size"]).tidy()["n"].sum()) == 25 - left
    # Fits drop them with a note, wherever the arm comes from.
    data = with_outcome(drawn)
    for frame in (data, data.drop(columns="arm")):
        fit = cw.ols("y ~ arm", frame, design=drawn)
        assert fit.n == 25 - left
        assert any(f"{left} of 25 rows belong to {left} units" in note for note in fit.notes)
    # The same from polars, and after a pickle.
    again = drawn.design.assign(pl.from_pandas(schools(25)))
    assert again.frame["arm"].to_list() == [None if v != v else v for v in drawn.frame["arm"]]
    assert pickle.loads(pickle.dumps(drawn)).possible == drawn.possible


@pytest.mark.parametrize("rule", ["strata", "weighted_strata", "weighted_global", "global"])
def test_methods_sentence_is_true_for_every_rule(rule: str) -> None:
    method = cw.Complete(misfits=rule)
    uneven = {"control": 1, "crewe": 2}
    drawn = design(method, arms=uneven, strata=["region"]).assign(schools(25))
    told = drawn.methods()[0]
    assert ("exactly the ratio" in told) == (rule != "global")
    assert drawn.probability.sum(axis=1) == pytest.approx(1, abs=1e-14)
    if rule == "global":
        assert "for control" in told
        assert np.ptp(drawn.probability[:, 0]) > 0 or drawn.probability[0, 0] != 1 / 3


# -- matched sets ----------------------------------------------------------------------------------


def test_built_pairs_stand_in_the_frame_and_in_the_formula() -> None:
    drawn = design(cw.MatchedSets(match=["size", "need"])).assign(schools())
    frame = with_outcome(drawn)
    sets = frame.groupby("set")["arm"].agg(["size", "nunique"])
    assert (sets == 2).all().all() and len(sets) == 12
    assert any("12 sets were built" in note for note in drawn.notes)
    fit = cw.ols("y ~ arm", frame, design=drawn)
    assert fit.formula == "y ~ arm + C(set)"
    assert any("12 sets for 24 units" in note for note in fit.notes)
    # The pairs come from the assignment where the data lack them.
    bare = cw.ols("y ~ arm", frame.drop(columns="set"), design=drawn)
    assert bare.formula == fit.formula
    np.testing.assert_allclose(bare.coef, fit.coef, rtol=1e-12)
    # The difference within pairs is the coefficient.
    wide = frame.pivot(index="set", columns="arm", values="y")
    assert fit.coef.iloc[1] == pytest.approx((wide["crewe"] - wide["control"]).mean(), rel=1e-10)
    assert cw.ols("y ~ arm", frame, design=drawn, strata_terms=False).formula == "y ~ arm"
    spanned = cw.ols("y ~ arm + C(set)", frame, design=drawn)
    assert spanned.formula == "y ~ arm + C(set)"


def test_given_sets_replace_the_terms_of_the_strata() -> None:
    data = schools().sort_values(["region", "size"], ignore_index=True)
    place = data.groupby("region").cumcount() // 2
    odd = data.groupby("region")["school"].transform("size") % 2 == 1
    last = place == data["region"].map(place.groupby(data["region"]).max())
    data["pair"] = data["region"] + (place - (odd & last)).astype(str)
    drawn = design(cw.MatchedSets(on="pair"), strata=["region"]).assign(data)
    frame = with_outcome(drawn)
    assert cw.ols("y ~ arm", frame, design=drawn).formula == "y ~ arm + C(pair)"
    assert drawn.probability.tolist() == [[0.5, 0.5]] * 24
    assert "exactly the ratio" in drawn.methods()[0]
    # A trial randomised elsewhere with the same declaration.
    seen = drawn.design.observe(frame.drop(columns=["stratum", "probability", "set"]), arm="arm")
    assert cw.ols("y ~ arm", frame, design=seen).formula == "y ~ arm + C(pair)"


def test_cox_takes_sets_as_strata_and_covariates_as_terms() -> None:
    rng = np.random.default_rng(8)
    time = {"days": rng.exponential(100, 24).round() + 1, "closed": np.tile([1, 1, 0], 8)}
    paired = design(cw.MatchedSets(match=["size"])).assign(schools())
    frame = paired.frame.assign(**time)
    fit = cw.coxph("Surv(days, closed) ~ arm", frame, design=paired)
    assert "strata(set)" in fit.formula or "set" in repr(fit)
    stratified = cw.coxph("Surv(days, closed) ~ arm + strata(set)", frame)
    np.testing.assert_allclose(fit.coef, stratified.coef, rtol=1e-12)
    balanced = design(cw.Constrained(on=["size"])).assign(schools())
    fit = cw.coxph("Surv(days, closed) ~ arm", balanced.frame.assign(**time), design=balanced)
    assert list(fit.coef.index) == ["arm[T.crewe]", "size"]


def test_sets_of_one_are_refused_by_name() -> None:
    data = schools(5).assign(pair=list("aabbc"))
    with pytest.raises(cw.DesignError, match=r"c \(only s04\)"):
        design(cw.MatchedSets(on="pair")).assign(data)


# -- constrained -----------------------------------------------------------------------------------


def test_constrained_randomisation_of_the_dickinson_counties() -> None:
    folder = os.environ.get("CREWE_REFERENCE_DATA")
    if not folder:
        pytest.skip("CREWE_REFERENCE_DATA is not set: the Dickinson counties are not checked")
    data = pd.read_csv(Path(folder) / "dickinson_design.csv")
    on = ["location", "inciis", "uptodateonimmunizations", "hispanic", "incomecat"]
    trial = cw.Design(
        "Counties", arms=EQUAL, unit="county", method=cw.Constrained(on=on), seed=2015
    )
    found = trial.constrained(data)
    assert (found.candidates, found.accepted, found.enumerated) == (12_870, 1_288, True)
    got = [found.minimum, found.mean, found.maximum, found.cutoff]
    assert got == pytest.approx([1.161, 24.0, 116.656, 7.638], abs=5e-4)
    assert (found.probability == 0.5).all()
    assert not found.together and not found.apart and not found.notes
    drawn = trial.assign(data)
    assert drawn.possible == 1_288
    assert drawn.validity().cutoff == found.cutoff
    assert drawn.counts() == {"control": 8, "crewe": 8}
    assert "1288 best balanced of 12870 possible" in " ".join(drawn.notes)
    # The draws stay in the accepted set, and the set is the same for another seed of the draws.
    draws = trial.draws(data, 3_000, seed=77)
    rows = {row.tobytes() for row in draws}
    assert len(rows) <= 1_288
    support = trial._core().support(trial._units(Source(data)), 2_000)
    assert rows <= {row.tobytes() for row in support.arm}
    # Counties as polars text, rows shuffled.
    other = pl.from_pandas(data.sample(frac=1, random_state=1)).with_columns(pl.col("county"))
    again = trial.assign(other)
    assert again.clusters == drawn.clusters
    assert "cutoff" in repr(found) and "<table" in found._repr_html_()
    axes = found.plot()
    assert "1,288 of 12,870 accepted" in axes.texts[0].get_text()
    assert len(found.tidy()) == 32


def test_constrained_covariates_enter_the_formula_unless_spanned() -> None:
    data = schools()
    drawn = design(cw.Constrained(on=["size", "region"], keep=0.2)).assign(data)
    frame = with_outcome(drawn)
    fit = cw.ols("y ~ arm", frame, design=drawn)
    assert fit.formula == "y ~ arm + size + C(region)"
    assert cw.ols("y ~ arm + size", frame, design=drawn).formula == "y ~ arm + size + C(region)"
    linear = cw.ols("y ~ arm + I(2 * size) + region", frame, design=drawn)
    assert linear.formula == "y ~ arm + I(2 * size) + region"
    bare = cw.ols("y ~ arm", frame.drop(columns=["size", "region"]), design=drawn)
    assert bare.formula == fit.formula
    np.testing.assert_allclose(bare.coef, fit.coef, rtol=1e-9)
    assert cw.ols("y ~ arm", frame, design=drawn, strata_terms=False).formula == "y ~ arm"


def test_unequal_arms_state_each_units_probability() -> None:
    data = schools(9)
    method = cw.Constrained(on=["size", "need"], keep=0.5)
    drawn = design(method, arms={"control": 1, "crewe": 2}).assign(data)
    assert np.ptp(drawn.probability[:, 0]) > 0
    assert "not all equal to the ratio" in drawn.methods()[0]
    assert any("away from the ratio" in note for note in drawn.notes)
    kept = drawn.frame["probability"]
    arm = (drawn.frame["arm"] == "crewe").to_numpy().astype(int)
    np.testing.assert_array_equal(kept, drawn.probability[np.arange(9), arm])
    with pytest.raises(cw.DesignError, match="never gets"):
        design(cw.Constrained(on=["size"], keep=0.01), arms={"control": 1, "crewe": 2}).assign(data)


def test_only_constrained_designs_have_an_accepted_set() -> None:
    with pytest.raises(cw.DesignError, match="accepts every assignment"):
        design(cw.Complete()).constrained(schools())


# -- rerandomised ----------------------------------------------------------------------------------


def test_rerandomisation_balances_and_says_how() -> None:
    data = schools(40)
    drawn = design(cw.Rerandomised(on=["size", "need"], accept=0.01)).assign(data)
    frame = with_outcome(drawn)
    gap = frame.groupby("arm")["size"].mean().diff().iloc[1] / data["size"].std()
    assert abs(gap) < 0.1
    assert (drawn.probability == 0.5).all()
    assert any("chi-squared with 2 df" in note for note in drawn.notes)
    assert cw.ols("y ~ arm", frame, design=drawn).formula == "y ~ arm + size + need"
    assert drawn.possible is None


def test_simulated_probabilities_say_their_number_of_draws() -> None:
    data = schools(40)
    method = cw.Rerandomised(on=["size", "need"], accept=0.1)
    drawn = design(method, arms={"control": 1, "crewe": 2}).assign(data)
    assert "10,000 simulated draws" in drawn.methods()[0]
    assert drawn.probability[:, 1] == pytest.approx(2 / 3, abs=0.1)


def test_collinear_covariates_are_named() -> None:
    data = schools().assign(double=lambda d: 2 * d["size"])
    with pytest.raises(cw.RankError, match="'double'"):
        design(cw.Rerandomised(on=["size", "double"])).assign(data)


def test_columns_with_odd_names_enter_the_formula() -> None:
    data = schools().rename(columns={"size": "school size"})
    drawn = design(cw.Rerandomised(on=["school size"], accept=0.2)).assign(data)
    frame = with_outcome(drawn)
    assert cw.ols("y ~ arm", frame, design=drawn).formula == "y ~ arm + `school size`"


def test_the_code_of_the_methods_page_runs() -> None:
    page = Path(__file__).parents[2] / "docs" / "methods" / "randomisation-lists.md"
    blocks = re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), flags=re.DOTALL)
    assert blocks
    exec(compile("\n".join(blocks), page.name, "exec"), {})
