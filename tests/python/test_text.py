"""Text where numbers are needed is refused: of one value, of two or of many, as a column or as an array."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import crewe as cw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

N = 24
KINDS: dict[str, Callable[[pd.DataFrame], Any]] = {
    "pandas": lambda frame: frame,
    "categories": lambda frame: frame.astype({"e": "category"}),
    "polars": pl.from_pandas,
    "arrow": pa.Table.from_pandas,
}
TEXTS = {
    "one value": ["no"] * N,
    "one number": ["1"] * N,
    "two values": ["no", "yes"] * (N // 2),
    "numbers as text": [str(row % 5) for row in range(N)],
    "with gaps": [None, *["no"] * (N - 1)],
    "one among numbers": [*["3"] * (N - 1), "n/a"],
}
FRAMES: dict[str, Callable[[Any], Any]] = {
    "ols": lambda d: cw.ols("e ~ arm", d),
    "ols, I()": lambda d: cw.ols("I(e) ~ arm", d),
    "ols, C()": lambda d: cw.ols("C(e) ~ arm", d),
    "ols, product": lambda d: cw.ols("x:e ~ arm", d),
    "logit": lambda d: cw.logit("e ~ arm + x", d),
    "coxph, event": lambda d: cw.coxph("Surv(t, e) ~ x", d),
    "coxph, time": lambda d: cw.coxph("Surv(e, one) ~ x", d),
    "coxph, weights": lambda d: cw.coxph("Surv(t, one) ~ x", d, weights="e"),
    "kaplan_meier, event": lambda d: cw.kaplan_meier("Surv(t, e) ~ arm", d),
    "kaplan_meier, time": lambda d: cw.kaplan_meier("Surv(e, one) ~ arm", d),
    "kaplan_meier, weights": lambda d: cw.kaplan_meier("Surv(t, one) ~ arm", d, weights="e"),
    "logrank, event": lambda d: cw.logrank("Surv(t, e) ~ arm", d),
    "logrank, time": lambda d: cw.logrank("Surv(e, one) ~ arm", d),
    "mann_whitney": lambda d: cw.mann_whitney("e ~ arm", d),
    "permutation_test": lambda d: cw.permutation_test("e ~ arm", d),
    "compare_rates": lambda d: cw.compare_rates("e ~ arm", d),
    "describe": lambda d: cw.describe("e ~ arm", d),
    "crosstab, bins": lambda d: cw.crosstab("e ~ arm", d, bins=[0, 1, 2]),
}
NUMBERS = [float(row) for row in range(1, N + 1)]
HALF = [0, 1] * (N // 2)
ARRAYS: dict[str, Callable[[Any], Any]] = {
    "ols, y": lambda e: cw.ols(e, NUMBERS),
    "ols, X": lambda e: cw.ols(NUMBERS, e),
    "ols, X of two columns": lambda e: cw.ols(NUMBERS, np.column_stack([e, HALF])),
    "logit, y": lambda e: cw.logit(e, NUMBERS),
    "Surv, time": lambda e: cw.Surv(e, HALF),
    "Surv, event": lambda e: cw.Surv(NUMBERS, e),
    "coxph, X": lambda e: cw.coxph(cw.Surv(NUMBERS, HALF), e),
    "coxph, weights": lambda e: cw.coxph(cw.Surv(NUMBERS, HALF), NUMBERS, weights=e),
    "kaplan_meier, weights": lambda e: cw.kaplan_meier(cw.Surv(NUMBERS, HALF), HALF, weights=e),
    "kaplan_meier, times": lambda e: cw.kaplan_meier(cw.Surv(NUMBERS, HALF)).survival_at(e),
    "mann_whitney, y": lambda e: cw.mann_whitney(NUMBERS, e),
    "permutation_test": lambda e: cw.permutation_test(e, NUMBERS),
    "adjust": lambda e: cw.adjust(e),
}


def frame(e: list[Any]) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "e": e,
            "x": rng.normal(size=N),
            "t": np.arange(1.0, N + 1),
            "one": 1,
            "arm": ["a", "b"] * (N // 2),
        }
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("call", FRAMES)
def test_2_12_a_column_of_text_is_refused(call: str, text: str, kind: str) -> None:
    data = KINDS[kind](frame(TEXTS[text]))
    said = "'e' is text, where numbers are needed"
    if call.endswith("time") and text == "with gaps":
        said = "times are missing although the event is known"
    with pytest.raises(cw.InputError, match=said) as caught:
        FRAMES[call](data)
    assert caught.value.column == "e" and caught.value.remedy
    assert set(caught.value.values) <= set(map(str, TEXTS[text]))


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("call", ARRAYS)
def test_2_12_an_array_of_text_is_refused(call: str, text: str) -> None:
    values = TEXTS[text]
    for given in (values, np.array(values, dtype=object), pd.Series(values), pl.Series(values)):
        with pytest.raises(cw.InputError, match="is text, where numbers are needed"):
            ARRAYS[call](given)


def test_2_12_what_is_no_number_at_all_is_refused() -> None:
    for values in (
        pd.date_range("2016-01-01", periods=N),
        pd.to_timedelta(np.arange(N), unit="D"),
        np.arange(N) * 1j,
        [{} for _ in range(N)],
    ):
        with pytest.raises(cw.InputError, match="does not hold numbers"):
            cw.ols(values, NUMBERS)
        with pytest.raises(cw.InputError, match="does not hold numbers"):
            cw.ols(NUMBERS, values)


def test_2_12_numbers_of_every_kind_are_still_read() -> None:
    expected = cw.ols(HALF, NUMBERS).coef.to_list()
    for values in (
        np.array(HALF, dtype=bool),
        np.array(HALF, dtype=object),
        pd.Series(HALF, dtype="Int64"),
        pd.Series(HALF, dtype="category"),
        pl.Series(HALF),
        pa.chunked_array([HALF]),
    ):
        assert cw.ols(values, NUMBERS).coef.to_list() == expected
    gaps = cw.Surv(pd.array([1, None, 3], dtype="Int64"), [True, None, pd.NA])
    assert np.isnan(gaps.time).tolist() == [False, True, False]
    assert np.isnan(gaps.event).tolist() == [False, True, True]


def test_2_12_a_comparison_of_text_is_an_outcome() -> None:
    data = frame(TEXTS["two values"])
    made = data.assign(e=(data["e"] == "yes").astype(float))
    fit = cw.ols("I(e == 'yes') ~ x", data)
    assert fit.coef.to_list() == cw.ols("e ~ x", made).coef.to_list()
