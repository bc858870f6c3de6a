"""A recruiting trial's update as it prints."""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING, Any

from crewe.power._quantities import effect_text, percent
from crewe.tables.display import Table, number

if TYPE_CHECKING:
    from crewe.power._update import Update


_LIKE = {"count": "ICC of counts, both arms", "survival": "ICC of scores, both arms"}


def tables(found: Update) -> list[Table]:
    """Give recruitment and what the trial detects as they print."""
    plan = found.plan
    recruited: list[list[Any]] = [
        ["Clusters by the look", f"{found.clusters:,}"],
        ["A week", number(found.per_week, 2)],
    ]
    if found.at_close is not None:
        expected, low, high = found.at_close
        recruited.append(
            [f"At the close, {found.closes}", f"{expected:,.0f} ({low:,.0f} to {high:,.0f})"]
        )
    if found.days_to_target is not None:
        dates = [_date(found, ahead) for ahead in found.days_to_target]
        recruited.append([f"{plan.clusters:,} reached", f"{dates[0]} ({dates[1]} to {dates[2]})"])
    seen = found.seen
    if found.blinded is not None and seen is not None:
        coming = None if found.at_close is None else found.at_close[0]
        recruited += found.blinded.lines(coming, plan)
        ends = (
            ""
            if math.isnan(seen.interval[0])
            else f" ({number(seen.interval[0], 3)} to {number(seen.interval[1], 3)})"
        )
        if not math.isnan(seen.estimate):
            recruited.append(
                [_LIKE.get(plan.outcome, "ICC, both arms"), f"{number(seen.estimate, 3)}{ends}"]
            )
    title = f"Recruitment by {found.at}" + (
        " (SYNTHETIC data)" if seen is not None and seen.synthetic else ""
    )
    rows = []
    for stage in found.stages:
        known_rate = stage.sd if plan.outcome == "continuous" else stage.baseline
        share = plan.outcome in ("binary", "survival")
        like = stage.icc if stage.rate_cv is None else stage.rate_cv
        rows.append(
            [
                stage.stage + (", less the planned effect" if stage.effect_removed else ""),
                f"{stage.clusters:,}",
                "–"
                if known_rate is None
                else (percent(known_rate) if share else number(known_rate, 3)),
                *([] if stage.dispersion is None else [number(stage.dispersion, 3)]),
                "–" if like is None else number(like, 3),
                effect_text(plan, stage.effect),
                "–" if stage.power is None else percent(stage.power),
            ]
        )
    counted = plan.outcome == "count"
    varies = plan.asked.get("rate_cv") is not None
    rate = "SD" if plan.outcome == "continuous" else "baseline"
    untrusted = (
        [line for line in seen.methods() if "not to be trusted" in line] if seen is not None else []
    )
    return [
        Table(["Recruitment", ""], recruited, title=title, notes=[*found.methods(), *untrusted]),
        Table(
            [
                "Stage",
                "clusters",
                rate,
                *(["dispersion"] if counted else []),
                "CV of rates" if varies else "ICC",
                f"detects with power {percent(found.target, 0)}",
                "power for the planned effect",
            ],
            rows,
            title="What the trial detects",
            notes=found.notes,
            align="l" + "r" * (6 if counted else 5),
        ),
    ]


def _date(found: Update, ahead: float) -> str:
    """Give the date so many days after the look; "never" beyond the calendar."""
    try:
        return str(found.at + dt.timedelta(days=math.ceil(ahead)))
    except OverflowError:
        return "never"
