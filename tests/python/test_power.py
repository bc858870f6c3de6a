"""Power for a binary outcome: the printed figures, solving back and forth, curves and bad plans."""

from __future__ import annotations

import json
import pickle
import re
from pathlib import Path
from typing import Any

import crewe as cw
import matplotlib
import numpy as np
import pandas as pd
import polars as pl
import pytest

matplotlib.use("Agg")

PLAN: dict[str, Any] = {"baseline": 0.226, "icc": 0.36, "cluster_size": 3}
METHODS = ("arcsine", "pooled", "unpooled")


@pytest.mark.parametrize(
    ("baseline", "icc", "points"),
    [(0.226, 1, 15.1), (0.226, 0.36, 11.2), (0.113, 1, 12.4), (0.113, 0.36, 9.1)],
)
@pytest.mark.parametrize(("clusters", "share"), [(286, 0.5), (322, 2 / 3), (340, 0.7)])
def test_the_four_printed_effects(baseline, icc, points, clusters, share) -> None:
    plan = cw.power.binary(
        baseline=baseline, icc=icc, cluster_size=3, clusters=clusters, power=0.8, allocation=share
    )
    assert abs(100 * plan.effect - points) <= 0.05
    assert plan.method == "arcsine" and plan.direction == "rise"
    assert plan.treated == pytest.approx(baseline + plan.effect, abs=1e-15)


def test_what_132_families_could_detect() -> None:
    shown = cw.power.project_crewe()
    frame = shown.frame
    arcsine = frame[(frame["part"] == "trial") & (frame["method"] == "arcsine")]
    rises = arcsine[arcsine["direction"] == "rise"]
    np.testing.assert_allclose(100 * rises["effect"], [24.3, 18.0, 24.3, 18.8], atol=0.05)
    falls = arcsine[arcsine["direction"] == "fall"]
    assert (falls["effect"] < 0).all() and (falls["effect"].abs() < rises["effect"].values).all()
    printed = frame[frame["part"] == "printed"]
    error = (printed["effect"] - printed["printed"]).abs() * 100
    assert (error[printed["method"] == "arcsine"] <= 0.05).all()
    assert (error[printed["method"] == "pooled"] > 0.05).any()
    assert (error[printed["method"] == "unpooled"] > 0.05).any()
    assert "326 children" in repr(shown) and "126 index cases" in repr(shown)
    assert "27.3% (North East)" in repr(shown) and "23.4% (England)" in repr(shown)


def test_real_sizes_take_their_own_sums() -> None:
    sizes = [1] * 40 + [2] * 35 + [3] * 28 + [4] * 16 + [5] * 8 + [6] * 3 + [7, 9]
    shown = cw.power.project_crewe(sizes).frame
    given = shown[shown["sizes"].str.contains("given")]
    assert len(given) == 12
    total = np.array(sizes)
    factor = 1 + 0.36 * ((total**2).sum() / total.sum() - 1)
    np.testing.assert_allclose(given["design_effect"][given["icc"] == 0.36], factor, rtol=1e-14)
    mean = cw.power.binary(
        baseline=0.226, icc=0.36, cluster_size=total.mean(), cv=total.std() / total.mean(),
        clusters=132, power=0.8, allocation=2 / 3,
    )  # fmt: skip
    for kind in (list, np.array, pd.Series, pl.Series):
        listed = cw.power.binary(
            baseline=0.226, icc=0.36, cluster_size=kind(sizes), clusters=132, power=0.8,
            allocation=2 / 3,
        )  # fmt: skip
        assert listed.effect == pytest.approx(mean.effect, rel=1e-12)


def test_python_gives_rs_numbers() -> None:
    path = Path(__file__).parents[1] / "reference" / "expected" / "power.json"
    rows = json.loads(path.read_text())["mdes"]
    for row in rows[::7]:
        plan = cw.power.binary(
            baseline=row["baseline"], icc=row["icc"], cluster_size=row["m"], power=0.8,
            clusters=int(row["clusters"]), allocation=row["allocation"], method=row["method"],
            direction=row["direction"], distribution=row["distribution"],
        )  # fmt: skip
        if row["effect"] is None:
            assert not plan.attainable and plan.effect is None
        else:
            assert plan.effect == pytest.approx(row["effect"], rel=1e-9)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("distribution", ["z", "t"])
