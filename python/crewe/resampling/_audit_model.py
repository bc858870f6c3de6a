"""A fitted model made ready for its audit: its columns, whose arms are redrawn, and how it is fitted again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crewe import _core
from crewe.design.assignment import Assignment
from crewe.exceptions import InputError, fault
from crewe.formula.design import Design
from crewe.models.cluster_level import ClusterLevel, same_within
from crewe.models.families import Binary
from crewe.models.gee import GEE
from crewe.models.linear import PROFILE, ROWWISE
from crewe.models.mixed import Mixed
from crewe.resampling._arms import Parts, apart
from crewe.resampling._model import is_fit, needs_design, of_fit, score_of, units_of
from crewe.resampling._rows import Floats, Rows
from crewe.survival._cox_model import CoxPH

Codes = NDArray[np.uint32]

_OTHERS = ("wild_bootstrap", "cluster_level", "randomisation_test")
"""The procedures that are neither a covariance nor another model."""

_DEFAULTS = {
    "linear": (["CR1", "CR2", "CR3"], ["HC1", "HC2", "HC3"]),
    "binary": (["CR1", "CR2", "CV3L"], ["HC1", "HC2", "HC3"]),
    "penalised": (["CR1"], ["HC1"]),
    "gee": (["KC", "MD"], []),
    "mixed": (["kenward-roger", "satterthwaite"], []),
    "times": (["CR1", "CR3"], ["HC0"]),
}
"""The covariances that are audited of each kind of model, with clusters and without, beside that of the fit."""

_REFITTED = ("CV3", "jackknife")
"""Covariances that fit a model again without each cluster, where it is not linear."""


@dataclass(frozen=True)
class Times:
    """What a Cox model has beside its times."""

    event: Floats
    strata: Codes | None
    ties: str


@dataclass(frozen=True)
class Audited:
    """A trial with the model that is fitted again, as it travels to those who share the redraws.

    Attributes
    ----------
    drawn : the core's Assignment
        The units and their arms.
    rows : Rows
        The outcomes, their units, and the score of the randomisation test.
    compared : list of bool, or None
        Whether each unit takes part.
    x, names, intercept : array (n, p), list of str, bool
        The columns of the model.
    aside : list of int
        Those that stand for strata.
    weights : the core's Weights, or None
        Of the rows.
    arms : list of int
        The columns that are the arms but the reference, in their order.
    of : int
        Which of them is tested.
    codes : array
        The cluster of each row.
    named : bool
        Whether the fit has clusters; without, each row is one.
    kind : str
        Which of the models: "linear", "binary", "penalised", "gee", "mixed" or "times".
    family : str or None
        "logit" or "probit", of the model or of the one whose score the randomisation test compares.
    penalty : str or None
        Of a penalised logit.
    equations : tuple of str, or None
        Family, working correlation and divisor of estimating equations.
    times : Times or None
        Of a Cox model.
    levels : tuple of list and bool, or None
        The columns that a cluster-level analysis compares clusters by, and whether others are taken out of rows first.
    without : str
        Why there is no such analysis.
    """

    drawn: _core.Assignment
    rows: Rows
    compared: list[bool] | None
    x: Floats
    names: list[str]
    intercept: bool
    aside: list[int]
    weights: _core.Weights | None
    arms: list[int]
    of: int
    codes: Codes
    named: bool
    kind: str
    family: str | None
    penalty: str | None
    equations: tuple[str, str, str] | None
    times: Times | None
    levels: tuple[list[int], bool] | None
    without: str

    @property
    def linear(self) -> bool:
        """Whether what is added to an outcome is added to its coefficients."""
        return self.family is None and self.times is None

    def defaults(self, own: str) -> list[str]:
        """Name the procedures that apply, with the fit's own covariance."""
        found = list(_DEFAULTS[self.kind][0 if self.named else 1])
        if own and own not in found and not self._left_out(own):
            found.insert(0, own)
        if self.named and self.kind in ("linear", "binary"):
            found.append("wild_bootstrap")
        if self.levels is not None and self.named:
            found.append("cluster_level")
        return [*found, "randomisation_test"]

    def _left_out(self, own: str) -> str:
        """Say why the covariance of the fit is not audited unless it is named; empty where it is."""
        if own == PROFILE:
            return (
                "the profile likelihood, by which this fit tests, is left out: an audit judges covariances and tests of "
                "the arm"
            )
        if own in _REFITTED and self.kind in ("binary", "penalised", "times"):
            return (
                f"{own}, the covariance of this fit, is left out: it fits the model again without each cluster, on every "
                "redraw; name it in procedures= to have it, with fewer draws"
            )
        return ""

    def said(self, own: str, procedures: list[str]) -> list[str]:
        """Say what readers must know of the procedures, where the fit's own covariance has this name."""
        left_out = "" if own in procedures else self._left_out(own)
        found = [left_out] if left_out else []
        plain = {"penalised": "without the penalty", "gee": "that takes rows as independent"}
        plain["mixed"] = plain["gee"]
        if "randomisation_test" in procedures and self.kind in plain:
            model = "linear model" if self.linear else "logit"
            found.append(
                f"the randomisation test compares the score of the arm in the {model} of the same columns "
                f"{plain[self.kind]}"
            )
        return found

    def refuse(self, procedures: list[str]) -> None:
        """Refuse procedures that need clusters, where the fit has none, or an arm that whole clusters have."""
        missing = {
            "wild_bootstrap": "" if self.named else "the fit has no clusters to bootstrap",
            "cluster_level": self.without,
        }
        for name in procedures:
            clustered = name not in _OTHERS and name not in ROWWISE
            why = missing.get(name) or (
                "the fit has no clusters" if clustered and not self.named else ""
            )
            if why:
                raise fault(
                    InputError,
                    f"the procedure '{name}' does not apply: {why}",
                    remedy=f"Leave it out, for instance procedures={self.defaults('')!r}",
                )

    def parts(
        self,
    ) -> tuple[_core.Assignment, _core.Outcomes, _core.AuditedModel, _core.ArmModel]:
        """Give what the core takes."""
        rows = self.rows
        assert rows.model is not None, "every fit that can be tested has a score"
        outcomes = _core.Outcomes(
            rows.name, rows.values, rows.unit, self.drawn.units, self.compared
        )
        design = _core.DesignMatrix(self.x, self.names, self.intercept)
        clusters = _core.Clusters(self.codes)
        model = _core.AuditedModel(design, self.weights, self.arms, self.of, clusters, self.aside)
        if self.times is not None:
            model = model.cox(self.times.event, self.times.strata, self.times.ties)
        elif self.equations is not None:
            model = model.gee(self.equations)
        elif self.kind == "mixed":
            model = model.mixed()
        elif self.penalty is not None:
            model = model.penalised(self.penalty)
        elif self.family is not None:
            model = model.family(self.family)
        if self.levels is not None:
            model = model.cluster_level(*self.levels)
        return self.drawn, outcomes, model, rows.model

    def values(
        self, options: _core.AuditOptions, drawn: NDArray[np.uint8], first: int
    ) -> NDArray[np.float64]:
        """Fit the model again with these arms, the first of which has this number."""
        return _core.audit_values(*self.parts(), options, (drawn, first))


