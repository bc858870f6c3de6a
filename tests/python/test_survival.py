"""Survival in Python: the same numbers as R through every door, and errors that an evaluator can act on."""

import json
import pickle
from pathlib import Path

import crewe as cw
import matplotlib
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from crewe.plots import style
from hypothesis import given, settings
from hypothesis import strategies as st

matplotlib.use("Agg")

REFERENCE = Path(__file__).parents[1] / "reference"
EXPECTED = json.loads((REFERENCE / "expected" / "survival.json").read_text())


def frame(name):
    return pd.read_csv(REFERENCE / "data" / f"{name}.csv").rename(
        columns=lambda c: c.replace(".", "_")
    )


def case(name):
    return next(case for case in EXPECTED["cox"] if case["name"] == name)


LUNG = "Surv(time, status) ~ age + sex + ph_ecog"
VETERAN = "Surv(time, status) ~ trt + C(celltype, contr.treatment('squamous')) + karno + diagtime + age + prior"


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_rats_by_litter_against_r(ties):
    fit = cw.coxph(
        "Surv(time, status) ~ rx", frame("rats"), cluster="litter", vcov="CR0", ties=ties
    )
    want = case(f"rats litter {ties}")
    np.testing.assert_allclose(fit.coef, want["coef"], rtol=1e-8)
    np.testing.assert_allclose(fit.se, want["se"], rtol=1e-8)
    np.testing.assert_allclose(fit.p_value, want["p"], rtol=1e-8)
    np.testing.assert_allclose(fit.vcov("iid").se, want["naive_se"], rtol=1e-8)
    np.testing.assert_allclose([fit.loglik_null, fit.loglik], want["loglik"], rtol=1e-10)
    np.testing.assert_allclose(fit.wald["statistic"], want["wald"], rtol=1e-8)
    np.testing.assert_allclose(fit.robust_score["statistic"], want["rscore"], rtol=1e-8)
    assert fit.clusters == 100
    rats = frame("rats")
    surv = cw.Surv(rats.time, rats.status)
    arrays = cw.coxph(surv, rats[["rx"]], cluster=rats.litter, vcov="CR0", ties=ties)
    assert arrays.se.tolist() == fit.se.tolist()


def test_missing_values_are_dropped_and_counted():
    fit = cw.coxph(LUNG + " + strata(inst)", frame("lung"))
    assert fit.n == 226
    assert any("2 of 228 rows dropped" in note and "inst 1" in note for note in fit.notes)


def test_strata_in_the_formula_and_as_an_argument():
    rossi = frame("rossi")
    want = case("rossi strata efron")
    right = "fin + age + wexp + mar + paro + prio"
    one = cw.coxph(f"Surv(week, arrest) ~ {right} + strata(race)", rossi)
    two = cw.coxph(f"Surv(week, arrest) ~ {right}", rossi, strata="race")
    np.testing.assert_allclose(one.loglik, want["loglik"][1], rtol=1e-10)
    np.testing.assert_allclose(sorted(one.se), sorted(want["se"]), rtol=1e-8)
    assert one.coef.tolist() == two.coef.tolist()
    base = one.baseline()
    assert set(base["stratum"]) == {"black", "other"}
    np.testing.assert_allclose(base["time"], want["baseline"]["time"])


def test_zph_by_term():
    fit = cw.coxph(VETERAN, frame("veteran"))
    for transform in ("km", "rank", "identity", "log"):
        test = fit.zph(transform)
        want = case("veteran efron")["zph"][transform]
        got = test.tidy()
        np.testing.assert_allclose(got["statistic"], want["chisq"], rtol=1e-7)
        np.testing.assert_allclose(got["p_value"], want["p"], rtol=1e-7)
        assert got["df"].tolist() == want["df"]
        assert got["term"].iloc[-1] == "GLOBAL"
    assert "karno" in fit.zph().notes[0]


