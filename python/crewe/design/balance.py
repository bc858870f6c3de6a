"""Balance of covariates between the arms, by family and by child."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crewe import _core
from crewe.exceptions import InputError, fault
from crewe.frames.source import Source, build
from crewe.plots import style
from crewe.tables.counts import Count, Relation, Told, cell, counted
from crewe.tables.display import Table
from crewe.tables.labels import signed, spaced
from crewe.tables.printable import Printable
from crewe.tables.wording import worded

_NOTE = (
    "Standardised difference from {first}: difference in means over the root of the mean of the "
    "two variances "
    "(Austin 2009). Shares in per cent, with their SD between units where it is given; other "
    "covariates as mean (SD). No p-values: arms that were randomised "
    "differ by chance."
)


@dataclass
class Term:
    """A line of the balance.

    Attributes
    ----------
    name : str
        The column, or ``column[level]``.
    column : str
        The column behind it, which its name alone does not tell: a column may be called ``item[1]``.
    text : str
        What a reader sees.
    level : str
        The level of a category; of a column of 0 and 1 the 1.
    mirrored : bool
        Whether it is the first of two levels, of which the second one says the same.
    """

    name: str
    column: str
    text: str
    level: str = "1"
    mirrored: bool = False


class Balance(Printable):
    """Covariates compared between the arms.

    Attributes
    ----------
    terms : list of str
        The covariates; levels of a category as ``name[level]``.
    arms : list of str
        The arms, the reference first.
    texts : dict of str to str
        How each term is printed.
    notes : list of str
        What a reader should know.
    synthetic : bool
        Whether the data say that they are synthetic.

    Notes
    -----
    The standardised difference is ``(m_j - m_1) / sqrt((s_j^2 + s_1^2) / 2)``, with the sample
    variance, or ``p (1 - p)`` where all values at that level are 0 or 1 (Austin 2009,
    doi:10.1002/sim.3697). By family, a value is the mean over the family's children.
    """

    def __init__(
        self,
        terms: list[Term],
        arms: list[str],
        levels: dict[str, _core.BalanceLevel],
        kind: Any,
        synthetic: bool = False,
    ) -> None:
        self.terms = [term.name for term in terms]
        self.arms = arms
        self.texts = {term.name: term.text for term in terms}
        self._of = terms
        self._levels = levels
        self._kind = kind
        self.synthetic = synthetic
        self.notes: list[str] = []
        for name, level in levels.items():
            gone = level.missing.sum(axis=1)
            # The levels of a category are missing together.
            told = {
                term.column: f"{term.column} {int(n)}"
                for term, n in zip(terms, gone, strict=True)
                if n
            }
            if told:
                self.notes.append(f"Missing by {name}: {', '.join(told.values())}.")

    @classmethod
    def measure(
        cls,
        source: Source,
        rows: NDArray[np.uint32],
        arm: NDArray[np.uint8],
        arms: list[str],
        covariates: Sequence[str],
        *,
        unit: str,
        members: str | None,
    ) -> Balance:
        """Compute the balance of columns of `source`, whose rows belong to the units `rows`."""
        columns = [pair for name in dict.fromkeys(covariates) for pair in _terms(source, name)]
        terms = [term for term, _ in columns]
        names = [term.name for term in terms]
        if not terms:
            raise fault(
                InputError,
                "no covariates were named",
                remedy='Name columns, for instance ["age", "girl"]',
            )
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise fault(
                InputError,
                "a column has the name of a level of another column",
                values=twice,
                remedy="Rename one of the two",
            )
        values = np.ascontiguousarray(np.stack([values for _, values in columns]))
        made = _core.balance(rows, arm, len(arms), names, values)
        levels = {unit: made.unit}
        if members is not None and len(np.unique(rows)) < len(rows):
            levels[members] = made.row
        kind = (source._implementation, source._lazy)
        return cls(terms, arms, levels, kind, source.synthetic)

    def tidy(self) -> Any:
        """Give a row for each level, covariate and arm: n, missing, mean, sd, std_difference."""
        rows = [
            {
                "level": name,
                "term": term,
                "arm": arm,
                "n": int(level.n[k, j]),
                "missing": int(level.missing[k, j]),
                "mean": float(level.mean[k, j]),
                "sd": float(level.sd[k, j]),
                "std_difference": float(level.difference[k, j]),
            }
            for name, level in self._levels.items()
            for k, term in enumerate(self.terms)
            for j, arm in enumerate(self.arms)
        ]
        columns = {key: [row[key] for row in rows] for key in rows[0]}
        return build(columns, self._kind[0], lazy=self._kind[1], synthetic=self.synthetic)

    def tables(self) -> list[Table]:
        """Give the panels: by family and by child."""
        header = [""]
        for arm in self.arms:
            header += [worded(arm), "n", "missing"]
        others = self.arms[1:]
        header += (
            ["std. diff."] if len(others) == 1 else [f"std. diff. {worded(arm)}" for arm in others]
        )
        panels = []
        # Over families a share of children is a mean of shares, so it is printed as one too.
        shares = list(self._levels.values())[-1].share
        for place, (name, level) in enumerate(self._levels.items()):
            rows = []
            relations: list[Relation] = []
            levels: dict[tuple[str, Count], list[Count]] = {}
            for k, term in enumerate(self._of):
                row: list[Any] = [term.text]
                given: list[Count] = []
                for j, arm in enumerate(self.arms):
                    mean, sd = level.mean[k, j], level.sd[k, j]
                    n, gone = int(level.n[k, j]), int(level.missing[k, j])
                    size = counted(n, {"arm": arm}, name)
                    lost = counted(
                        gone, {"arm": arm, term.column: "missing"}, name, harmless=gone == 0
                    )
                    relations.append(Relation(counted(n + gone, {"arm": arm}, name), (size, lost)))
                    known = [size]
                    if level.share[k] and mean == mean:
                        # A share gives the count away: of those with a level, and of those without.
                        has = round(n * mean)
                        known += [
                            counted(has, {"arm": arm, term.column: term.level}, name),
                            counted(n - has, {"arm": arm, term.column: f"not {term.level}"}, name),
                        ]
                        relations.append(Relation(size, (known[1], known[2])))
                        levels.setdefault((term.column, size), []).append(known[1])
                    given += known
                    if np.isnan(mean):
                        shown = "–"
                    elif level.share[k]:
                        shown = f"{100 * mean:.1f}%"
                    elif shares[k]:
                        shown = f"{100 * mean:.1f}% ({100 * sd:.1f})"
                    else:
                        shown = f"{mean:.2f} ({sd:.2f})"
                    row += [cell(Told(shown, tuple(known))), cell(size), cell(lost)]
                row += [
                    cell(Told(f"{d:.3f}" if d == d else "–", tuple(given)))
                    for d in level.difference[k, 1:]
                ]
                rows.append(row)
            # The levels of a category make up all that have one.
            relations += [
                Relation(size, tuple(parts))
                for (_, size), parts in levels.items()
                if len(parts) > 1
            ]
            last = place == len(self._levels) - 1
            panels.append(
                Table(
                    header,
                    rows,
                    title=f"Balance by {name}",
                    notes=[_NOTE.format(first=worded(self.arms[0])), *self.notes] if last else [],
                    relations=relations,
                )
            )
        return panels

    def plot(self, ax: Any = None) -> Any:
        """Draw the standardised differences (a Love plot); returns the matplotlib Axes."""
        marks = [(shape, fill) for shape in "os^Dv" for fill in ("black", "white")]
        shown = [k for k, term in enumerate(self._of) if not term.mirrored]
        place = np.arange(len(shown))[::-1]
        series = [
            (
                (f"by {name}" if len(self.arms) == 2 else f"{worded(arm)}, by {name}")
                # The most that any covariate has, for some may be missing.
                + f" (n = {', '.join(f'{int(n):,}' for n in level.n[:, [0, j]].max(axis=0))})",
                level.difference[shown, j],
            )
            for j, arm in enumerate(self.arms)
            if j
            for name, level in self._levels.items()
        ]
        if len(series) > len(marks):
            raise fault(
                InputError,
                f"{len(series)} series cannot be told apart in one figure",
                remedy=f"Draw at most {len(marks)} together: fewer arms at a time",
            )
        with style.printed():
            if ax is None:
                _, ax = style.figure(130, 32 + 7 * len(shown))
            widest = 0.32
            for k, (label, difference) in enumerate(series):
                marker, fill = marks[k % len(marks)]
                ax.plot(
                    difference,
                    place,
                    linestyle="none",
                    marker=marker,
                    color="black",
                    markerfacecolor=fill,
                    markersize=6,
                    label=label,
                    zorder=3 + k,
                )
                finite = np.abs(difference[np.isfinite(difference)])
                widest = max(widest, float(finite.max()) * 1.1) if len(finite) else widest
            for at in (-0.1, 0.1):
                ax.axvline(at, color="0.6", linestyle=":", linewidth=1)
            ax.axvline(0, color="black", linewidth=0.8)
            ax.set_xlim(-widest, widest)
            ax.set_ylim(-0.6, len(shown) - 0.4)
            terms = [self._of[k].text for k in shown]
            ax.set_yticks(place, terms)
            # On two lines, for long names of covariates leave the plot narrow.
            ax.set_xlabel(
                f"Standardised difference from {worded(self.arms[0])}\n(standard deviations)"
            )
            style.note(ax, f"Dotted: ±0.1. Left of 0: less than in {worded(self.arms[0])}.")
            ax.grid(axis="y", color="0.9")
            ax.set_axisbelow(True)
            for side in ("top", "right", "left"):
                ax.spines[side].set_visible(False)
            ax.tick_params(axis="y", length=0)
            if len(series) > 1:
                ax.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, frameon=False)
            style.alt_text(ax, self._describe(series, terms))
            if self.synthetic:
                style.label_synthetic(ax)
        return ax

    def _describe(self, series: list[tuple[str, NDArray[np.float64]]], terms: list[str]) -> str:
        told = [
            f"{label}: "
            + ", ".join(
                f"{term} {signed(d, 2)}"
                for term, d in zip(terms, difference, strict=True)
                if d == d
            )
            for label, difference in series
        ]
        return f"Standardised differences from {worded(self.arms[0])}. " + "; ".join(told) + "."

    def methods(self) -> list[str]:
        """Say how balance was measured."""
        return [
            "Balance is described by standardised differences, the difference in means over the "
            "root of the mean of "
            "the two variances, with p (1 - p) for shares (Austin 2009); it is not tested.",
        ]

    def _panels(self) -> list[Table]:
        return self.tables()


def _terms(source: Source, name: str) -> list[tuple[Term, NDArray[np.float64]]]:
    """Give a column as lines and their numbers: itself, or a dummy for each level, missing as it is."""
    column = source.column(name)
    if column.levels is None:
        return [(Term(name, name, spaced(name)), column.values.astype(np.float64))]
    return [
        (
            Term(
                f"{name}[{level}]",
                name,
                f"{spaced(name)}: {level}",
                level,
                mirrored=len(column.levels) == 2 and k == 0,
            ),
            np.where(column.missing, np.nan, (column.values == k).astype(np.float64)),
        )
        for k, level in enumerate(column.levels)
    ]
