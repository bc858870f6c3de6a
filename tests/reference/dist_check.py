"""Hold the values of R's distribution functions against 40-digit arithmetic (needs mpmath).

Run from the root of the repository: python tests/reference/dist_check.py
It reads tests/reference/expected/dist.json and prints the largest relative error of each table.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import mpmath as mp

mp.mp.dps = 40


def t_two_sided(t: float, df: float) -> mp.mpf:
    t, df = mp.mpf(t), mp.mpf(df)
    return mp.betainc(df / 2, mp.mpf(1) / 2, 0, df / (df + t * t), regularized=True)


def f_sf(f: float, df1: float, df2: float) -> mp.mpf:
    f, a, b = mp.mpf(f), mp.mpf(df1), mp.mpf(df2)
    return mp.betainc(b / 2, a / 2, 0, b / (b + a * f), regularized=True)


def chi2_sf(x: float, df: float) -> mp.mpf:
    return mp.gammainc(mp.mpf(df) / 2, mp.mpf(x) / 2, regularized=True)


def normal_sf(z: float) -> mp.mpf:
    return mp.erfc(mp.mpf(z) / mp.sqrt(2)) / 2


def t_quantile(p: float, df: float, start: float) -> mp.mpf:
    """Newton from the stored value, which needs a step or two."""
    tail = 2 * min(mp.mpf(p), 1 - mp.mpf(p))
    t, df = abs(mp.mpf(start)), mp.mpf(df)
    log_constant = mp.loggamma((df + 1) / 2) - mp.loggamma(df / 2) - mp.log(df * mp.pi) / 2
    for _ in range(3):
        density = mp.exp(log_constant - (df + 1) / 2 * mp.log1p(t * t / df))
        t += (t_two_sided(t, df) - tail) / (2 * density)
    return -t if p < 0.5 else t


def normal_quantile(p: float, start: float) -> mp.mpf:
    p, z = mp.mpf(p), mp.mpf(start)
    if p == mp.mpf(1) / 2:
        return mp.mpf(0)
    for _ in range(3):
        z -= (mp.erfc(-z / mp.sqrt(2)) / 2 - p) / mp.npdf(z)
    return z


def main() -> int:
    tables = json.loads(Path("tests/reference/expected/dist.json").read_text())
    exact = {
        "t": ("p", lambda r: t_two_sided(r["t"], r["df"])),
        "t_quantile": ("t", lambda r: t_quantile(r["p"], r["df"], r["t"])),
        "normal": ("sf", lambda r: normal_sf(r["z"])),
        "normal_quantile": ("z", lambda r: normal_quantile(r["p"], r["z"])),
        "f": ("p", lambda r: f_sf(r["f"], r["df1"], r["df2"])),
        "chi2": ("p", lambda r: chi2_sf(r["x"], r["df"])),
    }
    bad = 0
    for name, (column, function) in exact.items():
        table = tables[name]
        rows = [
            dict(zip(table, values, strict=True)) for values in zip(*table.values(), strict=True)
        ]
        worst = (0.0, "")
        for row in rows:
            truth = function(row)
            error = (
                float(abs(mp.mpf(row[column]) - truth) / abs(truth))
                if truth != 0
                else abs(row[column])
            )
            worst = max(worst, (error, str(row)), key=lambda pair: pair[0])
            if "-v" in sys.argv and error > 2e-13:
                print("   ", row, error)
            bad += error > 2e-13
        print(f"{name:16} {len(rows):4} rows, largest relative error {worst[0]:.1e} at {worst[1]}")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
