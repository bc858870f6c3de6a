"""The register of a rolling trial, as Python users meet it."""

from __future__ import annotations

import _thread
import copy
import multiprocessing
import os
import pickle
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import crewe as cw
import numpy as np
import pandas as pd
import polars as pl
import pytest

KEY = cw.Key(bytes([7]) * 32)
START = datetime(2017, 3, 1, 9, tzinfo=timezone.utc)


def design(**changes: Any) -> cw.Design:
    settings: dict[str, Any] = {
        "arms": {"control": 1, "crewe": 2},
        "cluster": "family_id",
        "strata": ["history"],
        "method": cw.Blocks(sizes=[3, 6]),
        "seed": KEY,
    }
    return cw.Design("Project Crewe", **(settings | changes))


def minute(k: int) -> datetime:
    return START + timedelta(minutes=k)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "trial.ledger"


@pytest.fixture
def ledger(path: Path) -> cw.Ledger:
    made = cw.Ledger.create(path, design(), at=START)
    for k in range(1, 31):
        made.enrol(
            k,
            [f"{k}a", f"{k}b"],
            {"history": k % 3 == 0},
            approved_by="A. Officer",
            at=minute(k),
        )
    return made


def test_it_draws_what_the_list_would_draw(ledger: cw.Ledger) -> None:
    frame = ledger.frame()
    families = frame.drop_duplicates("family_id")[["family_id", "history", "sequence"]]
    families = families.rename(columns={"sequence": "came"})
    drawn = design().assign(families, order="came").frame.set_index("family_id")["arm"]
    assert (frame["family_id"].map(drawn) == frame["arm"]).all()
    assert len(frame) == 60 and set(frame["history"]) == {"0", "1"}


def test_the_life_of_a_trial(ledger: cw.Ledger, path: Path) -> None:
    receipt = ledger.add_child(3, "3c", stratum={"history": 1}, at=minute(31))
    ledger.capacity("crewe", True, by="M", at=minute(32))
    assert ledger.full == ["crewe"]
    with pytest.raises(cw.LedgerError, match="paused"):
        ledger.enrol("F99", ["x"], 0, approved_by="A", at=minute(33))
    ledger.capacity("crewe", False, by="M", at=minute(34))
    arms = ledger.frame().drop_duplicates("family_id").set_index("family_id")["arm"]
    other = {"control": "crewe", "crewe": "control"}
    ledger.override(4, other[arms["4"]], by="M", reason="need", at=minute(35))
    ledger.withdraw(5, data=False, by="M", reason="asked", at=minute(36))
    ledger.withdraw(6, child="6a", data=True, by="M", reason="moved", at=minute(37))
    ledger.exclude(7, child="7b", by="M", reason="adult", at=minute(38))
    ledger.split(8, "8x", ["8b"], by="M", reason="parted", at=minute(39))
    ledger.merge(9, 10, by="M", reason="married", at=minute(40))
    with pytest.raises(cw.DesignError, match="not closed"):
        cw.ols("y ~ arm", ledger.frame().assign(y=1.0), design=ledger)
    last = ledger.close(by="M", at=minute(41))
    assert ledger.closed and receipt.arm == arms["3"] and receipt.family == "3"

    frame = ledger.frame().set_index("child")
    assert frame.loc["3c", "inherited"] and frame["inherited"].sum() == 1
    assert (
        frame.loc["4a", "delivered"] == other[arms["4"]] and frame.loc["4a", "drawn"] == arms["4"]
    )
    assert not frame.loc["5a", "comparison"] and frame.loc["6a", "comparison"]
    assert frame.loc["7b", "status"] == "outcome excluded: adult" and frame.loc["7a", "comparison"]
    assert frame.loc["8b", "family_id"] == "8x" and frame.loc["8b", "analysed_as"] == "8"
    assert str(frame["enrolled"].dtype).endswith("UTC]")
    assert frame.loc["1a", "enrolled"] == minute(1)
    assert {"block", "block_size", "conditional_probability"} <= set(frame.columns)
    assert frame["block_size"].isin([3, 6]).all()

    flow = cw.consort(ledger)
    counts = flow.tidy()
    total = counts.groupby("stage")[["units", "rows"]].sum()
    assert tuple(total.loc["randomised"]) == (30, 61)
    assert tuple(total.loc["assessed"]) == (31, 62)
    assert tuple(total.loc["analysed"]) == (29, 58)
    assert "with children who came late: 1 family, 1 child" in flow.describe()
    assert "refused while an arm was full" in flow.svg()
    kept = frame[frame["comparison"]].reset_index()
    again = cw.consort(ledger, analysed=kept).tidy()
    pd.testing.assert_frame_equal(again, counts)

    kept["y"] = np.random.default_rng(1).normal(size=len(kept))
    by_ledger = cw.ols("y ~ arm", kept, design=ledger)
    by_hand = cw.ols("y ~ arm + C(stratum)", kept, cluster="analysed_as")
    np.testing.assert_allclose(by_ledger.se, by_hand.se, rtol=1e-12)
    wrong = kept.assign(arm=kept["arm"].map(other))
    with pytest.raises(cw.DesignError, match="not the one drawn"):
        cw.ols("y ~ arm", wrong, design=ledger)
    assert cw.Ledger.open(path, KEY, head=last.head).verify(last.head).notes == []


