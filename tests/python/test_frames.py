"""Frames of every kind are read exactly: labels, rows in order, identifiers, orders of arrival."""

from __future__ import annotations

import decimal
import pickle

import crewe as cw
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from crewe.frames.source import aligned, label_of
from hypothesis import given, settings
from hypothesis import strategies as st

RNG = np.random.default_rng(20261129)


def _rows(n: int = 40) -> tuple[pd.DataFrame, pd.Series]:
    x = RNG.normal(size=n)
    labels = [f"row{i}" for i in range(n)]
    frame = pd.DataFrame({"x": x, "z": RNG.normal(size=n)}, index=labels)
    return frame, pd.Series(1.0 + 2.0 * x + 0.1 * RNG.normal(size=n), index=labels, name="y")


def test_2_1_arrays_of_a_model_are_aligned_by_label():
    frame, y = _rows()
    cluster = pd.Series(np.repeat(np.arange(10), 4), index=frame.index)
    weights = pd.Series(RNG.uniform(1, 2, 40), index=frame.index)
    right = cw.ols(y, frame, cluster=cluster, weights=weights)
    other = cw.ols(y, frame.iloc[::-1], cluster=cluster.sample(frac=1, random_state=1),
                   weights=weights.sample(frac=1, random_state=2))  # fmt: skip
    np.testing.assert_allclose(other.coef, right.coef, rtol=1e-13)
    np.testing.assert_allclose(other.se, right.se, rtol=1e-13)
    assert abs(cw.ols(y.iloc[::-1], frame[["x"]]).coef.iloc[1] - 2.0) < 0.1


def test_2_1_other_labels_are_refused():
    frame, y = _rows()
    with pytest.raises(cw.InputError, match="other labels") as caught:
        cw.ols(y, frame.rename(index={"row3": "elsewhere"}))
    assert caught.value.column == "X"
    twice = y.set_axis(["same"] * len(y))
    assert cw.ols(twice, frame.set_axis(twice.index)).n == len(y)
    with pytest.raises(cw.InputError, match="labels"):
        cw.ols(twice, frame)


def test_2_1_survival_arrays_are_aligned_by_label():
    n = 60
    time = pd.Series(RNG.exponential(size=n), index=[f"r{i}" for i in range(n)])
    event = pd.Series(RNG.integers(0, 2, n), index=time.index)
    arm = pd.Series(RNG.choice(["a", "b"], n), index=time.index)
    x = pd.DataFrame({"x": RNG.normal(size=n)}, index=time.index)
    layer = pd.Series(RNG.integers(0, 2, n), index=time.index)
    right, mixed = cw.Surv(time, event), cw.Surv(time, event.sample(frac=1, random_state=3))
    np.testing.assert_array_equal(right.event, mixed.event)
    straight = cw.logrank(right, arm, strata=layer)
    assert cw.logrank(mixed, arm.iloc[::-1], strata=layer.iloc[::-1]).statistic == pytest.approx(
        straight.statistic, rel=1e-13
    )
    np.testing.assert_allclose(
        cw.coxph(mixed, x.iloc[::-1]).coef, cw.coxph(right, x).coef, rtol=1e-12
    )
    curves = [
        cw.kaplan_meier(right, by).survival_at([0.5])["estimate"] for by in (arm, arm.iloc[::-1])
    ]
    np.testing.assert_array_equal(curves[0], curves[1])
    with pytest.raises(cw.InputError, match="other labels"):
        cw.logrank(right, arm.reset_index(drop=True))


@given(st.permutations(range(8)))
@settings(max_examples=30, deadline=None)
def test_2_1_any_order_of_labels(order):
    like = pd.Series(np.arange(8.0), index=list("abcdefgh"))
    assert aligned(like.iloc[list(order)], like, "x").equals(like)


NUMBER = st.one_of(
    st.integers(-(2**52), 2**52).map(float), st.floats(allow_nan=False, allow_infinity=False)
)


