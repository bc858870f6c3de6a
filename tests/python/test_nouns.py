"""The nouns of units and members and the labels of arms: declared once, printed everywhere, never part of the draw."""

from __future__ import annotations

import pickle
import re
from datetime import datetime, timezone
from typing import Any

import crewe as cw
import numpy as np
import pandas as pd
import pytest

ARMS = {"ctl": 1, "trt": 1}
LABELS = {"ctl": "As usual", "trt": "Reading aloud"}
WORDS: dict[str, Any] = {"unit_noun": "school", "member_noun": "pupil", "labels": LABELS}


@pytest.fixture
def design() -> cw.Design:
    return cw.Design("Reading", arms=ARMS, cluster="tch", seed=1, **WORDS)


@pytest.fixture
def plain() -> cw.Design:
    return cw.Design("Reading", arms=ARMS, cluster="tch", seed=1)


@pytest.fixture
def data() -> pd.DataFrame:
    numbers = np.random.default_rng(1)
    frame = pd.DataFrame({"tch": np.repeat(np.arange(30), 3)})
    frame["score"] = numbers.normal(size=90)
    frame["passed"] = (frame["score"] > 0).astype(int)
    frame["days"] = numbers.exponential(size=90)
    return frame


def printed(result: Any) -> str:
    methods = result.methods() if hasattr(result, "methods") else []
    return f"{result!r}\n{result._repr_html_()}\n{' '.join(methods)}"


def test_words_are_no_part_of_the_draw_or_the_commitment(
    design: cw.Design, plain: cw.Design, data: pd.DataFrame
) -> None:
    assert design.commitment() == plain.commitment()
    assert design.assign(data).clusters == plain.assign(data).clusters
    pd.testing.assert_frame_equal(design.assign(data).frame, plain.assign(data).frame)


def test_words_travel_in_toml_and_pickles(design: cw.Design) -> None:
    for read in (cw.Design.from_toml(design.to_toml(), seed=1), pickle.loads(pickle.dumps(design))):
        assert read == design
        assert (read.unit_noun, read.unit_noun.one) == ("schools", "school")
        assert (read.member_noun, read.labels) == ("pupils", LABELS)
    copied = pickle.loads(pickle.dumps(design.unit_noun))
    assert (copied, copied.one) == ("schools", "school")


def test_a_pickle_of_a_design_without_words_opens() -> None:
    """Designs pickled before there were words lack the attributes."""
    design = cw.Design("t", arms=ARMS, cluster="family_id", seed=1)
    state = {k: v for k, v in design.__getstate__().items() if "noun" not in k and k != "_labels"}
    old = object.__new__(cw.Design)
    old.__setstate__(state)
    assert (old.unit_noun, old.member_noun, old.labels) == ("families", "children", {})
    assert old.commitment() == design.commitment()


@pytest.mark.parametrize(
    ("column", "noun"),
    [("family_id", "families"), ("tch", "units"), ("school", "schools"), ("person_id", "people")],
)
def test_4_5_nouns_follow_from_columns_that_are_words(column: str, noun: str) -> None:
    assert cw.Design("t", arms=ARMS, cluster=column, seed=1).unit_noun == noun


RESULTS = {
    "assignment": lambda a, d: a,
    "balance": lambda a, d: a.balance(["score"]),
    "consort": lambda a, d: cw.consort(a),
    "ols": lambda a, d: cw.ols("score ~ arm", d, design=a),
    "margins": lambda a, d: cw.ols("score ~ arm", d, design=a).margins("arm"),
    "logit": lambda a, d: cw.logit("passed ~ arm", d, design=a),
    "table": lambda a, d: cw.table([cw.ols("score ~ arm", d, design=a)]),
    "coxph": lambda a, d: cw.coxph("Surv(days, passed) ~ arm", d, design=a),
    "adjusted": lambda a, d: cw.coxph("Surv(days, passed) ~ arm", d, design=a).adjusted_curves(),
    "kaplan_meier": lambda a, d: cw.kaplan_meier("Surv(days, passed) ~ arm", d, design=a),
    "logrank": lambda a, d: cw.logrank("Surv(days, passed) ~ arm", d, design=a),
    "describe": lambda a, d: cw.describe("score ~ arm", d, design=a),
    "crosstab": lambda a, d: cw.crosstab("passed ~ arm", d, design=a),
    "rates": lambda a, d: cw.compare_rates("passed ~ arm", d[::3], design=a),
    "ranks": lambda a, d: cw.mann_whitney("score ~ arm", d[::3], design=a),
    "permutation": lambda a, d: cw.permutation_test("passed ~ arm", d[::3], design=a),
    "audit": lambda a, d: cw.ols("score ~ arm", d, design=a).audit(
        a, 99, procedures=["CR1"], seed=1
    ),
    "wild bootstrap": lambda a, d: cw.wild_bootstrap(
        cw.ols("score ~ arm", d, design=a), "arm", 99, 1
    ),
    "randomisation": lambda a, d: cw.randomisation_test(
        "difference_in_means", d, a, outcome="score", draws=99, seed=1
    ),
}
"""A result of every kind that prints arms."""


@pytest.mark.parametrize("name", RESULTS)
@pytest.mark.filterwarnings("ignore")
def test_every_table_says_the_labels_of_arms(
    name: str, design: cw.Design, plain: cw.Design, data: pd.DataFrame
) -> None:
    said, named = (printed(RESULTS[name](one.assign(data), data)) for one in (design, plain))
    whole = re.compile(r"\b(ctl|trt)\b")
    assert whole.search(named) and re.search("As usual|Reading aloud", said)
    assert not whole.search(said), said


