"""What of a model a randomisation test compares: arms, margins, pairs of arms, coefficients of products."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from crewe import _core
from crewe.design.assignment import Assignment
from crewe.exceptions import InputError, fault
from crewe.models.families import Binary
from crewe.resampling._arms import Parts
from crewe.resampling._rows import Floats, Rows, Said
from crewe.survival._cox_model import CoxPH

PROBABILITIES = "differences in probability"


@dataclass
class Compared:
    """The comparisons that a test of a model makes.

    Attributes
    ----------
    contrasts : the core's ArmContrasts, or None
        Nothing where every arm is compared with the reference.
    said : list of Said
        What each is called.
    estimates : list of float
        As the model was fitted.
    effects : str
        What these are, where it is not what the model's coefficients are.
    notes : list of str
        Which hypothesis is tested.
    """

    contrasts: _core.ArmContrasts | None
    said: list[Said]
    estimates: list[float]
    effects: str
    notes: list[str]

    def into(self, rows: Rows) -> Rows:
        """Add them to the rows of the model."""
        rows.contrasts, rows.said, rows.estimates = self.contrasts, self.said, self.estimates
        rows.effects = self.effects or rows.effects
        rows.notes += self.notes
        return rows


def compared(
    fit: Any,
    parts: Parts,
    names: list[str],
    assignment: Assignment,
    of: str | Sequence[str] | None,
) -> Compared:
    """Read `of=`: "margin", "pairs", "c - b" of arms, or a combination of coefficients that hold the arm."""
    arms = assignment.arms
    if of is None:
        parts.refuse_products()
        own = fit.coef[[names[j] for j in parts.own]].tolist()
        said = [Said(arm, arms[0], f"arm[T.{arm}]") for arm in arms[1:]]
        return Compared(None, said, own, "", [])
    asked = [of] if isinstance(of, str) else [str(one) for one in of]
    if not asked:
        raise fault(InputError, "of= names nothing", remedy='Leave it out, or write of="margin"')
    if "margin" in asked:
        if asked != ["margin"]:
            raise fault(
                InputError,
                "margins and coefficients are not tested side by side",
                values=asked,
                remedy='Ask for of="margin" by itself',
            )
        return _margins(fit, parts, assignment)
    if asked == ["pairs"]:
        asked = [f"{b} - {a}" for a, b in itertools.combinations(arms, 2)]
    found = [_weights(fit, parts, names, assignment, one) for one in asked]
    order = [j for columns in parts.held for j in columns]
    rows = np.array([[weights[j] for j in order] for weights, _ in found])
    said = [one for _, one in found]
    contrasts = _core.ArmContrasts(
        parts.products, [one.term for one in said], np.ascontiguousarray(rows), False
    )
    coef = fit.coef[[names[j] for j in order]].to_numpy()
    return Compared(contrasts, said, (rows @ coef).tolist(), "", _hypotheses(parts, names, found))


def _margins(fit: Any, parts: Parts, assignment: Assignment) -> Compared:
    if isinstance(fit, CoxPH):
        raise fault(
            InputError,
            "a Cox model has no margin",
            remedy="Test its coefficient, without of=, or restricted mean times: "
            'cw.randomisation_test("restricted_mean", data, assignment, outcome="Surv(days, closed)", horizon=365)',
        )
    arms = assignment.arms
    contrasts = _core.ArmContrasts(parts.products, arms[1:], np.eye(len(arms) - 1), True)
    said = [Said(arm, arms[0], f"arm[T.{arm}]", "margin") for arm in arms[1:]]
    binary = isinstance(fit, Binary)
    notes = [
        "the margin is the mean over all analysed rows of what each would have in either arm (g-computation)"
    ]
    if binary and parts.products is not None:
        notes.append(
            "the interval takes the effect as one odds ratio for every row, though the model has products"
            if fit._family == "logit"
            else "the interval takes the effect as one shift of the linear predictor, though the model has products"
        )
    return Compared(contrasts, said, _fitted(fit, parts), PROBABILITIES if binary else "", notes)


def _fitted(fit: Any, parts: Parts) -> list[float]:
    """Give the margins that the model has been fitted with, as differences from the reference."""
    if not parts.variable:
        raise fault(
            InputError,
            "which variable of the formula is the arm cannot be told, so that it has no margin",
            values=parts.names,
            remedy="Name the arm in the formula as the trial does: 'y ~ arm * x'",
        )
    margins = fit.margins(parts.variable, at="observed", values=parts.levels)
    found: list[float] = margins._contrasts["estimate"].tolist()
    return found


def _weights(
    fit: Any, parts: Parts, names: list[str], assignment: Assignment, one: str
) -> tuple[Floats, Said]:
    """Give the weights, by column of the model, of one comparison."""
    arms = assignment.arms
    pair = _pair(one, arms)
    weights = np.zeros(len(names))
    if pair is not None:
        (arm, other) = pair
        if arm == arms[0]:
            raise fault(
                InputError,
                f"'{arm}' is the arm that the others are compared with",
                values=[one],
                remedy=f'Write of="{other} - {arm}"',
            )
        if parts.products is not None:
            raise fault(
                InputError,
                "in a model with products of the arm the difference of two arms depends on the row",
                values=[one],
                remedy='Ask for of="margin", or for the coefficient itself',
            )
        weights[parts.own[arms.index(arm) - 1]] = 1.0
        if other != arms[0]:
            weights[parts.own[arms.index(other) - 1]] = -1.0
        return weights, Said(arm, other, f"arm[T.{arm}]" if other == arms[0] else one.strip())
    matrix, (term,) = fit._contrast_matrix(one)
    held = {j for columns in parts.held for j in columns}
    by_name = dict(zip(fit.terms, matrix[0], strict=True))
    strange = [name for name, w in by_name.items() if w and name not in {names[j] for j in held}]
    if strange:
        raise fault(
            InputError,
            "a coefficient that no draw of the arms changes has no randomisation test",
            values=strange,
            remedy=f"Name one that holds the arm: {', '.join(names[j] for j in sorted(held))}",
        )
    for j in held:
        weights[j] = by_name[names[j]]
    if len(arms) == 2 and weights[parts.own[0]] < 0:
        raise fault(
            InputError,
            "the arm is tested with its sign turned",
            values=[one],
            remedy="Write it with the sign that the model has",
        )
    return weights, Said("", "", term)


def _pair(one: str, arms: list[str]) -> tuple[str, str] | None:
    """Read "c - b" as two arms, whatever signs their names hold."""
    for arm, other in itertools.permutations(arms, 2):
        if one.replace(" ", "") == f"{arm}-{other}".replace(" ", ""):
            return arm, other
    return None


def _hypotheses(parts: Parts, names: list[str], found: list[tuple[Floats, Said]]) -> list[str]:
    """Say of coefficients of products which hypothesis the p-value is of."""
    moving = {j for columns in parts.held for j in columns[1:]}
    said = [one.term for weights, one in found if any(weights[j] for j in moving)]
    if not said:
        return []
    return [
        f"the hypothesis is still that no arm has an effect on anybody: the test looks for one from the side of {', '.join(said)}, and "
        "a small p-value does not say that an effect differs between rows, though it may; for that see the model's own table"
    ]