@given(NUMBER, NUMBER)
@settings(deadline=None)
def test_1_5_labels_are_exact(a, b):
    assert float(label_of(a)) == a
    assert (label_of(a) == label_of(b)) == (a == b)
    assert not label_of(a).endswith(".0")


@pytest.mark.parametrize(
    "values", [(1000001.0, 1000002.0, 1000003.0), (0.12345671, 0.12345674, 0.12345679)]
)
def test_1_5_groups_are_told_apart_everywhere(values):
    n = 60
    d = pd.DataFrame({"g": np.repeat(values, 20), "y": RNG.normal(size=n), "arm": ["a", "b"] * 30})
    d["t"], d["e"] = RNG.exponential(size=n), RNG.integers(0, 2, n)
    names = [label_of(value) for value in values]
    fits = cw.ols("y ~ arm", d, by="g")
    assert list(fits) == names
    assert [fit.n for fit in fits.values()] == [20, 20, 20]
    assert cw.kaplan_meier("Surv(t, e) ~ g", d).groups == names
    assert cw.coxph("Surv(t, e) ~ arm + strata(g)", d).strata == names
    assert list(cw.ols("y ~ arm + C(g)", d).margins("g").tidy().iloc[:, 0]) == names


def test_1_5_strata_are_columns_as_they_are_called():
    n = 60
    d = pd.DataFrame({"t": RNG.exponential(size=n), "e": 1, "x": RNG.normal(size=n)})
    d[" g"] = d["g"] = np.arange(n) % 2
    fits = [cw.coxph("Surv(t, e) ~ x", d, strata=name) for name in (" g", "g")]
    assert fits[0].coef.equals(fits[1].coef) and fits[0].strata == fits[1].strata
    assert fits[0].formula == "Surv(t, e) ~ x + strata(` g`)"


def _big(kind: str):
    codes = [2**60 + i % 3 for i in range(30)]
    y = [float(i % 3) + 0.1 * (i % 2) for i in range(30)]
    if kind == "polars":
        return pytest.importorskip("polars").DataFrame({"g": codes, "y": y})
    if kind == "pyarrow":
        return pytest.importorskip("pyarrow").table({"g": codes, "y": y})
    if kind == "uint64":
        return pd.DataFrame({"g": np.array(codes, dtype="uint64"), "y": y})
    if kind == "decimal":
        return pd.DataFrame({"g": [decimal.Decimal(code) for code in codes], "y": y})
    if kind == "missing":
        return pd.DataFrame({"g": pd.array([None, *codes[1:]], dtype="Int64"), "y": y})
    return pd.DataFrame({"g": codes, "y": y})


@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow", "uint64", "decimal", "missing"])
def test_1_8_whole_numbers_beyond_float64_are_exact_levels(kind):
    d = _big(kind)
    names = [str(2**60 + i) for i in range(3)]
    fit = cw.ols("y ~ C(g)", d)
    assert fit.terms[1:] == [f"C(g)[T.{name}]" for name in names[1:]]
    np.testing.assert_allclose(fit.coef.iloc[1:], [1.0, 2.0], atol=0.011)
    for at in ("means", "observed"):
        table = pd.DataFrame(dict(fit.margins("g", at=at)._levels))
        assert list(table["level"]) == names
        np.testing.assert_allclose(table["estimate"], [0.05, 1.05, 2.05], atol=0.011)
    assert list(cw.ols("y ~ 1", d, by="g", vcov="iid")) == names


def test_1_8_large_decimal_numbers_are_levels_of_their_own():
    d = pd.DataFrame({"g": [1e19, 2e19, 3e19] * 10, "y": RNG.normal(size=30)})
    assert len(cw.ols("y ~ C(g)", d).terms) == 3


def test_1_13_decimals_are_numbers():
    x = RNG.normal(size=30).round(3)
    y = 2 * x + RNG.normal(size=30)
    frames = [pd.DataFrame({"x": column, "y": y})
              for column in (x, [decimal.Decimal(str(value)) for value in x])]  # fmt: skip
    plain, decimals = (cw.ols("y ~ x", frame) for frame in frames)
    np.testing.assert_array_equal(plain.coef, decimals.coef)


