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
import polars as pl
import pytest
from crewe import plots
from crewe.plots import bars as _bars
from crewe.plots import style
from crewe.survival import _figure
from crewe.tables import labels as _labels
from crewe.tables.writers.registry import WRITERS
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st


@pytest.fixture(autouse=True)
def closed() -> Any:
    import matplotlib.pyplot as plt

    yield
    plt.close("all")


def _frame(terms: list[str], values: list[tuple[float, float, float]]) -> pd.DataFrame:
    columns = ["estimate", "conf_low", "conf_high"]
    return pd.DataFrame(values, columns=columns).assign(term=terms)


@pytest.mark.parametrize("name", ["x.odt", "x.png", "x.HTML.md"])
def test_5_2_report_refuses_other_endings(name: str, tmp_path: Path) -> None:
    with pytest.raises(cw.InputError, match=r"'\.html', '\.htm'"):
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


@settings(max_examples=40, deadline=None)
@given(
    st.floats(-1e6, 1e6),
    st.floats(1e-3, 1e3),
    st.floats(1e-3, 1e3),
    st.sampled_from(["points", "bars"]),
)
@example(0.0, 391.0, 0.00390625, "bars")
def test_5_3_intervals_of_scores_are_seen(
    start: float, apart: float, half: float, kind: str
) -> None:
    estimates = np.array([start, start + apart])
    levels = pd.DataFrame({"level": ["a", "b"], "estimate": estimates})
    levels = levels.assign(conf_low=estimates - half, conf_high=estimates + half)
    ax = plots.means(levels, kind=kind)
    low, high = ax.get_ylim()
    assert low <= start - half
    assert high >= start + apart + half
    if kind == "points":
        assert (apart + 2 * half) / (high - low) > 0.7
        # Numbers that differ by a part of the axis that can be seen do not read alike.
        texts = [text.get_text() for text in ax.texts]
        assert apart < 0.05 * (high - low) or texts[0] != texts[1]
    import matplotlib.pyplot as plt

    plt.close("all")


@pytest.mark.parametrize("kind", ["points", "bars"])
@pytest.mark.parametrize("percent", [False, True])
@pytest.mark.parametrize(
    ("estimate", "half"),
    [
        ([0.5, 0.6], np.nan),
        ([np.nan, 0.6], 0.1),
        ([0.0, 0.0], 0.0),
        ([-0.5, -0.6], 0.1),
        ([0.02, -0.01], 0.03),
    ],
)
@pytest.mark.filterwarnings("error")
def test_5_3_levels_without_variance_or_below_nought(
    estimate: list[float], half: float, percent: bool, kind: str
) -> None:
    values = np.array(estimate)
    levels = pd.DataFrame({"level": ["a", "b"], "estimate": values})
    levels = levels.assign(conf_low=values - half, conf_high=values + half)
    ax = plots.means(levels, kind=kind, percent=percent)
    style.figure_of(ax).draw_without_rendering()
    low, high = ax.get_ylim()
    shown = levels[["estimate", "conf_low", "conf_high"]].to_numpy().ravel()
    shown = shown[np.isfinite(shown)]
    assert low <= shown.min() <= shown.max() <= high
    inside = [tick for tick in ax.get_yticks() if low <= tick <= high]
    assert len(inside) >= 3
    assert "nan" not in style.alt_of(ax)


def _stratified(method: Any, strata: list[str]) -> tuple[Any, pd.DataFrame]:
    rng = np.random.default_rng(5)
    n = 960
    frame = pd.DataFrame(
        {
            "id": np.arange(n),
            "site": [f"s{i // 24:02}" for i in range(n)],
            "wave": np.arange(n) % 2,
            "pair": [f"p{i // 12:02}" for i in range(n)],
            "half": rng.choice(["p", "q"], n),
            "x": rng.normal(size=n),
        }
    )
    design = cw.Design("T", arms={"a": 1, "b": 1}, unit="id", strata=strata, method=method, seed=1)
    trial = design.assign(frame)
    y = rng.normal(size=n) + (trial.frame["arm"] == "b")
    return trial, trial.frame.assign(y=y, z=(y > 0).astype(int))


@pytest.mark.parametrize(
    ("method", "strata", "formula", "count"),
    [
        (cw.Complete(), ["site"], "y ~ arm + x", 39),
        (cw.Complete(), ["site", "wave"], "y ~ arm + x", 79),
        (cw.Complete(), ["site", "wave"], "y ~ arm + x + wave", 78),
        (cw.Complete(), ["site"], "y ~ arm + x + site", 39),
        (cw.Complete(), ["wave"], "y ~ arm + x", 1),
        (cw.MatchedSets(on="pair"), [], "y ~ arm + x", 79),
        (cw.MatchedSets(on="pair"), [], "y ~ arm + x + C(pair)", 79),
    ],
)
def test_5_3_strata_are_one_line(method: Any, strata: list[str], formula: str, count: int) -> None:
    trial, data = _stratified(method, strata)
    fit = cw.ols(formula, data, design=trial)
    line = f"strata: {count} term{'s' * (count > 1)}"
    assert len(fit.strata_terms) == count
    kept = [term for term in fit.tidy()["term"] if term not in fit.strata_terms]
    assert kept[:3] == ["Intercept", "arm[T.b]", "x"]
    assert len(fit.tidy()) == len(kept) + count
    shown = cw.table(fit)
    page = cw.Report("T", date="2026-01-01").add(fit).add(shown).html
    for text in [made.of(one._panels()) for made in WRITERS.values() for one in (fit, shown)]:
        assert text.count(line) == 1
        assert not [term for term in fit.strata_terms if f"{term} " in text or f">{term}<" in text]
    assert page.count(f">{line}<") == 2
    assert len(repr(fit).splitlines()) < 20
    # What is asked for by name is shown.
    named = cw.table(fit, terms=["arm[T.b]", fit.strata_terms[0]])
    assert line not in repr(named)
    assert len(named.rows) == 2
    for draw in (cw.coefplot, plots.forest):
        labels = [label.get_text() for label in draw(fit).get_yticklabels()]
        assert labels[:2] == ["arm: b", "x"]
        assert len(labels) == len(kept) - 1


