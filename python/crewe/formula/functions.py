"""Functions inside formulas, and whole formulas where no plan can: what formulaic evaluates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from formulaic.transforms import TRANSFORMS
from formulaic.transforms import C as _formulaic_c
from formulaic.utils.stateful_transforms import stateful_eval, stateful_transform
from numpy.typing import NDArray

from crewe.exceptions import cut
from crewe.formula import names as _names
from crewe.formula import splines
from crewe.formula.parse import shown_name, worked_out
from crewe.frames import cells
from crewe.frames.column import Columns

Floats = NDArray[np.float64]

_natural = stateful_transform(splines.ns)


def _category(data: Any, *args: Any, **kwargs: Any) -> Any:
    """`C()` whose levels print alike whether a backend holds whole numbers as integers or floats."""
    series = pd.Series(data)
    if series.dtype.kind == "f" and cells.safely_whole(series):
        data = series.astype("int64")
    return _formulaic_c(data, *args, **kwargs)


_CONTEXT: dict[str, Any] = {
    "C": _category,
    "poly": stateful_transform(splines.poly),
    "bs": stateful_transform(splines.bs),
    "ns": _natural,
    "cr": _natural,
    "cs": _natural,
}
"""The functions by the name that a formula calls: `cr` and `cs` span the space of `ns`."""


def function_values(
    expression: str, variables: Sequence[str], columns: Columns, state: dict[str, Any]
) -> Floats:
    """Work a function of columns out, as one or several columns of numbers."""
    data = {_names.alias(name): columns[name].series(name) for name in variables}
    with worked_out(f"'{cut(shown_name(expression))}'"):
        value = stateful_eval(expression, {**TRANSFORMS, **_CONTEXT, **data}, {}, state, None)
        found = np.column_stack(list(_numbers(value, columns.n)))
    return found


def _numbers(value: Any, n: int) -> Iterator[Floats]:
    value = getattr(value, "__wrapped__", value)
    if isinstance(value, pd.DataFrame):
        value = dict(value.items())
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if not (isinstance(key, str) and key.startswith("__")):
                yield from _numbers(inner, n)
        return
    array = np.asarray(value, dtype=np.float64)
    for column in np.atleast_2d(array.T) if array.ndim else [array]:
        yield np.broadcast_to(column, n)


def by_formulaic(parsed: Any, columns: Columns, what: str) -> tuple[Floats, Any]:
    """Evaluate a list of terms, or what was made of it before, by formulaic."""
    frame = columns.frame.rename(columns=_names.alias)
    with worked_out(what):
        matrix = parsed.get_model_matrix(
            frame, context=_CONTEXT, na_action="ignore", output="numpy"
        )
    return np.asarray(matrix, dtype=np.float64), matrix.model_spec
