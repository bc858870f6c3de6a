"""The randomisation of a closed ledger, drawn again."""

from __future__ import annotations

from crewe.design.assignment import Assignment
from crewe.exceptions import DesignError, fault
from crewe.ledger.ledger import Ledger


def of_ledger(ledger: Ledger) -> tuple[Assignment, list[bool] | None, list[str]]:
    """Give everybody who was drawn, which of them are compared (None: all), and notes.

    Families that came while an arm was full took part in the draw: the arms of those after them
    depend on theirs. So they are drawn again too, and left out of the comparison alone.
    """
    ledger.need_closed()
    compared = ledger.assignment()
    everybody, _ = ledger._assigned(everybody=True)
    paused = any(ledger._inner.flow().refused)
    if len(compared) == len(everybody) and not paused:
        return compared, None, []
    notes = [
        "an arm was full for a time: the test is exact only if the arrivals and the pauses would have "
        "been the same under every assignment"
    ]
    if len(compared) == len(everybody):
        return compared, None, notes
    if compared._aliases:
        raise fault(
            DesignError,
            "families of this ledger were merged, and others came while an arm was full",
            ids=sorted(str(family) for family in compared._aliases),
            remedy="Pass ledger.assignment(), and say in the report that the families who came while an "
            "arm was full are not drawn again",
        )
    inside = set(compared._labels)
    return everybody, [label in inside for label in everybody._labels], notes
