"""Small counts: left out, and not to be had from anything that is published beside them.

What a reader can work out is solved here anew, with programmes written in this file from the printed text
alone; nothing of the package's solver is used.
"""

from __future__ import annotations

import itertools
import json
import os
import pickle
import re
import sys
from pathlib import Path
from typing import Any

import crewe as cw
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import csr_matrix, kron

D = cw.disclosure
ROOT = Path(__file__).resolve().parents[2]
Shown = dict[tuple[str, ...], str]


# -- the reader -------------------------------------------------------------------------------


def reader(
    tables: list[tuple[list[str], Shown]],
) -> dict[tuple[tuple[str, str], ...], tuple[float, float]]:
    """Bound every suppressed cell of printed tables: by whom a cell is, its least and its greatest value.

    Cells of several tables at the same levels are one unknown; every dimension of a table sums to its
    'Total'.
    """
    unknown: dict[tuple[tuple[str, str], ...], int] = {}
    known: dict[int, float] = {}
    rows: list[dict[int, float]] = []

    def place(names: list[str], at: tuple[str, ...]) -> int:
        key = tuple(sorted((n, v) for n, v in zip(names, at, strict=True) if v != "Total"))
        return unknown.setdefault(key, len(unknown))

    for names, shown in tables:
        for at, text in shown.items():
            k = place(names, at)
            if text != "[c]":
                known[k] = float(text.replace(",", ""))
        levels = [sorted({at[j] for at in shown}) for j in range(len(names))]
        for j in range(len(names)):
            for at in itertools.product(*levels):
                if at[j] == "Total":
                    parts = [(*at[:j], level, *at[j + 1 :]) for level in levels[j]]
                    row = dict.fromkeys((place(names, part) for part in parts), -1.0)
                    row[place(names, at)] = 1.0
                    rows.append(row)
    matrix = np.zeros((len(rows), len(unknown)))
    for i, row in enumerate(rows):
        for k, factor in row.items():
            matrix[i, k] = factor
    free = [k for k in range(len(unknown)) if k not in known]
    if not free:
        return {}
    right = -matrix[:, list(known)] @ np.array(list(known.values()))
    inner = matrix[:, free]
    # One programme of independent blocks: the least and the greatest value of each unknown.
    blocks = 2 * len(free)
    goal = np.zeros((blocks, len(free)))
    goal[np.arange(0, blocks, 2), np.arange(len(free))] = 1.0
    goal[np.arange(1, blocks, 2), np.arange(len(free))] = -1.0
    most = 1e5
    found = linprog(
        goal.ravel(),
        A_eq=kron(csr_matrix(np.eye(blocks)), csr_matrix(inner)),
        b_eq=np.tile(right, blocks),
        bounds=(0, most),
        method="highs-ds",
    )
    assert found.status == 0, found.message
    x = found.x.reshape(blocks, len(free))
    names_of = {k: key for key, k in unknown.items()}
    return {names_of[k]: (float(x[2 * i, i]), float(x[2 * i + 1, i])) for i, k in enumerate(free)}


def values(bounds: tuple[float, float]) -> float:
    return float(np.floor(bounds[1] + 1e-6) - np.ceil(bounds[0] - 1e-6) + 1)


def margins(inner: NDArray[np.int64], names: list[str]) -> pd.DataFrame:
    """Give all cells and margins of an array as a frame, one row a cell."""
    full = inner
    for axis in range(inner.ndim):
        full = np.concatenate([full, full.sum(axis=axis, keepdims=True)], axis=axis)
    labels = [[*map(str, range(n)), "Total"] for n in inner.shape]
    rows = [(*at, int(n)) for at, n in zip(itertools.product(*labels), full.ravel(), strict=True)]
    return pd.DataFrame(rows, columns=[*names, "n"])


def shown(table: Any, names: list[str]) -> tuple[list[str], Shown]:
    """Read a printed table of `tabulated` as a reader does."""
    return names, {tuple(row[: len(names)]): row[-1] for row in table.cells()}


def two_tables(rng: np.random.Generator) -> list[tuple[list[str], pd.DataFrame]]:
    """Make two tables that share a margin, out of one set of people."""
    inner = rng.poisson(rng.choice([0.6, 1.5, 3.0]), rng.integers(2, 4, 3))
    return [
        (["arm", "closed"], margins(inner.sum(axis=2), ["arm", "closed"])),
        (["arm", "history"], margins(inner.sum(axis=1), ["arm", "history"])),
    ]


TABLES = int(os.environ.get("CREWE_TABLES", "25"))
"""Tables a seed; `make evidence` makes a thousand in all."""


