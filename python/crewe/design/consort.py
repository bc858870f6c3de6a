"""The CONSORT flow of a trial of clusters: allocated, not analysed and why, analysed."""

from __future__ import annotations

import hashlib
import html
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from crewe import _core
from crewe.design.assignment import Assignment
from crewe.design.flow import UNEXPLAINED, ArmFlow, FlowCounts, Pair
from crewe.design.nouns import Noun
from crewe.design.select import Selector
from crewe.exceptions import InputError, fault
from crewe.frames.arguments import checked
from crewe.frames.source import build
from crewe.plots import style
from crewe.tables.display import Table
from crewe.tables.labels import sentence
from crewe.tables.printable import Printable
from crewe.tables.wording import carry, worded

if TYPE_CHECKING:
    from crewe.ledger.ledger import Ledger


@checked
def consort(
    assignment: Assignment | Ledger,
    *,
    excluded: Mapping[str, Any] | None = None,
    analysed: Any = None,
    assessed: Pair | None = None,
    not_randomised: Mapping[str, Pair] | None = None,
    member: str | None = None,
    members: str | None = None,
) -> Consort:
    """Count the flow of a trial through allocation and analysis.

    Parameters
    ----------
    assignment : Assignment or Ledger
        The trial. A ledger brings its own reasons: overflow and other families who arrived while an
        arm was full, withdrawals whose data may not be used, outcomes excluded; families refused
        while enrolment was paused; children who came late and overrides.
    excluded : mapping of str to selection, optional
        Why units or rows were left out: for each reason the name of a 0/1 column of the randomised
        data, true or false (or 1 or 0) for each randomised row, a sequence of identifiers of units
        or of members, or a data frame that holds those left out; `Cases.excluded` as it is. A row with several reasons counts under the first, and a note says so.
    analysed : selection, optional
        The rows analysed, given in the same ways, for instance the data frame of the analysis; by
        default everything that was not excluded.
    assessed : (int, int), optional
        Units and rows assessed for eligibility.
    not_randomised : mapping of str to (int, int), optional
        Units and rows not randomised, by reason.
    member : str, optional
        The column that names a row (a child), by which data frames and identifiers are matched; a
        list that fits units and members alike is refused. Without it a data frame stands for all rows of the units that it holds.
    members : str, optional
        What rows are called; as the design says by default.

    Returns
    -------
    Consort
        A unit counts as analysed when any of its rows is; units and rows both add up.

    Raises
    ------
    InputError
        For rows both analysed and excluded, identifiers that were not randomised, and numbers that
        do not add up.

    References
    ----------
    Campbell et al. (2012), BMJ 345, e5661, doi:10.1136/bmj.e5661.
    """
    excluded, not_randomised = dict(excluded or {}), dict(not_randomised or {})
    received: list[dict[str, Pair]] = []
    told: list[str] = []
    if not isinstance(assignment, Assignment):
        register = assignment._register()
        assignment, told, received = register.assignment, register.notes, register.received
        excluded = register.excluded | excluded
        not_randomised = register.refused | not_randomised
        member = "child" if member is None and assignment.cluster is not None else member
    called = Noun.of_many(members or assignment.design.member_noun)
    select = Selector(assignment, member)
    reason = np.full(len(assignment._rows), -1, dtype=np.int64)
    given = [select(selection) for selection in excluded.values()]
    for k, mask in enumerate(given):
        reason[mask & (reason < 0)] = k
    kept = reason < 0 if analysed is None else select(analysed)
    counted = _core.flow(
        assignment._rows,
        assignment._arm,
        len(assignment.arms),
        len(excluded),
        reason,
        np.ascontiguousarray(kept, dtype=np.bool_),
    )
    flow = [
        ArmFlow(
            arm,
            counts.allocated,
            dict(zip(excluded, counts.excluded, strict=True)),
            counts.unexplained,
            counts.analysed,
            received[place] if received else {},
        )
        for place, (arm, counts) in enumerate(zip(assignment.arms, counted.arms, strict=True))
    ]
    spare = counted.left_out
    randomised = (len(assignment) - spare[0], len(assignment._rows) - spare[1])
    left = {reason: (int(n), int(m)) for reason, (n, m) in not_randomised.items()}
    if spare[0]:
        left["left out, as the stratum does not divide by the ratio"] = spare
    if assessed is not None:
        expected = tuple(randomised[i] + sum(count[i] for count in left.values()) for i in (0, 1))
        if tuple(assessed) != expected:
            raise fault(
                InputError,
                "the numbers assessed do not add up",
                values=[f"assessed {tuple(assessed)}", f"randomised and not randomised {expected}"],
                remedy="Give every reason for not being randomised, each as (units, rows)",
            )
    elif left:
        assessed = (
            randomised[0] + sum(count[0] for count in left.values()),
            randomised[1] + sum(count[1] for count in left.values()),
        )
    made = Consort(
        trial=assignment.design.name,
        flow=flow,
        randomised=randomised,
        assessed=None if assessed is None else (int(assessed[0]), int(assessed[1])),
        not_randomised=left,
        unit=assignment.noun,
        members=called if assignment.cluster is not None else None,
        notes=[
            *told,
            *select.notes,
            *_several_reasons(assignment, list(excluded), given, reason, kept, called),
        ],
        _kind=assignment._kind,
        synthetic=assignment.synthetic,
    )
    return carry(made, assignment.design.labels)


