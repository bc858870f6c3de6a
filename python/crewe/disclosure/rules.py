"""Rules of disclosure: which counts are small, and what is done about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from crewe.disclosure import guidance
from crewe.disclosure.guidance import Guidance
from crewe.exceptions import InputError, fault
from crewe.frames.arguments import check_methods

if TYPE_CHECKING:
    from crewe.disclosure.protect import Protected

CONFIDENTIAL = "[c]"
"""What stands in place of a count that is left out."""

LOW = "[low]"
"""What stands in place of a count that rounds to 0 and is not 0."""


@dataclass(frozen=True)
class Rule:
    """How small counts are protected.

    Attributes
    ----------
    threshold : int
        Counts below it, zeros among them, are left out, and so is what gives them away: no reader can
        bound what was left out to fewer values than this.
    base : int
        What published counts are rounded to, each by itself, totals too; 1 leaves them as they are.
    structural : sequence of mappings
        Zeros that cannot be anything else, by dimension and level: `[{"age": "0 to 4", "school":
        "secondary"}]`. Only these are shown as 0.
    cost : {"cells", "counts"}
        What is kept small by the choice of further cells: their number, or the people in them.
    differences : bool
        Whether differences under the threshold between two published counts of the same group, as
        between tables with and without missing values, or between numbers at risk, are protected
        too; otherwise they are noted.
    sources : tuple of Guidance
        Where the rule was read.

    Examples
    --------
    >>> import crewe as cw
    >>> few = cw.crosstab("race ~ mar", cw.datasets.rossi().head(40))
    >>> print(cw.disclosure.Rule().protect(few))
    race by mar
    <BLANKLINE>
           married  not married
    ───────────────────────────
    black      [c]          [c]
    other      [c]          [c]
    all          5           35
    <BLANKLINE>
    [c]: suppressed to protect confidentiality.
    """

    threshold: int = 5
    base: int = 1
    structural: Sequence[Mapping[str, str]] = ()
    cost: Literal["cells", "counts"] = "cells"
    differences: bool = False
    sources: tuple[Guidance, ...] = field(default=(guidance.SYMBOLS,), repr=False)

    def __post_init__(self) -> None:
        for name in ("threshold", "base"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise fault(
                    InputError,
                    f"{name}= is a whole number from 1 upwards",
                    values=[repr(value)],
                    remedy="Counts under 5, or under 10, are small; rounding is to 5 or to 10",
                )
        if self.cost not in ("cells", "counts"):
            raise fault(
                InputError,
                "cost= is 'cells' or 'counts'",
                values=[repr(self.cost)],
                remedy="Keep the number of cells small, or the people in them",
            )
        listed = [self.structural] if isinstance(self.structural, Mapping) else self.structural
        if isinstance(listed, str) or not all(isinstance(one, Mapping) and one for one in listed):
            raise fault(
                InputError,
                "structural= is a list of mappings from a dimension to a level",
                remedy="Write for instance structural=[{'age': '0 to 4', 'school': 'secondary'}]",
            )
        object.__setattr__(self, "structural", tuple(dict(one) for one in listed))

    def protect(self, *results: Any, published: Sequence[Any] = ()) -> Protected:
        """Protect the counts of results that are published together.

        Counts below the threshold are left out (primary suppression), and then as few others as
        keep a reader from bounding any of them to fewer values than the threshold, from all that
        is published together: margins, other tables that share them, and shares (secondary
        suppression). Shares, means and other numbers that give a suppressed count away go with it,
        as do values of single people (minimum, maximum, quantiles of a group). With `base=` the counts that are left are rounded.

        Parameters
        ----------
        *results : results, tables, or lists and mappings of them
            Whatever prints tables whose cells are counts: crosstab, describe, balance, consort,
            compare_rates, kaplan_meier, and :func:`tabulated` for frames of counts.
        published : sequence of the same
            What has been published before with the same groups, as it was: nothing of it can be
            left out any more, and all of it is known to readers.

        Returns
        -------
        Protected

        Raises
        ------
        InputError
            For what has no tables, for counts that are negative or fractional, parts that do not
            add up, and where what was published already gives a small count away.
        CreweError
            Where scipy is not installed.
        """
        from crewe.disclosure.protect import protect

        return protect(self, results, published)

    def zero_is_structural(self, at: Sequence[tuple[str, str]]) -> bool:
        """Say whether a zero at these levels is one that was declared."""
        return any(
            set((str(name), str(level)) for name, level in one.items()) <= set(at)
            for one in self.structural
        )


check_methods(Rule)

DFE = Rule(
    threshold=6,
    sources=(
        guidance.SYMBOLS,
        guidance.DFE_SYMBOLS,
        guidance.CHILDREN_IN_NEED,
        guidance.CHILDREN_LOOKED_AFTER,
    ),
)
"""The Department for Education's releases on children's services: 1 to 5 are suppressed.

National and regional figures are rounded to 10 as well: `dataclasses.replace(DFE, base=10)`. The releases
show zeros; here, as in every rule, only those that are declared structural are shown.
"""

SRS = Rule(
    threshold=10,
    differences=True,
    sources=(
        guidance.SYMBOLS,
        guidance.SRS_CHECKING,
        guidance.SRS_THRESHOLD,
        guidance.SRS_OUTPUTS,
    ),
)
"""The Secure Research Service of the Office for National Statistics: counts under 10.

Its staff decide in context what leaves the service; what this rule passes can still be refused.
"""
