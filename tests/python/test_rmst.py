"""Restricted means: R's survRM2, the influences by plain loops, and what is refused."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import crewe as cw
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import polars as pl
import pytest

REFERENCE = Path(__file__).parents[1] / "reference"
EXPECTED = json.loads((REFERENCE / "expected/rmst.json").read_text(encoding="utf-8"))
ROWS = ["estimate", "conf_low", "conf_high", "p_value"]


def table(name: str) -> pd.DataFrame:
    frame = pd.read_csv(REFERENCE / f"data/{name}.csv")
    arm = {
        "veteran": lambda: frame["trt"] == 2,
        "rossi": lambda: frame["fin"] == "yes",
        "lung": lambda: frame["sex"] == 2,
        "rats": lambda: frame["rx"] == 1,
    }[name]()
    frame = frame.assign(arm=arm.astype(int), row=np.arange(len(frame)))
    return frame.assign(three=1000 * frame["arm"] + frame.groupby("arm").cumcount() // 3)


def rows_of(found, measure: str) -> pd.DataFrame:
    tidy = found.tidy()
    return tidy[tidy["measure"] == measure]


@pytest.mark.parametrize("case", EXPECTED["plain"], ids=lambda c: f"{c['data']} {c['horizon']}")
def test_unclustered_as_survrm2(case):
    found = cw.rmst(
        f"Surv({case['time']}, {case['event']}) ~ arm", table(case["data"]), horizon=case["horizon"]
    )
    means = rows_of(found, "mean")
    for column, key in [("estimate", "mean"), ("std_error", "se"), ("conf_low", "low")]:
        np.testing.assert_allclose(means[column], case[key], rtol=1e-10)
    np.testing.assert_allclose(means["conf_high"], case["high"], rtol=1e-10)
    for measure in ("difference", "ratio"):
        ours = rows_of(found, measure)[ROWS].to_numpy()[0]
        np.testing.assert_allclose(ours, case[measure], rtol=1e-8)
    assert np.isinf(means["df"]).all() and means["p_value"].isna().all()


@pytest.mark.parametrize("case", EXPECTED["clustered"], ids=lambda c: c["name"])
def test_clusters_and_weights_as_the_influences_by_plain_loops(case):
    # A weighted analysis without clusters is one of single rows.
    alone = case["cluster"] == "row" and case["weights"] is not None
    frame = table(case["data"])
    found = cw.rmst(
        f"Surv({case['time']}, {case['event']}) ~ arm",
        frame[frame[case["cluster"]].notna()],
        horizon=case["horizon"],
        cluster=None if alone else case["cluster"],
        weights=case["weights"],
    )
    np.testing.assert_allclose(rows_of(found, "mean")["estimate"], case["mean"], rtol=1e-11)
    np.testing.assert_allclose(found.cov, case["cov"], rtol=1e-9, atol=1e-12)
    for measure in ("difference", "ratio"):
        row = rows_of(found, measure)
        ours = row[["estimate", "std_error", "conf_low", "conf_high", "p_value"]].to_numpy()[0]
        np.testing.assert_allclose(ours, case[measure], rtol=1e-8)
        assert row["df"].tolist() == [case["df"]]
    assert found.clusters is None if alone else sum(found.clusters) >= case["clusters"]


def test_the_horizon_is_the_smaller_last_time_and_is_printed():
    lung = table("lung")
    last = lung.groupby("arm")["time"].max().min()
    found = cw.rmst("Surv(time, status) ~ arm", lung)
    assert found.horizon == last
    assert f"no horizon was given: it is {last:g}" in found.text()
    given = cw.rmst("Surv(time, status) ~ arm", lung, horizon=float(last))
    assert f"up to {last:g}" in given.text() and not given.notes
    pd.testing.assert_frame_equal(found.tidy(), given.tidy())


def test_beyond_what_is_known_is_refused():
    lung = table("lung")
    with pytest.raises(
        cw.InputError, match=r"beyond the last time of '1'.*horizon 966.*at most 965"
    ):
        cw.rmst("Surv(time, status) ~ arm", lung, horizon=966)
    assert cw.rmst("Surv(time, status) ~ arm", lung, horizon=965).horizon == 965
    for wrong in (0, -5, np.nan, np.inf):
        with pytest.raises(cw.InputError, match="not a time after 0"):
            cw.rmst("Surv(time, status) ~ arm", lung, horizon=wrong)


def test_a_time_that_is_the_horizon_but_for_rounding_is_the_horizon():
    frame = pd.DataFrame({"t": [0.1, 0.1 * 3, 0.5, 0.2, 0.4, 0.6], "e": 1, "arm": list("aaabbb")})
    near, exact = (cw.rmst("Surv(t, e) ~ arm", frame, horizon=h) for h in (0.3, 0.1 * 3))
    np.testing.assert_allclose(near.tidy()["estimate"], exact.tidy()["estimate"], rtol=1e-14)
    assert near.events.tolist() == exact.events.tolist() == [2.0, 1.0]


def test_an_arm_without_events_is_said():
    frame = pd.DataFrame(
        {"t": [5.0, 6, 7, 5, 6, 7], "e": [0, 0, 1, 1, 1, 0], "arm": list("aaabbb")}
    )
    found = cw.rmst("Surv(t, e) ~ arm", frame, horizon=6)
    assert any("no event of 'a' up to the horizon" in note for note in found.notes)
    assert found.tidy()["estimate"][0] == 6 and np.isnan(found.tidy()["conf_low"][0])


def test_the_trial_gives_clusters_and_the_order_of_the_arms():
    families = pd.DataFrame({"family": [f"F{i}" for i in range(12)]})
    design = cw.Design("t", arms={"usual": 1, "extra": 1}, cluster="family", seed=1)
    trial = design.assign(families)
    rng = np.random.default_rng(3)
    children = (
        trial.frame[["family", "arm"]].loc[np.repeat(np.arange(12), 2)].reset_index(drop=True)
    )
    children = children.assign(days=rng.integers(1, 30, 24), closed=rng.integers(0, 2, 24))
    found = cw.rmst("Surv(days, closed) ~ arm", children, design=trial, horizon=10)
    assert found.groups == ["usual", "extra"] and found.clusters == [6, 6]
    assert rows_of(found, "difference")["df"].tolist() == [10.0]
    assert "clusters (family)" in found.methods()[1]
    by_name = cw.rmst("Surv(days, closed) ~ arm", children, cluster="family", horizon=10)
    ours = rows_of(found, "difference")["estimate"].iloc[0]
    theirs = rows_of(by_name, "difference")["estimate"].iloc[0]
    assert ours == pytest.approx(-theirs)


def test_too_few_clusters_are_refused():
    frame = pd.DataFrame(
        {"t": [5.0, 6, 7, 5, 6, 7], "e": 1, "arm": list("aaabbb"), "f": [1, 1, 1, 2, 3, 4]}
    )
    with pytest.raises(cw.DesignError, match="arm 'a' has 1 of the clusters"):
        cw.rmst("Surv(t, e) ~ arm", frame, cluster="f", horizon=5)


def test_results_are_as_all_others():
    lung = table("lung").assign(site=lambda d: np.where(d["inst"] < 10, "north", "south"))
    found = cw.rmst("Surv(time, status) ~ arm", lung, horizon=500, synthetic=True)
    again = pickle.loads(pickle.dumps(found))
    pd.testing.assert_frame_equal(again.tidy(), found.tidy())
    assert "SYNTHETIC" in again.text() and "<table" in again._repr_html_()
    assert list(found.glance()["term"]) == ["0", "1"]
    ax = again.plot(labels={"0": "men", "1": "women"})
    assert len(ax.collections) == 2
    plt.close("all")
    by = cw.rmst("Surv(time, status) ~ arm", lung, horizon=500, by="site")
    assert list(by) == ["north", "south"]
    one = cw.rmst("Surv(time, status) ~ 1", lung, horizon=500)
    assert one.tidy()["measure"].tolist() == ["mean"]
    arrays = cw.rmst(cw.Surv(lung["time"], lung["status"]), lung["arm"], horizon=500)
    np.testing.assert_array_equal(arrays.tidy()["estimate"], found.tidy()["estimate"])
    assert isinstance(
        cw.rmst("Surv(time, status) ~ arm", pl.from_pandas(lung)).tidy(), pl.DataFrame
    )
