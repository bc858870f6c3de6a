"""Power of means, counts and times; losses, subgroups, layouts, hypotheses; the table of a protocol; several outcomes."""

from __future__ import annotations

import math
import pickle
from typing import Any

import crewe as cw
import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")

TRIAL: dict[str, Any] = {"icc": 0.1, "cluster_size": 20}
OUTCOMES: dict[str, dict[str, Any]] = {
    "binary": {"baseline": 0.3, "effect": 0.12},
    "continuous": {"effect": 0.3},
    "count": {"baseline": 0.5, "effect": 0.75},
    "survival": {"baseline": 0.6, "effect": 0.7},
}


def solve(outcome: str, **asked: Any) -> cw.power.Power:
    return getattr(cw.power, outcome)(**asked)


@pytest.mark.parametrize("outcome", OUTCOMES)
@pytest.mark.parametrize("distribution", ["z", "t"])
def test_whatever_is_left_out_comes_back(outcome, distribution) -> None:
    full = {**OUTCOMES[outcome], **TRIAL, "clusters": 80, "distribution": distribution}
    full["r2"] = 0.0 if outcome == "survival" else 0.2
    power = solve(outcome, **full).power
    for name in ("effect", "icc") + (() if outcome == "survival" else ("r2",)):
        rest = {key: value for key, value in full.items() if key != name}
        if name == "r2":
            rest["r2"] = None
        if name == "effect" and full["effect"] < 1 and outcome in ("count", "survival"):
            rest["direction"] = "fall"
        plan = solve(outcome, **rest, power=power)
        assert getattr(plan, name) == pytest.approx(full[name], rel=1e-8)
        assert plan.solved == name
    for name in ("clusters", "cluster_size"):
        rest = {key: value for key, value in full.items() if key != name}
        plan = solve(outcome, **rest, power=power - 1e-9)
        assert getattr(plan, name) == full[name]
        assert plan.power >= power - 1e-9 > plan.power_one_fewer


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_results_print_pickle_and_follow(outcome, tmp_path) -> None:
    plan = solve(outcome, **OUTCOMES[outcome], **TRIAL, power=0.8)
    assert pickle.loads(pickle.dumps(plan)) == plan
    text = repr(plan)
    assert "Formula:" in text and plan.source in text and "solved for" in text
    assert len(plan.tidy()) == 1 and plan.tidy()["clusters"][0] == plan.clusters
    for over, of in [("clusters", "power"), ("effect", "power"), ("icc", "clusters")]:
        curve = plan.curve(over=over, of=of)
        assert curve.frame[of].notna().all() and len(curve.frame) > 20
        ax = curve.plot()
        assert ax.get_ylabel()
        ax.figure.savefig(tmp_path / f"{over}.png")
        assert repr(curve)
    matplotlib.pyplot.close("all")


def test_t_under_fifty_clusters_by_default() -> None:
    few = cw.power.continuous(**TRIAL, clusters=48, effect=0.4)
    many = cw.power.continuous(**TRIAL, clusters=50, effect=0.4)
    assert (few.distribution, few.df) == ("t", 46) and (many.distribution, many.df) == (
        "z",
        math.inf,
    )
    assert "degrees of freedom: clusters − 2 (46)" in repr(few)
    flattered = cw.power.continuous(**TRIAL, clusters=48, effect=0.4, distribution="z")
    assert flattered.power > few.power and "flatters" in repr(flattered)
    # The number of clusters is the first that is enough, on either side of the change.
    for effect in (0.36, 0.38, 0.40):
        plan = cw.power.continuous(**TRIAL, effect=effect, power=0.8)
        for clusters, enough in ((plan.clusters, True), (plan.clusters - 1, False)):
            again = cw.power.continuous(**TRIAL, effect=effect, clusters=clusters)
            assert (again.power >= 0.8) is enough


def test_a_list_of_sizes_needs_no_number_of_clusters() -> None:
    sizes = [1, 2, 3, 6, 2, 4, 1, 5] * 5
    plan = cw.power.binary(baseline=0.3, icc=0.36, cluster_size=sizes, power=0.8)
    assert plan.clusters == 40 and plan.solved == "effect"
    said = cw.power.binary(baseline=0.3, icc=0.36, cluster_size=sizes, clusters=40, power=0.8)
    assert plan.effect == said.effect
    needed = cw.power.binary(baseline=0.3, icc=0.36, cluster_size=sizes, power=0.8, effect=0.2)
    assert needed.solved == "clusters" and needed.clusters > 40


