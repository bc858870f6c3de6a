"""Power while the trial runs and under doubt: forecasts, blinded outcomes, assurance; R's numbers, refusals, blinding."""

from __future__ import annotations

import datetime as dt
import json
import pickle
from pathlib import Path
from typing import Any

import crewe as cw
import numpy as np
import pandas as pd
import pytest
from crewe import _core
from crewe.exceptions import DesignError, InputError

KNOWN: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "reference" / "expected" / "power_trial.json").read_text("utf-8")
)
TRIAL = {"baseline": 0.226, "icc": 0.36, "cluster_size": 3}
PLAN = cw.power.binary(**TRIAL, clusters=132, effect=0.18, allocation=2 / 3)
RNG = np.random.default_rng(2016)
CAME = pd.DataFrame(
    {
        "family": np.arange(60),
        "day": pd.to_datetime("2015-08-03")
        + pd.to_timedelta(np.sort(RNG.integers(0, 180, 60)), "D"),
    }
)
CHILDREN = pd.DataFrame({"family": np.repeat(np.arange(60), RNG.integers(1, 6, 60))})
CHILDREN["closed"] = (
    RNG.random(60)[CHILDREN["family"]] * 0.6 + RNG.random(len(CHILDREN)) < 0.6
) * 1.0
DESIGN = cw.Design("Rolling", arms={"control": 1, "treated": 2}, cluster="family", seed=5)
ASSIGNMENT = DESIGN.assign(CAME)


def look(**options: Any) -> cw.power.Update:
    given = {"arrived": "day", "data": CHILDREN, "outcome": "closed", "closes": "2016-06-30"}
    return cw.power.update(PLAN, ASSIGNMENT, **{**given, **options})


# -- R ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("known", KNOWN["forecasts"])
def test_numbers_to_come_are_those_of_qnbinom(known: dict[str, float]) -> None:
    pace = _core.PowerArrivals(int(known["n"]), known["t"])
    expected, low, high = pace.over(known["h"], known["level"])
    assert expected == pytest.approx(known["expected"], rel=1e-12)
    assert (low, high) == (known["low"], known["high"])


@pytest.mark.parametrize("known", KNOWN["times"])
def test_times_to_a_target_are_those_of_the_negative_binomial(known: dict[str, float]) -> None:
    pace = _core.PowerArrivals(int(known["n"]), known["t"])
    found = pace.until(int(known["m"]), known["level"])
    assert found == pytest.approx([known["median"], known["low"], known["high"]], rel=1e-6)


@pytest.mark.parametrize("known", KNOWN["mixtures"])
def test_the_effect_is_taken_off_blinded_figures(known: dict[str, float]) -> None:
    seen = _core.PowerBlinded(known["mean"], known["variance"], known["blinded"], True)
    mean, variance, icc = seen.less(known["effect"], known["treated"])
    assert mean == pytest.approx(known["p0"], abs=1e-12)
    assert variance == pytest.approx(known["within"], rel=1e-12)
    assert icc == pytest.approx(known["icc"], abs=1e-12)


def assured(**priors: Any) -> cw.power.Assurance:
    plan = cw.power.binary(**TRIAL, clusters=286, effect=0.112, method="unpooled", distribution="z")
    return cw.power.assurance(plan, **priors, draws=200_000, seed=11)


@pytest.mark.parametrize("doubt", ["icc", "effect", "both"])
def test_assurance_is_the_integral_of_the_power(doubt: str) -> None:
    priors: dict[str, Any] = {
        "icc": cw.power.Beta(0.36, sd=0.1),
        "effect": cw.power.Normal(0.112, sd=0.04),
    }
    if doubt != "both":
        priors = {doubt: priors[doubt]}
    found, known = assured(**priors), KNOWN["assurance"]
    assert found.power == pytest.approx(known["power"], abs=1e-9)
    assert found.assurance == pytest.approx(known[doubt], abs=4 * found.error)
    assert found.error < 0.001
    for _, row in found.swings.iterrows():
        name = row["quantity"]
        assert [row["low"], row["high"]] == pytest.approx(known[f"{name}_ends"], rel=1e-9)
        assert [row["at_low"], row["at_high"]] == pytest.approx(known[f"at_{name}_ends"], abs=1e-9)


# -- Blinding ---------------------------------------------------------------------------------


def test_permuting_arms_changes_no_digit() -> None:
    arms = np.repeat(["control", "treated"], [20, 40])
    outcome = CHILDREN.assign(arm=arms[CHILDREN["family"]])
    first = None
    for seed in range(3):
        drawn = np.random.default_rng(seed).permutation(arms)
        design = cw.Design("Rolling", arms={"control": 1, "treated": 2}, cluster="family")
        trial = design.observe(CAME.assign(arm=drawn), arm="arm")
        found = cw.power.update(
            PLAN,
            trial,
            data=outcome.assign(arm=drawn[CHILDREN["family"]]),
            outcome="closed",
            arrived="day",
            closes="2016-06-30",
        )
        first = found if first is None else first
        pd.testing.assert_frame_equal(found.tidy(), first.tidy(), check_exact=True)
        assert repr(found) == repr(first)