def test_an_event_may_be_an_expression():
    veteran = frame("veteran").assign(code=lambda d: d["status"] + 1)
    one = cw.coxph("Surv(time, code - 1) ~ karno", veteran)
    two = cw.coxph("Surv(time, status) ~ karno", veteran)
    assert one.coef.tolist() == two.coef.tolist()


@pytest.mark.parametrize(
    "kind", [pl.from_pandas, pa.Table.from_pandas, lambda f: pl.from_pandas(f).lazy()]
)
def test_every_kind_of_frame_gives_the_same_bits(kind):
    rossi = frame("rossi")
    formula = "Surv(week, arrest) ~ fin + age + race"
    one, two = cw.coxph(formula, rossi), cw.coxph(formula, kind(rossi))
    assert one.terms == two.terms
    assert one.coef.tolist() == two.coef.tolist()
    curves = cw.kaplan_meier("Surv(week, arrest) ~ fin", kind(rossi))
    assert curves.groups == ["no", "yes"]
    assert type(two.tidy()).__module__.split(".")[0] in {"polars", "pyarrow"}


def test_kaplan_meier_against_r():
    want = next(c for c in EXPECTED["km"] if c["name"] == "veteran celltype")
    for kind, key in (("log-log", "loglog"), ("log", "log"), ("plain", "plain")):
        curves = cw.kaplan_meier("Surv(time, status) ~ celltype", frame("veteran"), conf_type=kind)
        tidy, medians = curves.tidy(), curves.medians()
        for group in want["groups"]:
            rows = tidy[tidy["term"] == group["level"]]
            np.testing.assert_allclose(rows["estimate"], group["survival"], rtol=1e-9)
            low = np.array(group["limits"][key]["low"], dtype=float)
            np.testing.assert_allclose(rows["conf_low"], low, rtol=1e-9)
            row = medians[medians["term"] == group["level"]].iloc[0]
            for name, column in (
                ("estimate", "median"),
                ("low", "conf_low"),
                ("high", "conf_high"),
            ):
                value = group["quantiles"][key][name][1]
                np.testing.assert_allclose(row[column], np.nan if value is None else value)
            np.testing.assert_array_equal(
                curves.at_risk(want["at"])[group["level"]], group["risk_at"]
            )


def test_log_rank_against_r():
    for want in EXPECTED["logrank"]:
        name = want["csv"].split("/")[1][:-4]
        strata = f" + strata({want['strata']})" if want["strata"] else ""
        group = want["group"].replace(".", "_")
        test = cw.logrank(f"Surv({want['time']}, {want['event']}) ~ {group}{strata}", frame(name))
        np.testing.assert_allclose(test.statistic, want["statistic"], rtol=1e-9)
        np.testing.assert_allclose(test.p_value, want["p"], rtol=1e-8)
        np.testing.assert_allclose(test.expected, want["expected"], rtol=1e-9)


def test_adjusted_curves_against_r():
    terms = "fin + age + C(race, contr.treatment('black')) + wexp + C(mar, contr.treatment('not married'))"
    fit = cw.coxph(f"Surv(week, arrest) ~ {terms} + paro + prio", frame("rossi"))
    want = case("rossi efron")["adjusted"]
    curves = fit.adjusted_curves(times=want["time"])
    assert (curves.term, curves.values) == ("fin", ["no", "yes"])
    got = curves.tidy()
    for level, values in zip(("no", "yes"), want["settings"], strict=True):
        np.testing.assert_allclose(got[got["term"] == level]["estimate"], values, rtol=1e-8)
    difference = curves.differences()
    np.testing.assert_allclose(
        difference["estimate"], np.subtract(want["settings"][1], want["settings"][0]), atol=1e-10
    )
    assert difference["std_error"].iloc[-1] > 0


