"""Designs, assignments, balance and flow from Python; every refusal as the user meets it."""

from __future__ import annotations

import copy
import hashlib
import json
import pickle
import struct
import xml.etree.ElementTree as ET

import crewe as cw
import duckdb
import matplotlib
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from crewe.frames.source import Source
from hypothesis import given, settings
from hypothesis import strategies as st

matplotlib.use("agg")

ARMS = {"control": 1, "crewe": 2}


def design(**changes: object) -> cw.Design:
    settings = {"arms": ARMS, "cluster": "family_id", "strata": ["history"], "seed": 2017}
    return cw.Design("Project Crewe", **(settings | changes))


def children(seed: int = 1, families: int = 60) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    family = np.repeat(np.arange(1, families + 1), rng.integers(1, 5, families))
    return pd.DataFrame(
        {
            "family_id": family,
            "child_id": np.arange(len(family)) + 1000,
            "history": rng.integers(0, 2, families)[family - 1],
            "age": rng.normal(9, 4, len(family)).round(1),
            "ethnicity": rng.choice(["a", "b", None], len(family)),
        }
    )


# -- the design --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"arms": {"control": 1}}, "at least two arms"),
        ({"arms": {"control": 1, "crewe": 0}}, "whole number of at least 1"),
        ({"arms": {"control": 0.3, "crewe": 0.7}}, "whole number of at least 1"),
        ({"arms": {"control": 1, "crewe": True}}, "whole number of at least 1"),
        ({"arms": ["control", "crewe"]}, "name every arm"),
        ({"arms": {"caf\u00e9": 1, "cafe\u0301": 1}}, "same name"),
        ({"cluster": None}, "either clusters or individuals"),
        ({"unit": "child_id"}, "either clusters or individuals"),
        ({"strata": ["history", "history"]}, "differ from one another"),
        ({"strata": ["family_id"]}, "differ from one another"),
        ({"method": "complete"}, "no procedure"),
        ({"seed": -1}, "a seed is an integer"),
        ({"seed": 2**64}, "a seed is an integer"),
        ({"seed": b"0" * 32}, "not this bytes"),
        ({"seed": 1.0}, "not this float"),
    ],
)
def test_impossible_designs_are_refused(changes: dict, words: str) -> None:
    with pytest.raises(cw.DesignError, match=words) as caught:
        design(**changes)
    assert caught.value.remedy


def test_a_design_is_frozen_and_prints_itself() -> None:
    made = design()
    with pytest.raises(AttributeError):
        made.name = "another"
    made.arms["third"] = 1
    assert made.arms == ARMS
    assert "control : crewe = 1 : 2" in repr(made)
    assert "<table" in made._repr_html_() and "not concealed" in made._repr_html_()
    assert made.probabilities() == {"control": 1 / 3, "crewe": 2 / 3}
    assert made == design() and hash(made) == hash(design()) and made != design(seed=1)
    assert copy.deepcopy(made) == made and pickle.loads(pickle.dumps(made)) == made


def test_a_seed_is_drawn_and_reported() -> None:
    made = design(seed=None)
    assert isinstance(made.seed, int) and made.seed != design(seed=None).seed
    again = design(seed=made.seed)
    assert again.assign(children()).clusters == made.assign(children()).clusters


