"""What an answer says of itself in plain sentences."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from crewe.power._quantities import LABELS, chance, decimals, effect_text, percent, plain

if TYPE_CHECKING:
    from crewe.power._result import Power

# Under so many clusters the law is t by default, and the normal flatters the power.
FEW = 50

# Beyond this hazard ratio, or below one over it, a formula that holds near 1 is not to be relied on.
_FAR = 3.0


def methods_of(answer: Power) -> list[str]:
    """Say which formula, which distribution and which test were used."""
    level = percent(answer.alpha, 0 if abs(100 * answer.alpha % 1) < 1e-9 else 1)
    law = "Normal distribution"
    if answer.distribution == "t":
        known = "" if answer.df is None else f" ({plain(answer.df)})"
        law = f"Noncentral t, degrees of freedom: {_freedom(answer)}{known}"
    hypothesis = answer.asked["hypothesis"]
    if hypothesis == "two-sided":
        test = f"two-sided {level} level; both tails count as power"
    elif hypothesis == "one-sided":
        test = f"one-sided {level} level"
    else:
        margin = effect_text(answer, answer.asked["margin"])
        tests = "one test" if hypothesis == "non-inferiority" else "two one-sided tests"
        test = f"{hypothesis} by {tests} at {level}, margin {margin}"
    said = [f"Formula: {answer.formula}. {answer.source}.", f"{law}, {test}."]
    if answer.asked["weighting"] == "precision":
        said.append("Clusters count by the precision of their means, as in a mixed model.")
    layout = answer.asked["layout"]
    if layout is not None:
        said.append(f"Layout: {layout}.")
    share = answer.asked["subgroup"]
    if share is not None:
        of = "members" if answer.asked["subgroup_level"] == "individual" else "clusters"
        what = "The difference between the effects in" if answer.asked["interaction"] else "For"
        rest = " and in the rest" if answer.asked["interaction"] else " alone"
        said.append(f"{what} a subgroup of {percent(share)} of the {of}{rest}.")
    lost = [
        f"{percent(answer.asked[name])} of the {of}"
        for name, of in (("attrition", "members"), ("cluster_attrition", "clusters"))
        if answer.asked[name] > 0
    ]
    if lost:
        said.append(f"Lost before the analysis: {' and '.join(lost)}.")
    return said


def _freedom(answer: Power) -> str:
    layout = type(answer.asked["layout"]).__name__
    words = {
        "Pairs": "pairs − 1",
        "Blocks": "clusters − blocks − 1",
        "Nested": "Welch's",
    }.get(layout, "clusters − 2")
    if answer.asked["interaction"]:
        inside = answer.asked["subgroup_level"] == "individual"
        words = "members − clusters − 2" if inside else f"{words} − 2"
    g = answer.asked["covariates"]
    return words + (f" − {g} covariates" if g else "")


def notes_of(answer: Power) -> list[str]:
    """Say what to know about an answer."""
    notes = []
    asked = answer.asked
    if answer.ceiling is not None:
        notes.append(_out_of_reach(answer))
    if answer.power_one_fewer is not None and answer.power is not None:
        fewer = "one cluster" if answer.solved == "clusters" else "one unit a cluster"
        if answer.solved == "clusters" and type(asked["layout"]).__name__ == "Pairs":
            fewer = "one pair"
        digits = decimals(100 * (answer.power - answer.power_one_fewer), 2)
        if answer.target is not None:  # on its own side of what was asked for
            short = decimals(100 * (answer.target - answer.power_one_fewer), 2)
            digits = min(9, max(digits, short))
        notes.append(
            f"The power is {chance(answer.power, digits)}; with {fewer} fewer it is "
            f"{chance(answer.power_one_fewer, digits)}."
        )
    if answer.any_icc:
        notes.append(
            f"Even at an ICC of {plain(round(answer.icc or 0.0, 9))} the power is {chance(answer.power)}, above the "
            f"{percent(answer.target)} asked for: any ICC will do."
        )
    elif answer.solved == "icc" and answer.icc is not None and answer.icc < 0:
        notes.append(
            "Only a negative ICC would leave that power: plan for less, or for more clusters."
        )
    if answer.clusters is not None and answer.clusters_treated is not None:
        treated = answer.allocation * answer.clusters
        if abs(treated - round(treated)) > 1e-6:
            notes.append(
                f"The share is not rounded: {answer.clusters:,} clusters count as {treated:,.2f} "
                f"treated and {answer.clusters - treated:,.2f} control. The nearest whole split is "
                f"{answer.clusters_treated:,} and {answer.clusters_control:,}."
            )
    if answer.clusters is not None and answer.distribution == "z" and answer.clusters < FEW:
        notes.append(
            f"With fewer than {FEW} clusters the normal distribution flatters the power: "
            "see distribution='t'."
        )
    listed = asked["cluster_size"]
    if isinstance(listed, list) and answer.clusters is not None and len(listed) != answer.clusters:
        notes.append(
            f"The list has {len(listed)} sizes: their mean and variation stand for all "
            f"{answer.clusters:,} clusters."
        )
    if (
        answer.method == "schoenfeld"
        and answer.effect is not None
        and not 1 / _FAR <= answer.effect <= _FAR
    ):
        notes.append(
            "Schoenfeld's formula holds near a hazard ratio of 1, which this is not: "
            "see method='wald' or 'freedman'."
        )
    if answer.outcome != "continuous" and asked["interaction"]:
        notes.append(
            "Variances are those of the two arms; the subgroups' own rates would differ a little."
        )
    return notes


def _out_of_reach(answer: Power) -> str:
    assert answer.ceiling is not None and answer.ceiling_at is not None  # asked for only then
    best, wanted, at = percent(answer.ceiling), percent(answer.target), answer.ceiling_at
    if answer.solved == "effect":
        where = effect_text(answer, at)
        if answer.outcome == "binary" and answer.baseline is not None:
            rate = {
                "ratio": answer.baseline * at,
                "odds_ratio": 1.0 if math.isinf(at) else _of_odds(answer.baseline, at),
            }.get(answer.scale, answer.baseline + at)
            where = f"a {answer.direction} to {percent(rate)}"
        return (
            f"Unattainable: even {where} would be found with power {best} at most, not {wanted}. "
            "More clusters are needed."
        )
    if answer.solved == "cluster_size":
        size = (
            "however large the clusters are"
            if math.isinf(at)
            else f"even with {at:.0f} units a cluster"
        )
        return (
            f"Unattainable: {size}, the power stays below {wanted} (it reaches {best}), since "
            "units of one cluster resemble each other. More clusters are needed."
        )
    if answer.solved == "clusters":
        return f"Unattainable: even {at:,.0f} clusters have power {best}, not {wanted}."
    if answer.solved == "r2":
        return (
            f"Unattainable: even covariates that explain all they can leave power {best}, not "
            f"{wanted}. More clusters are needed."
        )
    return f"Unattainable: even at the lowest possible {LABELS['icc'].lower()} the power is {best}, not {wanted}."


def _of_odds(baseline: float, ratio: float) -> float:
    odds = ratio * baseline / (1 - baseline)
    return odds / (1 + odds)
