"""Procedures and their options: checked where they are made, by the core, in crewe's own words."""

from __future__ import annotations

import decimal
import json
import math
import pickle
from dataclasses import fields
from fractions import Fraction
from typing import Any

import crewe as cw
import numpy as np
import pytest
from crewe.design.methods import METHODS, from_table
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

EXAMPLES = [
    cw.Complete(),
    cw.Complete(misfits="weighted_strata"),
    cw.Simple(),
    cw.Blocks(sizes=[3, 6]),
    cw.MatchedSets(on="pair"),
    cw.MatchedSets(match=["age", "need"]),
    cw.BigStick(3),
    cw.BiasedCoin(0.8),
    cw.Minimisation(["site", "age"]),
    cw.Minimisation({"site": 2, "age": 1}, p=Fraction(9, 10), imbalance="variance"),
    cw.Constrained(["need"], keep=0.25),
    cw.Rerandomised(["need"], accept=0.001),
]
"""Every procedure, made with what it needs."""

WRONG = [
    (lambda: cw.Complete(misfits="weighted"), "misfits of complete", "weighted_strata or weighted"),
    (lambda: cw.Complete(misfits=1), "misfits of complete", "strata, leave_out, global"),
    (lambda: cw.Complete(misfits=None), "misfits", "strata, leave_out, global"),
    (lambda: cw.Complete(misfits=float("nan")), "misfits of complete", "strata, leave_out"),
    (lambda: cw.Complete(misfits=["strata"]), "misfits of complete", "strata, leave_out"),
    (lambda: cw.Blocks(sizes="four"), "sizes of blocks", "a whole number"),
    (lambda: cw.Blocks(sizes=[4, 2.5]), "sizes of blocks", "a whole number"),
    (lambda: cw.Blocks(sizes=[4, float("nan")]), "sizes of blocks", "a whole number"),
    (lambda: cw.Blocks(sizes=[4, None]), "sizes of blocks", "a whole number"),
    (lambda: cw.Blocks(sizes=[4, True]), "sizes of blocks", "a whole number"),
    (lambda: cw.Blocks(sizes=[4, -4]), "sizes of blocks", "a whole number"),
    (lambda: cw.Blocks(sizes=[0]), "at least 1", "Give one size"),
    (lambda: cw.Blocks(sizes=[]), "at least 1", "Give one size"),
    (lambda: cw.Blocks(sizes=[4, 4]), "named twice", "once"),
    (lambda: cw.Blocks(sizes=10**6), "larger than 65,536", "smaller"),
    (lambda: cw.Blocks(sizes=10**400), "sizes of blocks", "a whole number"),
    (lambda: cw.Blocks(sizes={4: 6}), "sizes of blocks", "a whole number"),
    (lambda: cw.BigStick(limit=0), "limit of at least 1", "limit of 3"),
    (lambda: cw.BigStick(limit=3.0), "limit of big_stick", "a whole number"),
    (lambda: cw.BigStick(limit="3"), "limit of big_stick", "a whole number"),
    (lambda: cw.BigStick(limit=np.inf), "limit of big_stick", "a whole number"),
    (lambda: cw.BigStick(limit=None), "limit of big_stick", "a whole number"),
    (lambda: cw.BigStick(limit=object()), "cannot be this", "numbers, text"),
    (lambda: cw.BigStick(limit=2**64), "limit of big_stick", "a whole number"),
    (lambda: cw.BiasedCoin(p=float("nan")), "p of biased_coin", "0.8 or 2/3"),
    (lambda: cw.BiasedCoin(p=float("inf")), "p of biased_coin", "0.8 or 2/3"),
    (lambda: cw.BiasedCoin(p=decimal.Decimal("NaN")), "p of biased_coin", "0.8 or 2/3"),
    (lambda: cw.BiasedCoin(p=-0.5), "p of biased_coin", "0.8 or 2/3"),
    (lambda: cw.BiasedCoin(p="four fifths"), "p of biased_coin", "0.8 or 2/3"),
    (lambda: cw.BiasedCoin(p=True), "p of biased_coin", "0.8 or 2/3"),
    (lambda: cw.BiasedCoin(p=[4, 5, 6]), "p of biased_coin", "0.8 or 2/3"),
    (lambda: cw.BiasedCoin(p=1.5), "out of range", "0 to 1"),
    (lambda: cw.BiasedCoin(p=0), "out of range", "above 0"),
    (lambda: cw.BiasedCoin(p=2 / 3), "more digits than", "12 digits or as a fraction"),
    (lambda: cw.Minimisation(factors=[]), "needs factors", "at least one column"),
    (lambda: cw.Minimisation(factors=["a", "a"]), "named twice", "once"),
    (lambda: cw.Minimisation(factors=[1]), "factors of minimisation", "name of a column"),
    (lambda: cw.Minimisation(factors={"a": 0}), "weight is out of range", "from 1"),
    (lambda: cw.Minimisation(factors={"a": 1.5}), "factors of minimisation", "a whole number"),
    (lambda: cw.Minimisation(["a"], imbalance="spread"), "imbalance of", "range or variance"),
    (lambda: cw.Minimisation(["a"], p=float("nan")), "p of minimisation", "0.8 or 2/3"),
    (lambda: cw.Constrained(on=["a"], draws=0), "needs covariates, draws", "50,000"),
    (lambda: cw.Constrained(on=["a"], draws=1e4), "draws of constrained", "a whole number"),
    (lambda: cw.Constrained(on=["a"], keep=0), "needs covariates, draws", "a tenth"),
    (lambda: cw.Constrained(on=["a"], keep=float("nan")), "keep of constrained", "0.8 or 2/3"),
    (lambda: cw.Constrained(on={"a": -1}), "on of constrained", "a whole number"),
    (lambda: cw.Constrained(on=[""]), "has no name", "once"),
    (lambda: cw.Rerandomised(on=[]), "needs covariates", "Name the covariates"),
    (lambda: cw.Rerandomised(on={"a": 1}), "on of rerandomised", "text"),
    (lambda: cw.Rerandomised(on="a", accept=2), "out of range", "0 to 1"),
    (lambda: cw.Rerandomised(on=["\ud800"]), "no Unicode", "Rename"),
    (lambda: cw.MatchedSets(), "matched_sets", "either on .* or match"),
    (lambda: cw.MatchedSets(on="a", match=["b"]), "matched_sets", "either on .* or match"),
    (lambda: cw.MatchedSets(on=3), "on of matched_sets", "text"),
    (lambda: cw.MatchedSets(match=[]), "needs covariates", "at least one column"),
    (lambda: from_table({"name": "urn"}), "no procedure", "simple, complete, blocks"),
    (lambda: from_table({"sizes": [3]}), "has a name", "complete"),
    (lambda: from_table("complete"), "no procedure", "complete"),
    (lambda: from_table({"name": "blocks", "size": [3]}), "no such option", "sizes"),
    (lambda: from_table({"name": "simple", "p": 0.5}), "no such option", "none"),
    (lambda: from_table({"name": "minimisation", "p": 0.8}), "lacks its option", "factors"),
]


