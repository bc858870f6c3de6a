"""Wrong input is refused in words that an evaluator can act on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import crewe as cw
import numpy as np
import pandas as pd
import pytest

TRIAL = cw.datasets.project_crewe(seed=2017)
POWER: dict[str, Any] = {"icc": 0.36, "cluster_size": 3, "power": 0.8}


def risk(**change: Any) -> Any:
    seen = TRIAL.risk.assign(seen=TRIAL.risk["value"].fillna(TRIAL.risk["present"]))
    for column, value in change.items():
        seen[column] = seen[column].astype(object)
        seen.loc[5, column] = value
    return cw.risk.Framework.project_crewe().score(
        seen, case="case_id", time="time", code="code", value="seen", times=["referral", "latest"]
    )


def sdq(column: str, value: Any) -> Any:
    answers = TRIAL.sdq.astype(object)
    answers.loc[3, column] = value
    return cw.sdq.score(answers, prefix="sdq_", informant="informant")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: risk(code="parent_mental_helth"),
            r"^these codes are not in the framework \(column 'code'; row 5; seen: "
            r"parent_mental_helth\)\. Did you mean 'parent_mental_health', .* or '.*'\?$",
        ),
        (lambda: risk(seen=7), r"off the scale of 0, 1 \(column 'seen'; row 5; seen: 7\)"),
        (
            lambda: risk(time="referal"),
            r"\(column 'time'; row 5; seen: referal\)\. Did you mean 'referral'\?$",
        ),
        (
            lambda: sdq("sdq_04", "sumewhat true"),
            r"off the scale of 0, 1, 2 \(column 'sdq_04'; row 3; seen: sumewhat true\)\. "
            r"Did you mean 'somewhat true'",
        ),
        (lambda: sdq("sdq_04", 3), r"off the scale of 0, 1, 2 \(column 'sdq_04'; row 3; seen: 3"),
        (lambda: sdq("informant", "parrent"), r"\(column 'informant'; row 3; seen: parrent\)"),
        (
            lambda: cw.power.binary(baseline=22.6, clusters=132, **POWER),
            r"must lie between 0 and 1 \(seen: 22.6\)\. Give it as a share, for instance 0.226",
        ),
        (
            lambda: cw.power.binary(baseline=0.2, clusters=132, **{**POWER, "icc": 1.2}),
            r"^icc must .* at most 1 \(seen: 1.2\)",
        ),
        (
            lambda: cw.power.binary(baseline=0.9, effect=0.2, **POWER),
            r"out of 0 to 1 \(seen: 0.9 \+ 0.2 = 1.1\)\. Give a smaller effect",
        ),
        (
            lambda: cw.power.binary(baseline=0.1, effect=-0.2, **POWER),
            r"out of 0 to 1 \(seen: 0.1 - 0.2 = -0.1\)",
        ),
        (
            lambda: cw.power.binary(baseline=0.226, effect=11.2, **POWER),
            r"0.112, not 11.2, for 11.2 points, or a ratio such as 1.5\.$",
        ),
        (
            lambda: cw.compare_to_national({"a": 3, "b": 4}, n=9, national={"a": 49.6, "b": 0.2}),
            r"national shares must lie between 0 and 1 \(seen: a 49.6\)\. Give 49.6% as 0.496",
        ),
        (
            lambda: cw.compare_rates(events=(9, 3), totals=(8, 45)),
            r"its rate would be over 1 \(seen: 9 of 8\)",
        ),
        (lambda: cw.describe("visits ~ amr", TRIAL.visits), r"Did you mean 'arm'\?$"),
    ],
)
def test_the_message_says_what_where_and_what_to_do(call: Callable[[], Any], words: str) -> None:
    with pytest.raises(cw.InputError, match=words):
        call()


def test_many_impossible_dates_stay_readable() -> None:
    raw = TRIAL.cases.drop(columns=["history", "closed", "re_referred", "event", "days"])
    with pytest.raises(cw.InputError) as caught:
        cw.cases.prepare(
            raw.assign(closure_date="2014-01-01"),
            referral="referral_date",
            closure="closure_date",
            rereferral="rereferral_date",
            randomised="start_date",
            incomplete="exclusion",
        )
    message = str(caught.value)
    assert (
        "closed before they were referred (column 'closure_date'; rows 0, 1, 2, 3, 4 and" in message
    )
    assert len(message) < 800 and len(caught.value.rows) > 100


def test_row_8_6_no_unknown_word_becomes_a_default(tmp_path) -> None:
    frame = pd.DataFrame({"id": range(12), "y": np.arange(12.0), "t": 1.0, "e": [0, 1] * 6})
    design = cw.Design("T", arms={"a": 1, "b": 1}, cluster="id", seed=1)
    trial = design.assign(frame)
    keyed = cw.Design(
        "T", arms={"a": 1, "b": 1}, cluster="id", seed=cw.new_key(), method=cw.Simple()
    )
    calls = [
        lambda word: cw.randomisation_test("y ~ arm", frame, trial, weights=word),
        lambda word: cw.randomisation_test("y ~ arm", frame, trial, alternative=word),
        lambda word: cw.randomisation_test(word, frame, trial, outcome="y"),
        lambda word: cw.mann_whitney([1, 2], [3, 4], alternative=word),
        lambda word: cw.permutation_test([1, 2], [3, 4], alternative=word),
        lambda word: cw.compare_rates(events=[1, 2], totals=[4, 5], alternative=word),
        lambda word: cw.adjust([0.1, 0.2], word),
        lambda word: cw.kaplan_meier("Surv(t, e) ~ 1", frame, conf_type=word),
        lambda word: cw.power.binary(
            baseline=0.2, clusters=99, cluster_size=3, icc=0.1, power=0.8, method=word
        ),
        lambda word: cw.Ledger.create(tmp_path / "l.sqlite", keyed, overflow=word),
        lambda word: cw.Ledger.create(tmp_path / "l.sqlite", keyed, merged=word),
    ]
    for call in calls:
        for word in ("nonsense", "", "AUTO"):
            with pytest.raises(cw.CreweError, match=r"known|unknown"):
                call(word)


SECRETS = (
    "98765.4321",
    "-98765.4321",
    "98765",
    "4321",
    "87654.25",
    "1987-06-05",
    "05.06.1987",
)
"""Data of people: an outcome, a covariate and a date, in whatever way they are written."""

N = 60


def people(**change: Any) -> pd.DataFrame:
    """Give a frame of which every number and date that belongs to somebody is a secret."""
    n = np.arange(N)
    data = pd.DataFrame(
        {
            "id": [f"P-771{k:03}" for k in n],
            "family": [f"P-771{k // 2:03}" for k in n],
            "arm": np.where(n % 2, "b", "a"),
            "pair": np.where(n // 2 % 2, "b", "a"),
            "y": 98765.4321 + n % 7,
            "x": 87654.25 + n % 5,
            "one": 98765.4321,
            "low": np.where(n % 2, 98765.4321, 87654.25),
            "closed": n % 3 == 0,
            "t": 1.0 + n % 11,
            "day": "1987-06-05",
            "word": [f"98765.4321{k}" for k in n],
        }
    )
    return data.assign(**change)


def design(**change: Any) -> cw.Design:
    settings: dict[str, Any] = {"arms": {"a": 1, "b": 1}, "cluster": "family", "seed": 1}
    return cw.Design("t", **(settings | change))


def wrong(column: str, value: Any, rows: Any = 3) -> pd.DataFrame:
    data = people()
    data[column] = data[column].astype(object)
    data.loc[rows, column] = value
    return data if isinstance(value, str) else data.infer_objects()


def assigned() -> tuple[cw.Assignment, pd.DataFrame]:
    data = people(site=np.where(np.arange(N) // 2 % 3, "north", "south")).drop(columns="arm")
    return design(strata=["site"]).assign(data), data


def other_stratum() -> None:
    trial, data = assigned()
    trial.join(data.assign(site="south"))


def other_arm() -> None:
    trial, data = assigned()
    trial.check(data.assign(arm="a"), arm="arm")


def strangers() -> None:
    trial, data = assigned()
    trial.join(data.assign(family=[f"Q{k}" for k in range(N)]))


def raw_cases(**change: Any) -> Any:
    raw = TRIAL.cases.drop(columns=["history", "closed", "re_referred", "event", "days"])
    return cw.cases.prepare(
        raw.assign(**change),
        referral="referral_date",
        closure="closure_date",
        rereferral="rereferral_date",
        randomised="start_date",
        incomplete="exclusion",
    )


LEAKS: dict[str, Callable[[], Any]] = {
    "logit of a quantity": lambda: cw.logit("y ~ arm", people()),
    "probit of a quantity": lambda: cw.probit("y ~ arm", people()),
    "constant covariate": lambda: cw.ols("x ~ arm + one", people()),
    "constant outcome": lambda: cw.logit("one ~ arm", people()),
    "constant in Cox": lambda: cw.coxph("Surv(t, closed) ~ one", people()),
    "separated by a quantity": lambda: cw.logit("up ~ y", people(up=people()["y"] > 98768)),
    "separated by two values": lambda: cw.logit("up ~ low", people(up=people()["low"] > 9e4)),
    "separated on one side": lambda: cw.logit(
        "up ~ low", people(up=(people()["low"] > 9e4) & (np.arange(N) % 4 > 1))
    ),
    "separated on both sides": lambda: cw.logit(
        "up ~ z", people(z=98765.4321 + np.sign(np.arange(N) - 30), up=(np.arange(N) > 29) + 0)
    ),
    "monotone likelihood": lambda: cw.coxph(
        "Surv(t, e) ~ low", people(e=(people()["low"] > 9e4) & (np.arange(N) % 3 > 0))
    ),
    "monotone in order": lambda: cw.coxph(
        "Surv(u, closed) ~ z", people(u=np.arange(N) + 1.0, z=98765.4321 - np.arange(N))
    ),
    "text among numbers": lambda: cw.ols("y ~ arm", wrong("y", "98765.4321")),
    "numbers as text": lambda: cw.ols("x ~ arm + word", people()),
    "an outcome as text": lambda: cw.ols("word ~ arm", people()),
    "dates as a covariate": lambda: cw.ols(
        "x ~ arm + born", people(born=[f"1987-06-05 {k:02}:00" for k in range(N)])
    ),
    "infinite": lambda: cw.ols("x ~ arm + y", wrong("y", np.inf)),
    "negative times": lambda: cw.coxph("Surv(y, closed) ~ arm", wrong("y", -98765.4321)),
    "negative times by group": lambda: cw.kaplan_meier("Surv(y, closed) ~ arm", wrong("y", -98765.4321)),
    "events that are quantities": lambda: cw.kaplan_meier("Surv(t, y) ~ arm", people()),
    "the log of time": lambda: cw.coxph("Surv(t, closed) ~ x", people(t=people()["t"] - 1)).zph("log"),
    "negative weights": lambda: cw.ols("x ~ arm", wrong("y", -98765.4321), weights="y"),
    "negative weights in arrays": lambda: cw.ols(
        people()["x"].to_numpy(), people()[["t"]].to_numpy(), weights=np.full(N, -98765.4321)
    ),
    "weights beyond measure": lambda: cw.ols("x ~ arm", wrong("y", 9.87654321e307), weights="y"),
    "ranks of one value": lambda: cw.mann_whitney("one ~ arm", people()),
    "ranks by a quantity": lambda: cw.mann_whitney("x ~ y", people()),
    "labellings of fractions": lambda: cw.permutation_test(
        "z ~ arm", people(z=98765.4321 + np.sqrt(np.arange(N)))
    ),
    "labellings of large scores": lambda: cw.permutation_test("z ~ arm", people(z=9.87654321e17)),
    "outside the bins": lambda: cw.crosstab("y ~ arm", people(), bins=[0, 1, 2]),
    "categories in order": lambda: cw.crosstab("word ~ arm", people(), order=["x"]),
    "rates of a quantity": lambda: cw.compare_rates("y ~ arm", people()),
    "a knot at the boundary": lambda: cw.ols("x ~ bs(low, df=6)", people()),
    "beyond a spline": lambda: cw.ols("x ~ bs(y, df=4)", people()).predict(people(y=98765432.1)),
    "a level that is new": lambda: cw.ols("x ~ pair", people()).predict(people(pair="1987-06-05")),
    "a level that nobody has": lambda: cw.ols("x ~ C(y)", people()).margins("y", values=[3]),
    "an arm that is a quantity": lambda: design().observe(people(), arm="y"),
    "an arm that is a date": lambda: design().observe(people(), arm="day"),
    "decimal ids": lambda: design(cluster="y").assign(people()),
    "decimal strata": lambda: design(strata=["y"]).assign(people()),
    "ids of several types": lambda: design(cluster="x").assign(wrong("x", "98765.4321")),
    "dates as an order": lambda: design(unit="id", cluster=None, method=cw.Simple()).assign(
        people(day="05.06.1987"), order="day"
    ),
    "mixed orders": lambda: design(unit="id", cluster=None, method=cw.Simple()).assign(
        wrong("y", "98765.4321"), order="y"
    ),
    "no date": lambda: raw_cases(closure_date="05.06.1987"),
    "impossible dates": lambda: raw_cases(closure_date="1987-06-05"),
    "off the scale": lambda: sdq("sdq_04", 98765),
    "off another scale": lambda: risk(seen=98765),
    "off a rating scale": lambda: cw.survey.score(people(), ["y", "t"]),
    "another index": lambda: cw.ols(
        people()["x"], people(id=1).set_index("y")[["t"]].reset_index(drop=True).set_axis(people()["id"])
    ),
    "statistic": lambda: cw.randomisation_test("word ~ arm", people(), design().observe(people(), arm="pair")),
}  # fmt: skip


@pytest.mark.parametrize("leak", LEAKS, ids=str)
def test_7_10_errors_hold_no_data_of_people(leak: str) -> None:
    with pytest.raises(cw.CreweError) as caught:
        LEAKS[leak]()
    error = caught.value
    told = [str(error), error.problem, error.remedy, *error.values, *map(str, error.args)]
    found = [secret for secret in SECRETS for text in told if secret in text]
    assert not found, told
    assert error.remedy, told


@pytest.mark.parametrize("call", [other_stratum, other_arm, strangers])
def test_7_10_no_level_or_arm_stands_beside_an_identifier(call: Callable[[], None]) -> None:
    with pytest.raises(cw.CreweError) as caught:
        call()
    error = caught.value
    assert error.rows and 0 < len(error.values) <= 5
    for value in error.values:
        assert not {"north", "south", "a", "b"} & set(value.replace(":", " ").split()), value


def test_7_10_identifiers_are_shown_as_far_as_they_are_needed() -> None:
    many = pd.DataFrame(
        {"family": [f"F{k // 2}" for k in range(2_000)], "site": ["n", "s"] * 1_000}
    )
    with pytest.raises(cw.DesignError, match="1000 of 1000 clusters") as caught:
        design(strata=["site"]).assign(many)
    assert len(caught.value.values) == 5 and len(caught.value.rows) == 2_000
    with pytest.raises(cw.InputError, match="1000 identifiers") as caught:
        design(cluster=None, unit="family").assign(many)
    assert len(caught.value.values) == 5
    trial = design().assign(many)
    with pytest.raises(cw.CreweError, match=r"1000 rows .* were not randomised") as caught:
        cw.consort(trial, excluded={"gone": [f"G{k}" for k in range(1_000)]})
    assert len(caught.value.values) == 5
    # A label of a category is shown, since the user must mend it.
    with pytest.raises(
        cw.InputError, match=r"no arm of the design .*seen: treatd.*Did you mean 'treated'"
    ):
        cw.Design("t", arms={"control": 1, "treated": 1}, cluster="family", seed=1).observe(
            many.assign(arm=np.where(many["site"] == "n", "control", "treatd")), arm="arm"
        )


@pytest.mark.parametrize("size", [10_000, 1_000_000])
def test_7_7_messages_are_cut(size: int) -> None:
    long = "z" * size
    calls: list[Callable[[], Any]] = [
        lambda: cw.ols(f"y ~ {long[:40_000]}", people()),
        lambda: cw.ols("y ~ arm", people(), cluster=long),
        lambda: design(cluster=long).assign(people()),
        lambda: cw.Design(long, arms={"a": 1}, cluster="id", seed=1),
        lambda: cw.mann_whitney([1, 2], [3, 4], alternative=long),
        lambda: cw.ols("x ~ pair", people()).predict(people(pair=long)),
        lambda: design().observe(people(pair=long), arm="pair"),
        lambda: cw.Design.from_toml(f'name = "{long}"', seed=1),
        lambda: sdq("sdq_04", long),
    ]
    for call in calls:
        with pytest.raises(cw.CreweError) as caught:
            call()
        assert len(str(caught.value)) < 5_000
        assert all(len(value) < 250 for value in caught.value.values)
