"""Of whom the counts of descriptive tables are, and which of them a mean or a share gives away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crewe.tables.counts import Count, Relation, counted, crossed, shown


@dataclass(frozen=True)
class Group:
    """The counts of a group that was described.

    Attributes
    ----------
    size, lost : Count
        Rows with a value, and without.
    known : tuple of Count
        What its mean gives away: the size, and of noughts and ones how many there are of each.
    """

    size: Count
    lost: Count
    known: tuple[Count, ...]


def described(
    groups: Sequence[Mapping[str, Any]], by: Sequence[str], outcome: str
) -> tuple[list[Group], list[Relation]]:
    """Give the counts of groups, and what adds up to what."""
    found: list[Group] = []
    relations: list[Relation] = []
    for group in groups:
        at = dict(zip(by, group["levels"], strict=True))
        n, gone = group["n"], group["missing"]
        size = counted(n, at)
        lost = counted(gone, {**at, outcome: "missing"}, harmless=gone == 0)
        relations.append(Relation(counted(n + gone, at), (size, lost)))
        known = [size]
        if n and _is_binary(group):
            # The mean of noughts and ones is a count.
            ones = round(n * group["mean"])
            split = (("1", ones), ("0", n - ones))
            known += [counted(k, {**at, outcome: level}) for level, k in split]
            relations.append(Relation(size, tuple(known[1:])))
        found.append(Group(size, lost, tuple(known)))
    if by:
        relations += crossed([group.size for group in found])
    return found, relations


def hidden(groups: Sequence[Group], relations: Sequence[Relation]) -> list[bool]:
    """Say of which groups a figure may not show the mean, where a rule applies."""
    counts = list(dict.fromkeys(count for group in groups for count in group.known))
    values = dict(zip(counts, shown(counts, relations), strict=True))
    return [any(values[count] is None for count in group.known) for group in groups]


def _is_binary(group: Mapping[str, Any]) -> bool:
    """Whether all values are 0 or 1: then, and only then, the squares of values within 0 to 1 add up to their sum."""
    n, mean, sd = group["n"], group["mean"], group["sd"]
    if group["min"] < 0 or group["max"] > 1:
        return False
    squares = (n - 1) * (0.0 if sd != sd else sd) ** 2 + n * mean**2
    return bool(abs(squares - n * mean) <= 1e-9 * n)