@pytest.mark.parametrize("seed", range(10))
def test_no_reader_bounds_a_suppressed_count(seed: int) -> None:
    rng = np.random.default_rng(seed)
    threshold, suppressed, small = 5, 0, 0
    for _ in range(TABLES):
        frames = two_tables(rng)
        tables = [D.tabulated(frame, count="n", by=names) for names, frame in frames]
        made = D.Rule(threshold=threshold).protect(*tables)
        printed = [
            shown(table, names) for table, (names, _) in zip(made.tables, frames, strict=True)
        ]
        for (names, frame), (_, cells) in zip(frames, printed, strict=True):
            for row in frame.itertuples(index=False):
                text = cells[tuple(row[: len(names)])]
                if row[-1] < threshold:
                    small += 1
                    assert text == "[c]"
                else:
                    assert text in ("[c]", f"{row[-1]:,}")
        for where, bounds in reader(printed).items():
            suppressed += 1
            assert values(bounds) >= threshold, (where, bounds, printed)
    # The tables had small counts, and not everything was left out.
    assert small > 2 * TABLES and suppressed > small * 0.5


def test_primary_suppression_alone_would_not_do() -> None:
    """The reader of these tests is one: without secondary suppression it bounds most of the counts."""
    rng = np.random.default_rng(3)
    had = 0
    for _ in range(50):
        printed = []
        for names, frame in two_tables(rng):
            cells = {
                tuple(row[:-1]): "[c]" if row[-1] < 5 else str(row[-1])
                for row in frame.itertuples(index=False)
            }
            printed.append((names, cells))
        had += sum(values(bounds) < 5 for bounds in reader(printed).values())
    assert had > 50


def test_tables_protected_apart_give_away_what_tables_protected_together_do_not() -> None:
    whole = pd.DataFrame({"arm": ["0", "1", "2", "Total"], "n": [3, 20, 30, 53]})
    one = pd.DataFrame({"arm": ["1"] * 3, "closed": ["no", "yes", "Total"], "n": [8, 12, 20]})
    tables = [
        D.tabulated(whole, count="n", by=["arm"]),
        D.tabulated(one, count="n", by=["arm", "closed"]),
    ]
    names = [["arm"], ["arm", "closed"]]
    apart = [D.Rule().protect(table).tables[0] for table in tables]
    together = D.Rule().protect(*tables).tables
    for made, least in ((apart, 1), (together, 5)):
        found = reader([shown(table, by) for table, by in zip(made, names, strict=True)])
        assert min(map(values, found.values())) >= least
        assert (values(found[(("arm", "0"),)]) == 1) == (made is apart)


@pytest.mark.parametrize("threshold", [2, 3, 10])
def test_three_dimensions_and_other_thresholds(threshold: int) -> None:
    rng = np.random.default_rng(threshold)
    for _ in range(8):
        frame = margins(rng.poisson(4, (3, 2, 3)), ["a", "b", "c"])
        made = D.Rule(threshold=threshold).protect(
            D.tabulated(frame, count="n", by=["a", "b", "c"])
        )
        for bounds in reader([shown(made.tables[0], ["a", "b", "c"])]).values():
            assert values(bounds) >= threshold


# -- rounding ---------------------------------------------------------------------------------


