"""Cost-benefit lines: the founding report's figures, traces, and mistakes in plain words."""

from __future__ import annotations

import pickle
import re
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import crewe as cw
import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

# The printed figures that follow from their inputs, and how.
AGREES = {
    "cost_per_case_pc": ("£2,450", "rounded"),
    "cost_per_case_cec": ("£1,795", "rounded or cut off alike"),
    "earnings_pc": ("£34,464", "exact"),
    "earnings_cec": ("£31,968", "exact"),
    "tax_pc": ("£11,028", "rounded or cut off alike"),
    "tax_cec": ("£10,230", "rounded"),
    "employment_pc": ("6.16%", "rounded or cut off alike"),
    "employment_cec": ("5.71%", "rounded or cut off alike"),
    "rereferral_saving_per_case": ("£29.68", "cut off"),
    "escalation_saving": ("£6,224", "exact"),
    "escalation_saving_per_case": ("£74.98", "cut off"),
    "escalation_saving_text": ("£78", "rounded"),
}
DIFFERS = {"rereferral_saving": ("£3,800", "£3,805"), "escalation_rate_pc": ("2.5%", "2.4%")}


@pytest.fixture(scope="module")
def crewe() -> cw.cost.CostBenefit:
    return cw.cost.project_crewe()


def test_every_printed_figure_is_accounted_for(crewe: cw.cost.CostBenefit) -> None:
    compared = {name for name, line in crewe.lines.items() if line.agreement is not None}
    assert compared == set(AGREES) | set(DIFFERS)


@pytest.mark.parametrize("name", AGREES)
def test_printed_to_the_penny(crewe: cw.cost.CostBenefit, name: str) -> None:
    line = crewe[name]
    assert (line.printed, line.agreement) == AGREES[name]
    if line.agreement != "cut off":
        assert line.shown == line.printed


@pytest.mark.parametrize("name", DIFFERS)
def test_inexact_figures_are_explained_where_they_appear(
    crewe: cw.cost.CostBenefit, name: str
) -> None:
    line = crewe[name]
    assert line.agreement == "differs"
    assert (line.printed, line.shown) == DIFFERS[name]
    assert line.line.note
    assert line.line.note in crewe.text() and line.line.note in crewe.trace(name).text()


def test_values_are_exact(crewe: cw.cost.CostBenefit) -> None:
    assert crewe["employment_pc"].exact == Fraction("0.0616044")
    assert crewe["tax_cec"].exact == Fraction("10229.76")
    assert crewe["rereferral_saving_per_case"].exact == Fraction(3800, 128)
    assert crewe["rereferral_saving"].exact == (
        Fraction(5 * 2450, 82) - Fraction(3 * 1795, 45)
    ) * Fraction(128)
    assert crewe["escalation_saving_per_case"].exact == Fraction(6224, 83)
    assert crewe["rereferral_saving_rounded_rates"].exact == Fraction("26.735")


def test_a_trace_ends_in_sourced_inputs(crewe: cw.cost.CostBenefit) -> None:
    trace = crewe.trace("tax_pc")
    frame = trace.tidy()
    inputs = frame[frame["kind"] == "input"]
    assert set(inputs["name"]) == {
        "lifetime_gain", "closed_pc", "gain_if_closed", "gain_if_open", "income_tax",
        "national_insurance",
    }  # fmt: skip
    assert all(inputs["source"])
    assert "34464 * (20% + 12%)" in trace.text()
    assert "£11,028.48" in trace.text()
    assert "<table" in trace._repr_html_()


def test_every_line_has_a_formula_in_words(crewe: cw.cost.CostBenefit) -> None:
    assert all(line.line.words for line in crewe.lines.values())
    assert all(item.source for item in crewe.inputs.values())
    tidy = crewe.tidy()
    assert list(tidy["line"]) == list(crewe.lines)
    assert "Project Crewe" in crewe._repr_html_()