def test_commitment_is_the_published_hash() -> None:
    made = design()
    commitment = made.commitment()
    assert json.loads(commitment.design) == {
        "algorithm": "crewe/1",
        "arms": [["control", 1], ["crewe", 2]],
        "method": {"name": "complete"},
        "name": "Project Crewe",
        "strata": ["history"],
        "unit": {"column": "family_id", "kind": "cluster"},
    }
    canonical = json.dumps(
        json.loads(commitment.design), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    assert commitment.design == canonical
    fields = [b"crewe/1 commitment", canonical.encode(), b"\x01" + struct.pack("<Q", 2017)]
    data = b"".join(struct.pack("<Q", len(field)) + field for field in fields)
    assert commitment.digest == hashlib.sha256(data).hexdigest()
    assert commitment.label == "reproducible, not concealed"
    assert made.assign(children()).commitment == commitment


def test_a_key_conceals_and_never_shows() -> None:
    key = cw.new_key()
    made = design(seed=key)
    secret = key.reveal()
    assert len(secret) == 64 and secret != cw.new_key().reveal()
    assert made.commitment().label == "concealed by a 256-bit key"
    assignment = made.assign(children())
    for shown in (repr(key), repr(made), made._repr_html_(), repr(assignment), made.to_toml()):
        assert secret not in shown
    for thing in (made, assignment):
        assert bytes.fromhex(secret) not in pickle.dumps(thing)
    with pytest.raises(TypeError, match="left out of pickles"):
        pickle.dumps(key)
    assert copy.deepcopy(made).seed == key
    lost = pickle.loads(pickle.dumps(made))
    assert lost.seed is None
    with pytest.raises(cw.DesignError, match="left out of pickles"):
        lost.assign(children())
    with pytest.raises(cw.DesignError, match="left out of pickles"):
        lost.commitment()
    again = design(seed=cw.Key.from_hex(secret))
    assert again.assign(children()).clusters == assignment.clusters
    # An assignment under a key still joins and checks after its key is gone.
    kept = pickle.loads(pickle.dumps(assignment))
    assert kept.join(children()).equals(assignment.frame) and kept.possible == assignment.possible
    for bad in ("", "zz", "00" * 31):
        with pytest.raises(cw.DesignError, match="32 bytes"):
            cw.Key.from_hex(bad)


def test_toml_holds_the_design_and_not_the_seed(tmp_path) -> None:
    made = design(
        arms={'quoted "arm"\\': 3, "südwest\n\x7f": 7}, strata=["a b", "ü"], method=cw.Simple()
    )
    text = made.to_toml(tmp_path / "design.toml")
    assert "2017" not in text
    assert cw.Design.from_toml(text, seed=2017) == made
    assert cw.Design.from_toml(tmp_path / "design.toml", seed=2017) == made
    individuals = cw.Design("t", arms=ARMS, unit="child_id", seed=1)
    assert cw.Design.from_toml(individuals.to_toml(), seed=1) == individuals


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: "not toml [", "not TOML"),
        (lambda text: text.replace("crewe/1", "crewe/9"), "another algorithm"),
        (lambda text: "seed = 4\n" + text, "unknown or missing"),
        (lambda text: text.replace('name = "Project Crewe"\n', ""), "unknown or missing"),
        (lambda text: text.replace('"complete"', '"alphabetical"'), "no procedure"),
        (lambda text: text.replace("ratio = 2", "share = 2"), "a name and a ratio"),
        (lambda text: text.replace('name = "crewe"', 'name = "control"'), "same name"),
        (lambda text: text.replace("ratio = 2", "ratio = 2.5"), "whole number"),
    ],
)
def test_wrong_files_are_refused(change, words: str) -> None:
    with pytest.raises(cw.DesignError, match=words):
        cw.Design.from_toml(change(design().to_toml()))


# -- assigning -----------------------------------------------------------------------------------


def test_the_frame_keeps_rows_order_and_kind() -> None:
    data = children().sample(frac=1, random_state=4)
    assignment = design().assign(data)
    frame = assignment.frame
    assert list(frame.columns) == [*data.columns, "arm", "stratum", "probability"]
    pd.testing.assert_frame_equal(frame[data.columns], data)
    by_family = frame.groupby("family_id")["arm"].nunique()
    assert by_family.max() == 1
    assert (frame["arm"] == frame["family_id"].astype(str).map(assignment.clusters)).all()
    assert (frame["stratum"] == frame["history"].astype(str)).all()
    expected = frame["arm"].map({"control": 1 / 3, "crewe": 2 / 3})
    assert np.array_equal(frame["probability"], expected)
    units = assignment.units
    assert len(units) == 60 and units["family_id"].dtype.kind == "i"
    assert units["rows"].sum() == len(data)
    assert sum(assignment.counts().values()) == 60 == len(assignment)

    table = pa.Table.from_pandas(data, preserve_index=False)
    kinds = {
        pl.DataFrame: pl.from_pandas(data),
        pl.LazyFrame: pl.from_pandas(data).lazy(),
        pa.Table: table,
        duckdb.DuckDBPyRelation: duckdb.from_arrow(table),
    }
    for kind, given_frame in kinds.items():
        made = design().assign(given_frame)
        assert isinstance(made.frame, kind) and isinstance(made.units, kind)
        assert made.clusters == assignment.clusters
        column = Source(made.frame).column("arm").series("arm")
        assert list(column) == list(assignment.frame["arm"])


