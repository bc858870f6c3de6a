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


@pytest.mark.parametrize("known", KNOWN["waits"])
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


@pytest.mark.parametrize("known", KNOWN["counts"])
def test_the_effect_is_taken_off_blinded_counts(known: dict[str, float]) -> None:
    seen = _core.PowerBlindedCounts(
        known["mean"], known["seen"], known["exposure"], known["blinded"], True
    )
    difference = seen.difference(known["ratio"], known["treated"])
    assert difference == pytest.approx(known["rate"] * (known["ratio"] - 1), rel=1e-12)
    found = seen.less(difference, known["treated"])
    assert found.rate == pytest.approx(known["rate"], rel=1e-12)
    assert found.dispersion == pytest.approx(known["dispersion"], rel=1e-12)
    assert found.icc == pytest.approx(known["icc"], abs=1e-12)
    assert found.rate_cv == pytest.approx(known["k"], abs=1e-7)
    assert found.dispersion_within == pytest.approx(known["phi"], rel=1e-12)
    assert found.inflation == pytest.approx(known["inflation"], rel=1e-12)


@pytest.mark.parametrize("known", KNOWN["times"])
def test_the_effect_is_taken_off_blinded_times(known: dict[str, float]) -> None:
    assert known["mean"] == pytest.approx(0, abs=1e-9)
    seen = _core.PowerBlindedTimes(
        known["share"], known["share"], known["variance"], known["blinded"], True
    )
    share, icc, inflation = seen.less(known["ratio"], known["treated"])
    assert share == pytest.approx(known["q0"], rel=1e-12)
    assert icc == pytest.approx(known["icc"], abs=1e-8)
    assert inflation == pytest.approx(known["inflation"], rel=1e-7)


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


COUNTS = CHILDREN.assign(
    absences=RNG.poisson(0.5 + 2 * RNG.random(60)[CHILDREN["family"]]),
    weeks=RNG.integers(4, 20, len(CHILDREN)),
    days=RNG.integers(5, 140, len(CHILDREN)),
)
OTHERS = {
    "count": (
        cw.power.count(
            baseline=0.15,
            exposure=10,
            effect=0.7,
            icc=0.1,
            cluster_size=3,
            clusters=132,
            allocation=2 / 3,
        ),
        {"outcome": "absences", "time": "weeks"},
    ),
    "count, CV of rates": (
        cw.power.count(
            baseline=0.15,
            exposure=10,
            effect=0.7,
            rate_cv=0.3,
            cluster_size=3,
            clusters=132,
            allocation=2 / 3,
        ),
        {"outcome": "absences"},
    ),
    "survival": (
        cw.power.survival(
            baseline=0.6, effect=1.6, icc=0.2, cluster_size=3, clusters=132, allocation=2 / 3
        ),
        {"outcome": "closed", "time": "days", "horizon": 84},
    ),
}


def other(kind: str, **changed: Any) -> cw.power.Update:
    """Update the plan of a count or of times with other columns."""
    plan, columns = OTHERS[kind]
    data = COUNTS.assign(closed_half=COUNTS["closed"] / 2, none=0)
    return cw.power.update(plan, ASSIGNMENT, data=data, arrived="day", **{**columns, **changed})


@pytest.mark.parametrize("kind", OTHERS)
def test_permuting_arms_changes_no_digit_of_counts_and_times(kind: str) -> None:
    plan, columns = OTHERS[kind]
    arms = np.repeat(["control", "treated"], [20, 40])
    first = None
    for seed in range(3):
        drawn = np.random.default_rng(seed).permutation(arms)
        design = cw.Design("Rolling", arms={"control": 1, "treated": 2}, cluster="family")
        trial = design.observe(CAME.assign(arm=drawn), arm="arm")
        data = COUNTS.assign(arm=drawn[COUNTS["family"]])
        found = cw.power.update(
            plan, trial, data=data, arrived="day", closes="2016-06-30", **columns
        )
        first = found if first is None else first
        pd.testing.assert_frame_equal(found.tidy(), first.tidy(), check_exact=True)
        assert repr(found) == repr(first)
        assert repr(pickle.loads(pickle.dumps(found))) == repr(first)


