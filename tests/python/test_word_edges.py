"""Words at the edges: matched sets, few clusters, late times, several reasons, levels and names that are none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import crewe as cw
import numpy as np
import pandas as pd
import pytest
from scipy import stats

Call = Callable[[Any], Any]

RNG = np.random.default_rng(20)


def refused(
    error: type[cw.CreweError], words: str, call: Callable[..., Any], *args: Any
) -> cw.CreweError:
    with pytest.raises(error, match=words) as caught:
        call(*args)
    assert type(caught.value) is error
    assert caught.value.remedy
    return caught.value


def equal_arms(unit: str | None = None, **options: Any) -> cw.Design:
    where = {"unit": unit} if unit else {}
    return cw.Design(
        "Trial", arms={"control": 1, "crewe": 1}, seed=options.pop("seed", 1), **where, **options
    )


# -- 4.1: matched sets --------------------------------------------------------------------------


def pairs(rows: int = 1) -> tuple[pd.DataFrame, cw.Assignment]:
    """Twelve pairs of units with one or more rows each, and the trial over them."""
    units = pd.DataFrame(
        {"unit": [f"u{i:02}" for i in range(24)], "pair": np.repeat(np.arange(12), 2)}
    )
    design = cw.Design(
        "Pairs", arms={"a": 1, "b": 1}, cluster="unit", method=cw.MatchedSets(on="pair"), seed=3
    )
    data = units.loc[np.repeat(np.arange(24), rows)].reset_index(drop=True)
    drawn = design.assign(data)
    rng = np.random.default_rng(8)
    data = drawn.frame.assign(
        y=rng.normal(size=12).repeat(2)[data["pair"] * 2] + rng.normal(size=len(data))
    )
    return data, drawn


def paired_se(data: pd.DataFrame) -> float:
    wide = data.groupby(["pair", "arm"])["y"].mean().unstack()
    return float(stats.sem(wide["b"] - wide["a"]))


def words_on_variance(fit: Any) -> str:
    said = {word for note in fit.notes for word in ("understates", "overstates") if word in note}
    assert len(said) < 2
    return said.pop() if said else ""


@pytest.mark.parametrize(
    "kind", ["iid", "HC0", "HC1", "HC2", "CR0", "CR1", "CR1S", "CR2", "CR3", "jackknife", "hansen"]
)
def test_4_1_the_note_says_what_the_covariance_does_beside_terms_of_pairs(kind: str) -> None:
    data, drawn = pairs()
    fit = cw.ols("y ~ arm", data, design=drawn, vcov=kind)
    ratio = fit.se["arm[T.b]"] / paired_se(data)
    expected = "understates" if ratio < 0.9 else "overstates" if ratio > 1.1 else ""
    assert words_on_variance(fit) == expected, (kind, ratio)
    if expected:
        assert any("cluster='pair'" in note for note in fit.notes)
    if kind == "CR3":
        assert np.isclose(ratio**2, 2 * 12 / 11)


@pytest.mark.parametrize("kind", ["CR0", "CR1", "CR2", "CR3", "jackknife", "hansen"])
def test_4_1_clusters_of_whole_sets_need_no_note(kind: str) -> None:
    data, drawn = pairs()
    fit = cw.ols("y ~ arm", data, design=drawn, cluster="pair", vcov=kind)
    assert not any("the variance" in note for note in fit.notes)
    # Without a pair and its own term the jackknife is CR1, and CR3 larger by S/(S - 1).
    factor = {"CR0": 11 / 12, "CR3": 12 / 11}.get(kind, 1.0)
    assert np.isclose(fit.se["arm[T.b]"], np.sqrt(factor) * paired_se(data), rtol=1e-9)


def test_4_1_cr1s_by_set_is_too_large_by_its_factor() -> None:
    data, drawn = pairs(3)
    fit = cw.ols("y ~ arm", data, design=drawn, cluster="pair", vcov="CR1S")
    n, k = len(data), len(fit.terms)
    assert np.isclose(fit.se["arm[T.b]"] / paired_se(data), np.sqrt((n - 1) / (n - k)))
    assert words_on_variance(fit) == "overstates"
    assert words_on_variance(fit.vcov("CR1")) == ""
    by_unit = cw.ols("y ~ arm", data, design=drawn, vcov="CR1S")
    assert words_on_variance(by_unit) == "understates"


def test_4_1_without_terms_of_the_sets_there_is_nothing_to_note() -> None:
    data, drawn = pairs(3)
    for kind in ("CR1", "CR3"):
        fit = cw.ols("y ~ arm", data, design=drawn, strata_terms=False, vcov=kind)
        assert words_on_variance(fit) == ""
    assert not any("CR1" in note for note in cw.describe("y ~ arm", data, design=drawn).notes)


def test_4_1_small_strata_are_told_of_in_the_same_words() -> None:
    units = pd.DataFrame(
        {"unit": [f"u{i:02}" for i in range(24)], "site": np.repeat(np.arange(12), 2).astype(str)}
    )
    drawn = equal_arms("unit", strata=["site"]).assign(units)
    data = drawn.frame.assign(y=RNG.normal(size=24), t=RNG.integers(1, 90, 24), e=1)
    fit = cw.ols("y ~ arm", data, design=drawn, vcov="HC3")
    assert words_on_variance(fit) == "overstates" and "cluster='stratum'" in " ".join(fit.notes)
    assert (
        words_on_variance(cw.ols("y ~ arm", data, design=drawn, cluster="stratum", vcov="CR1"))
        == ""
    )
    cox = cw.coxph("Surv(t, e) ~ arm", data, design=drawn, cluster="unit", vcov="CR0")
    assert words_on_variance(cox) == "understates" and "CR2" not in " ".join(cox.notes)
    assert (
        words_on_variance(cw.coxph("Surv(t, e) ~ arm", data, design=drawn, cluster="stratum")) == ""
    )


# -- 4.3, 4.5: where notes send, and whom they alarm --------------------------------------------


def test_4_3_cox_and_rank_users_are_not_sent_where_they_are_refused() -> None:
    rng = np.random.default_rng(6)
    data = pd.DataFrame(
        {
            "f": np.repeat(np.arange(10), 4),
            "arm": ["a", "b"] * 20,
            "t": rng.integers(1, 50, 40),
            "e": 1,
        }
    )
    fit = cw.coxph("Surv(t, e) ~ arm", data, cluster="f", vcov="CR0")
    assert fit.notes and not any("randomisation test" in note for note in fit.notes)
    error = refused(cw.InputError, "CR2 is not available", lambda: fit.vcov("CR2"))
    assert "randomisation" not in error.remedy and "CR3" in error.remedy
    never = data.assign(e=(data["arm"] == "a").astype(int))
    error = refused(cw.SeparationError, "arm", lambda: cw.coxph("Surv(t, e) ~ arm", never))
    assert "randomisation" not in error.remedy and "log-rank" in error.remedy
    long = rng.normal(size=6_000)
    error = refused(
        cw.InputError, "out of reach", lambda: cw.mann_whitney(long[:3000], long[3000:], exact=True)
    )
    assert "randomisation" not in error.remedy and "asymptotic" in error.remedy


def test_4_5_few_degrees_of_freedom_are_noted_of_terms_of_interest() -> None:
    data, drawn = pairs(3)
    fit = cw.ols("y ~ arm", data, design=drawn)
    assert fit.df.drop("arm[T.b]").min() < 4 < fit.df["arm[T.b]"]
    assert not any("below 4" in note for note in fit.notes)
    by_hand = cw.ols("y ~ arm + C(pair)", data, cluster="unit")
    assert not any("below 4" in note for note in by_hand.notes)
    lone = data.assign(rare=data["unit"].isin(["u03", "u07", "u08"]).astype(float))
    noted = [
        note for note in cw.ols("y ~ arm + rare", lone, cluster="unit").notes if "below 4" in note
    ]
    assert len(noted) == 1 and "rare" in noted[0] and "arm" not in noted[0]


# -- 4.6: beyond the last time ------------------------------------------------------------------


def survival(n: int = 80) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    site = np.where(np.arange(n) % 2, "n", "s")
    time = np.minimum(rng.exponential(60, n).round() + 1, np.where(site == "n", 90, 60))
    return pd.DataFrame(
        {
            "t": time,
            "e": ((time < 60) | (np.arange(n) == 1)).astype(int),
            "arm": np.where(np.arange(n) % 4 < 2, "a", "b"),
            "site": site,
            "x": rng.normal(size=n),
        }
    )


def test_4_6_curves_beyond_the_last_time_are_not_known() -> None:
    data = survival()
    last = float(data["t"].max())
    fit = cw.coxph("Surv(t, e) ~ arm + x", data)
    curves = fit.adjusted_curves("arm", times=[10, last, last + 1, 1e6])
    for frame in (curves.tidy(), curves.differences()):
        known = frame["time"] <= last
        numbers = frame[["estimate", "std_error", "conf_low", "conf_high"]]
        assert numbers[known].notna().all(axis=None) and numbers[~known].isna().all(axis=None)
    assert any(f"after time {last:g}" in note for note in curves.notes)
    assert "not known" in repr(curves)
    assert fit.adjusted_curves("arm", times=[10, last]).notes == []
    for kind in ("risk", "survival"):
        for time in (last, last + 1):
            predicted = fit.predict(kind=kind, time=time, level=0.9)
            assert predicted.isna().all(axis=None) == (time > last)
    late = fit.margins("arm", time=last + 1)
    assert late.tidy()["estimate"].isna().all() and any("not known" in note for note in late.notes)
    assert fit.margins("arm", time=last + 1, compare="ratio").tidy()["estimate"].isna().all()
    for curve in (
        cw.kaplan_meier("Surv(t, e) ~ arm", data)
        .survival_at([last + 1])[["estimate", "conf_low"]]
        .to_numpy()
    ):
        assert np.isnan(curve).all()


def test_4_6_strata_that_end_early_are_noted() -> None:
    data = survival()
    end = data.groupby("site")["t"].max()
    fit = cw.coxph("Surv(t, e) ~ arm + x + strata(site)", data)
    curves = fit.adjusted_curves("arm", times=[10, float(end.min()) + 5])
    assert any("1 of 2 strata" in note and f"{end.min():g}" in note for note in curves.notes)
    assert curves.tidy()["estimate"].notna().all()
    early = fit.predict(kind="survival", time=float(end.min()) + 5, stratum=str(end.idxmin()))
    later = fit.predict(kind="survival", time=float(end.min()) + 5, stratum=str(end.idxmax()))
    assert early["estimate"].isna().all() and later["estimate"].notna().all()


# -- 4.7: several reasons -----------------------------------------------------------------------


def test_4_7_a_family_under_two_reasons_is_said() -> None:
    rows = pd.DataFrame(
        {
            "family": [f"f{i}" for i in range(8) for _ in range(2)],
            "child": [f"c{i:02}" for i in range(16)],
        }
    )
    drawn = cw.Design("Trial", arms={"control": 1, "crewe": 1}, cluster="family", seed=2).assign(
        rows
    )
    excluded = {"moved": ["f1", "f2"], "withdrew": ["f2", "f3"], "incomplete": ["f2"]}
    flow = cw.consort(drawn, excluded=excluded)
    assert sum(sum(arm.excluded[why][0] for why in excluded) for arm in flow.flow) == 3
    [note] = [note for note in flow.notes if "several reasons" in note]
    assert "'moved' and 'withdrew' and 'incomplete': 1 family, 2 children" in note
    assert f"{note[0].upper()}{note[1:]}" in repr(flow)
    assert not any(
        "several" in note
        for note in cw.consort(drawn, excluded={"moved": ["f1"], "withdrew": ["f3"]}).notes
    )


def test_4_7_children_who_left_for_different_reasons_are_said() -> None:
    rows = pd.DataFrame(
        {
            "family": [f"f{i}" for i in range(8) for _ in range(2)],
            "child": [f"c{i:02}" for i in range(16)],
        }
    )
    drawn = cw.Design("Trial", arms={"control": 1, "crewe": 1}, cluster="family", seed=2).assign(
        rows
    )
    reasons = {"moved": rows["child"].isin(["c00"]), "withdrew": rows["child"].isin(["c01", "c02"])}
    notes = cw.consort(
        drawn, excluded={why: mask.to_numpy() for why, mask in reasons.items()}
    ).notes
    assert notes == [
        "1 family has children left out for different reasons and counts under the first of these"
    ]


def test_4_7_a_case_under_two_reasons_is_said() -> None:
    days = pd.to_datetime(["2015-01-05", None, None, "2015-01-07"])
    data = pd.DataFrame(
        {
            "case": ["a", "b", "c", "d"],
            "family": ["1", "2", "3", "4"],
            "referral": days,
            "closure": pd.to_datetime([None] * 4),
            "back": pd.to_datetime([None] * 4),
            "drawn": pd.to_datetime(["2015-02-01", None, "2015-02-02", "2015-02-01"]),
            "inc": [0, 1, 1, 0],
        }
    )
    cases = cw.cases.prepare(
        data,
        case="case",
        family="family",
        referral="referral",
        closure="closure",
        rereferral="back",
        randomised="drawn",
        incomplete="inc",
        start="2015-01-01",
        end="2016-01-01",
    )
    [note] = [note for note in cases.notes if "several reasons" in note]
    assert note.startswith("2 excluded cases have several reasons and count under the first")
    assert "incomplete outcomes and no date of randomisation and no date of referral: 1" in note
    assert {why: len(who) for why, who in cases.excluded.items()} == {"incomplete outcomes": 2}


# -- 4.8: too few, no level, no such word -------------------------------------------------------


def small() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    n = 24
    return pd.DataFrame(
        {
            "one": "c1",
            "row": np.arange(n),
            "y": rng.normal(size=n),
            "x": rng.normal(size=n),
            "e": np.tile([0, 1, 1], 8),
            "t": rng.integers(1, 50, n).astype(float),
        }
    )


COMPARISONS: dict[str, Call] = {
    "ols": lambda o: cw.ols("y ~ arm", **o),
    "logit": lambda o: cw.logit("e ~ arm", **o),
    "probit": lambda o: cw.probit("e ~ arm", **o),
    "cox": lambda o: cw.coxph("Surv(t, e) ~ arm", **o),
    "log-rank": lambda o: cw.logrank("Surv(t, e) ~ arm", **o),
    "ranks": lambda o: cw.mann_whitney("y ~ arm", **o),
    "permutation": lambda o: cw.permutation_test("e ~ arm", **o),
    "rates": lambda o: cw.compare_rates("e ~ arm", **o),
}


def test_4_8_one_cluster_is_refused_in_one_way() -> None:
    data = small().assign(arm=["a", "b"] * 12)
    said = {
        (type(error), str(error))
        for call in COMPARISONS.values()
        for error in [
            refused(cw.InputError, "at least 2 clusters", call, {"data": data, "cluster": "one"})
        ]
    }
    assert len(said) == 1
    for kind in ("CR0", "CR1", "CR1S", "CR2", "CR3", "jackknife"):
        refused(
            cw.InputError,
            "at least 2 clusters, and there is 1",
            lambda kind: cw.ols("y ~ arm", data, cluster="one", vcov=kind),
            kind,
        )


def test_4_8_an_arm_of_one_unit_is_refused_in_one_way() -> None:
    data = small().assign(unit=["u1"] * 12 + ["u2"] * 6 + ["u3"] * 6)
    drawn = cw.Design("Trial", arms={"a": 1, "b": 1}, cluster="unit", seed=1).assign(data)
    tests: dict[str, Call] = {
        **COMPARISONS,
        "randomisation": lambda o: cw.randomisation_test("y ~ arm", **o),
        "adjusted": lambda o: cw.randomisation_test("y ~ arm + x", **o),
        "studentised": lambda o: cw.randomisation_test("y ~ arm", studentised=True, **o),
        "function": lambda o: cw.randomisation_test(lambda f, a: 1.0, **o),
    }
    said = {
        (type(error), str(error))
        for call in tests.values()
        for error in [
            refused(cw.DesignError, "has 1 of the units", call, {"data": data, "design": drawn})
        ]
    }
    assert len(said) == 1


def test_4_8_an_arm_that_is_filtered_out_is_not_missed() -> None:
    units = pd.DataFrame({"id": [f"u{i}" for i in range(12)]})
    drawn = cw.Design("Trial", arms={"a": 1, "b": 1, "c": 1}, unit="id", seed=1).assign(units)
    data = drawn.frame.assign(y=RNG.normal(size=12))
    two = data[data["arm"] != "c"]
    assert cw.mann_whitney("y ~ arm", two, design=drawn).n == (4, 4)


BAD_LEVELS = [
    95,
    0,
    1,
    -0.5,
    float("nan"),
    float("inf"),
    "0.95",
    "95%",
    True,
    [0.95],
    pd.NA,
    1 + 0j,
]
WORDS = "the confidence level does not lie between 0 and 1"


def levels() -> dict[str, Call]:
    rng = np.random.default_rng(1)
    data = pd.DataFrame(
        {
            "family": np.repeat(np.arange(30), 2),
            "y": rng.normal(size=60),
            "x": rng.normal(size=60),
            "e": rng.integers(0, 2, 60),
            "t": rng.integers(1, 50, 60).astype(float),
        }
    )
    drawn = cw.Design("Trial", arms={"a": 1, "b": 1}, cluster="family", seed=1).assign(data)
    data = drawn.frame
    single = data.drop_duplicates("family")
    fits: dict[str, Any] = {
        "ols": cw.ols("y ~ arm + x", data, cluster="family"),
        "logit": cw.logit("e ~ arm + x", data, cluster="family"),
        "cox": cw.coxph("Surv(t, e) ~ arm + x", data, cluster="family"),
    }
    asked: dict[str, Call] = {
        "ols": lambda v: cw.ols("y ~ arm", data, level=v),
        "ols of arrays": lambda v: cw.ols(data["y"].to_numpy(), data[["x"]].to_numpy(), level=v),
        "outcomes": lambda v: cw.ols(["y ~ arm", "x ~ arm"], data, level=v),
        "by": lambda v: cw.ols("y ~ arm", data, by="e", level=v),
        "logit": lambda v: cw.logit("e ~ arm", data, level=v),
        "probit": lambda v: cw.probit("e ~ arm", data, level=v),
        "cox": lambda v: cw.coxph("Surv(t, e) ~ arm", data, level=v),
        "kaplan-meier": lambda v: cw.kaplan_meier("Surv(t, e) ~ arm", data, level=v),
        "mann-whitney": lambda v: cw.mann_whitney("y ~ arm", single, level=v),
        "rates": lambda v: cw.compare_rates(events=[3, 5], totals=[45, 83], level=v),
        "national": lambda v: cw.compare_to_national("e", single, national=0.3, level=v),
        "describe": lambda v: cw.describe("y ~ arm", data, level=v),
        "randomisation": lambda v: cw.randomisation_test("y ~ arm", data, drawn, draws=99, level=v),
        "function": lambda v: cw.randomisation_test(
            lambda f, a: float(f.y[a == "b"].mean()), data, drawn, draws=99, level=v
        ),
        "wild bootstrap": lambda v: cw.wild_bootstrap(fits["ols"], "x", 999, 1, level=v),
        "pairs": lambda v: cw.pairs_bootstrap(
            data, lambda f: float(f.y.mean()), "family", draws=200, level=v
        ),
        "odds ratios": lambda v: fits["logit"].odds_ratios(level=v),
        "adjusted curves": lambda v: fits["cox"].adjusted_curves("arm", level=v),
        "adjusted risks": lambda v: fits["cox"].margins("arm", time=20, level=v),
        "survival": lambda v: fits["cox"].predict(kind="survival", time=20, level=v),
        "means": lambda v: cw.plots.means(fits["ols"].margins("arm"), level=v),
        "table": lambda v: cw.table([fits["ols"]], level=v),
        "coefplot": lambda v: cw.coefplot([fits["ols"]], level=v),
        "forest": lambda v: cw.plots.forest(fits["ols"], level=v),
    }
    for name, fit in fits.items():
        asked |= {
            f"{name}.tidy": lambda v, fit=fit: fit.tidy(level=v),
            f"{name}.confint": lambda v, fit=fit: fit.confint(v),
            f"{name}.summary": lambda v, fit=fit: fit.summary(level=v),
            f"{name}.margins": lambda v, fit=fit: fit.margins("arm", level=v),
            f"{name}.contrast": lambda v, fit=fit: fit.contrast("arm[T.b] = 0", level=v),
            f"{name}.predict": lambda v, fit=fit: fit.predict(level=v),
        }
    return asked


LEVELS = levels()


@pytest.mark.parametrize("call", LEVELS)
def test_4_8_a_level_that_is_none_is_refused_in_one_way(call: str) -> None:
    for level in BAD_LEVELS:
        refused(cw.InputError, rf"^{WORDS} \(seen: ", LEVELS[call], level)


@pytest.mark.parametrize("call", LEVELS)
def test_4_8_a_level_is_any_number_between_0_and_1(call: str) -> None:
    for level in (0.5, np.float32(0.9), np.array(0.99)):
        LEVELS[call](level)


NAMED: dict[str, Call] = {
    "vcov": lambda w: cw.ols("y ~ x", small(), vcov=w),
    "vcov of cox": lambda w: cw.coxph("Surv(t, e) ~ x", small(), vcov=w),
    "ties": lambda w: cw.coxph("Surv(t, e) ~ x", small(), ties=w),
    "conf_type": lambda w: cw.kaplan_meier("Surv(t, e) ~ one", small(), conf_type=w),
    "transform": lambda w: cw.coxph("Surv(t, e) ~ x", small()).zph(transform=w),
    "compare": lambda w: cw.ols("y ~ one2", small().assign(one2=["a", "b"] * 12)).margins(
        "one2", compare=w
    ),
    "alternative": lambda w: cw.mann_whitney([1.0, 2, 4], [2.0, 3], alternative=w),
    "alternative of permutations": lambda w: cw.permutation_test([1, 2, 4], [2, 3], alternative=w),
    "alternative of rates": lambda w: cw.compare_rates(
        events=[3, 5], totals=[45, 83], alternative=w
    ),
    "adjust": lambda w: cw.adjust([0.1, 0.2], w),
    "power": lambda w: cw.power.binary(
        baseline=0.2,
        icc=0.3,
        cluster_size=3,
        clusters=200,
        power=0.8,
        method=w,
        allocation=0.5,
        alpha=0.05,
    ),
    "origin": lambda w: cw.cases.prepare(
        small(),
        case="row",
        family="row",
        referral="t",
        closure="t",
        rereferral="t",
        start="2015-01-01",
        end="2016-01-01",
        origin=w,
    ),
}


@pytest.mark.parametrize("option", NAMED)
@pytest.mark.parametrize("word", ["", "nonsense", "LESS ", 5, ["less"], b"less"])
def test_4_8_a_word_that_is_none_is_refused_with_those_that_are(option: str, word: Any) -> None:
    with pytest.raises(cw.CreweError) as caught:
        NAMED[option](word)
    assert caught.value.remedy.startswith(("Choose ", "Use ", "Name ")), str(caught.value)


@pytest.mark.parametrize("option", ["weights", "alternative"])
def test_4_8_the_words_of_randomisation_tests(option: str) -> None:
    rows = pd.DataFrame({"family": np.arange(24) // 2})
    drawn = cw.Design("Trial", arms={"control": 1, "crewe": 1}, cluster="family", seed=2).assign(
        rows
    )
    rows = rows.assign(y=RNG.normal(size=len(rows)))
    for statistic in ("y ~ arm", lambda f, a: 1.0):
        refused(
            cw.InputError,
            "is not known",
            lambda given: cw.randomisation_test(given, rows, drawn, **{option: "none"}),
            statistic,
        )
    refused(
        cw.InputError, "unknown", lambda: cw.randomisation_test("median", rows, drawn, outcome="y")
    )