def test_a_ledger_gives_the_same_and_shows_no_block(tmp_path: Path) -> None:
    found = []
    for name in ("one", "two"):
        design = cw.Design(
            "Rolling",
            arms={"control": 1, "treated": 2},
            cluster="family",
            method=cw.Blocks(sizes=[3, 6]),
            seed=cw.new_key(),
        )
        ledger = cw.Ledger.create(tmp_path / f"{name}.db", design, at="2015-08-01T09:00:00Z")
        for row in CAME.head(30).itertuples():
            at = dt.datetime.combine(row.day.date(), dt.time(12), dt.timezone.utc)
            ledger.enrol(str(row.family), children=[f"{row.family}-1"], approved_by="DH", at=at)
        update = cw.power.update(
            PLAN,
            ledger,
            data=CHILDREN[CHILDREN["family"] < 30],
            outcome="closed",
            closes="2016-06-30",
        )
        found.append(update)
        assert "block" not in repr(update).lower() and "arm" not in update.tidy().columns
    assert repr(found[0]) == repr(found[1])
    from_frame = cw.power.update(
        PLAN,
        DESIGN.assign(CAME.head(30)),
        data=CHILDREN[CHILDREN["family"] < 30],
        outcome="closed",
        arrived="day",
        closes="2016-06-30",
    )
    pd.testing.assert_frame_equal(from_frame.tidy(), found[0].tidy())


# -- What it says -----------------------------------------------------------------------------


def test_stages_are_the_calculation_again() -> None:
    found = look()
    stages = found.tidy().set_index(["stage", "effect_removed"])
    sizes = CHILDREN.groupby("family").size().tolist()
    icc = cw.icc("closed", CHILDREN, cluster="family").estimate
    today = cw.power.binary(
        baseline=CHILDREN["closed"].mean(),
        icc=icc,
        cluster_size=sizes,
        clusters=60,
        power=0.8,
        allocation=2 / 3,
    )
    assert stages.loc[("today", False), "effect"] == pytest.approx(today.effect, rel=1e-9)
    assert stages.loc[("today", False), "icc"] == pytest.approx(icc, rel=1e-12)
    corrected = stages.loc[("today", True)]
    assert corrected["baseline"] == pytest.approx(CHILDREN["closed"].mean() - 0.12, abs=1e-12)
    assert corrected["icc"] < icc
    low = stages.loc[("at close, low", True), "effect"]
    high = stages.loc[("at close, high", True), "effect"]
    assert high < stages.loc[("at close, expected", True), "effect"] < low
    assert stages.loc[("planned", False), "power"] == PLAN.power


def test_the_inflation_and_what_is_not_trusted_are_said() -> None:
    text = repr(look())
    assert "No arm was read" in text
    assert "of the blinded variance, all between clusters" in text
    assert "At the ends of the ICC's interval" in text
    few = cw.power.update(
        PLAN, ASSIGNMENT, arrived="day", data=CHILDREN[CHILDREN["family"] < 20], outcome="closed"
    )
    assert "not to be trusted" in repr(few)
    assert any("40 enrolled clusters have no rows" in note for note in few.notes)


def test_a_rate_without_room_for_the_effect_is_said() -> None:
    rare = CHILDREN.assign(closed=(CHILDREN["family"] % 12 == 0) * 1.0)
    found = look(data=rare)
    assert not found.tidy()["effect_removed"].any()
    assert any("has no room for the planned effect" in note for note in found.notes)


def test_outcomes_that_are_not_known_are_counted_and_later_arrivals_left_out() -> None:
    part = CHILDREN.assign(closed=CHILDREN["closed"].where(CHILDREN["family"] != 3))
    gone = int((CHILDREN["family"] == 3).sum())
    found = look(data=part)
    assert f"{gone} of {len(CHILDREN)} rows have no outcome yet." in found.notes
    earlier = look(at=str(CAME["day"].iloc[29].date()))
    assert earlier.clusters == int((CAME["day"] <= CAME["day"].iloc[29]).sum())
    assert earlier.at == CAME["day"].iloc[29].date()
    assert earlier.seen is not None and earlier.seen.clusters == earlier.clusters


def test_clusters_that_the_procedure_left_out_are_not_counted() -> None:
    design = cw.Design(
        "Rolling",
        arms={"control": 1, "treated": 2},
        cluster="family",
        method=cw.Complete(misfits="leave_out"),
        seed=5,
    )
    trial = design.assign(CAME.head(59))
    found = cw.power.update(PLAN, trial, arrived="day")
    assert found.clusters == 57
    assert "2 clusters were left out of the randomisation." in found.notes