def test_individuals() -> None:
    made = design(cluster=None, unit="child_id", arms={"a": 1, "b": 1, "c": 1})
    assignment = made.assign(children())
    assert assignment.cluster is None and len(assignment) == len(children())
    spread = assignment.frame.groupby(["history", "arm"]).size().unstack()
    assert (spread.max(axis=1) - spread.min(axis=1)).max() <= 1
    twice = pd.concat([children(), children().iloc[[3]]])
    with pytest.raises(cw.InputError, match="more than one row") as caught:
        made.assign(twice)
    assert caught.value.rows == [3, len(twice) - 1] and caught.value.values == ["1003"]


@pytest.mark.parametrize(
    ("data", "kind", "words", "column", "rows"),
    [
        (children().iloc[:0], cw.InputError, "no rows", "family_id", []),
        (children().drop(columns="family_id"), cw.InputError, "no column", "family_id", []),
        (children().drop(columns="history"), cw.InputError, "no column", "history", []),
        (
            children().assign(family_id=lambda d: d["family_id"].where(d.index != 5)),
            cw.InputError, "missing", "family_id", [5],
        ),
        (
            children().assign(family_id=lambda d: d["family_id"] + 0.5 * (d.index == 5)),
            cw.InputError, "decimal", "family_id", [5],
        ),
        (
            children().assign(history=lambda d: d["history"].where(d.index != 7)),
            cw.InputError, "stratum is missing", "history", [7],
        ),
        (
            children().assign(history=lambda d: d["history"] + 0.5),
            cw.InputError, "not a whole number", "history", None,
        ),
        (
            children().assign(history=lambda d: np.where(d.index == 4, np.inf, d["history"])),
            cw.InputError, "not a whole number", "history", [4],
        ),
        (children().query("family_id == 1"), cw.DesignError, "1 units for 2 arms", "family_id", []),
        (children().assign(arm="control"), cw.DesignError, "already have", None, []),
    ],
)  # fmt: skip
def test_data_that_cannot_be_randomised(data, kind, words, column, rows) -> None:
    with pytest.raises(kind, match=words) as caught:
        design().assign(data)
    assert caught.value.column == column and caught.value.remedy
    if rows is not None:
        assert caught.value.rows == rows


def test_a_cluster_in_two_strata_is_refused() -> None:
    data = children()
    rows = data.index[data["family_id"].duplicated()][:1]
    data.loc[rows, "history"] = 1 - data.loc[rows, "history"]
    family = data.loc[rows[0], "family_id"]
    with pytest.raises(cw.DesignError, match="more than one stratum") as caught:
        design().assign(data)
    assert caught.value.rows == list(data.index[data["family_id"] == family])
    assert caught.value.values == [f"family_id {family}"] and caught.value.column == "history"


def test_a_misspelt_column_brings_the_nearest() -> None:
    with pytest.raises(cw.InputError, match="'family_id'"):
        design(cluster="famly_id").assign(children())


def test_assigning_again_is_refused() -> None:
    frame = design().assign(children()).frame
    with pytest.raises(cw.DesignError, match="randomised already") as caught:
        design().assign(frame)
    assert caught.value.values == ["arm", "stratum", "probability"]


