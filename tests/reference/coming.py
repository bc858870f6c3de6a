"""What Python's peers give for the lines that docs/coming/python.md sets beside crewe's.

Run from the root of the repository, where statsmodels, lifelines and SciPy are installed: python tests/reference/coming.py

A case has the code as it stands on the page, what is read off its result, and crewe's expression for the same numbers,
which tests/python/test_coming.py works out with the names that the page has made.
"""

from __future__ import annotations

import json
import os
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / "python" / "crewe" / "datasets" / "data"

# (name, code on the page, what is read off, crewe's expression, relative tolerance)
CASES = [
    (
        "data",
        """import numpy as np
import pandas as pd
import statsmodels.formula.api as smf

awards = pd.read_csv("achievement_awards.csv.gz").query("year == 2001")
rossi = pd.read_csv("rossi.csv.gz")""",
        "[len(awards), len(rossi)]",
        "[len(awards), len(rossi)]",
        1e-12,
    ),
    (
        "cluster",
        """ols = smf.ols("Bagrut_status ~ treated + girl + school_type + lagscore", awards).fit(
    cov_type="cluster", cov_kwds={"groups": awards["school_id"]}, use_t=True
)
ols.bse["treated"], ols.pvalues["treated"]""",
        '[ols.params["treated"], ols.bse["treated"], ols.pvalues["treated"]]',
        'list(stata.tidy().loc[1, ["estimate", "std_error", "p_value"]])',
        1e-8,
    ),
    (
        "hc3",
        'smf.ols("Bagrut_status ~ treated + girl", awards).fit(cov_type="HC3", use_t=True).bse',
        'smf.ols("Bagrut_status ~ treated + girl", awards).fit(cov_type="HC3", use_t=True).bse',
        "list(hc3.se)",
        1e-8,
    ),
    (
        "logit",
        """logit = smf.logit("Bagrut_status ~ treated + girl + lagscore", awards).fit(
    cov_type="cluster", cov_kwds={"groups": awards["school_id"]}
)
np.exp(logit.params)""",
        "[*logit.params, *logit.bse]",
        "[*odds.coef, *odds.se]",
        1e-6,
    ),
    (
        "lifelines",
        """from lifelines import CoxPHFitter, KaplanMeierFitter

coded = rossi.assign(fin=(rossi["fin"] == "yes").astype(int))
cox = CoxPHFitter().fit(coded[["week", "arrest", "fin", "age", "prio"]], "week", "arrest")
cox.summary""",
        "[*cox.params_, *cox.standard_errors_, cox.log_likelihood_]",
        "[*hazard.coef, *hazard.se, hazard.loglik]",
        1e-6,
    ),
    (
        "kaplan_meier",
        """aided = coded[coded["fin"] == 1]
KaplanMeierFitter().fit(aided["week"], aided["arrest"]).survival_function_at_times([26, 52])""",
        'KaplanMeierFitter().fit(aided["week"], aided["arrest"]).survival_function_at_times([26, 52])',
        'list(share.loc[share["term"] == "yes", "estimate"])',
        1e-10,
    ),
    (
        "logrank",
        """from lifelines.statistics import multivariate_logrank_test

multivariate_logrank_test(rossi["week"], rossi["fin"], rossi["arrest"]).test_statistic""",
        'multivariate_logrank_test(rossi["week"], rossi["fin"], rossi["arrest"]).test_statistic',
        "[curves.statistic]",
        1e-8,
    ),
    (
        "mannwhitneyu",
        """from scipy.stats import mannwhitneyu

aid, none = (rossi.loc[rossi["fin"] == arm, "prio"] for arm in ("yes", "no"))
mannwhitneyu(aid, none, method="asymptotic", use_continuity=False)""",
        '[*mannwhitneyu(aid, none, method="asymptotic", use_continuity=False)]',
        "[ranks.u, ranks.p_value]",
        1e-9,
    ),
    (
        "multipletests",
        """from statsmodels.stats.multitest import multipletests

multipletests([0.01, 0.04, 0.03], method="holm")[1]""",
        'multipletests([0.01, 0.04, 0.03], method="holm")[1]',
        "list(cw.adjust([0.01, 0.04, 0.03]))",
        1e-12,
    ),
    (
        "power",
        """from statsmodels.stats.power import NormalIndPower

h = NormalIndPower().solve_power(nobs1=143, alpha=0.05, power=0.8)
np.sin(np.arcsin(np.sqrt(0.226)) + h / 2) ** 2 - 0.226""",
        "np.sin(np.arcsin(np.sqrt(0.226)) + h / 2) ** 2 - 0.226",
        "[power.effect]",
        1e-5,
    ),
]


def main() -> None:
    """Run every case in the folder of the data and write what it gave."""
    os.chdir(HOME)
    names: dict[str, Any] = {}
    cases = []
    for name, code, give, crewe, tolerance in CASES:
        exec(code, names)
        value = np.atleast_1d(np.asarray(eval(give, names), dtype=float)).tolist()
        cases.append(
            {
                "id": name,
                "code": code.split("\n"),
                "crewe": crewe,
                "tolerance": tolerance,
                "value": value,
            }
        )
    packages = {name: version(name) for name in ("statsmodels", "lifelines", "scipy", "pandas")}
    made = {"packages": packages, "cases": cases}
    out = ROOT / "tests" / "reference" / "expected" / "coming_python.json"
    out.write_text(json.dumps(made, indent=1) + "\n")


if __name__ == "__main__":
    main()
