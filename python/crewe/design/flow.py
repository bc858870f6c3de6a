"""The counts of a trial's flow: of whom they are, what they add up to, and how they are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from crewe.design.nouns import Noun
from crewe.tables.counts import Count, Counted, Relation, Told, cell, counted, relations_of, written

Pair = tuple[int, int]
"""A number of units (families) and of rows (children)."""

Typed = tuple[Count, ...]
"""The same as counts that know whose they are; of units alone where these are the rows."""

UNEXPLAINED = "no reason given"


@dataclass(frozen=True)
class ArmFlow:
    """The flow of one arm; every count is (units, rows)."""

    arm: str
    allocated: Pair
    excluded: dict[str, Pair]
    unexplained: Pair
    analysed: Pair
    received: dict[str, Pair] = field(default_factory=dict)
    """What else happened to those allocated: late children, overrides, withdrawals."""

    @property
    def happened(self) -> dict[str, Pair]:
        """What is not nothing of what was received."""
        return {what: count for what, count in self.received.items() if any(count)}

    @property
    def lost(self) -> dict[str, Pair]:
        """What was not analysed, by reason (one given in advance that met nobody too), those without one last."""
        return self.excluded | ({UNEXPLAINED: self.unexplained} if any(self.unexplained) else {})


@dataclass(frozen=True)
class FlowCounts:
    """The counts of a flow, each with its place in it.

    A reason that met nobody says nothing of anybody: its 0 needs no protection.
    """

    flow: Sequence[ArmFlow]
    whole: Pair
    eligible: Pair | None
    left: Mapping[str, Pair]
    unit: Noun
    members: Noun | None

    @property
    def _nouns(self) -> tuple[Noun, ...]:
        return (self.unit,) if self.members is None else (self.unit, self.members)

    def _typed(
        self, pair: Pair, at: Mapping[str, str], stage: str = "", event: bool = False
    ) -> Typed:
        return tuple(
            counted(n, at, f"{noun} {stage}".strip(), harmless=event and n == 0)
            for n, noun in zip(pair, self._nouns, strict=False)
        )

    def randomised(self) -> Typed:
        """All who were randomised."""
        return self._typed(self.whole, {})

    def assessed(self) -> Typed:
        """All who were assessed for eligibility, where that is known."""
        return () if self.eligible is None else self._typed(self.eligible, {}, "assessed")

    def refused(self, why: str) -> Typed:
        """Those not randomised for a reason."""
        return self._typed(self.left[why], {"not randomised": why}, event=True)

    def allocated(self, arm: ArmFlow) -> Typed:
        """Those allocated to an arm."""
        return self._typed(arm.allocated, {"arm": arm.arm})

    def received(self, arm: ArmFlow, what: str) -> Typed:
        """Those of an arm to whom something happened."""
        return self._typed(arm.received[what], {"arm": arm.arm, "received": what}, event=True)

    def lost(self, arm: ArmFlow, why: str) -> Typed:
        """Those of an arm not analysed for a reason."""
        pair = arm.unexplained if why == UNEXPLAINED else arm.excluded[why]
        return self._typed(pair, {"arm": arm.arm, "not analysed": why}, event=True)

    def _reasons(self, arm: ArmFlow) -> list[str]:
        """Give the reasons that are printed: what is not printed is known to have met nobody."""
        told = any(any(one.unexplained) for one in self.flow)
        return [*arm.excluded, *([UNEXPLAINED] if told else [])]

    def analysed(self, arm: ArmFlow) -> Typed:
        """Those of an arm who were analysed."""
        return self._typed(arm.analysed, {"arm": arm.arm}, "analysed")

    @cached_property
    def relations(self) -> list[Relation]:
        """What adds up to what."""
        found = []
        pairs = [self.assessed(), self.randomised(), *map(self.refused, self.left)]
        for k, _ in enumerate(self._nouns):
            if self.eligible is not None:
                parts = [self.randomised(), *map(self.refused, self.left)]
                found.append(Relation(self.assessed()[k], tuple(part[k] for part in parts)))
            arms = tuple(self.allocated(arm)[k] for arm in self.flow)
            found.append(Relation(self.randomised()[k], arms))
        for arm in self.flow:
            lost = [self.lost(arm, why) for why in self._reasons(arm)]
            happened = [self.received(arm, what) for what in arm.received]
            pairs += [self.allocated(arm), self.analysed(arm), *lost, *happened]
            for k, _ in enumerate(self._nouns):
                all_ = self.allocated(arm)[k]
                parts = [*lost, self.analysed(arm)]
                found.append(Relation(all_, tuple(part[k] for part in parts)))
                found += [
                    relations_of(all_, part[k]) for part in happened if part[k].value <= all_.value
                ]
        # There are at least as many rows as units.
        found += [
            relations_of(pair[1], pair[0])
            for pair in pairs
            if len(pair) == 2 and pair[0].value <= pair[1].value
        ]
        return found

    def cell(self, counts: Typed) -> Counted:
        """Give the cell of a table."""
        return cell(*counts, form="{}" if len(counts) == 1 else "{} ({})")

    def before(self) -> list[Counted]:
        """Give the sentence on who was assessed, where that is known."""
        if self.eligible is None:
            return []
        told = [self.assessed(), *map(self.refused, self.left)]
        reasons = "; ".join(f"{_plain(why)}: {{}}" for why in self.left)
        form = "Assessed for eligibility: {}." + (f" Not randomised: {reasons}." if reasons else "")
        return [Counted(form, tuple(Told(self._words(counts), counts) for counts in told))]

    def said(self, counts: Typed) -> str:
        """Write counts in a figure or a sentence, as the rule has them that applies."""
        shown = self._written
        return ", ".join(
            noun.counted(count.value) if shown[count] == str(count) else f"{shown[count]} {noun}"
            for count, noun in zip(counts, self._nouns, strict=False)
        )

    def _words(self, counts: Typed) -> str:
        return ", ".join(
            noun.counted(count.value) for count, noun in zip(counts, self._nouns, strict=False)
        )

    @cached_property
    def _written(self) -> dict[Count, str]:
        pairs = [self.assessed(), self.randomised(), *map(self.refused, self.left)]
        for arm in self.flow:
            pairs += [self.allocated(arm), self.analysed(arm)]
            pairs += [self.lost(arm, why) for why in self._reasons(arm)]
            pairs += [self.received(arm, what) for what in arm.received]
        counts = list(dict.fromkeys(count for pair in pairs for count in pair))
        return dict(zip(counts, written(counts, self.relations), strict=True))


def _plain(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")
