"""The compiled core: numbers in, numbers out. The package wraps all of it."""

from collections.abc import Sequence
from os import PathLike
from typing import Any, NoReturn, TypeVar, final

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Self

_Floats = NDArray[np.float64]
_Path = str | PathLike[str]

__version__: str

# -- random ----------------------------------------------------------------------------------

@final
class Stream:
    def __new__(
        cls, seed: int | Secret, purpose: str, labels: Sequence[str] = ..., index: int = 0
    ) -> Stream: ...
    def below(self, bound: int, n: int) -> NDArray[np.uint64]: ...
    def unit(self, n: int) -> _Floats: ...
    def normal(self, n: int) -> _Floats: ...
    def permutation(self, n: int) -> NDArray[np.uint64]: ...

def system_seed() -> int: ...
def read_seed(seed: int | _Seed | None) -> int | _Seed | None: ...

class Secret:
    def __new__(cls, secret: bytes) -> Self: ...
    @classmethod
    def from_hex(cls, text: str) -> Self: ...
    @classmethod
    def draw(cls) -> Self: ...
    @classmethod
    def read(cls, key: Self | str | _Path | None) -> Self: ...
    def reveal(self) -> str: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __reduce__(self) -> NoReturn: ...
    def __copy__(self) -> Self: ...
    def __deepcopy__(self, memo: object) -> Self: ...

_Seed = TypeVar("_Seed", bound=Secret)

# -- design ----------------------------------------------------------------------------------

_Labels = tuple[str, NDArray[np.uint32], list[str]]

