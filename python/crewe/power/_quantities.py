"""The quantities of a power calculation: their names, how they are read and how they print."""

from __future__ import annotations

import math
from typing import Any, Literal, TypeAlias

import numpy as np

from crewe.exceptions import InputError, fault

Method: TypeAlias = Literal["arcsine", "pooled", "unpooled"]
Direction: TypeAlias = Literal["rise", "fall"]
Distribution: TypeAlias = Literal["z", "t"]
Quantity: TypeAlias = Literal["effect", "clusters", "power", "icc", "cluster_size"]

QUANTITIES: tuple[Quantity, ...] = ("effect", "clusters", "power", "icc", "cluster_size")

LABELS = {
    "effect": "Effect, percentage points",
    "clusters": "Clusters, both arms",
    "power": "Power",
    "icc": "Intra-cluster correlation",
    "cluster_size": "Mean cluster size",
    "method": "formula",
    "baseline": "baseline",
    "allocation": "treated share",
    "cv": "CV of sizes",
    "r2": "R²",
    "alpha": "level",
    "distribution": "distribution",
    "direction": "direction",
}


def real(name: str, value: Any) -> float:
    try:
        if isinstance(value, str):
            raise TypeError
        return float(value)
    except (TypeError, ValueError) as error:
        raise fault(
            InputError, f"{name} must be a number", values=[repr(value)], remedy="Give one number"
        ) from error


def whole(name: str, value: Any) -> int:
    number = real(name, value)
    if not (math.isfinite(number) and number == int(number) and 0 <= number < 2**53):
        raise fault(
            InputError,
            f"{name} must be a whole number",
            values=[f"{number:g}"],
            remedy="Give the number of clusters in both arms together",
        )
    return int(number)


def sizes_of(value: Any) -> float | list[int]:
    """Give a mean as a float, a list of sizes as whole numbers."""
    if isinstance(value, str) or np.ndim(value) == 0:
        return real("cluster_size", value)
    sizes = np.asarray(list(value), dtype=object)
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
    return "unattainable" if effect is None else f"{100 * effect:+.1f} pp".replace("-", "−")


def percent(value: float | None, digits: int = 1) -> str:
    return "unattainable" if value is None else f"{100 * value:.{digits}f}%"


def named(option: Any) -> Any:
    """Give a value as it can stand in a frame: a list of sizes by its length and mean."""
    if isinstance(option, str) or np.ndim(option) == 0:
        return option
    return f"{len(option)} sizes, mean {np.mean(option):.2f}"


def short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