def test_few_clusters_point_to_corrections_for_them():
    lung = frame("lung").dropna(subset=["inst"]).astype({"inst": int})
    fit = cw.coxph(LUNG, lung, cluster="inst", vcov="CR0")
    assert any(
        "18 clusters" in n
        and "16% to 21%, 10% to 13%, 7% to 9% and 6% to 8%" in n
        and "CR3, the jackknife and the robust score test" in n
        for n in fit.notes
    )
    assert "18 clusters" in repr(fit)
    with pytest.raises(cw.InputError, match=r"CR2 is not available.*CR3, the jackknife"):
        fit.vcov("CR2")
    # The default is corrected for them.
    default = cw.coxph(LUNG, lung, cluster="inst")
    assert default.vcov_name == "CR3" and default.se.equals(fit.vcov("CR3").se)
    assert (default.df == 17).all() and (default.se > fit.se).all()


def test_the_default_says_where_it_cannot_be_had():
    # All that is known of x comes from one cluster, or nearly: without it there is nothing to correct by.
    data = pd.DataFrame(
        {
            "g": [1, 1, 1, 1, 2, 2, 3, 3],
            "t": [1.0, 2, 3, 4, 5, 6, 7, 8],
            "e": [1, 1, 1, 1, 1, 0, 0, 0],
            "x": [0.0, 1, 0, 1, 0.5, 0.5, 0.5, 0.5],
        }
    )
    with pytest.raises(cw.InputError, match="not estimable"):
        cw.coxph("Surv(t, e) ~ x", data, cluster="g", vcov="CR3")
    for keep in (False, True):
        fit = cw.coxph("Surv(t, e) ~ x", data, cluster="g", keep_data=keep)
        assert fit.vcov_name == "CR0"
        assert any("CR3, the default, is not to be had here" in note for note in fit.notes)
        # The randomisation test asks for the fit's own rows, which a pickle has where they are kept.
        kept = [note for note in fit.notes if keep or "randomisation_test(fit" not in note]
        assert pickle.loads(pickle.dumps(fit)).notes == kept


def test_corrections_for_few_clusters_by_name():
    rats = frame("rats")
    fit = cw.coxph("Surv(time, status) ~ rx", rats[rats["litter"] < 20], cluster="litter")
    assert fit.vcov("MD").se.equals(fit.se) and "Mancl" in repr(fit.vcov("MD"))
    for kind in ("KC", "FG", "MBN", "MR", "MDMR", "KCMR", "FGMR", "MBNMR", "CV3"):
        other = fit.vcov(kind)
        assert (other.df == fit.clusters - 1).all() and (other.se > 0).all(), kind
        assert kind in repr(other), kind
        assert other.margins("rx").contrasts()["df"].iloc[0] == fit.clusters - 1
    with pytest.raises(cw.InputError, match="needs to know the clusters"):
        cw.coxph("Surv(time, status) ~ rx", rats, vcov="KC")


def test_the_floor_of_mbn_says_that_the_scale_of_weights_moves_it():
    rats = frame("rats")
    rats = rats[rats["litter"] < 20].assign(one=1.0, two=2.0)
    for weights, told in (("one", False), ("two", True)):
        fit = cw.coxph("Surv(time, status) ~ rx", rats, cluster="litter", weights=weights)
        assert any("scale of the weights" in note for note in fit.vcov("MBN").notes) == told
        assert not any("scale of the weights" in note for note in fit.vcov("MD").notes)


def test_a_trial_gives_clusters_strata_and_arms():
    trial = cw.datasets.project_crewe()
    cases = trial.cases.copy()
    design = cw.Design(
        "Project Crewe",
        arms={"control": 1, "crewe": 2},
        cluster="family_id",
        strata=["history"],
        method=cw.Complete(),
        seed=1,
    )
    assignment = design.assign(cases[["family_id", "history"]].drop_duplicates())
    drawn = assignment.frame.set_index("family_id")["arm"]
    cases["arm"] = cases["family_id"].map(drawn)
    fit = cw.coxph("Surv(days, event) ~ arm", cases, assignment)
    assert fit.cluster_name == "family_id"
    assert len(fit.strata) == 2
    assert fit.terms == ["arm[T.crewe]"]
    # A formula that tells the strata apart already keeps one baseline.
    assert cw.coxph("Surv(days, event) ~ arm + history", cases, assignment).strata == []