def test_a_recent_pace_counts_only_recent_arrivals() -> None:
    late = CAME["day"].max() - pd.Timedelta(days=30)
    found = look(recent=30)
    assert found.per_week == pytest.approx(7 * int((CAME["day"] > late).sum()) / 30)


def test_continuous_outcomes_update_the_standard_deviation() -> None:
    data = CHILDREN.assign(score=np.round(RNG.normal(20, 5, len(CHILDREN)), 1))
    plan = cw.power.continuous(sd=6, icc=0.1, cluster_size=3, clusters=100, effect=2)
    found = cw.power.update(plan, ASSIGNMENT, arrived="day", data=data, outcome="score")
    assert found.seen is not None
    assert found.seen.sd == pytest.approx(data["score"].std(ddof=1), rel=1e-12)
    stages = found.tidy().set_index(["stage", "effect_removed"])
    assert stages.loc[("today", False), "sd"] == pytest.approx(found.seen.sd)
    assert stages.loc[("today", True), "sd"] == pytest.approx(
        np.sqrt(found.seen.sd**2 - 0.25 * 4), rel=1e-12
    )


def test_results_pickle_draw_and_have_words() -> None:
    found = look()
    assert repr(pickle.loads(pickle.dumps(found))) == repr(found)
    assert "expected by 2016-06-30" in cw.plots.style.alt_of(found.plot())
    doubt = assured(effect=cw.power.Normal(0.112, sd=0.04), icc=cw.power.Beta(0.36, sd=0.1))
    assert pickle.loads(pickle.dumps(doubt)).assurance == doubt.assurance
    # The effect drives the power more than the ICC does.
    assert list(doubt.swings["quantity"]) == ["effect", "icc"]
    assert "Effect" in cw.plots.style.alt_of(doubt.plot())


def test_assurance_repeats_and_says_its_seed() -> None:
    plan = cw.power.continuous(icc=0.1, cluster_size=20, clusters=40, effect=0.3)
    prior = cw.power.Normal(0.3, sd=0.1)
    one = cw.power.assurance(plan, effect=prior, draws=1_000)
    again = cw.power.assurance(plan, effect=prior, draws=1_000, seed=one.seed)
    assert one.assurance == again.assurance and f"seed {one.seed}" in repr(one)


def test_effects_on_the_wrong_side_hardly_count() -> None:
    plan = cw.power.binary(**TRIAL, clusters=286, effect=0.112)
    wrong = cw.power.assurance(plan, effect=cw.power.Uniform(-0.15, -0.1), draws=500, seed=1)
    assert wrong.assurance < 1e-4


def test_draws_that_cannot_be_are_said() -> None:
    plan = cw.power.binary(baseline=0.8, icc=0.1, cluster_size=3, clusters=100, effect=0.1)
    found = cw.power.assurance(plan, effect=cw.power.Normal(0.1, sd=0.1), draws=4_000, seed=2)
    assert 0.1 < found.impossible < 0.2
    assert "cannot be and were left out" in repr(found)


# -- Refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: look(arrived=None), "does not say when"),
        (lambda: look(outcome=None), "need both"),
        (lambda: look(closes="2015-01-01"), "closes before the look"),
        (lambda: look(at="2014-01-01"), "nobody had been enrolled"),
        (lambda: look(closes="soon"), "closes is not a date"),
        (lambda: look(recent=0), "recent= must be"),
        (lambda: look(level=95), "confidence level"),
        (lambda: look(outcome="opened"), "opened"),
        (
            lambda: cw.power.update(
                cw.power.survival(baseline=0.7, icc=0.2, cluster_size=3, effect=1.4, power=0.8),
                ASSIGNMENT,
                arrived="day",
            ),
            "only plans of a binary or a continuous outcome",
        ),
        (lambda: cw.power.assurance(PLAN), "nothing is uncertain"),
        (lambda: cw.power.assurance(PLAN, sd=cw.power.Uniform(1, 2)), "has no sd"),
        (lambda: cw.power.assurance(PLAN, icc=cw.power.Beta(0.3, sd=0.1), draws=5), "out of range"),
        (lambda: cw.power.Beta(1.2, sd=0.1), "beta prior"),
        (lambda: cw.power.Normal(0.1, sd=0), "above 0"),
        (lambda: cw.power.Uniform(2, 1), "lower and a higher"),
        (lambda: cw.power.LogNormal(-1, sd=0.1), "log-normal"),
    ],
)
def test_what_makes_no_sense_is_refused(call: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        call()


def test_outcomes_of_strangers_are_refused() -> None:
    strangers = pd.concat([CHILDREN, pd.DataFrame({"family": [99], "closed": [1.0]})])
    with pytest.raises(DesignError, match="1 clusters that are not enrolled"):
        look(data=strangers)