def _several_reasons(
    assignment: Assignment,
    names: list[str],
    given: list[NDArray[np.bool_]],
    reason: NDArray[np.int64],
    kept: NDArray[np.bool_],
    members: Noun,
) -> list[str]:
    """Say which units and rows have several reasons, as each counts once."""
    notes = []
    times = np.sum(given, axis=0) if given else np.zeros(len(reason), dtype=np.int64)
    told = []
    for pattern in dict.fromkeys(map(tuple, np.transpose(given)[times > 1])) if given else ():
        rows = np.all([mask == held for mask, held in zip(given, pattern, strict=True)], axis=0)
        count = (len(np.unique(assignment._rows[rows])), int(rows.sum()))
        said = assignment.noun.counted(count[0])
        if assignment.cluster is not None:
            said += f", {members.counted(count[1])}"
        held = [f"'{name}'" for name, here in zip(names, pattern, strict=True) if here]
        told.append(f"{' and '.join(held)}: {said}")
    if told:
        notes.append(f"given under several reasons and counted under the first: {'; '.join(told)}")
    # A unit of which some row is analysed counts as analysed, whatever became of the others.
    lost = ~np.isin(assignment._rows, assignment._rows[kept]) & (reason >= 0)
    pairs = np.unique(np.column_stack([assignment._rows[lost], reason[lost]]), axis=0)
    mixed = int((np.bincount(pairs[:, 0]) > 1).sum()) if len(pairs) else 0
    if mixed:
        have = "has" if mixed == 1 else "have"
        notes.append(
            f"{assignment.noun.counted(mixed)} {have} {members} left out for different reasons and "
            f"count{'s' * (mixed == 1)} under the first of these"
        )
    return notes


@dataclass(frozen=True)
class _Box:
    x: float
    y: float
    width: float
    lines: list[tuple[str, bool, float]]
    """Text, whether bold, indent."""

    @property
    def height(self) -> float:
        return len(self.lines) * _LINE + 16


_LINE = 17.0
_COLUMN = 216.0
_GAP = 24.0
_DEEP = "\t"


