"""Golden assignments, against an independent implementation in plain Python.

Run this file to write the golden vectors again: ``python tests/python/test_golden.py``. A changed
vector is a
breaking change, and gets a new algorithm tag.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import random
import struct
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parents[1] / "reference" / "expected" / "golden_assignments.json"
MASK = 2**64 - 1


# -- the second implementation ---------------------------------------------------------------------


def chacha20_block(key: bytes, counter: int, stream: int) -> list[int]:
    """RFC 8439 section 2.3, with a 64-bit counter and a 64-bit nonce as in Bernstein's paper."""
    state = [0x61707865, 0x3320646E, 0x79622D32, 0x6B206574, *struct.unpack("<8I", key)]
    state += [counter & 0xFFFFFFFF, counter >> 32, stream & 0xFFFFFFFF, stream >> 32]
    x = list(state)

    def quarter(a: int, b: int, c: int, d: int) -> None:
        for p, q, r, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            x[p] = (x[p] + x[q]) & 0xFFFFFFFF
            y = x[r] ^ x[p]
            x[r] = ((y << turn) | (y >> (32 - turn))) & 0xFFFFFFFF

    for _ in range(10):
        for k in range(4):
            quarter(k, k + 4, k + 8, k + 12)
        for k in range(4):
            quarter(k, (k + 1) % 4 + 4, (k + 2) % 4 + 8, (k + 3) % 4 + 12)
    return [(a + b) & 0xFFFFFFFF for a, b in zip(x, state, strict=True)]


def field(data: bytes) -> bytes:
    return struct.pack("<Q", len(data)) + data


def seed_bytes(seed: int | bytes) -> bytes:
    return b"\x02" + seed if isinstance(seed, bytes) else b"\x01" + struct.pack("<Q", seed)


class Oracle:
    def __init__(self, seed: int | bytes, purpose: str, labels: list[str], index: int) -> None:
        name = field(b"crewe/1") + field(seed_bytes(seed)) + field(purpose.encode())
        for label in labels:
            name += field(label.encode())
        self.key, self.index = hashlib.sha256(name).digest(), index
        self.counter, self.words = 0, []

    def u64(self) -> int:
        if not self.words:
            self.words = chacha20_block(self.key, self.counter, self.index)[::-1]
            self.counter += 1
        low = self.words.pop()
        return low | self.words.pop() << 32

    def below(self, bound: int) -> int:
        while True:
            product = self.u64() * bound
            if product & MASK >= (2**64 - bound) % bound:
                return product >> 64

    def shuffle(self, items: list) -> None:
        for i in range(len(items) - 1, 0, -1):
            j = self.below(i + 1)
            items[i], items[j] = items[j], items[i]