@pytest.mark.parametrize("as_text", [False, True])
def test_1_13_text_among_numbers_is_refused(as_text):
    cells = [float(i) for i in range(50)]
    cells = [str(cell) for cell in cells] if as_text else cells
    cells[7] = "n/a"
    d = pd.DataFrame({"x": cells, "y": RNG.normal(size=50)})
    with pytest.raises(cw.InputError, match="text among numbers") as caught:
        cw.ols("y ~ x", d)
    assert (caught.value.column, caught.value.rows, caught.value.values) == ("x", [7], ["n/a"])


def test_1_13_ages_as_text_get_a_note():
    d = pd.DataFrame({"age": [str(9 + i % 4) for i in range(40)], "y": RNG.normal(size=40)})
    fit = cw.ols("y ~ age", d)
    assert len(fit.terms) == 4
    assert any("age is numbers written as text" in note for note in fit.notes)


def test_2_16_other_byte_orders():
    d = pd.DataFrame({"g": np.array([0, 1, 2] * 10), "y": RNG.normal(size=30)})
    other = d.astype({"g": ">i8", "y": ">f8"})
    for formula, by in (("y ~ g", None), ("y ~ 1", "g")):
        assert repr(cw.ols(formula, other, by=by)) == repr(cw.ols(formula, d, by=by))


def test_2_16_levels_without_end_are_refused():
    n = 100_000
    d = pd.DataFrame({"t": [f"s{i}" for i in range(n)], "y": np.arange(n, dtype=float)})
    with pytest.raises(cw.InputError, match="different values") as caught:
        cw.ols("y ~ t", d)
    assert caught.value.column == "t"


def test_2_16_levels_written_alike_and_broken_text_are_refused():
    y = RNG.normal(size=30)
    twice = pd.DataFrame({"g": pd.Categorical([1, "1", 2] * 10), "y": y})
    with pytest.raises(cw.InputError, match="written alike"):
        cw.ols("y ~ g", twice)
    text = pd.Series(["a", "\ud800", "b"] * 10, dtype=object)
    broken = pd.DataFrame({"g": text, "y": y})
    with pytest.raises(cw.InputError, match="broken characters"):
        cw.ols("y ~ g", broken)


def test_2_15_weights_that_overflow_are_refused():
    d = pd.DataFrame({"x": RNG.normal(size=30), "y": RNG.normal(size=30), "w": 1.0})
    d.loc[3, "w"] = 1.7e308
    with pytest.raises(cw.InputError, match="overflow") as caught:
        cw.ols("y ~ x", d, weights="w")
    assert (caught.value.column, caught.value.rows) == ("w", [3])


def _design(method=None, unit="id"):
    return cw.Design("trial", arms={"a": 1, "b": 1}, unit=unit, seed=1,
                     **({} if method is None else {"method": method}))  # fmt: skip


@pytest.mark.parametrize(
    "order",
    [["1", "10", "2", "3"], ["9/1/2024", "10/1/2024", "1/2/2024", "2/2/2024"], ["1", 2, "3", 4],
     ["3 Jan 2024", "1 Feb 2024", "2 Mar 2024", "1 Apr 2024"], ["-1", "-2", "-3", "0"]],
)  # fmt: skip
def test_2_7_orders_that_do_not_sort_as_they_read_are_refused(order):
    d = pd.DataFrame({"id": range(4), "o": pd.Series(order, dtype=object)})
    with pytest.raises(cw.InputError, match="order of arrival") as caught:
        _design(cw.Blocks([2])).assign(d, order="o")
    assert caught.value.column == "o"


def test_2_7_orders_that_sort_are_taken():
    numbers = pd.DataFrame({"id": range(12), "o": range(12)})
    padded = numbers.assign(o=[f"{i:02d}" for i in range(12)])
    days = numbers.assign(o=[f"2024-01-{i + 1:02d}" for i in range(12)])
    arms = [_design(cw.Blocks([2])).assign(d, order="o").clusters for d in (numbers, padded, days)]
    assert arms[0] == arms[1] == arms[2]


