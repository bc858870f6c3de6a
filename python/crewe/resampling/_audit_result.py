"""What an audit of inference found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from crewe.comparisons.samples import Result, percent, percents
from crewe.frames.arguments import check_methods
from crewe.frames.source import build
from crewe.plots import style
from crewe.plots.shares import in_percent
from crewe.tables.display import Table
from crewe.tables.wording import worded

NAMES = {
    "wild_bootstrap": "wild cluster bootstrap",
    "cluster_level": "cluster-level t-test",
    "randomisation_test": "randomisation test",
    "firth": "logit with Firth's penalty",
    "gee": "GEE",
    "mixed": "mixed model",
}


LIMITS = (
    "this is size under one hypothesis, given these outcomes and this design; it judges procedures and does not replace the "
    "analysis that was declared before, beside which it stands"
)
"""What a reader of every audit must know."""


@dataclass(frozen=True)
class AuditedProcedure:
    """How one procedure fares; NaN where something is not defined.

    Attributes
    ----------
    procedure : str
        The name of a covariance, `"wild_bootstrap"`, `"cluster_level"`, `"randomisation_test"`, or another model: `"firth"`,
        `"gee"`, `"mixed"`.
    size : float
        The share of redraws in which it rejects.
    size_low, size_high : float
        The 95% Monte Carlo interval of the size; the size itself where all assignments were used.
    power : float
        The share of redraws in which it rejects under the stated effect.
    coverage : float
        The share of its intervals that hold a constant effect.
    no_answer : float
        The share of redraws in which it gives no p-value.
    """

    procedure: str
    size: float
    size_low: float
    size_high: float
    power: float
    coverage: float
    no_answer: float

    @property
    def called(self) -> str:
        """What tables call it."""
        return NAMES.get(self.procedure, self.procedure)


@dataclass(repr=False)
class SizeAudit(Result):
    """An audit of inference; made by a fit's `audit`.

    Attributes
    ----------
    procedures : list of AuditedProcedure
        How each procedure fares.
    model, outcome, term : str
        The model as it was fitted, its outcome, and the coefficient that is tested.
    alpha : float
        The two-sided level.
    effect : float or None
        The effect that power is worked out at, in units of the outcome.
    exact : bool
        Whether all assignments that the design can give were used, weighted by their probabilities.
    redraws : int
        How many assignments the shares stand on.
    seed : int
        The seed of the draws. Redraw i has the wild bootstrap with this seed plus i.
    declared : str
        The covariance that the fit itself carries.
    """

    procedures: list[AuditedProcedure] = field(default_factory=list)
    model: str = ""
    outcome: str = ""
    term: str = ""
    arm: str = ""
    reference: str = ""
    alpha: float = 0.05
    effect: float | None = None
    exact: bool = False
    redraws: int = 0
    seed: int = 0
    bootstrap_draws: int = 399
    declared: str = ""
    kind: str = "quantity"
    linear: bool = True
    procedure: str = ""
    units: str = "units"

    def __getitem__(self, procedure: str) -> AuditedProcedure:
        """Give a procedure by its name."""
        return {row.procedure: row for row in self.procedures}[procedure]

    def tidy(self) -> Any:
        """Give one row a procedure, as a frame of the kind that the data came in.

        Columns: `procedure, size, size_low, size_high, power, coverage, no_answer`.
        """
        names = ("size", "size_low", "size_high", "power", "coverage", "no_answer")
        columns: dict[str, Any] = {"procedure": [row.procedure for row in self.procedures]}
        for name in names:
            columns[name] = np.array([getattr(row, name) for row in self.procedures])
        return build(columns, self.implementation, synthetic=self.synthetic)

    def glance(self) -> Any:
        """Give one row about the whole audit."""
        row = {
            "model": self.model,
            "term": self.term,
            "alpha": self.alpha,
            "effect": np.nan if self.effect is None else self.effect,
            "exact": self.exact,
            "redraws": self.redraws,
            "seed": self.seed,
        }
        columns = {key: [value] for key, value in row.items()}
        return build(columns, self.implementation, synthetic=self.synthetic)

    def methods(self) -> list[str]:
        """Say in sentences how the numbers were worked out."""
        over = (
            f"all {self.redraws:,} assignments that it can give, weighted by their probabilities"
            if self.exact
            else f"{self.redraws:,} new draws of it (seed {self.seed})"
        )
        said = [
            f"Audit of {self.model}: the outcomes were held as they are (the sharp null hypothesis of no effect on "
            f"anybody), the {self.units} were randomised again by {self.procedure}, over {over}, and the model was "
            f"fitted again with each redrawn arm. Size is the share of redraws with p ≤ {self.alpha:g}"
            + ("." if self.exact else ", with its 95% Monte Carlo interval (Wilson)."),
            *self._of_an_effect(),
        ]
        held = {row.procedure for row in self.procedures}
        said += self._of_other_models(held)
        if "wild_bootstrap" in held:
            said.append(
                f"Each wild cluster bootstrap has {self.bootstrap_draws:,} draws, or all signs where there are no more."
            )
        if "randomisation_test" in held:
            said.append(
                "The randomisation test's size is the level that it can attain, each redraw judged among all others; "
                "it never exceeds the nominal level."
            )
        return said

    def _of_other_models(self, held: set[str]) -> list[str]:
        """Say what other models were fitted in place of this one."""
        family, kind = ("gaussian", "MD") if self.linear else ("binomial", "KC")
        known = {
            "firth": "a logit with Firth's penalty (CR1)",
            "gee": f"estimating equations of the {family} family with an exchangeable working correlation ({kind})",
            "mixed": "a linear mixed model with an intercept for every cluster (Kenward and Roger)",
        }
        found = [said for name, said in known.items() if name in held]
        if not found:
            return []
        return [f"Fitted in its place, to the same columns and clusters: {'; '.join(found)}."]

    def _of_an_effect(self) -> list[str]:
        """Say what power and coverage are of."""
        if self.kind == "times":
            return [
                "Times are audited for size alone: what an effect does to a censored time is not known."
            ]
        said = []
        if self.kind == "quantity":
            said.append(
                "Coverage is the share of intervals that hold an effect that is the same for every row, added to the "
                "outcomes of the redrawn arm."
            )
        if self.effect is None:
            return said
        how = (
            f"an effect of {self.effect:g} added to every outcome of the redrawn arm"
            if self.kind == "quantity"
            else f"outcomes of the redrawn arm moved at random until its rate has {'risen' if self.effect > 0 else 'fallen'} "
            f"by {percent(abs(self.effect))[:-1]} points; coverage is not defined there"
        )
        said.append(f"Power is the share of redraws that reject under {how}.")
        if any(row.procedure == "randomisation_test" for row in self.procedures):
            said.append(self._judged())
        return said

    def _judged(self) -> str:
        """Say which redraws the power of the randomisation test stands on."""
        many = 1_000
        if self.exact and self.redraws > many:
            return (
                f"That of the randomisation test is of {many * many // self.redraws:,} assignments drawn by their "
                "probabilities, each judged among all."
            )
        if self.exact:
            return "Under the randomisation test each assignment is judged among all."
        among = min(many, self.redraws)
        return f"That of the randomisation test is of the first {among:,} redraws, each judged among the others."

    def table(self) -> Table:
        """Give the table that is printed."""
        header = ["", "size"]
        if not self.exact:
            header.append("95% interval")
        power = any(not np.isnan(row.power) for row in self.procedures)
        coverage = any(not np.isnan(row.coverage) for row in self.procedures)
        unanswered = any(row.no_answer > 0 for row in self.procedures)
        header += ["power"] * power + ["coverage"] * coverage + ["no answer"] * unanswered
        rows = []
        for row in self.procedures:
            cells = [row.called + (" (this fit)" if row.procedure == self.declared else "")]
            cells.append(percent(row.size))
            if not self.exact:
                cells.append(percents(row.size_low, row.size_high))
            cells += [percent(row.power)] * power + [percent(row.coverage)] * coverage
            rows.append(cells + [percent(row.no_answer)] * unanswered)
        title = self._titled(
            f"Audit of size at {100 * self.alpha:g}%: {worded(self.arm)} − {worded(self.reference)}, {self.model}"
        )
        notes = [*self.methods(), *(f"Note: {note}." for note in self.notes)]
        return Table(header, rows, title, notes)

    def plot(self, *, ax: Any = None) -> Any:
        """Draw the size of each procedure with its Monte Carlo interval against the nominal level.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw.

        Returns
        -------
        matplotlib.axes.Axes
        """
        grey, ink = style.arm_styles(["nominal", "size"]).values()
        with style.printed():
            if ax is None:
                _, ax = style.figure(height_mm=24.0 + 9.0 * len(self.procedures))
            places = np.arange(len(self.procedures))[::-1]
            for place, row in zip(places, self.procedures, strict=True):
                ends = {"colors": ink.colour, "linewidth": 1.2}
                if not self.exact:
                    ax.hlines(place, row.size_low, row.size_high, **ends)
                ax.plot(row.size, place, marker=ink.marker, color=ink.colour, linestyle="none")
            ax.axvline(self.alpha, color=grey.colour, linestyle=grey.line, linewidth=1.0)
            ax.set_yticks(places, [row.called for row in self.procedures])
            ax.set_ylim(-0.7, len(self.procedures) - 0.3)
            top = max(2.0 * self.alpha, *(row.size_high for row in self.procedures))
            ax.set_xlim(0.0, 1.06 * min(top, 1.0))
            in_percent(ax.xaxis)
            ax.set_xlabel(f"Size: share of redraws with p ≤ {self.alpha:g} (dashed: nominal)")
        said = "; ".join(f"{row.called} {percent(row.size)}" for row in self.procedures)
        style.alt_text(
            ax,
            f"Size of each procedure under no effect, against the nominal {100 * self.alpha:g}%: {said}.",
        )
        if self.synthetic:
            style.label_synthetic(ax)
        return ax


check_methods(AuditedProcedure)
check_methods(SizeAudit)
