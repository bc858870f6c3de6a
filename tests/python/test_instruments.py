"""Case records, risk matrices, the SDQ and rating scales from Python."""

import datetime as dt
import json
import pickle
from pathlib import Path

import crewe as cw
import duckdb
import matplotlib
import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

matplotlib.use("Agg")
EXPECTED = json.loads(
    (Path(__file__).parents[1] / "reference" / "expected" / "instruments.json").read_text()
)


def to_duckdb(columns):
    table = pa.table(columns)
    return duckdb.from_arrow(table)


BACKENDS = {
    "pandas": pd.DataFrame,
    "polars": lambda columns: pl.DataFrame(columns),
    "lazy": lambda columns: pl.LazyFrame(columns),
    "pyarrow": pa.table,
    "duckdb": to_duckdb,
}


@pytest.fixture(params=BACKENDS)
def build(request):
    return BACKENDS[request.param]


def columns(frame):
    """Give any frame as lists, NaN as None."""
    wrapped = nw.from_native(frame)
    if isinstance(wrapped, nw.LazyFrame):
        wrapped = wrapped.collect()
    return {
        name: [
            None if value is None or value != value else value for value in wrapped[name].to_list()
        ]
        for name in wrapped.columns
    }


# ---- Case records ----------------------------------------------------------------------------

CASES = EXPECTED["cases"]
NAMES = {"cin_start": "cin_start", "randomised": "randomised"}


def ints(values):
    return [int(value) for value in values]


def case_columns():
    record = dict(CASES["input"])
    record["case_id"] = ints(record["case_id"])
    record["family_id"] = ints(record["family_id"])
    return record


def prepare(frame, **options):
    return cw.cases.prepare(
        frame, CASES["start"], CASES["end"], extracted=CASES["extracted"], **NAMES, **options
    )


def test_window_rules_on_every_backend(build):
    frame = build(case_columns())
    cases = prepare(frame)
    assert type(cases.frame) is type(frame)
    got = columns(cases.frame)
    for name in ("history", "closed", "re_referred", "event", "days"):
        assert got[name] == ints(CASES[name]), name
    assert got["censored"] == [1 - event for event in ints(CASES["event"])]
    assert got["referral_recoded"] == CASES["referral_recoded"]
    log = columns(cases.log)
    assert log["rule"] == [1, 2, 3, 4, 0, 0]
    assert log["n"][0] == len(CASES["moved"])
    assert log["rows"][2] == ", ".join(str(row) for row in ints(CASES["late_back"]))
    assert cases.excluded == {}


@pytest.mark.parametrize("form", ["date", "datetime", "timestamp", "polars", "arrow"])
def test_dates_of_every_kind(form):
    record = case_columns()
    dates = ("referral", "closure", "rereferral", "cin_start", "randomised")
    for name in dates:
        days = [None if text is None else dt.date.fromisoformat(text) for text in record[name]]
        if form == "datetime":
            days = [d and dt.datetime(d.year, d.month, d.day, 13, 5) for d in days]
        record[name] = days
    if form == "polars":
        frame = pl.DataFrame(record)
    elif form == "arrow":
        frame = pa.table(record)
    else:
        frame = pd.DataFrame(record)
        if form == "timestamp":
            for name in dates:
                frame[name] = pd.to_datetime(frame[name])
    assert columns(prepare(frame).frame)["days"] == ints(CASES["days"])


