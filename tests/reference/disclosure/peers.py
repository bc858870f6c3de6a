"""Patterns of pytauargus 0.6 (tau-ARGUS on HiGHS, optimal suppression) for tables of counts.

    pip install pytauargus==0.6.0 pandas
    python tests/reference/disclosure/peers.py > tests/reference/disclosure/peers.json

The first table is that of the package's own README (12 respondents, region by sector), taken as a table of
counts; its repository of examples was not within reach. The others are drawn with the seed below: no
zeros, since tau-ARGUS leaves empty cells out of a table. The rule is FREQ(5, 100): counts under 5 are
primary, and each must have an interval from 0 to twice its value; ours is that at least five values are
possible. Costs are counts of people.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from importlib.metadata import version

import numpy as np
import pandas as pd
from pytauargus import protect

SEED, TABLES = 2026, 40


def pattern(inner: np.ndarray, method: str) -> dict[str, object]:
    rows = [
        (f"r{i}", f"c{j}", 1.0)
        for i in range(inner.shape[0])
        for j in range(inner.shape[1])
        for _ in range(inner[i, j])
    ]
    micro = pd.DataFrame(rows, columns=["row", "column", "one"])
    start = time.perf_counter()
    made = protect(
        micro,
        ["row", "column"],
        response="one",
        safety_rules="FREQ(5,100)",
        suppress=f"{method}(1)",
        workdir=tempfile.mkdtemp(),
    ).tables[0]
    took = time.perf_counter() - start
    frame = made.dataframe()
    return {
        "cells": [
            [row.row, row.column, int(row.freq), row.status]
            for row in frame.itertuples(index=False)
        ],
        "seconds": round(took, 4),
    }


def main() -> None:
    rng = np.random.default_rng(SEED)
    tables = [np.full((2, 2), 3)]
    for _ in range(TABLES):
        shape = rng.integers(3, 8, 2)
        tables.append(rng.poisson(rng.choice([6.0, 9.0, 14.0]), shape) + 1)
    cases = [
        {
            "counts": inner.tolist(),
            "optimal": pattern(inner, "OPT"),
            "modular": pattern(inner, "MOD"),
        }
        for inner in tables
    ]
    json.dump(
        {"pytauargus": version("pytauargus"), "rule": "FREQ(5,100)", "seed": SEED, "cases": cases},
        sys.stdout,
        separators=(",", ":"),
    )


main()
