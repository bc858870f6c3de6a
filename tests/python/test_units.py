"""Where a unit of a trial has several rows, the unit is the cluster, whatever the model."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import crewe as cw
import numpy as np
import pandas as pd
import pytest

PEOPLE = 40
ARMS = {"control": 1, "crewe": 1}


def people() -> pd.DataFrame:
    rng = np.random.default_rng(42)
    frame = pd.DataFrame({"pid": [f"p{i:02}" for i in range(PEOPLE)]})
    frame["school"] = [f"s{i // 4}" for i in range(PEOPLE)]
    frame["x"] = rng.normal(size=PEOPLE)
    frame["y"] = rng.normal(size=PEOPLE) + frame["x"]
    frame["closed"] = (rng.uniform(size=PEOPLE) < 0.5).astype(int)
    frame["days"] = rng.permutation(PEOPLE) + 1.0
    return frame


def trial(frame: pd.DataFrame, **unit: str) -> cw.Assignment:
    return cw.Design("T", arms=ARMS, seed=3, **(unit or {"unit": "pid"})).assign(frame)


def several(frame: pd.DataFrame, rows: int = 5) -> pd.DataFrame:
    """Give every person several rows, with another outcome in each but the first."""
    rng = np.random.default_rng(7)
    long = frame.loc[frame.index.repeat(rows)].reset_index(drop=True)
    long["occasion"] = long.groupby("pid").cumcount()
    long["y"] += np.where(long["occasion"] > 0, rng.normal(size=len(long)), 0.0)
    return long


MODELS: dict[str, Callable[..., Any]] = {
    "ols": lambda d, **options: cw.ols("y ~ arm + x", d, **options),
    "logit": lambda d, **options: cw.logit("closed ~ arm + x", d, **options),
    "coxph": lambda d, **options: cw.coxph(
        "Surv(days, closed) ~ arm + x", d, ties="breslow", **options
    ),
}
CLUSTERED = {"ols": "CR2", "logit": "CR2", "coxph": "CR3"}
SINGLE = {"ols": "HC2", "logit": "HC2", "coxph": "iid"}
ROWWISE = {
    "ols": ["iid", "HC0", "HC1", "HC2", "HC3"],
    "logit": ["iid", "HC0", "HC1", "HC2", "HC3"],
    "coxph": ["iid"],
}


@pytest.mark.parametrize("model", MODELS)
def test_2_2_copies_of_people_tell_nothing_new(model: str) -> None:
    frame = trial(people()).frame
    copies = frame.loc[frame.index.repeat(5)]
    fit = MODELS[model](copies, design=trial(people()))
    assert fit.vcov_name == CLUSTERED[model]
    assert (fit.clusters, fit.cluster_name) == (PEOPLE, "pid")
    # Errors clustered by person over copies are those of single rows that allow for unequal variances.
    once = MODELS[model](frame, cluster="pid")
    np.testing.assert_allclose(fit.coef, once.coef, rtol=1e-9)
    np.testing.assert_allclose(fit.se, once.se, rtol=1e-8)
    np.testing.assert_allclose(fit.p_value, once.p_value, rtol=1e-7)
    if model == "ols":
        single = cw.ols("y ~ arm + x", frame, vcov="HC2")
        np.testing.assert_allclose(fit.p_value, single.p_value, rtol=1e-9)
    assert any(
        "40 of 40 pids have several rows: errors are clustered by pid" in n for n in fit.notes
    )
    assert not any("as independent" in note for note in fit.notes)


@pytest.mark.parametrize("model", MODELS)
def test_2_2_one_row_each_is_no_cluster(model: str) -> None:
    drawn = trial(people())
    fit = MODELS[model](drawn.frame, design=drawn)
    assert (fit.vcov_name, fit.clusters) == (SINGLE[model], None)
    assert not any("several rows" in note for note in fit.notes)
    # The rows that are analysed count, not those of the file.
    long = several(drawn.frame)
    long.loc[long["occasion"] > 0, "x"] = np.nan
    fit = MODELS[model](long, design=drawn)
    assert (fit.vcov_name, fit.clusters) == (SINGLE[model], None)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("unit", [{"unit": "pid"}, {"cluster": "school"}])
def test_2_2_rows_of_one_unit_count_as_independent_only_with_a_note(
    model: str, unit: dict[str, str]
) -> None:
    drawn = trial(people(), **unit)
    column = next(iter(unit.values()))
    long = several(drawn.frame)
    by_column = MODELS[model](long, cluster=column)
    fit = MODELS[model](long, design=drawn)
    np.testing.assert_array_equal(fit.se, by_column.se)
    for kind in ROWWISE[model]:
        for other in (MODELS[model](long, design=drawn, vcov=kind), fit.vcov(kind)):
            assert other.vcov_name == kind
            assert sum(f"counts rows of one {column} as independent" in n for n in other.notes) == 1
            assert "as independent" in repr(other)
            assert pickle.loads(pickle.dumps(other)).notes == other.notes
            again = other.vcov(CLUSTERED[model])
            assert not any("as independent" in note for note in again.notes)
        assert not any("as independent" in n for n in MODELS[model](long, vcov=kind).notes)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("given", ["column", "one unit"])
def test_2_2_clusters_finer_than_the_unit_are_refused(model: str, given: str) -> None:
    drawn = trial(people())
    long = several(drawn.frame)
    long["row"] = np.arange(len(long)) if given == "column" else long["pid"]
    if given == "one unit":
        long.loc[7, "row"] = "another"
    with pytest.raises(cw.DesignError, match="the clusters split") as bad:
        MODELS[model](long, design=drawn, cluster="row")
    assert bad.value.column == "row" and "pid" in bad.value.remedy
    assert bad.value.rows == (list(range(len(long))) if given == "column" else [5, 6, 7, 8, 9])
    families = trial(people(), cluster="school")
    with pytest.raises(cw.DesignError, match="split 10 of 10 schools"):
        MODELS[model](families.frame, design=families, cluster="pid")


@pytest.mark.parametrize("model", MODELS)
def test_2_2_coarser_clusters_are_taken(model: str) -> None:
    drawn = trial(people())
    long = several(drawn.frame)
    fit = MODELS[model](long, design=drawn, cluster="school")
    assert (fit.clusters, fit.cluster_name, fit.vcov_name) == (10, "school", CLUSTERED[model])
    np.testing.assert_array_equal(fit.se, MODELS[model](long, cluster="school").se)
    # With one row each nothing can be finer.
    assert MODELS[model](drawn.frame, design=drawn, cluster="school").clusters == 10


def test_2_2_identifiers_may_be_numbers_and_rows_in_any_order() -> None:
    frame = people().assign(pid=np.arange(PEOPLE) * 10)
    drawn = trial(frame)
    long = several(drawn.frame)
    mixed = long.sample(frac=1, random_state=1)
    first, second = cw.ols("y ~ arm", long, design=drawn), cw.ols("y ~ arm", mixed, design=drawn)
    assert first.clusters == second.clusters == PEOPLE
    np.testing.assert_allclose(first.se, second.se, rtol=1e-12)


@pytest.mark.parametrize("model", ["ols", "logit", "coxph"])
def test_2_2_a_design_beside_arrays_is_not_ignored(model: str) -> None:
    drawn = trial(people())
    frame = drawn.frame
    x = frame[["x"]]
    with pytest.raises(cw.InputError, match="arrays have none"):
        if model == "coxph":
            cw.coxph(cw.Surv(frame["days"], frame["closed"]), x, design=drawn)
        else:
            getattr(cw, model)(frame["closed"], x, design=drawn)
