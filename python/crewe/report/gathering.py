"""What the end of a report gathers from its sections: notes and warnings, methods, versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from crewe.report.document import Block, Facts, Paragraph, Run, Runs, Section, Subheading
from crewe.report.words import plain, points, runs


@dataclass
class Gathered(Section):
    """A section with what is said of its results elsewhere."""

    methods: list[tuple[str, list[str]]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    warned: list[str] = field(default_factory=list)


def notes(sections: Sequence[Gathered]) -> list[Block]:
    """Point to the tables that warnings stand under, and give those that stand under none."""
    rows: list[tuple[Runs, tuple[Runs, ...]]] = []
    for section in sections:
        if not (section.warned or section.notes):
            continue
        words: list[Run] = [Run(section.heading or "Summary", link=f"#{section.slug}")]
        places = list(dict.fromkeys(section.warned))
        for i, place in enumerate(places):
            joint = ": under " if i == 0 else " and " if i == len(places) - 1 else ", "
            link = f"#{place.lower().replace(' ', '-')}"
            words += [Run(joint), Run(place, link=link)]
        words.append(Run("."))
        own = tuple(plain(note) for note in dict.fromkeys(section.notes))
        rows.append((tuple(words), own))
    if not rows:
        return []
    listing = points([])
    return [
        Paragraph(plain("What the results themselves warn of, and where it stands.")),
        replace(listing, items=tuple(rows)),
    ]


def methods(sections: Sequence[Gathered]) -> list[Block]:
    """Group the sentences by section; a result that says nothing new is left out.

    Of one that differs from an earlier one in a sentence or two only these are said.
    """
    said: list[tuple[str, list[str]]] = []
    blocks: list[Block] = []
    for section in sections:
        fresh: list[Block] = []
        for place, sentences in section.methods:
            own = list(dict.fromkeys(sentences))
            new = [one for one in own if not any(one in others for _, others in said)]
            if not new:
                continue
            like, theirs = max(
                said, key=lambda other: len(set(own) & set(other[1])), default=("", [])
            )
            shared = [one for one in own if one in theirs]
            short = len(shared) > 1 and len(new) + len(shared) == len(own)
            shown = [*new, f"Otherwise as {like}."] if short else own
            said.append((place, own))
            first = (Run(f"{place}.", bold=True), Run(" ")) if place else ()
            words = runs(" ".join(shown), links=False)
            fresh.append(Paragraph((*first, *words)))
        if fresh:
            blocks += [Subheading(plain(section.heading or "Summary")), *fresh]
    return blocks


def software_used(software: Mapping[str, str]) -> list[Block]:
    """Name the software with its versions."""
    return [
        Paragraph(
            plain(
                "The versions that made this report. The arithmetic of crewe is done in its Rust core."
            )
        ),
        Facts(tuple((name, plain(version)) for name, version in software.items()), "versions"),
    ]
