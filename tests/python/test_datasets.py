"""The real trials: what was published about them, on every backend, and untouched files."""

from __future__ import annotations

import doctest
import gzip
import hashlib
import re
from importlib import resources

import crewe as cw
import narwhals as nw
import pytest
from crewe.datasets import _real

BACKENDS = ["pandas", "polars", "pyarrow"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_achievement_awards_is_the_published_trial(backend):
    frame = nw.from_native(cw.datasets.achievement_awards(backend), eager_only=True)
    assert frame.implementation.value == backend
    assert frame.shape == (16_526, 21)
    rows = dict(frame.group_by("year").agg(nw.len().alias("n")).iter_rows())
    assert rows == {1999: 4338, 2000: 4039, 2001: 3821, 2002: 4328}
    schools = frame.select("school_id", "pair", "treated").unique()
    assert len(schools) == 39
    sizes = schools.group_by("pair").agg(nw.len().alias("n"))
    assert sorted(sizes["n"].to_list()) == [2] * 18 + [3]
    assert sizes.filter(nw.col("n") == 3)["pair"].to_list() == [7]
    year = frame.filter(nw.col("year") == 2001)
    assert year["school_id"].n_unique() == 39
    passed = dict(year.group_by("treated").agg(nw.col("Bagrut_status").sum()).iter_rows())
    assert passed == {0: 410, 1: 517}
    girls = frame["girl"].to_list()
    assert girls == [int(sex == "Girl") for sex in frame["sex"].to_list()]
    assert frame["student_id"].n_unique() == len(frame)
    missing = [name for name in frame.columns if _missing(frame[name])]
    assert missing == ["qrtl", "half"]
    assert {_missing(frame[name]) for name in missing} == {4338}


@pytest.mark.parametrize("backend", BACKENDS)
def test_rossi_is_the_published_trial(backend):
    frame = nw.from_native(cw.datasets.rossi(backend), eager_only=True)
    assert frame.shape == (432, 10)
    arrests = dict(frame.group_by("fin").agg(nw.col("arrest").sum()).iter_rows())
    assert arrests == {"no": 66, "yes": 48}
    assert frame["fin"].to_list().count("yes") == 216
    assert frame["week"].max() == 52 and frame["week"].sum() == 19_809
    assert not any(_missing(frame[name]) for name in frame.columns)


@pytest.mark.parametrize("name", ["achievement_awards", "rossi"])
def test_backends_hold_the_same_values(name):
    load = getattr(cw.datasets, name)
    frames = [nw.from_native(load(backend), eager_only=True) for backend in BACKENDS]
    for column in frames[0].columns:
        first, *others = [
            [None if value != value else value for value in frame[column].to_list()]
            for frame in frames
        ]
        assert all(first == other for other in others), column
        kinds = {type(value) for value in first if value is not None}
        assert len(kinds) == 1, column


@pytest.mark.parametrize("name", ["achievement_awards", "rossi"])
def test_files_are_those_of_the_provenance(name):
    folder = resources.files("crewe.datasets").joinpath("data")
    packed = folder.joinpath(f"{name}.csv.gz").read_bytes()
    assert packed[4:8] == b"\0\0\0\0"  # no time stamp
    told = re.search(r"\b[0-9a-f]{64}\b", folder.joinpath(f"{name}.txt").read_text())
    assert told is not None
    assert hashlib.sha256(gzip.decompress(packed)).hexdigest() == told.group()


def test_unknown_backend_is_refused():
    with pytest.raises(cw.InputError, match=r"no backend 'spark'.*pandas, polars, pyarrow"):
        cw.datasets.rossi("spark")


def test_examples_in_the_documentation():
    outcome = doctest.testmod(_real)
    assert outcome.attempted >= 7 and outcome.failed == 0


def _missing(series: nw.Series) -> int:
    return sum(value is None or value != value for value in series.to_list())
