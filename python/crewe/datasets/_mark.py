"""Frames that say that they are synthetic."""

from __future__ import annotations

from typing import Any

from crewe.frames.arguments import checked
from crewe.frames.source import Source
from crewe.frames.synthetic import mark


@checked
def mark_synthetic(frame: Any) -> Any:
    """Mark a data frame as synthetic, so that tables and figures of what is worked out from it say so.

    A pandas frame carries the mark in ``frame.attrs["synthetic"]`` and an Arrow table in the metadata
    of its schema. Both hand it on to frames made from them: filters, new columns, joins of frames
    that are marked alike; a pandas pivot or aggregation may lose it. polars frames and DuckDB
    relations have no place for it. There the mark is known of this very object, for as long as it
    lives: mark again what you make from it.

    Parameters
    ----------
    frame : data frame
        pandas, polars (lazy ones too), pyarrow or a DuckDB relation.

    Returns
    -------
    data frame
        The marked frame, of the same kind. A pandas frame or an Arrow table that was given stays
        without the mark.

    Raises
    ------
    InputError
        Where it is no data frame.

    Examples
    --------
    >>> import crewe as cw, pandas as pd
    >>> made = cw.datasets.mark_synthetic(pd.DataFrame({"y": [1.0, 2, 4, 3], "x": [0, 1, 0, 1]}))
    >>> cw.ols("y ~ x", made[made["y"] < 9]).synthetic
    True
    """
    Source(frame)  # refuses what is no data frame, in the words that every function uses
    return mark(frame)
