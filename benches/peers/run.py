"""Ratios against other packages in one run on one machine, written to docs/benchmarks.md.

Takes the Python of an environment with crewe, lifelines and survival, which hold pandas back.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import bootstrap
import iterated
import ols
import randomisation

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


def beside(seconds: dict[str, float], peers: list[str], ours: str = "crewe") -> list[str]:
    """A table of one row: our seconds, and each peer's with the ratio."""
    head = "".join(f" {peer.partition(',')[0]} | ratio |" for peer in peers)
    row = "".join(f" {seconds[p]:.2f} s | {seconds[p] / seconds[ours]:.1f} |" for p in peers)
    return [
        f"| crewe |{head}",
        "|---:|" + "---:|---:|" * len(peers),
        f"| {seconds[ours]:.3f} s |{row}",
    ]


def iterated_lines(python: str) -> list[str]:
    """The fits that take several passes over the rows."""
    logit, cluster = (ols.run(part, iterated.__file__) for part in ("logit", "large_clusters"))
    cox = ols.run("cox", iterated.__file__, python)
    found = ols.run("versions", iterated.__file__, python)
    return [
        "## Logistic regression with CR1, 1,000,000 rows, 10 covariates, 10,000 clusters, from arrays",
        "",
        *beside(logit, ["statsmodels"]),
        "",
        f"CR2 in 20 clusters of 1,000 rows, fit included: {cluster['crewe']:.2f} s. The coefficients of both packages "
        "are compared to six digits.",
        "",
        "## Cox regression, 1,000,000 rows, 10 covariates, days 1 to 500, Efron's ties",
        "",
        "Without clusters:",
        "",
        *beside(cox, ["survival", "lifelines"]),
        "",
        "With 500,000 clusters of two rows (Lin and Wei's sandwich):",
        "",
        *beside(cox, ["survival, clustered"], "crewe, clustered"),
        "",
        f"In an environment with {', '.join(f'{name} {version}' for name, version in found.items())}: `survival` is the Rust "
        "crate of that name through its own Python package, called as `coxph(formula, frame)`, which also gives the "
        "concordance. Coefficients and standard errors are compared to five digits (six with clusters). Medians of "
        f"{iterated.REPEATS} repeats.",
        "",
    ]


def randomisation_lines() -> list[str]:
    """Randomisation and its test."""

    def rows(part: str) -> list[str]:
        seconds = ols.run(part, randomisation.__file__, one_thread=False)
        return [
            "| | time | ratio to crewe |",
            "|---|---:|---:|",
            *(
                f"| {name} | {1000 * t:,.1f} ms | {t / seconds['crewe']:,.1f} |"
                for name, t in seconds.items()
            ),
            "",
        ]

    lines = [
        f"## Randomisation test: {randomisation.DRAWS:,} draws of 132 families (326 children) at 2:1 in 4 strata, "
        f"difference in means, {os.cpu_count()} threads",
        "",
        *rows("test"),
        "## One assignment of 100,000 clusters (300,000 rows, identifiers are text)",
        "",
        *rows("assign"),
    ]
    if os.environ.get("CREWE_REFERENCE_DATA"):
        lines += ["## Search of the 12,870 schemes of 16 counties, 8 to 8", "", *rows("search")]
    return lines


def bootstrap_lines() -> list[str]:
    """The wild cluster bootstrap."""
    lines = [
        f"## Wild cluster bootstrap: {bootstrap.DRAWS:,} draws, 10 covariates, p-value alone but where said",
        "",
    ]
    for size in bootstrap.SIZES:
        seconds = ols.run(size, bootstrap.__file__)
        rows = [
            f"| {name} | {1000 * t:,.1f} ms | {t / seconds['crewe']:,.1f} |"
            for name, t in seconds.items()
        ]
        lines += [f"{size}:", "", "| | time | ratio to crewe |", "|---|---:|---:|", *rows, ""]
    return lines


def main() -> None:
    peers = sys.argv[1] if len(sys.argv) > 1 else str(ROOT / ".venv-bench" / "bin" / "python")
    large, memory, cr2 = ols.run("large"), ols.run("memory"), ols.run("cr2")
    lines = [
        "# Benchmarks",
        "",
        f"Written by `benches/peers/run.py` (`make bench-peers`) on {datetime.date.today():%d %B %Y}. "
        f"{processor()}, {os.cpu_count()} cores, {platform.system()}; {versions()}. "
        f"Load average of the last 15 minutes: {os.getloadavg()[2]:.1f}; where it is far above 1 other work slowed every "
        "package, and the ratios say more than the seconds.",
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
    lines += ["", "estimatr is timed once, without loading the package.", ""]
    lines += iterated_lines(peers)
    lines += randomisation_lines()
    lines += bootstrap_lines()
    lines += [
        "## Commands",
        "",
        "`make bench-peers`, which makes the two environments and then runs",
        "",
        "```text",
        "maturin develop --release",
        "maturin build --release --out target/bench",
        ".venv-bench/bin/python -m pip install target/bench/crewe-*.whl",
        "python benches/peers/run.py .venv-bench/bin/python",
        "```",
        "",
        "`cargo bench` times the core alone.",
    ]
    text = "\n".join(lines) + "\n"
    (ROOT / "docs" / "benchmarks.md").write_text(text, "utf-8")
    print(text)


if __name__ == "__main__":
    main()
