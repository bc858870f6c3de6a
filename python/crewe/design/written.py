"""A design as TOML: written without its seed, and read back as what declares it."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from crewe.design.methods import from_table
from crewe.exceptions import DesignError, fault
from crewe.files import toml

if TYPE_CHECKING:
    from crewe.design.design import Design

ALGORITHM = "crewe/1"


def _text(value: Any) -> str:
    # JSON's escapes are TOML's; only DEL must be escaped in TOML alone.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def toml_of(design: Design) -> str:
    """Write a design as TOML, never with the seed."""
    lines = [f'algorithm = "{ALGORITHM}"', f"name = {_text(design.name)}"]
    if design.cluster is not None:
        lines.append(f"cluster = {_text(design.cluster)}")
    if design.unit is not None:
        lines.append(f"unit = {_text(design.unit)}")
    lines.append(f"strata = [{', '.join(_text(name) for name in design.strata)}]")
    for name, noun in (("unit_noun", design._unit_noun), ("member_noun", design._member_noun)):
        if noun is not None:
            lines.append(f"{name} = [{_text(noun.one)}, {_text(str(noun))}]")
    lines += ["", "[method]", f"name = {_text(design.method.name)}"]
    # Lists of numbers and text are written alike in JSON and TOML.
    lines += [f"{key} = {_text(value)}" for key, value in design.method.options().items()]
    for arm, ratio in design._arms:
        lines += ["", "[[arms]]", f"name = {_text(arm)}", f"ratio = {ratio}"]
        if arm in design.labels:
            lines.append(f"label = {_text(design.labels[arm])}")
    return "\n".join(lines) + "\n"


def read_toml(source: str | os.PathLike[str]) -> dict[str, Any]:
    """Read what declares a design, all but the seed; see :meth:`crewe.Design.from_toml`."""
    content = source if isinstance(source, str) else toml.text_of(source, DesignError)
    table = toml.read(
        content,
        "this",
        "Pass the text that to_toml() wrote, or a pathlib.Path to its file",
        kind=DesignError,
    )
    known = {"algorithm", "name", "cluster", "unit", "strata", "method", "arms"}
    known |= {"unit_noun", "member_noun"}
    wrong = sorted(set(table) - known) + sorted({"algorithm", "name", "arms"} - set(table))
    if wrong:
        raise fault(
            DesignError,
            "entries of the file are unknown or missing",
            values=wrong,
            remedy=f"A design has the entries {', '.join(sorted(known))}; the seed is passed as seed=",
        )
    if table["algorithm"] != ALGORITHM:
        raise fault(
            DesignError,
            "the design was written for another algorithm of randomisation",
            values=[str(table["algorithm"])],
            remedy=f"This version draws {ALGORITHM}; use the version of crewe that wrote the file",
        )
    method = from_table(table.get("method", {"name": "complete"}))
    arms = table["arms"]
    if not isinstance(arms, list) or any(
        not isinstance(arm, dict)
        or set(arm) - {"label"} != {"name", "ratio"}
        or not isinstance(arm["name"], str)
        for arm in arms
    ):
        raise fault(
            DesignError,
            "every arm needs a name and a ratio, may have a label, and nothing else",
            values=[str(arms)],
            remedy="Write [[arms]] with name and ratio for each arm",
        )
    names = [arm["name"] for arm in arms]
    if len(set(names)) < len(names):
        raise fault(
            DesignError,
            "two arms have the same name",
            values=names,
            remedy="Rename one of them",
        )
    return {
        "name": table["name"],
        "arms": {arm["name"]: arm["ratio"] for arm in arms},
        "cluster": table.get("cluster"),
        "unit": table.get("unit"),
        "strata": table.get("strata", ()),
        "method": method,
        "unit_noun": table.get("unit_noun"),
        "member_noun": table.get("member_noun"),
        "labels": {arm["name"]: arm["label"] for arm in arms if "label" in arm},
    }
