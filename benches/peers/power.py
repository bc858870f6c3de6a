"""Power by simulation beside peers: 132 families of 3 at 2:1, a yes-or-no outcome, least squares with clustered errors.

Run as `python benches/peers/power.py` with a release build of crewe; it writes docs/benchmarks-power.md. Packages that are not
installed are left out. On one thread each; what is slow runs fewer simulations, and its time is scaled to 1,000.
"""

from __future__ import annotations

import contextlib
import datetime
import importlib.metadata
import importlib.util
import io
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

for name in ("RAYON_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"

import crewe as cw  # noqa: E402
import numpy as np  # noqa: E402
from scipy import stats  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
SIMS, FAMILIES, TREATED, SIZE = 1_000, 132, 88, 3
BASE, EFFECT, ICC = 0.226, 0.2, 0.36
REPEATS = 9


def median(call: Callable[[], float], repeats: int = REPEATS) -> tuple[float, float]:
    """The median of the seconds, and the power that was found last."""
    seconds, power = [], call()
    for _ in range(repeats):
        begun = time.perf_counter()
        power = call()
        seconds.append(time.perf_counter() - begun)
    return float(np.median(seconds)), power


def by_crewe(vcov: str, sims: int = SIMS) -> Callable[[], float]:
    design = cw.Design("Trial", arms={"control": 1, "crewe": 2}, cluster="family_id")
    families = cw.power.ClusterSizes(SIZE, clusters=FAMILIES)
    closed = cw.power.BinaryOutcome(baseline=BASE, effect=EFFECT, icc=ICC)
    analysis = cw.power.LinearModel("~ arm", vcov=vcov)
    return lambda: (
        cw.power.simulate(design, families, closed, analysis, sims=sims, seed=1, size=False).power
    )


def by_numpy() -> float:
    """All trials at once: beta-binomial families, arms by sorting uniform numbers, CR1 from sums by family."""
    rng = np.random.default_rng(1)
    z = rng.random((SIMS, FAMILIES)).argsort(axis=1) < TREATED
    p = np.where(z, BASE + EFFECT, BASE)
    size = 1 / ICC - 1
    events = rng.binomial(SIZE, rng.beta(p * size, (1 - p) * size))
    n1, n0 = TREATED * SIZE, (FAMILIES - TREATED) * SIZE
    m1, m0 = (events * z).sum(axis=1) / n1, (events * ~z).sum(axis=1) / n0
    left = events - SIZE * np.where(z, m1[:, None], m0[:, None])
    v = ((left * z) ** 2).sum(axis=1) / n1**2 + ((left * ~z) ** 2).sum(axis=1) / n0**2
    t = (m1 - m0) / np.sqrt(v * FAMILIES / (FAMILIES - 1))
    return float((np.abs(t) > stats.t.isf(0.025, FAMILIES - 1)).mean())


def by_mcpower() -> float:
    """An easier case: independent rows and a continuous outcome."""
    from mcpower import MCPower

    with contextlib.redirect_stdout(io.StringIO()):
        model = MCPower("y = z")
        model.set_variable_type("z=binary")
        model.set_effects("z=0.3")
        model.set_simulations(SIMS)
        found = model.find_power(FAMILIES * SIZE, progress_callback=False, verbose=False)
    return float(np.ravel(found.get("power", np.nan))[0]) if "power" in found else float("nan")


R = """
family <- rep(1:{families}, each = {size})
shape <- 1 / {icc} - 1
trial <- function() {{
  z <- sample(rep(1:0, c({treated}, {families} - {treated})))[family]
  p <- {base} + {effect} * z[!duplicated(family)]
  data.frame(family, z, y = rbinom(length(family), 1, rbeta({families}, p * shape, (1 - p) * shape)[family]))
}}
set.seed(1)
say <- function(name, sims, seconds, power) cat(name, sims, seconds, power, as.character(packageVersion(name)), sep = "\\t", fill = TRUE)
quiet <- function(x) suppressWarnings(suppressMessages(x))
if (requireNamespace("estimatr", quietly = TRUE)) {{
  time <- system.time(p <- replicate(200, estimatr::lm_robust(y ~ z, trial(), clusters = family, se_type = "stata")$p.value[2]))
  say("estimatr", 200, time[["elapsed"]], mean(p < 0.05))
}}
if (requireNamespace("DeclareDesign", quietly = TRUE)) {{
  quiet(library(DeclareDesign))
  design <- declare_model(families = add_level(N = {families}, u = runif(N)), children = add_level(N = {size}, v = runif(N))) +
    declare_potential_outcomes(Y ~ as.numeric(v < qbeta(u, ({base} + {effect} * Z) * shape, (1 - {base} - {effect} * Z) * shape))) +
    declare_inquiry(ATE = mean(Y_Z_1 - Y_Z_0)) +
    declare_assignment(Z = cluster_ra(clusters = families, m = {treated})) +
    declare_measurement(Y = reveal_outcomes(Y ~ Z)) +
    declare_estimator(Y ~ Z, .method = lm_robust, clusters = families, se_type = "stata", inquiry = "ATE")
  time <- system.time(found <- quiet(diagnose_design(design, sims = 100, bootstrap_sims = FALSE)))
  say("DeclareDesign", 100, time[["elapsed"]], found$diagnosands_df$power)
}}
if (requireNamespace("simr", quietly = TRUE)) {{
  quiet(library(simr))
  data <- trial()
  data$z <- rep(rep(1:0, c({treated}, {families} - {treated})), each = {size})
  model <- makeLmer(y ~ z + (1 | family), fixef = c({base}, {effect}), VarCorr = {icc} * 0.2, sigma = sqrt((1 - {icc}) * 0.2), data = data)
  time <- system.time(found <- quiet(powerSim(model, test = fixed("z", "z"), nsim = 50, progress = FALSE)))
  say("simr", 50, time[["elapsed"]], mean(found$pval < 0.05))
}}
"""

WHAT = {
    "estimatr": "`lm_robust` in a loop of R, CR1S",
    "DeclareDesign": "the design declared, `lm_robust`, CR1S",
    "simr": "a linear mixed model (lme4) with the same moments, z test",
}


def by_r() -> list[tuple[str, float, float, str]]:
    """What R's packages take, scaled to as many simulations."""
    if not shutil.which("Rscript"):
        return []
    code = R.format(
        families=FAMILIES, size=SIZE, treated=TREATED, base=BASE, effect=EFFECT, icc=ICC
    )
    told = subprocess.run(["Rscript", "-e", code], capture_output=True, text=True, check=False)
    if told.returncode:
        print(told.stderr, file=sys.stderr)
    found = []
    for line in told.stdout.splitlines():
        name, sims, seconds, power, version = line.split()
        label = f"{name} {version}: {WHAT[name]}, {sims} simulations"
        found.append((label, float(seconds) * SIMS / float(sims), float(power), name))
    return found


def page() -> str:
    """Time everybody and write the page."""
    rows = []
    for vcov in ("CR1", "CR2"):
        seconds, power = median(by_crewe(vcov))
        rows.append((f"crewe, {vcov}", seconds, power))
    ours = rows[0][1]
    seconds, power = median(by_numpy)
    rows.append(("numpy by hand, all trials at once, CR1", seconds, power))
    if importlib.util.find_spec("mcpower"):
        seconds, _ = median(by_mcpower)
        rows.append(
            (
                f"mcpower {importlib.metadata.version('mcpower')}: least squares of independent rows, an easier case",
                seconds,
                float("nan"),
            )
        )
    rows += [(label, seconds, power) for label, seconds, power, _ in by_r()]
    many, _ = median(by_crewe("CR2", 10_000), 1)
    load = os.getloadavg()[2]
    lines = [
        "# Power by simulation beside other packages",
        "",
        f"Written by `benches/peers/power.py` on {datetime.datetime.now(tz=datetime.timezone.utc):%-d %B %Y}. {platform.machine()}, "
        f"{os.cpu_count()} cores, {platform.system()}; Python {platform.python_version()}, crewe {importlib.metadata.version('crewe')}, "
        f"numpy {np.__version__}. Load average of the last 15 minutes: {load:.1f}; where it is far above 1 other work slowed everybody.",
        "",
        f"{SIMS:,} simulated trials of {FAMILIES} families of {SIZE} at 2:1, a yes-or-no outcome ({BASE:.1%} and {BASE + EFFECT:.1%}, "
        f"ICC {ICC}), on one thread. Ours and numpy's times are medians of {REPEATS} runs; what is slow ran once, with fewer "
        "simulations, and its time is scaled. The powers differ by the error of their simulations, CR1S from CR1 by a factor "
        "near 1, and the mixed model by its test.",
        "",
        "| | time | ratio to crewe | power |",
        "|---|---:|---:|---:|",
    ]
    for label, seconds, power in rows:
        shown = "–" if np.isnan(power) else f"{100 * power:.0f}%"
        lines.append(f"| {label} | {1000 * seconds:,.0f} ms | {seconds / ours:,.1f} | {shown} |")
    lines += ["", f"10,000 trials with CR2 and Satterthwaite's df on one thread: {many:.2f} s."]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    text = page()
    (ROOT / "docs" / "benchmarks-power.md").write_text(text, encoding="utf-8")
    print(text)