def test_2_8_whole_numbers_read_as_floats_are_ids():
    d = pd.DataFrame({"id": [3.0, 1.0, 2.0, 4.0]})
    assert _design().assign(d).clusters == _design().assign(d.astype(int)).clusters
    with pytest.raises(cw.InputError, match="decimal") as caught:
        _design().assign(pd.DataFrame({"id": [1.0, 2.5, 3.0, 4.0]}))
    assert caught.value.rows == [1]


def test_2_13_long_codes_of_strata_are_exact():
    d = pd.DataFrame({"id": range(8), "s": [10**17 + i % 2 for i in range(8)]})
    trial = cw.Design("t", arms={"a": 1, "b": 1}, unit="id", strata=["s"], seed=1).assign(d)
    assert trial.strata == [str(10**17), str(10**17 + 1)]
    with pytest.raises(cw.InputError, match="above 2"):
        cw.Design("t", arms={"a": 1, "b": 1}, unit="id", strata=["s"], seed=1).assign(
            d.assign(s=d["s"].astype(float))
        )


@pytest.mark.parametrize("text", ["F1 ", " F1", "F1\u200b", "F\u00ad1", "\ufeffF1", "F1\u3164"])
def test_2_14_what_cannot_be_seen_is_refused(text, tmp_path):
    d = pd.DataFrame({"id": ["F1", text, "F2", "F3"]})
    with pytest.raises(cw.InputError, match="cannot be seen"):
        _design().assign(d)
    observed = _design().observe(d.assign(arm=["a", "b"] * 2), arm="arm")
    assert len(observed) == 4
    design = cw.Design("t", arms={"a": 1, "b": 1}, unit="id", method=cw.Simple(), seed=cw.new_key())
    register = cw.Ledger.create(tmp_path / "t.ledger", design)
    with pytest.raises(cw.InputError, match="cannot be seen"):
        register.enrol(text, approved_by="A")


def test_2_14_ids_that_look_alike_are_noted():
    d = pd.DataFrame({"id": ["F1", "f1", "\u0410B", "AB", "x", "y"]})
    note = " ".join(_design().assign(d).notes)
    assert "'F1' and 'f1'" in note and "\\u0410B" in note and "'x'" not in note


@pytest.mark.parametrize("cells", [[1, "1", 2, 3], [True, 1, 2, 3], [b"1", "1", "2", "3"]])
def test_2_14_ids_of_several_types_are_refused(cells):
    with pytest.raises(cw.InputError, match="several types"):
        _design().assign(pd.DataFrame({"id": pd.Series(cells, dtype=object)}))


def test_2_14_nul_is_refused():
    d = pd.DataFrame({"id": pd.Series(["a\0x", "a\0y", "b", "c"], dtype=object)})
    with pytest.raises(cw.InputError, match="NUL"):
        _design().assign(d)


def _families() -> pd.DataFrame:
    return pd.DataFrame({"family": np.repeat(np.arange(10, 18), 2), "child": range(10, 26)})


def test_2_3_ones_and_zeros_are_a_mask():
    d = _families()
    trial = cw.Design("t", arms={"a": 1, "b": 1}, cluster="family", seed=1).assign(d)
    mask = np.array([1, 0] * 8)
    flow = cw.consort(trial, analysed=mask).flow
    assert sum(arm.analysed[1] for arm in flow) == 8
    small = d.assign(family=d["family"] - 10)
    other = cw.Design("t", arms={"a": 1, "b": 1}, cluster="family", seed=1).assign(small)
    with pytest.raises(cw.InputError, match="could be"):
        cw.consort(other, analysed=mask)


