"""From the arguments of a calculation to the core and back, the same for every outcome."""

from __future__ import annotations

from typing import Any

from crewe import _core
from crewe.exceptions import InputError, fault
from crewe.power._layouts import Layout
from crewe.power._quantities import Outcome, real, sizes_of, whole, yes
from crewe.power._result import Power

# Arguments that are words, yes or no, or objects; all others are numbers.
_AS_GIVEN = frozenset(
    {
        "method",
        "scale",
        "direction",
        "distribution",
        "subgroup_level",
        "layout",
        "hypothesis",
        "adjustment",
        "weighting",
    }
)


def solve(outcome: Outcome, arguments: dict[str, Any]) -> Power:
    """Solve a calculation for what is None among its quantities."""
    asked = {name: _read(name, value) for name, value in arguments.items()}
    setting = _setting(asked)
    quantities = _quantities(asked)
    sought = _core.PowerEffect(asked["direction"], asked.get("scale", "hazard_ratio"))
    if outcome == "binary":
        answer = _core.power_binary(asked["baseline"], asked["method"], sought, quantities, setting)
    elif outcome == "continuous":
        answer = _core.power_continuous(asked["sd"], sought, quantities, setting)
    elif outcome == "count":
        answer = _core.power_count(_rates(asked), asked["method"], sought, quantities, setting)
    else:
        answer = _core.power_survival(
            asked["baseline"], asked["method"], sought, quantities, setting
        )
    return Power(
        outcome=outcome,
        allocation=asked["allocation"],
        alpha=asked["alpha"],
        asked=asked,
        **{name: getattr(answer, name) for name in Power._from_core()},
    )


def calculation(outcome: Outcome, arguments: dict[str, Any]) -> _core.PowerCalculation:
    """Give a calculation, which lacks its power alone, to the core as a whole."""
    asked = {name: _read(name, value) for name, value in arguments.items()}
    setting, quantities = _setting(asked), _quantities(asked)
    sought = _core.PowerEffect(None, asked.get("scale", "hazard_ratio"))
    if outcome == "binary":
        return _core.PowerCalculation.binary(
            asked["baseline"], asked["method"], sought, quantities, setting
        )
    if outcome == "continuous":
        return _core.PowerCalculation.continuous(asked["sd"], quantities, setting)
    if outcome == "count":
        return _core.PowerCalculation.count(
            _rates(asked), asked["method"], sought, quantities, setting
        )
    return _core.PowerCalculation.survival(asked["baseline"], asked["method"], quantities, setting)


def _rates(asked: dict[str, Any]) -> _core.PowerRates:
    return _core.PowerRates(
        asked["baseline"], asked["exposure"], asked["dispersion"], asked["rate_cv"]
    )


def _quantities(asked: dict[str, Any]) -> _core.PowerQuantities:
    return _core.PowerQuantities(
        asked["effect"],
        asked["clusters"],
        asked["power"],
        asked["icc"],
        asked["cluster_size"],
        asked["r2"],
    )


def _read(name: str, value: Any) -> Any:
    if name == "interaction":
        return yes(name, value)
    if value is None or name in _AS_GIVEN:
        return value
    if name == "cluster_size":
        return sizes_of(value)
    if name == "clusters":
        return whole(name, value)
    if name == "covariates":
        return whole(name, value, "Give the number of covariates of clusters in the analysis")
    return real(name, value)


def _setting(asked: dict[str, Any]) -> _core.PowerSetting:
    setting = (
        _core.PowerSetting(asked["cv"], asked["allocation"], asked["alpha"], asked["distribution"])
        .adjusted(asked["r2_cluster"], asked["covariates"])
        .weighted(asked["weighting"])
        .lost(asked["attrition"], asked["cluster_attrition"])
        .tested(asked["hypothesis"], asked["margin"])
    )
    # The level is read where there is no subgroup as well, so that a wrong word is never let by.
    share = 0.5 if asked["subgroup"] is None else asked["subgroup"]
    divided = setting.within(share, asked["subgroup_level"], asked["interaction"])
    if asked["subgroup"] is not None:
        setting = divided
    elif asked["interaction"]:
        raise fault(
            InputError,
            "an interaction is the difference between a subgroup's effect and that of the rest",
            remedy="Give the subgroup's share as subgroup=, or leave interaction out",
        )
    if "adjustment" in asked:
        own, cluster = asked["correlation"], asked["cluster_correlation"]
        known = 0.0 if own is None else own
        measured = setting.measured(
            known, known if cluster is None else cluster, asked["adjustment"]
        )
        if (own, cluster) != (None, None):
            setting = measured
    layout = asked["layout"]
    if layout is None:
        return setting
    if not isinstance(layout, Layout):
        raise fault(
            InputError,
            "layout= takes one of the layouts of crewe.power",
            values=[type(layout).__name__],
            remedy="Give Pairs, Blocks, ThreeLevels, Nested, SteppedWedge or Crossover, or leave it out",
        )
    return setting.laid_out(layout._core())
