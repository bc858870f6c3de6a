"""A formula compiled: formulaic reads the terms and settles which columns a full rank needs; the plan keeps it.

Only this module and `functions` know formulaic, and both are imported when the first formula is read.
"""

from __future__ import annotations

import ast
import copy
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from formulaic import Formula as _FormulaClass
from formulaic.parser.types import Factor
from formulaic.transforms.contrasts import TreatmentContrasts
from formulaic.utils.sentinels import UNSET
from numpy.typing import NDArray

from crewe.exceptions import CreweError, InputError, cut, fault, from_signal
from crewe.formula import names as _names
from crewe.formula.functions import by_formulaic, function_values
from crewe.formula.parse import reason, refuse_depth, shown_name
from crewe.formula.plan import Block, Changed, Part, Plan, State, Term
from crewe.frames.column import Columns

Floats = NDArray[np.float64]
# Typed as abstract, though calling it is how formulaic makes one.
Formula: Any = _FormulaClass

_MOST_DISTINCT = 1_000
"""More numbers than these inside `C()` are not kept as the key of a plan."""

_MOST_PLANS = 256


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
            f"the formula '{cut(expression)}' cannot be read: {reason(error).rstrip('.').replace('insuffient', 'insufficient')}",
            remedy="Write it as 'outcome ~ arm + covariate', with names that hold other signs in backticks",
        ) from error
    if not hasattr(parsed, "required_variables") or not isinstance(parsed, _FormulaClass):
        raise fault(
            InputError,
            f"the formula '{cut(expression)}' has several parts",
            remedy="Write one list of terms, joined by '+'",
        )
    return parsed


_plans: dict[Any, Plan] = {}


def materialise(expression: str, columns: Columns) -> tuple[Floats, Plan, State]:
    """Evaluate a right-hand side over rows: its columns without the intercept's, the plan, and the state of functions.

    The state is what functions remember of these rows: means, knots.
    """
    key = _key(expression, columns)
    plan = _plans.get(key)
    if plan is not None:
        state: State = {}
        try:
            return plan.evaluate(columns, state, constant=False), plan, state
        except Changed:
            _plans.pop(key, None)
    matrix, spec = evaluated(expression, columns)
    plan = compiled(spec, columns)
    # A plan is taken only where it gives, to the bit, what formulaic gives.
    if plan.spec is None and not _agrees(plan, columns, spec, matrix):
        plan = compiled(spec, columns, planned=False)
    if plan.spec is None and key is not None:
        if len(_plans) >= _MOST_PLANS:
            _plans.clear()
        _plans[key] = plan
    own = np.ascontiguousarray(matrix[:, int(plan.intercept) :])
    return own, plan, dict(spec.transform_state)


def _agrees(plan: Plan, columns: Columns, spec: Any, matrix: Floats) -> bool:
    try:
        again = plan.evaluate(columns, copy.deepcopy(dict(spec.transform_state)))
    except Exception as error:
        if (raised := from_signal(error)) is not None:
            raise raised from None
        return False
    return np.array_equal(again, matrix, equal_nan=True)


def _key(expression: str, columns: Columns) -> Any:
    """Say what a plan depends on: the text, and of each column its levels; None where that is too much."""
    coded = _names.inside_calls(_names.aliased(expression), "C")
    schema = []
    for name in sorted(columns):
        column = columns[name]
        kind: Any = column.levels if column.levels is not None else column.values.dtype.kind
        if column.levels is None and name in coded:
            distinct = np.unique(column.values)
            if len(distinct) > _MOST_DISTINCT:
                return None
            kind = tuple(distinct.tolist())
        schema.append((name, kind))
    return expression, tuple(schema)


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