@final
class Method:
    def __new__(cls, json: str) -> Method: ...
    @property
    def json(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def needs_order(self) -> bool: ...
    @property
    def in_sets(self) -> bool: ...
    @property
    def factors(self) -> list[str]: ...
    @property
    def covariates(self) -> list[str]: ...

@final
class Design:
    def __new__(
        cls,
        name: str,
        arms: Sequence[tuple[str, int]],
        cluster: str | None,
        unit: str | None,
        strata: Sequence[str],
        method: str,
        seed: int | Secret | None,
    ) -> Design: ...
    def canonical_json(self) -> str: ...
    def commitment(self) -> dict[str, str]: ...
    def assign(self, units: Units) -> dict[str, Any]: ...
    def observe(self, units: Units, arms: _Labels) -> dict[str, Any]: ...
    def draws(self, units: Units, n: int, seed: int | Secret | None) -> NDArray[np.uint8]: ...
    def predictability(
        self,
        units: Units | None,
        n: int,
        strata: int,
        levels: Sequence[int],
        sims: int,
        seed: int | Secret | None,
    ) -> dict[str, Any]: ...
    def possible(self, units: Units) -> bytes | None: ...
    def support(self, units: Units, most: int) -> dict[str, Any] | None: ...
    def constrained(self, units: Units) -> dict[str, Any]: ...
    def join(
        self,
        labels: Sequence[str],
        stratum: NDArray[np.uint32],
        strata: Sequence[Sequence[str]],
        arm: NDArray[np.uint8],
        ids: _Labels,
        given_strata: Sequence[_Labels],
        given_arm: _Labels | None,
    ) -> dict[str, NDArray[np.uint32]]: ...

@final
class Units:
    def __new__(
        cls,
        design: Design,
        ids: _Labels,
        strata: Sequence[_Labels],
        order: tuple[str, NDArray[np.int64]] | None,
        factors: Sequence[_Labels],
        covariates: Sequence[tuple[str, NDArray[np.float64]]],
    ) -> Units: ...
    def parts(self) -> dict[str, Any]: ...

def balance(
    rows: NDArray[np.uint32],
    arm: NDArray[np.uint8],
    arms: int,
    names: Sequence[str],
    values: _Floats,
) -> dict[str, dict[str, Any]]: ...
def flow(
    rows: NDArray[np.uint32],
    arm: NDArray[np.uint8],
    arms: int,
    reasons: int,
    reason: Sequence[int],
    analysed: Sequence[bool],
) -> dict[str, Any]: ...

# -- regression ------------------------------------------------------------------------------

@final
class Groups:
    def __new__(cls, codes: NDArray[np.uint32]) -> Groups: ...
    @property
    def count(self) -> int: ...
    def sizes(self) -> list[int]: ...

@final
class Covariance:
    def record(self) -> dict[str, Any]: ...
    def coefficients(self, level: float) -> dict[str, _Floats]: ...
    def contrasts(self, matrix: _Floats, level: float) -> dict[str, _Floats]: ...
    def wald(self, matrix: _Floats) -> dict[str, Any]: ...
    def margins(
        self,
        settings: Sequence[tuple[_Floats, _Floats | None]],
        weights: _Floats | None,
        pairs: Sequence[Sequence[int]],
        compare: str,
        level: float,
    ) -> tuple[dict[str, _Floats], dict[str, _Floats]]: ...
    def predict(
        self, rows: _Floats, linear_predictor: bool, level: float
    ) -> dict[str, _Floats]: ...

@final
class Linear:
    def covariance(self, kind: str, groups: Groups | None, residual_df: bool) -> Covariance: ...
    def predict(self, rows: _Floats, linear_predictor: bool) -> _Floats: ...
    def residuals(self) -> _Floats: ...

def ols_fit(
    y: _Floats,
    x: _Floats,
    intercept: bool,
    y_name: str,
    names: Sequence[str],
    weights: tuple[_Floats, str] | None,
) -> tuple[Linear, dict[str, Any]]: ...
def glm_fit(
    family: str,
    y: _Floats,
    x: _Floats,
    intercept: bool,
    y_name: str,
    names: Sequence[str],
    weights: tuple[_Floats, str] | None,
) -> tuple[Linear, dict[str, Any]]: ...

# -- power and costs -------------------------------------------------------------------------

def power_binary(
    *,
    baseline: float,
    method: str,
    direction: str | None,
    distribution: str,
    effect: float | None,
    clusters: int | None,
    power: float | None,
    icc: float | None,
    cluster_size: float | list[int] | None,
    cv: float,
    allocation: float,
    alpha: float,
    r2: float,
) -> dict[str, Any]: ...
def cost_lines(
    inputs: list[tuple[str, str]], lines: list[tuple[str, str, str | None, int]]
) -> list[dict[str, Any]]: ...

# -- instruments -----------------------------------------------------------------------------

def prepare_cases(
    referral: Sequence[int | None],
    closure: Sequence[int | None],
    rereferral: Sequence[int | None],
    support: Sequence[int | None] | None,
    randomised: Sequence[int | None] | None,
    family: Sequence[int],
    set_aside: Sequence[bool],
    names: Sequence[str],
    window: tuple[int, int, int | None],
    origin: str,
    rules: Sequence[bool],
) -> dict[str, Any]: ...
def risk_score(
    values: _Floats, kinds: Sequence[str], weights: _Floats, alternatives: _Floats
) -> dict[str, Any]: ...
def risk_change(
    before: _Floats, after: _Floats, arm: NDArray[np.uint32], arms: int
) -> dict[str, Any]: ...
def risk_bounds(
    change: _Floats,
    kinds: Sequence[str],
    weights: _Floats,
    alternatives: _Floats,
    arm: NDArray[np.uint32],
    arms: int,
) -> list[tuple[float, float]]: ...
def sdq_score(items: _Floats, upper: Sequence[Sequence[float]]) -> dict[str, Any]: ...
def likert_score(
    items: _Floats,
    names: Sequence[str],
    reversed: Sequence[bool],
    scale: tuple[float, float],
    needed: float,
) -> dict[str, Any]: ...
def summarise_scores(
    scores: _Floats, group: NDArray[np.uint32], groups: int
) -> list[dict[str, Any]]: ...

# -- nonparametric ---------------------------------------------------------------------------

def mann_whitney(
    x: _Floats,
    y: _Floats,
    alternative: str,
    exact: bool | None,
    correct: bool,
    level: float,
    name: str,
) -> dict[str, Any]: ...
def permutation_test(x: _Floats, y: _Floats, alternative: str, name: str) -> dict[str, Any]: ...
def compare_rates(
    events: Sequence[int], totals: Sequence[int], alternative: str, exact: bool, level: float
) -> dict[str, Any]: ...
def prevalence(
    events: int, total: int, national: float, alternative: str, level: float
) -> dict[str, Any]: ...
def goodness_of_fit(
    counts: Sequence[int], shares: _Floats, draws: int, enumerate: int, seed: int | Secret
) -> dict[str, Any]: ...
def adjust(p: _Floats, method: str) -> _Floats: ...
def group_summary(
    values: _Floats, codes: NDArray[np.uint32], groups: int, level: float
) -> list[dict[str, Any]]: ...
def check_word(kind: str, word: str) -> None: ...
def statistics() -> list[str]: ...
def levels(values: _Floats) -> tuple[_Floats, NDArray[np.int64]]: ...
def cut(values: _Floats, edges: _Floats, column: str) -> NDArray[np.int64]: ...
def crosstab(
    rows: NDArray[np.uint32], columns: NDArray[np.uint32], n_rows: int, n_columns: int
) -> dict[str, Any]: ...

# -- randomisation tests ---------------------------------------------------------------------

def randomisation_test(
    design: Design,
    units: Units,
    arm: NDArray[np.uint8],
    probability: _Floats,
    simulated: int | None,
    drawn_here: bool,
    name: str,
    values: _Floats,
    unit: NDArray[np.uint32],
    compared: Sequence[bool] | None,
    statistic: str,
    studentised: bool,
    covariates: _Floats | None,
    weights: str,
    draws: int,
    seed: int | Secret | None,
    alternative: str,
    level: float,
    interval: bool,
) -> dict[str, Any]: ...
def randomisation_redrawn(
    design: Design,
    units: Units,
    arm: NDArray[np.uint8],
    probability: _Floats,
    simulated: int | None,
    drawn_here: bool,
    draws: int,
    seed: int | Secret | None,
) -> dict[str, Any]: ...
def randomisation_tails(
    values: _Floats, probability: _Floats | None, observed: float, alternative: str
) -> dict[str, Any]: ...
def randomisation_size(
    design: Design,
    units: Units,
    values: _Floats,
    unit: NDArray[np.uint32],
    studentised: bool,
    trials: int,
    draws: int,
    seed: int,
    alpha: float,
    effect: float,
) -> dict[str, Any]: ...

# -- survival --------------------------------------------------------------------------------

@final
class KaplanMeierCurve:
    def record(self) -> dict[str, Any]: ...
    def quantile(self, p: float) -> dict[str, float]: ...
    def read(self, times: _Floats) -> dict[str, _Floats]: ...
    def at_risk(self, times: _Floats) -> _Floats: ...
    @staticmethod
    def restore(columns: Sequence[_Floats], n: int, width: float) -> KaplanMeierCurve: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

def last_at(times: _Floats, wanted: _Floats) -> NDArray[np.int64]: ...
def kaplan_meier(
    time: _Floats,
    event: _Floats,
    time_name: str,
    event_name: str,
    groups: NDArray[np.uint32] | None,
    weights: _Floats | None,
    interval: str,
    level: float,
) -> list[KaplanMeierCurve]: ...
def logrank(
    time: _Floats,
    event: _Floats,
    time_name: str,
    event_name: str,
    groups: NDArray[np.uint32],
    labels: Sequence[str],
    strata: NDArray[np.uint32] | None,
) -> dict[str, Any]: ...

@final
class CoxModel:
    def record(self) -> dict[str, Any]: ...
    def covariance(self, kind: str, groups: Groups | None) -> Covariance: ...
    def wald(self, covariance: Covariance) -> dict[str, float]: ...
    def robust_score(self, groups: Groups) -> dict[str, float]: ...
    def zph(self, transform: str, terms: Sequence[Sequence[int]]) -> dict[str, _Floats]: ...
    def baseline(self, centred: bool) -> list[dict[str, _Floats]]: ...
    def survival_curve(
        self, covariance: Covariance, x: _Floats, stratum: int, interval: str, level: float
    ) -> dict[str, _Floats]: ...
    def survival_at(
        self,
        covariance: Covariance,
        rows: _Floats,
        stratum: int,
        time: float,
        interval: str,
        level: float,
    ) -> dict[str, _Floats]: ...
    def adjusted_curves(
        self,
        covariance: Covariance,
        settings: Sequence[_Floats],
        times: _Floats,
        interval: str,
        level: float,
    ) -> tuple[list[dict[str, _Floats]], list[dict[str, _Floats]]]: ...
    def adjusted_risks(
        self,
        covariance: Covariance,
        settings: Sequence[_Floats],
        time: float,
        pairs: Sequence[Sequence[int]],
        compare: str,
        level: float,
    ) -> tuple[dict[str, _Floats], dict[str, _Floats]]: ...
    def event_times(self) -> _Floats: ...
    def score_residuals(self) -> _Floats: ...
    def martingale_residuals(self) -> _Floats: ...

def cox_fit(
    time: _Floats,
    event: _Floats,
    time_name: str,
    event_name: str,
    x: _Floats,
    names: Sequence[str],
    ties: str,
    strata: NDArray[np.uint32] | None,
    weights: _Floats | None,
) -> CoxModel: ...

# -- ledger ----------------------------------------------------------------------------------

@final
class Ledger:
    @staticmethod
    def create(
        path: _Path,
        design: Design,
        overflow: str,
        merged: str,
        clock_tolerance: int,
        levels: Sequence[Sequence[str]],
        at: str | None,
    ) -> Ledger: ...
    @staticmethod
    def open(path: _Path, key: Secret, head: str | None) -> Ledger: ...
    def design(self) -> str: ...
    def commitment(self) -> dict[str, str]: ...
    def notes(self) -> list[str]: ...
    def frame_notes(self) -> list[str]: ...
    def is_closed(self) -> bool: ...
    def full(self) -> list[str]: ...
    def enrol(
        self,
        family: str,
        children: Sequence[str],
        stratum: Sequence[str],
        factors: Sequence[str],
        approved_by: str,
        proposed_by: str | None,
        consent: str | None,
        at: str | None,
        request: str | None,
    ) -> dict[str, Any]: ...
    def add_child(
        self,
        family: str,
        child: str,
        stratum: Sequence[str] | None,
        by: str | None,
        at: str | None,
        request: str | None,
    ) -> dict[str, Any]: ...
    def capacity(
        self,
        arm: str,
        full: bool,
        by: str | None,
        reason: str | None,
        at: str | None,
        request: str | None,
    ) -> dict[str, Any]: ...
    def override_arm(
        self,
        family: str,
        delivered: str,
        by: str | None,
        reason: str | None,
        at: str | None,
        request: str | None,
    ) -> dict[str, Any]: ...
    def withdraw(
        self,
        family: str,
        child: str | None,
        data: bool,
        by: str | None,
        reason: str | None,
        at: str | None,
        request: str | None,
    ) -> dict[str, Any]: ...
    def merge(
        self,
        family: str,
        into: str,
        by: str | None,
        reason: str | None,
        at: str | None,
        request: str | None,
    ) -> dict[str, Any]: ...
    def split(
        self,
        family: str,
        into: str,
        children: Sequence[str],
        by: str | None,
        reason: str | None,
        at: str | None,
        request: str | None,
    ) -> dict[str, Any]: ...
    def exclude(
        self,
        family: str,
        child: str | None,
        by: str | None,
        reason: str | None,
        at: str | None,
        request: str | None,
    ) -> dict[str, Any]: ...
    def close(
        self, by: str | None, reason: str | None, at: str | None, request: str | None
    ) -> dict[str, Any]: ...
    def head(self) -> str: ...
    def verify(self, head: str | None) -> dict[str, Any]: ...
    def frame(self) -> dict[str, Any]: ...
    def assigned(self, everybody: bool) -> tuple[dict[str, Any], dict[str, Any], Units]: ...
    def flow(self) -> dict[str, Any]: ...