@pytest.mark.parametrize(("make", "problem", "remedy"), WRONG)
def test_4_5_options_are_checked_where_they_are_made_in_our_words(
    make: Any, problem: str, remedy: str
) -> None:
    with pytest.raises(cw.DesignError, match=f"{problem}.*{remedy}") as caught:
        make()
    for word in ("variant", "serde", "expected", "line 1", "invalid type", "u32"):
        assert word not in str(caught.value)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=4,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(EXAMPLES), st.data())
def test_4_5_whatever_an_option_is_it_is_taken_or_refused_as_one(
    example: Any, data: st.DataObject
) -> None:
    options = {option.name: getattr(example, option.name) for option in fields(example)}
    if not options:
        return
    options[data.draw(st.sampled_from(sorted(options)))] = data.draw(JUNK)
    try:
        made = type(example)(**options)
    except cw.DesignError as error:
        assert error.problem and error.remedy
        return
    assert from_table({"name": made.name, **made.options()}) == made


@pytest.mark.parametrize("method", EXAMPLES, ids=str)
def test_every_procedure_survives_json_pickles_and_tables(method: Any) -> None:
    assert pickle.loads(pickle.dumps(method)) == method
    assert from_table(json.loads(method.json())) == method
    assert from_table({"name": method.name, **method.options()}) == method
    assert json.loads(method.json())["name"] == method.name == type(method).name
    assert METHODS[method.name] is type(method)
    assert getattr(cw, type(method).__name__) is type(method)
    assert type(method).__name__ in cw.__all__


def test_every_procedure_is_among_the_examples() -> None:
    assert {type(method) for method in EXAMPLES} == set(METHODS.values())


def test_options_are_kept_as_they_are_declared() -> None:
    assert cw.Blocks(4).sizes == (4,) and cw.Blocks(np.array([4, 6])).sizes == (4, 6)
    assert cw.Blocks(range(2, 7, 2)).sizes == (2, 4, 6)
    coins = [0.8, "0.8", Fraction(4, 5), decimal.Decimal("0.80"), np.float64(0.8), [4, 5], "4/5"]
    assert {cw.BiasedCoin(p).p for p in coins} == {Fraction(4, 5)}
    assert cw.BiasedCoin(np.float32(0.8)).p == Fraction(4, 5) and cw.BiasedCoin(1).p == 1
    assert cw.BiasedCoin().p == Fraction(2, 3)
    assert cw.Minimisation("site").factors == {"site": 1}
    assert cw.Minimisation({"site": np.int64(2)}).factors == {"site": 2}
    assert cw.Rerandomised("need").on == ("need",) and cw.MatchedSets(match="need").match == (
        "need",
    )
    assert math.isclose(cw.Constrained(["need"]).keep, 0.1)


@pytest.mark.parametrize(
    ("method", "text"),
    [
        (cw.Complete(), "complete randomisation"),
        (
            cw.Complete(misfits="weighted_global"),
            "complete randomisation (misfits: weighted global)",
        ),
        (cw.Simple(), "simple randomisation"),
        (cw.Blocks([3, 6]), "permuted blocks of 3 or 6"),
        (cw.MatchedSets(on="pair"), "randomisation within the sets of pair"),
        (cw.MatchedSets(match=["a", "b"]), "randomisation within pairs matched on a, b"),
        (cw.BigStick(3), "the big stick with a limit of 3"),
        (cw.BiasedCoin(), "a biased coin with p = 0.6667"),
        (cw.Minimisation(["a", "b"]), "minimisation over a, b with p = 0.8 (range)"),
        (cw.Constrained(["a"]), "covariate-constrained randomisation on a, keeping 0.1"),
        (cw.Rerandomised(["a", "b"]), "rerandomisation on a, b, accepting 0.01"),
    ],
)
def test_a_procedure_is_told_in_one_line(method: Any, text: str) -> None:
    assert str(method) == text


@given(st.integers(1, 2**40), st.integers(1, 2**40))
def test_fractions_are_shown_as_python_shows_them(upper: int, lower: int) -> None:
    p = Fraction(min(upper, lower), max(upper, lower))
    assert str(cw.BiasedCoin(p)) == f"a biased coin with p = {float(p):.4g}"