@dataclass(frozen=True, repr=False)
class Consort(Printable):
    """The flow of a trial, to print, to draw and to tidy.

    Attributes
    ----------
    flow : list of ArmFlow
        The counts of each arm, as (units, rows).
    randomised, assessed : (int, int)
        Units and rows; `assessed` is None where it was not given.
    notes : list of str
        What a reader should know.
    synthetic : bool
        Whether the data say that they are synthetic.
    """

    trial: str
    flow: list[ArmFlow]
    randomised: Pair
    assessed: Pair | None
    not_randomised: dict[str, Pair]
    unit: Noun
    members: Noun | None
    notes: list[str] = field(default_factory=list)
    _kind: Any = (None, False)
    synthetic: bool = False

    def tidy(self) -> Any:
        """Give one row for each stage, reason and arm, with the columns units and rows."""
        rows: list[tuple[str, str, str, int, int]] = []
        if self.assessed is not None:
            rows.append(("assessed", "", "", *self.assessed))
        rows += [("not randomised", why, "", *count) for why, count in self.not_randomised.items()]
        rows.append(("randomised", "", "", *self.randomised))
        for arm in self.flow:
            rows.append(("allocated", "", arm.arm, *arm.allocated))
            rows += [("received", what, arm.arm, *count) for what, count in arm.received.items()]
            rows += [("excluded", why, arm.arm, *count) for why, count in arm.excluded.items()]
            rows.append(("excluded", "no reason given", arm.arm, *arm.unexplained))
            rows.append(("analysed", "", arm.arm, *arm.analysed))
        names = ("stage", "reason", "arm", "units", "rows")
        columns = {name: [row[k] for row in rows] for k, name in enumerate(names)}
        return build(columns, self._kind[0], lazy=self._kind[1], synthetic=self.synthetic)

    def table(self) -> Table:
        """Give the counts by arm."""
        counts = self._counts
        reasons = [why for why in self.flow[0].excluded]
        rows: list[list[Any]] = [
            ["allocated", *(counts.cell(counts.allocated(arm)) for arm in self.flow)]
        ]
        rows += [
            [f"of these: {what}", *(counts.cell(counts.received(arm, what)) for arm in self.flow)]
            for what in self.flow[0].received
        ]
        rows += [
            [f"not analysed: {why}", *(counts.cell(counts.lost(arm, why)) for arm in self.flow)]
            for why in reasons
        ]
        if any(any(arm.unexplained) for arm in self.flow):
            rows.append(
                [f"not analysed: {UNEXPLAINED}"]
                + [counts.cell(counts.lost(arm, UNEXPLAINED)) for arm in self.flow]
            )
        rows.append(["analysed", *(counts.cell(counts.analysed(arm)) for arm in self.flow)])
        head = self.unit if self.members is None else f"{self.unit} ({self.members})"
        return Table(
            [head, *(worded(arm.arm) for arm in self.flow)],
            rows,
            title=f"{self.trial}: flow of {self.unit} through the trial",
            notes=[*counts.before(), *map(sentence, self.notes)],
            relations=counts.relations,
        )

    def svg(self) -> str:
        """Draw the flow as SVG in black and white, with words for screen readers."""
        boxes, arrows, width, height = self._layout()
        name = "crewe-" + hashlib.sha256(repr((self.trial, boxes)).encode()).hexdigest()[:8]
        # Room above the boxes, where the data are synthetic, for words that say so.
        room = 18 if self.synthetic else 0
        parts = [
            '<svg xmlns="http://www.w3.org/2000/svg" role="img" '
            f'viewBox="0 {-room:g} {width:g} {height + room:g}" '
            f'aria-labelledby="{name}-t {name}-d" '
            f'style="width:100%;max-width:{width * 1.35:g}px;height:auto;font-family:sans-serif">',
            f'<title id="{name}-t">{html.escape(self.trial)}: CONSORT flow diagram</title>',
            f'<desc id="{name}-d">{html.escape(self.describe())}</desc>',
            f'<defs><marker id="{name}-a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" '
            'markerHeight="8" orient="auto">'
            '<path d="M0 0 L8 4 L0 8 z" fill="#000"/></marker></defs>',
            f'<rect y="{-room:g}" width="{width:g}" height="{height + room:g}" fill="#fff"/>',
        ]
        if self.synthetic:
            parts.append(
                f'<text x="{width - 8:g}" y="-4" text-anchor="end" font-size="10" font-weight="bold" '
                f'fill="{style.WARNING}">{style.SYNTHETIC}</text>'
            )
        for x1, y1, x2, y2 in arrows:
            parts.append(
                f'<path d="M{x1:g} {y1:g} L{x2:g} {y2:g}" stroke="#000" stroke-width="1.2" '
                f'marker-end="url(#{name}-a)"/>'
            )
        for box in boxes:
            parts.append(
                f'<rect x="{box.x:g}" y="{box.y:g}" width="{box.width:g}" height="{box.height:g}" '
                'fill="#fff" stroke="#000" stroke-width="1.2"/>'
            )
            for k, (line, strong, indent) in enumerate(box.lines):
                weight = ' font-weight="bold"' if strong else ""
                parts.append(
                    f'<text x="{box.x + 10 + indent:g}" y="{box.y + 20 + k * _LINE:g}" '
                    'font-size="13" '
                    f'fill="#000"{weight}>{html.escape(line)}</text>'
                )
        return "".join(parts) + "</svg>"

    def plot(self, ax: Any = None) -> Any:
        """Draw the flow diagram with matplotlib; returns the Axes."""
        boxes, arrows, width, height = self._layout()
        with style.printed():
            if ax is None:
                # 13 units of the layout are 9 points. Above it stands what is said of synthetic data.
                room = 30 if self.synthetic else 0
                _, ax = style.figure(width * 0.2443, (height + room) * 0.2443)
                ax.set_position((0, 0, 1, height / (height + room)))
            ax.set_xlim(0, width)
            ax.set_ylim(height, 0)
            ax.set_aspect("equal")
            ax.axis("off")
            for x1, y1, x2, y2 in arrows:
                ax.annotate(
                    "",
                    xy=(x2, y2),
                    xytext=(x1, y1),
                    arrowprops={"arrowstyle": "-|>", "color": "black", "shrinkA": 0, "shrinkB": 0},
                )
            for box in boxes:
                ax.fill(
                    [box.x, box.x + box.width, box.x + box.width, box.x],
                    [box.y, box.y, box.y + box.height, box.y + box.height],
                    facecolor="white",
                    edgecolor="black",
                    linewidth=0.8,
                )
                for k, (line, strong, indent) in enumerate(box.lines):
                    ax.text(
                        box.x + 10 + indent,
                        box.y + 20 + k * _LINE,
                        line,
                        fontsize=9,
                        weight="bold" if strong else "normal",
                        color="black",
                    )
            style.alt_text(ax, self.describe())
            label = style.label_synthetic(ax) if self.synthetic else None
            if label is not None:
                # The Axes reach to the edge of the page, and the frame of the words beyond them.
                label.xyann = (-5, 5)
        return ax

    def methods(self) -> list[str]:
        """Say how the flow was counted."""
        sentences = [
            "The flow diagram follows the CONSORT extension to cluster randomised trials (Campbell "
            "et al. 2012)."
        ]
        if self.members is not None:
            sentences.append(
                f"A {self.unit.one} counts as analysed when any of its {self.members} is."
            )
        return sentences

    def describe(self) -> str:
        """Say the flow in words."""
        counts = self._counts
        parts = self._before(counts)
        parts.append(f"Randomised: {counts.said(counts.randomised())}.")
        for arm in self.flow:
            lost = "; ".join(f"{why}: {counts.said(counts.lost(arm, why))}" for why in arm.lost)
            parts.append(
                f"{worded(arm.arm)}: allocated {counts.said(counts.allocated(arm))}; "
                + "".join(
                    f"{what}: {counts.said(counts.received(arm, what))}; " for what in arm.happened
                )
                + (f"not analysed, {lost}; " if lost else "")
                + f"analysed {counts.said(counts.analysed(arm))}."
            )
        return " ".join(parts)

    def _before(self, counts: FlowCounts) -> list[str]:
        if self.assessed is None:
            return []
        lost = "; ".join(
            f"{why}: {counts.said(counts.refused(why))}" for why in self.not_randomised
        )
        return [
            f"Assessed for eligibility: {counts.said(counts.assessed())}."
            + (f" Not randomised: {lost}." if lost else "")
        ]

    @property
    def _counts(self) -> FlowCounts:
        return FlowCounts(
            self.flow,
            self.randomised,
            self.assessed,
            self.not_randomised,
            self.unit,
            self.members,
        )

    def _layout(self) -> tuple[list[_Box], list[tuple[float, float, float, float]], float, float]:
        """Place the boxes and arrows: assessed, randomised, then one column an arm."""
        counts = self._counts
        n = len(self.flow)
        inner = max(n, 2) * _COLUMN + (max(n, 2) - 1) * _GAP
        left = 8.0
        boxes: list[_Box] = []
        arrows: list[tuple[float, float, float, float]] = []
        y = 8.0
        if self.assessed is not None:
            half = (inner - _GAP) / 2
            first = self._box(
                left, y, half, "Assessed for eligibility", [counts.said(counts.assessed())]
            )
            boxes.append(first)
            bottom = first.y + first.height
            if self.not_randomised:
                told = self._reasons(
                    {why: counts.said(counts.refused(why)) for why in self.not_randomised}
                )
                side = self._box(left + half + _GAP, y, half, "Not randomised", told)
                boxes.append(side)
                middle = y + min(first.height, side.height) / 2
                arrows.append((left + half, middle, left + half + _GAP, middle))
                bottom = max(bottom, side.y + side.height)
            y = bottom + 30
            arrows.append((left + half / 2, first.y + first.height, left + half / 2, y))
        top = self._box(left, y, inner, "Randomised", [counts.said(counts.randomised())])
        boxes.append(top)
        y += top.height + 30
        width = _COLUMN if n > 1 else inner
        starts = [left + k * (width + _GAP) for k in range(n)]
        stages = [
            [
                (
                    f"Allocated to {worded(arm.arm)}",
                    [
                        counts.said(counts.allocated(arm)),
                        *self._reasons(
                            {what: counts.said(counts.received(arm, what)) for what in arm.happened}
                        ),
                    ],
                )
                for arm in self.flow
            ],
            [
                (
                    "Not analysed",
                    self._reasons({why: counts.said(counts.lost(arm, why)) for why in arm.lost})
                    or ["none"],
                )
                for arm in self.flow
            ],
            [("Analysed", [counts.said(counts.analysed(arm))]) for arm in self.flow],
        ]
        above = [top] * n
        for stage in stages:
            row = [self._box(x, y, width, *text) for x, text in zip(starts, stage, strict=True)]
            for box, upper in zip(row, above, strict=True):
                middle = box.x + width / 2
                arrows.append((middle, upper.y + upper.height, middle, box.y))
            boxes += row
            above = row
            y += max(box.height for box in row) + 30
        return boxes, arrows, inner + 2 * left, y - 30 + 8

    @staticmethod
    def _reasons(reasons: Mapping[str, str]) -> list[str]:
        return [line for why, said in reasons.items() for line in (why, _DEEP + said)]

    @staticmethod
    def _box(x: float, y: float, width: float, head: str, body: Sequence[str]) -> _Box:
        lines: list[tuple[str, bool, float]] = []
        for line, strong in [(head, True), *((text, False) for text in body)]:
            indent = 12.0 if line.startswith(_DEEP) else 0.0
            # 13-point sans serif is about 6.6 units wide on average, bold a little more.
            fit = max(8, int((width - 20 - indent) / (7.4 if strong else 6.6)))
            lines += [(part, strong, indent) for part in textwrap.wrap(line.strip(), fit) or [""]]
        return _Box(x, y, width, lines)

    def _panels(self) -> list[Table]:
        return [self.table()]

    def _repr_html_(self) -> str:
        return self.svg() + self.html()