def test_draws() -> None:
    made, data = design(), children()
    draws = made.draws(data, 400)
    assert draws.shape == (400, 60) and draws.dtype == np.uint8
    assert np.array_equal(draws[:7], made.draws(data.sample(frac=1, random_state=1), 7))
    assert not np.array_equal(draws[:7], made.draws(data, 7, seed=3))
    history = made.assign(data).units["history"].to_numpy()
    for stratum in ("0", "1"):
        n = (history == stratum).sum()
        treated = draws[:, history == stratum].sum(axis=1)
        assert set(treated) <= {2 * n // 3, -(-2 * n // 3)}
    for n in (0, -1):
        with pytest.raises(cw.DesignError, match="at least 1"):
            made.draws(data, n)
    with pytest.raises(cw.InputError, match="memory"):
        made.draws(data, 2**60)


def test_possible_assignments_are_exact() -> None:
    from math import comb

    data = pd.DataFrame({"family_id": range(132)})
    made = design(strata=[])
    assert made.assign(data).possible == comb(132, 88)
    assert design(strata=[], method=cw.Simple()).assign(data).possible == 2**132
    # Five at 1:2 are 1 and 3 and one place: C(5, 2) + C(5, 1).
    assert made.assign(data.head(5)).possible == comb(5, 2) + comb(5, 1)
    large = made.assign(pd.DataFrame({"family_id": range(30_000)})).possible
    assert large == comb(30_000, 10_000)


@settings(max_examples=30, deadline=None)
@given(
    ratio=st.lists(st.integers(1, 4), min_size=2, max_size=4),
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    seed=st.integers(0, 2**64 - 1),
)
def test_every_stratum_keeps_the_ratio(ratio: list[int], sizes: list[int], seed: int) -> None:
    arms = {f"arm {k}": share for k, share in enumerate(ratio)}
    data = pd.DataFrame(
        [(f"{s}-{i}", s) for s, n in enumerate(sizes) for i in range(n)], columns=["id", "site"]
    )
    made = cw.Design("t", arms=arms, cluster="id", strata=["site"], seed=seed)
    if len(data) < len(arms):
        return
    assignment = made.assign(data)
    units = assignment.units
    for site, n in enumerate(sizes):
        seen = units.loc[units["site"] == str(site), "arm"].value_counts()
        for arm, share in arms.items():
            exact = n * share / sum(ratio)
            assert int(exact) <= seen.get(arm, 0) <= -int(-exact // 1)
    assert np.allclose(assignment.probability, np.array(ratio) / sum(ratio), rtol=1e-15)


# -- observing and joining -----------------------------------------------------------------------


def test_observed_trials() -> None:
    data = design().assign(children()).frame.drop(columns=["stratum", "probability"])
    drawn = design().assign(children())
    by_name = design().observe(data, arm="arm")
    assert by_name.clusters == drawn.clusters and by_name.commitment is None
    assert "observed" in repr(by_name) and "commitment" not in repr(by_name)
    assert list(by_name.frame["arm"]) == list(data["arm"])
    for treated in (
        (data["arm"] == "crewe"),
        (data["arm"] == "crewe").astype(int),
        (data["arm"] == "crewe").astype(float),
        pd.Categorical(data["arm"], categories=["crewe", "control"]),
    ):
        assert (
            design().observe(data.assign(treated=treated), arm="treated").clusters == drawn.clusters
        )


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        (lambda d: d.assign(arm=d["arm"].where(d.index != 2)), cw.InputError, "arm is missing"),
        (lambda d: d.assign(arm=d["arm"].str.title()), cw.InputError, "Did you mean 'control' or"),
        (lambda d: d.assign(arm=2), cw.InputError, "no arm of the design"),
        (lambda d: d.assign(arm="crewe"), cw.DesignError, "in one arm"),
        (lambda d: d.assign(arm=np.where(d["family_id"] == 1, "crewe", "control")),
         cw.DesignError, "fewer than two clusters"),
        (lambda d: d.assign(arm=np.where(d.index % 2, "crewe", "control")),
         cw.DesignError, "more than one arm"),
    ],
)  # fmt: skip
def test_observed_arms_that_cannot_be(change, kind, words: str) -> None:
    data = change(design().assign(children()).frame)
    with pytest.raises(kind, match=words) as caught:
        design().observe(data, arm="arm")
    assert caught.value.column == "arm" and caught.value.remedy
    if "more than one arm" in words:
        sizes = data.groupby("family_id")["child_id"].transform("size")
        assert caught.value.rows == list(data.index[sizes > 1])