def test_rounding_is_of_each_count_by_itself_and_the_audit_knows_it() -> None:
    frame = margins(np.array([[7, 8, 3], [12, 13, 40]]), ["arm", "closed"])
    rule = D.Rule(base=5)
    made = rule.protect(D.tabulated(frame, count="n", by=["arm", "closed"]))
    _, cells = shown(made.tables[0], ["arm", "closed"])
    assert cells["0", "0"] == "5" and cells["0", "1"] == "10" and cells["0", "2"] == "[c]"
    assert cells["0", "Total"] == "20" and cells["Total", "Total"] == "85"
    found = D.audit(made, rule)
    assert found.safe and all(bound.values >= 5 for bound in found.bounds)
    # Brute force: every table that rounds to what is printed, and whose printed counts are not small.
    possible = set()
    around = [range(max(5, n - 2), n + 3) for n in (5, 10, 10, 15, 40)]
    for a, b, d, e, f in itertools.product(*around):
        for c in range(12):
            sums = [(a + b + c, 20), (d + e + f, 65), (a + d, 20), (b + e, 20), (c + f, 45)]
            sums.append((a + b + c + d + e + f, 85))
            if all((n + 2) // 5 * 5 == m for n, m in sums):
                possible.add(c)
    bound = next(bound for bound in found.bounds if bound.printed)
    assert (bound.least, bound.most) == (min(possible), max(possible))


@pytest.mark.parametrize("seed", range(4))
def test_no_reader_bounds_what_is_left_out_of_rounded_tables(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(10):
        frame = margins(rng.poisson(rng.choice([4, 8]), (3, 3)), ["a", "b"])
        rule = D.Rule(base=10)
        made = rule.protect(D.tabulated(frame, count="n", by=["a", "b"]))
        assert D.audit(made, rule).safe
        _, cells = shown(made.tables[0], ["a", "b"])
        for row in frame.itertuples(index=False):
            text = cells[tuple(row[:2])]
            assert text in ("[c]", "[low]", f"{(row[2] + 5) // 10 * 10:,}")
            assert text == "[c]" or row[2] >= 5


def test_whole_numbers_of_any_table_are_counts_with_their_sums() -> None:
    rows = [["x", 3, 20, 23], ["y", 30, 17, 47], ["all", 33, 37, 70]]
    table = cw.tables.display.Table(["", "a", "b", "total"], rows)
    found = [row[1:] for row in D.Rule().protect(table).tables[0].cells()]
    assert found == [["[c]", "[c]", "23"], ["[c]", "[c]", "47"], ["33", "37", "70"]]


def test_the_table_of_an_assignment_is_protected_with_its_shares() -> None:
    frame = pd.DataFrame({"unit": range(60), "site": ["n"] * 7 + ["s"] * 53})
    design = cw.Design(
        "t", arms={"a": 1, "b": 1}, unit="unit", strata=["site"], method=cw.Complete(), seed=1
    )
    rows = cells_of(D.Rule().protect(design.assign(frame)))
    assert rows[0][1:3] == ["[c]", "[c]"] and rows[-2][-1] == "60"
    assert rows[1][1:3] == ["[c]", "[c]"] or rows[-2][1:3] == ["[c]", "[c]"]
    assert ("%" in rows[-1][1]) == (rows[-2][1] != "[c]")


def test_what_rounds_to_nought_is_low_and_not_nought() -> None:
    made = D.Rule(threshold=2, base=10).protect(
        D.tabulated(pd.DataFrame({"a": ["x", "y"], "n": [4, 60]}), count="n", by=["a"])
    )
    assert [row[-1] for row in made.tables[0].cells()] == ["[low]", "60"]
    assert any("rounds to 0" in str(note) for note in made.tables[0].notes)


# -- zeros, what was published, hierarchies ---------------------------------------------------


def test_only_a_structural_zero_is_shown() -> None:
    frame = margins(np.array([[0, 20, 30], [0, 25, 9]]), ["school", "age"])
    table = D.tabulated(frame, count="n", by=["school", "age"])
    _, cells = shown(D.Rule().protect(table).tables[0], ["school", "age"])
    assert cells["0", "0"] == cells["1", "0"] == "[c]"
    rule = D.Rule(structural=[{"school": "0", "age": "0"}])
    _, cells = shown(rule.protect(table).tables[0], ["school", "age"])
    assert cells["0", "0"] == "0" and cells["1", "0"] == "[c]"


def test_what_was_published_is_known_and_cannot_be_left_out() -> None:
    frame = margins(np.array([[3, 20, 30], [15, 25, 9]]), ["arm", "closed"])
    before = D.tabulated(
        frame[frame["closed"] == "Total"], count="n", by=["arm", "closed"], title="before"
    )
    table = D.tabulated(frame, count="n", by=["arm", "closed"])
    made = D.Rule().protect(table, published=[before])
    _, cells = shown(made.tables[0], ["arm", "closed"])
    assert cells["0", "Total"] == "53" and cells["Total", "Total"] == "102"
    given = frame.copy()
    given["withheld"] = [n == 3 for n in given["n"]]
    gone = D.tabulated(given, count="n", by=["arm", "closed"], withheld="withheld")
    with pytest.raises(cw.InputError, match="gives away 'arm: 0, closed: 0'"):
        D.Rule().protect(table, published=[gone])


def test_hierarchies_are_kept_and_must_add_up() -> None:
    frame = pd.DataFrame(
        {
            "area": ["N", "N1", "N2", "S", "S1", "S2", "Total"],
            "n": [22, 2, 20, 37, 17, 20, 59],
        }
    )
    parts = {"area": {"N": ["N1", "N2"], "S": ["S1", "S2"]}}
    table = D.tabulated(frame, count="n", by=["area"], parts=parts)
    made = D.Rule().protect(table)
    cells = dict(map(tuple, made.tables[0].cells()))
    assert cells["N1"] == "[c]" and "[c]" in (cells["N2"], cells["N"])
    assert D.audit(made, D.Rule()).safe
    wrong = frame.assign(n=[23, 2, 20, 37, 17, 20, 60])
    with pytest.raises(cw.InputError, match="add up to 22 and their total is 23"):
        D.tabulated(wrong, count="n", by=["area"], parts=parts)


def test_all_suppressed_is_said() -> None:
    frame = margins(np.array([[1, 2], [0, 1]]), ["a", "b"])
    made = D.Rule().protect(D.tabulated(frame, count="n", by=["a", "b"]))
    assert {row[-1] for row in made.tables[0].cells()} == {"[c]"}
    assert D.audit(made, D.Rule()).safe


# -- the audit --------------------------------------------------------------------------------


def test_the_audit_gives_the_bounds_of_an_independent_solver() -> None:
    rng = np.random.default_rng(5)
    for _ in range(30):
        names, frame = two_tables(rng)[0]
        frame["out"] = (frame["n"] < 5) | (rng.random(len(frame)) < 0.2)
        found = D.audit(D.tabulated(frame, count="n", by=names, withheld="out"), D.Rule())
        cells = {
            tuple(row[:2]): "[c]" if row[3] else str(row[2])
            for row in frame.itertuples(index=False)
        }
        expected = {
            ", ".join(f"{n}: {v}" for n, v in where) or "all": bounds
            for where, bounds in reader([(names, cells)]).items()
        }
        got = {bound.where: (bound.least, bound.most) for bound in found.bounds}
        assert got.keys() == expected.keys()
        for where, (least, most) in expected.items():
            top = np.inf if most > 1e4 else most
            assert got[where] == (pytest.approx(least, abs=1e-6), pytest.approx(top, abs=1e-6))


def test_the_audit_says_what_it_assumed() -> None:
    frame = pd.DataFrame({"a": ["x", "y"], "n": [3, 9]})
    found = D.audit(D.tabulated(frame, count="n", by=["a"], title="Bare"), D.Rule())
    assert not found.safe and found.shown == 1
    assert any("'Bare' prints no totals" in note for note in found.notes)
    fit = cw.ols("arrest ~ fin", cw.datasets.rossi())
    assert any("no counts that are known" in note for note in D.audit(fit, D.Rule()).notes)


# -- results of the package -------------------------------------------------------------------

ROSSI = cw.datasets.rossi()
FEW = ROSSI.head(40)


def cells_of(protected: Any) -> list[list[str]]:
    return [row for table in protected.tables for row in table.cells()]


def test_a_share_goes_with_its_count_and_with_its_total() -> None:
    made = D.Rule().protect(cw.crosstab("race ~ mar", FEW))
    for row in cells_of(made)[:-1]:
        assert row[1:] == ["[c]", "[c]"]
    assert set(made.tidy()["action"]) == {"primary", "secondary", "shown"}
    assert not any("3 (" in text for row in cells_of(made) for text in row)
    large = D.Rule().protect(cw.crosstab("fin ~ race", ROSSI), cw.crosstab("race ~ mar", FEW))
    assert [large[k].touched for k in (0, 1)] == [False, True]
    assert not made.synthetic
    assert D.Rule().protect(cw.crosstab("race ~ mar", FEW, synthetic=True)).synthetic


def test_means_of_a_small_group_go_and_those_of_noughts_and_ones_are_counts() -> None:
    frame = pd.DataFrame(
        {
            "arm": ["a"] * 3 + ["b"] * 30,
            "visits": [1.0, 2, 5, *range(30)],
            "closed": [1, 0, 1, *[1] * 28, 0, 0],
        }
    )
    small, large = cells_of(D.Rule().protect(cw.describe("visits ~ arm", frame)))
    assert set(small[1:]) == {"[c]", "0"} and large[1] == "30" and large[3] == "14.50"
    assert large[6] == "[c]", "a range holds the values of single people"
    _, binary = cells_of(D.Rule().protect(cw.describe("closed ~ arm", frame)))
    assert binary[3] == "[c]", "28 of 30 closed, so that 2 did not"


def test_rates_of_two_arms_go_together() -> None:
    rates = cw.compare_rates(events=(3, 25), totals=(45, 83), arms=("control", "crewe"))
    rows = cells_of(D.Rule().protect(rates))
    assert rows[1][1] == "[c]"
    assert all(set(row[1:]) <= {"[c]", ""} for row in rows[2:])
    rows = cells_of(D.Rule().protect(cw.compare_rates(events=(13, 25), totals=(45, 83))))
    assert not any("[c]" in text for row in rows for text in row)


def trial() -> Any:
    frame = pd.DataFrame(
        {
            "family": np.repeat([f"F{k}" for k in range(60)], 2),
            "child": [f"C{k}" for k in range(120)],
            "age": np.arange(120) % 17,
            "girl": (np.arange(120) % 40 == 0).astype(int),
        }
    )
    design = cw.Design("t", arms={"a": 1, "b": 1}, cluster="family", method=cw.Complete(), seed=3)
    return design.assign(frame), frame


def test_the_flow_of_a_trial_and_its_balance() -> None:
    assignment, frame = trial()
    flow = cw.consort(
        assignment,
        excluded={"moved": frame["family"].isin(["F1", "F2", "F3"]).to_numpy()},
        assessed=(62, 124),
        not_randomised={"refused": (2, 4)},
    )
    made = D.Rule().protect(flow, assignment.balance(["age", "girl"]))
    text = str(made)
    assert "Assessed for eligibility: [c]" in text or "refused: [c]" in text
    assert D.audit(made, D.Rule()).safe
    flow_rows = cells_of(made[0])
    assert any("[c]" in cell for row in flow_rows for cell in row)
    assert not re.search(r"\b2 families|\b4 children", text)
    with D.applying(D.Rule()):
        said = flow.describe()
    assert "[c] families" in said and not re.search(r"\b2 families", said)
    assert re.search(r"\b2 families", flow.describe())


@pytest.mark.parametrize("lost", [1, 2, 3, 9])
def test_no_reader_of_a_flow_has_those_who_were_left_out(lost: int) -> None:
    assignment, frame = trial()
    first = assignment.frame[assignment.frame["arm"] == "a"]["family"].unique()[:lost]
    flow = cw.consort(assignment, excluded={"moved": frame["family"].isin(first).to_numpy()})
    table = D.Rule().protect(flow).tables[0]
    told = {row[0]: [re.sub(r" \(.*", "", cell) for cell in row[1:]] for row in table.cells()}
    assert told.keys() == {"allocated", "not analysed: moved", "analysed"}
    for k, arm in enumerate("ab"):
        cells = {("Total",): told["allocated"][k], ("moved",): told["not analysed: moved"][k]}
        cells[("analysed",)] = told["analysed"][k]
        for bounds in reader([([f"part of {arm}"], cells)]).values():
            assert values(bounds) >= 5
    assert ("[c]" in told["not analysed: moved"]) == (lost < 5)


def test_numbers_at_risk_in_the_table_and_under_the_curves() -> None:
    curves = cw.kaplan_meier("Surv(week, arrest) ~ fin", ROSSI.head(60))
    times = [0, 20, 40, 52]
    plain = curves.risk_table(times).cells()
    last = [int(row[-1]) for row in plain]
    made = D.Rule(threshold=min(last) + 1).protect(curves.risk_table(times))
    rows = cells_of(made)
    assert any(row[-1] == "[c]" for row in rows)
    with D.applying(made):
        axes = curves.plot(end=52, step=26)
    texts = [text.get_text() for text in axes.texts]
    assert "[c]" in texts and str(min(last)) not in texts
    with D.applying(D.Rule()):
        again = [text.get_text() for text in curves.plot(end=52, step=26).texts]
    assert "[c]" not in again or min(last) < 5
    assert "[c]" not in [text.get_text() for text in curves.plot(end=52, step=26).texts]


def test_a_difference_between_numbers_at_risk_is_protected_where_the_rule_says_so() -> None:
    curves = cw.kaplan_meier("Surv(week, arrest) ~ 1", ROSSI.head(60))
    at = curves.risk_table([0, 10, 20]).cells()[0][1:]
    gone = [int(a) - int(b) for a, b in itertools.pairwise(at)]
    assert any(0 < n < 5 for n in gone)
    free = cells_of(D.Rule().protect(curves.risk_table([0, 10, 20])))[0]
    assert free[1:] == at
    strict = cells_of(D.Rule(differences=True).protect(curves.risk_table([0, 10, 20])))[0]
    assert "[c]" in strict


def test_results_by_group_share_the_totals_over_groups() -> None:
    by = cw.crosstab("arrest ~ fin", ROSSI.head(120), by="mar")
    whole = cw.crosstab("arrest ~ fin", ROSSI.head(120))
    made = D.Rule().protect(by, whole)
    assert D.audit(made, D.Rule()).safe and len(made) == 2
    apart = [D.Rule().protect(one) for one in (by, whole)]
    hidden = [sum("[c]" in cell for row in cells_of(one) for cell in row) for one in apart]
    both = [sum("[c]" in cell for row in cells_of(made[k]) for cell in row) for k in (0, 1)]
    assert sum(both) >= sum(hidden)


def test_notes_that_count_rows_are_left_out() -> None:
    frame = FEW.assign(race=[None, None, *FEW["race"][2:]])
    table = cw.crosstab("race ~ mar", frame)
    assert any("2 of 40" in str(note) for note in table.table().notes)
    notes = D.Rule().protect(table).tables[0].notes
    assert not any("2 of 40" in note for note in notes)
    assert any("left out" in note for note in notes)


def test_a_pickle_of_protected_tables_holds_no_suppressed_count() -> None:
    frame = margins(np.array([[4, 1234567], [7654321, 55]]), ["a", "b"])
    frame["out"] = frame["n"] == 1234567
    made = D.Rule().protect(D.tabulated(frame, count="n", by=["a", "b"], withheld="out"))
    kept = pickle.dumps(made)
    again = pickle.loads(kept)
    assert str(again) == str(made)
    assert (1234567).to_bytes(4, "little") not in kept
    with pytest.raises(cw.InputError, match="out of a pickle"):
        D.audit(again, D.Rule())


# -- what is refused --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"threshold": 0}, "from 1 upwards"),
        ({"threshold": 2.5}, "from 1 upwards"),
        ({"threshold": True}, "from 1 upwards"),
        ({"base": 0}, "from 1 upwards"),
        ({"cost": "money"}, "cells"),
        ({"structural": "zero"}, "structural="),
        ({"structural": [{}]}, "structural="),
    ],
)
def test_a_rule_that_is_none_is_refused(wrong: Any, words: str) -> None:
    with pytest.raises(cw.InputError, match=words):
        D.Rule(**wrong)