def test_a_case_worked_by_hand():
    # Window 1 August 2015 to 1 November 2016.
    data = pd.DataFrame(
        {
            "case_id": ["a", "b", "c", "d"],
            "family_id": [1, 1, 2, 3],
            "referral": ["2015-07-20", "2015-08-05", "2015-09-01", "2015-10-01"],
            "closure": ["2015-12-09", "2016-01-18", "2016-11-02", None],
            "rereferral": ["2016-02-01", "2016-12-01", None, None],
            "cin_start": ["2015-07-31", "2015-08-01", None, None],
            "randomised": ["2015-08-10", "2015-08-10", "2015-09-10", "2015-10-10"],
        },
        index=[10, 20, 30, 40],
    )
    cases = cw.cases.prepare(data, extracted="2017-01-01", **NAMES)
    out = cases.frame
    # a: support a day before the window; closed after 21 + 30 + 31 + 30 + 9 = 121 days, and back.
    # b: support on its first day; back after its end.
    # c: closed a day late. d: open.
    assert out["history"].tolist() == [1, 0, 0, 0]
    assert out["re_referred"].tolist() == [1, 0, 0, 0]
    assert out["closed"].tolist() == [0, 1, 0, 0]
    assert out["event"].tolist() == [1, 1, 0, 0]
    assert out["days"].tolist() == [121, 161, 418, 388]
    assert out["referral_recoded"].tolist()[0] == "2015-08-01"
    assert out.index.tolist() == [10, 20, 30, 40]
    assert list(data.columns) == list(out.columns)[: len(data.columns)]
    assert cases.log["cases"].tolist() == ["a", "a", "b", "a", "c", "d"]

    early = cw.cases.prepare(data, extracted="2017-01-01", origin="referral", **NAMES)
    # a from 1 August: 9 days more; b from 5 August: 5; c 9; d 9.
    assert early.frame["days"].tolist() == [130, 166, 427, 397]
    assert any("before randomisation, by 8.0 days" in note for note in early.notes)
    assert "8.0 days" in repr(early) and "<table" in early._repr_html_()
    assert pickle.loads(pickle.dumps(early)).frame.equals(early.frame)


def test_rules_can_be_left_out():
    all_but = [rule for rule in cw.cases.RULES if rule != "re_referred_not_closed"]
    cases = prepare(pd.DataFrame(case_columns()), rules=all_but)
    assert cases.frame["closed"].tolist() == ints(CASES["event"])
    assert any("re_referred_not_closed" in note for note in cases.notes)
    with pytest.raises(cw.InputError, match="'re_referred_not_closed'"):
        prepare(pd.DataFrame(case_columns()), rules=["re_refered_not_closed"])


def test_exclusions_are_counted_by_reason(build):
    record = case_columns()
    n = len(record["case_id"])
    record["gap"] = [{0: "moved away", 3: "no outcome", 7: "no outcome"}.get(i) for i in range(n)]
    record["randomised"] = [None if i == 5 else day for i, day in enumerate(record["randomised"])]
    cases = prepare(build(record), incomplete="gap")
    assert cases.excluded == {
        "moved away": ["1"],
        "no outcome": ["4", "8"],
        "no date of randomisation": ["6"],
    }
    assert len(columns(cases.frame)["days"]) == n - 4


def test_flags_mark_incomplete_cases():
    record = case_columns()
    record["gap"] = [i == 2 for i in range(len(record["case_id"]))]
    assert prepare(pl.DataFrame(record), incomplete="gap").excluded == {
        "incomplete outcomes": ["3"]
    }


BASE = {
    "case_id": [1, 2, 3],
    "family_id": [1, 2, 2],
    "referral": ["2015-09-01", "2015-09-02", "2015-09-03"],
    "closure": ["2016-01-01", "2016-01-02", None],
    "rereferral": ["2016-02-01", None, None],
    "randomised": ["2015-09-10", "2015-09-11", "2015-09-11"],
}


@pytest.mark.parametrize(
    ("column", "row", "value", "words"),
    [
        ("closure", 1, "2015-09-01", "closed before they were referred"),
        ("closure", 1, "2015-09-05", "closed before they were randomised"),
        ("closure", 0, None, "never closed"),
        ("rereferral", 0, "2015-12-31", "re-referred before they were closed"),
        ("closure", 1, "2017-03-01", "after the day on which the data were extracted"),
        ("randomised", 0, "2015-07-31", "randomised outside the window"),
        ("randomised", 2, "2015-09-12", "different days of randomisation"),
        ("closure", 1, "01/02/2016", "not dates"),
        ("closure", 1, "2016-02-30", "not dates"),
        ("case_id", 1, 1, "more than once"),
    ],
)
def test_impossible_rows_are_refused(column, row, value, words):
    record = {name: list(cells) for name, cells in BASE.items()}
    record[column][row] = value
    with pytest.raises(cw.InputError, match=words) as caught:
        cw.cases.prepare(pd.DataFrame(record), randomised="randomised", extracted="2017-01-01")
    assert row in caught.value.rows
    assert caught.value.remedy


