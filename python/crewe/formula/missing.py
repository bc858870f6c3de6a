"""What counts as missing in the columns of a formula, and how it is filled in where that is asked for."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from crewe.formula import names as _names
from crewe.frames.column import Column, Columns


def filled_in(
    columns: Columns, right: str, names: Sequence[str], taken: Sequence[str]
) -> tuple[Columns, str, list[str]]:
    """Fill missing covariates in, beside an indicator that no column of the user's is called."""
    notes = []
    for name in names:
        column = columns[name]
        gone = column.missing
        if not gone.any():
            continue
        if column.levels is not None:
            level = _free("missing", column.levels)
            said = f"a level of their own, '{level}'" if level != "missing" else ""
            codes = np.where(gone, len(column.levels), column.values)
            columns = columns.changed({name: Column(codes, (*column.levels, level))})
        else:
            added = _free(f"{name}_missing", [*taken, *columns])
            said = f"the indicator column '{added}'" if added != f"{name}_missing" else ""
            mean = float(pd.Series(column.values).mean())
            filled = Column(np.where(gone, mean, column.values))
            columns = columns.changed({name: filled, added: Column(gone.astype(np.float64))})
            right += f" + {_names.quoted(added)}"
        notes.append(
            f"{int(gone.sum()):,} missing values of {name} filled in, with "
            f"{said or 'an indicator column'}"
        )
    return columns, right, notes


def _free(wanted: str, taken: Sequence[str]) -> str:
    """Give a name that the user's data do not have."""
    name, number = wanted, 2
    while name in taken:
        name, number = f"{wanted}_{number}", number + 1
    return name


def missing_levels(terms: Iterable[Any], columns: Columns) -> Columns:
    """Count a row as missing whose category is not among the `levels=` of its `C()`."""
    for term in terms:
        for factor in term.factors:
            listed = _listed_levels(str(factor)) if "levels" in str(factor) else None
            if listed is None or listed[0] not in columns:
                continue
            name, levels = listed
            column = columns[name]
            if column.levels is not None:
                text = {str(level) for level in levels}
                columns = columns.changed(
                    {name: column.ordered([level for level in column.levels if level in text])}
                )
            else:
                wanted = [float(level) for level in levels if isinstance(level, int | float)]
                inside = np.isin(column.values, wanted)
                if not inside.all():
                    values = np.where(inside, column.values, np.nan)
                    columns = columns.changed({name: Column(values)})
    return columns


def _listed_levels(factor: str) -> tuple[str, list[Any]] | None:
    try:
        call = ast.parse(factor.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        return None
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "C"):
        return None
    if not call.args or not isinstance(call.args[0], ast.Name):
        return None
    name = _names.name_of(call.args[0].id)
    for argument in call.keywords:
        if argument.arg == "levels" and name is not None:
            try:
                return name, list(ast.literal_eval(argument.value))
            except (ValueError, TypeError):
                return None
    return None
