"""Reading a model for the randomisation test: a fit on its own rows, or a formula of times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crewe import _core
from crewe.design.assignment import Assignment
from crewe.exceptions import DesignError, InputError, fault
from crewe.formula import parse as parsing
from crewe.formula.design import Design
from crewe.frames.source import Source
from crewe.models.families import Binary
from crewe.models.gee import GEE
from crewe.models.mixed import Mixed
from crewe.models.regression import OLS
from crewe.models.request import read
from crewe.models.trial import mark_of
from crewe.resampling._arms import apart
from crewe.resampling._compared import compared
from crewe.resampling._rows import Floats, Rows
from crewe.survival._cox_model import CoxPH
from crewe.survival._surv import codes_of, refuse_missing_times, sides

Units = NDArray[np.uint32]


def beside_the_arm(left: str, right: str, assignment: Assignment) -> int:
    """Count the terms beside the arm, which must be one of them."""
    terms = [term.strip() for term in right.split("+")]
    known: str = assignment._arm_column or "arm"
    if known not in terms and "arm" not in terms:
        raise fault(
            InputError,
            "the formula does not name the arm",
            values=terms,
            remedy=f"Write it as one of the terms: '{left} ~ {known}'",
        )
    return len(terms) - 1


def is_fit(statistic: Any) -> bool:
    """Say whether it is a fitted model that can be tested on its own rows."""
    return isinstance(statistic, OLS | Binary | CoxPH)


def score_of(fit: OLS | Binary | GEE | Mixed) -> str | None:
    """Give the family of the model whose score compares the arm: none of a linear one.

    Estimating equations and mixed models have no score of their own: theirs is that of the model of the same columns which
    takes rows as independent.
    """
    if isinstance(fit, Binary):
        return fit._family
    return "logit" if isinstance(fit, GEE) and fit.family == "binomial" else None


def of_fit(
    fit: Any, assignment: Assignment, home: Assignment, of: str | Sequence[str] | None
) -> Rows:
    """Read the rows of a fit: its outcome, its columns without the arm, the unit of each row.

    Parameters
    ----------
    fit : OLS, Binary, GEE, Mixed or CoxPH
        The fit.
    assignment : Assignment
        What is drawn again.
    home : Assignment
        What the fit was made with: the same, but of a ledger in which an arm was full those compared.
    of : str, list of str, or None
        What of the model is compared, where it is not every arm with the reference.
    """
    if isinstance(fit, CoxPH):
        return _of_cox(fit, assignment, home, of)
    data = fit._needs_data()
    built = needs_design(data.design)
    unit = units_of(built, assignment, home)
    parts = apart(built, assignment, unit)
    asked = compared(fit, parts, built.names, assignment, of)
    rest = parts.rest
    if built.intercept:
        rest = np.column_stack([np.ones(len(rest)), rest])
    weights = None if data.weights is None else data.weights.values
    name = parsing.parse(fit.formula)[0]
    family = score_of(fit)
    if family is None:
        model = _core.ArmModel.linear(np.ascontiguousarray(rest), weights)
        statistic, effects = "coefficient of the arm", "effects"
    else:
        model = _core.ArmModel.binary(family, np.ascontiguousarray(rest), weights)
        statistic = f"score of the arm in a {family}"
        effects = "log odds ratios" if family == "logit" else "shifts of the linear predictor"
    notes = [f"the model is {fit.formula}", *_dropped(built)]
    return asked.into(Rows(name, statistic, data.y, unit, None, notes, model, effects=effects))


def _of_cox(
    fit: CoxPH, assignment: Assignment, home: Assignment, of: str | Sequence[str] | None
) -> Rows:
    fit._needs_core()
    rows = fit.rows
    if rows is None:
        raise _no_rows()
    if rows.weights is not None:
        raise fault(
            InputError,
            "the score of a weighted Cox model is not tested",
            remedy="Fit it without weights",
        )
    built = needs_design(rows.design)
    unit = units_of(built, assignment, home)
    parts = apart(built, assignment, unit)
    asked = compared(fit, parts, built.names, assignment, of)
    rest = parts.rest
    time, event = rows.surv.time, rows.surv.event
    model = _core.ArmModel.cox(
        np.ascontiguousarray(rest), np.ascontiguousarray(event), rows.strata, fit.ties
    )
    name, notes = (
        fit.formula.split("~")[0].strip(),
        [f"the model is {fit.formula}", *_dropped(built)],
    )
    read = Rows(
        name,
        _hazards(rest),
        np.ascontiguousarray(time),
        unit,
        None,
        notes,
        model,
        effects="log hazard ratios",
    )
    return asked.into(read)


def _hazards(rest: Floats) -> str:
    return "score of the arm in a Cox model" if rest.shape[1] else "log-rank score"


def of_times(formula: str, source: Source, assignment: Assignment, strata_terms: bool) -> Rows:
    """Read a formula of times: the log-rank score, or with covariates that of Cox's model."""
    parts = sides(formula)
    plain = beside_the_arm(f"Surv({parts.time}, {parts.event})", parts.right, assignment) == 0
    layers = list(parts.strata)
    asked = read(
        source,
        parts.right,
        design=assignment,
        strata_terms=strata_terms and not plain,
        layered=True,
    )
    layer = None if asked.trial is None else asked.trial.layer
    if layer is not None and layer not in layers:
        layers.append(layer)
    refuse_missing_times(asked.source, parts, asked.rows)
    built = asked.model([*parts.columns(), *layers]).design
    unit = units_of(built, assignment, assignment)
    parts_of = apart(built, assignment, unit)
    parts_of.refuse_products()
    rest = parts_of.rest
    strata = codes_of(built.columns, layers)[0] if layers else None
    surv = parts.outcome(built.columns)
    model = _core.ArmModel.cox(
        np.ascontiguousarray(rest), np.ascontiguousarray(surv.event), strata, "efron"
    )
    name = f"Surv({parts.time}, {parts.event})"
    notes = [] if plain else [f"the model is {name} ~ {asked.right}"]
    notes += [*built.notes, *_dropped(built)]
    time = np.ascontiguousarray(surv.time)
    return Rows(name, _hazards(rest), time, unit, None, notes, model, effects="log hazard ratios")


