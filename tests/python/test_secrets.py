"""No traceback of a failing call shows a key: not its bytes, not its digits, not in any variable within reach."""

from __future__ import annotations

import copy
import gc
import os
import pickle
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType, FunctionType, ModuleType
from typing import Any

import crewe as cw
import pandas as pd
import pytest

RAW = bytes((37 * k + 11) % 256 for k in range(32))
HEX = RAW.hex()
PACKAGE = str(Path(cw.__file__).parent)
ARMS = {"a": 1, "b": 1}


def traces(text: str) -> bool:
    """Whether a text holds a part of the key that nothing else would hold."""
    low = text.lower()
    pieces = [HEX[k : k + 12] for k in range(0, len(HEX) - 12)]
    lists = [", ".join(map(str, RAW[k : k + 4])) for k in range(28)]
    numbers = [str(int.from_bytes(RAW, order)) for order in ("big", "little")]
    raws = [repr(RAW)[k : k + 16].lower() for k in range(2, len(repr(RAW)) - 17)]
    return any(piece in low for piece in [*pieces, *lists, *numbers, *raws])


def reach(value: Any, seen: set[int], depth: int = 0) -> Iterator[Any]:
    """Give a value and everything within its reach, as a tracker that serialises variables does."""
    if (
        id(value) in seen
        or depth > 6
        or isinstance(value, ModuleType | FrameType | type | FunctionType)
    ):
        return
    seen.add(id(value))
    yield value
    inner: list[Any] = []
    if isinstance(value, Mapping):
        inner += [*value.keys(), *value.values()]
    elif isinstance(value, list | tuple | set | frozenset):
        inner += list(value)
    inner += list(getattr(value, "__dict__", {}).values())
    for kind in type(value).__mro__:
        for name in getattr(kind, "__slots__", ()):
            inner.append(getattr(value, name, None))
    inner += gc.get_referents(value) if type(value).__module__.startswith("crewe") else []
    for part in inner:
        yield from reach(part, seen, depth + 1)


def frames(error: BaseException) -> Iterator[FrameType]:
    """Give the frames of an error, and of those that led to it, which are crewe's own."""
    known: set[int] = set()
    ahead: list[BaseException | None] = [error]
    while ahead:
        one = ahead.pop()
        if one is None or id(one) in known:
            continue
        known.add(id(one))
        ahead += [one.__cause__, one.__context__]
        for frame, _ in traceback.walk_tb(one.__traceback__):
            if frame.f_code.co_filename.startswith(PACKAGE):
                yield frame


def leaks(error: BaseException) -> list[str]:
    found = []
    said = [str(error), repr(error), repr(error.args), repr(getattr(error, "__dict__", {}))]
    if any(traces(text) for text in said):
        found.append("the message")
    for frame in frames(error):
        for name, value in frame.f_locals.items():
            for part in reach(value, set()):
                try:
                    text = repr(part)
                except Exception:
                    continue
                if traces(text):
                    found.append(f"{frame.f_code.co_qualname}: {name} ({type(part).__name__})")
                    break
    return found


if sys.version_info < (3, 11):

    def leaks(error: BaseException) -> list[str]:
        found = ["the message"] if traces(str(error) + repr(error.args)) else []
        for frame in frames(error):
            for name, value in frame.f_locals.items():
                if any(traces(repr(part)) for part in reach(value, set())):
                    found.append(f"{frame.f_code.co_name}: {name}")
        return found


def design(seed: Any = None, **changes: Any) -> cw.Design:
    options: dict[str, Any] = {"arms": ARMS, "cluster": "f", "method": cw.Simple(), "seed": seed}
    return cw.Design("T", **(options | changes))


ROWS = pd.DataFrame({"f": [1, 1, 2, 3, 4, 5, 6, 7, 8], "y": [2.0, 3, 1, 4, 4, 2, 5, 1, 3]})


def key() -> cw.Key:
    return cw.Key(RAW)


def trial() -> cw.Assignment:
    return design(key(), method=cw.Complete()).assign(ROWS)


def ledger(folder: Path) -> cw.Ledger:
    return cw.Ledger.create(folder / "trial.ledger", design(key()))


def written(folder: Path, content: str) -> Path:
    path = folder / "key"
    path.write_text(content)
    return path


