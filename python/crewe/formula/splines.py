"""Polynomials and splines in formulas: the bases of R's `poly`, `bs` and `ns`.

Knots and constants come from the rows that a model is fitted to, and stay as they are for other values: margins,
predictions, new data.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crewe.exceptions import InputError, fault

Floats = NDArray[np.float64]


def _values(data: Any, what: str) -> Floats:
    if isinstance(getattr(data, "dtype", None), pd.CategoricalDtype):
        raise fault(
            InputError,
            f"{what}() takes numbers, and the column holds categories",
            remedy="Name a column of numbers",
        )
    return np.asarray(data, dtype=np.float64)


def _columns(basis: Floats) -> dict[str, Floats]:
    return {str(j + 1): basis[:, j] for j in range(basis.shape[1])}


def poly(data: Any, degree: int = 1, raw: bool = False, _state: Any = None) -> Any:
    """Orthogonal polynomials over the rows of the fit, without the constant, as R's `poly`."""
    x = _values(data, "poly")
    if raw:
        return _columns(np.column_stack([x**power for power in range(1, degree + 1)]))
    if "mean" not in _state:
        distinct = len(np.unique(x))
        if not 1 <= degree < distinct:
            raise fault(
                InputError,
                f"poly() of degree {degree} needs more than {degree} different values, and there are {distinct}",
                remedy="Take a lower degree",
            )
        mean = float(x.mean())
        alpha, norm = [], [1.0, float(len(x))]
        before, now = np.zeros_like(x), np.ones_like(x)
        for power in range(degree):
            centre = float((x - mean) @ (now * now) / (now @ now))
            alpha.append(centre)
            following = (x - mean - centre) * now - (norm[-1] / norm[-2] if power else 0.0) * before
            before, now = now, following
            norm.append(float(now @ now))
        _state.update(mean=mean, alpha=alpha, norm=norm)
    z, alpha, norm = x - _state["mean"], _state["alpha"], _state["norm"]
    before, now = np.zeros_like(z), np.ones_like(z)
    basis = []
    for power in range(degree):
        following = (z - alpha[power]) * now - (
            norm[power + 1] / norm[power] if power else 0.0
        ) * before
        before, now = now, following
        basis.append(now / np.sqrt(norm[power + 2]))
    return _columns(np.column_stack(basis))


def _b_splines(x: Floats, knots: Floats, order: int, derivative: int = 0) -> Floats:
    """Every B-spline of an order, or its derivative, by the recursion of Cox and de Boor."""
    if derivative:
        lower = _b_splines(x, knots, order - 1, derivative - 1)
        n = len(knots) - order
        out = np.zeros((len(x), n))
        for j in range(n):
            for width, column, sign in (
                (knots[j + order - 1] - knots[j], j, 1.0),
                (knots[j + order] - knots[j + 1], j + 1, -1.0),
            ):
                if width > 0:
                    out[:, j] += sign * (order - 1) * lower[:, column] / width
        return out
    last = int(np.flatnonzero(knots < knots[-1])[-1])
    place = np.clip(np.searchsorted(knots, x, side="right") - 1, 0, last)
    basis = np.zeros((len(x), len(knots) - 1))
    basis[np.arange(len(x)), place] = 1.0
    for degree in range(1, order):
        following = np.zeros((len(x), len(knots) - 1 - degree))
        for j in range(following.shape[1]):
            left, right = knots[j + degree] - knots[j], knots[j + degree + 1] - knots[j + 1]
            if left > 0:
                following[:, j] += (x - knots[j]) / left * basis[:, j]
            if right > 0:
                following[:, j] += (knots[j + degree + 1] - x) / right * basis[:, j + 1]
        basis = following
    return basis


def _placed(x: Floats, inner: int, knots: Any, order: int, what: str) -> tuple[Floats, Floats]:
    """Give the boundary and all knots, the boundary repeated: at quantiles, unless they are named."""
    low, high = float(x.min()), float(x.max())
    if knots is None:
        if inner < 0:
            raise fault(
                InputError,
                f"{what}() has too few degrees of freedom",
                remedy="Raise df: bs needs at least its degree, ns at least 1",
            )
        knots = np.quantile(x, np.arange(1, inner + 1) / (inner + 1))
    middle = np.sort(np.atleast_1d(np.asarray(knots, dtype=np.float64)))
    if not low < high or np.any(middle <= low) or np.any(middle >= high):
        raise fault(
            InputError,
            f"{what}() has a knot at or beyond its boundary",
            remedy="Take fewer degrees of freedom: so many rows share a value that a knot falls on the boundary",
        )
    everything = np.concatenate([[low] * order, middle, [high] * order])
    return np.array([low, high]), everything


def bs(
    data: Any,
    df: int | None = None,
    knots: Any = None,
    degree: int = 3,
    intercept: bool = False,
    _state: Any = None,
) -> Any:
    """B-splines with knots at quantiles, as R's `bs`; values beyond the boundary knots are refused."""
    x = _values(data, "bs")
    first = 0 if intercept else 1
    if "knots" not in _state:
        inner = 0 if df is None else df - degree - 1 + first
        _state["boundary"], _state["knots"] = _placed(x, inner, knots, degree + 1, "bs")
    low, high = _state["boundary"]
    beyond = np.flatnonzero((x < low) | (x > high))
    if len(beyond):
        raise fault(
            InputError,
            "bs() has no value beyond the rows of its fit",
            rows=[int(row) for row in beyond],
            remedy="Stay within the range, or take ns(), which goes on as a straight line",
        )
    return _columns(_b_splines(x, _state["knots"], degree + 1)[:, first:])


def ns(
    data: Any,
    df: int | None = None,
    knots: Any = None,
    intercept: bool = False,
    _state: Any = None,
) -> Any:
    """Natural cubic splines, straight beyond the boundary knots, as R's `ns`."""
    x = _values(data, "ns")
    first = 0 if intercept else 1
    if "knots" not in _state:
        inner = 0 if df is None else df - 2 + first
        boundary, everything = _placed(x, inner, knots, 4, "ns")
        second = _b_splines(boundary, everything, 4, 2)[:, first:]
        turn = np.linalg.qr(second.T, mode="complete")[0][:, 2:]
        _state.update(boundary=boundary, knots=everything, turn=turn)
    low, high = _state["boundary"]
    basis = _b_splines(np.clip(x, low, high), _state["knots"], 4)
    slopes = _b_splines(_state["boundary"], _state["knots"], 4, 1)
    for edge, beyond in ((0, x < low), (1, x > high)):
        if beyond.any():
            basis[beyond] += np.outer(x[beyond] - _state["boundary"][edge], slopes[edge])
    return _columns(basis[:, first:] @ _state["turn"])