def test_an_open_trial_shows_no_block(ledger: cw.Ledger) -> None:
    hidden = {"block", "block_size", "conditional_probability"}
    assert not hidden & set(ledger.frame().columns)
    assert not hidden & set(ledger.assignment().frame.columns)


def test_overflow_is_left_out_whichever_arm(path: Path) -> None:
    ledger = cw.Ledger.create(path, design(method=cw.Simple()), overflow="draw-first", at=START)
    for k in range(1, 41):
        if k == 11:
            ledger.capacity("crewe", True, by="M", at=minute(k))
        if k == 21:
            ledger.capacity("crewe", False, by="M", at=minute(k))
        receipt = ledger.enrol(k, [f"{k}a"], 0, approved_by="A", at=minute(k))
        assert receipt.comparison == (not 11 <= k <= 20)
        assert receipt.overflow == (11 <= k <= 20 and receipt.arm == "crewe")
    overflow = ledger.overflow()
    assert list(overflow["family_id"]) == [str(k) for k in range(11, 21)]
    usual = overflow[overflow["drawn"] == "crewe"]
    assert len(usual) and (usual["delivered"] == "usual service").all()
    assert len(ledger.assignment()) == 30
    flow = cw.consort(ledger)
    assert any("calendar time" in note for note in flow.notes)
    assert "usual service" in flow.describe()


def test_any_kind_of_frame(ledger: cw.Ledger) -> None:
    pandas = ledger.frame()
    polars = ledger.frame("polars")
    arrow = ledger.frame("pyarrow")
    assert isinstance(polars, pl.DataFrame)
    assert list(polars.columns) == list(pandas.columns) == arrow.column_names
    assert polars["arm"].to_list() == list(pandas["arm"]) == arrow["arm"].to_pylist()
    assert polars["enrolled"].dtype == pl.Datetime("us", "UTC")
    with pytest.raises(cw.InputError, match="kind of data frame"):
        ledger.frame("excel")  # type: ignore[arg-type]


