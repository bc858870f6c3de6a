"""crewe: randomised controlled trials of public services, from randomisation to report."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any

from crewe._core import __version__
from crewe.exceptions import (
    ConvergenceError,
    CreweError,
    DesignError,
    InputError,
    LedgerError,
    RankError,
    SeparationError,
)

if TYPE_CHECKING:
    from crewe import cost, datasets, disclosure, exceptions, plots, power, report, results
    from crewe.comparisons.crosstabs import Crosstab, crosstab
    from crewe.comparisons.descriptives import Description, describe
    from crewe.comparisons.icc import IntraclusterCorrelation, icc, icc_convert
    from crewe.comparisons.icc_planning import PlanningValues, icc_planning
    from crewe.comparisons.national import NationalComparison, compare_to_national
    from crewe.comparisons.permutation import PermutationTest, permutation_test
    from crewe.comparisons.ranks import MannWhitney, MannWhitneyFamily, mann_whitney
    from crewe.comparisons.rates import RateComparison, adjust, compare_rates
    from crewe.design import (
        Acceptance,
        Assignment,
        Balance,
        Commitment,
        Design,
        Joined,
        Key,
        methods,
        new_key,
    )
    from crewe.design.consort import Consort, consort
    from crewe.design.methods import *  # noqa: F403
    from crewe.design.predictability import Predictability, PredictabilityComparison, predictability
    from crewe.instruments import cases, risk, sdq, survey
    from crewe.ledger import Ledger, Receipt, Verification
    from crewe.models import families
    from crewe.models.cluster_level import ClusterLevel, cluster_level
    from crewe.models.diagnostics import ClusterDiagnostics
    from crewe.models.families import *  # noqa: F403
    from crewe.models.gee import GEE, gee
    from crewe.models.mixed import Mixed, mixed
    from crewe.models.outcomes import OutcomeTable, outcome_table
    from crewe.models.regression import OLS, ols
    from crewe.models.weights import Analytic
    from crewe.plots.coefplot import coefplot
    from crewe.report import Report
    from crewe.report.versions import show_versions, versions
    from crewe.resampling import (
        PairsBootstrap,
        RandomisationTest,
        SizeAudit,
        WildBootstrap,
        pairs_bootstrap,
        randomisation_test,
        wild_bootstrap,
    )
    from crewe.survival import (
        CoxPH,
        KaplanMeier,
        LogRank,
        RestrictedMean,
        Surv,
        coxph,
        kaplan_meier,
        logrank,
        rmst,
    )
    from crewe.tables.table import ModelTable, table

# Where each name is found when it is first asked for, so that `import crewe` costs no more than a moment.
_HOMES = {
    "crewe": "comparisons cost datasets design disclosure exceptions files formula frames instruments ledger models plots power "
    "report resampling results survival tables",
    "crewe.comparisons.crosstabs": "Crosstab crosstab",
    "crewe.comparisons.descriptives": "Description describe",
    "crewe.comparisons.icc": "IntraclusterCorrelation icc icc_convert",
    "crewe.comparisons.icc_planning": "PlanningValues icc_planning",
    "crewe.comparisons.national": "NationalComparison compare_to_national",
    "crewe.comparisons.permutation": "PermutationTest permutation_test",
    "crewe.comparisons.ranks": "MannWhitney MannWhitneyFamily mann_whitney",
    "crewe.comparisons.rates": "RateComparison adjust compare_rates",
    "crewe.design": "Acceptance Assignment Balance Commitment Design Joined Key new_key",
    "crewe.design.consort": "Consort consort",
    "crewe.design.predictability": "Predictability PredictabilityComparison predictability",
    "crewe.instruments": "cases risk sdq survey",
    "crewe.ledger": "Ledger Receipt Verification",
    "crewe.models.cluster_level": "ClusterLevel cluster_level",
    "crewe.models.gee": "GEE gee",
    "crewe.models.mixed": "Mixed mixed",
    "crewe.models.diagnostics": "ClusterDiagnostics",
    "crewe.models.outcomes": "OutcomeTable outcome_table",
    "crewe.models.regression": "OLS ols",
    "crewe.models.weights": "Analytic",
    "crewe.plots.coefplot": "coefplot",
    "crewe.report": "Report",
    "crewe.report.versions": "show_versions versions",
    "crewe.resampling": "PairsBootstrap RandomisationTest SizeAudit WildBootstrap pairs_bootstrap "
    "randomisation_test "
    "wild_bootstrap",
    "crewe.survival": "CoxPH KaplanMeier LogRank RestrictedMean Surv coxph kaplan_meier logrank rmst",
    "crewe.tables.table": "ModelTable table",
}
_HOME = {name: home for home, names in _HOMES.items() for name in names.split()}

# Procedures and families are named by their own files, and nowhere else.
_LISTS = ("crewe.design.methods", "crewe.models.families")

# Paths that programs written before the rooms were furnished still import.
_MOVED = {
    "descriptives": "crewe.comparisons.descriptives",
    "national": "crewe.comparisons.national",
    "nonparametric": "crewe.comparisons.ranks",
    "permutation": "crewe.comparisons.permutation",
    "rates": "crewe.comparisons.rates",
    "regression": "crewe.models.regression",
}


class _Moved(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds a module under the path that it had."""

    def find_spec(
        self, fullname: str, path: Any = None, target: Any = None
    ) -> importlib.machinery.ModuleSpec | None:
        package, _, name = fullname.rpartition(".")
        if package != __name__ or name not in _MOVED:
            return None
        return importlib.machinery.ModuleSpec(fullname, self)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        module = importlib.import_module(_MOVED[spec.name.rpartition(".")[2]])
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        # The module has been run under its own name, which it keeps.
        if module.__spec__ is not None:
            module.__spec__ = module.__spec__.loader_state


