"""Sequential procedures from Python: arrivals, refusals, draws and predictability."""

from __future__ import annotations

import math
import pickle

import crewe as cw
import matplotlib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from crewe.plots import style

matplotlib.use("Agg")

METHODS = [
    cw.Blocks(sizes=[3]),
    cw.Blocks(sizes=[3, 6]),
    cw.BigStick(limit=2),
    cw.BiasedCoin(p=0.7),
    cw.Minimisation(factors=["site", "sex"], p=0.8),
    cw.Minimisation(factors={"site": 2, "sex": 1}, p=0.9, imbalance="variance"),
]


def families(n: int = 120, seed: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "family_id": rng.permutation(n) + 1000,
            "history": rng.integers(0, 2, n),
            "site": rng.choice(["north", "south", "Cr\u00e9we"], n),
            "sex": rng.integers(0, 2, n),
            "day": np.arange(n) // 2,
        }
    )


def design(method: cw.design.Method, **changes: object) -> cw.Design:
    settings: dict = {
        "arms": {"control": 1, "crewe": 2},
        "cluster": "family_id",
        "strata": ["history"],
        "seed": 17,
        "method": method,
    }
    return cw.Design("sequential", **(settings | changes))


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_the_order_of_arrival_is_needed(method: cw.design.Method) -> None:
    with pytest.raises(cw.DesignError, match="order in which they arrived") as caught:
        design(method).assign(families())
    assert "order=" in caught.value.remedy
    with pytest.raises(cw.DesignError, match="order in which they arrived"):
        design(method).draws(families(), 10)


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_rows_kinds_of_frames_and_of_ids_do_not_matter(method: cw.design.Method) -> None:
    frame = families()
    made = design(method)
    arms = made.assign(frame, order="day").frame.set_index("family_id")["arm"]
    shuffled = frame.sample(frac=1, random_state=1)
    again = made.assign(shuffled, order="day").frame.set_index("family_id")["arm"]
    assert arms.sort_index().equals(again.sort_index())
    as_text = frame.assign(family_id=frame["family_id"].astype(str))
    text = made.assign(pl.from_pandas(as_text), order="day").frame
    assert text["arm"].to_list() == arms.to_list()
    dates = pd.Timestamp("2016-01-04") + pd.to_timedelta(frame["day"], unit="D")
    dated = made.assign(frame.assign(day=dates), order="day").frame
    assert dated["arm"].to_list() == arms.to_list()


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_a_cluster_arrives_with_its_first_child(method: cw.design.Method) -> None:
    frame = families()
    late = frame.iloc[:20].assign(day=500)
    made = design(method)
    arms = made.assign(frame, order="day").frame.set_index("family_id")["arm"]
    both = made.assign(pd.concat([late, frame], ignore_index=True), order="day").frame
    assert both.groupby("family_id")["arm"].nunique().max() == 1
    first = both.drop_duplicates("family_id").set_index("family_id")["arm"]
    assert first.sort_index().equals(arms.sort_index())


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_another_arrival_changes_nothing_before_it(method: cw.design.Method) -> None:
    frame = families()
    made = design(method)
    arms = made.assign(frame, order="day").frame.set_index("family_id")["arm"]
    newcomer = pd.DataFrame(
        {"family_id": [5], "history": [1], "site": ["north"], "sex": [0], "day": [30]}
    )
    more = made.assign(pd.concat([frame, newcomer]), order="day").frame
    more = more.set_index("family_id")["arm"]
    fixed = frame[(frame["history"] == 0) | (frame["day"] < 30)]["family_id"]
    assert more[fixed].equals(arms[fixed])


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_probabilities_are_those_of_the_draws(method: cw.design.Method) -> None:
    frame = families(30)
    made = design(method)
    assignment = made.assign(frame, order="day")
    given = assignment.frame["arm"].map({"control": 1 / 3, "crewe": 2 / 3})
    assert (assignment.frame["probability"] == given).all()
    drawn = made.draws(frame, 20_000, order="day")
    se = math.sqrt(2 / 9 / 20_000)
    assert np.abs((drawn == 1).mean(axis=0) - 2 / 3).max() < 4.5 * se


def test_blocks_hold_the_ratio() -> None:
    assignment = design(cw.Blocks(sizes=[3]), strata=[]).assign(families(), order="day")
    frame = assignment.frame.sort_values(["day", "family_id"])
    treated = (frame["arm"] == "crewe").to_numpy().reshape(-1, 3)
    assert (treated.sum(axis=1) == 2).all()


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_labels_are_only_labels(method: cw.design.Method) -> None:
    """Arms called 0 and 1, levels that sort the other way: the same draw."""
    frame = families()
    place = design(method).assign(frame, order="day").frame["arm"].map({"control": 0, "crewe": 1})
    for names in (["0", "1"], ["1", "0"], ["20", "10"]):
        made = design(method, arms={names[0]: 1, names[1]: 2})
        drawn = made.assign(frame, order="day").frame["arm"]
        assert drawn.map({name: k for k, name in enumerate(names)}).equals(place)
    other = frame.assign(
        sex=1 - frame["sex"], site=frame["site"].map({"north": 9, "south": 1, "Cr\u00e9we": 5})
    )
    drawn = design(method).assign(other, order="day").frame["arm"]
    assert drawn.map({"control": 0, "crewe": 1}).equals(place)