def test_all_impossibilities_come_at_once():
    record = {name: list(cells) for name, cells in BASE.items()}
    record["closure"] = ["2015-08-20", "2016-01-02", None]
    record["rereferral"] = ["2016-02-01", None, "2016-03-01"]
    with pytest.raises(
        cw.InputError, match=r"referred \(column 'closure'; row 0\).*never closed .*row 2\)"
    ):
        cw.cases.prepare(pd.DataFrame(record), randomised="randomised")


def test_missing_family_and_wrong_windows():
    record = {name: list(cells) for name, cells in BASE.items()}
    frame = pl.DataFrame({**record, "family_id": [1, None, 2]})
    with pytest.raises(cw.InputError, match="identifiers are missing"):
        cw.cases.prepare(frame, randomised="randomised")
    with pytest.raises(cw.InputError, match="ends before it starts"):
        cw.cases.prepare(pd.DataFrame(record), "2016-01-01", "2015-01-01", randomised="randomised")
    with pytest.raises(cw.InputError, match="extracted before the end"):
        cw.cases.prepare(pd.DataFrame(record), extracted="2016-01-01", randomised="randomised")
    with pytest.raises(cw.InputError, match="no column of randomisation"):
        cw.cases.prepare(pd.DataFrame(record))
    with pytest.raises(cw.InputError, match="names to be added"):
        cw.cases.prepare(pd.DataFrame({**record, "days": 1}), randomised="randomised")


# ---- Risk ------------------------------------------------------------------------------------

RISK = EXPECTED["risk"]
MATRIX = np.array(RISK["values"], dtype=float)
CREWE = cw.risk.Framework.project_crewe()


def wide_columns():
    record = {"case_id": ints(RISK["case_id"]), "time": ints(RISK["time"]), "arm": RISK["arm"]}
    for j, code in enumerate(RISK["codes"]):
        cells = MATRIX[:, j]
        record[code] = [None if cell != cell else int(cell) for cell in cells]
    return record


def long_columns():
    record = {"case_id": [], "time": [], "arm": [], "code": [], "value": []}
    scale = {2: "Strong desire for change", 1: "compliant", -1: "tokenistic", -2: "denial"}
    for i in range(len(MATRIX)):
        for j, code in enumerate(RISK["codes"]):
            cell = MATRIX[i, j]
            if cell != cell or cell == 0:
                continue
            record["case_id"].append(int(RISK["case_id"][i]))
            record["time"].append("referral" if RISK["time"][i] == 0 else "latest")
            record["arm"].append(RISK["arm"][i])
            record["code"].append(code)
            record["value"].append(scale[cell] if code.startswith("eng") else "present")
    return record


def test_the_matrix_is_data():
    kinds = [factor.kind for factor in CREWE.factors]
    assert (kinds.count("risk"), kinds.count("protective"), kinds.count("engagement")) == (
        19,
        10,
        2,
    )
    assert CREWE.codes == RISK["codes"]
    assert all(f.weight_uncertain for f in CREWE.factors if f.kind != "engagement")
    assert sorted(set(CREWE.scale.values())) == [-2, -1, 1, 2]