def test_requests_are_answered_once(ledger: cw.Ledger) -> None:
    first = ledger.enrol("F", ["c"], 0, approved_by="A", at=minute(31), request="r")
    again = ledger.enrol("F", ["c"], 0, approved_by="A", at=minute(40), request="r")
    assert again.again and (again.head, again.arm) == (first.head, first.arm)
    with pytest.raises(cw.LedgerError, match="used for something else"):
        ledger.enrol("G", ["d"], 0, approved_by="A", at=minute(40), request="r")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: x.enrol(1, ["n"], 0, approved_by="A", at=minute(40)), "enrolled already"),
        (lambda x: x.enrol(1, ["n"], 1, approved_by="A", at=minute(40)), "another stratum"),
        (lambda x: x.enrol("n", ["1a"], 0, approved_by="A", at=minute(40)), "in family '1'"),
        (lambda x: x.enrol("n", [], 0, approved_by="", at=minute(40)), "nobody approved"),
        (lambda x: x.enrol("n", [], {}, approved_by="A", at=minute(40)), "does not name"),
        (lambda x: x.enrol("n", [], {"site": 1}, approved_by="A"), "does not name"),
        (lambda x: x.enrol("n", [], 0, approved_by="A", at=START), "clock goes backwards"),
        (lambda x: x.add_child("n", "c", at=minute(40)), "no family 'n'"),
        (lambda x: x.add_child(1, "2a", at=minute(40)), "in family '2'"),
        (lambda x: x.add_child(1, "n", stratum=1, at=minute(40)), "another stratum"),
        (lambda x: x.override(1, "crew", by="M", reason="r", at=minute(40)), "no arm"),
        (lambda x: x.capacity("crewe", False, by="M", at=minute(40)), "not full"),
        (lambda x: x.exclude(1, by="M", reason="", at=minute(40)), "who and why"),
        (lambda x: x.verify("12-ab"), "not the head"),
    ],
)
def test_bad_requests(ledger: cw.Ledger, call: Any, message: str) -> None:
    head = ledger.head()
    with pytest.raises(cw.CreweError, match=message):
        call(ledger)
    assert ledger.verify(head).head == head


@pytest.mark.parametrize("value", [1.5, None, float("nan"), b"x"])
def test_identifiers_are_text_or_whole_numbers(ledger: cw.Ledger, value: Any) -> None:
    with pytest.raises(cw.InputError, match="no text or whole number"):
        ledger.enrol(value, ["c"], 0, approved_by="A")


@pytest.mark.parametrize("at", [datetime(2017, 3, 2), "2017-03-02", "yesterday", 5])
def test_times_name_their_offset(ledger: cw.Ledger, at: Any) -> None:
    with pytest.raises(cw.InputError, match="offset from UTC"):
        ledger.enrol("n", ["c"], 0, approved_by="A", at=at)


def test_identifiers_are_canonical(path: Path) -> None:
    ledger = cw.Ledger.create(path, design(strata=["site"]), levels={"site": ["Crèwe", 7]})
    ledger.enrol(np.int64(12), [1, np.int32(2)], "Cre\u0300we", approved_by="A")
    with pytest.raises(cw.LedgerError, match="enrolled already"):
        ledger.enrol("12", ["x"], "Crèwe", approved_by="A")
    with pytest.raises(cw.LedgerError, match="no value of site"):
        ledger.enrol("13", ["x"], "Chester", approved_by="A")
    ledger.enrol("13", ["x"], 7, approved_by="A")
    assert list(ledger.frame()["child"]) == ["1", "2", "x"]


def test_what_a_ledger_takes(path: Path) -> None:
    with pytest.raises(cw.DesignError, match="complete"):
        cw.Ledger.create(path, design(method=cw.Complete()))
    with pytest.raises(cw.LedgerError, match="256 bits"):
        cw.Ledger.create(path, design(seed=2017))
    with pytest.raises(cw.DesignError, match="ledger's frame uses"):
        cw.Ledger.create(path, design(strata=["status"]))
    with pytest.raises(cw.LedgerError, match="neither strata nor factors"):
        cw.Ledger.create(path, design(), levels={"site": ["a"]})
    with pytest.raises(cw.LedgerError, match="pause or draw-first"):
        cw.Ledger.create(path, design(), overflow="queue")  # type: ignore[arg-type]
    with pytest.raises(cw.DesignError, match="takes a design"):
        cw.Ledger.create(path, "design")  # type: ignore[arg-type]
    assert not path.exists()
    cw.Ledger.create(path, design())
    with pytest.raises(cw.LedgerError, match="not empty"):
        cw.Ledger.create(path, design())