def test_counts_update_rate_dispersion_and_icc() -> None:
    plan, columns = OTHERS["count"]
    now = cw.power.update(plan, ASSIGNMENT, data=COUNTS, arrived="day", **columns)
    y, t = COUNTS["absences"].to_numpy(float), COUNTS["weeks"].to_numpy(float)
    rate = y.sum() / t.sum()
    left = (y - rate * t) / np.sqrt(t)
    assert now.blinded.rate == pytest.approx(rate, rel=1e-12)
    assert now.blinded.dispersion == pytest.approx((left**2).sum() / (len(y) - 1) / rate, rel=1e-12)
    same = cw.icc(left, cluster=COUNTS["family"].to_numpy())
    assert now.seen.interval == pytest.approx(same.interval, rel=1e-12)
    today = now.tidy().set_index(["stage", "effect_removed"]).loc[("today", False)]
    again = cw.power.count(
        baseline=rate,
        exposure=10,
        dispersion=now.blinded.dispersion,
        icc=same.estimate,
        cluster_size=now.sizes,
        clusters=60,
        effect=0.7,
        allocation=2 / 3,
    )
    assert today["power"] == pytest.approx(again.power, rel=1e-12)
    assert "dispersion" in repr(now)
    removed = now.tidy().set_index(["stage", "effect_removed"]).loc[("today", True)]
    assert removed["baseline"] == pytest.approx(rate / (1 / 3 + 0.7 * 2 / 3), rel=1e-12)


def test_the_variation_of_rates_stands_in_place_of_the_icc() -> None:
    plan, columns = OTHERS["count, CV of rates"]
    now = cw.power.update(plan, ASSIGNMENT, data=COUNTS, arrived="day", **columns)
    today = now.tidy().set_index(["stage", "effect_removed"]).loc[("today", False)]
    rate, total, icc = now.blinded.rate, now.blinded.dispersion, now.seen.estimate
    assert rate == pytest.approx(COUNTS["absences"].mean() / 10, rel=1e-12)
    assert today["rate_cv"] == pytest.approx(np.sqrt(icc * total / (rate * 10)), rel=1e-12)
    assert today["dispersion"] == pytest.approx(total * (1 - icc), rel=1e-12)
    assert pd.isna(today["icc"])
    assert 0 < today["power"] < 1
    assert "CV of rates" in repr(now)


def test_times_update_the_share_and_the_icc_of_scores() -> None:
    plan, columns = OTHERS["survival"]
    now = cw.power.update(
        plan, ASSIGNMENT, data=COUNTS, arrived="day", closes="2016-06-30", **columns
    )
    early = COUNTS["days"] <= 84
    cut = COUNTS.assign(days=COUNTS["days"].clip(upper=84), closed=COUNTS["closed"] * early)
    curve = cw.kaplan_meier("Surv(days, closed) ~ 1", cut).tidy()
    assert now.blinded.events == int(cut["closed"].sum())
    assert now.blinded.share == pytest.approx(1 - curve["estimate"].iloc[-1], rel=1e-12)
    # Nelson and Aalen by hand.
    days, closed = cut["days"].to_numpy(), cut["closed"].to_numpy()
    hazard = {t: closed[days == t].sum() / (days >= t).sum() for t in np.unique(days)}
    scores = closed - np.array([sum(h for s, h in hazard.items() if s <= t) for t in days])
    same = cw.icc(scores, cluster=COUNTS["family"].to_numpy())
    assert now.seen.estimate == pytest.approx(same.estimate, abs=1e-12)
    today = now.tidy().set_index(["stage", "effect_removed"])
    again = cw.power.survival(
        baseline=now.blinded.share,
        icc=now.seen.estimate,
        cluster_size=now.sizes,
        clusters=60,
        effect=1.6,
        allocation=2 / 3,
    )
    assert today.loc[("today", False), "power"] == pytest.approx(again.power, rel=1e-12)
    # Under the planned effect fewer controls have the event than all together.
    assert today.loc[("today", True), "baseline"] < now.blinded.share
    assert "Events of those expected at the close" in repr(now)