def test_individuals_need_no_icc() -> None:
    plan = cw.power.continuous(cluster_size=1, effect=0.5, power=0.8, distribution="t")
    assert plan.clusters == 128 and plan.icc == 0
    assert cw.power.binary(baseline=0.2, cluster_size=1, clusters=400, effect=0.1).power > 0.6
    with pytest.raises(cw.InputError, match="plays no part"):
        cw.power.continuous(cluster_size=1, effect=0.5, power=0.8, clusters=100)


def test_effects_are_written_as_asked() -> None:
    known = {"baseline": 0.2, "icc": 0.05, "cluster_size": 10, "clusters": 60}
    difference = cw.power.binary(**known, effect=0.1)
    ratio = cw.power.binary(**known, effect=1.5, scale="ratio")
    odds = cw.power.binary(**known, effect=(0.3 / 0.7) / (0.2 / 0.8), scale="odds_ratio")
    assert ratio.power == pytest.approx(difference.power, rel=1e-12)
    assert odds.power == pytest.approx(difference.power, rel=1e-12)
    assert (ratio.treated, odds.treated) == (pytest.approx(0.3), pytest.approx(0.3))
    back = cw.power.binary(**known, power=0.8, scale="odds_ratio", direction="fall")
    assert 0 < back.effect < 1 and "odds ratio" in repr(back)
    units = cw.power.continuous(**TRIAL, clusters=40, power=0.8, sd=15)
    standard = cw.power.continuous(**TRIAL, clusters=40, power=0.8)
    assert units.effect == pytest.approx(15 * standard.effect, rel=1e-12)
    rates = {"baseline": 0.5, **TRIAL, "clusters": 80}
    assert cw.power.count(**rates, effect=-0.1, scale="difference").power == pytest.approx(
        cw.power.count(**rates, effect=0.8).power, rel=1e-12
    )


def test_a_fall_of_a_hazard_is_not_a_rise() -> None:
    known = {"baseline": 0.6, "icc": 0.1, "cluster_size": 3, "clusters": 90, "power": 0.8}
    rise = cw.power.survival(**known)
    fall = cw.power.survival(**known, direction="fall")
    assert rise.effect > 1 > fall.effect
    assert 1 / fall.effect != pytest.approx(rise.effect, rel=1e-3)
    assert rise.events > fall.events
    assert rise.treated == pytest.approx(1 - 0.4**rise.effect, rel=1e-12)


def test_losses_at_both_levels() -> None:
    whole = cw.power.continuous(**TRIAL, clusters=60, effect=0.3)
    members = cw.power.continuous(**TRIAL, clusters=60, effect=0.3, attrition=0.25)
    assert members.units_analysed == pytest.approx(900)
    # Clusters of 15 that vary as losses make them: D - 1 shrinks to 75% of 19 x .1.
    assert members.design_effect == pytest.approx(1 + 0.75 * 1.9)
    assert members.power < whole.power
    clusters = cw.power.continuous(**TRIAL, clusters=60, effect=0.3, cluster_attrition=0.25)
    same = cw.power.continuous(**TRIAL, clusters=45, effect=0.3, distribution="z")
    assert clusters.power == pytest.approx(same.power, rel=1e-12)
    assert clusters.clusters_analysed == 45
    # Losing whole clusters costs more than losing as many members here and there.
    assert clusters.power < members.power
    assert "25.0% of the clusters" in repr(clusters)