def test_minimisation_brings_its_factors(path: Path) -> None:
    method = cw.Minimisation(factors=["need", "site"], p=0.8)
    ledger = cw.Ledger.create(path, design(method=method, strata=[]))
    for k in range(20):
        factors = {"site": "north" if k % 2 else "south", "need": k % 3}
        ledger.enrol(k, [f"c{k}"], factors=factors, approved_by="A")
    with pytest.raises(cw.LedgerError, match="need, site"):
        ledger.enrol("n", ["c"], approved_by="A")
    frame = ledger.frame()
    assert list(frame["need"][:4]) == ["0", "1", "2", "0"] and frame["site"][0] == "south"
    ledger.close(by="M")
    assert set(ledger.frame()["conditional_probability"]) != {2 / 3}
    assert "minimisation" in str(cw.Ledger.open(path, KEY).design)


def test_keys_come_from_three_places(
    ledger: cw.Ledger, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key"
    file.write_text(KEY.reveal() + "\n")
    for key in (KEY, KEY.reveal(), file):
        assert cw.Ledger.open(path, key).design == ledger.design
    monkeypatch.delenv("CREWE_KEY", raising=False)
    with pytest.raises(cw.LedgerError, match="there is no key"):
        cw.Ledger.open(path)
    monkeypatch.setenv("CREWE_KEY", KEY.reveal())
    assert cw.Ledger.open(path).design.seed == KEY
    with pytest.raises(cw.LedgerError, match="key is not the one"):
        cw.Ledger.open(path, cw.new_key())
    for wrong in ("secret-text", 12, b"x" * 32, tmp_path / "nothing"):
        with pytest.raises(cw.LedgerError) as caught:
            cw.Ledger.open(path, wrong)  # type: ignore[arg-type]
        assert "secret-text" not in str(caught.value)


def test_the_key_is_nowhere_to_be_seen(ledger: cw.Ledger, path: Path) -> None:
    ledger.close(by="M", at=minute(31))
    hex_digits = KEY.reveal()
    shown = [repr(ledger), ledger._repr_html_(), str(ledger.__dict__), repr(ledger.assignment())]
    assert not any(hex_digits in text or repr(bytes.fromhex(hex_digits)) in text for text in shown)
    for copier in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match="open it again"):
            copier(ledger)
    pickled = pickle.dumps(ledger.assignment())
    assert bytes.fromhex(hex_digits) not in pickled and hex_digits.encode() not in pickled
    for file in path.parent.iterdir():
        content = file.read_bytes()
        assert bytes.fromhex(hex_digits) not in content and hex_digits.encode() not in content


def copies(path: Path, to: Path) -> Path:
    for end in ("", "-wal"):
        if (source := Path(f"{path}{end}")).exists():
            shutil.copy(source, f"{to}{end}")
    return to


def unlocked(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path)
    connection.execute("DROP TRIGGER event_is_never_changed")
    connection.execute("DROP TRIGGER event_is_never_removed")
    return connection


def test_edits_with_sqlite_are_found(ledger: cw.Ledger, path: Path, tmp_path: Path) -> None:
    head = ledger.head()
    other = copies(path, tmp_path / "other")
    connection = sqlite3.connect(other)
    for sql in ("UPDATE event SET body = 'x'", "DELETE FROM event"):
        with pytest.raises(sqlite3.IntegrityError, match="only grows"):
            connection.execute(sql)
    kinds = [row[0] for row in connection.execute("SELECT kind FROM history ORDER BY sequence")]
    assert kinds[:3] == ["created", "approved", "drawn"]
    connection.close()
    connection = sqlite3.connect(other)
    triggers = connection.execute(
        "SELECT sql FROM sqlite_schema WHERE type = 'trigger' ORDER BY rowid"
    ).fetchall()
    connection.close()
    connection = unlocked(other)
    connection.execute("UPDATE event SET body = replace(body, '9a', '9z') WHERE sequence = 17")
    connection.commit()
    # The triggers that are gone tell too.
    with pytest.raises(cw.LedgerError, match="tables of the ledger were changed"):
        cw.Ledger.open(other, KEY, head=head)
    view = connection.execute("SELECT sql FROM sqlite_schema WHERE type = 'view'").fetchone()[0]
    connection.execute("DROP VIEW history")
    for (sql,) in [*triggers, (view,)]:
        connection.execute(sql)
    connection.commit()
    connection.close()
    with pytest.raises(cw.LedgerError, match=r"^event 17: .*chain does not fit"):
        cw.Ledger.open(other, KEY, head=head)


