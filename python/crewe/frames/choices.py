"""The words that arguments take, so that editors complete them and type checkers refuse others.

Names of covariances are read whatever their case; type checkers know them as tables print them.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

Missing: TypeAlias = Literal["drop", "refuse"]
MissingCovariates: TypeAlias = Literal["drop", "indicator", "refuse"]
Alternative: TypeAlias = Literal["two-sided", "less", "greater"]
DfRule: TypeAlias = Literal["default", "residual"]
AveragedOver: TypeAlias = Literal["means", "observed"]
Compare: TypeAlias = Literal["difference", "ratio", "odds_ratio"]
CurveInterval: TypeAlias = Literal["log-log", "log", "plain"]
Backend: TypeAlias = Literal["pandas", "polars", "pyarrow"]

RowwiseVcov: TypeAlias = Literal["iid", "HC0", "HC1", "HC2", "HC3"]
BinaryVcov: TypeAlias = Literal[
    RowwiseVcov, "CR0", "CR1", "CR1S", "CR2", "CR3", "CV3", "jackknife", "CV3L"
]
LinearVcov: TypeAlias = Literal[BinaryVcov, "hansen"]
PenalisedVcov: TypeAlias = Literal[BinaryVcov, "profile"]
GeeVcov: TypeAlias = Literal[
    "KC", "MD", "FG", "MBN", "iid", "CR0", "CR1", "CR1S", "CR2", "CR3", "CV3L"
]
MixedVcov: TypeAlias = Literal[
    "kenward-roger", "satterthwaite", "iid", "CR0", "CR1", "CR1S", "CR2", "CR3", "CV3L"
]
CoxVcov: TypeAlias = Literal[
    "iid", "HC0", "CR0", "CR1", "CR3", "CV3", "jackknife", "KC", "MD", "FG", "MBN", "MR", "KCMR", "MDMR", "FGMR", "MBNMR"
]  # fmt: skip
AnyVcov: TypeAlias = Literal[LinearVcov, PenalisedVcov, GeeVcov, MixedVcov, CoxVcov]