def test_2_1_masks_are_aligned_by_label():
    d = _families()
    trial = cw.Design("t", arms={"a": 1, "b": 1}, cluster="family", seed=1).assign(d)
    mask = d["child"] < 15
    straight, mixed = (cw.consort(trial, analysed=m).flow for m in (mask, mask.iloc[::-1]))
    assert straight == mixed
    with pytest.raises(cw.InputError, match="other labels"):
        cw.consort(trial, analysed=mask.set_axis(range(100, 116)))


def test_9_4_excluded_cases_leave_the_flow():
    from crewe.design.select import Ids

    d = _families()
    trial = cw.Design("t", arms={"a": 1, "b": 1}, cluster="family", seed=1).assign(d)
    cases = Ids(["10", "11", "12"], column="child")
    flow = cw.consort(trial, excluded={"closed": cases}).flow
    assert sum(arm.excluded["closed"][1] for arm in flow) == 3
    assert sum(arm.excluded["closed"][0] for arm in flow) == 1
    with pytest.raises(cw.InputError, match="fits identifiers") as caught:
        cw.consort(trial, excluded={"closed": list(cases)}, member="child")
    assert caught.value.column == "child"
    by_member = cw.consort(trial, excluded={"closed": ["24", "25"]}, member="child").flow
    assert sum(arm.excluded["closed"][1] for arm in by_member) == 2


@pytest.mark.parametrize("scale", [1e-160, 1e-300])
def test_2_15_outcomes_whose_squares_vanish_are_refused(scale):
    frame, y = _rows()
    with pytest.raises(cw.InputError, match="too small") as caught:
        cw.ols("y ~ x", frame.assign(y=y * scale))
    assert caught.value.column == "y"
    with pytest.raises(cw.InputError, match="too small"):
        cw.ols(y * scale, frame)


def test_2_16_a_number_is_no_cluster():
    frame, y = _rows()
    for outcome, data in (("y ~ x", frame.assign(y=y)), (y, frame)):
        with pytest.raises(cw.InputError, match="cluster"):
            cw.ols(outcome, data, cluster=3)


def test_2_14_what_was_randomised_before_the_refusal_still_opens_and_replays(tmp_path, monkeypatch):
    ids = ["F1", "F1 ", "f1", "F2\u200b", "F3", "F4"]
    key = cw.new_key()
    design = cw.Design("t", arms={"a": 1, "b": 1}, unit="id", method=cw.Simple(), seed=key)
    data = pd.DataFrame({"id": ids, "y": range(6)})
    with monkeypatch.context() as before:
        before.setattr("crewe.frames.ids.refuse_hidden", lambda *_: None)
        before.setattr("crewe.design.design.refuse_hidden", lambda *_: None)
        register = cw.Ledger.create(tmp_path / "t.ledger", design)
        for name in ids:
            register.enrol(name, approved_by="A")
        drawn = _design().assign(data)
    again = cw.Ledger.open(tmp_path / "t.ledger", key=key)
    assert again.verify().families == 6
    assert set(again.frame()["id"]) == set(ids)
    again.close(by="A", reason="done")
    assert len(again.assignment()) == 6
    kept = pickle.loads(pickle.dumps(drawn))
    assert kept.clusters == drawn.clusters and list(kept.join(data)["id"]) == ids
    assert _design().draws(data, 2).shape == (2, 6)
    assert cw.mann_whitney("y ~ arm", drawn.frame, design=kept).n == (3, 3)


def test_2_4_clusters_beside_a_formula_come_as_a_column_a_series_or_an_array():
    rng = np.random.default_rng(4)
    d = pd.DataFrame({"y": rng.normal(size=40), "arm": np.repeat(["a", "b"], 20)})
    d["family"] = np.arange(40) // 2
    named = cw.ols("y ~ arm", d, cluster="family")
    shuffled = d["family"].iloc[::-1]
    for ids in (d["family"], shuffled, d["family"].to_numpy(), d["family"].astype(str).tolist()):
        fit = cw.ols("y ~ arm", d, cluster=ids)
        assert fit.clusters == 20
        assert np.array_equal(fit.se, named.se)
        cox = cw.coxph(
            "Surv(family, arm == 'a') ~ y", d.assign(family=d["family"] + 1), cluster=ids
        )
        assert cox.clusters == 20
    gaps = d.assign(y=d["y"].where(d.index % 7 != 0))
    one, other = (cw.ols("y ~ arm", gaps, cluster=c) for c in ("family", d["family"]))
    assert np.array_equal(one.se, other.se) and one.clusters == other.clusters
    with pytest.raises(cw.InputError, match="39 cluster ids for 40 rows"):
        cw.ols("y ~ arm", d, cluster=np.arange(39))