def _dropped(built: Design) -> list[str]:
    return [built.dropped.note()] if built.dropped.n else []


def needs_design(design: Design | None) -> Design:
    """Give the design of a fit; refuse one that was made from arrays."""
    if design is None:
        raise fault(
            InputError,
            "the fit was made from arrays, whose rows belong to no unit of a trial",
            remedy="Fit it from a formula and the data",
        )
    return design


def _no_rows() -> Exception:
    return fault(
        InputError,
        "this fit was loaded without its data",
        remedy="Fit the model again, or pickle it with keep_data=True",
    )


def units_of(built: Design, assignment: Assignment, home: Assignment) -> Units:
    """Give the unit of each row of a fit among those of the trial."""
    owner, known = built.owner, mark_of(home)
    if owner is None:
        raise fault(
            InputError,
            "the fit does not say which unit each of its rows belongs to",
            remedy="Fit it with design=assignment, or with the column of the units as cluster=",
        )
    if owner.trial:
        if owner.trial != known:
            raise fault(
                DesignError,
                "the fit was made with another assignment",
                values=[owner.trial, known],
                remedy="Pass the assignment that the fit was made with",
            )
        if home is assignment:
            return owner.codes
        places = {label: code for code, label in enumerate(assignment._labels)}
        return np.array([places[label] for label in home._labels], dtype=np.uint32)[owner.codes]
    if owner.column != assignment.design.id_column:
        raise fault(
            DesignError,
            f"the fit is clustered by '{owner.column}', and the trial randomised by "
            f"'{assignment.design.id_column}'",
            column=owner.column,
            remedy="Fit it with design=assignment",
        )
    place = {label: code for code, label in enumerate(assignment._labels)}
    place |= {other: place[label] for other, label in assignment._aliases.items() if label in place}
    strange = [label for label in owner.labels if label not in place]
    used = set(np.unique(owner.codes).tolist())
    strange = [
        label for code, label in enumerate(owner.labels) if code in used and label not in place
    ]
    if strange:
        raise fault(
            DesignError,
            f"{len(strange)} of the fit's {assignment.noun} were not randomised by this trial",
            column=owner.column,
            ids=strange,
            remedy="Pass the assignment of these units",
        )
    codes = np.array([place.get(label, 0) for label in owner.labels], dtype=np.uint32)
    return codes[owner.codes]