def test_subgroups_and_interactions() -> None:
    everybody = cw.power.continuous(**TRIAL, clusters=80, power=0.8)
    meals = cw.power.continuous(**TRIAL, clusters=80, power=0.8, subgroup=0.25)
    assert meals.effect > everybody.effect and meals.units_analysed == pytest.approx(400)
    towns = cw.power.continuous(
        **TRIAL, clusters=80, power=0.8, subgroup=0.25, subgroup_level="cluster"
    )
    assert towns.clusters_analysed == 20 and towns.effect > meals.effect
    known = {**TRIAL, "clusters": 80, "power": 0.8, "interaction": True, "distribution": "t"}
    halves = cw.power.continuous(**known, subgroup=0.5, subgroup_level="cluster")
    plain = cw.power.continuous(**TRIAL, clusters=80, power=0.8, distribution="t")
    assert halves.effect == pytest.approx(2 * plain.effect, rel=0.01)
    assert (halves.df, cw.power.continuous(**known, subgroup=0.5).df) == (76, 1518)
    with pytest.raises(cw.InputError, match="between a subgroup's effect"):
        cw.power.continuous(**known)


def test_hypotheses() -> None:
    known = {**TRIAL, "clusters": 60}
    two = cw.power.continuous(**known, effect=0.3)
    one = cw.power.continuous(**known, effect=0.3, hypothesis="one-sided", alpha=0.025)
    assert one.power == pytest.approx(two.power, abs=1e-4)
    # Non-inferiority of no difference by a margin is superiority by it.
    worse = cw.power.continuous(
        **known, effect=0.0, hypothesis="non-inferiority", margin=-0.3, alpha=0.025
    )
    assert worse.power == pytest.approx(one.power, rel=1e-12)
    both = cw.power.continuous(**known, effect=0.0, hypothesis="equivalence", margin=0.3)
    assert both.power < worse.power and "equivalence by two one-sided tests" in repr(both)
    rates = {"baseline": 0.6, "icc": 0.1, "cluster_size": 3}
    needed = cw.power.survival(
        **rates, effect=1.0, hypothesis="non-inferiority", margin=1.3, alpha=0.025, power=0.8
    )
    mirror = cw.power.survival(
        **rates, effect=1.0, hypothesis="non-inferiority", margin=1 / 1.3, alpha=0.025, power=0.8
    )
    assert needed.clusters == mirror.clusters
    with pytest.raises(cw.InputError, match="takes the effect that is expected"):
        cw.power.continuous(**known, power=0.8, hypothesis="equivalence", margin=0.2)


def test_layouts_pay_and_cost_what_they_should() -> None:
    known = {**TRIAL, "effect": 0.4, "clusters": 40, "distribution": "t"}
    plain = cw.power.continuous(**known)
    unmatched = cw.power.continuous(**known, layout=cw.power.Pairs(0.0))
    assert unmatched.power < plain.power < cw.power.continuous(
        **known, layout=cw.power.Pairs(0.7)
    ).power  # fmt: skip
    assert cw.power.continuous(**known, layout=cw.power.Blocks(4)).df == 35
    one_class = cw.power.continuous(**known, layout=cw.power.ThreeLevels(20, 0.0))
    assert one_class.power == pytest.approx(plain.power, rel=1e-12)
    assert cw.power.continuous(**known, layout=cw.power.ThreeLevels(2, 0.1)).power < plain.power
    lasting = cw.power.continuous(**known, layout=cw.power.Crossover())
    fading = cw.power.continuous(**known, layout=cw.power.Crossover(autocorrelation=0.5))
    assert lasting.power > fading.power > plain.power
    with pytest.raises(cw.InputError, match="takes one of the layouts"):
        cw.power.continuous(**known, layout="pairs")


def test_a_baseline_measurement() -> None:
    known = {**TRIAL, "effect": 0.3, "clusters": 40, "distribution": "t"}
    alone = cw.power.continuous(**known)
    covariate = cw.power.continuous(**known, correlation=0.6, cluster_correlation=0.8)
    change = cw.power.continuous(
        **known, correlation=0.6, cluster_correlation=0.8, adjustment="change"
    )
    assert covariate.power > change.power > alone.power
    useless = cw.power.continuous(**known, correlation=0.2, adjustment="change")
    assert useless.power < alone.power  # subtracting noise adds noise
    r = (20 * 0.1 * 0.8 + 0.9 * 0.6) / 2.9
    assert covariate.error**2 == pytest.approx(alone.error**2 * (1 - r * r), rel=1e-12)


