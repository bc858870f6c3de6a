"""What an analysis refuses of its inputs and lines before anything is worked out."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from crewe.cost._declare import ROLES, Input, Line
from crewe.cost._prices import MONEY, refuse_mixed
from crewe.exceptions import InputError, fault


def check(inputs: Iterable[Input], lines: Iterable[Line]) -> None:
    """Refuse negative sums of money, rates over 1, prices of different years and roles that are none."""
    items = list(inputs)
    for item in items:
        if not item.value:
            raise fault(
                InputError,
                f"the input '{item.name}' has no value",
                remedy=f"Give one, or a fit of its measure, as fits={{'{item.measure}': fit}}",
            )
        plain = item.value.strip()
        if item.unit == MONEY and plain.startswith(("-", "−")):
            raise fault(
                InputError,
                f"the cost '{item.name}' is negative",
                values=[item.value],
                remedy="Costs are 0 or more; give a saving as a line, or subtract it in a formula",
            )
        if item.unit == "%" and _over_one(plain):
            raise fault(
                InputError,
                f"the rate '{item.name}' is over 1",
                values=[item.value],
                remedy="Write 72% or 0.72 for 72 of 100; a number of cases has no unit of per cent",
            )
    refuse_mixed(items)
    for line in lines:
        if line.role and line.role not in ROLES:
            raise fault(
                InputError,
                f"the line '{line.name}' has the unknown role '{line.role}'",
                remedy=f"The roles are {', '.join(ROLES)}",
            )


def _over_one(text: str) -> bool:
    plain = text.removesuffix("%").strip().replace(",", "")
    try:
        value = Decimal(plain)
    except ArithmeticError:
        return False  # the core says that it is no number
    return value > (100 if text.endswith("%") else 1)