@pytest.mark.parametrize(
    ("frame", "options", "words"),
    [
        ({"a": ["x"], "n": [-1]}, {}, "negative, fractional"),
        ({"a": ["x"], "n": [1.5]}, {}, "negative, fractional"),
        ({"a": ["x"], "n": [None]}, {}, "negative, fractional"),
        ({"a": ["x"], "n": ["many"]}, {}, "negative, fractional"),
        ({"a": ["x"], "n": [float("inf")]}, {}, "negative, fractional"),
        ({"a": ["x", "x"], "n": [1, 2]}, {}, "comes twice"),
        ({"a": ["x", None], "n": [1, 2]}, {}, "a level is missing"),
        ({"a": ["x", "Total"], "n": [1, 2]}, {}, "their total is 2"),
        ({"a": ["x"], "n": [1]}, {"by": []}, "no column"),
        ({"a": ["x"], "n": [1]}, {"by": ["b"]}, "no column 'b'"),
        ({"a": ["x"], "n": [1]}, {"parts": {"a": {"x": ["y"], "y": ["x"]}}}, "circles"),
        ({"a": ["x"], "n": [1]}, {"parts": {"a": {"x": ["z"], "y": ["z"]}}}, "part of two"),
    ],
)
def test_counts_that_are_none_are_refused(frame: Any, options: Any, words: str) -> None:
    with pytest.raises(cw.InputError, match=words):
        D.tabulated(pd.DataFrame(frame), count="n", **{"by": ["a"], **options})


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: D.Rule().protect(), "nothing to protect"),
        (lambda: D.Rule().protect(3), "has no tables"),
        (lambda: D.Rule().protect(ROSSI), "tabulated"),
        (lambda: D.audit([], D.Rule()), "nothing to audit"),
        (lambda: D.audit(3, D.Rule()), "has no tables"),
        (lambda: D.audit(cw.crosstab("race ~ mar", FEW), 5), "rule="),
        (lambda: D.check(3), "has no tables"),
        (lambda: D.applying(5).__enter__(), "no rule"),
    ],
)
def test_what_has_no_counts_is_refused(call: Any, words: str) -> None:
    with pytest.raises(cw.InputError, match=words):
        call()


