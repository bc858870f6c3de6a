"""Diagnostics of clustered fits: reference values, identities, sentences, the figure, what is refused."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import crewe as cw
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import polars as pl
import pytest
from crewe.exceptions import InputError
from crewe.plots import style

HERE = Path(__file__).parents[1] / "reference"
KNOWN: dict[str, Any] = json.loads((HERE / "expected/diagnostics.json").read_text("utf-8"))
TRIAL = pd.read_csv(HERE / "data/achievement_2001.csv")
TRIAL["w"] = 1.0 + TRIAL["siblings"]
FORMULA = "Bagrut_status ~ treated + girl + siblings"
TERMS = ["treated", "girl", "siblings"]
FITS: dict[str, Any] = {
    "ols": lambda **options: cw.ols(FORMULA, TRIAL, cluster="school_id", **options),
    "weighted": lambda **options: cw.ols(
        FORMULA, TRIAL, cluster="school_id", weights="w", **options
    ),
    "logit": lambda **options: cw.logit(FORMULA, TRIAL, cluster="school_id", **options),
}


@pytest.mark.parametrize("name", sorted(FITS))
def test_leverage_shares_and_refits_are_those_of_the_definitions(name: str) -> None:
    found, known = FITS[name]().diagnostics(TERMS), KNOWN[name]
    order = [found.clusters.index(str(school)) for school in KNOWN["schools"]]
    assert found.leverage[order] == pytest.approx(known["leverage"], rel=1e-9)
    assert found.leverage.sum() == pytest.approx(4)
    for term, of in zip(TERMS, known["terms"], strict=True):
        mine = found.terms[term]
        assert mine.partial[order] == pytest.approx(of["partial"], rel=1e-9)
        assert mine.partial.sum() == pytest.approx(1)
        assert mine.without[order] == pytest.approx(of["without"], rel=1e-8)
        assert mine.effective == pytest.approx(of["effective"], rel=1e-9)
        if of["alike"] is None:
            assert np.isnan(mine.effective_alike)
        else:
            assert mine.effective_alike == pytest.approx(of["alike"], rel=1e-9)


NLSWORK = os.environ.get("CREWE_NLSWORK", "")


@pytest.mark.skipif(
    not NLSWORK, reason="CREWE_NLSWORK does not name nlswork.dta: summclust is not checked"
)
@pytest.mark.parametrize(
    ("ages", "n", "leverage", "msp"),
    [
        # The README of Stata's summclust, to its digits.
        (
            (20, 40),
            17_395,
            (0.085945, 2.794231, 4.583333, 17.008305, 1.166238),
            (-0.032772, -0.026891, -0.026398, -0.019198, 0.131277),
        ),
        # The vignette of R's. Its columns of partial leverage bear each other's names.
        (
            (0, 99),
            19_130,
            (0.09332052, 3.51549151, 5.41666667, 20.28918187, 1.15296458),
            (-0.03320040, -0.02776470, -0.02691999, -0.01583453, 0.16289813),
        ),
    ],
)
def test_leverage_and_influence_are_those_that_summclust_prints(
    ages: tuple[int, int], n: int, leverage: tuple[float, ...], msp: tuple[float, ...]
) -> None:
    data = pd.read_stata(NLSWORK, convert_categoricals=False)
    names = ["ln_wage", "grade", "age", "birth_yr", "union", "race", "msp", "ind_code"]
    data = data.loc[data["age"].between(*ages), names].dropna()
    fit = cw.ols(
        "ln_wage ~ C(grade) + C(age) + C(birth_yr) + union + race + msp",
        data,
        cluster="ind_code",
        vcov="CR1S",
    )
    found = fit.diagnostics(["msp", "union"])
    assert (fit.n, fit.clusters) == (n, 12)

    def printed(values: Any) -> list[float]:
        spread = abs(values.std(ddof=1) / values.mean())
        return [values.min(), np.median(values), values.mean(), values.max(), spread]

    assert printed(found.leverage) == pytest.approx(leverage, abs=6e-7)
    assert printed(found.terms["msp"].without) == pytest.approx(msp, abs=6e-7)
    if ages[0] == 0:
        shares = printed(found.terms["union"].partial)
        known = (0.0006662968, 0.0379535242, 0.0833333333, 0.3597669210, 1.3313784379)
        assert shares == pytest.approx(known, abs=6e-10)
        shares = printed(found.terms["msp"].partial)
        known = (0.001622359, 0.056682344, 0.083333333, 0.312994532, 1.141326117)
        assert shares == pytest.approx(known, abs=6e-9)


def test_the_jackknife_is_the_spread_of_the_estimates_without_clusters() -> None:
    fit = FITS["ols"]()
    term = fit.diagnostics().terms["treated"]
    spread = 38 / 39 * np.sum((term.without - term.estimate) ** 2)
    assert np.sqrt(spread) == pytest.approx(fit.vcov("jackknife").se["treated"], rel=1e-9)


def test_clusters_alike_count_fully() -> None:
    frame = trial()
    term = cw.ols("y ~ arm", frame, cluster="school").diagnostics().terms["arm[T.b]"]
    assert term.effective == pytest.approx(16) and term.effective_alike == pytest.approx(16)
    assert term.partial == pytest.approx(np.full(16, 1 / 16))


def trial(sizes: Any = 4, n: int = 16) -> pd.DataFrame:
    rng = np.random.default_rng(8)
    rows = np.repeat(np.arange(n), sizes)
    frame = pd.DataFrame({"school": [f"s{i:02}" for i in rows]})
    frame["arm"] = np.resize(["a", "b"], n)[rows]
    frame["pre"] = rng.normal(size=len(rows))
    frame["y"] = frame["pre"] + rng.normal(size=n)[rows] + rng.normal(size=len(rows))
    frame["passed"] = (frame["y"] > 0).astype(int)
    return frame


def test_counts_sizes_and_arms() -> None:
    sizes = np.resize([1, 2, 3, 10], 16)
    found = cw.ols("y ~ arm + pre", trial(sizes), cluster="school").diagnostics()
    assert found.sizes.tolist() == sizes.tolist()
    assert found.spread["smallest"] == 1 and found.spread["largest"] == 10
    assert found.spread["median"] == np.median(sizes)
    assert found.spread["lower quartile"] == np.quantile(sizes, 0.25)
    assert found.spread["cv"] == pytest.approx(sizes.std() / sizes.mean())
    assert found.arms == {"a": 8, "b": 8} and list(found.terms) == ["arm[T.b]"]
    text = str(found)
    assert "Clusters by arm, 16 in all: a 8, b 8." in text and "16 clusters (school)" in text
    # A first variable that varies within clusters is no arm.
    other = cw.ols("y ~ pre + arm", trial(sizes), cluster="school").diagnostics()
    assert other.arms == {} and list(other.terms) == ["pre", "arm[T.b]"]


def test_a_trial_names_the_arm_wherever_it_stands() -> None:
    frame = trial().drop(columns="arm")
    design = cw.Design("t", arms={"usual": 1, "new": 1}, cluster="school", seed=3)
    drawn = design.assign(frame)
    found = cw.ols("y ~ pre + arm", drawn.frame, design=drawn).diagnostics()
    assert found.arms == {"usual": 8, "new": 8} and list(found.terms) == ["arm[T.new]"]
    times = drawn.frame.assign(t=np.arange(1, 65), e=1)
    of_times = cw.coxph("Surv(t, e) ~ pre + arm", times, design=drawn).diagnostics()
    assert of_times.arms == found.arms and list(of_times.terms) == ["arm[T.new]"]


MODELS: dict[str, Any] = {
    "ols": lambda d, **o: cw.ols("y ~ arm + pre", d, cluster="school", **o),
    "logit": lambda d, **o: cw.logit("passed ~ arm", d, cluster="school", **o),
    "probit": lambda d, **o: cw.probit("passed ~ arm", d, cluster="school", **o),
    "gee": lambda d, **o: cw.gee("y ~ arm + pre", d, cluster="school", **o),
    "mixed": lambda d, **o: cw.mixed("y ~ arm + pre", d, cluster="school", **o),
    "cox": lambda d, **o: cw.coxph(
        "Surv(time, passed) ~ arm + pre", d.assign(time=np.exp(d["y"])), cluster="school", **o
    ),
}


@pytest.mark.parametrize("model", sorted(MODELS))
def test_every_clustered_fit_has_them(model: str) -> None:
    frame = trial(np.resize([3, 4, 6], 16))
    found = MODELS[model](frame).diagnostics()
    row = found.tidy().iloc[0]
    assert list(found.tidy()["term"]) == ["arm[T.b]"] and row["clusters"] == 16
    assert row["lowest_without"] < row["estimate"] < row["highest_without"]
    assert 0 < row["effective_clusters"] <= 16
    by = found.by_cluster()
    assert len(by) == 16 and by["partial_leverage"].sum() == pytest.approx(1)
    axes = found.plot()
    assert "s" in style.alt_of(axes)
    plt.close("all")
    again = pickle.loads(pickle.dumps(found))
    pd.testing.assert_frame_equal(again.tidy(), found.tidy())


@pytest.mark.parametrize(
    ("model", "options", "words"),
    [
        ("ols", {"vcov": "CR1"}, "CR1 is not to be trusted for arm"),
        ("ols", {"vcov": "HC2"}, "HC2 is not to be trusted: it counts rows of one school"),
        ("ols", {"vcov": "CR2"}, ""),
        ("logit", {"vcov": "CR0"}, "read CR2"),
        ("gee", {"vcov": "CR0"}, "read MD"),
        ("gee", {"vcov": "iid"}, "refers to z; read MD"),
        ("gee", {"vcov": "KC"}, ""),
        ("mixed", {"vcov": "iid"}, "read kenward-roger"),
        ("cox", {"vcov": "CR0"}, "read CR3"),
        ("mixed", {}, ""),
    ],
)
def test_one_sentence_says_what_is_not_to_be_trusted(
    model: str, options: dict[str, Any], words: str
) -> None:
    found = MODELS[model](trial(), **options).diagnostics()
    assert words in found.doubt and bool(found.doubt) == bool(words)
    assert found.doubt in str(found)


def test_sentences_about_arms_shares_and_sizes() -> None:
    frame = trial(n=30)
    frame["arm"] = np.where(frame["school"] < "s04", "b", "a")
    found = MODELS["ols"](frame).diagnostics()
    assert any("too few of the clusters are in arm b" in doubt for doubt in found.doubts)
    sizes = np.full(16, 2)
    sizes[3] = 200
    large = cw.ols("y ~ pre + arm", trial(sizes), cluster="school").diagnostics(["pre"])
    assert any("pre rests on one school: s03 holds" in doubt for doubt in large.doubts)
    uneven = MODELS["gee"](trial(np.resize([1, 1, 1, 12], 16)), vcov="KC").diagnostics()
    assert "read FG beside it" in uneven.doubts[-1]
    enough = MODELS["ols"](trial(n=120), vcov="CR1").diagnostics()
    assert enough.doubts == []
    few = cw.ols("y ~ arm + pre", trial(n=4), cluster="school").diagnostics()
    assert any("fewer than 4 degrees of freedom" in doubt for doubt in few.doubts)


@pytest.mark.parametrize("model", list(MODELS))
def test_every_clustered_fit_prints_what_it_rests_on(model: str) -> None:
    """The lines beneath its table hold the numbers of its diagnostics, with and without its data."""
    frame = trial(np.resize([3, 4, 6], 16))
    fit = MODELS[model](frame)
    found, text = fit.diagnostics(), str(fit)
    (name, term), *_ = found.terms.items()
    counts = ", ".join(f"{arm} {count}" for arm, count in found.arms.items())
    assert f"{len(found.clusters)} clusters of 3 to 6 rows, median 4; by arm: {counts}." in text
    known = term.without[np.isfinite(term.without)]
    low, high = (f"{value:.4f}".replace("-", "−") for value in (known.min(), known.max()))
    assert f"What is known of {name} comes from as much as {term.effective:.1f} clusters" in text
    assert f"without one cluster it is {low} to {high}." in text
    assert (
        (f"Note: {found.doubts[0]}." in text) if found.doubts else "not to be trusted" not in text
    )
    # A call that needs the data is not offered without them.
    kept = [line for line in text.splitlines() if "randomisation_test(fit" not in line]
    assert str(pickle.loads(pickle.dumps(fit))).splitlines() == kept
    # Another covariance has doubts of its own.
    doubted = fit.vcov("CR0")
    assert f"Note: {doubted.diagnostics().doubts[0]}." in str(doubted)


def test_what_takes_long_is_not_printed() -> None:
    frame = trial(n=3_000)
    fit = cw.logit("y > 0 ~ arm + pre", frame.assign(**{"y > 0": frame["y"] > 0}), cluster="school")
    text = str(fit)
    assert "What is known of arm[T.b]" in text and "without one cluster" not in text


def test_what_is_printed_names_no_cluster_and_its_counts_can_be_protected() -> None:
    frame = trial(n=16)
    frame["arm"] = np.where(frame["school"] < "s03", "b", "a")
    fit = cw.ols("y ~ arm", frame, cluster="school")
    assert "by arm: a 13, b 3." in str(fit) and "s0" not in str(fit)
    for result in (fit, fit.diagnostics()):
        page = (
            cw.Report("T", disclosure=cw.disclosure.DFE).add(result, heading="H", figure=False).html
        )
        # Whoever knows that there are 16 would have the 3 from the 13.
        assert "a [c], b [c]." in page


def test_an_arm_of_one_cluster_is_doubted_first() -> None:
    frame = trial(n=3)
    frame["arm"] = np.where(frame["school"] == "s00", "b", "a")
    fit = cw.ols("y ~ arm", frame, cluster="school", vcov="CR1")
    assert "Note: a single cluster is in arm b, and no variance over clusters is reliable" in str(
        fit
    )


def test_a_cluster_that_alone_informs_a_term_has_no_estimate_without_it() -> None:
    frame = trial()
    frame["own"] = (frame["school"] == "s02") * frame["pre"]
    for model, kind in ((cw.ols, "CR2"), (cw.gee, "iid")):
        fit = model("y ~ own + arm", frame, cluster="school", vcov=kind)
        found = fit.diagnostics(["own", "arm[T.b]"])
        place = found.clusters.index("s02")
        assert np.isnan(found.terms["own"].without[place])
        assert np.isfinite(np.delete(found.terms["own"].without, place)).all()
        # The other term is that of the refit without the cluster and without its own term.
        left = cw.ols("y ~ arm", frame[frame["school"] != "s02"], cluster="school")
        if model is cw.ols:
            assert found.terms["arm[T.b]"].without[place] == pytest.approx(left.coef.iloc[1])


def test_a_cox_model_is_fitted_again_without_each_cluster() -> None:
    frame = trial(np.resize([3, 4, 6], 16))
    found = MODELS["cox"](frame).diagnostics()
    place = found.clusters.index("s05")
    left = MODELS["cox"](frame[frame["school"] != "s05"])
    assert found.terms["arm[T.b]"].without[place] == pytest.approx(left.coef.iloc[0], rel=1e-6)


def test_frames_and_refusals() -> None:
    frame = trial()
    wide = cw.ols("y ~ arm", pl.from_pandas(frame), cluster="school").diagnostics()
    assert isinstance(wide.tidy(), pl.DataFrame) and isinstance(wide.by_cluster(), pl.DataFrame)
    with pytest.raises(InputError, match="need a fit with clusters"):
        cw.ols("y ~ arm", frame).diagnostics()
    with pytest.raises(InputError, match="no term 'z'"):
        cw.ols("y ~ arm", frame, cluster="school").diagnostics(["z"])
    with pytest.raises(InputError, match="no diagnostics of 'pre'"):
        cw.ols("y ~ arm", frame, cluster="school").diagnostics().plot("pre")
    with pytest.raises(InputError, match="each cluster is one value"):
        cw.cluster_level("y ~ arm", frame, cluster="school").diagnostics()
    arrays = cw.ols(frame["y"].to_numpy(), frame[["pre"]].to_numpy(), cluster=frame["school"])
    assert arrays.diagnostics().clusters[0] == "s00"
    loaded = pickle.loads(pickle.dumps(cw.ols("y ~ arm", frame, cluster="school")))
    with pytest.raises(InputError, match="loaded without its data"):
        loaded.diagnostics()