def test_check_matches_rows_and_refuses_contradictions() -> None:
    assignment = design().assign(children())
    outcomes = assignment.frame.sample(frac=0.7, random_state=2).reset_index(drop=True)
    joined = assignment.check(outcomes, "arm")
    assert [joined.units[unit] for unit in joined.unit] == list(outcomes["family_id"].astype(str))
    assert [joined.arms[arm] for arm in joined.arm] == list(outcomes["arm"])
    assert [joined.strata[s] for s in joined.stratum] == list(outcomes["stratum"])

    wrong = outcomes.copy()
    wrong.loc[3, "arm"] = {"control": "crewe", "crewe": "control"}[wrong.loc[3, "arm"]]
    with pytest.raises(cw.DesignError, match="not the one drawn") as caught:
        assignment.check(wrong, "arm")
    assert caught.value.rows == [3]
    wrong = outcomes.copy()
    wrong.loc[[1, 4], "history"] = 1 - wrong.loc[[1, 4], "history"]
    with pytest.raises(cw.DesignError, match="randomised in") as caught:
        assignment.check(wrong)
    assert caught.value.rows == [1, 4] and caught.value.column == "history"
    wrong = outcomes.copy()
    wrong.loc[0, "family_id"] = 777
    with pytest.raises(cw.DesignError, match="not randomised") as caught:
        assignment.check(wrong)
    assert caught.value.values == ["777"]
    with pytest.raises(cw.DesignError, match="already have"):
        assignment.join(outcomes)
    late = outcomes[["family_id", "age"]]
    assert list(assignment.join(late)["arm"]) == list(outcomes["arm"])


def test_pickles_leave_out_rows_unless_asked() -> None:
    data = children()
    lean = pickle.loads(pickle.dumps(design().assign(data)))
    assert lean.clusters == design().assign(data).clusters and len(lean.units) == 60
    with pytest.raises(cw.DesignError, match="left out of the pickle"):
        _ = lean.frame
    assert lean.balance(["age"], frame=data).terms == ["age"]
    full = pickle.loads(pickle.dumps(design().assign(data, keep_data=True)))
    assert full.frame.equals(design().assign(data).frame)


# -- balance and flow ----------------------------------------------------------------------------


def test_balance_is_pandas_arithmetic() -> None:
    assignment = design().assign(children())
    frame = assignment.frame
    balance = assignment.balance(["age", "ethnicity", "history"])
    tidy = balance.tidy().set_index(["level", "term", "arm"])
    child = frame.groupby("arm")["age"].agg(["mean", "std", "count"])
    family = (
        frame.groupby(["family_id", "arm"])["age"]
        .mean()
        .groupby("arm")
        .agg(["mean", "std", "count"])
    )
    for level, expected in (("child", child), ("family", family)):
        for arm in ARMS:
            row = tidy.loc[(level, "age", arm)]
            assert row["mean"] == pytest.approx(expected.loc[arm, "mean"], rel=1e-12)
            assert row["sd"] == pytest.approx(expected.loc[arm, "std"], rel=1e-12)
            assert row["n"] == expected.loc[arm, "count"]
        gap = expected.loc["crewe", "mean"] - expected.loc["control", "mean"]
        spread = np.sqrt((expected["std"] ** 2).mean())
        assert tidy.loc[(level, "age", "crewe"), "std_difference"] == pytest.approx(gap / spread)
    missing = frame["ethnicity"].isna().groupby(frame["arm"]).sum()
    assert tidy.loc[("child", "ethnicity[a]", "crewe"), "missing"] == missing["crewe"]
    share = (frame["ethnicity"] == "a").sum() / frame["ethnicity"].notna().sum()
    tested = tidy.loc["child"].loc["ethnicity[a]"]
    assert (tested["mean"] * tested["n"]).sum() / tested["n"].sum() == pytest.approx(share)
    assert "Balance by family" in repr(balance) and "Balance by child" in repr(balance)
    assert "p-values" in repr(balance) and balance._repr_html_().count("<table") == 2
    assert pickle.loads(pickle.dumps(balance)).tidy().equals(balance.tidy())
    axes = balance.plot()
    assert axes.get_xlabel() == "Standardised difference from control\n(standard deviations)"


