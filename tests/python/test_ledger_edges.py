"""Ledgers at rest, in strange hands and under strange input."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import crewe as cw
import pytest
from crewe.exceptions import LedgerError

needs_rights = pytest.mark.skipif(os.name != "posix", reason="rights as on Unix")


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


def everything(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {f.name: (f.read_bytes(), f.stat().st_mtime_ns) for f in sorted(folder.iterdir())}


def elsewhere(code: str, *arguments: object) -> subprocess.Popen[str]:
    """Start a process of its own: two SQLite libraries in one do not see each other's locks."""
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def as_nobody(folder: Path, work: Callable[[], None]) -> None:
    """Do something as a user who may read, and write nowhere."""
    for parent in [folder, *folder.parents]:
        if parent != Path("/") and os.access(parent, os.W_OK) and parent != Path("/tmp"):
            os.chmod(parent, parent.stat().st_mode | 0o055)
    mode = folder.stat().st_mode
    os.chmod(folder, 0o555)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            if os.geteuid() == 0:
                os.setuid(65534)  # whoever may do everything cannot be kept from writing
            work()
            code = 0
        except BaseException as error:
            print(type(error).__name__, error, file=sys.stderr)
        finally:
            os._exit(code)
    ended = os.waitpid(child, 0)[1]
    os.chmod(folder, mode)
    assert os.waitstatus_to_exitcode(ended) == 0


@needs_rights
@pytest.mark.parametrize("empty", [False, True])
def test_7_7_files_are_private(tmp_path: Path, design: cw.Design, empty: bool) -> None:
    before = os.umask(0o022)
    try:
        if empty:
            (tmp_path / "l").touch(0o644)
        ledger = cw.Ledger.create(tmp_path / "l", design)
        ledger.enrol("F1", ["C1"], approved_by="A")
        modes = {f.name: stat.S_IMODE(f.stat().st_mode) for f in tmp_path.iterdir()}
    finally:
        os.umask(before)
    assert modes == {"l": 0o600, "l-wal": 0o600, "l-shm": 0o600}


def test_7_7_a_file_that_is_no_ledger_keeps_its_rights(tmp_path: Path, design: cw.Design) -> None:
    path = tmp_path / "notes"
    path.write_text("mine")
    mode = path.stat().st_mode
    with pytest.raises(LedgerError):
        cw.Ledger.create(path, design)
    assert path.stat().st_mode == mode and path.read_text() == "mine"


def switch_off(path: Path) -> None:
    other = sqlite3.connect(path)
    assert other.execute("PRAGMA journal_mode=DELETE").fetchone() == ("delete",)
    other.close()


def test_7_7_write_ahead_log_is_restored(tmp_path: Path, design: cw.Design, key: cw.Key) -> None:
    path = tmp_path / "l"
    head = filled(path, design)
    switch_off(path)
    reader = cw.Ledger.open(path, key, head=head, read_only=True)
    assert any("write-ahead log" in note for note in reader.notes)
    ledger = cw.Ledger.open(path, key, head=head)
    assert any("it is on again" in note for note in ledger.notes)
    ledger.enrol("F9", ["C9"], approved_by="A")
    del ledger
    other = sqlite3.connect(path)
    assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    other.close()
    assert not any("write-ahead" in note for note in cw.Ledger.open(path, key).notes)


def test_7_7_or_the_ledger_is_refused(tmp_path: Path, design: cw.Design, key: cw.Key) -> None:
    path = tmp_path / "l"
    head = filled(path, design)
    switch_off(path)
    holds = """
        import sqlite3, sys
        connection = sqlite3.connect(sys.argv[1], isolation_level=None)
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM event").fetchone()
        print("held", flush=True)
        sys.stdin.read()
        """
    with elsewhere(holds, path) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        with pytest.raises(LedgerError, match=r"write-ahead log .* cannot be switched on again"):
            cw.Ledger.open(path, key, head=head)
        holder.communicate("")
    assert cw.Ledger.open(path, key, head=head).verify(head=head).families == 3


def test_7_7_empty_request_is_none(tmp_path: Path, design: cw.Design) -> None:
    ledger = cw.Ledger.create(tmp_path / "l", design)
    for k, request in enumerate(["", " ", "\t", ""]):
        receipt = ledger.enrol(f"F{k}", [f"C{k}"], approved_by="A", request=request)
        assert not receipt.again
        assert not ledger.add_child(f"F{k}", f"D{k}", by="A", request=request).again
    assert ledger.verify().families == 4
    assert ledger.enrol("G", ["E"], approved_by="A", request="r").again is False
    assert ledger.enrol("G", ["E"], approved_by="A", request="r").again is True