def test_other_inputs_move_the_lines_and_drop_the_printed_figures(
    crewe: cw.cost.CostBenefit,
) -> None:
    other = crewe.with_inputs(closed_pc="64%", weeks_open_pc=36)
    assert other["earnings_pc"].exact == other["earnings_cec"].exact == 31968
    assert other["earnings_pc"].printed == "" and other["earnings_pc"].agreement is None
    assert crewe["earnings_pc"].exact == 34464


def test_frames_mappings_and_toml_agree(tmp_path) -> None:
    inputs = {"name": ["weekly", "weeks"], "value": [68.05, 36.0], "source": ["ledger", None]}
    lines = {"name": ["case"], "formula": ["weekly * weeks"], "printed": ["2,450"]}
    path = tmp_path / "costs.toml"
    path.write_text(
        '[[input]]\nname = "weekly"\nvalue = 68.05\n[[input]]\nname = "weeks"\nvalue = 36.0\n'
        '[[line]]\nname = "case"\nformula = "weekly * weeks"\nprinted = "2,450"\n',
        encoding="utf-8",
    )
    made = [
        cw.cost.CostBenefit(pd.DataFrame(inputs), pd.DataFrame(lines)),
        cw.cost.CostBenefit(pl.DataFrame(inputs), pl.DataFrame(lines).lazy()),
        cw.cost.CostBenefit({"weekly": 68.05, "weeks": 36}, [{k: v[0] for k, v in lines.items()}]),
        cw.cost.CostBenefit.from_toml(path),
    ]
    assert isinstance(made[0].tidy(), pd.DataFrame) and isinstance(made[3].tidy(), pd.DataFrame)
    assert isinstance(made[1].tidy(), pl.LazyFrame)
    for costs in made:
        assert costs["case"].exact == Fraction("2449.8")
        assert costs["case"].agreement == "rounded"


def test_it_pickles(crewe: cw.cost.CostBenefit) -> None:
    again = pickle.loads(pickle.dumps(crewe))
    assert again.text() == crewe.text()
    assert again["tax_pc"] == crewe["tax_pc"]


@pytest.mark.parametrize(
    ("inputs", "lines", "says"),
    [
        ({"a": "12k"}, {}, "the input 'a' is not a number"),
        ({"a": float("nan")}, {}, "is not a number"),
        ({"a": 1}, {"b": "a +"}, "the formula of 'b' cannot be read"),
        ({"a": 1}, {"b": "a / (a - 1)"}, "divides by 0"),
        ({"a": 1}, {"b": "c", "c": "b"}, "in a circle"),
        ({"a": 1}, {"b": "aa"}, "neither an input nor a line"),
        ({"a": 1}, {"a": "2"}, "is used twice"),
        ({"a b": 1}, {}, "cannot be the name"),
        ([{"name": "a"}], {}, "lacks its value"),
        ([{"name": "a", "value": 1, "sauce": "x"}], {}, "unknown field 'sauce'"),
        ({"a": 1}, [{"name": "b", "formula": "a", "printed": "about 1"}], "is not a number"),
        (7, {}, "is not a data frame"),
    ],
)
def test_mistakes_are_named(inputs, lines, says) -> None:
    with pytest.raises(cw.InputError, match=says.replace("(", r"\(").replace("+", r"\+")):
        cw.cost.CostBenefit(inputs, lines)


def test_unknown_names_and_files(crewe: cw.cost.CostBenefit, tmp_path) -> None:
    with pytest.raises(cw.InputError, match="Did you mean 'tax_pc'"):
        crewe.trace("tax_cp")
    with pytest.raises(cw.InputError, match="cannot be read"):
        cw.cost.CostBenefit.from_toml(tmp_path / "none.toml")
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("title = ", encoding="utf-8")
    with pytest.raises(cw.InputError, match="is not TOML"):
        cw.cost.CostBenefit.from_toml(wrong)


