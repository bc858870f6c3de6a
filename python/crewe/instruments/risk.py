"""A risk matrix whose weights are data: totals at each time, change by arm, prevalence.

Notes
-----
A present risk factor adds its weight (negative), a present protective factor its own (positive),
and engagement its value. The total is risk, protection and engagement together; less is worse.

The weights of the Project Crewe report are -2 and 2 where it prints bold, which is lost in the copy
at hand: all of them are 1 in size here and marked uncertain. Give others with
:meth:`Framework.with_weights`; ``low`` and ``high`` bound the totals over every choice of 1 or 2,
and :meth:`Change.bounds` the difference in differences.

Heal, J., Nolan, M. and Sanders, M. (2017), Project Crewe: research report, Department for
Education, DFE-RR580, Appendix 3.
"""

from __future__ import annotations

import importlib.resources
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from crewe import _core
from crewe.exceptions import InputError, fault, said
from crewe.files import toml
from crewe.frames.source import Source
from crewe.instruments import _risk_reading, _risk_scores
from crewe.instruments._answers import nearest
from crewe.instruments._risk_scores import MEASURES, Change, Scores
from crewe.tables.display import Table
from crewe.tables.printable import Printable

__all__ = ["MEASURES", "Change", "Factor", "Framework", "Scores"]

_KINDS = ("risk", "protective", "engagement")


@dataclass(frozen=True)
class Factor:
    """One line of the matrix.

    Attributes
    ----------
    code : str
        The name used in data.
    kind : {"risk", "protective", "engagement"}
        What it counts towards.
    label : str
        Its name for readers.
    group : str
        Whom it describes.
    weight : float
        Its weight: 0 or less for risk, 0 or more for protection; 1 for engagement.
    weight_uncertain : bool
        Whether the weight may be ``alternative`` instead.
    alternative : float
        The other weight; twice the weight unless the file says otherwise.
    applies : str
        To whom it applies; for the reader, not enforced.
    """

    code: str
    kind: str
    label: str
    group: str = ""
    weight: float = 1.0
    weight_uncertain: bool = False
    alternative: float = 1.0
    applies: str = ""