def test_7_7_fields_have_limits(tmp_path: Path, key: cw.Key) -> None:
    design = cw.Design(
        "t",
        arms={"a": 1, "b": 1},
        cluster="family_id",
        strata=["s"],
        method=cw.Simple(),
        seed=key,
    )
    ledger = cw.Ledger.create(tmp_path / "l", design)
    name, text = "x" * 1_001, "x" * 10_001
    ledger.enrol("F" * 200, ["C"], "s" * 1_000, approved_by="A" * 1_000, consent="c" * 10_000)
    head = ledger.head()
    enrol, long = ledger.enrol, "Z" * 100_000
    tries: list[Callable[[], object]] = [
        lambda: enrol("G" * 201, ["D"], "s", approved_by="A"),
        lambda: enrol("G", ["D" * 201], "s", approved_by="A"),
        lambda: enrol("G", [f"D{k}" for k in range(10_001)], "s", approved_by="A"),
        lambda: enrol("G", ["D"], name, approved_by="A"),
        lambda: enrol("G", ["D"], "s", approved_by=name),
        lambda: enrol("G", ["D"], "s", approved_by="A", proposed_by=name),
        lambda: enrol("G", ["D"], "s", approved_by="A", consent=text),
        lambda: enrol("G", ["D"], "s", approved_by="A", request="r" * 201),
        lambda: ledger.withdraw("F" * 200, data=False, by="A", reason=text),
        lambda: ledger.withdraw("F" * 200, data=False, by=name, reason="r"),
        lambda: ledger.withdraw(long, data=False, by="A", reason="r"),
        lambda: ledger.exclude(long, by="A", reason="r"),
        lambda: ledger.merge(long, "F" * 200, by="A", reason="r"),
        lambda: ledger.split("F" * 200, long, ["C"], by="A", reason="r"),
        lambda: ledger.override("F" * 200, long, by="A", reason="r"),
        lambda: ledger.add_child("F" * 200, long, by="A"),
        lambda: ledger.capacity(long, full=True, by="A"),
        lambda: ledger.close(by=name, reason="r"),
    ]
    for attempt in tries:
        with pytest.raises(LedgerError, match="at most") as caught:
            attempt()
        assert len(str(caught.value)) < 600 and "nothing was recorded" in str(caught.value)
        assert all(len(value) < 250 for value in caught.value.values)
        assert ledger.head() == head
    with pytest.raises(LedgerError, match="level has 1001 characters"):
        cw.Ledger.create(tmp_path / "m", design, levels={"s": [name]})
    with pytest.raises(cw.CreweError, match="5930127 bytes, and a ledger takes at most 4000000"):
        enrol("G", [f"{k:05}" + "\u5bb6" * 195 for k in range(10_000)], "s", approved_by="A")
    assert ledger.verify(head=head).events == 3


def test_7_7_messages_are_cut(tmp_path: Path, design: cw.Design, key: cw.Key) -> None:
    ledger = cw.Ledger.create(tmp_path / "l", design)
    ledger.enrol("F", ["C"], approved_by="A", request="r")
    long = "Z" * 100_000
    for attempt in [
        lambda: ledger.add_child(long, "D", by="A"),
        lambda: ledger.withdraw("F", child=long, data=False, by="A", reason="r"),
        lambda: ledger.capacity(long, full=True, by="A"),
        lambda: ledger.verify(long),
        lambda: ledger.enrol("G", ["D"], approved_by="A", at=long),
        lambda: ledger.enrol("G", ["D"], long, approved_by="A"),
        lambda: cw.Ledger.create(tmp_path / "m", design, overflow=long),
        lambda: cw.Ledger.create(tmp_path / "m", design, levels={long: ["x"]}),
        lambda: cw.Ledger.open(tmp_path / "l", long),
    ]:
        with pytest.raises(cw.CreweError) as caught:
            attempt()
        assert len(str(caught.value)) < 3_000
        assert all(len(value) < 250 for value in caught.value.values)


