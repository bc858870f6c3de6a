"""What counts as missing in the columns of a formula, and how it is filled in where that is asked for."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from crewe.formula import names as _names


def filled_in(
    frame: pd.DataFrame, right: str, names: Sequence[str], taken: Sequence[str]
) -> tuple[pd.DataFrame, str, list[str]]:
    """Fill missing covariates in, beside an indicator that no column of the user's is called."""
    notes = []
    frame = frame.copy()
    for name in names:
        gone = frame[name].isna()
        if not gone.any():
            continue
        if isinstance(frame[name].dtype, pd.CategoricalDtype):
            level = _free("missing", [str(level) for level in frame[name].cat.categories])
            said = f"a level of their own, '{level}'" if level != "missing" else ""
            frame[name] = frame[name].cat.add_categories(level).fillna(level)
        else:
            column = _free(f"{name}_missing", [*taken, *(str(known) for known in frame)])
            said = f"the indicator column '{column}'" if column != f"{name}_missing" else ""
            frame[name] = frame[name].fillna(frame[name].mean())
            frame[column] = gone.astype("float64")
            right += f" + {_names.quoted(column)}"
        notes.append(
            f"{int(gone.sum()):,} missing values of {name} filled in, with "
            f"{said or 'an indicator column'}"
        )
    return frame, right, notes


def _free(wanted: str, taken: Sequence[str]) -> str:
    """Give a name that the user's data do not have."""
    name, number = wanted, 2
    while name in taken:
        name, number = f"{wanted}_{number}", number + 1
    return name


def missing_levels(terms: Iterable[Any], frame: pd.DataFrame) -> None:
    """Count a row as missing whose category is not among the `levels=` of its `C()`."""
    for term in terms:
        for factor in term.factors:
            listed = _listed_levels(str(factor))
            if listed is None or listed[0] not in frame:
                continue
            name, levels = listed
            column = frame[name]
            if isinstance(column.dtype, pd.CategoricalDtype):
                other = ~column.isin([str(level) for level in levels]) & column.notna()
            else:
                wanted = [float(level) for level in levels if isinstance(level, int | float)]
                other = ~column.isin(wanted) & column.notna()
            if other.any():
                frame[name] = column.mask(other)


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