def test_2_11_notes_of_the_trial_reach_every_model():
    d = _families()
    trial = cw.Design("t", arms={"a": 1, "b": 1}, cluster="family", seed=1).assign(d)
    data = trial.frame.assign(
        y=np.arange(16.0) % 5, time=np.arange(16.0) + 1, event=np.resize([1, 0, 1], 16)
    )
    data.loc[data["family"] == 12, "y"] = np.nan
    fits = [
        cw.ols("y ~ arm", data, design=trial),
        cw.logit("event ~ arm + y", data, design=trial),
        cw.coxph("Surv(time, event) ~ arm + y", data, design=trial),
    ]
    for fit in fits:
        notes = " ".join(fit.notes)
        assert "rows dropped by arm: a " in notes
        assert "1 of 8 clusters lost all their rows" in notes


def test_1_12_columns_of_one_name_are_refused_by_name():
    pandas = pd.DataFrame([[1.0, 2.0, 3.0], [2.0, 4.0, 3.5], [3.0, 5.0, 4.5]])
    pandas.columns = pd.Index(["y", "x", "x"])
    numbered = pandas.set_axis(["y", 1, "1"], axis=1)
    arrow = pa.table([pa.array([1.0, 2.0, 3.0])] * 3, names=["y", "x", "x"])
    for frame, name in ((pandas, "x"), (numbered, "1"), (arrow, "x")):
        with pytest.raises(cw.InputError, match=f"several columns called '{name}'"):
            cw.describe("y ~ 1", frame)


def test_2_14_levels_and_clusters_that_look_alike_are_noted():
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(
        {
            "y": rng.normal(size=40),
            "arm": ["a"] * 20 + ["b"] * 18 + ["b "] * 2,
            "family": [f"F{row // 2}" for row in range(39)] + ["f19"],
        }
    )
    said = "levels of 'arm' look alike and are counted apart: 'b' and 'b '"
    for result in (
        cw.ols("y ~ arm", frame, cluster="family"),
        cw.describe("y ~ arm", frame, cluster="family"),
    ):
        assert said in result.notes
        assert any("2 identifiers in 'family' look like one another" in n for n in result.notes)
        # Notes are published, and identifiers are not.
        assert "F19" not in " ".join(result.notes)
    # A blank at the end of a label is seen in what is refused.
    with pytest.raises(cw.InputError, match="seen: a, b, 'b '"):
        cw.permutation_test("y ~ arm", frame)
    assert not any("alike" in note for note in cw.ols("y ~ arm", frame[:38]).notes)


def test_2_9_the_trials_own_nouns_say_whose_rows_are_refused():
    frame = pd.DataFrame({"school": np.repeat([f"S{i}" for i in range(8)], 3)})
    frame["arm"] = np.where(frame.index < 12, "control", "lessons")
    frame["score"] = np.arange(24.0)
    design = cw.Design(
        "t", arms={"control": 1, "lessons": 1}, cluster="school", unit_noun="school", seed=1
    )
    trial = design.observe(frame.drop_duplicates("school")[["school", "arm"]], arm="arm")
    with pytest.raises(cw.DesignError, match="rows of one school would count") as error:
        cw.mann_whitney("score ~ arm", frame, design=trial)
    assert "sibling" not in str(error.value) and "Keep one row a school" in str(error.value)
    assert any(
        "rows of one school are" in n for n in cw.describe("score ~ arm", frame, design=trial).notes
    )
