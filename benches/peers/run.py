"""Ratios against other packages in one run on one machine, written to docs/benchmarks.md."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import shutil
import subprocess
from pathlib import Path

import ols

ROOT = Path(__file__).resolve().parents[2]


def processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def versions() -> str:
    names = ["crewe", "numpy", "statsmodels", "scipy", "pandas"]
    text = [f"{name} {importlib.metadata.version(name)}" for name in names]
    if shutil.which("Rscript"):
        code = 'cat(R.version.string, "with estimatr", format(packageVersion("estimatr")))'
        text.append(
            subprocess.run(["Rscript", "-e", code], capture_output=True, text=True).stdout.strip()
        )
    return ", ".join([f"Python {platform.python_version()}", *text])


def main() -> None:
    large, memory, cr2 = ols.run("large"), ols.run("memory"), ols.run("cr2")
    lines = [
        "# Benchmarks",
        "",
        f"Written by `make bench-peers` on {datetime.date.today():%d %B %Y}. "
        f"{processor()}, {os.cpu_count()} cores, {platform.system()}; {versions()}.",
        "",
        "Release build. Times are medians of "
        f"{ols.REPEATS} repeats, the packages taking turns in one process, on one thread "
        "(`RAYON_NUM_THREADS`, `OMP_NUM_THREADS` and `OPENBLAS_NUM_THREADS` are 1). The answers of all "
        "packages are compared to eight digits before a time counts. A ratio above 1 says how many times "
        "longer the other package takes.",
        "",
        "## Linear models, 1,000,000 rows and 10 covariates, from arrays",
        "",
        "`numpy` is the floor: its own normal equations (X'X, solve, middle of the sandwich) and nothing else.",
        "",
        "| standard errors | crewe | numpy | ratio | statsmodels | ratio |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for kind, t in large.items():
        lines.append(
            f"| {kind} | {t['crewe']:.3f} s | {t['numpy']:.3f} s | {t['numpy'] / t['crewe']:.2f} "
            f"| {t['statsmodels']:.3f} s | {t['statsmodels'] / t['crewe']:.1f} |"
        )
    lines += [
        "",
        f"10,000,000 rows and 10 covariates, HC1: {memory['seconds']:.2f} s, peak memory "
        f"{memory['beyond_gb']:.2f} GB beyond the input.",
        "",
        "## CR2 with Satterthwaite degrees of freedom, 5,000 clusters of 20 rows",
        "",
        "| crewe | estimatr | ratio |",
        "|---:|---:|---:|",
    ]
    peer = cr2.get("estimatr")
    lines.append(
        f"| {cr2['crewe']:.3f} s | {peer:.2f} s | {peer / cr2['crewe']:.0f} |"
        if peer
        else f"| {cr2['crewe']:.3f} s | R is not on this machine | |"
    )
    lines += [
        "",
        "estimatr is timed once, without loading the package. The commands:",
        "",
        "```text",
        "maturin develop --release",
        "python benches/peers/run.py",
        "```",
        "",
        "`cargo bench` times the core alone.",
    ]
    text = "\n".join(lines) + "\n"
    (ROOT / "docs" / "benchmarks.md").write_text(text, "utf-8")
    print(text)


if __name__ == "__main__":
    main()