@dataclass(frozen=True, repr=False)
class Framework(Printable):
    """A risk matrix.

    Attributes
    ----------
    title, source : str
        What it is and where it was published.
    factors : tuple of Factor
        The lines.
    scale : dict of str to float
        The labels of engagement and their values.
    """

    title: str
    source: str
    factors: tuple[Factor, ...]
    scale: Mapping[str, float]

    @classmethod
    def project_crewe(cls) -> Framework:
        """Give the matrix of the Project Crewe report, every weight 1 in size and uncertain.

        Examples
        --------
        >>> import crewe as cw
        >>> framework = cw.risk.Framework.project_crewe()
        >>> len(framework.factors), framework.factor("parent_mental_health").weight
        (31, -1.0)
        """
        data = importlib.resources.files("crewe.instruments") / "data" / "risk_framework.toml"
        return cls._parse(data.read_text(encoding="utf-8"), "risk_framework.toml")

    @classmethod
    def from_toml(cls, path: str | Path) -> Framework:
        """Read a matrix from a TOML file.

        Parameters
        ----------
        path : str or Path
            A file with ``title``, ``source``, one ``[[scale]]`` (value, label, aliases) for each
            level of engagement and one ``[[factor]]`` for each line: code, kind, label, group,
            weight, weight_uncertain, alternative, applies.

        Raises
        ------
        InputError
            Where the file is not TOML or a line is wrong.
        """
        return cls._parse(toml.text_of(path), str(path))

    @classmethod
    def _parse(cls, text: str, name: str) -> Framework:
        data = toml.read(text, name, "Start from the matrix that comes with crewe")
        scale: dict[str, float] = {}
        for level in data.get("scale", []):
            for label in (level["label"], *level.get("aliases", [])):
                if scale.setdefault(str(label), float(level["value"])) != float(level["value"]):
                    raise fault(
                        InputError,
                        f"{name} gives one label of the scale several values",
                        values=[str(label)],
                        remedy="Give each label once",
                    )
        factors = tuple(_factor(line, i) for i, line in enumerate(data.get("factor", [])))
        codes = [factor.code for factor in factors]
        twice = sorted({code for code in codes if codes.count(code) > 1})
        if twice or not factors:
            raise fault(
                InputError,
                "codes occur more than once" if twice else f"{name} has no [[factor]]",
                values=twice,
                remedy="Give each factor one line",
            )
        if any(factor.kind == "engagement" for factor in factors) and not scale:
            raise fault(
                InputError, f"{name} has engagement but no [[scale]]", remedy="Add its levels"
            )
        return cls(str(data.get("title", name)), str(data.get("source", "")), factors, scale)

    def factor(self, code: str) -> Factor:
        """Give the line of a code; an unknown one is refused with the nearest."""
        for factor in self.factors:
            if factor.code == code:
                return factor
        raise fault(
            InputError,
            f"there is no factor '{code}'",
            values=[code],
            remedy=nearest(code, self.codes),
        )

    @property
    def codes(self) -> list[str]:
        """The codes, in order."""
        return [factor.code for factor in self.factors]

    def with_weights(self, weights: Mapping[str, float]) -> Framework:
        """Give the same matrix with these weights, which then count as certain.

        Raises
        ------
        InputError
            Where a code is unknown, or a weight has the sign of the other kind.

        Examples
        --------
        >>> import crewe as cw
        >>> framework = cw.risk.Framework.project_crewe()
        >>> framework.with_weights({"family_stress": -2}).factor("family_stress").weight
        -2.0
        """
        new = {}
        for code, weight in weights.items():
            factor = self.factor(code)
            if factor.kind == "engagement":
                raise fault(
                    InputError,
                    "engagement is scored by its own values and has no weight",
                    values=[code],
                    remedy="Change the values of the scale in the TOML file",
                )
            value = _weight(weight, factor.kind, code)
            new[code] = replace(factor, weight=value, alternative=value, weight_uncertain=False)
        return replace(self, factors=tuple(new.get(f.code, f) for f in self.factors))

    def score(
        self,
        frame: Any,
        case: str = "case_id",
        time: str = "time",
        code: str | None = None,
        value: str | None = None,
        *,
        times: Sequence[Any] | None = None,
        missing: Literal["refuse", "absent"] = "refuse",
    ) -> Scores:
        """Score the assessments of cases at two or more times.

        Parameters
        ----------
        frame : data frame
            Long, one row a case, time and factor seen; or wide, one row a case and time with a
            column for each code.
        case, time : str
            The columns of the case and of the time.
        code : str, optional
            The column of the codes, which makes the frame long: a factor without a row is absent.
        value : str, optional
            In a long frame the column of the values: 1 or 0, present or absent, yes or no, and for
            engagement 2, 1, -1, -2 or their labels. Without it every row means present.
        times : sequence, optional
            The times in order. Needed for times in words, unless they are an ordered category;
            numbers and dates are sorted.
        missing : {"refuse", "absent"}
            What an empty cell or a missing column of a wide frame means for risk and protective
            factors. Engagement that is not recorded always adds nothing, with a note.

        Returns
        -------
        Scores

        Raises
        ------
        InputError
            Where a code is unknown (the nearest are named), a value is off its scale, or a case has
            two rows for the same thing.

        Examples
        --------
        >>> import pandas as pd
        >>> import crewe as cw
        >>> seen = pd.DataFrame({
        ...     "case_id": [1, 1, 1], "time": [0, 0, 1],
        ...     "code": ["family_stress", "engagement_parent", "parent_empathy"],
        ...     "value": ["present", "compliant", "present"],
        ... })
        >>> scores = cw.risk.Framework.project_crewe().score(seen, code="code", value="value")
        >>> scores.frame["total"].tolist()
        [0.0, 1.0]
        """
        if missing not in ("refuse", "absent"):
            raise fault(
                InputError,
                f"'{missing}' is no rule for missing values",
                remedy="Use 'refuse' or 'absent'",
            )
        source = Source(frame)
        read = (
            _risk_reading.wide(self, source, case, time, times, missing)
            if code is None
            else _risk_reading.long(self, source, case, time, times, code, value)
        )
        return _risk_scores.build(self, source, read)

    def _factors(self) -> _core.RiskFactors:
        """Give the factors as the core takes them."""
        return _core.RiskFactors(
            [factor.kind for factor in self.factors],
            np.array([factor.weight for factor in self.factors]),
            np.array([f.alternative if f.weight_uncertain else f.weight for f in self.factors]),
        )

    def _table(self) -> Table:
        uncertain = any(factor.weight_uncertain for factor in self.factors)
        return Table(
            ["code", "kind", "weight", "applies to"],
            [
                [
                    f.code,
                    f.kind,
                    "scale"
                    if f.kind == "engagement"
                    else f"{f.weight:+g}{' ?' * f.weight_uncertain}",
                    f.applies,
                ]
                for f in self.factors
            ],
            title=self.title,
            notes=[self.source, *(["? uncertain: may be the alternative."] if uncertain else [])],
            align="llrl",
        )

    def _panels(self) -> list[Table]:
        return [self._table()]


def _weight(value: Any, kind: str, code: str) -> float:
    try:
        weight = float(value)
    except (TypeError, ValueError):
        weight = float("nan")
    if not np.isfinite(weight) or (weight > 0 if kind == "risk" else weight < 0):
        raise fault(
            InputError,
            f"the weight of '{code}' is wrong: {kind} factors weigh 0 or "
            f"{'less' if kind == 'risk' else 'more'}",
            values=[str(value)],
            remedy="Give the weight the sign of its kind",
        )
    return weight


def _factor(line: Mapping[str, Any], i: int) -> Factor:
    code, kind = str(line.get("code", "")), str(line.get("kind", ""))
    unknown = sorted(set(line) - {name for name in Factor.__dataclass_fields__})
    if not code or kind not in _KINDS or unknown:
        raise fault(
            InputError,
            f"line {i + 1} of the framework is wrong",
            values=[code or "no code", kind or "no kind", *unknown],
            remedy=f"Give code and kind ({', '.join(_KINDS)}), and no other fields than "
            f"{', '.join(Factor.__dataclass_fields__)}",
        )
    engagement = kind == "engagement"
    weight = (
        1.0 if engagement else _weight(line.get("weight", -1 if kind == "risk" else 1), kind, code)
    )
    uncertain = line.get("weight_uncertain", False)
    if not isinstance(uncertain, bool):
        raise fault(
            InputError,
            f"weight_uncertain of '{code}' is neither true nor false",
            values=[said(uncertain)],
            remedy="Write true or false without quotation marks",
        )
    uncertain = uncertain and not engagement
    other = _weight(line.get("alternative", 2 * weight), kind, code) if uncertain else weight
    return Factor(
        code=code,
        kind=kind,
        label=str(line.get("label", code)),
        group=str(line.get("group", "")),
        weight=weight,
        weight_uncertain=uncertain,
        alternative=other,
        applies=str(line.get("applies", "")),
    )