def test_balance_refuses_what_it_cannot_compare() -> None:
    assignment = design().assign(children().assign(size=np.inf))
    with pytest.raises(cw.InputError, match="infinite"):
        assignment.balance(["size"])
    with pytest.raises(cw.InputError, match="no column"):
        assignment.balance(["agee"])
    with pytest.raises(cw.InputError, match="no covariates"):
        assignment.balance([])


def test_consort_counts_families_and_children() -> None:
    data = children().assign(lost=lambda d: (d["child_id"] % 9 == 0).astype(int))
    assignment = design().assign(data)
    frame = assignment.frame
    flow = cw.consort(
        assignment,
        excluded={"opted out": [1, 2], "moved away": "lost"},
        assessed=(65, len(data) + 9),
        not_randomised={"not approved": (5, 9)},
    )
    gone = frame["family_id"].isin([1, 2]) | (frame["lost"] == 1)
    for arm in flow.flow:
        here = frame["arm"] == arm.arm
        kept = frame[here & ~gone]
        assert arm.allocated == (frame[here]["family_id"].nunique(), here.sum())
        assert arm.analysed == (kept["family_id"].nunique(), len(kept))
        told = [*arm.excluded.values(), arm.unexplained, arm.analysed]
        assert tuple(np.sum(told, axis=0)) == arm.allocated
        assert arm.unexplained == (0, 0)
    assert flow.tidy().query("stage == 'allocated'")["units"].sum() == 60
    assert "65 families" in repr(flow) and "not analysed: opted out" in repr(flow)
    drawing = ET.fromstring(flow.svg())
    assert drawing.find("{http://www.w3.org/2000/svg}title") is not None
    assert "Randomised: 60 families" in flow.describe()
    assert flow.svg() in flow._repr_html_()
    assert pickle.loads(pickle.dumps(flow)) == flow
    assert flow.plot().figure is not None


def test_consort_by_the_data_that_were_analysed() -> None:
    assignment = design().assign(children())
    analysed = assignment.frame.query("age > 6")
    by_child = cw.consort(assignment, analysed=analysed, member="child_id")
    assert sum(arm.analysed[1] for arm in by_child.flow) == len(analysed)
    assert sum(arm.unexplained[1] for arm in by_child.flow) == len(children()) - len(analysed)
    by_family = cw.consort(assignment, analysed=analysed)
    assert sum(arm.analysed[0] for arm in by_family.flow) == analysed["family_id"].nunique()
    assert any("member=" in note for note in by_family.notes)
    mask = (children()["age"] > 6).to_numpy()
    for given_mask in (mask, list(map(bool, mask)), pl.Series(mask), pd.Series(mask)):
        assert cw.consort(assignment, analysed=given_mask).flow == by_child.flow


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"excluded": {"lost": [1]}, "analysed": [1, 2]}, "both analysed and excluded"),
        ({"excluded": {"lost": [777]}}, "not randomised"),
        ({"excluded": {"old": "age"}}, "0 and 1"),
        ({"analysed": np.array([True])}, "another number of rows"),
        ({"assessed": (3, 4)}, "do not add up"),
        ({"analysed": pd.DataFrame({"child_id": [1]}), "member": "child_id"}, "not randomised"),
    ],
)
def test_flows_that_cannot_be(arguments: dict, words: str) -> None:
    with pytest.raises((cw.InputError, cw.DesignError), match=words):
        cw.consort(design().assign(children()), **arguments)
