"""What formulaic does for a formula: it reads the terms, evaluates functions, settles which columns a full rank needs.

Nothing else imports it, and this module is imported when the first formula is read.
"""

from __future__ import annotations

import ast
import copy
import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from formulaic import Formula as _FormulaClass
from formulaic.parser.types import Factor
from formulaic.transforms import TRANSFORMS
from formulaic.transforms import C as _formulaic_c
from formulaic.transforms.contrasts import TreatmentContrasts
from formulaic.utils.sentinels import UNSET
from formulaic.utils.stateful_transforms import stateful_eval, stateful_transform
from numpy.typing import NDArray

from crewe.exceptions import CreweError, InputError, cut, fault, from_signal
from crewe.formula import names as _names
from crewe.formula import splines
from crewe.formula.parse import reason, refuse_depth, shown_name, worked_out
from crewe.formula.plan import Block, Part, Plan, State, Term
from crewe.frames import cells
from crewe.frames.column import Columns

Floats = NDArray[np.float64]
# Typed as abstract, though calling it is how formulaic makes one.
Formula: Any = _FormulaClass

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


@functools.lru_cache(maxsize=512)
def terms_of(expression: str) -> Any:
    """Read one side of a formula as formulaic's list of terms, over the words that stand for columns."""
    refuse_depth(expression)
    text = _names.aliased(expression)
    try:
        parsed = Formula(text)
    except CreweError:
        raise
    except Exception as error:
        if (raised := from_signal(error)) is not None:
            raise raised from None
        raise fault(
            InputError,
            f"the formula '{cut(expression)}' cannot be read: {reason(error)}",
            remedy="Write it as 'outcome ~ arm + covariate', with names that hold other signs in backticks",
        ) from error
    if not hasattr(parsed, "required_variables") or not isinstance(parsed, _FormulaClass):
        raise fault(
            InputError,
            f"the formula '{cut(expression)}' has several parts",
            remedy="Write one list of terms, joined by '+'",
        )
    return parsed


def function_values(
    expression: str, variables: Sequence[str], columns: Columns, state: State
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


def evaluated(expression: str, columns: Columns) -> tuple[Floats, Any]:
    """Evaluate an expression by formulaic: the columns and the specification that made them."""
    return by_formulaic(terms_of(expression), columns, f"the formula '{cut(expression)}'")


def compiled(spec: Any, columns: Columns, planned: bool = True) -> Plan:
    """Make a plan of what formulaic settled; where that cannot be, or is not asked for, formulaic stays in it."""
    raw = tuple(str(name) for name in spec.column_names)
    slices = spec.term_slices
    parts: dict[tuple[str, bool], Part | None] = {}
    terms, at = [], 0
    for entry in spec.structure:
        blocks = []
        for scoped in entry.scoped_terms:
            chosen = []
            for one in scoped.factors:
                key = (one.factor.expr, one.reduced)
                if key not in parts:
                    parts[key] = _part(one.factor.expr, one.reduced, spec, columns)
                chosen.append(parts[key])
            if any(part is None for part in chosen):
                planned = False
                continue
            known = tuple(part for part in chosen if part is not None)
            width = int(np.prod([part.width for part in known])) if known else 1
            blocks.append(Block(known, float(scoped.scale), slice(at, at + width)))
            at += width
        factors = tuple(str(factor) for factor in entry.term.factors)
        where = slices[entry.term]
        inside = [name for factor in factors for name in _names.inside(factor)]
        variables = tuple(name for name in dict.fromkeys(inside) if name in columns)
        terms.append(Term(shown_name(entry.term), variables, where, factors, tuple(blocks)))
    coded = frozenset(
        name
        for term in terms
        for factor in term.factors
        if factor.startswith("C(")
        for name in _names.inside(factor)
    )
    if at != len(raw):
        planned = False
    names = tuple(shown_name(name) for name in raw)
    return Plan(tuple(terms), names, raw, coded, None if planned else spec)


def _part(expression: str, reduced: bool, spec: Any, columns: Columns) -> Part | None:
    """Compile one factor; None where it is no column, no category and no function that gives numbers."""
    kind, state = spec.encoder_state[expression]
    variables = tuple(name for name in _names.inside(expression) if name in columns)
    plain = _names.name_of(expression)
    if kind is Factor.Kind.NUMERICAL:
        if plain is not None:
            return Part(expression, plain, (plain,))
        width = _width(expression, variables, columns, spec)
        return None if width is None else Part(expression, None, variables, width)
    name = plain if plain is not None else _category_of(expression)
    if kind is not Factor.Kind.CATEGORICAL or name is None or "contrasts" not in state:
        return None
    column, levels = columns[name], list(state["categories"])
    numbers = None
    if column.levels is None:
        numbers = np.array(levels, dtype=np.float64)
        if len(numbers) == 0 or np.any(np.diff(numbers) <= 0):
            return None
    elif tuple(map(str, levels)) != column.levels:
        return None
    contrasts = state["contrasts"].contrasts
    if isinstance(contrasts, TreatmentContrasts) and contrasts.base in (UNSET, None):
        first = int(reduced)
        width = max(len(levels) - first, 0)
        return Part(expression, name, (name,), width, numbers, first)
    coding = contrasts.get_coding_matrix(levels, reduced_rank=reduced)
    coding = np.asarray(coding, dtype=np.float64).reshape(len(levels), -1)
    return Part(expression, name, (name,), coding.shape[1], numbers, None, coding)


def _width(expression: str, variables: Sequence[str], columns: Columns, spec: Any) -> int | None:
    """Count the columns that a function makes; None where it makes anything but numbers."""
    try:
        state = copy.deepcopy(dict(spec.transform_state))
        return int(function_values(expression, variables, columns, state).shape[1])
    except Exception as error:
        if (raised := from_signal(error)) is not None:
            raise raised from None
        return None


def _category_of(expression: str) -> str | None:
    """Name the column inside a call of `C()`."""
    try:
        call = ast.parse(expression.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        return None
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "C"):
        return None
    if not call.args or not isinstance(call.args[0], ast.Name):
        return None
    return _names.name_of(call.args[0].id)


def categorical_factors(spec: Any) -> list[str]:
    """Name the factors that make categories."""
    kinds = spec.encoder_state.items()
    return [str(factor) for factor, (kind, _) in kinds if kind is Factor.Kind.CATEGORICAL]
