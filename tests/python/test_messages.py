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
            r"0.112, not 11.2, for 11.2 points\.$",
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