def audited(
    fit: Any,
    assignment: Assignment,
    home: Assignment,
    compared: list[bool] | None,
    of: str | None,
) -> Audited:
    """Read a fit: `of` is the arm that is compared with the reference.

    Parameters
    ----------
    fit : OLS, Binary, GEE, Mixed or CoxPH
        The fit.
    assignment : Assignment
        What is drawn again.
    home : Assignment
        What the fit was made with: the same, but of a ledger in which an arm was full those compared.
    compared : list of bool, or None
        Whether each unit takes part.
    of : str or None
        The arm, where there are several.
    """
    if not is_fit(fit) and not isinstance(fit, GEE | Mixed):
        model = getattr(fit, "model", type(fit).__name__)
        raise fault(
            InputError,
            f"there is no audit of a {model}",
            values=[str(getattr(fit, "formula", ""))],
            remedy="Audit the cw.ols fit of the same formula, whose procedures hold the cluster-level analysis"
            if isinstance(fit, ClusterLevel)
            else "Audit a fit of cw.ols, cw.logit, cw.probit, cw.gee, cw.mixed or cw.coxph to the rows",
        )
    built = _built(fit)
    parts = apart(built, assignment, units_of(built, assignment, home))
    if parts.products is not None:
        raise fault(
            InputError,
            "terms that hold the arm would change with every draw, and an audit is of the arm by itself",
            values=[parts.names[j] for columns in parts.held for j in columns[1:]],
            remedy="Fit the model without interactions with the arm, and audit that",
        )
    rows = of_fit(fit, assignment, home, None)
    place = _place(assignment, of)
    x = np.ascontiguousarray(built.x)
    times, weights, aside = None, None, []
    if isinstance(fit, CoxPH):
        found = fit.rows
        assert found is not None, "a fit without its rows was refused"
        times = Times(np.ascontiguousarray(found.surv.event), found.strata, fit.ties)
        codes, intercept = found.clusters, False
    else:
        data = fit._needs_data()
        codes = None if data.groups is None else data.groups.codes()
        weights, aside, intercept = data.weights, fit.aside, built.intercept
    named = codes is not None
    codes = np.arange(len(x), dtype=np.uint32) if codes is None else codes
    levels, without = _levels(fit, built, parts, codes, named)
    return Audited(
        drawn=assignment._core,
        rows=rows,
        compared=compared,
        x=x,
        names=list(built.names),
        intercept=intercept,
        aside=aside,
        weights=weights,
        arms=parts.own,
        of=place,
        codes=np.ascontiguousarray(codes, dtype=np.uint32),
        named=named,
        kind=_kind(fit),
        family=None if isinstance(fit, CoxPH) else score_of(fit),
        penalty=fit._penalty if isinstance(fit, Binary) else None,
        equations=(fit.family, fit.corstr, fit.divisor) if isinstance(fit, GEE) else None,
        times=times,
        levels=levels,
        without=without,
    )