sys.meta_path.append(_Moved())


def _lists() -> Iterator[ModuleType]:
    """Give the modules that list their own names, one after the other."""
    return (importlib.import_module(home) for home in _LISTS)


def __getattr__(name: str) -> Any:
    if name == "__all__":
        value: Any = sorted([*_NAMES, *(name for module in _lists() for name in module.__all__)])
    elif name in _MOVED:
        value = importlib.import_module(f"{__name__}.{name}")
    elif name not in _HOME:
        # Python itself asks for names that begin with a line: for these no room need be opened.
        modules = () if name.startswith("_") else _lists()
        module = next((module for module in modules if name in module.__all__), None)
        if module is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(module, name)
    elif _HOME[name] == __name__:
        value = importlib.import_module(f"{__name__}.{name}")
    else:
        home = importlib.import_module(_HOME[name])
        # An instrument is a module of its own.
        value = getattr(home, name, None) or importlib.import_module(f"{_HOME[name]}.{name}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    # What a notebook completes: what there is to use, and nothing of how it is found.
    return sorted({name for name in globals() if name.startswith("__")} | {*__getattr__("__all__")})


__all__: list[str] = [
    "GEE",
    "OLS",
    "Acceptance",
    "Analytic",
    "Assignment",
    "Balance",
    "ClusterDiagnostics",
    "ClusterLevel",
    "Commitment",
    "Consort",
    "ConvergenceError",
    "CoxPH",
    "CreweError",
    "Crosstab",
    "Description",
    "Design",
    "DesignError",
    "InputError",
    "IntraclusterCorrelation",
    "Joined",
    "KaplanMeier",
    "Key",
    "Ledger",
    "LedgerError",
    "LogRank",
    "MannWhitney",
    "MannWhitneyFamily",
    "Mixed",
    "ModelTable",
    "NationalComparison",
    "OutcomeTable",
    "PairsBootstrap",
    "PermutationTest",
    "PlanningValues",
    "Predictability",
    "PredictabilityComparison",
    "RandomisationTest",
    "RankError",
    "RateComparison",
    "Receipt",
    "Report",
    "RestrictedMean",
    "SeparationError",
    "SizeAudit",
    "Surv",
    "Verification",
    "WildBootstrap",
    "__version__",
    "adjust",
    "cases",
    "cluster_level",
    "coefplot",
    "compare_rates",
    "compare_to_national",
    "consort",
    "cost",
    "coxph",
    "crosstab",
    "datasets",
    "describe",
    "disclosure",
    "exceptions",
    "gee",
    "icc",
    "icc_convert",
    "icc_planning",
    "kaplan_meier",
    "logrank",
    "mann_whitney",
    "mixed",
    "new_key",
    "ols",
    "outcome_table",
    "pairs_bootstrap",
    "permutation_test",
    "plots",
    "power",
    "predictability",
    "randomisation_test",
    "report",
    "results",
    "risk",
    "rmst",
    "sdq",
    "show_versions",
    "survey",
    "table",
    "versions",
    "wild_bootstrap",
]

_NAMES = __all__
if TYPE_CHECKING:
    __all__ += methods.__all__
    __all__ += families.__all__
else:
    # Gathered when it is asked for, with the names that procedures and families list themselves.
    del __all__