@pytest.mark.parametrize("shape", ["wide", "long"])
def test_risk_scores_on_every_backend(build, shape):
    if shape == "wide":
        frame = build(wide_columns())
        scores = CREWE.score(frame)
    else:
        frame = build(long_columns())
        scores = CREWE.score(frame, code="code", value="value", times=["referral", "latest"])
    assert type(scores.frame) is type(frame)
    got = columns(scores.frame)
    for name in ("total", "risk", "protective", "engagement", "low", "high"):
        assert got[name] == RISK[name], name
    assert got["case_id"] == ints(RISK["case_id"])
    change = scores.change(by="arm")
    for name, want in RISK["did"].items():
        assert change.did[name] == pytest.approx(want["estimate"], rel=1e-12)
    tidy = columns(change.tidy())
    assert tidy["std_error"][0] == pytest.approx(RISK["did"]["total"]["std_error"], rel=1e-12)
    counts = columns(scores.prevalence())
    assert counts["count"][:19] == ints(RISK["prevalence"])
    assert counts["n"][0] == 30


def test_scores_worked_by_hand():
    frame = pd.DataFrame(
        [
            (1, 0, "family_stress", "yes"),  # -1
            (1, 0, "parent_mental_health", True),  # -1
            (1, 0, "engagement_parent", -2),  # -2
            (1, 1, "parent_empathy", 1),  # +1
            (1, 1, "engagement_parent", "compliant"),  # +1
            (2, 0, "family_stress", "present"),  # -1
            (2, 1, "family_stress", "absent"),  # 0
        ],
        columns=["case_id", "time", "code", "value"],
    )
    frame["arm"] = np.where(frame["case_id"] == 1, "crewe", "control")
    scores = CREWE.score(frame, code="code", value="value")
    assert scores.frame["total"].tolist() == [-4, 2, -1, 0]
    assert scores.frame["risk"].tolist() == [-2, 0, -1, 0]
    assert scores.frame["low"].tolist() == [-6, 2, -2, 0]
    assert scores.frame["high"].tolist() == [-4, 3, -1, 0]
    change = scores.change()
    # (2 - -4) - (0 - -1) = 5.
    assert change.did["total"] == 5
    assert change.frame["total_change"].tolist() == [6, 1]
    # Stress falls by one in both arms and cancels; mental health and empathy count 1 or 2: 5 to 7.
    assert change.bounds()[["low", "high"]].values.tolist() == [[5, 7]]
    means = change.means
    assert means[means["measure"] == "total"]["mean"].tolist() == [-1, -4, 0, 2]
    heavier = CREWE.with_weights({"parent_mental_health": -2})
    again = heavier.score(frame, code="code", value="value")
    assert again.frame["total"].tolist() == [-5, 2, -1, 0]
    assert again.change().did["total"] == 6
    for result in (scores, change, CREWE):
        assert "<table" in result._repr_html_()
        assert repr(pickle.loads(pickle.dumps(result))) == repr(result)
    assert "uncertain" in repr(scores)
    assert change.tidy()["arm"].tolist() == ["crewe"] * 4


def test_three_uncertain_weights_give_the_range_over_all_choices():
    certain = {
        f.code: f.weight
        for f in CREWE.factors
        if f.kind != "engagement" and f.code not in RISK["uncertain_three"]
    }
    change = CREWE.with_weights(certain).score(pd.DataFrame(wide_columns())).change()
    bounds = change.bounds()
    assert bounds["low"][0] == pytest.approx(RISK["did_range"][0], abs=1e-12)
    assert bounds["high"][0] == pytest.approx(RISK["did_range"][1], abs=1e-12)


def test_row_order_does_not_matter():
    frame = pd.DataFrame(long_columns())
    options = {"code": "code", "value": "value", "times": ["referral", "latest"]}
    one = CREWE.score(frame, **options)
    other = CREWE.score(frame.sample(frac=1, random_state=1), **options)
    key = ["case_id", "time"]
    pd.testing.assert_frame_equal(
        one.frame.sort_values(key, ignore_index=True),
        other.frame.sort_values(key, ignore_index=True),
    )
    assert one.change().did == pytest.approx(other.change().did, rel=1e-12)


