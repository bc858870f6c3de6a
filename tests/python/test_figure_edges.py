"""Figures, tables and reports at the edges: odd names, nothing to estimate, very many of a thing."""

from __future__ import annotations

import io
import itertools
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path
from typing import Any

import crewe as cw
import matplotlib.pyplot
import numpy as np
import pandas as pd
import pytest
from crewe import plots
from crewe.plots import bars as _bars
from crewe.plots import style
from crewe.survival import _figure
from crewe.tables import labels as _labels
from hypothesis import assume, given, settings
from hypothesis import strategies as st


@pytest.fixture(autouse=True)
def closed() -> Any:
    import matplotlib.pyplot as plt

    yield
    plt.close("all")


def _frame(terms: list[str], values: list[tuple[float, float, float]]) -> pd.DataFrame:
    columns = ["estimate", "conf_low", "conf_high"]
    return pd.DataFrame(values, columns=columns).assign(term=terms)


@pytest.mark.parametrize("name", ["x.pdf", "x.docx", "x.HTML.md"])
def test_5_2_report_refuses_other_endings(name: str, tmp_path: Path) -> None:
    with pytest.raises(cw.InputError, match=r"'\.html' or '\.htm'"):
        cw.Report("T", date="2026-01-01").save(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_5_2_report_writes_its_own_endings(tmp_path: Path) -> None:
    for name in ("a.html", "b.HTM"):
        path = cw.Report("T", date="2026-01-01").save(tmp_path / name)
        assert path.read_text("utf-8").startswith("<!doctype html>")


def test_5_3_axis_of_scores_from_the_data() -> None:
    levels = pd.DataFrame(
        {
            "level": ["a", "b"],
            "estimate": [500.0, 503.0],
            "conf_low": [498.0, 501.0],
            "conf_high": [502.0, 505.0],
        }
    )
    low, high = plots.means(levels).get_ylim()
    assert 490 < low < 498
    assert 505 < high < 515
    # Bars are lengths, so they start at nought.
    assert plots.means(levels, kind="bars").get_ylim()[0] == 0


def test_9_6_shares_of_few() -> None:
    assert _labels.share(1 / 4000) == "<0.1%"
    assert _labels.share(2999 / 3000) == ">99.9%"
    assert _labels.share(1.0) == "100.0%"
    assert _labels.share(0.0) == "0.0%"
    assert _labels.fixed(-0.004, 2) == "0.00"
    bars = _bars.Bars(["x"], ["a", "b"], np.array([[0.005], [0.02]]), percent=True)
    ax = _bars.grouped(bars)
    style.figure_of(ax).draw_without_rendering()
    ticks = [label.get_text() for label in ax.get_yticklabels()]
    assert len(ticks) == len(set(ticks))


@settings(max_examples=30, deadline=None)
@given(st.floats(1e-6, 1.0))
def test_9_6_ticks_of_shares_differ(top: float) -> None:
    from crewe.plots.means import _scale
    from matplotlib.ticker import PercentFormatter

    whole, step = _scale(top)
    assert whole >= min(top * 1.06, 1.0) * (1 - 1e-9)
    ticks = [step * k for k in range(round(whole / step) + 1)]
    assert 3 <= len(ticks) <= 8
    texts = [PercentFormatter(1.0).format_pct(tick, whole) for tick in ticks]
    assert len(set(texts)) == len(texts)


@settings(max_examples=50, deadline=None)
@given(st.floats(0.0, 1.0), st.integers(0, 3))
def test_9_6_a_share_is_nought_or_whole_only_where_it_is(value: float, digits: int) -> None:
    text = _labels.share(value, digits)
    assert not text.startswith("-")
    plain = text[0].isdigit()
    if plain:
        assert (float(text[:-1]) == 0) == (value == 0)
        assert (float(text[:-1]) == 100) == (value == 1)


def test_9_11_love_keeps_what_is_not_defined() -> None:
    table = pd.DataFrame(
        {"term": ["age", "sex", "hist"], "std_difference": [0.2, float("nan"), float("inf")]}
    )
    ax = plots.love(table)
    assert [t.get_text() for t in ax.get_yticklabels()] == ["age", "sex", "hist"]
    assert [t.get_text() for t in ax.texts] == ["not defined"] * 2
    assert np.isfinite(ax.get_xlim()).all()
    assert "sex: not defined" in style.alt_of(ax)


@pytest.mark.parametrize("name", ["cost $10 or $20^", "$x_", "a $\\frac$ b"])
def test_9_14_dollars_are_text(name: str) -> None:
    import matplotlib.pyplot as plt

    _, own = plt.subplots()
    for ax in (None, own):
        drawn = plots.forest(_frame([name], [(1, 0.5, 2)]), xlabel=name, ax=ax)
        figure = style.figure_of(drawn)
        figure.savefig(io.BytesIO(), format="svg")
        assert not drawn.get_yticklabels()[0].get_parse_math()
        assert not drawn.xaxis.label.get_parse_math()


def test_9_17_decades_are_few() -> None:
    ax = plots.forest(
        _frame(["a", "b"], [(1e-10, 1e-11, 1e-9), (1e9, 1e8, 1e10)]), log=True, null=1
    )
    ticks = ax.get_xticks()
    assert 3 <= len(ticks) <= 8
    assert np.allclose(np.log10(ticks), np.round(np.log10(ticks)))


def test_9_17_a_row_without_an_estimate_says_so() -> None:
    nan = float("nan")
    ax = plots.forest(_frame(["a", "b"], [(2, 1, 3), (nan, nan, nan)]), log=True, null=1)
    assert [t.get_text() for t in ax.texts][1] == "not estimated"
    style.figure_of(ax).draw_without_rendering()


def test_9_17_many_groups_lie() -> None:
    bars = _bars.Bars([f"g{k}" for k in range(25)], ["a"], np.full((1, 25), 0.5))
    ax = _bars.grouped(bars)
    assert len(ax.get_yticklabels()) == 25
    style.figure_of(ax).draw_without_rendering()
    boxes = [label.get_window_extent() for label in ax.get_yticklabels()]
    assert not any(a.overlaps(b) for a, b in itertools.pairwise(boxes))


def test_9_17_long_names_stay_on_the_page() -> None:
    names = ["x" * 38 + " " + "y" * 41, "z" * 38 + " " + "w" * 41]
    time = np.arange(1.0, 41.0)
    group = np.array(names)[np.arange(40) % 2]
    frame = pd.DataFrame({"t": time, "e": 1, "g": group})
    ax = cw.kaplan_meier("Surv(t, e) ~ g", frame).plot()
    figure = style.figure_of(ax)
    figure.draw_without_rendering()
    page = figure.bbox
    for text in [*ax.texts, *ax.get_legend().get_texts()]:
        box = text.get_window_extent()
        assert box.x0 >= page.x0 - 1
        assert box.x1 <= page.x1 + 1


def test_9_17_times_that_are_all_nought() -> None:
    end, step = _figure._reach(0.0, None, None)
    assert end > 0
    assert step > 0


@pytest.mark.parametrize(
    "options",
    [{"step": 0.01}, {"step": 0}, {"step": -1}, {"end": -5}, {"end": float("nan")}, {"end": 0}],
)
def test_9_18_steps_and_ends_are_bounded(options: dict[str, float]) -> None:
    with pytest.raises(cw.InputError):
        _figure._reach(800.0, options.get("end"), options.get("step"))


@settings(max_examples=50, deadline=None)
@given(st.floats(0, 1e9), st.one_of(st.none(), st.floats(allow_nan=True)))
def test_9_18_ticks_are_few_or_refused(last: float, step: float | None) -> None:
    try:
        end, step = _figure._reach(last, None, step)
    except cw.InputError:
        return
    assert end >= last * (1 - 1e-9)
    assert 1 <= round(end / step) <= _figure._MOST_TICKS + 1


@settings(max_examples=30, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_7_9_any_name_makes_a_document_and_a_row(text: str) -> None:
    import tempfile

    table = cw.table({f"m{text}": _frame(["a"], [(1, 0, 2)]).assign(std_error=1.0)}, title=text)
    with tempfile.TemporaryDirectory() as folder:
        path = table.docx(Path(folder) / "t.docx")
        with zipfile.ZipFile(path) as archive:
            ET.fromstring(archive.read("word/document.xml"))
    rows = [line for line in table.markdown.splitlines() if line.startswith("|")]
    assert len(rows) == 4


def test_7_9_drawings_lose_what_moves() -> None:
    drawing = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><rect width="3" height="3">'
        '<animate attributeName="x" to="9"/><set attributeName="href" to="javascript:1"/>'
        "</rect><text>SYNTH</text></svg>"
    )
    made = style.embed_svg(drawing, "t", "d", "p")
    assert "<animate" not in made
    assert "<set" not in made
    assert "<rect" in made


def assignment(columns):
    n = len(next(iter(columns.values())))
    frame = pd.DataFrame({"unit": range(n), **columns})
    design = cw.Design("names", arms={"a": 1, "b": 1}, unit="unit", seed=1)
    return design.assign(frame)


def drawn(balance):
    return [label.get_text() for label in balance.plot().get_yticklabels()]


def test_9_9_names_with_brackets_are_no_levels():
    rng = np.random.default_rng(1)
    names = ["item[1]", "item[2]", "a:b", "[x]", "C(k)[T.1]", "g[a][b]"]
    columns = {name: rng.normal(size=40) for name in names}
    columns["item[1]"][3] = np.nan
    columns["item[2]"][[4, 5]] = np.nan
    balance = assignment({**columns, "sex": ["f", "m"] * 20}).balance([*names, "sex"])
    assert balance.terms == [*names, "sex[f]", "sex[m]"]
    # Of two levels the figure shows one; of two columns both.
    assert drawn(balance) == [*names, "sex: m"]
    assert [row[0] for row in balance.tables()[0].rows] == [*names, "sex: f", "sex: m"]
    assert balance.notes == ["Missing by unit: item[1] 1, item[2] 2."]
    assert set(plots.love(balance).get_yticklabels()[i].get_text() for i in range(8)) == {
        *names, "sex: f", "sex: m",
    }  # fmt: skip


def test_9_9_a_frame_may_have_a_column_called_texts():
    table = pd.DataFrame({"term": ["a[T.b]"], "std_difference": [0.1], "texts": ["x"]})
    assert [label.get_text() for label in plots.love(table).get_yticklabels()] == ["a: b"]


def test_9_9_a_column_called_as_a_level_is_refused():
    both = assignment({"item": ["1", "2"] * 10, "item[1]": np.arange(20.0)})
    with pytest.raises(cw.InputError, match="name of a level") as caught:
        both.balance(["item", "item[1]"])
    assert caught.value.values == ["item[1]"]
    assert both.balance(["item[1]"]).terms == ["item[1]"]


@given(st.lists(st.text("ab[]12:_", min_size=1, max_size=5), min_size=1, max_size=4, unique=True))
@settings(deadline=None, max_examples=25)
def test_9_9_every_number_has_a_line_of_its_own(names):
    rng = np.random.default_rng(2)
    assume("unit" not in names)
    balance = assignment({name: rng.normal(size=12) for name in names}).balance(names)
    assert balance.terms == names
    assert drawn(balance) == [name.replace("_", " ") for name in names]
    matplotlib.pyplot.close("all")