@pytest.mark.parametrize("effect", [0.112, -0.1])
def test_whatever_is_left_out_comes_back(method, distribution, effect) -> None:
    known = {"baseline": 0.226, "method": method, "distribution": distribution, "cv": 0.4}
    full = {"icc": 0.2, "cluster_size": 4.0, "clusters": 300, "effect": effect}
    power = cw.power.binary(**known, **full).power
    direction = "rise" if effect > 0 else "fall"
    for name in ("icc", "effect"):
        rest = {key: value for key, value in full.items() if key != name}
        extra = {"direction": direction} if name == "effect" else {}
        plan = cw.power.binary(**known, **rest, **extra, power=power)
        assert getattr(plan, name) == pytest.approx(full[name], rel=1e-9)
    for name in ("clusters", "cluster_size"):
        rest = {key: value for key, value in full.items() if key != name}
        plan = cw.power.binary(**known, **rest, power=power - 1e-9)
        assert getattr(plan, name) == full[name]
        assert plan.power >= power - 1e-9 > plan.power_one_fewer


def test_allocation_rounds_only_in_what_is_shown() -> None:
    plan = cw.power.binary(**PLAN, clusters=322, power=0.8, allocation=2 / 3)
    assert (plan.clusters_treated, plan.clusters_control) == (215, 107)
    assert any("214.67 treated and 107.33 control" in note for note in plan.notes)
    whole = cw.power.binary(**PLAN, clusters=322, power=0.8, allocation=215 / 322)
    assert plan.effect < whole.effect


def test_unattainable_is_a_result_with_its_ceiling() -> None:
    plan = cw.power.binary(
        baseline=0.113, icc=0.36, cluster_size=3, clusters=20, power=0.8, direction="fall"
    )
    assert not plan.attainable and plan.effect is None and plan.treated is None
    assert 0.05 < plan.ceiling < 0.8 and plan.ceiling_at == -0.113
    assert "unattainable" in repr(plan) and "even a fall to 0.0%" in repr(plan)
    size = cw.power.binary(baseline=0.226, icc=0.36, clusters=60, effect=0.112, power=0.8)
    assert size.cluster_size is None and size.ceiling_at == np.inf
    assert "however large the clusters are" in repr(size)
    assert "unattainable" in plan._repr_html_()


def test_results_print_the_formula_and_pickle() -> None:
    plan = cw.power.binary(**PLAN, clusters=286, power=0.8)
    text = repr(plan)
    for says in ("+11.2 pp", "22.6% → 33.8%", "Cohen's h", "Cohen (1988)", "both tails count"):
        assert says in text
    assert "<th" in plan._repr_html_()
    assert pickle.loads(pickle.dumps(plan)) == plan
    tidy = plan.tidy()
    assert len(tidy) == 1 and tidy["effect"][0] == plan.effect
    assert plan.relative == pytest.approx(0.497, abs=1e-3) and plan.units == 858


def test_curves_follow_and_draw(tmp_path) -> None:
    plan = cw.power.binary(**PLAN, clusters=132, power=0.8, allocation=2 / 3)
    curve = plan.curve(over="clusters", icc=[0, 0.36, 1])
    assert curve.of == "effect"
    for _, part in curve.frame.groupby("icc"):
        assert part["effect"].is_monotonic_decreasing
    ax = curve.plot()
    assert ax.get_ylabel() == "Effect, percentage points"
    ax.figure.savefig(tmp_path / "curve.png")
    power = plan.curve(over="effect", method=list(METHODS))
    assert power.of == "power" and power.frame["power"].between(0, 1).all()
    nearest = (power.frame["effect"] - plan.effect).abs().idxmin()
    assert power.frame["power"][nearest] == pytest.approx(0.8, abs=0.03)
    for over, of in [
        ("icc", "power"),
        ("power", "effect"),
        ("cluster_size", "effect"),
        ("icc", "clusters"),
    ]:
        followed = plan.curve(over=over, of=of)
        assert len(followed.frame) > 20 and list(followed.frame) == [over, of]
        followed.plot()
        assert "<table" in followed._repr_html_() and repr(followed)
    matplotlib.pyplot.close("all")


def test_curves_leave_gaps_where_nothing_is_attainable() -> None:
    plan = cw.power.binary(**PLAN, clusters=132, power=0.8, direction="fall", allocation=2 / 3)
    curve = plan.curve(over="clusters", values=[10, 200])
    assert curve.frame["effect"].isna().tolist() == [True, False]
    assert "unattainable" in repr(curve)


def test_a_curve_over_size_keeps_the_variation_of_a_list() -> None:
    listed = {**PLAN, "cluster_size": [1, 2, 3, 6]}
    plan = cw.power.binary(**listed, clusters=132, power=0.8)
    curve = plan.curve(over="cluster_size", values=[3])
    assert curve.frame["effect"][0] == pytest.approx(plan.effect, rel=1e-12)


