"""Hazard ratios, adjusted risks and predictions of a Cox model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from crewe.exceptions import InputError, fault
from crewe.frames.source import Source, build, numbers
from crewe.models.estimates import columns_of
from crewe.models.margins import (
    Margins,
    _count,
    _first_of_group,
    _settings,
    rows_at_means,
    without_variance,
)
from crewe.tables.wording import carry, words_of

if TYPE_CHECKING:
    from crewe.survival._cox_model import CoxPH

Floats = NDArray[np.float64]


def margins(
    fit: CoxPH,
    term: str,
    *,
    by: str | None,
    values: Sequence[Any] | None,
    level: float | None,
    compare: str | None,
    time: float | None,
) -> Margins:
    """Work out the margins of a Cox model; see :meth:`crewe.CoxPH.margins`."""
    covariance = fit._covariance()
    if fit.rows is None or fit.rows.design is None:
        raise fault(
            InputError,
            "margins need a fit made from a formula",
            remedy="Fit 'Surv(days, event) ~ arm + ...' to a data frame, or use contrast()",
        )
    design = fit.rows.design
    settings, labels = _settings(design, term, by, values)
    first = _first_of_group(labels)
    away = [i for i in range(len(labels)) if i != first[i]]
    pairs = [[i, first[i]] for i in away]
    confidence = fit._level(level)
    way = ("ratio" if time is None else "difference") if compare is None else compare
    beyond: list[str] = []
    names: dict[str, list[str]] = {"level": [a for a, _ in labels]}
    if by is not None:
        names["by"] = [b for _, b in labels]
    if time is None:
        rows = rows_at_means(design, settings, fit.rows.weights)
        hazards = covariance.margins(rows, None, pairs, way, confidence)
        levels, compared = columns_of(hazards.levels), columns_of(hazards.comparisons)
        names = {key: [] for key in names}
        at = f"hazard ratios by {term}, all other variables at their means over the analysed rows"
    else:
        sets = [design.with_values(setting) for setting in settings]
        risks = fit._needs_core().adjusted_risks(
            covariance, sets, float(time), pairs, way, confidence
        )
        levels, compared = columns_of(risks.levels), columns_of(risks.comparisons)
        beyond = risks.notes
        at = (
            f"risks of the event by {fit.rows.surv.time_name} = {time:g}, averaged over the covariates of all "
            "analysed rows (g-computation)"
        )
    if way != "difference":
        for key in ("estimate", "conf_low", "conf_high"):
            compared[key] = np.exp(compared[key])
    sign = "−" if way == "difference" else "/"
    others: dict[str, list[str]] = {
        "contrast": [f"{labels[i][0]} {sign} {labels[first[i]][0]}" for i in away]
    }
    if by is not None:
        others["by"] = [labels[i][1] for i in away]
    made = Margins(
        term=term,
        by=by,
        at="means" if time is None else "observed",
        outcome="hazard" if time is None else "risk",
        confidence=confidence,
        notes=[*fit.notes, *beyond, *without_variance(levels, compared, names, others)],
        synthetic=fit.synthetic,
        vcov_name=fit.vcov_name,
        implementation=fit.implementation,
        _levels={**names, **levels},
        _contrasts={**others, **compared},
        _methods=fit.methods(),
        counts=[_count(design.columns, setting) for setting in settings]
        if time is not None
        else [],
        compare=way,
        described=f"{at[:1].upper()}{at[1:]}.",
    )
    return carry(made, words_of(fit))


def predict(
    fit: CoxPH, data: Any, kind: str, level: float | None, time: float | None, stratum: str | None
) -> Any:
    """Work out predictions; see :meth:`crewe.CoxPH.predict`."""
    kinds = ("hazard_ratio", "link", "risk", "survival")
    if kind not in kinds:
        raise fault(
            InputError, f"kind={kind!r} is unknown", remedy=f"Use one of {', '.join(kinds)}"
        )
    core, covariance = fit._needs_core(), fit._covariance()
    held = fit.rows
    implementation, synthetic = fit.implementation, fit.synthetic
    if held is None:
        raise fault(
            InputError, "this fit was loaded without its data", remedy="Fit the model again"
        )
    if data is None:
        rows = held.x
        whole: NDArray[np.bool_] = np.ones(len(rows), dtype=np.bool_)
    elif held.design is None:
        rows = np.ascontiguousarray(np.atleast_2d(numbers(data, "X")))
        whole = np.asarray(np.isfinite(rows).all(axis=1))
    else:
        rows, whole = held.design.rows_of(data)
        source = Source(data)
        implementation, synthetic = source._implementation, synthetic or source.synthetic
    kept = np.ascontiguousarray(rows[whole])
    confidence = fit._level(level)
    if kind in ("hazard_ratio", "link"):
        # Against a row at the means of all columns, as R's survival has it.
        found = columns_of(
            covariance.predict(np.ascontiguousarray(kept - core.means), True, confidence)
        )
        if kind == "hazard_ratio":
            for key in ("estimate", "conf_low", "conf_high"):
                found[key] = np.exp(found[key])
    else:
        if time is None:
            raise fault(
                InputError,
                f"kind='{kind}' needs a time",
                remedy="Say by when, for instance time=365",
            )
        place = _stratum(fit, stratum)
        curve = core.survival_at(covariance, kept, place, float(time), "log-log", confidence)
        found = {
            "estimate": curve.survival,
            "std_error": curve.std_error,
            "conf_low": curve.conf_low,
            "conf_high": curve.conf_high,
        }
        if kind == "risk":
            found["estimate"] = 1.0 - found["estimate"]
            found["conf_low"], found["conf_high"] = (
                1.0 - found["conf_high"],
                1.0 - found["conf_low"],
            )
    keys = ["estimate"] if level is None else ["estimate", "std_error", "conf_low", "conf_high"]
    table = {}
    for key in keys:
        table[key] = np.full(len(rows), np.nan)
        table[key][whole] = found[key]
    return build(table, implementation, synthetic=synthetic)


def _stratum(fit: CoxPH, stratum: str | None) -> int:
    names = fit.strata or ["all"]
    if stratum is None and len(names) == 1:
        return 0
    if stratum is None or str(stratum) not in names:
        raise fault(
            InputError,
            "the baseline hazard differs between strata"
            if stratum is None
            else f"there is no stratum '{stratum}'",
            remedy=f"Say stratum= as one of {', '.join(names)}",
        )
    return names.index(str(stratum))