def test_missing_times_are_listed():
    frame = pd.DataFrame(wide_columns()).drop(index=[1])
    scores = CREWE.score(frame)
    assert scores.missing == {"1": ["1"]}
    assert len(scores.change().frame) == 29
    assert any("1 of 30 cases" in note for note in scores.notes)


def risk_error(words, **changes):
    record = {
        "case_id": [1, 1, 2],
        "time": [0, 1, 0],
        "code": ["family_stress", "engagement_parent", "parent_empathy"],
        "value": ["present", "compliant", "present"],
    }
    record.update(changes)
    with pytest.raises(cw.InputError, match=words) as caught:
        CREWE.score(pd.DataFrame(record), code="code", value="value")
    return caught.value


def test_bad_assessments_are_refused_with_rows_and_nearest_names():
    error = risk_error(
        "not in the framework", code=["family_stres", "engagement_parent", "parent_empathy"]
    )
    assert error.rows == [0] and "'family_stress'" in error.remedy
    error = risk_error("off the scale of 2, 1, -1, -2", value=["present", 3, "present"])
    assert error.rows == [1] and error.values == ["3"]
    error = risk_error("off the scale", value=["present", "compliantt", "present"])
    assert "'compliant'" in error.remedy
    error = risk_error("values of parent_empathy lie off", value=["present", 1, 2])
    assert error.rows == [2]
    twice = {"case_id": [1] * 3, "time": [0] * 3, "code": ["family_stress"] * 3, "value": [1] * 3}
    risk_error("same factor twice", **twice)
    risk_error("the order of the times", time=["referral", "latest", "referral"])
    risk_error("values are missing", value=["present", None, "present"])
    with pytest.raises(cw.InputError, match="lacks columns"):
        CREWE.score(pd.DataFrame({"case_id": [1], "time": [0], "family_stress": [1]}))
    with pytest.raises(cw.InputError, match="'family_stres' is not in the framework"):
        CREWE.score(pd.DataFrame({"case_id": [1], "time": [0], "family_stres": [1]}))
    with pytest.raises(cw.InputError, match="several values"):
        CREWE.score(pd.DataFrame({**wide_columns(), "arm": ["a", "b"] * 30})).change()
    with pytest.raises(cw.InputError, match="no column 'amr'"):
        CREWE.score(pd.DataFrame(wide_columns())).change(by="amr")
    with pytest.raises(cw.InputError, match="risk factors weigh 0 or less"):
        CREWE.with_weights({"family_stress": 2})
    with pytest.raises(cw.InputError, match="'family_stress'"):
        CREWE.with_weights({"family_stres": -2})