def test_pickles_and_their_data():
    rats = frame("rats")
    fit = cw.coxph("Surv(time, status) ~ rx", rats, cluster="litter")
    again = pickle.loads(pickle.dumps(fit))
    assert again.tidy().equals(fit.tidy())
    with pytest.raises(cw.InputError, match="without its data"):
        again.zph()
    kept = cw.coxph("Surv(time, status) ~ rx", rats, cluster="litter", keep_data=True)
    again = pickle.loads(pickle.dumps(kept))
    assert again.zph().tidy().equals(kept.zph().tidy())
    assert again.vcov("iid").se.equals(kept.vcov("iid").se)


def test_tables():
    fit = cw.coxph("Surv(week, arrest) ~ fin + age", frame("rossi"))
    ratios = fit.tidy(exponentiate=True)
    assert list(ratios.columns) == [
        *("term", "estimate", "std_error", "statistic", "df", "p_value", "conf_low", "conf_high")
    ]
    np.testing.assert_allclose(ratios["estimate"], np.exp(fit.coef))
    np.testing.assert_allclose(fit.hazard_ratios["conf_low"], np.exp(fit.confint()["conf_low"]))
    assert fit.glance()["events"].iloc[0] == 114
    assert "<caption>Cox:" in fit._repr_html_()
    np.testing.assert_allclose(fit.residuals().sum(), 0, atol=1e-8)
    np.testing.assert_allclose(fit.residuals("score").sum(axis=0), 0, atol=1e-6)
    assert "Efron" in " ".join(fit.methods())


BAD = pd.DataFrame(
    {
        "days": [5.0, 3.0, 8.0, 2.0, 9.0, 7.0],
        "closed": [1, 0, 1, 0, 1, 0],
        "arm": ["crewe", "control"] * 3,
        "age": [3.0, 5.0, 4.0, 1.0, 2.0, 7.0],
    }
)


@pytest.mark.parametrize(
    ("change", "formula", "error", "words"),
    [
        ({"closed": 0}, "Surv(days, closed) ~ arm", cw.InputError, "no row has an event"),
        (
            {"days": [5, 3, -8, 2, 9, 7]},
            "Surv(days, closed) ~ arm",
            cw.InputError,
            r"1 of 6 times are negative \(column 'days'; row 2",
        ),
        (
            {"closed": [1, 0, 2, 0, 1, 1]},
            "Surv(days, closed) ~ arm",
            cw.InputError,
            r"neither 0 nor 1 \(column 'closed'; row 2",
        ),
        (
            {},
            "Surv(days, closed) ~ arm",
            cw.SeparationError,
            r"^no row with 'arm' = 'control' has an event.* \(column 'arm'\)\. Leave it out",
        ),
        (
            {"closed": [1, 1, 1, 0, 1, 1], "age2": [6.0, 10.0, 8.0, 2.0, 4.0, 14.0]},
            "Surv(days, closed) ~ age + age2",
            cw.RankError,
            "'age2' repeats what 'age'",
        ),
        (
            {"arm": ["a", "b", "c"] * 2, "closed": [1, 1, 0, 1, 1, 0]},
            "Surv(days, closed) ~ arm",
            cw.SeparationError,
            r"no row with 'arm' = 'c' has an event",
        ),
        (
            {"closed": 1, "age": [3.0, 1.0, 5.0, 0.0, 6.0, 4.0], "days": [7.0, 9, 5, 10, 4, 6]},
            "Surv(days, closed) ~ age",
            cw.SeparationError,
            r"'age' orders the events perfectly.*\(column 'age'\)",
        ),
        (
            {"days": [5, np.nan, 8, np.nan, 9, 7]},
            "Surv(days, closed) ~ arm",
            cw.InputError,
            r"2 of 6 times are missing although the event is known \(column 'days'; rows 1, 3\)\. "
            r"A case that is still open has",
        ),
        (
            # Row 4 of the data, not of the rows that are kept.
            {"age": [np.nan, 5, 4, 1, 2, 7], "days": [5, 3, 8, 2, -9, 7]},
            "Surv(days, closed) ~ age",
            cw.InputError,
            r"negative \(column 'days'; row 4\)",
        ),
        (
            {"closed": list("ynynyn")},
            "Surv(days, closed) ~ arm",
            cw.InputError,
            r"'closed' is text, where numbers are needed .*seen: n, y.*1 and 0",
        ),
        (
            {"days": ["5", "3", "8", "2", "9", "?"]},
            "Surv(days, closed) ~ arm",
            cw.InputError,
            r"'days' is text.*Read the column as numbers",
        ),
        ({}, "days ~ arm", cw.InputError, "not a survival outcome"),
        ({}, "Surv(days, shut) ~ arm", cw.InputError, "no column 'shut'"),
        ({}, "Surv(days, closed) ~ 1", cw.InputError, "no covariates"),
    ],
)
def test_bad_input_is_named(change, formula, error, words):
    with pytest.raises(error, match=words):
        cw.coxph(formula, BAD.assign(**change))