def test_individuals_need_no_likeness() -> None:
    plan = cw.power.continuous(cluster_size=1, clusters=132, effect=0.5, sd=4.0)
    one = COUNTS.drop_duplicates("family").assign(score=lambda d: d["days"] / 10)
    now = cw.power.update(plan, ASSIGNMENT, data=one, outcome="score", arrived="day")
    today = now.tidy().set_index(["stage", "effect_removed"]).loc[("today", False)]
    assert today["sd"] == pytest.approx(one["score"].std(), rel=1e-12)
    assert "ICC" not in str(now._panels()[0].rows)
    with pytest.raises(InputError, match="has one row"):
        cw.power.update(PLAN, ASSIGNMENT, data=one, outcome="closed", arrived="day")


def test_blinded_figures_of_simulated_counts_and_times_are_those_of_the_arms() -> None:
    """2,000 families, half of them treated: with the effect taken off, the control arm's figures come out."""
    rng = np.random.default_rng(5)
    family = np.repeat(np.arange(2_000), 3)
    treated = family >= 1_000
    own = rng.gamma(4, 1 / 4, 2_000)[family]
    days = rng.exponential(1 / (0.01 * own * np.where(treated, 0.6, 1)))
    data = pd.DataFrame(
        {
            "family": family,
            "events": rng.poisson(1.2 * own * np.where(treated, 0.6, 1)),
            "days": np.minimum(days, 100),
            "seen": (days <= 100) * 1,
        }
    )
    came = pd.DataFrame(
        {"family": range(2_000), "day": pd.date_range("2015-01-01", periods=2_000, freq="1h")}
    )
    trial = cw.Design("Large", arms={"c": 1, "t": 1}, cluster="family", seed=1).assign(came)
    shape = {"cluster_size": 3, "clusters": 2_000, "effect": 0.6}
    plan = cw.power.count(baseline=1, rate_cv=0.3, **shape)
    now = cw.power.update(plan, trial, data=data, outcome="events", arrived="day")
    today = now.tidy().set_index(["stage", "effect_removed"]).loc[("today", True)]
    assert today["baseline"] == pytest.approx(1.2, abs=0.05)
    assert today["rate_cv"] == pytest.approx(0.5, abs=0.05)
    assert today["dispersion"] == pytest.approx(1, abs=0.05)
    plan = cw.power.survival(baseline=0.5, icc=0.1, **shape)
    now = cw.power.update(
        plan, trial, data=data, outcome="seen", time="days", horizon=100, arrived="day"
    )
    today = now.tidy().set_index(["stage", "effect_removed"]).loc[("today", True)]
    control = data[~treated]
    assert today["baseline"] == pytest.approx(control["seen"].mean(), abs=0.03)
    alike = [
        cw.icc(
            cw.coxph("Surv(days, seen) ~ one", part.assign(one=rng.random(len(part)))).residuals(
                "martingale"
            ),
            cluster=part["family"].to_numpy(),
        ).estimate
        for part in (control, data[treated])
    ]
    assert today["icc"] == pytest.approx(np.mean(alike), abs=0.03)


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
        (lambda: look(time="family"), "time would have nothing to do"),
        (lambda: look(horizon=10), "horizon would have nothing to do"),
        (lambda: other("survival", time=None), "end of follow-up"),
        (lambda: other("survival", horizon=None), "end of follow-up"),
        (lambda: other("survival", horizon=1_000), "nobody has been followed until the horizon"),
        (lambda: other("survival", horizon=-3), "nobody has been followed until the horizon"),
        (lambda: other("survival", outcome="absences"), "absences"),
        (lambda: other("count", horizon=10), "horizon would have nothing to do"),
        (lambda: other("count", outcome="closed_half"), "these counts cannot be"),
        (lambda: other("count", time="none"), "these times cannot be"),
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
