"""The design that was committed to, shown before any of its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crewe.report.document import Facts, Run, Runs
from crewe.report.naming import Names
from crewe.report.words import plain
from crewe.tables.sheet import clean
from crewe.tables.wording import words_of


def design_card(result: Any, names: Names) -> Facts:
    """Give name, arms, unit, strata, procedure and commitment of a result's design."""
    design = result.design
    pairs: list[tuple[str, Runs]] = []

    labels = {**words_of(result), **names.labels}

    def called(name: object) -> str:
        return labels.get(str(name), str(name))

    def fact(label: str, value: Any) -> None:
        if value is None or (isinstance(value, str | Mapping | list | tuple) and not value):
            return
        if isinstance(value, Mapping):
            value = ", ".join(f"{called(name)} ({share})" for name, share in value.items())
        elif isinstance(value, list | tuple):
            value = ", ".join(map(called, value))
        pairs.append((label, plain(called(value))))

    fact("Trial", getattr(design, "name", None))
    fact("Arms (ratio)", getattr(design, "arms", None))
    fact("Unit randomised", getattr(design, "cluster", None) or getattr(design, "unit", None))
    fact("Strata", getattr(design, "strata", None))
    method = getattr(design, "method", None)
    fact("Procedure", getattr(method, "name", method))
    made = _commitment(result)
    if made is not None:
        words: Runs = (Run(clean(str(getattr(made, "digest", made))), code=True),)
        label = clean(str(getattr(made, "label", "") or ""))
        pairs.append(("Commitment", (*words, Run(f"\n{label}")) if label else words))
    return Facts(tuple(pairs))


def _commitment(result: Any) -> Any:
    """Give the commitment that was drawn with, or that of the design; None for observed trials."""
    if hasattr(result, "commitment"):
        return result.commitment
    commit = getattr(result.design, "commitment", None)
    return commit() if callable(commit) else commit