@pytest.mark.parametrize("number", [-(2**63), -5, -1, 61, 2**63 - 1, 3.0, "-7"])
def test_7_1_a_forged_row_is_found_wherever_it_stands(
    ledger: cw.Ledger, path: Path, tmp_path: Path, number: Any
) -> None:
    head = ledger.head()
    other = copies(path, tmp_path / "other")
    with sqlite3.connect(other) as connection:
        body = '{"at":"2017-03-01T09:00:00.000000Z","family":"FAKE","kind":"approved"}'
        connection.execute(
            "INSERT OR REPLACE INTO event VALUES (?, ?, ?)", (number, body, b"\0" * 32)
        )
    connection.close()
    options: dict[str, Any]
    for options in ({}, {"head": head}):
        with pytest.raises(cw.LedgerError):
            cw.Ledger.open(other, KEY, **options)


@pytest.mark.skipif(os.name != "posix", reason="open files keep their names elsewhere")
@pytest.mark.parametrize("end", ["", "-wal", "-shm"])
def test_7_4_no_receipt_for_a_file_that_is_gone(ledger: cw.Ledger, path: Path, end: str) -> None:
    head = ledger.head()
    file, away = Path(f"{path}{end}"), Path(f"{path}.away")
    file.rename(away)
    with pytest.raises(cw.LedgerError, match="nothing was recorded"):
        ledger.enrol("F", ["C"], {"history": True}, approved_by="A. Officer", at=minute(40))
    with pytest.raises(cw.LedgerError, match="moved, removed or replaced"):
        ledger.verify(head=head)
    away.rename(file)
    ledger.enrol("F", ["C"], {"history": True}, approved_by="A. Officer", at=minute(40))
    assert ledger.verify(head=head).families == 31


def test_a_cut_tail_needs_the_lodged_head(path: Path, tmp_path: Path) -> None:
    ledger = cw.Ledger.create(path, design(), at=START)
    for k in range(30):
        lodged = ledger.enrol(k, [], 0, approved_by="A", at=minute(k)).head
    del ledger
    short = tmp_path / "short"
    # While the ledger is open its latest events are in the -wal alone: a copy without it is cut off.
    grown = cw.Ledger.open(path, KEY, head=lodged)
    receipt = grown.enrol("late", ["l"], 0, approved_by="A", at=minute(50))
    shutil.copy(path, short)
    opened = cw.Ledger.open(short, KEY)
    assert "tail not checked" in opened.notes[0]
    assert opened.verify(lodged).tail == int(lodged.split("-")[0])
    for check in (
        lambda: cw.Ledger.open(short, KEY, head=receipt.head),
        lambda: opened.verify(receipt.head),
    ):
        with pytest.raises(cw.LedgerError, match=r"event 6[12].*cut off"):
            check()