def test_a_table_takes_every_combination() -> None:
    grid = cw.power.table(
        baseline=[0.226, 0.113], icc=[1, 0.36], cluster_size={"three": 3, "as listed": [1, 2, 6]},
        clusters=286, power=0.8,
    )  # fmt: skip
    assert len(grid.frame) == 8
    assert grid.frame["cluster_size"].tolist() == ["three", "as listed"] * 4
    three = grid.frame[grid.frame["cluster_size"] == "three"]["effect"]
    np.testing.assert_allclose(100 * three, [15.1, 11.2, 12.4, 9.1], atol=0.05)
    assert "as listed" in repr(grid)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"effect": 0.1}, "nothing is left to solve for"),
        ({"power": None}, "2 quantities are left out"),
        ({"baseline": 22.6}, "baseline"),
        ({"baseline": 0.0}, "baseline"),
        ({"icc": 1.2}, "icc must be above -0.5000"),
        ({"icc": -0.5}, "-1/\\(m - 1\\)"),
        ({"icc": float("nan")}, "icc"),
        ({"cluster_size": 0.4}, "at least 1"),
        ({"cluster_size": [2, 0, 3]}, "row 1"),
        ({"cluster_size": [2, 2.5]}, "whole numbers \\(row 1"),
        ({"cluster_size": [2, None]}, "must be a number"),
        ({"cluster_size": []}, "at least 1"),
        ({"cluster_size": [1, 2], "cv": 0.3}, "its own variation"),
        ({"cluster_size": "three"}, "must be a number"),
        ({"clusters": 131.5}, "whole number"),
        ({"clusters": -4}, "whole number"),
        ({"clusters": 3}, "at least 2 clusters"),
        ({"alpha": 0}, "alpha"),
        ({"allocation": 2}, "allocation"),
        ({"power": 80}, "power must lie between 0 and 1"),
        ({"power": 0.05}, "not above the level"),
        ({"r2": 1}, "r2"),
        ({"cv": -1}, "cv must not be negative"),
        ({"power": None, "effect": 11.2}, "out of 0 to 1"),
        ({"power": None, "effect": -0.3}, "out of 0 to 1"),
        ({"power": None, "effect": 0}, "other than 0"),
        ({"power": None, "effect": 0.1, "direction": "fall"}, "contradicts"),
        ({"method": "chi2"}, "method is not known"),
        ({"direction": "up"}, "direction is not known"),
        ({"distribution": "F"}, "distribution is not known"),
    ],
)
def test_bad_plans_are_refused_in_plain_words(change, says) -> None:
    with pytest.raises(cw.InputError, match=says):
        cw.power.binary(**{**PLAN, "clusters": 286, "power": 0.8, **change})


def test_bad_curves_and_tables_are_refused() -> None:
    plan = cw.power.binary(**PLAN, clusters=286, power=0.8)
    for arguments, says in [
        ({"over": "alpha"}, "no quantity 'alpha'"),
        ({"over": "icc", "of": "icc"}, "over itself"),
        ({"over": "clusters", "icc": [0, 1], "cv": [0, 1]}, "one argument"),
        ({"over": "clusters", "nonsense": [0, 1]}, "one argument"),
    ]:
        with pytest.raises(cw.InputError, match=says):
            plan.curve(**arguments)
    with pytest.raises(cw.InputError, match="no values"):
        cw.power.table(**PLAN, clusters=[], power=0.8)
    out = cw.power.binary(baseline=0.113, icc=0.36, cluster_size=3, clusters=20, power=0.8,
                          direction="fall")  # fmt: skip
    with pytest.raises(cw.InputError, match="unattainable"):
        out.curve(over="clusters", of="power")


def test_the_code_of_the_methods_page_runs(capsys) -> None:
    page = Path(__file__).parents[2] / "docs" / "methods" / "power.md"
    blocks = re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), flags=re.DOTALL)
    assert blocks
    exec(compile("\n".join(blocks), str(page), "exec"), {})
    out = capsys.readouterr().out
    assert "+18.0 pp" in out and "Clusters, both arms" in out