@needs_rights
@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.parametrize("mode", [0o444, 0o644])
def test_7_7_reads_where_nothing_can_be_written(
    tmp_path: Path, design: cw.Design, key: cw.Key, mode: int, asked: bool
) -> None:
    folder = tmp_path / "a b?#%\u00e9"
    folder.mkdir()
    path = folder / "l"
    head = filled(path, design)
    os.chmod(path, mode)
    before = everything(folder)

    def look() -> None:
        ledger = cw.Ledger.open(path, key, head=head, read_only=asked)
        assert ledger.verify(head=head).families == 3
        assert any("read only" in note for note in ledger.notes)
        assert len(ledger.frame()) == 3 and not ledger.closed and "t: ledger" in repr(ledger)
        for attempt in (
            lambda: ledger.enrol("F9", ["C9"], approved_by="A"),
            lambda: ledger.close(by="A"),
        ):
            with pytest.raises(LedgerError, match="opened to be read only; nothing was recorded"):
                attempt()
        with pytest.raises(LedgerError, match="key is not the one"):
            cw.Ledger.open(path, cw.new_key(), read_only=asked)

    as_nobody(folder, look)
    assert everything(folder) == before
    shutil.rmtree(folder)


def test_7_7_read_only_leaves_no_trace(tmp_path: Path, design: cw.Design, key: cw.Key) -> None:
    path = tmp_path / "l"
    head = filled(path, design)
    before = everything(tmp_path)
    ledger = cw.Ledger.open(path, key, head=head, read_only=True)
    assert ledger.verify(head).events == 7 and len(ledger.frame()) == 3
    assert everything(tmp_path) == before
    # The changed bytes of somebody else are found, as ever.
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"A. Officer", b"B. Officer"))
    with pytest.raises(LedgerError):
        ledger.verify()
    path.write_bytes(whole)
    # A writer comes and goes: the reader sees what it left, and does not stand in its way.
    with cw_writer(path, key) as writer:
        assert writer.stdout is not None
        head = writer.stdout.readline().strip()
        assert ledger.verify(head).families == 4
        writer.communicate("")
    assert ledger.verify(head).families == 4
    assert [file.name for file in tmp_path.iterdir()] == ["l"]
    # Another file in its place is not taken for it.
    os.replace(shutil.copy(path, tmp_path / "other"), path)
    with pytest.raises(LedgerError, match="moved, removed or replaced"):
        ledger.verify()


WRITER = """
    import sys, crewe as cw
    ledger = cw.Ledger.open(sys.argv[1], sys.argv[2])
    print(ledger.enrol("W", ["V"], approved_by="A").head, flush=True)
    sys.stdin.read()
    """


def cw_writer(path: Path, key: cw.Key) -> subprocess.Popen[str]:
    return elsewhere(WRITER, path, key.reveal())


@needs_rights
def test_7_7_a_reader_beside_a_writer(tmp_path: Path, design: cw.Design, key: cw.Key) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    path = folder / "l"
    filled(path, design)
    os.chmod(path, 0o644)
    with cw_writer(path, key) as writer:
        assert writer.stdout is not None
        head = writer.stdout.readline().strip()
        for file in folder.iterdir():
            os.chmod(file, 0o644)
        assert (folder / "l-wal").stat().st_size > 0

        def look() -> None:
            ledger = cw.Ledger.open(path, key, head=head)
            assert ledger.verify(head=head).families == 4
            with pytest.raises(LedgerError, match="read only"):
                ledger.enrol("F9", ["C9"], approved_by="A")

        as_nobody(folder, look)
        writer.communicate("")
    assert cw.Ledger.open(path, key, head=head).verify(head).families == 4


@needs_rights
def test_7_7_events_in_a_log_are_never_passed_over(
    tmp_path: Path, design: cw.Design, key: cw.Key
) -> None:
    path = tmp_path / "l"
    filled(path, design)
    copy = tmp_path / "copy"
    copy.mkdir()
    with cw_writer(path, key) as writer:
        assert writer.stdout is not None and writer.stdout.readline()
        for end in ("", "-wal"):
            shutil.copy(f"{path}{end}", copy / f"l{end}")
            os.chmod(copy / f"l{end}", 0o644)
        writer.communicate("")
    before = everything(copy)

    def look() -> None:
        for read_only in (False, True):
            with pytest.raises(LedgerError, match=r"latest events .* are in the log beside it"):
                cw.Ledger.open(copy / "l", key, read_only=read_only)

    as_nobody(copy, look)
    assert everything(copy) == before
    # Who may write there reads them.
    assert cw.Ledger.open(copy / "l", key).verify().families == 4