def test_without_scipy_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    table = D.tabulated(pd.DataFrame({"a": ["x"], "n": [3]}), count="n", by=["a"])
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(cw.CreweError, match=r"crewe\[disclosure\]"):
        D.Rule().protect(table)
    # What needs no bounds needs no scipy.
    assert D.small_cells(table) == 1


# -- anonymity and the check of a report ------------------------------------------------------


def test_anonymity_is_what_pandas_counts() -> None:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "age": rng.integers(5, 9, 200),
            "sex": rng.choice(["f", "m"], 200),
            "school": rng.choice(["x", "y", None], 200, p=[0.7, 0.2, 0.1]),
            "closed": rng.integers(0, 2, 200),
        }
    )
    quasi = ["age", "sex", "school"]
    found = D.anonymity(frame, quasi=quasi, sensitive="closed", k=6, l=2)
    groups = frame.groupby(quasi, dropna=False)
    size = groups["closed"].transform("size")
    assert found.rows == list(np.flatnonzero(size < 6)) and found.smallest == size.min()
    assert found.told == list(np.flatnonzero(groups["closed"].transform("nunique") < 2))
    assert len(found.combinations) == 7 and not found.holds
    pair = next(one for one in found.combinations if one.columns == ("age", "sex"))
    assert pair.smallest == frame.groupby(["age", "sex"]).size().min()
    assert "6 was asked for" in str(found)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"quasi": []}, "quasi="),
        ({"quasi": ["fin", "fin"]}, "quasi="),
        ({"quasi": ["fin"], "sensitive": "fin"}, "quasi="),
        ({"quasi": ["finn"]}, "fin"),
        ({"quasi": ["fin"], "k": 0}, "k="),
        ({"quasi": ["fin"], "l": 1.5}, "l="),
    ],
)
def test_anonymity_refuses_what_is_wrong(options: Any, words: str) -> None:
    with pytest.raises(cw.InputError, match=words):
        D.anonymity(ROSSI, **options)