def test_a_framework_from_a_file(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text(
        'title = "Own"\n[[factor]]\ncode = "debt"\nkind = "risk"\nweight = -3\n'
        "weight_uncertain = true\nalternative = -5\n"
        '[[factor]]\ncode = "work"\nkind = "protective"\n'
    )
    own = cw.risk.Framework.from_toml(path)
    scores = own.score(pd.DataFrame({"case_id": [1], "time": [0], "debt": [1], "work": [1]}))
    assert scores.bounds()[["low", "total", "high"]].values.tolist() == [[-4, -2, -2]]
    path.write_text('[[factor]]\ncode = "debt"\nkind = "hazard"\n')
    with pytest.raises(cw.InputError, match="line 1"):
        cw.risk.Framework.from_toml(path)
    path.write_text("title = ")
    with pytest.raises(cw.InputError, match="is not TOML"):
        cw.risk.Framework.from_toml(path)


def test_risk_figures_show_the_numbers():
    scores = CREWE.score(pd.DataFrame(wide_columns()))
    ax = scores.plot(by="arm")
    assert [label.get_text() for label in ax.get_xticklabels()] == [
        "0\nn = 15, 15",
        "1\nn = 15, 15",
    ]
    before = [t for t, time in zip(RISK["total"], RISK["time"], strict=True) if time == 0]
    control = before[:15]
    q1, q3 = np.percentile(control, [25, 75])
    low = min(x for x in control if x >= q1 - 1.5 * (q3 - q1))
    whiskers = [min(line.get_ydata()) for line in ax.lines if len(line.get_xdata()) == 2]
    assert low in whiskers
    change = scores.change()
    ax = change.plot("protective")
    means = change.means
    want = means[(means["measure"] == "protective") & (means["arm"] == "crewe")]["mean"].tolist()
    assert ax.lines[1].get_ydata().tolist() == want
    with pytest.raises(cw.InputError, match="'protective'"):
        change.plot("protectiv")


# ---- SDQ -------------------------------------------------------------------------------------

SDQ = EXPECTED["sdq"]
WORDS = ("close to average", "slightly raised", "high", "very high")


def sdq_columns(words=False):
    labels = {0: "not true", 1: "Somewhat true", 2: "certainly  true"}
    return {
        f"sdq_{j + 1}": [
            None if row[j] is None else labels[row[j]] if words else int(row[j])
            for row in SDQ["items"]
        ]
        for j in range(25)
    }


@pytest.mark.parametrize("words", [False, True])
def test_sdq_on_every_backend(build, words):
    frame = build(sdq_columns(words))
    scores = cw.sdq.score(frame)
    assert type(scores.frame) is type(frame)
    got = columns(scores.frame)
    for name in cw.sdq.SCALES:
        assert got[name] == SDQ[name], name
    assert got["total_difficulties"] == SDQ["total"]
    assert got["band"] == [None if b is None else WORDS[int(b)] for b in SDQ["band"]]
    assert columns(scores.tidy())["term"][-1] == "total difficulties"


def test_sdq_worked_by_hand():
    items = {f"q{j:02d}": [0] for j in range(1, 26)}
    # All "not true": reversed items count 2. Conduct has item 7 (2), hyperactivity 21 and 25 (4),
    # peer 11 and 14 (4), emotional and prosocial none: total 10.
    scores = cw.sdq.score(pd.DataFrame(items), prefix="q")
    row = scores.frame.iloc[0]
    assert [row[name] for name in cw.sdq.SCALES] == [0, 2, 4, 4, 0]
    assert (row["total_difficulties"], row["band"]) == (10, "close to average")
    # Peer without 6 and 23: items 11, 14, 19 give 2 + 2 + 0 = 4 on 3; 5 x 4 / 3 = 6.67, so 7.
    # Total 2 + 4 + 7 = 13.
    scores = cw.sdq.score(pd.DataFrame({**items, "q06": [None], "q23": [None]}), prefix="q")
    row = scores.frame.iloc[0]
    assert (row["peer"], row["total_difficulties"], row["sdq_prorated"]) == (7, 13, 1)
    assert any("pro-rated" in note for note in scores.notes)
    # A third one gone: no scale, no total, no band.
    gone = {**items, "q06": [None], "q23": [None], "q19": [None]}
    row = cw.sdq.score(pd.DataFrame(gone), prefix="q").frame.iloc[0]
    assert np.isnan(row["peer"]) and np.isnan(row["total_difficulties"])
    assert row["band"] is None or row["band"] != row["band"]


def test_sdq_bands_by_informant():
    def total_of(points):
        record = {f"sdq_{j}": [0] for j in range(1, 26)}
        for item in (7, 11, 14, 21, 25):
            record[f"sdq_{item}"] = [2]
        for item in (3, 8, 13, 16, 24, 5, 12, 18, 22, 2):
            add = min(2, points)
            record[f"sdq_{item}"] = [add]
            points -= add
        return pd.DataFrame(record)

    def band(points, **options):
        frame = cw.sdq.score(total_of(points), **options).frame
        assert frame["total_difficulties"][0] == points
        return frame["band"][0]

    four = [band(points) for points in (13, 14, 16, 17, 19, 20)]
    assert four == [WORDS[i] for i in (0, 1, 1, 2, 2, 3)]
    three = [band(points, bands="three") for points in (13, 14, 16, 17)]
    assert three == ["normal", "borderline", "borderline", "abnormal"]
    assert [band(points, informant="teacher") for points in (11, 12, 16, 19)] == list(WORDS)
    both = pd.concat([total_of(16)] * 3, ignore_index=True)
    both["who"] = ["parent", "Teacher", "practitioner"]
    scored = cw.sdq.score(both, informant="who")
    assert scored.frame["band"].tolist()[:2] == ["slightly raised", "high"]
    assert scored.frame["band"].isna().tolist() == [False, False, True]
    assert any(note.startswith("1 questionnaires have no band") for note in scored.notes)
    with pytest.raises(cw.InputError, match="'parent'") as caught:
        cw.sdq.score(both.replace("Teacher", "parents"), informant="who")
    assert caught.value.rows == [1]
    unknown = cw.sdq.score(total_of(13), version="2-4")
    assert unknown.frame["band"].isna().all() and any("no band" in n for n in unknown.notes)


def test_bad_sdq_answers_are_refused():
    record = sdq_columns()
    record["sdq_4"][3] = 3
    with pytest.raises(cw.InputError, match="off the scale of 0, 1, 2") as caught:
        cw.sdq.score(pl.DataFrame(record))
    assert (caught.value.column, caught.value.rows, caught.value.values) == ("sdq_4", [3], ["3"])
    record = sdq_columns(words=True)
    record["sdq_4"][3] = "certainly tru"
    with pytest.raises(cw.InputError, match="'certainly true'"):
        cw.sdq.score(pd.DataFrame(record))
    with pytest.raises(cw.InputError, match="25 items"):
        cw.sdq.score(pd.DataFrame(record), ["sdq_1"])
    with pytest.raises(cw.InputError, match="no column 'sdq_25'"):
        cw.sdq.score(pd.DataFrame(record).drop(columns="sdq_25"))
    with pytest.raises(cw.InputError, match="'parent'"):
        cw.sdq.score(pd.DataFrame(sdq_columns()), informant="parents")


# ---- Rating scales ---------------------------------------------------------------------------

LIKERT = EXPECTED["likert"]


def likert_columns():
    record = {
        f"stress_{j + 1}": [None if row[j] is None else int(row[j]) for row in LIKERT["items"]]
        for j in range(6)
    }
    return {**record, "arm": LIKERT["arm"]}


def score_stress(frame, **options):
    items = [f"stress_{j}" for j in range(1, 7)]
    return cw.survey.score(frame, items, reverse=["stress_2", "stress_5"], **options)


def test_rating_scales_on_every_backend(build):
    frame = build(likert_columns())
    scores = score_stress(frame)
    assert type(scores.frame) is type(frame)
    got = columns(scores.frame)
    for value, want in zip(got["score_total"], LIKERT["total"], strict=True):
        assert value == (want if want is None else pytest.approx(want, rel=1e-14))
    assert scores.alpha == pytest.approx(LIKERT["alpha"], rel=1e-12)
    by_arm = columns(scores.summary(by="arm"))
    assert by_arm["group"] == ["control", "crewe"]
    for key in ("n", "mean", "sd", "q1", "median", "q3"):
        want = [LIKERT["by_arm"][arm][key] for arm in ("control", "crewe")]
        assert by_arm[key] == pytest.approx(want, rel=1e-12)


def test_rating_scale_worked_by_hand():
    data = pd.DataFrame({"a": ["often", "never", None], "b": [4, 2, 5], "c": [1, None, None]})
    scores = cw.survey.score(data, ["a", "b", "c"], reverse=["c"], labels={"never": 1, "often": 4})
    # 4 + 4 + (6 - 1) = 13; (1 + 2) / 2 x 3 = 4.5; one of three answers is under half.
    assert scores.frame["score_total"].tolist()[:2] == [13, 4.5]
    assert np.isnan(scores.frame["score_total"][2])
    assert "at least 2 of 3" in scores.notes[0]
    assert pickle.loads(pickle.dumps(scores)).frame.equals(scores.frame)
    with pytest.raises(cw.InputError, match="'often'"):
        cw.survey.score(data.replace("often", "ofte"), ["a"], labels={"never": 1, "often": 4})
    with pytest.raises(cw.InputError, match="off the scale of 1 to 3"):
        cw.survey.score(data, ["b"], scale=(1, 3))
    with pytest.raises(cw.InputError, match="not among the items"):
        cw.survey.score(data, ["b"], reverse=["c"])
    with pytest.raises(cw.InputError, match="at least one item"):
        cw.survey.score(data, [])


def test_distribution_of_stress_adds_up():
    ax = score_stress(pd.DataFrame(likert_columns())).plot(by="arm")
    heights = [sum(bar.get_height() for bar in container) for container in ax.containers]
    assert heights == pytest.approx([100, 100])
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["control (n = 9)", "crewe (n = 19)"]


# ---- The synthetic trial ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def trial():
    return cw.datasets.project_crewe()


def test_the_rules_give_the_printed_closures_and_re_referrals(trial):
    recoded = ["closed", "days", "event", "re_referred", "history"]
    records = trial["cases"].drop(columns=recoded)
    cases = cw.cases.prepare(
        records,
        referral="referral_date",
        closure="closure_date",
        rereferral="rereferral_date",
        cin_start="support_date",
        randomised="start_date",
        incomplete="exclusion",
    )
    by_arm = cases.frame.groupby("arm")
    assert by_arm.size().to_dict() == {"control": 45, "crewe": 83}
    # 29/45 = 64% and 60/83 = 72% closed; 3 and 5 re-referred.
    assert by_arm["closed"].sum().to_dict() == {"control": 29, "crewe": 60}
    assert by_arm["re_referred"].sum().to_dict() == {"control": 3, "crewe": 5}
    assert sum(len(ids) for ids in cases.excluded.values()) == 4


def test_the_risk_sample_has_the_printed_prevalence(trial):
    scores = CREWE.score(trial["risk"], code="code", value="value", times=["referral", "latest"])
    found = scores.prevalence(
        codes=["parent_domestic_abuse_victim", "parent_mental_health", "parent_substance_abuse"]
    )
    # Table 2: 46.7%, 33.3%, 23.3%.
    assert found["count"].tolist() == [14, 10, 7]
    assert found["n"].tolist() == [30, 30, 30]
    assert not scores.missing
    assert sorted(scores.change().frame["arm"].value_counts().tolist()) == [15, 15]


def test_stress_of_both_services(trial):
    items = [f"stress_{j}" for j in range(1, 6)]
    stress = cw.survey.score(trial["survey"], items)
    assert (stress.frame["score_total"] == stress.frame["stress_score"]).all()
    summary = stress.summary(by="arm")
    assert dict(zip(summary["group"], summary["n"], strict=True)) == {"control": 9, "crewe": 19}


def test_risk_scores_of_one_arm_stand_on_the_scale_of_both() -> None:
    import matplotlib.pyplot as plt

    trial = cw.datasets.project_crewe(seed=2017)
    seen = trial.risk.assign(seen=trial.risk["value"].fillna(trial.risk["present"]))
    scores = cw.risk.Framework.project_crewe().score(
        seen, case="case_id", time="time", code="code", value="seen", times=["referral", "latest"]
    )
    alone = {arm: scores.plot(arm=arm) for arm in ("control", "crewe")}
    both = scores.plot()
    for arm, ax in alone.items():
        assert ax.get_ylim() == both.get_ylim()
        assert [text.get_text() for text in ax.get_legend().get_texts()] == [arm]
        assert [tick.get_text().split("\n")[1] for tick in ax.get_xticklabels()] == ["n = 15"] * 2
    with pytest.raises(cw.InputError, match="no arm 'council'"):
        scores.plot(arm="council")
    plt.close("all")
