"""The fingerprint of data: what two people compare to know that they analysed the same rows."""

from __future__ import annotations

import hashlib
import json

import numpy as np

from crewe.frames.column import Columns


def fingerprint(columns: Columns) -> str:
    """Give the SHA-256 of columns in canonical form, by name, with the order of their rows.

    The kind of data frame, the order of its columns and the order of a category's levels do not matter; the values, the names and
    the order of the rows do. Numbers are hashed as doubles (little endian), categories by the text of each level.

    Examples
    --------
    >>> import pandas as pd
    >>> a = fingerprint(Columns.of(pd.DataFrame({"x": [1.0, 2.0], "y": [0.0, 1.0]})))
    >>> a == fingerprint(Columns.of(pd.DataFrame({"y": [0.0, 1.0], "x": [1.0, 2.0]})))
    True
    >>> a[:7]
    'sha256:'
    """
    whole = hashlib.sha256()
    whole.update(b"crewe data 1\n")
    for name in sorted(columns):
        column = columns[name]
        values = column.values
        if column.levels is not None:
            order = np.argsort(np.asarray(column.levels, dtype=object), kind="stable")
            place = np.empty(len(order) + 1, dtype="<i8")
            place[order] = np.arange(len(order))
            place[-1] = -1
            kind, levels = "levels", [column.levels[i] for i in order]
            values = place[values]
        else:
            kind, levels = "numbers", None
            # Whole numbers and decimals of one value are one value; 0 has one sign and a gap one pattern of bits.
            values = np.asarray(values, dtype="<f8") + 0.0
            values[np.isnan(values)] = np.nan
        whole.update(json.dumps([name, kind, levels, len(column)]).encode() + b"\n")
        whole.update(np.ascontiguousarray(values).tobytes())
    return f"sha256:{whole.hexdigest()}"