def test_5_3_a_table_says_which_models_have_strata() -> None:
    trial, data = _stratified(cw.Complete(), ["site"])
    by = cw.ols("y ~ arm", data, design=trial, by="half")
    several = cw.table({"Without": cw.ols("y ~ arm", data, design=trial, strata_terms=False), **by})
    assert dict(several.facts)["strata: 39 terms"] == ["no", "yes", "yes"]
    part = data[data["site"] < "s20"]
    unequal = cw.table([cw.ols("y ~ arm", rows, design=trial) for rows in (part, data)])
    assert dict(unequal.facts)["strata: 19 to 39 terms"] == ["19", "39"]
    # Models of every kind, and frames by the names that a design gives.
    for model in (cw.logit, cw.probit):
        assert "strata: 1 term\n" in repr(model("z ~ arm", *_by_wave()))
    assert "strata: 39 terms" in repr(cw.table(cw.ols("y ~ arm", data, design=trial).tidy()))


def _by_wave() -> tuple[pd.DataFrame, Any]:
    trial, data = _stratified(cw.Complete(), ["wave"])
    return data, trial


def test_5_3_no_factor_but_the_strata_is_folded() -> None:
    trial, data = _stratified(cw.Complete(), ["wave"])
    shown = repr(cw.ols("y ~ arm + C(site)", data, design=trial))
    assert shown.count("C(site)[T.") == 39
    assert "strata: 1 term" in shown
    assert "strata:" not in repr(cw.ols("y ~ arm + C(pair)", data))


def _forest(frame: Any, **options: Any) -> tuple[list[str], str]:
    ax = plots.forest(frame, **options)
    return [label.get_text() for label in ax.get_yticklabels()], ax.get_xlabel()


def test_5_3_a_forest_names_its_subgroups() -> None:
    trial, data = _stratified(cw.Complete(), ["site"])
    by = cw.ols("y ~ arm + x", data, design=trial, by="half", level=0.9)
    labels, said = _forest(by)
    assert labels == ["half: p, arm: b", "half: p, x", "half: q, arm: b", "half: q, x"]
    assert "90%" in said
    for frame in (by, by.tidy(), pl.from_pandas(by.tidy())):
        labels, said = _forest(frame, terms=["arm[T.b]"])
        assert labels == ["half: p", "half: q"]
        assert said.startswith("Estimate of arm: b, ")
    labels, said = _forest(by, terms=["x", "arm[T.b]"], labels={"p": "First", "x": "Score"})
    assert labels == ["First, Score", "First, arm: b", "half: q, Score", "half: q, arm: b"]
    everybody = cw.ols("y ~ arm + x", data, design=trial)
    assert _forest({"All": everybody, **by}, terms=["arm[T.b]"])[0] == ["All", "p", "q"]
    outcomes = cw.ols(["y ~ arm", "z ~ arm"], data, design=trial)
    assert _forest(outcomes)[0] == ["y", "z"]
    with pytest.raises(cw.InputError, match=r"no such terms .*Intercept, arm\[T.b\], x\."):
        plots.forest(by, terms=["arm"])
    with pytest.raises(cw.InputError, match="nothing to draw"):
        plots.forest({})


def test_5_3_a_frame_is_drawn_as_it_stands() -> None:
    frame = _frame(["Intercept", "a", "Intercept", "a"], [(1, 0, 2)] * 4)
    assert _forest(frame)[0] == ["Intercept", "a"] * 2
    assert _forest(frame.assign(trial=[1, 1, 2, 2]))[0] == ["Intercept", "a"] * 2
    front = frame.assign(trial=[1, 1, 2, 2])[["trial", "term", "estimate", "conf_low", "conf_high"]]
    assert _forest(front, terms=["a"])[0] == ["trial: 1", "trial: 2"]


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


@pytest.mark.parametrize("kind", ["object", "Float64", "polars"])
@pytest.mark.parametrize("draw", [cw.coefplot, cw.plots.forest])
def test_9_17_intervals_that_are_null_are_not_drawn(draw: Any, kind: str) -> None:
    import polars as pl
    from matplotlib import pyplot

    columns = {"term": ["a", "b"], "estimate": [1.0, 2.0], "conf_low": [None, 1.0]}
    columns["conf_high"] = [None, 3.0]
    frame: Any = pl.DataFrame(columns) if kind == "polars" else pd.DataFrame(columns, dtype=object)
    if kind == "Float64":
        frame = frame.astype(dict.fromkeys(["estimate", "conf_low", "conf_high"], "Float64"))
    said = draw(frame)
    said.figure.canvas.draw()
    pyplot.close("all")


def test_9_17_text_in_place_of_an_estimate_is_refused() -> None:
    frame = pd.DataFrame({"term": ["a"], "estimate": ["1.0"], "conf_low": [0], "conf_high": [2]})
    with pytest.raises(cw.InputError, match="'estimate' holds what is no number"):
        cw.coefplot(frame)


def test_9_5_infinite_edges_are_refused_as_such() -> None:
    frame = {"y": [1.0, 2.0, 3.0], "arm": ["a", "b", "a"]}
    with pytest.raises(cw.InputError, match="infinite"):
        cw.crosstab("y ~ arm", frame, bins=[0, 2, float("inf")])