def test_frames_keep_the_names_of_arms(design: cw.Design, data: pd.DataFrame) -> None:
    fit = cw.ols("score ~ arm", data, design=design.assign(data))
    assert fit.tidy()["term"].tolist() == ["Intercept", "arm[T.trt]"]
    assert fit.margins("arm").tidy()["level"].tolist() == ["ctl", "trt"]
    assert fit.margins("arm").contrasts()["contrast"].tolist() == ["trt − ctl"]


FIGURES = {
    "balance": lambda a, d: a.balance(["score"]).plot(),
    "means": lambda a, d: cw.ols("score ~ arm", d, design=a).margins("arm").plot(),
    "coefplot": lambda a, d: cw.coefplot(cw.ols("score ~ arm", d, design=a)),
    "curves": lambda a, d: cw.kaplan_meier("Surv(days, passed) ~ arm", d, design=a).plot(),
    "bars": lambda a, d: cw.describe("score ~ arm", d, design=a).plot(),
    "shares": lambda a, d: cw.crosstab("passed ~ arm", d, design=a).plot(),
    "flow": lambda a, d: cw.consort(a).plot(),
}


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_says_the_labels_of_arms(
    name: str, design: cw.Design, data: pd.DataFrame
) -> None:
    from matplotlib import pyplot
    from matplotlib.text import Text

    axes = FIGURES[name](design.assign(data), data)
    texts = " ".join(one.get_text() for one in axes.figure.findobj(Text))
    pyplot.close("all")
    assert re.search("As usual|Reading", texts) and not re.search(r"\b(ctl|trt)\b", texts), texts


def test_the_flow_and_balance_say_the_nouns(design: cw.Design, data: pd.DataFrame) -> None:
    assignment = design.assign(data)
    told = f"{cw.consort(assignment).describe()} {cw.consort(assignment).methods()}"
    assert (
        "30 schools, 90 pupils" in told
        and "A school counts as analysed when any of its pupils" in told
    )
    assert "Balance by pupil" in repr(assignment.balance(["score"]))
    assert "famil" not in told and "child" not in told


def test_words_that_a_caller_gives_stand_before_the_design(
    design: cw.Design, data: pd.DataFrame
) -> None:
    flow = cw.consort(design.assign(data), members="learners")
    assert "learners" in repr(flow) and "pupils" not in repr(flow)


WRONG = [
    {"unit_noun": ""},
    {"unit_noun": ("school",)},
    {"unit_noun": 3},
    {"member_noun": "two\nlines"},
    {"unit_noun": "s" * 200},
    {"labels": {"other": "Other"}},
    {"labels": {"ctl": "trt"}},
    {"labels": {"ctl": ""}},
    {"labels": {"ctl": 3}},
    {"labels": {"ctl": None}},
    {"labels": ["ctl"]},
]


@pytest.mark.parametrize("words", WRONG)
def test_wrong_words_are_refused(words: dict[str, Any]) -> None:
    with pytest.raises(cw.CreweError):
        cw.Design("t", arms=ARMS, cluster="school_id", seed=1, **words)


def test_individuals_have_no_members() -> None:
    with pytest.raises(cw.DesignError, match="no members"):
        cw.Design("t", arms=ARMS, unit="pupil_id", seed=1, member_noun="pupil")


AT = datetime(2017, 3, 1, tzinfo=timezone.utc)


def test_the_ledger_keeps_the_words_and_says_them(tmp_path: Any) -> None:
    key = cw.new_key()
    design = cw.Design(
        "Reading", arms=ARMS, cluster="school_id", method=cw.Simple(), seed=key, **WORDS
    )
    ledger = cw.Ledger.create(tmp_path / "t.ledger", design, at=AT)
    ledger.enrol("S1", ["P1"], approved_by="A. Head", at=AT)
    refusals = [
        lambda: ledger.enrol("S1", [], approved_by="A. Head", at=AT),
        lambda: ledger.enrol("S2", ["P1"], approved_by="A. Head", at=AT),
        lambda: ledger.enrol("S2", ["P2", "P2"], approved_by="A. Head", at=AT),
        lambda: ledger.enrol("", [], approved_by="A. Head", at=AT),
        lambda: ledger.add_child("S9", "P3", at=AT),
        lambda: ledger.merge("S1", "S1", by="x", reason="y", at=AT),
        lambda: ledger.withdraw("S1", data=True, child="P7", by="x", reason="y", at=AT),
        lambda: ledger.enrol("S" * 300, [], approved_by="A. Head", at=AT),
    ]
    for refused in refusals:
        with pytest.raises(cw.LedgerError) as told:
            refused()
        text = str(told.value)
        assert "school" in text or "pupil" in text, text
        assert not re.search(r"famil|child(?!_)", text.replace("add_child", "")), text
    again = cw.Ledger.open(tmp_path / "t.ledger", key, head=ledger.head())
    assert (again.design, again.design.labels) == (design, LABELS)
    assert "more schools may come" in " ".join(again.consort().notes)
    assert "with pupils who came late" in repr(again.consort())
    assert "As usual" in repr(again) and "ctl" not in repr(again)


def test_a_ledger_without_words_has_the_bytes_that_it_had(tmp_path: Any) -> None:
    import sqlite3

    design = cw.Design("t", arms=ARMS, cluster="family_id", method=cw.Simple(), seed=cw.new_key())
    cw.Ledger.create(tmp_path / "t.ledger", design, at=AT)
    with sqlite3.connect(tmp_path / "t.ledger") as file:
        (body,) = file.execute("SELECT body FROM event").fetchone()
    assert "wording" not in body