def test_an_arm_without_events_is_noted_by_the_curves():
    curves = cw.kaplan_meier("Surv(days, closed) ~ arm", BAD)
    assert curves.notes == ["no events among the 3 rows of 'control'"]
    assert cw.logrank("Surv(days, closed) ~ arm", BAD).notes == curves.notes
    with pytest.raises(cw.InputError, match="times are missing"):
        cw.kaplan_meier(cw.Surv([1.0, np.nan], [1, 0]))
    with pytest.raises(cw.InputError, match="two groups"):
        cw.logrank("Surv(days, closed) ~ arm", BAD[BAD["arm"] == "crewe"])


def test_the_figure_has_its_numbers_at_risk():
    cases = cw.datasets.project_crewe().cases
    curves = cw.kaplan_meier("Surv(days, event) ~ arm", cases, synthetic=True)
    ax = curves.plot(end=450, step=50, ylabel="Probability of remaining open")
    texts = [text.get_text() for text in ax.texts]
    for arm in curves.groups:
        counts = [f"{count:,.0f}" for count in curves.at_risk(list(range(0, 451, 50)))[arm]]
        place = texts.index(arm)
        assert texts[place + 1 : place + 11] == counts
    assert ax.get_xlim() == (0, 450)
    assert len({str(line.get_linestyle()) for line in ax.lines if len(line.get_xdata()) > 20}) >= 2
    assert "Kaplan-Meier" in style.alt_of(ax) and "at risk" in style.alt_of(ax)
    assert style.is_synthetic(ax)
    fit = cw.coxph("Surv(days, event) ~ arm + history", cases)
    assert "Cox-adjusted" in style.alt_of(fit.adjusted_curves().plot())
    assert fit.plot().get_xlabel().startswith("Log hazard ratio")
    assert fit.zph().plot("arm[T.crewe]").get_ylabel().endswith("arm: crewe")
    matplotlib.pyplot.close("all")


def test_rows_of_which_nothing_is_known_are_dropped_and_counted():
    blank = BAD.assign(days=[np.nan, *BAD["days"][1:]], closed=[np.nan, *BAD["closed"][1:]])
    curves = cw.kaplan_meier("Surv(days, closed) ~ arm", blank)
    assert "1 of 6 rows dropped" in curves.notes[0]
    with pytest.raises(cw.InputError, match=r"times are missing although.*row 0"):
        cw.kaplan_meier("Surv(days, closed) ~ arm", blank.assign(closed=BAD["closed"]))