def test_the_check_finds_small_counts_and_people() -> None:
    people = cw.datasets.project_crewe(seed=2017).cases.head(30)
    found = D.check([cw.crosstab("race ~ mar", FEW), people])
    assert not found.clean and found.small[0] > 0
    assert {"family_id", "child_id"} <= set(found.ids[1])
    made = D.Rule().protect(cw.crosstab("race ~ mar", FEW))
    assert D.check([made]).small == [0] and D.check([made]).clean
    assert D.row_level_ids(ROSSI) == []
    assert D.row_level_ids(pd.DataFrame({"who": [1, 2]}), unit="who") == ["who"]
    assert "Disclosure check" in str(found)


def test_presets_name_where_they_were_read() -> None:
    assert D.DFE.threshold == 6 and D.SRS.threshold == 10
    for rule in (D.DFE, D.SRS):
        assert all(s.url.startswith("http") and "2026" in s.read and s.says for s in rule.sources)


# -- a peer -----------------------------------------------------------------------------------

PEERS = json.loads((ROOT / "tests/reference/disclosure/peers.json").read_text("utf-8"))


def test_patterns_cost_no_more_than_those_of_tau_argus() -> None:
    """Held against pytauargus on the table of its README and 40 others; its rule asks for other intervals."""
    names = ["row", "column"]
    ours = {"cells": 0, "people": 0}
    theirs = {kind: {"cells": 0, "people": 0} for kind in ("optimal", "modular")}
    for case in PEERS["cases"]:
        frame = margins(np.array(case["counts"]), names)
        made = D.Rule(cost="counts").protect(D.tabulated(frame, count="n", by=names))
        _, cells = shown(made.tables[0], names)
        size = {tuple(row[:2]): row[2] for row in frame.itertuples(index=False)}
        further = [at for at, text in cells.items() if text == "[c]" and size[at] >= 5]
        ours["cells"] += len(further)
        ours["people"] += sum(size[at] for at in further)
        for kind, sums in theirs.items():
            status = {
                (row.removeprefix("r"), column.removeprefix("c")): mark
                for row, column, _, mark in case[kind]["cells"]
            }
            # Both leave the same counts out for being small.
            assert {at for at, mark in status.items() if mark == "U"} == {
                at for at, n in size.items() if n < 5
            }
            sums["cells"] += sum(mark == "M" for mark in status.values())
            sums["people"] += sum(size[at] for at, mark in status.items() if mark == "M")
    assert ours["cells"] <= min(sums["cells"] for sums in theirs.values())
    assert ours["people"] <= min(sums["people"] for sums in theirs.values())