def test_counts_by_the_variation_of_rates() -> None:
    # k² μ / (1 + k² μ) is the ICC of Poisson counts with mean μ: the same design where no effect is.
    k, mean = 0.25, 0.5
    rates = {"baseline": mean, "cluster_size": 20, "clusters": 80, "effect": 1.001}
    varied = cw.power.count(**rates, rate_cv=k)
    icc = k * k * mean / (1 + k * k * mean)
    alike = cw.power.count(**rates, icc=icc, dispersion=1 + k * k * mean)
    assert varied.error == pytest.approx(alike.error, rel=1e-4)
    curve = varied.curve(over="clusters", of="power", values=[40, 80])
    assert curve.frame["power"].is_monotonic_increasing
    with pytest.raises(cw.InputError, match="both say"):
        cw.power.count(**rates, rate_cv=0.2, icc=0.1)


def test_the_table_of_a_protocol() -> None:
    plan = cw.power.continuous(icc=0.15, cluster_size=50, power=0.8, effect=0.2, r2=0.5)
    table = plan.table(
        subgroups={"FSM": {"subgroup": 0.27, "r2": 0.4}},
        randomisation={"clusters": 98},
        analysis={"cluster_attrition": 0.05, "icc": 0.12},
    )
    frame = table.frame
    assert frame["stage"].tolist() == [
        s for s in ("protocol", "randomisation", "analysis") for _ in "ab"
    ]
    assert frame["group"].tolist() == ["all", "FSM"] * 3
    # Each stage starts from the one before.
    assert frame["icc"].tolist() == [0.15] * 4 + [0.12] * 2
    by_hand = cw.power.continuous(
        icc=0.12, cluster_size=50, clusters=98, power=0.8, r2=0.4, subgroup=0.27,
        cluster_attrition=0.05,
    )  # fmt: skip
    assert frame["effect"].iloc[-1] == pytest.approx(by_hand.effect, rel=1e-12)
    text = repr(table)
    for line in ("Smallest detectable effect", "Clusters: treated", "Members: both", "FSM"):
        assert line in text
    with pytest.raises(cw.InputError, match="cannot"):
        plan.table(analysis={"effects": 3})


def test_grids_of_every_outcome() -> None:
    grid = cw.power.table("survival", baseline=0.6, effect=[0.6, 0.8], power=0.8, **TRIAL)
    assert grid.frame["clusters"].is_monotonic_increasing and len(grid.frame) == 2
    with pytest.raises(cw.InputError, match="outcome is not known"):
        cw.power.table("ordinal", power=0.8)


def test_several_outcomes() -> None:
    plans = {name: cw.power.continuous(**TRIAL, clusters=60, effect=0.35) for name in "abc"}
    holm = cw.power.several(plans, correlation=0.4)
    bonferroni = cw.power.several(plans, correlation=0.4, procedure="bonferroni")
    free = cw.power.several(plans, correlation=0.4, procedure="none")
    assert holm.any == pytest.approx(bonferroni.any, rel=1e-12)
    assert bonferroni.all < holm.all < free.all
    assert free.each == pytest.approx([plans["a"].power] * 3, rel=1e-9)
    assert np.all(np.diff(holm.at_least) < 0)
    assert "any of the 3" in repr(holm) and len(holm.tidy()) == 6
    assert pickle.loads(pickle.dumps(holm)) == holm
    # Holm's steps, played out.
    rng = np.random.default_rng(3)
    z = plans["a"].noncentrality + np.sqrt(0.4) * rng.standard_normal((200_000, 1))
    z = np.sort(np.abs(z + np.sqrt(0.6) * rng.standard_normal((200_000, 3))), axis=1)[:, ::-1]
    from scipy.stats import norm

    passed = np.cumprod(z > norm.isf(0.025 / np.array([3, 2, 1])), axis=1).sum(axis=1)
    for number, power in enumerate(holm.at_least, start=1):
        assert power == pytest.approx((passed >= number).mean(), abs=0.005)
    for change, says in [
        ({"plans": {"a": plans["a"]}}, "2 to 10"),
        ({"correlation": 1.0}, "below 1"),
        ({"procedure": "sidak"}, "procedure is not known"),
        ({"plans": {**plans, "d": cw.power.continuous(**TRIAL, clusters=60, effect=0.3, alpha=0.1)}},
         "different levels"),
    ]:  # fmt: skip
        with pytest.raises(cw.InputError, match=says):
            cw.power.several(**{"plans": plans, "correlation": 0.4, **change})