@given(
    st.decimals(-(10**6), 10**6, places=2), st.decimals(1, 10**4, places=3), st.integers(1, 9999)
)
def test_arithmetic_is_that_of_fractions(a, b, c) -> None:
    costs = cw.cost.CostBenefit(
        {"a": str(a), "b": str(b), "c": c}, {"x": "(a - b) / c * 14.3% + -a", "y": "round(x, 2)"}
    )
    exact = (Fraction(a) - Fraction(b)) / c * Fraction("0.143") - Fraction(a)
    assert costs["x"].exact == exact
    sign = -1 if exact < 0 else 1
    assert costs["y"].exact == sign * Fraction(int(abs(exact) * 100 + Fraction(1, 2)), 100)


def test_the_code_of_the_methods_page_runs(capsys) -> None:
    page = Path(__file__).parents[2] / "docs" / "methods" / "cost.md"
    blocks = re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), flags=re.DOTALL)
    assert blocks
    exec(compile("\n".join(blocks), str(page), "exec"), {})
    out = capsys.readouterr().out
    assert "£2,450" in out and "finance ledger" in out


@pytest.mark.parametrize(
    "printed",
    [2450, 2450.0, np.float64(2450), np.float32(2450), np.int64(2450), "2,450", "2450"],
)
def test_9_7_a_whole_figure_is_whole(printed):
    lines = [{"name": "case", "formula": "weekly * weeks", "printed": printed}]
    for given_as in (lines, [cw.cost.Line(**lines[0])], pd.DataFrame(lines)):
        costs = cw.cost.CostBenefit({"weekly": "68.05", "weeks": 36}, given_as)
        assert costs["case"].agreement == "rounded"
        assert costs["case"].shown == "2450"


@pytest.mark.parametrize(
    "build",
    [
        pd.DataFrame,
        lambda columns: pd.DataFrame(columns).convert_dtypes(),
        lambda columns: pa.table(columns).to_pandas(types_mapper=pd.ArrowDtype),
        pl.DataFrame,
        pl.LazyFrame,
        pa.table,
        lambda columns: duckdb.from_arrow(pa.table(columns)),
    ],
)
def test_9_7_a_column_of_figures_with_a_gap(build):
    lines = {
        "name": ["case", "week", "share"],
        "formula": ["weekly * weeks", "weekly", "weekly / 1000"],
        "printed": [2450.0, None, 0.068],
    }
    costs = cw.cost.CostBenefit({"weekly": "68.05", "weeks": 36.0}, build(lines))
    found = [(worked.printed, worked.agreement) for worked in costs.lines.values()]
    assert found == [("2450", "rounded"), ("", None), ("0.068", "rounded or cut off alike")]


def test_9_7_decimals_of_a_column_are_its_scale_and_single_floats_print_short():
    lines = {"name": ["case", "week"], "formula": ["weekly * weeks", "weekly"]}
    figures = [Decimal("2450"), Decimal("68.05")]
    for frame in (
        pl.DataFrame(
            {**lines, "printed": figures}, schema_overrides={"printed": pl.Decimal(10, 2)}
        ),
        pa.table({**lines, "printed": pa.array(figures, pa.decimal128(10, 4))}),
        pl.DataFrame(
            {**lines, "printed": [2450.0, 68.05]}, schema_overrides={"printed": pl.Float32}
        ),
        pd.DataFrame({**lines, "printed": np.array([2450, 68.05], dtype=np.float32)}),
    ):
        costs = cw.cost.CostBenefit({"weekly": "68.05", "weeks": 36}, frame)
        assert [worked.agreement for worked in costs.lines.values()] == ["rounded", "exact"]
    # A decimal that was typed keeps its places.
    typed = [{"name": "case", "formula": "weekly * 36", "printed": Decimal("2449.80")}]
    assert cw.cost.CostBenefit({"weekly": "68.05"}, typed)["case"].agreement == "exact"


@given(st.integers(-(10**12), 10**12))
def test_9_7_every_whole_float_reads_as_its_integer(number):
    costs = [
        cw.cost.CostBenefit({"a": value}, [{"name": "b", "formula": "a", "printed": value}])
        for value in (number, float(number))
    ]
    assert costs[0]["b"] == costs[1]["b"]
    assert costs[1]["b"].exact == Fraction(number) and costs[1]["b"].agreement == "exact"
