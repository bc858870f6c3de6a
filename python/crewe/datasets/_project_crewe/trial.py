"""The synthetic Project Crewe trial."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

import narwhals as nw

from crewe.datasets._project_crewe import cases as _cases
from crewe.datasets._project_crewe import flow, printed, pupils, staff
from crewe.datasets._project_crewe import risk as _risk
from crewe.datasets._project_crewe.columns import FRAMES
from crewe.exceptions import InputError, fault
from crewe.frames.choices import Backend
from crewe.frames.source import build
from crewe.frames.synthetic import mark
from crewe.tables.display import Table
from crewe.tables.printable import Printable

# What the report printed is not synthetic.
PRINTED = ("costs", "interviews", "factor_national")
_BACKENDS = ("pandas", "polars", "pyarrow")
_WARNING = (
    "SYNTHETIC: every row is invented. Only the totals that the report printed are real; "
    "nothing here says anything about any family or about the programme."
)


@dataclass(frozen=True, repr=False, eq=False)
class ProjectCrewe(Printable, Mapping[str, Any]):
    """The SYNTHETIC Project Crewe: named frames, as attributes and as a mapping.

    All frames but those of printed numbers (`costs`, `interviews`, `factor_national`) are marked as
    synthetic, as by :func:`crewe.datasets.mark_synthetic`.

    Attributes
    ----------
    seed : int
        The seed that it was made from.
    recommended : frame (146 rows)
        Families recommended: 132 randomised, 6 who opted out, 8 who came while Project Crewe was full.
    capacity : frame (2 rows)
        Places of Project Crewe.
    families : frame (132 rows)
        Families randomised, with their arm and stratum.
    children : frame (326 rows)
        Their children.
    cases : frame (132 rows)
        The index children's cases; 128 of them analysed.
    absences : frame (174 rows)
        Days absent from school.
    sdq : frame (120 rows)
        Answers to the 25 items of the Strengths and Difficulties Questionnaire.
    risk : frame (1,860 rows)
        Risk and protective factors and engagement of 30 cases at two times.
    visits : frame
        Visits in a month, by wave.
    survey : frame (28 rows)
        Stress of staff.
    costs : frame
        The printed inputs and results of the cost-benefit analysis.
    caseload : frame (20 rows)
        Cases held by family practitioners at three dates.
    outcomes : frame (12 rows)
        Outcomes of the cases studied in depth.
    interviews : frame (6 rows)
        Participants and interviews by type of participant, as Table 1 prints them.
    need_national : frame (10 rows)
        An ILLUSTRATIVE national share of each category of need.
    factor_national : frame (3 rows)
        The printed national prevalence of three factors.
    """

    seed: int
    recommended: Any
    capacity: Any
    families: Any
    children: Any
    cases: Any
    absences: Any
    sdq: Any
    risk: Any
    visits: Any
    survey: Any
    costs: Any
    caseload: Any
    outcomes: Any
    interviews: Any
    need_national: Any
    factor_national: Any

    def __getitem__(self, name: str) -> Any:
        if name not in FRAMES:
            raise fault(
                InputError,
                f"there is no frame '{name}'",
                remedy=f"The frames are {', '.join(FRAMES)}",
            )
        return getattr(self, name)

    def __iter__(self) -> Iterator[str]:
        return (field.name for field in fields(self) if field.name in FRAMES)

    def __len__(self) -> int:
        return len(FRAMES)

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Not every kind of frame takes its mark into a pickle.
        for name, value in state.items():
            marked = name in FRAMES and name not in PRINTED
            object.__setattr__(self, name, mark(value) if marked else value)

    def describe(self, frame: str | None = None) -> Table:
        """Give the meaning and the origin of each column.

        Parameters
        ----------
        frame : str, optional
            The frame to describe; without it, all of them.

        Returns
        -------
        Table
            With columns for the frame, the column, its meaning and its origin: "calibrated" (meets
            what the report printed, for every seed), "printed", "derived" or "invented".

        Raises
        ------
        InputError
            Where there is no such frame.

        Examples
        --------
        >>> import crewe as cw
        >>> trial = cw.datasets.project_crewe(seed=2017)
        >>> trial.describe("caseload").rows[0][0]
        'practitioner_id'
        """
        if frame is None:
            rows = [
                [name, column, meaning, origin]
                for name in self
                for column, (meaning, origin) in FRAMES[name][1].items()
            ]
            return Table(
                ["frame", "column", "meaning", "origin"],
                rows,
                align="llll",
                title=f"SYNTHETIC Project Crewe (seed {self.seed}): columns",
                notes=[_WARNING],
            )
        if frame not in FRAMES:
            raise fault(
                InputError,
                "there is no such frame in the synthetic Project Crewe",
                values=[frame],
                remedy=f"The frames are {', '.join(self)}",
            )
        row, columns = FRAMES[frame]
        return Table(
            ["column", "meaning", "origin"],
            [[column, meaning, origin] for column, (meaning, origin) in columns.items()],
            align="lll",
            title=f"SYNTHETIC Project Crewe (seed {self.seed}): {frame}",
            notes=[f"A row: {row[0].lower()}{row[1:]}.", _WARNING],
        )

    def _table(self) -> Table:
        rows = []
        for name in self:
            frame = nw.from_native(self[name], eager_only=True)
            rows.append([name, len(frame), len(frame.columns), FRAMES[name][0]])
        return Table(
            ["frame", "rows", "columns", "a row is"],
            rows,
            align="lrrl",
            title=f"SYNTHETIC Project Crewe trial (seed {self.seed})",
            notes=[_WARNING, "Columns: .describe() or .describe('cases')."],
        )

    def _panels(self) -> list[Table]:
        return [self._table()]


def project_crewe(seed: int = 2017, backend: Backend = "pandas") -> ProjectCrewe:
    """Make a SYNTHETIC Project Crewe trial, calibrated to the marginals of its report.

    The data of Project Crewe (Cheshire East, 2015 to 2016) were never published. This makes data of
    the same shape, in which the printed totals hold exactly for every seed and all else is
    invented: 132 families and 326 children, 87 families to Project Crewe and 45 to the council's
    service, 83 and 45 analysed, 60 and 29 cases closed, 5 and 3 re-referred. OLS of ``closed ~
    arm`` with the report's controls gives 8 to 9 points, with history about 20; the predicted
    levels are 72% and 64%. The council's cases close faster between days 100 and 300, and fewer of
    them by the end. Absences, the SDQ, risk and its change differ in the printed directions, and
    nothing that the report found not significant is.

    The frames say themselves that they are synthetic, and so do tables and figures of what is
    worked out from them.

    The report's counts do not agree among themselves: it has 132 cases less 6 excluded, which is
    126, while its rates fit 83 + 45 = 128. Here four cases of Project Crewe are excluded for
    incomplete outcomes, so that the printed rates hold.

    Parameters
    ----------
    seed : int, default 2017
        Names the data set: the same seed gives the same data on every platform.
    backend : {"pandas", "polars", "pyarrow"}
        The kind of the frames.

    Returns
    -------
    ProjectCrewe
        Frames as attributes (``trial.cases``) and as a mapping (``trial["cases"]``).

    Raises
    ------
    InputError
        Where the seed is no whole number from 0 to 2**64 - 1, or the backend is unknown.

    References
    ----------
    Heal, Nolan and Sanders (2017), Project Crewe: research report, Department for Education,
    DFE-RR580.

    Examples
    --------
    >>> import crewe as cw
    >>> trial = cw.datasets.project_crewe(seed=2017)
    >>> trial.cases.groupby("arm")["closed"].sum().to_dict()
    {'control': 29.0, 'crewe': 60.0}
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**64:
        raise fault(
            InputError,
            "the seed is not a whole number from 0 to 2**64 - 1",
            values=[repr(seed)],
            remedy="Pass an integer, for instance seed=2017",
        )
    if backend not in _BACKENDS:
        raise fault(
            InputError,
            "the backend is unknown",
            values=[repr(backend)],
            remedy=f"Choose one of {', '.join(_BACKENDS)}",
        )
    families, children, cases = _cases.trial(seed)
    sizes = {family["family_id"]: family["n_children"] for family in families}
    records = {
        "recommended": flow.recommended(seed, cases, sizes),
        "capacity": flow.capacity(),
        "families": families,
        "children": children,
        "cases": _cases.case_columns(cases),
        "absences": pupils.absences(seed, cases, children),
        "sdq": pupils.sdq(seed, cases),
        "risk": _risk.risk(seed, cases, children),
        "visits": staff.visits(seed, cases),
        "survey": staff.survey(seed),
        "costs": printed.costs(),
        "caseload": staff.caseload(seed),
        "outcomes": staff.outcomes(seed, cases),
        "interviews": printed.interviews(),
        "need_national": printed.need_national(),
        "factor_national": printed.factor_national(),
    }
    implementation = nw.Implementation[backend.upper()]
    frames = {
        name: build(
            {column: [row[column] for row in rows] for column in rows[0]},
            implementation,
            synthetic=name not in PRINTED,
        )
        for name, rows in records.items()
    }
    return ProjectCrewe(seed=seed, **frames)