def test_figures_of_counts_leave_out_what_a_table_leaves_out() -> None:
    table = cw.crosstab("race ~ mar", FEW)
    frame = pd.DataFrame({"arm": ["a"] * 3 + ["b"] * 30, "visits": np.arange(33.0)})
    means = cw.describe("visits ~ arm", frame)
    plain = table.plot(), means.plot()
    assert any(bar.get_height() > 0 for bar in plain[0].patches)
    with D.applying(D.Rule().protect(table, means)):
        axes = table.plot(), means.plot()
    assert not any(bar.get_height() > 0 for bar in axes[0].patches)
    heights = sorted(bar.get_height() for bar in axes[1].patches)
    assert heights == [0.0, pytest.approx(17.5)]
    ticks = " ".join(label.get_text() for label in axes[1].get_xticklabels())
    assert "30" in ticks and "3," not in ticks


@pytest.mark.parametrize("seed", range(4))
def test_no_reader_of_crosstabs_means_and_rates_has_a_suppressed_count(seed: int) -> None:
    """What several results print together: cross tables, the sizes and means of groups, the rate of an event."""
    rng = np.random.default_rng(seed)
    for _ in range(8):
        n = int(rng.integers(40, 120))
        frame = pd.DataFrame(
            {
                "arm": rng.choice(["a", "b"], n),
                "closed": (rng.random(n) < 0.1).astype(int),
                "history": rng.choice(["x", "y", "z"], n, p=[0.6, 0.3, 0.1]),
            }
        )
        results = [
            cw.crosstab("closed ~ arm", frame),
            cw.crosstab("history ~ arm", frame),
            cw.crosstab("closed ~ history", frame),
            cw.describe("closed ~ arm", frame),
            cw.compare_rates("closed ~ arm", frame),
        ]
        closed, history, both, means, rates = (
            [list(map(str, table.header)), *table.cells()]
            for table in D.Rule().protect(*results).tables
        )
        printed = []
        for names, rows in (
            (["closed", "arm"], closed),
            (["history", "arm"], history),
            (["closed", "history"], both),
        ):
            cells = {
                (row[0].replace("all", "Total"), column): re.sub(r" \(.*", "", text)
                for row in rows[1:]
                for column, text in zip(rows[0][1:], row[1:], strict=True)
            }
            # Sums over columns are not printed, and known to be sums.
            cells |= {(row[0].replace("all", "Total"), "Total"): "[c]" for row in rows[1:]}
            printed.append((names, cells))
        for row in means[1:]:
            if row[3] != "[c]":
                ones = round(float(row[3]) * float(row[1]))
                assert printed[0][1]["1", row[0]] == str(ones)
        for row in rates[1:3]:
            if row[1] != "[c]":
                told = printed[0][1]["1", row[0]]
                assert told in ("[c]", row[1].split("/")[0]) and (told != "[c]" or "[c]" in row[1])
        for where, bounds in reader(printed).items():
            # Sums that no table prints may be large, and then need no protection.
            if [name for name, _ in where] not in ([], ["closed"]):
                assert values(bounds) >= 5, (where, bounds, printed)