def test_numbers_print_whole_and_never_as_nought_or_certainty() -> None:
    many = cw.power.binary(**PLAN, effect=0.01, power=0.8)
    assert many.clusters == 31972
    for text in (
        repr(cw.power.table(**PLAN, effect=[0.01, 0.02], power=0.8)),
        repr(many.curve(over="effect", values=[0.01, 0.012])),
    ):
        assert "31,972" in text and "e+" not in text
    assert "34.7%" in repr(many.curve(over="clusters", of="power", values=[10_000]))
    tiny = repr(cw.power.binary(baseline=0.001, icc=0, cluster_size=1, effect=-0.0003, power=0.8))
    assert "−0.030 pp (0.100% → 0.070%, −30% of the baseline)" in tiny
    # One cluster of tens of thousands moves the power by less than a hundredth of a point.
    said = re.search(r"The power is (\S+)%; with one cluster fewer it is (\S+)%", tiny)
    assert said is not None and float(said[1]) >= 80 > float(said[2])
    sure = repr(cw.power.binary(**PLAN, effect=0.3, clusters=1000))
    assert ">99.9%" in sure and "100.0%" not in sure
    costs = repr(cw.power.continuous(sd=5000, icc=0.1, cluster_size=20, clusters=40, power=0.8))
    assert "+1,731" in costs and "e+" not in costs
    nothing = cw.power.continuous(cluster_size=20, clusters=400, power=0.99, effect=0.1719)
    assert "e-" not in repr(nothing)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"icc": True}, "icc must be a number"),
        ({"cluster_size": np.bool_(True)}, "cluster_size must be a number"),
        ({"cluster_size": [True, 2]}, "cluster_size must be a number"),
        ({"covariates": False}, "covariates must be a number"),
        ({"subgroup_level": "family"}, "not known"),
        ({"interaction": []}, "interaction must be True or False"),
        ({"subgroup": 0.3, "interaction": True, "icc": 1}, "below 1"),
        ({"cv": 1e300}, "no number for an answer"),
    ],
)
def test_what_is_no_number_or_no_word_is_refused(change, says) -> None:
    plan = {"icc": 0.1, "cluster_size": 20, "clusters": 40, "power": 0.8}
    with pytest.raises(cw.exceptions.InputError, match=says):
        cw.power.continuous(**{**plan, **change})
    with pytest.raises(cw.exceptions.InputError, match="not known"):
        cw.power.continuous(**plan, adjustment="none")


@pytest.mark.parametrize(
    "layout",
    [
        cw.power.SteppedWedge(4, decay="no"),  # type: ignore[arg-type]
        cw.power.Crossover(2, decay=1),  # type: ignore[arg-type]
        cw.power.Pairs(True),
        cw.power.Blocks(True),
    ],
)
def test_yes_and_no_are_no_words_and_no_numbers(layout) -> None:
    with pytest.raises(cw.exceptions.InputError, match="must be"):
        cw.power.continuous(icc=0.1, cluster_size=20, clusters=24, power=0.8, layout=layout)


@pytest.mark.parametrize(
    ("layout", "over"),
    [
        (cw.power.Pairs(0.3), "clusters"),
        (cw.power.ThreeLevels(2, 0.1), "icc"),
        (cw.power.ThreeLevels(2, 0.1), "cluster_size"),
        (cw.power.Blocks(6), "clusters"),
    ],
)
def test_a_range_of_its_own_stays_within_the_layout(layout, over) -> None:
    plan = cw.power.continuous(icc=0.1, cluster_size=20, clusters=24, power=0.8, layout=layout)
    curve = plan.curve(over=over)
    assert len(curve.frame) > 5 and curve.frame["effect"].notna().all()


def test_stages_groups_and_lines_are_lists_and_names_of_their_own() -> None:
    plan = cw.power.binary(**PLAN, clusters=132, power=0.8)
    refused: list[tuple[Any, str]] = [
        (lambda: plan.table(subgroups={"all": 0.3}), "'all' is taken"),
        (lambda: plan.table(protocol={"clusters": 98}), "'protocol' is taken"),
        (lambda: plan.table(randomisation=98), "randomisation= takes a mapping"),
        (lambda: plan.curve(values=[]), "values= takes a list of at least one value"),
        (lambda: plan.curve(icc=[]), "icc= takes a list of at least one value"),
        (lambda: plan.curve(icc="0.36"), "icc= takes a list of at least one value"),
        (lambda: plan.curve(icc=0.36), "icc= takes a list of values, not 0.36"),
        (lambda: cw.power.several({"a": 1, "b": 2}, correlation=0), "of texts to a Power"),
    ]
    for call, says in refused:
        with pytest.raises(cw.exceptions.InputError, match=re.escape(says)):
            call()
    laid_out = repr(plan.curve(values=[132], layout=[None, cw.power.Pairs(0.3)]))
    assert "Pairs(correlation=0.3)" in laid_out
    for several in (np.array([132, 286]), pd.Series([132, 286]), range(132, 134)):
        assert len(cw.power.table(**PLAN, clusters=several, power=0.8).frame) == 2
    rates = cw.power.count(baseline=3, rate_cv=0.25, cluster_size=3, clusters=99, power=0.8)
    with pytest.raises(cw.exceptions.InputError, match="rate_cv"):
        rates.curve(over="icc")


def test_axes_of_many_clusters_part_thousands() -> None:
    plan = cw.power.binary(**PLAN, effect=0.01, power=0.8)
    ax = plan.curve(over="clusters", of="power", values=[10_000, 20_000, 40_000]).plot()
    ax.figure.canvas.draw()
    assert "20,000" in [label.get_text() for label in ax.get_xticklabels()]
    matplotlib.pyplot.close("all")