WRONG: dict[str, Any] = {
    "bytes": RAW,
    "digits": HEX,
    "a digit short": HEX[:-1],
    "a digit more": HEX + "0",
    "a slip": HEX[:40] + "g" + HEX[41:],
    "bytes short": RAW[:-1],
    "bytearray": bytearray(RAW),
    "memoryview of bytes": bytearray(RAW),
    "list": list(RAW),
    "tuple": (RAW,),
    "dict": {"key": HEX},
    "integer": int.from_bytes(RAW, "big"),
    "negative integer": -int.from_bytes(RAW, "little"),
}

# Everything that takes a key or a seed, given what is none.
TAKERS: dict[str, Callable[[Any, Path], Any]] = {
    "Key.from_hex": lambda wrong, _: cw.Key.from_hex(
        wrong + "x" if isinstance(wrong, str) else wrong
    ),
    "Key": lambda wrong, _: cw.Key(wrong + b"xx" if isinstance(wrong, bytes) else wrong),
    "Design": lambda wrong, _: design(wrong),
    "Design.from_toml": lambda wrong, _: cw.Design.from_toml(design(1).to_toml(), seed=wrong),
    "Design.draws": lambda wrong, _: design(1, method=cw.Complete()).draws(ROWS, 3, seed=wrong),
    "Design.predictability": lambda wrong, _: design(1).predictability(8, sims=9, seed=wrong),
    "predictability": lambda wrong, _: cw.predictability([design(1)], 8, sims=9, seed=wrong),
    "randomisation_test": lambda wrong, _: cw.randomisation_test(
        "y ~ arm", ROWS, trial(), draws=9, seed=wrong
    ),
}

# Calls that hold a good key, and fail over something else.
FAILING: dict[str, Callable[[Path], Any]] = {
    "a design without arms": lambda _: design(key(), arms={"a": 1}),
    "a design with a bad share": lambda _: design(key(), arms={"a": 1, "b": -1}),
    "a design without a unit": lambda _: design(key(), cluster=None),
    "a design with a bad method": lambda _: design(key(), method="Simple"),
    "bad toml": lambda _: cw.Design.from_toml("x = ", seed=key()),
    "toml with unknown entries": lambda _: cw.Design.from_toml("x = 1", seed=key()),
    "an empty frame": lambda _: design(key()).assign(ROWS.iloc[:0], order="y"),
    "no order": lambda _: design(key(), method=cw.Blocks([2])).assign(ROWS),
    "missing ids": lambda _: trial().design.assign(ROWS.assign(f=float("nan"))),
    "no draws": lambda _: design(key(), method=cw.Complete()).draws(ROWS, 0),
    "no draws, with a key": lambda _: design(1, method=cw.Complete()).draws(ROWS, 0, seed=key()),
    "draws without a column": lambda _: design(key()).draws(ROWS[["y"]], 3, seed=key()),
    "no arrivals": lambda _: design(key()).predictability(seed=key()),
    "no designs": lambda _: cw.predictability([], 8, seed=key()),
    "an unknown alternative": lambda _: cw.randomisation_test(
        "y ~ arm", ROWS, trial(), alternative="no", seed=key()
    ),
    "no such outcome": lambda _: cw.randomisation_test("z ~ arm", ROWS, trial(), seed=key()),
    "a function that fails": lambda _: cw.randomisation_test(
        lambda frame, arm: float("nan"), ROWS, trial(), draws=9, seed=key()
    ),
    "a fit of other rows": lambda _: cw.ols("y ~ arm", ROWS.assign(arm="zz"), design=trial()),
    "a pickled key": lambda _: pickle.dumps(key()),
    "a pickled ledger": lambda folder: pickle.dumps(ledger(folder)),
    "a ledger that is there": lambda folder: (ledger(folder), ledger(folder)),
    "a ledger of an integer": lambda folder: cw.Ledger.create(folder / "x", design(1)),
    "a ledger of a list": lambda folder: cw.Ledger.create(
        folder / "x", design(key(), method=cw.Complete())
    ),
    "a ledger nowhere": lambda folder: cw.Ledger.open(folder / "no" / "x", key()),
    "an enrolment without approval": lambda folder: ledger(folder).enrol("F", approved_by=""),
    "an enrolment of nobody": lambda folder: ledger(folder).enrol(1.5, approved_by="A"),  # type: ignore[arg-type]
    "an override of nobody": lambda folder: ledger(folder).override(
        "F", "a", by="A", reason="none"
    ),
    "a frame before the end": lambda folder: ledger(folder).assignment(),
    "a wrong head": lambda folder: ledger(folder).verify(head="9-" + "0" * 64),
}


def opened_with(wrong: Any, folder: Path) -> Any:
    made = cw.Ledger.create(folder / "trial.ledger", design(cw.new_key()))
    return cw.Ledger.open(made.path, wrong)


