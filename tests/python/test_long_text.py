"""Registers of many rows are read by Arrow and by the core: the same trial as when Python reads every identifier."""

from __future__ import annotations

import unicodedata

import crewe as cw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from crewe.frames import long_text
from crewe.frames.source import Source

N = 12_000
FRAMES = {
    "pandas": pd.DataFrame,
    "object": lambda d: pd.DataFrame(d).astype(object),
    "polars": pl.DataFrame,
    "arrow": pa.table,
    "chunked": lambda d: pa.concat_tables([pa.table(d).slice(0, 77), pa.table(d).slice(77)]),
}
REGISTERS = {
    "one case": [f"F{i:x}".upper() for i in range(N // 2)],
    "both cases": [f"Family{i}" for i in range(N // 2)],
    "blanks within": [f"F {i}" for i in range(N // 2)],
    "accents": [f"Ren\u00e9e {i}" for i in range(N // 2)],
    "written in two ways": [
        unicodedata.normalize("NFC" if i % 2 else "NFD", f"Ren\u00e9e {i // 2}")
        for i in range(N // 2)
    ],
    "look alike": ["f1", "F1", *(f"Family{i}" for i in range(2, N // 2))],
    "none": ["", *(f"F{i}" for i in range(1, N // 2))],
}


def register(name: str, kind: str):
    ids = [id for id in REGISTERS[name] for _ in range(2)]
    return FRAMES[kind]({"id": [ids[i] for i in np.random.default_rng(4).permutation(N)]})


def answer(frame, **more):
    design = cw.Design("t", arms={"a": 1, "b": 2}, seed=5, **({"cluster": "id"} | more))
    try:
        drawn = design.assign(frame)
    except cw.CreweError as error:
        return str(error)
    return drawn.clusters, drawn.notes, drawn.commitment, len(drawn)


@pytest.mark.parametrize("kind", FRAMES)
@pytest.mark.parametrize("name", REGISTERS)
def test_the_same_trial_whoever_reads_the_identifiers(name, kind, monkeypatch):
    frame = register(name, kind)
    here = answer(frame)
    monkeypatch.setattr(long_text, "_LONG", 10**9)
    assert answer(frame) == here
    if name == "look alike":
        assert "look alike" in here[1][0]


def test_what_stands_as_it_is_goes_to_the_core_as_it_is():
    plain = {name: Source(register(name, "polars")).plain_ids("id") for name in REGISTERS}
    assert {name for name, found in plain.items() if found is not None} == {
        "one case",
        "both cases",
        "look alike",
    }
    assert plain["one case"].one_case and not plain["both cases"].one_case


@pytest.mark.parametrize("bad", ["F1 ", "F\u200b1", None, "F\x001"])
@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_a_long_register_is_refused_for_one_bad_identifier(bad, kind, monkeypatch):
    frame = FRAMES[kind]({"id": [bad, *(f"F{i}" for i in range(N))]})
    here = answer(frame)
    assert isinstance(here, str)
    monkeypatch.setattr(long_text, "_LONG", 10**9)
    assert answer(frame) == here


def test_individuals_that_come_twice_are_named(monkeypatch):
    frame = register("one case", "pandas")
    here = answer(frame, cluster=None, unit="id")
    assert "more than one row" in here
    monkeypatch.setattr(long_text, "_LONG", 10**9)
    assert answer(frame, cluster=None, unit="id") == here


@pytest.mark.parametrize("kind", FRAMES)
def test_two_threads_read_what_one_reads(kind, monkeypatch):
    group = np.random.default_rng(6).choice(["b", "a", "\u00e9", "c"], N)
    d = FRAMES[kind]({"y": np.arange(N) % 7, "group": group.tolist()})
    one = cw.ols("y ~ group", d)
    monkeypatch.setattr(long_text, "_HALVED", 10)
    two = cw.ols("y ~ group", d)
    assert two.terms == one.terms == ["Intercept", *(f"group[T.{g}]" for g in "bc\u00e9")]
    assert np.array_equal(two.coef, one.coef)
    assert answer(register("one case", kind)) == answer(register("one case", "pandas"))
