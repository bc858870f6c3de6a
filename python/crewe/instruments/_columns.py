"""Grouping columns of records."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crewe.exceptions import InputError, fault
from crewe.frames import cells
from crewe.frames.source import Source


def groups(source: Source, name: str) -> tuple[NDArray[np.uint32], list[str]]:
    """Give a grouping column as codes and labels in their order; empty cells are refused."""
    labels, codes = cells.levels(source.column(name))
    missing = np.flatnonzero(codes < 0)
    if len(missing):
        raise fault(
            InputError,
            "the group is missing",
            column=name,
            rows=[int(row) for row in missing],
            remedy="Fill it in or drop these rows",
        )
    return codes.astype(np.uint32), labels
