"""What results say of few clusters: where a sentence stands, where none does, and what it names."""

from __future__ import annotations

import csv
import pickle
from pathlib import Path
from typing import Any

import crewe as cw
import numpy as np
import pandas as pd
import pytest

FOUND = Path(__file__).parents[2] / "src/inference/few.tsv"
SAID = "in simulated trials of"


def trial(families: int, control: int, rate: float, size: int = 2, seed: int = 1) -> pd.DataFrame:
    """Families of one size, the first of them controls; a share `rate` has the outcome, in both arms."""
    rng = np.random.default_rng(seed)
    n = families * size
    event = np.zeros(n, dtype=int)
    for rows in (np.arange(control * size), np.arange(control * size, n)):
        event[rng.choice(rows, max(2, round(rate * len(rows))), replace=False)] = 1
    return pd.DataFrame(
        {
            "family": np.repeat(np.arange(families), size),
            "arm": np.repeat(["control"] * control + ["crewe"] * (families - control), size),
            "event": event,
            "days": rng.exponential(30.0, n),
            "age": rng.normal(10.0, 3.0, n),
        }
    )


def said(fit: Any) -> list[str]:
    """Give the notes that quote simulations."""
    return [note for note in fit.notes if SAID in note]


def found(outcome: str, allocation: str, families: int, procedure: str) -> str:
    """Give what the simulations found, as the table of the core has it."""
    with FOUND.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    [row] = [
        row
        for row in rows
        if (row["outcome"], row["allocation"], row["families"])
        == (outcome, allocation, str(families))
    ]
    return row[procedure]


def test_a_sentence_has_the_size_that_was_found_and_names_what_held() -> None:
    fit = cw.ols("event ~ arm + age", trial(80, 13, 0.06), cluster="family")
    size = found("6%", "5:1", 80, "OLS, CR2")
    assert size.endswith("+")
    [note] = said(fit)
    assert (
        f"80 clusters at 5:1 with an outcome of 6% and no effect, OLS, CR2 rejected in {size[:-1]}%"
        in note
    )
    assert "randomisation test" in note and note in "\n".join(fit.notes)
    assert note in str(fit).replace("\n", " ") or "80 clusters at 5:1" in str(fit)
    # Another covariance has a sentence of its own, and one that was asked for with other degrees of freedom none.
    [other] = said(fit.vcov("CR1"))
    assert "OLS, CR1 rejected in" in other and other != note
    assert not said(fit.vcov("CR2", df="residual"))
    kept = pickle.loads(pickle.dumps(fit))
    assert said(kept) == [note]


@pytest.mark.parametrize("frame", ["pandas", "polars"])
def test_every_backend_says_the_same(frame: str) -> None:
    data = trial(80, 13, 0.06)
    asked: Any = data
    if frame == "polars":
        import polars as pl

        asked = pl.from_pandas(data)
    assert said(cw.ols("event ~ arm + age", asked, cluster="family")) == said(
        cw.ols("event ~ arm + age", data, cluster="family")
    )


MODELS: dict[str, Any] = {
    "OLS, CR2": lambda formula, data: cw.ols(formula, data, cluster="family"),
    "logit, CR2": lambda formula, data: cw.logit(formula, data, cluster="family"),
    "Firth, CR1": lambda formula, data: cw.logit(
        formula, data, cluster="family", penalty="firth", vcov="CR1"
    ),
    "probit, CR2": lambda formula, data: cw.probit(formula, data, cluster="family"),
    "cluster means, t": lambda formula, data: cw.cluster_level(formula, data, cluster="family"),
    "GEE, MD": lambda formula, data: cw.gee(formula, data, cluster="family"),
    "logit GEE, KC": lambda formula, data: cw.gee(
        formula, data, cluster="family", family="binomial"
    ),
    "mixed, Kenward-Roger": lambda formula, data: cw.mixed(formula, data, cluster="family"),
}


@pytest.mark.parametrize("families", [20, 40, 80])
@pytest.mark.parametrize("procedure", sorted(MODELS))
def test_every_model_says_where_its_default_did_not_hold(procedure: str, families: int) -> None:
    control = families // 3
    fit = MODELS[procedure]("event ~ arm + age", trial(families, control, 0.3))
    size = found("30%", "2:1", families, procedure)
    assert bool(said(fit)) == size.endswith(("+", "-", "?")), (fit.notes, size)
    if said(fit):
        assert f"{size[:-1]}%" in said(fit)[0] and procedure in said(fit)[0]


def test_nothing_is_said_of_what_was_not_simulated() -> None:
    data = trial(80, 13, 0.06)
    weighted = cw.ols(
        "event ~ arm", data.assign(w=1.0 + data["age"] ** 2), cluster="family", weights="w"
    )
    rows = cw.ols(data["event"].to_numpy(), data[["age"]], cluster=data["family"])
    schools = cw.ols("event ~ arm", trial(80, 13, 0.06, size=30), cluster="family")
    many = cw.ols("event ~ arm", trial(400, 66, 0.06), cluster="family")
    independence = cw.gee("event ~ arm", data, cluster="family", corstr="independence")
    alone = cw.ols("event ~ arm", data)
    for fit in (weighted, rows, schools, many, independence, alone):
        assert not said(fit)


def test_the_wild_bootstrap_says_so_too() -> None:
    fit = cw.ols("event ~ arm + age", trial(80, 13, 0.06), cluster="family")
    size = found("6%", "5:1", 80, "wild bootstrap, default")
    assert size.endswith("+")
    test = cw.wild_bootstrap(fit, "arm[T.crewe]", 99, 1, interval=False)
    [note] = said(test)
    assert f"wild bootstrap, default rejected in {size[:-1]}%" in note
    assert not said(cw.wild_bootstrap(fit, "age", 99, 1, interval=False))
    assert not said(cw.wild_bootstrap(fit, "arm[T.crewe]", 99, 1, kind="33", interval=False))


def test_the_trial_says_what_the_arm_is() -> None:
    data = trial(80, 13, 0.06)
    design = cw.Design("Trial", arms={"control": 1, "crewe": 5}, cluster="family")
    assignment = design.observe(data, arm="arm")
    # The arm is not the first variable of the formula.
    fit = cw.ols("event ~ age + arm", data, design=assignment)
    assert "80 clusters at 5:1" in said(fit)[0]
    assert not said(cw.ols("event ~ age + arm", data, cluster="family"))
