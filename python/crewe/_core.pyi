"""The compiled core: numbers in, numbers out. The package wraps all of it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float64]

__version__: str

# -- random ----------------------------------------------------------------------------------

class Stream:
    def __new__(
        cls, seed: int | bytes, purpose: str, labels: Sequence[str] = ..., index: int = 0
    ) -> Stream: ...
    def below(self, bound: int, n: int) -> NDArray[np.uint64]: ...
    def unit(self, n: int) -> _Floats: ...
    def normal(self, n: int) -> _Floats: ...
    def permutation(self, n: int) -> NDArray[np.uint64]: ...

def system_seed() -> int: ...

# -- regression ------------------------------------------------------------------------------

class Groups:
    def __new__(cls, codes: NDArray[np.uint32]) -> Groups: ...
    @property
    def count(self) -> int: ...
    def sizes(self) -> list[int]: ...

class Covariance:
    def record(self) -> dict[str, Any]: ...

class Linear:
    def covariance(
        self, x: _Floats, kind: str, groups: Groups | None, residual_df: bool
    ) -> Covariance: ...
    def coefficients(self, covariance: Covariance, level: float) -> dict[str, _Floats]: ...
    def contrasts(
        self,
        x: _Floats,
        covariance: Covariance,
        groups: Groups | None,
        matrix: _Floats,
        level: float,
    ) -> dict[str, _Floats]: ...
    def wald(
        self, x: _Floats, covariance: Covariance, groups: Groups | None, matrix: _Floats
    ) -> dict[str, Any]: ...
    def residuals(self) -> _Floats: ...

def ols_fit(
    y: _Floats, x: _Floats, intercept: bool, y_name: str, names: Sequence[str]
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
