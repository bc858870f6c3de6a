"""What is believed of a quantity before a trial."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from crewe import _core
from crewe.frames.arguments import check_methods

# What the quantities are called that may have a prior.
NAMES = {
    "effect": "Effect",
    "baseline": "Control arm's rate",
    "icc": "Intracluster correlation",
    "sd": "Standard deviation",
    "r2": "R² of covariates",
    "attrition": "Members lost",
}


@dataclass(frozen=True)
class Normal:
    """A normal prior.

    Attributes
    ----------
    mean, sd : float
        Its mean and standard deviation, above 0.

    Examples
    --------
    >>> import crewe as cw
    >>> cw.power.Normal(0.1, sd=0.05)
    Normal(mean=0.1, sd=0.05)
    """

    mean: float
    sd: float

    def __post_init__(self) -> None:
        self._core()

    def _core(self) -> _core.PowerPrior:
        return _core.PowerPrior.normal(self.mean, self.sd)


@dataclass(frozen=True)
class LogNormal:
    """A prior of a ratio, normal on the logarithmic scale.

    Attributes
    ----------
    median : float
        The ratio in the middle.
    sd : float
        The standard deviation of its natural logarithm.
    """

    median: float
    sd: float

    def __post_init__(self) -> None:
        self._core()

    def _core(self) -> _core.PowerPrior:
        return _core.PowerPrior.log_normal(self.median, self.sd)


@dataclass(frozen=True)
class Beta:
    """A prior of a rate, a share or an intracluster correlation.

    Attributes
    ----------
    mean, sd : float
        Its mean, between 0 and 1, and standard deviation; the shapes are mean s and (1 - mean) s with
        s = mean (1 - mean) / sd² - 1.
    """

    mean: float
    sd: float

    def __post_init__(self) -> None:
        self._core()

    def _core(self) -> _core.PowerPrior:
        return _core.PowerPrior.beta(self.mean, self.sd)


@dataclass(frozen=True)
class Uniform:
    """A prior that takes all values between two for equally likely.

    Attributes
    ----------
    low, high : float
        The ends.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        self._core()

    def _core(self) -> _core.PowerPrior:
        return _core.PowerPrior.uniform(self.low, self.high)


Prior: TypeAlias = Normal | LogNormal | Beta | Uniform

for _kind in (Normal, LogNormal, Beta, Uniform):
    check_methods(_kind)