@pytest.mark.parametrize(
    ("content", "message"), [(b"", "no ledger"), (b"text " * 100, "no ledger"), (None, "not there")]
)
def test_files_that_are_no_ledger(path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(cw.LedgerError, match=message):
        cw.Ledger.open(path, KEY)
    assert path.exists() == (content is not None)


def enrol_in_child(path: str, name: str, count: int) -> list[tuple[str, str]]:
    ledger = cw.Ledger.open(path, KEY)
    receipts = [
        ledger.enrol(f"{name}-{k}", [f"{name}-{k}a"], 0, approved_by="A") for k in range(count)
    ]
    return [(str(receipt.family), str(receipt.arm)) for receipt in receipts]


def test_processes_at_once(path: Path) -> None:
    ledger = cw.Ledger.create(path, design())
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        told = pool.starmap(enrol_in_child, [(str(path), f"p{p}", 10) for p in range(3)])
    families = ledger.frame().set_index("family_id")["arm"]
    assert dict(families) == {family: arm for answers in told for family, arm in answers}
    assert ledger.verify().families == 30


def test_threads_at_once(path: Path) -> None:
    ledger = cw.Ledger.create(path, design())

    def work(name: str) -> None:
        for k in range(10):
            ledger.enrol(f"{name}-{k}", [], 0, approved_by="A")

    threads = [threading.Thread(target=work, args=(f"t{t}",)) for t in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ledger.verify().families == 40


def in_child(body: str, *arguments: str) -> str:
    code = textwrap.dedent(body)
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout


def test_a_forked_child_must_open_it_again(ledger: cw.Ledger, path: Path) -> None:
    del ledger
    out = in_child(
        """
        import os, sys, crewe as cw
        key = cw.Key(bytes([7]) * 32)
        ledger = cw.Ledger.open(sys.argv[1], key)
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            try:
                ledger.enrol("n", [], 0, approved_by="A")
            except cw.LedgerError as error:
                print("forked" in str(error), flush=True)
            del ledger
            print(cw.Ledger.open(sys.argv[1], key).enrol("c", [], 0, approved_by="A").family, flush=True)
            os._exit(0)
        os.waitpid(child, 0)
        print(ledger.enrol("p", [], 0, approved_by="A").family, ledger.verify().families)
        """,
        str(path),
    )
    assert out.split() == ["True", "c", "p", "32"]


def test_a_disk_that_takes_no_more(path: Path) -> None:
    """The system refuses to let files grow, as a full disk does; what was answered is there."""
    out = in_child(
        """
        import resource, sys, crewe as cw
        key = cw.Key(bytes([7]) * 32)
        design = cw.Design("t", arms={"a": 1, "b": 1}, cluster="f", method=cw.Simple(), seed=key)
        ledger = cw.Ledger.create(sys.argv[1], design)
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, resource.RLIM_INFINITY))
        receipt = None
        for k in range(1000):
            try:
                receipt = ledger.enrol(k, [], approved_by="A" * 200)
            except cw.LedgerError as error:
                print(k, receipt.head, "disk" in str(error))
                break
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        print(ledger.verify(receipt.head).families, ledger.enrol(k, [], approved_by="A").family)
        """,
        str(path),
    )
    stopped, head, named, families, again = out.split()
    assert named == "True" and families == stopped == again
    assert cw.Ledger.open(path, KEY, head=head).verify(head).families == int(stopped) + 1


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "locked"
    folder.mkdir()
    yield folder
    folder.chmod(0o755)


def test_a_folder_that_may_not_be_written(locked: Path) -> None:
    path = locked / "trial.ledger"
    head = cw.Ledger.create(path, design()).head()
    path.chmod(0o444)
    locked.chmod(0o555)
    if os.access(locked, os.W_OK):
        # Whoever may write everywhere meets a read-only file system instead.
        path = Path("/proc/trial.ledger")
        with pytest.raises(cw.LedgerError, match=r"may not be written|read-only"):
            cw.Ledger.create(path, design())
        return
    with pytest.raises(cw.LedgerError, match=r"may not be written|read-only"):
        cw.Ledger.open(path, KEY, head=head).enrol("F", [], 0, approved_by="A")


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Have Python hear Ctrl-C: a shell starts what runs in its background with it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_ends_the_wait(ledger: cw.Ledger, path: Path) -> None:
    # In a process of its own: two SQLite libraries in one process do not see each other's locks.
    code = """
        import sqlite3, sys
        connection = sqlite3.connect(sys.argv[1], isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        print("locked", flush=True)
        sys.stdin.read()
        """
    command = [sys.executable, "-c", textwrap.dedent(code), str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as blocker:
        assert blocker.stdout is not None and blocker.stdout.readline() == b"locked\n"
        timer = threading.Timer(0.3, _thread.interrupt_main)
        timer.start()
        start = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            ledger.enrol("F", [], 0, approved_by="A")
            time.sleep(5)
        assert 0.25 < time.monotonic() - start < 4
        timer.join()
        blocker.communicate(b"")
    assert ledger.enrol("F", [], 0, approved_by="A").family == "F"