def draw(method: str, n: int, ratio: list[int], stream: Oracle) -> list[int]:
    common = math.gcd(*ratio)
    ratio = [share // common for share in ratio]
    total = sum(ratio)
    if method == "simple":
        arms = []
        for _ in range(n):
            x, arm = stream.below(total), 0
            while x >= ratio[arm]:
                x -= ratio[arm]
                arm += 1
            arms.append(arm)
        return arms
    places = [n * share // total for share in ratio]
    rest = [n * share % total for share in ratio]
    if any(rest):
        order = list(range(len(ratio)))
        stream.shuffle(order)
        start, low = stream.below(total), 0
        for arm in order:
            points = range(start, sum(rest), total)
            places[arm] += sum(low <= point < low + rest[arm] for point in points)
            low += rest[arm]
    arms = [arm for arm, count in enumerate(places) for _ in range(count)]
    stream.shuffle(arms)
    return arms


def oracle(case: dict, purpose: str = "assign", index: int = 0) -> dict[str, str]:
    """The arm of every unit; `units` maps an identifier to its stratum's labels."""
    arms = [arm for arm, _ in case["arms"]]
    strata: dict[tuple[str, ...], list[str]] = {}
    for unit, labels in case["units"].items():
        strata.setdefault(tuple(labels), []).append(unit)
    result = {}
    for labels, members in strata.items():
        members.sort(key=lambda unit: unit.encode())
        seed = bytes.fromhex(case["key"]) if "key" in case else case["seed"]
        stream = Oracle(seed, purpose, list(labels), index)
        drawn = draw(case["method"], len(members), [share for _, share in case["arms"]], stream)
        result |= {unit: arms[arm] for unit, arm in zip(members, drawn, strict=True)}
    return {unit: result[unit] for unit in sorted(result, key=lambda unit: unit.encode())}


def digest(assigned: dict[str, str]) -> str:
    text = "".join(f"{unit}\t{arm}\n" for unit, arm in assigned.items())
    return hashlib.sha256(text.encode()).hexdigest()


def cases() -> list[dict]:
    numbers = {str(i): [str(i % 2)] for i in range(1, 12)}
    words = ["a1", "B2", "c3", "D4", "e5", "F6", "_g7", "Éh8", "Ĳ9", "ß10", "日11"]
    nfc = unicodedata.normalize
    plain = {
        "name": "golden", "method": "complete", "cluster": "family", "seed": 2017,
        "arms": [["control", 1], ["crewe", 2]], "strata": ["history"], "units": numbers,
    }  # fmt: skip
    return [
        {**plain, "case": "whole numbers in two strata"},
        {**plain, "case": "locales sort these differently", "strata": [],
         "units": {nfc("NFC", word): [] for word in words}},
        {**plain, "case": "three arms, misfits in every stratum",
         "arms": [["b", 1], ["c", 2], ["a", 3]],
         "strata": ["site", "sex"], "seed": 2**64 - 1,
         "units": {f"F{i:03}": [["north", "südwest"][i % 2], str(i % 3 // 2)] for i in range(40)}},
        {**plain, "case": "a ratio not in lowest terms", "arms": [["x", 30], ["y", 70]], "seed": 0},
        {**plain, "case": "single units", "strata": ["site"],
         "units": {f"u{i}": [f"site {i}"] for i in range(12)}},
        {**plain, "case": "simple", "method": "simple", "seed": 7},
        {**plain, "case": "under a key", "key": bytes(range(32)).hex()},
    ]  # fmt: skip


def ten_thousand() -> dict:
    return {
        "name": "ten thousand", "method": "complete", "cluster": "family", "seed": 20_170_701,
        "arms": [["control", 1], ["crewe", 2]], "strata": ["site"],
        "units": {str(i): [f"site {i * i % 7}"] for i in range(10_000)},
    }  # fmt: skip


def golden() -> dict:
    small = [
        {**case, "assigned": oracle(case), "draws_3": oracle(case, "draws", 3)} for case in cases()
    ]
    for case in small:
        case.pop("seed" if "key" in case else "key", None)
    return {
        "algorithm": "crewe/1",
        "written_by": "tests/python/test_golden.py",
        "cases": small,
        "ten_thousand": {
            "about": "units '0' to '9999', stratum 'site ' + (i * i % 7), arms control 1 and "
            "crewe 2, seed 20170701; SHA-256 over 'id TAB arm NEWLINE' in bytewise order of the ids",
            "sha256": digest(oracle(ten_thousand())),
        },
    }


if __name__ == "__main__":
    text = json.dumps(golden(), indent=1, ensure_ascii=False, sort_keys=False) + "\n"
    GOLDEN.write_text(text, encoding="utf-8")
    print(digest(oracle(ten_thousand())))
    sys.exit()


# -- tests
# -------------------------------------------------------------------------------------------

import crewe as cw  # noqa: E402
import pandas as pd  # noqa: E402
import polars as pl  # noqa: E402

COMMITTED = json.loads(GOLDEN.read_text(encoding="utf-8"))
SMALL = COMMITTED["cases"]
names = [case["case"] for case in SMALL]


def design(case: dict) -> cw.Design:
    method = {"complete": cw.Complete(), "simple": cw.Simple()}[case["method"]]
    seed = cw.Key.from_hex(case["key"]) if "key" in case else case["seed"]
    return cw.Design(
        case["name"], arms=dict(case["arms"]), cluster=case["cluster"], strata=case["strata"],
        method=method, seed=seed,
    )  # fmt: skip


def frame(case: dict, children: int = 1) -> pd.DataFrame:
    units = [(unit, labels) for unit, labels in case["units"].items() for _ in range(children)]
    columns = {case["cluster"]: [unit for unit, _ in units]}
    for place, name in enumerate(case["strata"]):
        columns[name] = [labels[place] for _, labels in units]
    return pd.DataFrame(columns)


def test_rfc_8439_block() -> None:
    # Section 2.3.2: key 00..1f, counter 1, nonce 000000090000004a00000000.
    words = chacha20_block(bytes(range(32)), 1 | 0x09000000 << 32, 0x4A000000)
    assert words[:4] == [0xE4E7F110, 0x15593BD1, 0x1FDD0F50, 0xC47120A3]


def test_committed_vectors_are_the_oracles() -> None:
    assert json.loads(json.dumps(golden())) == COMMITTED


@pytest.mark.parametrize("case", SMALL, ids=names)
def test_assignments(case: dict) -> None:
    data = frame(case)
    assert design(case).assign(data).clusters == case["assigned"]
    assert list(design(case).assign(data).clusters) == list(case["assigned"])
    arms = [arm for arm, _ in case["arms"]]
    draws = design(case).draws(data, 5)
    assert [arms[arm] for arm in draws[3]] == list(case["draws_3"].values())


@pytest.mark.parametrize("case", SMALL, ids=names)
def test_order_children_and_kind_of_frame_do_not_matter(case: dict) -> None:
    data = frame(case, children=3).sample(frac=1, random_state=5)
    for kind in (data, pl.from_pandas(data), pl.from_pandas(data).lazy(), data.astype("category")):
        assert design(case).assign(kind).clusters == case["assigned"]


def test_type_of_identifier_does_not_matter() -> None:
    case = SMALL[0]
    data = frame(case)
    numbers = data.assign(family=data["family"].astype(int), history=data["history"].astype(int))
    for kind in (
        numbers,
        numbers.assign(history=numbers["history"].astype(bool)),
        numbers.assign(history=numbers["history"].astype(float)),
        numbers.assign(family=numbers["family"].astype("Int64")),
        data.assign(family=pd.Categorical(data["family"], categories=data["family"][::-1])),
        numbers.assign(family=pd.Categorical(numbers["family"])),
        pl.from_pandas(numbers),
        pl.from_pandas(data).with_columns(pl.col("family").cast(pl.Categorical)),
    ):
        assert design(case).assign(kind).clusters == case["assigned"]


def test_decomposed_text_is_the_same_identifier() -> None:
    case = SMALL[1]
    data = frame(case)
    data["family"] = [unicodedata.normalize("NFD", text) for text in data["family"]]
    assert design(case).assign(data).clusters == case["assigned"]


def test_rows_added_to_another_stratum_change_nothing() -> None:
    case = SMALL[0]
    more = pd.DataFrame({"family": ["77", "5x", "0"], "history": ["2", "1", "1"]})
    drawn = design(case).assign(pd.concat([frame(case), more])).clusters
    zero = {unit: arm for unit, arm in case["assigned"].items() if case["units"][unit] == ["0"]}
    assert {unit: drawn[unit] for unit in zero} == zero
    fewer = frame(case).query("history == '0'")
    assert design(case).assign(fewer).clusters == zero


def test_ten_thousand_families() -> None:
    case = ten_thousand()
    data = frame(case)
    assert digest(design(case).assign(data).clusters) == COMMITTED["ten_thousand"]["sha256"]
    shuffled = data.sample(frac=1, random_state=random.Random(1).randint(0, 9))
    numbers = shuffled.assign(family=shuffled["family"].astype(int))
    assert digest(design(case).assign(numbers).clusters) == COMMITTED["ten_thousand"]["sha256"]


SCRIPT = """
import hashlib, sys
sys.path.insert(0, sys.argv[1])
import test_golden as g
case = g.ten_thousand()
made = g.design(case)
data = g.frame(case)
print(g.digest(made.assign(data).clusters), hashlib.sha256(made.draws(data,
40).tobytes()).hexdigest())
words = g.SMALL[1]
print(g.design(words).assign(g.frame(words)).clusters == words["assigned"])
"""


def test_locale_and_threads_do_not_matter() -> None:
    answers = set()
    for locale, threads in (("C", "1"), ("C.UTF-8", "8")):
        settings = {**os.environ, "LC_ALL": locale, "RAYON_NUM_THREADS": threads, "PYTHONUTF8": "1"}
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, str(Path(__file__).parent)],
            env=settings, capture_output=True, text=True, check=True,
        )  # fmt: skip
        answers.add(done.stdout)
    assert len(answers) == 1
    first = answers.pop().split()
    assert first[0] == COMMITTED["ten_thousand"]["sha256"]
    assert first[2] == "True"