def test_a_key_that_cannot_be_written_leaves_nothing_and_shows_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os
    import traceback

    key = cw.disclosure.StudyKey.draw("Crewe")
    digits = key._key.reveal()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(cw.CreweError) as refused:
        key.write(tmp_path / "crewe.key")
    assert os.listdir(tmp_path) == []
    # Our own frame is the first; those below it are what a tracker would show with their variables.
    shown = traceback.TracebackException.from_exception(refused.value, capture_locals=True)
    below = [frame for frame in shown.stack if "python/crewe/" in frame.filename]
    assert below and not any(digits in str(frame.locals) for frame in below)
    assert shown.__cause__ is None and shown.__context__ is None


def test_tests_of_two_samples_and_of_curves_give_no_small_count_away() -> None:
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({"arm": ["a"] * 40 + ["b"] * 43, "y": rng.normal(size=83)})
    frame["rare"] = np.where(np.arange(83) < 3, "yes", "no")
    frame["days"], frame["event"] = rng.integers(1, 99, 83), (np.arange(83) % 40 == 4) * 1
    frame["b"] = (np.arange(83) % 40 == 1) * 1
    curves = cw.logrank("Surv(days, event) ~ arm", frame)
    assert curves.observed.max() < 5
    for result in (
        curves,
        cw.mann_whitney("y ~ rare", frame),
        cw.permutation_test("b ~ arm", frame),
        cw.permutation_test("b ~ rare", frame),
    ):
        printed = repr(cw.disclosure.DFE.protect(result))
        assert "[c]" in printed, printed
        assert not re.search(r"(?<![\d.,−(])[1-5](?![\d.,%)])(?! df)", printed.split("\n\n")[1]), (
            printed
        )
        assert "p = 0" not in printed
        # Without a rule nothing is left out.
        assert "[c]" not in repr(result)


def test_identifiers_that_look_alike_are_in_no_report(tmp_path) -> None:
    families = pd.DataFrame({"family": ["F1", "f1", "F2", "F3"], "arm": ["a", "a", "b", "b"]})
    design = cw.Design("T", arms={"a": 1, "b": 1}, cluster="family", seed=1)
    trial = design.observe(families, arm="arm")
    assert any("'F1' and 'f1'" in note for note in trial.notes)
    page = cw.Report("T").add(trial).save(tmp_path / "t.html").read_text()
    assert "look alike are counted apart" in page and "F1" not in page and "f1" not in page