def _kind(fit: Any) -> str:
    """Name the kind of a model."""
    if isinstance(fit, CoxPH):
        return "times"
    if isinstance(fit, GEE):
        return "gee"
    if isinstance(fit, Mixed):
        return "mixed"
    if isinstance(fit, Binary):
        return "penalised" if fit._penalty else "binary"
    return "linear"


def _built(fit: Any) -> Design:
    """Give the design of a fit, refused where it was made from arrays or loaded without its data."""
    if isinstance(fit, CoxPH):
        fit._needs_core()
        return needs_design(None if fit.rows is None else fit.rows.design)
    return needs_design(fit._needs_data().design)


def _place(assignment: Assignment, of: str | None) -> int:
    """Give the place of the arm that is compared, among those but the reference."""
    arms = assignment.arms
    if of is None:
        if len(arms) == 2:
            return 0
        raise fault(
            InputError,
            "the trial has several arms, and an audit looks at one comparison",
            values=arms,
            remedy=f"Name the arm that is compared with '{arms[0]}': of='{arms[1]}'",
        )
    if of not in arms[1:]:
        raise fault(
            InputError,
            f"of='{of}' is no arm that is compared with '{arms[0]}'",
            values=arms[1:],
            remedy=f"Name one of them, for instance of='{arms[1]}'",
        )
    return arms.index(of) - 1


def _levels(
    fit: Any, built: Design, parts: Parts, codes: Codes, named: bool
) -> tuple[tuple[list[int], bool] | None, str]:
    """Give what a cluster-level analysis takes of the columns, or why there is none."""
    if isinstance(fit, CoxPH):
        return None, "a cluster has no mean of censored times"
    if not named:
        return None, "the fit has no clusters"
    if fit._needs_data().weights is not None:
        return None, "a cluster-level analysis takes no weights of rows"
    if not built.intercept:
        return None, "a cluster-level analysis needs an intercept"
    constant = _core.constant_within(built.x, _core.Clusters(codes))
    if not all(constant[j] for j in parts.own):
        return None, "the arm varies within clusters"
    same, within = same_within(built, constant)
    kept = [j - 1 for term in same for j in range(term.where.start, term.where.stop) if j >= 1]
    return (kept, within), ""