@pytest.mark.parametrize(
    ("outcome", "change", "says"),
    [
        ("continuous", {"effect": None, "clusters": None}, "quantities are left out"),
        ("continuous", {"power": 0.8}, "nothing is left"),
        ("continuous", {"sd": 0}, "sd must be above 0"),
        ("continuous", {"effect": 0}, "other than 0"),
        ("continuous", {"clusters": 3}, "at least 2 clusters"),
        ("continuous", {"covariates": 60}, "no degree of freedom"),
        ("continuous", {"covariates": 1.5}, "covariates must be a whole number"),
        ("continuous", {"icc": -0.2}, "-1/\\(m - 1\\)"),
        ("continuous", {"attrition": 1.2}, "attrition"),
        ("continuous", {"correlation": 2}, "correlation must lie"),
        ("continuous", {"weighting": "size"}, "weighting is not known"),
        ("continuous", {"hypothesis": "both"}, "hypothesis is not known"),
        ("continuous", {"margin": 0.1}, "a margin belongs"),
        ("continuous", {"layout": cw.power.SteppedWedge(10**9)}, "2 to 200 steps"),
        (
            "continuous",
            {"layout": cw.power.Nested(), "subgroup": 0.3, "interaction": True},
            "side by side",
        ),
        ("continuous", {"layout": cw.power.Crossover(1)}, "2 to 200 periods"),
        ("continuous", {"layout": cw.power.Pairs("close")}, "correlation must be a number"),
        ("continuous", {"layout": cw.power.Blocks(10**12)}, "blocks"),
        ("continuous", {"layout": cw.power.ThreeLevels(40, 0.1)}, "more subclusters"),
        ("continuous", {"subgroup": 1.5}, "share of the subgroup"),
        ("binary", {"effect": 4.0, "scale": "ratio"}, "out of 0 to 1"),
        ("binary", {"effect": -1.0, "scale": "ratio"}, "ratio must be above 0"),
        ("binary", {"scale": "hazard_ratio"}, "belongs to times"),
        ("count", {"baseline": -1}, "above 0"),
        ("count", {"effect": 1}, "other than 1"),
        ("count", {"exposure": 0}, "exposure"),
        ("count", {"dispersion": -2}, "dispersion"),
        ("count", {"rate_cv": -0.2, "icc": None}, "rate_cv"),
        ("survival", {"baseline": 1.0}, "baseline"),
        ("survival", {"effect": 0}, "above 0"),
        ("survival", {"effect": 0.7, "direction": "rise"}, "contradicts"),
        ("survival", {"r2": 0.2}, "do not lower"),
        ("survival", {"method": "cox"}, "method is not known"),
    ],
)
def test_bad_plans_are_refused_in_plain_words(outcome, change, says) -> None:
    with pytest.raises(cw.InputError, match=says):
        solve(outcome, **{**OUTCOMES[outcome], **TRIAL, "clusters": 60, **change})


def test_out_of_reach_is_said_with_the_ceiling() -> None:
    size = cw.power.continuous(icc=0.3, clusters=12, effect=0.3, power=0.8)
    assert not size.attainable and math.isinf(size.ceiling_at) and "however large" in repr(size)
    # As many members as one likes in a cluster are worth 1/ICC.
    limit = cw.power.continuous(icc=0.0, cluster_size=1 / 0.3, clusters=12, effect=0.3)
    assert size.ceiling == pytest.approx(limit.power, abs=1e-6)
    r2 = cw.power.continuous(**TRIAL, clusters=6, effect=0.2, power=0.9, r2=None, r2_cluster=0.0)
    assert r2.r2 is None and "explain all they can" in repr(r2)
    fall = cw.power.survival(
        baseline=0.05, cluster_size=1, clusters=60, power=0.9, direction="fall", method="wald"
    )
    assert fall.effect is None and fall.ceiling < 0.9 and "hazard ratio" in repr(fall)
    # Schoenfeld's variance is that near no effect, which the answer says where it is far from it.
    far = cw.power.survival(baseline=0.05, cluster_size=1, clusters=60, power=0.9)
    assert far.effect > 3 and "near a hazard ratio of 1" in repr(far)
