"""Pseudonyms: the same in one study, never over studies, and no key in sight."""

from __future__ import annotations

import base64
import hashlib
import pickle
import stat
import traceback
from pathlib import Path
from typing import Any

import crewe as cw
import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

HEX = "5a" * 32
STUDY = "Project Crewe"
KEY = cw.disclosure.StudyKey(STUDY, cw.Key.from_hex(HEX))
FRAME = {"family_id": [7, 8, 7, 9], "child_id": ["A", "B", "C", "D"], "closed": [1, 0, 1, 1]}


def by_hand(key: bytes, study: str, one: str) -> str:
    """RFC 2104 with the two pads, apart from the package and from Python's hmac."""
    padded = key.ljust(64, b"\0")
    named = study.encode()
    message = b"crewe pseudonym 1\0" + len(named).to_bytes(8, "big") + named + one.encode()
    inner = hashlib.sha256(bytes(b ^ 0x36 for b in padded) + message).digest()
    outer = hashlib.sha256(bytes(b ^ 0x5C for b in padded) + inner).digest()
    return base64.b32encode(outer[:16]).decode().rstrip("=").lower()


def test_a_pseudonym_is_the_code_of_the_rfc() -> None:
    assert KEY.pseudonym("7") == by_hand(bytes.fromhex(HEX), STUDY, "7")
    accented = "Zoe\u0308"
    assert KEY.pseudonym(accented) == by_hand(bytes.fromhex(HEX), STUDY, "Zo\u00eb")


@pytest.mark.parametrize(
    "make", [pd.DataFrame, pl.DataFrame, pa.table, lambda d: pl.DataFrame(d).lazy(), None]
)
def test_every_kind_of_frame_comes_back_as_it_came(make: Any) -> None:
    frame = duckdb.from_arrow(pa.table(FRAME)) if make is None else make(FRAME)
    made = cw.disclosure.pseudonymise(frame, ["family_id", "child_id"], key=KEY, study=STUDY)
    assert type(made) is type(frame)
    read = made.collect() if isinstance(made, pl.LazyFrame) else made
    read = read.arrow() if make is None else read
    read = read.read_all() if isinstance(read, pa.RecordBatchReader) else read
    got = {name: list(pl.DataFrame(read)[name]) for name in FRAME}
    assert got["closed"] == FRAME["closed"]
    expected = [by_hand(bytes.fromhex(HEX), STUDY, str(one)) for one in FRAME["family_id"]]
    assert got["family_id"] == expected
    assert len(set(got["child_id"])) == 4


def test_files_of_one_study_join_and_those_of_two_do_not() -> None:
    other = pd.DataFrame({"id": ["9", "7"], "visits": [3, 4]})
    one = cw.disclosure.pseudonymise(
        pd.DataFrame(FRAME), ["family_id"], key=KEY, study=STUDY
    ).merge(
        cw.disclosure.pseudonymise(other, ["id"], key=KEY, study=STUDY),
        left_on="family_id",
        right_on="id",
    )
    assert sorted(one["visits"]) == [3, 4, 4]
    elsewhere = cw.disclosure.StudyKey("Another", cw.Key.from_hex(HEX))
    assert elsewhere.pseudonym("7") != KEY.pseudonym("7")
    assert elsewhere.fingerprint != KEY.fingerprint


def test_a_key_goes_to_a_file_of_its_owner_and_back(tmp_path: Path) -> None:
    path = KEY.write(tmp_path / "crewe.key")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = cw.disclosure.StudyKey.read(path, study=STUDY)
    assert again.pseudonym("F1") == KEY.pseudonym("F1")
    with pytest.raises(cw.InputError, match="is there already"):
        KEY.write(path)
    with pytest.raises(cw.InputError, match="another study"):
        cw.disclosure.StudyKey.read(path, study="Another")


@pytest.mark.parametrize(
    ("old", "new"), [("Project", "Other"), ("5a5a", "5b5a"), ("key =", "kee ="), ("=", "")]
)
def test_a_file_that_was_changed_is_refused_without_a_word_of_it(
    tmp_path: Path, old: str, new: str
) -> None:
    path = KEY.write(tmp_path / "crewe.key")
    path.write_text(path.read_text().replace(old, new, 1))
    try:
        cw.disclosure.StudyKey.read(path, study=STUDY)
    except cw.InputError as error:
        told = traceback.TracebackException.from_exception(error, capture_locals=True)
        assert "5a5a5a" not in "".join(told.format())
        assert "was changed" in str(error)
    else:
        raise AssertionError("a changed file was read")


def test_nothing_shows_or_keeps_the_key() -> None:
    assert "5a5a" not in repr(KEY)
    with pytest.raises(cw.InputError, match="cannot be pickled"):
        pickle.dumps(KEY)
    try:
        cw.disclosure.pseudonymise({"a": [1.5]}, ["a"], key=KEY, study=STUDY)
    except cw.InputError as error:
        told = traceback.TracebackException.from_exception(error, capture_locals=True)
        assert "5a5a5a" not in "".join(told.format())
    with pytest.raises(cw.InputError) as caught:
        cw.disclosure.StudyKey(STUDY, HEX)  # type: ignore[arg-type]
    told = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert "5a5a5a" not in "".join(line for line in told.format() if "test_disclosure" not in line)


@pytest.mark.parametrize(
    ("frame", "ids", "options", "words"),
    [
        (FRAME, ["family_id"], {"study": STUDY}, "there is none"),
        (FRAME, ["family_id"], {"key": KEY, "study": "Another"}, "another study"),
        (FRAME, ["family_id"], {"key": KEY, "study": ""}, "has no name"),
        (FRAME, [], {"key": KEY, "study": STUDY}, "no column"),
        (FRAME, ["famly_id"], {"key": KEY, "study": STUDY}, "family_id"),
        ({"a": ["x", None]}, ["a"], {"key": KEY, "study": STUDY}, "missing in 1 of 2"),
        ({"a": [1.5, 2]}, ["a"], {"key": KEY, "study": STUDY}, "decimal"),
        (3, ["a"], {"key": KEY, "study": STUDY}, "not a data frame"),
        (FRAME, ["family_id"], {"key": "5a", "study": STUDY}, "StudyKey"),
    ],
)
def test_what_is_wrong_is_refused(frame: Any, ids: Any, options: Any, words: str) -> None:
    frame = pd.DataFrame(frame) if isinstance(frame, dict) else frame
    with pytest.raises(cw.InputError, match=words):
        cw.disclosure.pseudonymise(frame, ids, **options)


def test_two_identifiers_never_become_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        cw.disclosure.StudyKey, "_pseudonyms", lambda self, ids: ["same" for _ in ids]
    )
    with pytest.raises(cw.InputError, match="same pseudonym"):
        cw.disclosure.pseudonymise(pd.DataFrame(FRAME), ["family_id"], key=KEY, study=STUDY)