def opened_with_file(wrong: Any, folder: Path) -> Any:
    made = cw.Ledger.create(folder / "trial.ledger", design(cw.new_key()))
    return cw.Ledger.open(made.path, written(folder, str(wrong)))


def opened_with_environment(wrong: Any, folder: Path) -> Any:
    made = cw.Ledger.create(folder / "trial.ledger", design(cw.new_key()))
    os.environ["CREWE_KEY"] = str(wrong)
    try:
        return cw.Ledger.open(made.path)
    finally:
        del os.environ["CREWE_KEY"]


TAKERS |= {
    "Ledger.open": opened_with,
    "Ledger.open, a file": opened_with_file,
    "Ledger.open, the environment": opened_with_environment,
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("taker", TAKERS)
def test_7_6_what_is_no_key_is_refused_unseen(taker: str, wrong: str, tmp_path: Path) -> None:
    with pytest.raises((cw.CreweError, OSError)) as caught:
        TAKERS[taker](WRONG[wrong], tmp_path)
    assert leaks(caught.value) == []
    assert list(frames(caught.value)) or taker.startswith("Key")


@pytest.mark.parametrize("name", FAILING)
def test_7_6_a_call_that_fails_shows_no_key(name: str, tmp_path: Path) -> None:
    with pytest.raises((cw.CreweError, TypeError)) as caught:
        FAILING[name](tmp_path)
    assert leaks(caught.value) == []


def test_7_6_this_test_sees_a_key_where_there_is_one() -> None:
    for value in (*WRONG.values(), {"a": [RAW]}, [{"b": (HEX,)}]):
        assert any(traces(repr(part)) for part in reach(value, set())), value
    assert not any(traces(repr(part)) for part in reach({"k": key(), "d": design(key())}, set()))


def test_7_6_a_key_gives_itself_away_only_when_asked() -> None:
    one = key()
    assert one.reveal() == HEX and cw.Key.from_hex(HEX) == one == cw.Key.from_hex(HEX.upper())
    assert cw.Key.from_hex(f"  {HEX[:10]} {HEX[10:]}\n") == one
    assert one != cw.new_key() and one != RAW and one != HEX
    assert hash(one) == hash(key()) and len({one, key()}) == 1
    for text in (repr(one), str(one), f"{one}", f"{one!r}", f"{one!a}", format(one), repr([one])):
        assert "Key(redacted)" in text and not traces(text)
    assert copy.copy(one) is one and copy.deepcopy([one])[0] is one
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="left out of pickles"):
            pickle.dumps(one, protocol)
    assert isinstance(cw.new_key(), cw.Key) and isinstance(cw.Key.from_hex(HEX), cw.Key)
    assert not hasattr(one, "__dict__") and not hasattr(one, "_secret")
    with pytest.raises(AttributeError):
        one.note = 1  # type: ignore[attr-defined]
    public = [name for name in dir(one) if not name.startswith("__")]
    assert [name for name in public if not callable(getattr(one, name))] == []


def test_7_6_a_key_draws_what_it_drew_before() -> None:
    drawn = design(key(), method=cw.Complete()).assign(ROWS)
    again = design(cw.Key.from_hex(HEX), method=cw.Complete()).assign(ROWS)
    assert drawn.clusters == again.clusters and str(drawn.commitment) == str(again.commitment)


def test_7_6_pytest_with_locals_shows_no_key(tmp_path: Path) -> None:
    script = tmp_path / "test_it.py"
    script.write_text(
        "import crewe as cw, os\n"
        "def test_it(tmp_path):\n"
        "    made = cw.Ledger.create(tmp_path / 'x', cw.Design('T', arms={'a': 1, 'b': 1}, cluster='f',\n"
        "                            method=cw.Simple(), seed=cw.Key.from_hex(os.environ['HELD'])))\n"
        "    cw.Ledger.open(tmp_path / 'x', os.environ['HELD'] + '0')\n"
        "def test_other():\n"
        "    cw.Design('T', arms={'a': 1, 'b': 1}, cluster='f', seed=os.environ['HELD'])\n"
        "def test_third():\n"
        "    cw.Key(bytes.fromhex(os.environ['HELD'])[1:])\n"
    )
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-l", "--tb=long", "-p", "no:cacheprovider", str(script)],
        capture_output=True,
        text=True,
        env={**os.environ, "HELD": HEX},
        cwd=tmp_path,
        check=False,
    )
    assert "3 failed" in run.stdout, run.stdout
    assert not traces(run.stdout + run.stderr)
