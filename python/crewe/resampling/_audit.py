"""The audit of a fit: how often each procedure rejects where nothing happened, under the trial's own randomisation."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Any

import numpy as np

from crewe import _core
from crewe.comparisons.samples import count
from crewe.design.assignment import Assignment
from crewe.exceptions import DesignError, InputError, fault
from crewe.ledger.ledger import Ledger
from crewe.parallel import spread
from crewe.resampling._audit_model import Audited, audited
from crewe.resampling._audit_result import LIMITS, AuditedProcedure, SizeAudit
from crewe.resampling._ledger import of_ledger
from crewe.tables.wording import carry, words_of

_LEAST = 100
"""The fewest redraws that are worth sending to a worker."""


def audit(
    fit: Any,
    design: Any,
    draws: int,
    *,
    effect: float | None,
    of: str | None,
    procedures: Sequence[str] | None,
    alpha: float,
    bootstrap_draws: int,
    seed: int | None,
    executor: Executor | None,
) -> SizeAudit:
    """Audit a fit; the method of every fit says what the arguments are."""
    compared: list[bool] | None = None
    noted: list[str] = []
    home = design
    if isinstance(design, Ledger):
        design.need_closed()
        home = design.assignment()
        design, compared, noted = of_ledger(design)
    if not isinstance(design, Assignment):
        raise fault(
            DesignError,
            f"an audit draws an assignment again, and not a {type(design).__name__}",
            remedy="Pass what design.assign(frame) or design.observe(frame, arm=...) returned, or a closed ledger",
        )
    alpha = 1.0 - _core.check_level(1.0 - float(alpha))
    draws, bootstrap_draws = count(draws, "draws"), count(bootstrap_draws, "bootstrap_draws")
    trial = audited(fit, design, home, compared, of)
    asked = _asked(trial, fit, procedures)
    used = _core.audit_seed(design.design._core(), design._core, _seed(seed))
    options = _core.AuditOptions(asked, alpha, effect, bootstrap_draws, used)
    why, binary = _core.audit_tried(*trial.parts(), options)
    asked, left_out = _answering(asked, why, procedures is not None)
    options = _core.AuditOptions(asked, alpha, effect, bootstrap_draws, used)
    again = _core.randomisation_redrawn(
        design.design._core(),
        design._core,
        _core.RandomisationOptions(draws, used, "two-sided", 1.0 - alpha, False, "auto"),
    )
    drawn, weight = again.arm, again.weight
    if weight is None:
        _core.check_draws(len(drawn), 1.0 - alpha)
    values = spread(
        executor,
        partial(trial.values, options),
        len(drawn),
        _LEAST,
        "redraws",
        given=lambda first, end: (drawn[first:end], first),
    )
    power = _core.audit_power(*trial.parts(), options, (drawn, weight))
    found = _core.audit_found(np.concatenate(values), weight, power, options)
    rows = [
        AuditedProcedure(*row)
        for row in zip(
            found.procedures,
            found.size.tolist(),
            found.size_low.tolist(),
            found.size_high.tolist(),
            found.power.tolist(),
            found.coverage.tolist(),
            found.no_answer.tolist(),
            strict=True,
        )
    ]
    result = SizeAudit(
        1.0 - alpha,
        [
            LIMITS,
            *noted,
            *left_out,
            *trial.said(fit.vcov_name, asked),
            *trial.rows.notes[1:],
            *again.notes,
        ],
        fit.synthetic,
        fit.implementation,
        procedures=rows,
        model=fit.formula,
        outcome=trial.rows.name,
        term=f"arm[T.{design.arms[1 + trial.of]}]",
        arm=design.arms[1 + trial.of],
        reference=design.arms[0],
        alpha=alpha,
        effect=effect,
        exact=found.exact,
        redraws=found.redraws,
        seed=used,
        bootstrap_draws=bootstrap_draws,
        declared=fit.vcov_name,
        kind="times" if trial.times is not None else "binary" if binary else "quantity",
        linear=trial.linear,
        procedure=str(design.design.method),
        units=design.noun,
    )
    return carry(result, words_of(fit))


def _asked(trial: Audited, fit: Any, procedures: Sequence[str] | None) -> list[str]:
    """Name what is audited: what was asked for, or what applies."""
    if procedures is None:
        return trial.defaults(fit.vcov_name)
    asked = [procedures] if isinstance(procedures, str) else [str(name) for name in procedures]
    # As the core writes them, each once.
    asked = list(dict.fromkeys(_core.AuditOptions(asked, 0.05, None, 399, 1).procedures))
    trial.refuse(asked)
    return asked


def _answering(asked: list[str], why: list[str | None], named: bool) -> tuple[list[str], list[str]]:
    """Keep the procedures that have an answer on the trial itself; one that was asked for by name must have one."""
    failed = {name: reason for name, reason in zip(asked, why, strict=True) if reason}
    if failed and (named or len(failed) == len(asked)):
        raise fault(
            InputError,
            f"{', '.join(failed)}: no answer on the trial itself",
            values=list(dict.fromkeys(failed.values())),
            remedy="Leave it out of procedures=, or mend what it says",
        )
    notes = [f"{name} is left out: {reason}" for name, reason in failed.items()]
    return [name for name in asked if name not in failed], notes


def _seed(seed: int | None) -> int | None:
    found = None if seed is None else _core.read_seed(seed)
    if found is not None and not isinstance(found, int):
        raise fault(
            InputError,
            "the seed of an audit is a whole number: there is nothing to conceal",
            remedy="Give for instance seed=1",
        )
    return found
