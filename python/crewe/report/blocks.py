"""What an evaluator says in words, in the parts that readers and checklists look for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Literal

from crewe.exceptions import InputError, fault
from crewe.report.document import Block, Facts, Runs
from crewe.report.words import markdown, plain, points, runs


@dataclass(frozen=True)
class Part:
    """A part of a report that is given in named fields; each kind says its own.

    Raises
    ------
    InputError
        For a field that is no text, and where none is given.
    """

    heading: ClassVar[str] = ""
    """What stands over it where `Report.add` is given no heading."""

    def __post_init__(self) -> None:
        given = False
        for one in fields(self):
            value = getattr(self, one.name)
            _check(type(self).__name__, one.name, value)
            given = given or bool(value)
        if not given:
            raise fault(
                InputError,
                f"{type(self).__name__} says nothing",
                remedy=f"Give at least one of {', '.join(one.name for one in fields(self))}",
            )

    def said(self) -> list[str]:
        """Give the names of the fields that are given."""
        return [one.name for one in fields(self) if getattr(self, one.name)]

    def blocks(self) -> list[Block]:
        """Give it as blocks of a document."""
        raise NotImplementedError


def _check(kind: str, name: str, value: Any) -> None:
    texts = [value]
    if isinstance(value, Mapping):
        texts = [*value.keys(), *value.values()]
    elif isinstance(value, list | tuple):
        texts = list(value)
    wrong = next((text for text in texts if text is not None and not isinstance(text, str)), None)
    if wrong is not None:
        raise fault(
            InputError,
            f"{name}= of {kind} holds a {type(wrong).__name__}, and takes words",
            remedy="Write it as text",
        )


def _facts(pairs: Sequence[tuple[str, str]]) -> Facts:
    return Facts(tuple((name, runs(words)) for name, words in pairs if words))


def _few(items: Sequence[str]) -> list[Block]:
    """Give one sentence as a paragraph, several as points."""
    if isinstance(items, str):
        return markdown(items)
    return markdown(items[0]) if len(items) == 1 else [points([runs(item) for item in items])]


@dataclass(frozen=True)
class Summary(Part):
    """The structured summary (CONSORT 2025, item 1b): what was done, what was found, what it means.

    Parameters
    ----------
    background, objective, design, participants, intervention, outcomes, results, harms, conclusions : str
        Each in a sentence or two; what is left out is not printed.
    registration, funding : str
        As the summary names them.

    Examples
    --------
    >>> import crewe as cw
    >>> summary = cw.report.Summary(objective="Do family practitioners help cases to close?",
    ...                             results="72% against 64% of cases closed.")
    >>> "Objective" in cw.Report("Crewe").add(summary).html
    True
    """

    heading: ClassVar[str] = "Summary"
    background: str = ""
    objective: str = ""
    design: str = ""
    participants: str = ""
    intervention: str = ""
    outcomes: str = ""
    results: str = ""
    harms: str = ""
    conclusions: str = ""
    registration: str = ""
    funding: str = ""

    def blocks(self) -> list[Block]:
        """Give it as blocks of a document."""
        return [_facts([(name.capitalize(), getattr(self, name)) for name in self.said()])]


@dataclass(frozen=True)
class Estimand(Part):
    """What is estimated: the five parts of ICH E9(R1), and whose average it is (Kahan et al. 2023).

    Parameters
    ----------
    outcome : str
        The outcome: the column, which `labels=` gives its name, or words.
    population : str
        Whom the effect is for.
    treatment : str
        The treatment conditions that are compared.
    summary : str
        The summary measure: a difference in means, a ratio of risks.
    intercurrent : mapping of str to str
        Each intercurrent event with the strategy for it.
    average : {"participant", "cluster"}, optional
        Whether each participant or each cluster counts the same; it makes a difference where the effect goes with the size of
        clusters.
    name : str
        What it is called where a report has several: `"Primary"`. Results are joined to it by the outcome, or by
        `estimand=` of `Report.add`.

    References
    ----------
    ICH (2019), E9(R1) Addendum on estimands and sensitivity analysis in clinical trials.
    Kahan, Li, Copas and Harhay (2023), Int. J. Epidemiology 52, 107-118, doi:10.1093/ije/dyac131.

    Examples
    --------
    >>> import crewe as cw
    >>> primary = cw.report.Estimand(
    ...     outcome="closed", population="Families referred and eligible", treatment="Project Crewe against the council",
    ...     summary="Difference in the share of cases closed", average="participant",
    ...     intercurrent={"family moves away": "treatment policy"})
    >>> "treatment policy" in cw.Report("Crewe").add(primary).html
    True
    """

    heading: ClassVar[str] = "Estimand"
    outcome: str
    population: str
    treatment: str
    summary: str
    intercurrent: Mapping[str, str] = field(default_factory=dict)
    average: Literal["participant", "cluster"] | None = None
    name: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.average not in (None, "participant", "cluster"):
            raise fault(
                InputError,
                f"average={self.average!r} is unknown",
                remedy="Use 'participant' (each counts the same) or 'cluster' (each cluster does)",
            )
        empty = [
            one
            for one in ("outcome", "population", "treatment", "summary")
            if not getattr(self, one).strip()
        ]
        if empty:
            raise fault(
                InputError,
                f"an estimand without {' and '.join(empty)} is none",
                remedy="Say each in a few words",
            )
        if not isinstance(self.intercurrent, Mapping):
            raise fault(
                InputError,
                "intercurrent= takes each event with its strategy",
                remedy="Write intercurrent={'moves away': 'treatment policy'}",
            )

    def blocks(self) -> list[Block]:
        """Give it as blocks of a document."""
        events = "; ".join(f"{event}: {strategy}" for event, strategy in self.intercurrent.items())
        whose = {
            "participant": "over participants: each counts the same",
            "cluster": "over clusters: each counts the same, whatever its size",
        }
        return [
            _facts(
                [
                    ("Estimand", self.name),
                    ("Population", self.population),
                    ("Treatment conditions", self.treatment),
                    ("Outcome", self.outcome),
                    ("Intercurrent events", events or "none foreseen"),
                    ("Summary measure", self.summary),
                    ("Average", whose.get(self.average or "", "")),
                ]
            )
        ]


@dataclass(frozen=True)
class Protocol(Part):
    """Where the plan of the trial stands, and what departed from it (CONSORT 2025, items 2 to 4 and 10).

    Parameters
    ----------
    registration : str
        Registry, number and date.
    protocol, analysis_plan : str
        Where each can be read.
    data : str
        Where and how data, their dictionary and the code of the analysis can be had.
    deviations : sequence of str
        Each change after the trial began, with its reason; `["None."]` where there was none.

    Examples
    --------
    >>> import crewe as cw
    >>> plan = cw.report.Protocol(registration="ISRCTN 00000000, 1 July 2015", deviations=["None."])
    >>> "Deviations" in cw.Report("Crewe").add(plan).html
    True
    """

    heading: ClassVar[str] = "Protocol and deviations"
    registration: str = ""
    protocol: str = ""
    analysis_plan: str = ""
    data: str = ""
    deviations: Sequence[str] = ()

    def blocks(self) -> list[Block]:
        """Give it as blocks of a document."""
        made: list[Block] = []
        pairs = [
            ("Registration", self.registration),
            ("Protocol", self.protocol),
            ("Analysis plan", self.analysis_plan),
            ("Data and code", self.data),
        ]
        if any(words for _, words in pairs):
            made.append(_facts(pairs))
        if self.deviations:
            made += [*markdown("### Deviations from the protocol"), *_few(self.deviations)]
        return made


@dataclass(frozen=True)
class Limitations(Part):
    """What the results do not show (CONSORT 2025, item 30).

    Parameters
    ----------
    points : sequence of str
        Each in a sentence.

    Examples
    --------
    >>> import crewe as cw
    >>> limits = cw.report.Limitations(["One site.", "Staff knew the arm."])
    >>> "One site." in cw.Report("Crewe").add(limits).html
    True
    """

    heading: ClassVar[str] = "Limitations"
    points: Sequence[str] = ()

    def blocks(self) -> list[Block]:
        """Give it as blocks of a document."""
        return _few(self.points)


@dataclass(frozen=True)
class Abbreviations(Part):
    """What short forms stand for, in alphabetical order.

    Parameters
    ----------
    meanings : mapping of str to str
        Each short form with its meaning.

    Examples
    --------
    >>> import crewe as cw
    >>> short = cw.report.Abbreviations({"CIN": "child in need"})
    >>> "child in need" in cw.Report("Crewe").add(short).html
    True
    """

    heading: ClassVar[str] = "Abbreviations"
    meanings: Mapping[str, str] = field(default_factory=dict)

    def blocks(self) -> list[Block]:
        """Give it as blocks of a document."""
        pairs: list[tuple[str, Runs]] = [
            (short, plain(meaning))
            for short, meaning in sorted(self.meanings.items(), key=lambda pair: pair[0].casefold())
        ]
        return [Facts(tuple(pairs), "versions")]


@dataclass(frozen=True)
class Funding(Part):
    """Who paid, with what part in the trial, and who has an interest (CONSORT 2025, item 5).

    Parameters
    ----------
    funder : str
        Who paid.
    role : str
        What part the funder had in design, conduct, analysis and reporting.
    interests : str
        Financial and other interests of the authors.

    Examples
    --------
    >>> import crewe as cw
    >>> funding = cw.report.Funding(funder="Department for Education", interests="None.")
    >>> "Department for Education" in cw.Report("Crewe").add(funding).html
    True
    """

    heading: ClassVar[str] = "Funding and interests"
    funder: str = ""
    role: str = ""
    interests: str = ""

    def blocks(self) -> list[Block]:
        """Give it as blocks of a document."""
        return [
            _facts(
                [
                    ("Funder", self.funder),
                    ("Role of the funder", self.role),
                    ("Interests", self.interests),
                ]
            )
        ]
