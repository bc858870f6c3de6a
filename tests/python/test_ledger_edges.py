"""Ledgers at rest, in strange hands and under strange input; signals while work is done."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import stat
import sys
import time
from pathlib import Path

import crewe as cw
import numpy as np
import pandas as pd
import pytest
from crewe.exceptions import LedgerError

needs_rights = pytest.mark.skipif(os.name != "posix", reason="rights and signals as on Unix")


@pytest.fixture
def key() -> cw.Key:
    return cw.new_key()


@pytest.fixture
def design(key: cw.Key) -> cw.Design:
    return cw.Design("t", arms={"a": 1, "b": 1}, cluster="family_id", method=cw.Simple(), seed=key)


def filled(path: Path, design: cw.Design, n: int = 3) -> str:
    ledger = cw.Ledger.create(path, design)
    for k in range(n):
        head = ledger.enrol(f"F{k}", [f"C{k}"], approved_by="A. Officer").head
    return head


@needs_rights
def test_7_7_files_are_private(tmp_path: Path, design: cw.Design) -> None:
    before = os.umask(0o022)
    try:
        ledger = cw.Ledger.create(tmp_path / "l", design)
        ledger.enrol("F1", ["C1"], approved_by="A")
        modes = {f.name: stat.S_IMODE(f.stat().st_mode) for f in tmp_path.iterdir()}
    finally:
        os.umask(before)
    assert modes == {"l": 0o600, "l-wal": 0o600, "l-shm": 0o600}


def test_7_7_write_ahead_log_is_restored(tmp_path: Path, design: cw.Design, key: cw.Key) -> None:
    path = tmp_path / "l"
    head = filled(path, design)
    other = sqlite3.connect(path)
    assert other.execute("PRAGMA journal_mode=DELETE").fetchone() == ("delete",)
    other.close()
    ledger = cw.Ledger.open(path, key, head=head)
    assert any("write-ahead log" in note for note in ledger.notes)
    ledger.enrol("F9", ["C9"], approved_by="A")
    other = sqlite3.connect(path)
    assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    other.close()


def test_7_7_empty_request_is_none(tmp_path: Path, design: cw.Design) -> None:
    ledger = cw.Ledger.create(tmp_path / "l", design)
    for k, request in enumerate(["", " ", ""]):
        receipt = ledger.enrol(f"F{k}", [f"C{k}"], approved_by="A", request=request)
        assert not receipt.again
    assert ledger.verify().families == 3


def test_7_7_fields_have_limits(tmp_path: Path, design: cw.Design) -> None:
    ledger = cw.Ledger.create(tmp_path / "l", design)
    ledger.enrol("F" * 200, ["C"], approved_by="A" * 10_000)
    head = ledger.head()
    enrol, long = ledger.enrol, "x" * 10_001
    tries = [
        lambda: enrol("G" * 201, ["D"], approved_by="A"),
        lambda: enrol("G", ["D" * 201], approved_by="A"),
        lambda: enrol("G", ["D"], approved_by=long),
        lambda: enrol("G", ["D"], approved_by="A", consent=long),
        lambda: enrol("G", ["D"], approved_by="A", request=long),
        lambda: ledger.withdraw("F" * 200, by="A", reason=long),
        lambda: ledger.withdraw("Z" * 100_000, by="A", reason="r"),
        lambda: ledger.add_child("F" * 200, "Z" * 100_000, by="A"),
        lambda: ledger.capacity("Z" * 100_000, full=True, by="A"),
        lambda: ledger.close(by=long, reason="r"),
    ]
    for attempt in tries:
        with pytest.raises(LedgerError, match="at most") as caught:
            attempt()
        assert len(str(caught.value)) < 500
        assert ledger.head() == head


@needs_rights
def test_7_7_reads_where_nothing_can_be_written(
    tmp_path: Path, design: cw.Design, key: cw.Key
) -> None:
    folder = tmp_path / "a b?#%"
    folder.mkdir()
    path = folder / "l"
    head = filled(path, design)
    (before,) = [f.read_bytes() for f in folder.iterdir()]
    os.chmod(path, 0o444)
    os.chmod(folder, 0o555)
    for parent in [tmp_path, *list(tmp_path.parents)[:3]]:
        if parent != Path("/tmp") and os.geteuid() == 0:
            os.chmod(parent, parent.stat().st_mode | 0o055)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            if os.geteuid() == 0:
                os.setuid(65534)  # whoever may do everything cannot be kept from writing
            ledger = cw.Ledger.open(path, key, head=head)
            assert ledger.verify(head=head).families == 3
            assert any("read only" in note for note in ledger.notes)
            try:
                ledger.enrol("F9", ["C9"], approved_by="A")
            except LedgerError:
                code = 0
        except BaseException as error:
            print(error, file=sys.stderr)
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    os.chmod(folder, 0o755)
    assert [f.read_bytes() for f in folder.iterdir()] == [before]
    shutil.rmtree(folder)


class Alarm(Exception):
    pass


@needs_rights
@pytest.mark.parametrize("method", ["rerandomised", "constrained", "predictability"])
def test_7_8_signals_arrive_soon_and_as_they_are(method: str) -> None:
    n = 400
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"id": np.arange(n), **{f"x{k}": rng.normal(size=n) for k in range(4)}})
    on = [f"x{k}" for k in range(4)]
    if method == "rerandomised":
        how = cw.Rerandomised(on=on, accept=0.001)
    elif method == "constrained":
        how = cw.Constrained(on=on, draws=200_000)
    else:
        how = cw.Simple()
    design = cw.Design("t", arms={"a": 1, "b": 2}, individual="id", method=how, seed=1)
    went: list[float] = []

    def handler(*_: object) -> None:
        went.append(time.perf_counter())
        raise Alarm

    old = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        with pytest.raises(Alarm):
            if method == "predictability":
                design.predictability(n=20_000, sims=1_000_000)
            else:
                design.assign(frame)
        # A tenth of a second on a machine at rest.
        assert time.perf_counter() - went[0] < 0.5
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
