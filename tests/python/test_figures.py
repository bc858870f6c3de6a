"""What figures say: bars, labels, numbers of rows, notes and alternative texts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import crewe as cw
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from crewe.plots import style

TRIAL = cw.datasets.project_crewe(seed=2017)
NAMES = {
    "control": "Council",
    "crewe": "Project Crewe",
    "referral": "At referral",
    "latest": "At latest information",
}


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    plt.close("all")


def council_cases() -> set[str]:
    return set(TRIAL.risk.loc[TRIAL.risk["arm"] == "control", "case_id"])


def risk(coded: Any = TRIAL.risk) -> Any:
    seen = coded.assign(seen=coded["value"].fillna(coded["present"]))
    return cw.risk.Framework.project_crewe().score(
        seen, case="case_id", time="time", code="code", value="seen", times=["referral", "latest"]
    )


def legend(ax: Any) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


def notes(ax: Any) -> list[str]:
    return [text.get_text() for text in ax.texts if text.get_gid() == "crewe-note"]


def ticks(ax: Any, axis: str = "x") -> list[str]:
    return [label.get_text() for label in getattr(ax, f"get_{axis}ticklabels")()]


def inside(ax: Any) -> bool:
    """Whether everything drawn lies within the figure, so that nothing is clipped."""
    figure = style.figure_of(ax)
    figure.draw_without_rendering()
    drawn = figure.get_tightbbox()
    width, height = figure.get_size_inches()
    return (
        drawn.x0 > -0.02
        and drawn.y0 > -0.02
        and drawn.x1 < width + 0.02
        and drawn.y1 < height + 0.02
    )


def test_visits_carry_their_values_and_numbers() -> None:
    ax = cw.describe("visits ~ arm + wave", TRIAL.visits, synthetic=True).plot(
        labels=NAMES, ylabel="Mean visits a month", xlabel="Wave"
    )
    assert len(ax.patches) == 4 and legend(ax) == ["Council", "Project Crewe"]
    seen = TRIAL.visits.groupby(["wave", "arm"]).size()
    assert ticks(ax) == [
        f"{wave}\nn = {seen[wave, 'control']}, {seen[wave, 'crewe']}"
        for wave in ("autumn", "spring")
    ]
    assert {"3.7", "11.0", "3.0", "9.0"} <= {text.get_text() for text in ax.texts}
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Wave", "Mean visits a month")
    assert notes(ax) == ["Lines: 95% confidence intervals of the mean."]
    assert f"Project Crewe 11.0 (n = {seen['autumn', 'crewe']})" in style.alt_of(
        ax
    ) and style.is_synthetic(ax)
    assert inside(ax)


def test_stress_is_a_distribution() -> None:
    edges = [5, 8, 11, 14, 17, 20, 23, 25]
    table = cw.crosstab("stress_score ~ arm", TRIAL.survey, bins=edges, synthetic=True)
    ax = table.plot(labels=NAMES)
    assert len(ax.patches) == 14
    assert sum(bar.get_height() for bar in ax.patches) == pytest.approx(2)
    assert legend(ax) == ["Council (n = 9)", "Project Crewe (n = 19)"]
    assert ticks(ax)[0] == "5–7" and ticks(ax)[-1] == "23–25"
    assert ax.get_ylabel() == "Share within each arm" and ax.get_xlabel() == "Stress score"
    assert inside(ax)


def test_long_names_lie_beside_their_bars() -> None:
    shares = dict(
        zip(TRIAL.need_national["need"], TRIAL.need_national["national_share"], strict=True)
    )
    names = dict(zip(TRIAL.need_national["need"], TRIAL.need_national["meaning"], strict=True))
    analysed = TRIAL.cases[TRIAL.cases["analysed"]]
    needs = cw.compare_to_national("need", analysed, national=shares, seed=1, synthetic=True)
    ax = needs.plot(labels={**names, "national": "England (illustrative)"})
    assert [bar.get_width() for bar in ax.patches] == pytest.approx([*needs.national, *needs.rates])
    assert ticks(ax, "y")[0] == "abuse or neglect"
    # The first category stands at the top.
    assert ax.get_ylim()[0] > ax.get_ylim()[1]
    assert legend(ax) == ["England (illustrative)", "sample (n = 128)"]
    share = (analysed["need"] == "N1").mean()
    said = f"abuse or neglect: England (illustrative) 50.0%, sample {share:.1%}"
    assert said in style.alt_of(ax)
    assert inside(ax)
    assert len(needs.plot().get_xticklabels()) == 10


def test_the_synthetic_label_keeps_clear_of_the_legend() -> None:
    wide = {
        "national": "England, with shares that are illustrative",
        "sample": "Cases of the trial",
    }
    ax = cw.compare_to_national(
        {"first risk": 3, "second": 4},
        n=10,
        national={"first risk": 0.2, "second": 0.4},
        synthetic=True,
    ).plot(labels=wide)
    label = next(text for text in ax.texts if text.get_gid() == "crewe-synthetic")
    style.figure_of(ax).draw_without_rendering()
    assert not label.get_window_extent().overlaps(ax.get_legend().get_window_extent())


def test_box_plots_stand_alone_on_one_scale() -> None:
    scores = risk()
    first, last = (scores.plot(at=time, labels=NAMES) for time in ("referral", "latest"))
    assert first.get_ylim() == last.get_ylim()
    assert ticks(first) == ["Council\nn = 15", "Project Crewe\nn = 15"]
    assert (first.get_xlabel(), last.get_xlabel()) == ("At referral", "At latest information")
    assert first.get_ylabel() == "Total score (higher is better)"
    assert "interquartile" in notes(first)[0].replace("\n", " ")
    assert "At latest information" not in style.alt_of(first)
    rows = scores.frame
    council = rows.loc[
        (rows["time"] == "referral") & rows["case_id"].isin(council_cases()), "total"
    ]
    low, middle, high = (
        f"{value:.1f}".replace("-", "−") for value in council.quantile([0.25, 0.5, 0.75])
    )
    said = f"Council, At referral: median {middle}, middle half {low} to {high}, 15 cases"
    assert said in style.alt_of(first)
    assert inside(first)
    both = scores.plot(labels=NAMES)
    assert ticks(both) == ["At referral\nn = 15, 15", "At latest information\nn = 15, 15"]
    with pytest.raises(cw.InputError, match="'later'"):
        scores.plot(at="later")


def test_equal_means_do_not_hide_each_other() -> None:
    seen = TRIAL.risk[TRIAL.risk["arm"] == "crewe"]
    twins = seen.assign(arm="control", case_id="T" + seen["case_id"])
    ax = risk(pd.concat([twins, seen])).change(by="arm").plot("risk", labels=NAMES)
    control, crewe = (line for line in ax.lines if len(line.get_xdata()) == 2)
    assert list(control.get_ydata()) == pytest.approx(list(crewe.get_ydata()))
    assert (np.asarray(control.get_xdata()) < np.asarray(crewe.get_xdata())).all()
    # Equal values are written once.
    values = [text.get_text() for text in ax.texts if text.get_gid() is None]
    assert sorted(values) == ["−2.87", "−6.60"]
    assert legend(ax) == ["Council (n = 15)", "Project Crewe (n = 15)"]
    assert "from −6.60 (At referral) to −2.87 (At latest information)" in style.alt_of(ax)
    assert inside(ax)


def test_predicted_levels_say_how_many_stand_behind_them() -> None:
    awards = cw.datasets.achievement_awards()
    fit = cw.ols(
        "Bagrut_status ~ treated + girl", awards[awards["year"] == 2001], cluster="school_id"
    )
    levels = fit.margins("treated")
    assert sum(levels.counts) == fit.n
    ax = levels.plot(percent=True)
    assert legend(ax) == ["treated: 0", "treated: 1"]
    assert ticks(ax)[0].startswith(f"n = {levels.counts[0]:,}, {levels.counts[1]:,}\nDifference")
    # Stars stay with what they stand for, however the line breaks.
    lines = ax.get_xlabel().replace("\N{NO-BREAK SPACE}", " ").split("\n")
    assert len(lines) == 2 and sum("*** p < 0.01" in line for line in lines) == 1
    # Small shares fill the scale.
    assert ax.get_ylim()[1] <= 0.5
    assert inside(ax)
    by = cw.ols("closed ~ arm * history", TRIAL.cases, vcov="HC1").margins("arm", by="history")
    counts = TRIAL.cases.dropna(subset=["closed"]).groupby(["history", "arm"]).size()
    assert by.counts == counts.tolist()


def test_survival_figure_names_its_strokes() -> None:
    analysed = TRIAL.cases[TRIAL.cases["analysed"]]
    curves = cw.kaplan_meier("Surv(days, event) ~ arm", analysed, synthetic=True)
    ax = curves.plot(end=450, step=50, labels=NAMES)
    assert legend(ax) == ["Council", "Project Crewe", "censored"]
    assert ticks(ax) == [str(day) for day in range(0, 451, 50)]
    written = [text.get_text() for text in ax.texts]
    assert {"Number at risk", "45", "83"} <= set(written)
    assert inside(ax)


def test_balance_shows_two_levels_once() -> None:
    made = (
        cw.Design("t", arms={"control": 1, "crewe": 2}, cluster="family_id")
        .observe(TRIAL.cases, arm="arm")
        .balance(["age", "gender", "ethnicity"])
    )
    ax = made.plot()
    shown = ticks(ax, "y")
    assert "gender: male" in shown and "gender: female" not in shown
    assert sum(name.startswith("ethnicity: ") for name in shown) == 5
    assert "±0.1" in notes(ax)[0]
    # One case a family: one panel, and one count of what is missing.
    assert len(made.tables()) == 1
    assert made.notes == ["Missing by family: ethnicity 6."]
    assert inside(ax)


def test_a_table_of_counts_takes_an_order() -> None:
    order = ["closed", "improved", "no change", "escalated"]
    table = cw.crosstab("outcome ~ arm", TRIAL.outcomes, order=order)
    assert table.rows == order
    assert table.counts[:, table.columns.index("crewe")].tolist() == [2, 2, 1, 2]
    assert table.counts[:, table.columns.index("control")].tolist() == [3, 1, 0, 1]
    longer = cw.crosstab("outcome ~ arm", TRIAL.outcomes, order=[*order, "unknown"])
    assert longer.counts[-1].tolist() == [0, 0]
    with pytest.raises(cw.InputError, match="escalated"):
        cw.crosstab("outcome ~ arm", TRIAL.outcomes, order=order[:-1])
    with pytest.raises(cw.InputError, match="once"):
        cw.crosstab("outcome ~ arm", TRIAL.outcomes, order=[*order, "closed"])


def test_missing_rows_keep_out_of_an_ordered_table() -> None:
    frame = pd.DataFrame({"x": ["b", None, "a"], "arm": ["t", "t", "c"]})
    table = cw.crosstab("x ~ arm", frame, order=["b", "a"])
    assert table.counts.sum() == 2 and "1 of 3 rows" in table.notes[0]