def test_factors_that_cannot_be_used_are_refused() -> None:
    frame = families()
    made = design(cw.Minimisation(factors=["site", "sex"]))
    with pytest.raises(cw.InputError, match="factor is missing"):
        made.assign(frame.assign(site=frame["site"].where(frame["day"] > 3)), order="day")
    twice = pd.concat([frame, frame.iloc[:1].assign(sex=1 - frame["sex"].iloc[0])])
    with pytest.raises(cw.DesignError, match="several values of a factor"):
        made.assign(twice, order="day")
    with pytest.raises(cw.DesignError, match="too large numbers"):
        design(cw.BigStick(3), arms={"a": 1000, "b": 1001})
    with pytest.raises(cw.DesignError, match="1/3 to 1"):
        design(cw.BiasedCoin(0.3))


# -- predictability ----------------------------------------------------------------------------


def test_predictability_tells_procedures_apart() -> None:
    arms = {"control": 1, "crewe": 1}
    methods = [
        cw.Simple(),
        cw.Blocks([4]),
        cw.Blocks([4, 6]),
        cw.BigStick(3),
        cw.BiasedCoin(),
        cw.Minimisation(["site", "sex"], p=0.8),
        cw.Complete(),
    ]
    found = cw.predictability(
        [design(method, arms=arms, strata=[]) for method in methods], n=48, sims=2_000
    )
    simple, fixed, varying, stick, coin, minimised, complete = found
    assert simple.guess == pytest.approx(0.5) and simple.certain == 0
    # Blackwell and Hodges (1957): 2 + 8/6 - 1/2 right guesses in a block of four.
    assert abs(fixed.guess - 17 / 24) < 4 * fixed.guess_se
    assert fixed.certain > varying.certain > 0 == coin.certain
    assert simple.guess < stick.guess < coin.guess < varying.guess < fixed.guess
    assert simple.end_mean > stick.end_mean > fixed.end_mean == 0 == complete.end_max
    assert stick.worst_max <= 1.5
    assert minimised.informed > minimised.guess > 0.5
    assert len(found) == 7 and found[1] is fixed
    tidy = found.tidy()
    assert list(tidy.columns) == ["procedure", "term", "estimate", "std_error"]
    assert len(tidy) == 70
    text = repr(found)
    for method in methods:
        assert str(method) in text
    assert "<table" in found._repr_html_()
    assert "equally likely" in text  # the factors' imagined levels are said
    left, right = found.plot()
    assert left.get_yticklabels()[0].get_text() == "simple randomisation"
    guessed = left.get_lines()[-2].get_xdata()
    assert list(guessed) == pytest.approx([100 * one.guess for one in found])
    assert list(right.get_lines()[-1].get_xdata()) == [one.worst_mean for one in found]
    assert "right guesses" in style.alt_of(left)


def test_predictability_of_the_units_themselves() -> None:
    frame = families()
    made = design(METHODS[4])
    found = made.predictability(frame=frame, order="day", sims=500)
    assert found.n == 120 and found.chance == pytest.approx(2 / 3) and not found.notes
    assert found.stratum_mean > 0
    again = made.predictability(frame=frame.iloc[::-1], order="day", sims=500)
    assert again == found
    assert made.predictability(frame=frame, order="day", sims=500, seed=1) != found
    copy = pickle.loads(pickle.dumps(found))
    assert copy == found and copy.tidy().equals(found.tidy())
    assert "Knowing the procedure" in repr(found) and "<caption>" in found._repr_html_()


def test_predictability_says_what_it_assumes_and_refuses_the_rest() -> None:
    made = design(cw.Blocks([3]))
    assert any("one stratum" in note for note in made.predictability(n=12, sims=50).notes)
    two = made.predictability(n=12, strata=2, sims=50)
    assert two.notes == ["2 strata, each equally likely at every arrival"]
    with pytest.raises(cw.DesignError, match="either a number of arrivals"):
        made.predictability()
    with pytest.raises(cw.DesignError, match="order in which they arrived"):
        made.predictability(frame=families())
    with pytest.raises(cw.DesignError, match="not offered"):
        design(cw.Complete(misfits="leave_out")).predictability(n=12)
    with pytest.raises(cw.InputError, match="at least two simulated"):
        made.predictability(n=12, sims=1)
    with pytest.raises(cw.DesignError, match="name every factor"):
        design(METHODS[4]).predictability(n=12, levels={"site": 3})
    with pytest.raises(cw.DesignError, match="same arms and ratio"):
        cw.predictability([made, design(cw.Simple(), arms={"a": 1, "b": 1})], n=12)
    with pytest.raises(cw.DesignError, match="same arms and ratio"):
        cw.predictability([], n=12)


def test_predictability_follows_the_seed() -> None:
    made = design(METHODS[4])
    given = made.predictability(n=30, levels={"site": 3, "sex": 2}, sims=300)
    assert given == made.predictability(n=30, levels={"sex": 2, "site": 3}, sims=300)
    assert given != made.predictability(n=30, levels=2, sims=300)
