"""The edges of instruments, costs and balance: labels, flags, dates, missing cells and names as people write them."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from zoneinfo import ZoneInfo

import crewe as cw
import duckdb
import matplotlib
import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

matplotlib.use("Agg")


def arrow_typed(columns):
    return pa.table(columns).to_pandas(types_mapper=pd.ArrowDtype)


def objects(columns):
    """Give a pandas frame of objects in which missing cells are pd.NA."""
    cells = {
        name: [pd.NA if cell is None else cell for cell in column]
        for name, column in columns.items()
    }
    return pd.DataFrame(cells, dtype=object)


BACKENDS = {
    "pandas": pd.DataFrame,
    "nullable": lambda columns: pd.DataFrame(columns).convert_dtypes(),
    "arrow dtypes": arrow_typed,
    "objects": objects,
    "polars": pl.DataFrame,
    "lazy": pl.LazyFrame,
    "pyarrow": pa.table,
    "duckdb": lambda columns: duckdb.from_arrow(pa.table(columns)),
}


@pytest.fixture(params=BACKENDS)
def build(request):
    return BACKENDS[request.param]


def cells(frame, name):
    """Give a column of any frame as a list, missing cells as None."""
    wrapped = nw.from_native(frame)
    if isinstance(wrapped, nw.LazyFrame):
        wrapped = wrapped.collect()
    return [
        None if value is None or value is pd.NA or value != value else value
        for value in wrapped[name].to_list()
    ]


def totals(answers, labels=None, **options):
    scores = cw.survey.score(pd.DataFrame({"a": answers}), ["a"], labels=labels, **options)
    return [None if total != total else total for total in scores.frame["score_total"]]


# ---- Labels ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "labels",
    [
        ["--", "-", "0", "+", "++"],
        ["-2", "-1", "0", "1", "2"],
        ["<1 hour", "1 hour", ">1 hour"],
        ["no", "no!", "No"],
        ["a b", "a_b", "a-b", "A b"],
        ["£5", "$5", "5%", "5"],
        ["1.5", "15", "1,5"],
        [".", "..", "…"],
    ],
)
def test_9_3_labels_that_differ_in_signs(labels):
    worth = {label: i + 1 for i, label in enumerate(labels)}
    assert totals(labels, worth) == list(worth.values())
    assert totals(labels[::-1], dict(reversed(worth.items()))) == list(worth.values())[::-1]


TEXT = st.text(st.sampled_from("+-<>=!?.,_ %12aAbBé"), min_size=1, max_size=4)


@given(st.lists(TEXT.filter(str.strip), min_size=1, max_size=5, unique=True))
@settings(deadline=None)
def test_9_3_every_label_is_worth_its_own_number(labels):
    worth = {label: i + 1 for i, label in enumerate(labels)}
    assert totals(labels, worth) == list(worth.values())


WORDS = st.text(st.sampled_from("+-<>=!?.,_ aAbB"), min_size=1, max_size=4).filter(str.strip)


def written(text, signs):
    return [sign for sign in text.casefold() if sign.isalpha() or sign in signs]


@given(st.lists(WORDS, min_size=1, max_size=4, unique=True), WORDS)
@settings(deadline=None)
def test_9_3_no_label_is_taken_for_another(labels, answer):
    worth = {label: i + 1 for i, label in enumerate(labels)}
    try:
        (got,) = totals([answer], worth)
    except cw.InputError:
        return
    label = labels[int(got) - 1]
    # It is the label, but for blanks; or the one label with these letters, and has these signs.
    if label.split() != answer.split():
        assert written(label, "+<>=?") == written(answer, "+<>=?")
        assert [label] == [one for one in labels if written(one, "") == written(answer, "")]
        assert answer not in labels


@pytest.mark.parametrize(
    ("answer", "labels"),
    [
        ("NO", {"no": 1, "no!": 2}),
        ("<1 hour", {"1 hour": 1}),
        ("-2", {"2": 5}),
        ("1 Hour", {"<1 hour": 1, "1 hour": 2}),
        ("yes?", {"yes": 1}),
        ("+", {"++": 1, "-": 2}),
        ("5", {"1": 5, "2": 4}),
        (5, {1: 5, 2: 4}),
        ("1.0", {"1": 1, "01": 2}),
    ],
)
def test_9_3_what_could_be_another_label_is_refused(answer, labels):
    with pytest.raises(cw.InputError) as caught:
        totals([1 if isinstance(answer, int) else None, answer], labels, scale=(-5, 5))
    assert (caught.value.column, caught.value.rows, caught.value.values) == (
        "a",
        [1],
        [str(answer)],
    )
    assert caught.value.remedy


def test_9_3_case_spacing_and_punctuation_are_overlooked_where_one_label_fits():
    labels = {"not true": 0, "somewhat true": 1, "dissent, avoidance or denial": 2}
    answers = ["Not true.", "SOMEWHAT  TRUE", " not_true", "Dissent - avoidance or denial"]
    assert totals(answers[:3], labels, scale=(0, 2)) == [0, 1, 0]
    assert totals(["Dissent avoidance or denial"], labels, scale=(0, 2)) == [2]
    # Several labels of one number are no question.
    assert totals(["NO"], {"no": 1, "no!": 1}) == [1]
    # A letter with its accent in one sign or in two.
    assert totals(["cafe\u0301"], {"caf\u00e9": 3}) == [3]


@pytest.mark.parametrize("kind", [str, int, float, np.int8, np.float64, Decimal])
def test_9_3_numbers_follow_labels_that_are_numbers(kind):
    labels = {"-2": 1, "-1": 2, "0": 3, "1": 4, "2": 5}
    assert totals([kind(x) for x in (-2, 1, 2)], labels) == [1, 4, 5]
    assert totals([kind(x) for x in (-2, 1, 2)], {int(k): v for k, v in labels.items()}) == [
        1,
        4,
        5,
    ]
    assert totals([kind(x) for x in (-2, 1, 2)], scale=(-2, 2)) == [-2, 1, 2]


# ---- Flags -----------------------------------------------------------------------------------

BASE = {
    "case_id": [1, 2, 3],
    "family_id": [1, 2, 2],
    "referral": ["2015-09-01", "2015-09-02", "2015-09-03"],
    "closure": ["2016-01-01", "2016-01-02", None],
    "rereferral": ["2016-02-01", None, None],
    "randomised": ["2015-09-10", "2015-09-11", "2015-09-11"],
}


def prepare(build=pd.DataFrame, **columns):
    options = {name: columns.pop(name) for name in ("tz", "start", "end") if name in columns}
    incomplete = "inc" if "inc" in columns else None
    return cw.cases.prepare(
        build({**BASE, **columns}),
        randomised="randomised",
        extracted="2017-01-01",
        incomplete=incomplete,
        **options,
    )


FLAGS = [
    ("0", "1"), ("0.0", "1.0"), ("N", "Y"), ("no", "yes"), ("false", "true"), ("FALSE", "TRUE"), ("F", "T"),
    ("complete", "incomplete"), ("none", "incomplete"), ("absent", "present"), (" No. ", "YES"), (False, True),
    (0, 1), (0.0, 1.0), (None, "1"), (None, "y"), (None, True), ("", "Yes"), ("N/A", "incomplete"),
]  # fmt: skip


@pytest.mark.parametrize(("off", "on"), FLAGS)
def test_9_8_flags_in_any_form(off, on):
    cases = prepare(inc=[off, on, off])
    assert cases.excluded == {"incomplete outcomes": ["2"]}
    assert len(cases.frame) == 2


@pytest.mark.parametrize(
    ("off", "on"), [("0", "1"), ("N", "Y"), (False, True), (None, True), (0, 1)]
)
def test_9_8_flags_on_every_backend(build, off, on):
    cases = prepare(build, inc=[off, on, off])
    assert cases.excluded == {"incomplete outcomes": ["2"]}


@pytest.mark.parametrize(
    "whole", [None, "", "complete", "none", "N/A", "n.a.", "Completed", "nan", "NULL", "<NA>"]
)
def test_9_8_reasons_beside_complete_cases(whole):
    assert prepare(inc=[whole, "moved away", whole]).excluded == {"moved away": ["2"]}


@pytest.mark.parametrize(
    ("column", "rows", "values"),
    [
        (["Y", "maybe", "N"], [1], ["maybe"]),
        (["0", "1", "2"], [2], ["2"]),
        ([0, 1, 0.5], [2], []),
        ([7, None, None], [0], ["7"]),
        (["no", "moved away", None], [1], ["moved away"]),
        (["yes?", "no", "no"], [0], ["yes?"]),
        (["X", None, None], [0], ["X"]),
        (["-", None, "?"], [0, 2], ["-", "?"]),
        (["complete", "incomplete", "unknown"], [2], ["unknown"]),
    ],
)
def test_9_8_unknown_flags_are_refused(column, rows, values):
    with pytest.raises(cw.InputError, match="neither") as caught:
        prepare(inc=column)
    assert (caught.value.column, caught.value.rows, caught.value.values) == ("inc", rows, values)


@pytest.mark.parametrize(
    "column", [["1"] * 3, [True] * 3, ["done"] * 3, ["moved", "died", "moved"]]
)
def test_9_8_no_case_left_is_refused(column):
    with pytest.raises(cw.InputError, match="no case is left: all 3") as caught:
        prepare(inc=column)
    assert caught.value.column == "inc" and caught.value.values


def test_9_8_cases_without_a_date_of_randomisation_are_not_all_of_them():
    with pytest.raises(cw.InputError, match="no case is left") as caught:
        prepare(randomised=[None] * 3)
    assert caught.value.column == "randomised"


# ---- Dates -----------------------------------------------------------------------------------

MIDNIGHT = dt.datetime(2016, 6, 30, 23, tzinfo=dt.timezone.utc)
"""1 July in London."""

AWARE = {
    "pandas": pd.DataFrame,
    "arrow dtypes": arrow_typed,
    "objects": objects,
    "polars": pl.DataFrame,
    "lazy": pl.LazyFrame,
    "pyarrow": pa.table,
    "duckdb": lambda columns: duckdb.from_arrow(pa.table(columns)),
}


@pytest.mark.parametrize("kind", AWARE)
@pytest.mark.parametrize("name", ["closure", "referral", "randomised", "rereferral"])
def test_9_12_times_with_a_zone_are_refused(kind, name):
    column = [MIDNIGHT if i == 1 else None for i in range(3)]
    with pytest.raises(cw.InputError, match="time zone") as caught:
        prepare(AWARE[kind], **{name: column})
    assert (caught.value.column, caught.value.rows) == (name, [1])
    assert "tz=" in caught.value.remedy


@pytest.mark.parametrize("kind", AWARE)
def test_9_12_the_day_is_that_of_the_place_named(kind):
    day = "2016-07-01"
    local = cells(prepare(closure=["2016-01-01", day, None]).frame, "days")
    column = [dt.datetime(2016, 1, 1, 12, tzinfo=dt.timezone.utc), MIDNIGHT, None]
    there = prepare(AWARE[kind], closure=column, tz="Europe/London")
    assert cells(there.frame, "days") == local
    before = prepare(AWARE[kind], closure=column, tz="UTC")
    assert [a - b for a, b in zip(local, cells(before.frame, "days"), strict=True)] == [0, 1, 0]


@given(
    st.datetimes(dt.datetime(2015, 9, 12), dt.datetime(2016, 10, 30)),
    st.sampled_from(["Europe/London", "America/New_York", "Pacific/Auckland", "Asia/Kolkata"]),
    st.sampled_from(["Europe/London", "America/New_York", "Pacific/Auckland", "Asia/Kolkata"]),
    st.sampled_from(["cell", "timestamp", "text", "space"]),
)
@settings(deadline=None, max_examples=40)
def test_9_12_every_time_counts_by_the_day_in_its_place(moment, zone, place, form):
    aware = moment.replace(microsecond=0, tzinfo=ZoneInfo(zone))
    value = {
        "cell": aware,
        "timestamp": pd.Timestamp(aware),
        "text": aware.isoformat(),
        "space": str(aware),
    }[form]
    want = aware.astimezone(ZoneInfo(place)).date()
    got = prepare(
        closure=pd.Series([None, value, None], dtype=object), rereferral=[None] * 3, tz=place
    )
    assert got.frame["days"].tolist()[1] == (want - dt.date(2015, 9, 11)).days


@pytest.mark.parametrize(
    "text",
    [
        "2016-06-30T23:00Z", "2016-06-30 23:00:00+00:00", "2016-06-30T23:00:00.123456789+0000",
        "2016-07-01T00:00+01:00[Europe/London]", "2016-07-01 00:00 Europe/London", "2016-06-30 23:00 UTC",
    ],
)  # fmt: skip
def test_9_12_text_with_a_zone(text):
    with pytest.raises(cw.InputError, match="time zone"):
        prepare(closure=[text, None, None], rereferral=[None] * 3)
    got = prepare(closure=[text, None, None], rereferral=[None] * 3, tz="Europe/London")
    assert got.frame["days"].tolist()[0] == (dt.date(2016, 7, 1) - dt.date(2015, 9, 10)).days


@pytest.mark.parametrize(
    "text",
    ["2016-07-01 or later", "2016-07-01 to 2016-07-03", "2016-07-01 25:00", "2016-07-01 00:00 BST", "2016-07",
     "1/7/2016", "2016-02-30", "20160701"],
)  # fmt: skip
def test_9_12_what_only_begins_as_a_date_is_refused(text):
    for tz in (None, "Europe/London"):
        with pytest.raises(cw.InputError, match="not dates") as caught:
            prepare(closure=[text, None, None], rereferral=[None] * 3, tz=tz)
        # A date is somebody's: its row is named.
        assert (caught.value.rows, caught.value.values) == ([0], [])


@pytest.mark.parametrize("tz", ["Londn", "", "../London", 3])
def test_9_12_an_unknown_zone_is_refused(tz):
    with pytest.raises(cw.InputError, match="no such time zone"):
        prepare(tz=tz)


@pytest.mark.parametrize("times", [[MIDNIGHT] * 2, ["2016-06-30T23:00Z", "2016-07-30T23:00Z"]])
def test_9_12_times_of_assessments_carry_no_zone(times):
    data = pd.DataFrame({"case_id": [1, 1], "time": times, "code": ["family_stress"] * 2})
    with pytest.raises(cw.InputError, match="time zone") as caught:
        cw.risk.Framework.project_crewe().score(data, code="code")
    assert caught.value.column == "time"


@pytest.mark.parametrize(
    "value", [dt.date(2016, 7, 1), MIDNIGHT, dt.timedelta(days=3), pd.Period("2016-07-01")]
)
def test_9_12_dates_in_a_column_of_objects_are_no_categories(value):
    data = pd.DataFrame(
        {"y": range(6), "day": pd.Series([value, None] * 3, dtype=object), "e": [0, 1] * 3}
    )
    for call in (
        lambda: cw.ols("y ~ day", data),
        lambda: cw.crosstab("day ~ e", data),
        lambda: cw.coxph("Surv(day, e) ~ y", data),
    ):
        with pytest.raises(cw.InputError, match="dates cannot enter") as caught:
            call()
        assert caught.value.column == "day"


@pytest.mark.parametrize(
    "start",
    [
        "2015-08-01", dt.date(2015, 8, 1), dt.datetime(2015, 8, 1, 9), np.datetime64("2015-08-01"),
        np.datetime64("2015-08-01T09:00:00", "ns"), pd.Timestamp("2015-08-01"), pd.Period("2015-08-01"),
        pa.scalar(dt.date(2015, 8, 1)),
    ],
)  # fmt: skip
def test_9_16_the_window_takes_dates_of_every_type(start):
    assert prepare(start=start).frame.equals(prepare().frame)


@pytest.mark.parametrize(
    "start",
    [
        np.datetime64("2015-08"),
        np.datetime64("NaT"),
        pd.NaT,
        pd.NA,
        None,
        20150801,
        pd.Period("2015-08"),
    ],
)
def test_9_16_what_is_no_day_is_no_window(start):
    with pytest.raises(cw.InputError, match="start is not a date"):
        prepare(start=start)
    with pytest.raises(cw.InputError, match="end carries a time zone"):
        prepare(end=MIDNIGHT)


def test_9_12_a_report_is_dated_by_a_day():
    for date in (dt.date(2016, 7, 1), dt.datetime(2016, 7, 1), pd.Timestamp("2016-07-01")):
        assert cw.Report("t", date=date).date == dt.date(2016, 7, 1)
    with pytest.raises(cw.InputError, match="carries a time zone"):
        cw.Report("t", date=MIDNIGHT)
    with pytest.raises(cw.InputError, match="is not a date"):
        cw.Report("t", date=pd.NaT)


# ---- Missing cells ---------------------------------------------------------------------------


def test_9_15_missing_answers_of_a_survey(build):
    frame = build(
        {
            "a": [4, None, 1],
            "b": [2, 5, None],
            "w": ["often", None, "never"],
            "arm": ["x", "y", "y"],
        }
    )
    scores = cw.survey.score(frame, ["a", "b"], needed=1.0)
    assert cells(scores.frame, "score_total") == [6, None, None]
    assert cells(scores.frame, "score_answered") == [2, 1, 1]
    words = cw.survey.score(frame, ["w"], labels={"often": 4, "never": 1})
    assert cells(words.frame, "score_total") == [4, None, 1]
    assert cells(scores.summary(by="arm"), "missing") == [0, 2]


def test_9_15_missing_answers_of_a_questionnaire(build):
    record = {f"sdq_{i}": [1, None if i in (3, 8, 13) else 2] for i in range(1, 26)}
    scores = cw.sdq.score(build({**record, "who": ["parent", "teacher"]}), informant="who")
    assert cells(scores.frame, "emotional") == [5, None]
    assert cells(scores.frame, "total_difficulties")[1] is None
    assert cells(scores.frame, "sdq_answered") == [25, 22]
    with pytest.raises(cw.InputError, match="informants are") as caught:
        cw.sdq.score(build({**record, "who": ["parent", None]}), informant="who")
    assert caught.value.rows == [1]


def test_9_15_missing_cells_of_a_risk_matrix(build):
    framework = cw.risk.Framework.project_crewe()
    record = {"case_id": [1, 1], "time": [0, 1], "arm": ["x", "x"]}
    record |= {factor.code: [1, 0] for factor in framework.factors if factor.kind != "engagement"}
    record |= {"family_stress": [1, None], "engagement_parent": [None, 2]}
    scores = framework.score(build(record), missing="absent")
    assert cells(scores.frame, "engagement") == [0, 2]
    assert cells(scores.frame, "risk")[1] == 0
    with pytest.raises(cw.InputError, match="values are missing") as caught:
        framework.score(build(record))
    assert (caught.value.column, caught.value.rows) == ("family_stress", [1])
    long = {"case_id": [1, 1], "time": [0, 1], "code": ["family_stress", None]}
    with pytest.raises(cw.InputError, match="codes are missing"):
        framework.score(build(long), code="code")
    long = {"case_id": [1, 1], "time": [0, None], "code": ["family_stress"] * 2}
    with pytest.raises(cw.InputError, match="the time is missing"):
        framework.score(build(long), code="code")


def test_9_15_missing_dates_of_cases(build):
    dates = ("referral", "closure", "rereferral", "randomised")
    typed = {n: [c and dt.date.fromisoformat(c) for c in BASE[n]] for n in dates}
    for columns in (BASE, {**BASE, **typed}):
        cases = prepare(build, **columns)
        assert cells(cases.frame, "days") == [113, 113, 417]
        assert cells(cases.frame, "event") == [1, 1, 0]
    with pytest.raises(cw.InputError, match="identifiers are missing") as caught:
        prepare(build, family_id=[1, None, 2])
    assert caught.value.rows == [1]


@given(
    st.lists(st.one_of(st.none(), st.integers(1, 5)), min_size=1, max_size=6),
    st.sampled_from(list(BACKENDS)),
)
@settings(deadline=None, max_examples=40)
def test_9_15_missing_is_missing_on_every_backend(answers, backend):
    # A second item keeps a column of nothing but missing cells from being the only one.
    frame = BACKENDS[backend]({"a": answers, "b": [3] * len(answers)})
    scores = cw.survey.score(frame, ["a", "b"], needed=1.0)
    assert cells(scores.frame, "score_total") == [None if a is None else a + 3 for a in answers]


# ---- Rating scales ---------------------------------------------------------------------------


def test_9_13_an_item_against_the_scale_is_named():
    data = pd.DataFrame({"a": [1, 2, 4, 5], "b": [2, 1, 5, 4], "c": [5, 5, 1, 2]})
    scores = cw.survey.score(data, ["a", "b", "c"])
    # The others of a add up to 7, 6, 6, 6, those of c to 3, 3, 9, 9.
    rest = {n: np.corrcoef(data[n], data.drop(columns=n).sum(axis=1))[0, 1] for n in data}
    assert scores.item_rest == pytest.approx(rest, rel=1e-12)
    assert scores.item_rest["a"] == pytest.approx(-0.730297, abs=1e-6)
    (note,) = [note for note in scores.notes if "against" in note]
    assert "c -0.98, a -0.73, b -0.57" in note and "reverse=" in note
    assert scores.alpha < 0
    right = cw.survey.score(data, ["a", "b", "c"], reverse=["c"])
    assert min(right.item_rest.values()) > 0.8
    assert not [note for note in right.notes if "against" in note]


def test_9_13_items_that_do_not_vary_or_are_alone_have_no_correlation():
    data = pd.DataFrame({"a": [1, 2, 4], "b": [3, 3, 3]})
    assert all(math.isnan(r) for r in cw.survey.score(data, ["a", "b"]).item_rest.values())
    assert math.isnan(cw.survey.score(data, ["a"]).item_rest["a"])
    assert len(cw.survey.score(data, ["a", "b"]).notes) == 2


# ---- One reader of names and values ----------------------------------------------------------


@pytest.mark.parametrize("worth", [None, float("nan"), pd.NA])
def test_9_16_a_label_that_means_no_answer(worth):
    labels = {"never": 1, "always": 5, "not sure": worth, -9: worth}
    assert totals(["never", "Not sure", "always", "-9"], labels) == [1, None, 5, None]
    assert totals([3, -9, 5.0], labels) == [3, None, 5]
    assert totals(["never"], pd.Series({"never": 1, "not sure": np.nan})) == [1]


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ({"never": "x"}, "worth a number"),
        ({"never": True}, "worth a number"),
        (["never"], "must map each label"),
        ({"1": 1, 1: 2}, "several numbers"),
    ],
)
def test_9_16_labels_that_say_nothing_are_refused(labels, words):
    with pytest.raises(cw.InputError, match=words):
        totals(["never"], labels)


@pytest.mark.parametrize("values", [[None] * 4, [float("nan")] * 4])
def test_9_16_an_item_without_any_answer(values):
    data = {"a": [1, 2, 3, 4], "b": values}
    for frame in (pd.DataFrame(data), pl.DataFrame(data), pa.table(data)):
        scores = cw.survey.score(frame, ["a", "b"])
        assert cells(scores.frame, "score_total") == [2, 4, 6, 8]
        assert math.isnan(scores.alpha)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ('weight_uncertain = "false"', "neither true nor false"),
        (
            '[[scale]]\nvalue = 1\nlabel = "ok"\n[[scale]]\nvalue = -1\nlabel = "no"\naliases = ["ok"]',
            "several values",
        ),
    ],
)
def test_flags_and_labels_of_a_framework_say_one_thing(tmp_path, lines, words):
    path = tmp_path / "own.toml"
    path.write_text(f'[[factor]]\ncode = "debt"\nkind = "risk"\n{lines}\n')
    with pytest.raises(cw.InputError, match=words):
        cw.risk.Framework.from_toml(path)


def test_times_written_as_numbers_stand_in_the_order_of_the_numbers():
    # As text 10 comes before 2.
    data = pd.DataFrame(
        {
            "case_id": [1] * 3,
            "time": ["2", "10", "1"],
            "code": ["family_stress"] * 3,
            "value": ["no", "no", "yes"],
        }
    )
    scores = cw.risk.Framework.project_crewe().score(data, code="code", value="value")
    assert cells(scores.frame, "time") == ["1", "2", "10"]
    data["time"] = ["a", "b", 3]
    with pytest.raises(cw.InputError, match="the order of the times is not known"):
        cw.risk.Framework.project_crewe().score(data, code="code", value="value")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"scale": 5}, "between two whole numbers"),
        ({"scale": ("a", 5)}, "between two whole numbers"),
        ({"needed": "half"}, "is not a number"),
        ({"items": ["a", "a"]}, "named twice"),
    ],
)
def test_wrong_options_of_a_rating_scale_are_refused(options, words):
    with pytest.raises(cw.InputError, match=words):
        cw.survey.score(pd.DataFrame({"a": [1, 2]}), options.pop("items", ["a"]), **options)
