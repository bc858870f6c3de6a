"""The quantities of a power calculation: their names, how they are read and how they print."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from crewe.exceptions import InputError, fault
from crewe.tables import labels

if TYPE_CHECKING:
    from crewe.power._result import Power

Direction: TypeAlias = Literal["rise", "fall"]
Distribution: TypeAlias = Literal["z", "t"]
Hypothesis: TypeAlias = Literal["two-sided", "one-sided", "non-inferiority", "equivalence"]
Level: TypeAlias = Literal["individual", "cluster"]
Weighting: TypeAlias = Literal["members", "precision"]
Outcome: TypeAlias = Literal["binary", "continuous", "count", "survival"]
Quantity: TypeAlias = Literal["effect", "clusters", "power", "icc", "cluster_size", "r2"]
Scale: TypeAlias = Literal["difference", "ratio", "odds_ratio", "hazard_ratio"]

QUANTITIES: tuple[Quantity, ...] = ("effect", "clusters", "power", "icc", "cluster_size", "r2")

LABELS = {
    "effect": "Effect",
    "clusters": "Clusters, both arms",
    "power": "Power",
    "icc": "Intracluster correlation",
    "cluster_size": "Mean cluster size",
    "r2": "R² of covariates",
    "r2_cluster": "R² between clusters",
    "method": "formula",
    "baseline": "baseline",
    "allocation": "treated share",
    "cv": "CV of sizes",
    "alpha": "level",
    "distribution": "distribution",
    "direction": "direction",
    "attrition": "members lost",
    "cluster_attrition": "clusters lost",
    "subgroup": "share of the subgroup",
    "rate_cv": "CV of the clusters' rates",
}

_RATIOS = {"ratio": "ratio", "odds_ratio": "odds ratio", "hazard_ratio": "hazard ratio"}


def label_of(answer: Power, name: str) -> str:
    """Name a quantity as this answer writes it, with its unit."""
    if name != "effect":
        return LABELS.get(name, name)
    if answer.scale in _RATIOS:
        kind = _RATIOS[answer.scale]
        if answer.scale == "ratio":
            kind = "risk ratio" if answer.outcome == "binary" else "rate ratio"
        return f"Effect, {kind}"
    if answer.outcome == "binary":
        return "Effect, percentage points"
    if answer.outcome == "count":
        return "Effect, difference of rates"
    return "Effect, standard deviations" if answer.asked["sd"] == 1 else "Effect, units"


def effect_scale(answer: Power) -> float:
    """Give what an effect is multiplied by where it is drawn or listed."""
    return 100.0 if answer.outcome == "binary" and answer.scale == "difference" else 1.0


def effect_text(answer: Power, effect: float | None) -> str:
    """Write an effect in this answer's way."""
    if effect is None:
        return "unattainable"
    if answer.scale in _RATIOS:
        return f"{label_of(answer, 'effect').removeprefix('Effect, ')} {plain(effect, 3)}"
    if answer.outcome == "binary":
        return points(effect)
    if answer.outcome == "count":
        return signed(effect)
    return signed(effect) + (" SD" if answer.asked["sd"] == 1 else "")


def signed(value: float) -> str:
    return ("+" if value > 0 else "") + plain(value, 3)


def plain(value: float, digits: int = 4) -> str:
    """Write a number to so many digits, never less than whole: 0.2254, 12,345."""
    value = float(value) + 0.0
    # The exponent after rounding: 9999.6 has five digits before the point.
    exponent = 0 if value == 0 else int(f"{value:.{digits - 1}e}".split("e")[1])
    return f"{value:,.0f}" if exponent >= digits else f"{value:,.{digits}g}".replace("-", "−")


def decimals(difference: float | None, least: int = 1) -> int:
    """Give the decimals that show a difference to two digits."""
    if not difference or not math.isfinite(difference):
        return least
    return max(least, 1 - math.floor(math.log10(abs(difference))))


def real(name: str, value: Any) -> float:
    try:
        if isinstance(value, str | bytes | bool | np.bool_):
            raise TypeError
        return float(value)
    except (TypeError, ValueError) as error:
        raise fault(
            InputError, f"{name} must be a number", values=[repr(value)], remedy="Give one number"
        ) from error


def yes(name: str, value: Any) -> bool:
    if isinstance(value, bool | np.bool_):
        return bool(value)
    raise fault(
        InputError,
        f"{name} must be True or False",
        values=[repr(value)],
        remedy="Give one of the two",
    )


def whole(
    name: str, value: Any, remedy: str = "Give the number of clusters in both arms together"
) -> int:
    number = real(name, value)
    if not (math.isfinite(number) and number == int(number) and 0 <= number < 2**53):
        raise fault(
            InputError, f"{name} must be a whole number", values=[f"{number:g}"], remedy=remedy
        )
    return int(number)


def sizes_of(value: Any) -> float | list[int]:
    """Give a mean as a float, a list of sizes as whole numbers."""
    if isinstance(value, str) or np.ndim(value) == 0:
        return real("cluster_size", value)
    sizes = list(value)
    numbers = np.array([real("cluster_size", size) for size in sizes])
    # `not (size >= 0)` is true of NaN as well.
    wrong = [row for row, size in enumerate(numbers) if not (size >= 0 and size == np.floor(size))]
    if wrong or not np.all(np.isfinite(numbers)):
        raise fault(
            InputError,
            "cluster sizes must be whole numbers",
            rows=wrong,
            values=[str(sizes[row]) for row in wrong],
            remedy="Give one count of units (children) a cluster (family), or the mean size alone",
        )
    return [int(size) for size in numbers]


def points(effect: float | None) -> str:
    if effect is None:
        return "unattainable"
    return f"{labels.signed(100 * effect, decimals(100 * effect))} pp"


def percent(value: float | None, digits: int = 1) -> str:
    return "unattainable" if value is None else labels.share(value, digits)


def chance(value: float | None, digits: int = 1) -> str:
    """Write a power, which is never certainty, even where its last digits are lost."""
    return percent(None if value is None else min(value, 1 - 1e-15), digits)


def named(option: Any) -> Any:
    """Give a value as it can stand in a frame: a list of sizes by its length and mean."""
    if option is None or isinstance(option, str | bool | int | float | np.generic):
        return option
    if np.ndim(option) == 0:
        return str(option)
    if len(option) == 0:
        return "0 sizes"
    return f"{len(option)} sizes, mean {np.mean(option):.2f}"


def short(value: Any) -> str:
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.number):
        return str(value)
    return plain(float(value))


def cell(answer: Power, name: str, value: Any) -> str:
    """Write a quantity as it stands in a table of several answers, without its unit."""
    if isinstance(value, str):
        return value
    if value is None or value != value:
        return "unattainable"
    if name == "power":
        return chance(float(value))
    if name == "clusters":
        return f"{value:,.0f}"
    if name == "effect" and answer.scale == "difference":
        scale = effect_scale(answer)
        if scale != 1:
            return labels.signed(scale * value, decimals(scale * value, 2))
        return ("+" if value > 0 else "") + plain(value)
    return short(value)