def test_row_3_8_the_rank_of_a_log_rank_test_is_that_of_its_covariance():
    data = pd.DataFrame(
        {"t": [1, 2, 3, 4, 5, 1, 2], "e": 1, "g": list("baaaacc"), "s": ["S1"] * 5 + ["S2"] * 2}
    )
    test = cw.logrank("Surv(t, e) ~ g + strata(s)", data)
    assert test.df == 1
    np.testing.assert_allclose([test.statistic, test.p_value], [4.0, 0.0455002638963584])
    assert "compared only within them: 'a', 'b'; 'c' alone" in str(test)
    with pytest.raises(cw.InputError, match="never at risk at the same time"):
        cw.logrank("Surv(t, e) ~ g + strata(s)", data[data["g"] != "b"])


def test_row_3_11_a_time_is_found_although_arithmetic_moved_it():
    curves = cw.kaplan_meier(cw.Surv([0.1 * 3, 1.0, 2.0, 2.0], [1, 1, 0, 0]))
    assert curves.survival_at([0.3])["estimate"].tolist() == [0.75]
    assert curves.at_risk([0.3])["all"].tolist() == [4.0]
    assert curves.survival_at([0.29, 0.31, np.nan])["estimate"].tolist()[:2] == [1.0, 0.75]
    assert np.isnan(curves.survival_at([np.nan])["estimate"][0])
    again = pickle.loads(pickle.dumps(curves))
    assert again.survival_at([0.3]).equals(curves.survival_at([0.3]))
    assert "75% at the end" in style.alt_of(curves.plot(end=0.3, step=0.1))


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(st.integers(1, 400), min_size=2, max_size=30),
    unit=st.sampled_from([1e-12, 1e-3, 0.1, 1 / 7, 1.0, 1 / 365.25, 1e9]),
    moved=st.sampled_from([1.0, 1 + 2e-16, 1 - 3e-16, 1 + 1e-9, 1 - 1e-9]),
)
def test_row_3_11_every_look_up_follows_the_tie_rule(steps, unit, moved):
    event = [1, *[k % 2 for k in steps[1:]]]
    exact = cw.kaplan_meier(cw.Surv(np.array(steps, dtype=float), event))
    scaled = cw.kaplan_meier(cw.Surv(np.array(steps) * unit, event))
    asked = sorted({*steps, *[k + 0.5 for k in steps]})
    there = np.array(asked) * unit * moved
    columns = ["estimate", "std_error", "conf_low", "conf_high"]
    np.testing.assert_array_equal(
        scaled.survival_at(there)[columns], exact.survival_at(asked)[columns]
    )
    np.testing.assert_array_equal(scaled.at_risk(there)["all"], exact.at_risk(asked)["all"])


def test_a_cox_model_in_each_group() -> None:
    rossi = cw.datasets.rossi()
    fits = cw.coxph("Surv(week, arrest) ~ fin + prio", rossi, by="race", level=0.9)
    assert list(fits) == ["black", "other"]
    for race, fit in fits.items():
        alone = cw.coxph("Surv(week, arrest) ~ fin + prio", rossi[rossi["race"] == race], level=0.9)
        pd.testing.assert_frame_equal(fit.tidy(), alone.tidy())
    stacked = fits.tidy()
    assert stacked["race"].tolist() == ["black"] * 2 + ["other"] * 2
    assert "race: other. Cox" in repr(fits) and "separately by race" in fits.methods()[-1]
    ids = np.arange(len(rossi)) // 2
    by_pair = cw.coxph("Surv(week, arrest) ~ fin", rossi, by="race", cluster=ids)
    other = (rossi["race"] == "other").to_numpy()
    alone = cw.coxph("Surv(week, arrest) ~ fin", rossi[other], cluster=ids[other])
    assert by_pair["other"].se.equals(alone.se)
    for wrong in (
        lambda: cw.coxph("Surv(week, arrest) ~ fin", rossi, by="race", weights=np.ones(len(rossi))),
        lambda: cw.coxph("Surv(week, arrest) ~ fin", rossi, by="race", strata=[ids]),
        lambda: cw.coxph(cw.Surv(rossi["week"], rossi["arrest"]), rossi[["prio"]], by="race"),
    ):
        with pytest.raises(cw.InputError, match="taken by column"):
            wrong()
