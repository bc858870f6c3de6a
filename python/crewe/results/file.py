"""What the file of results is called, which version it has, and what it must hold."""

from __future__ import annotations

import importlib.resources
import json
from typing import Any

from crewe.exceptions import InputError, fault

FORMAT = "crewe results"
"""What the file says that it is."""
VERSION = 1
"""The version of its form; a file with another is refused."""

_KINDS: dict[str, type] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "boolean": bool,
}


def schema() -> dict[str, Any]:
    """Give the JSON Schema of the file (draft 2020-12).

    Examples
    --------
    >>> import crewe as cw
    >>> cw.results.schema()["title"]
    'Results of a crewe report'
    """
    text = importlib.resources.files("crewe.results").joinpath(f"results-{VERSION}.schema.json")
    made: dict[str, Any] = json.loads(text.read_text("utf-8"))
    return made


def check(found: Any, where: str) -> dict[str, Any]:
    """Give a file that has been read, where it is what this version of crewe reads.

    Raises
    ------
    InputError
        For another format or version, and where something is missing or is not what the schema says.
    """
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise fault(
            InputError,
            f"{where} is no file of results",
            remedy="Give what Report.save('results.json') wrote",
        )
    if found.get("version") != VERSION:
        raise fault(
            InputError,
            f"{where} has version {found.get('version')!r} of the file of results",
            remedy=f"This crewe reads version {VERSION}; read it with the crewe that wrote it, named under 'software'",
        )
    _check(found, schema(), schema()["$defs"], where, "the file")
    return found


def _check(
    found: Any, wanted: dict[str, Any], defs: dict[str, Any], where: str, place: str
) -> None:
    """Hold a value against as much of a schema as ours uses."""
    if "$ref" in wanted:
        wanted = defs[wanted["$ref"].rpartition("/")[2]]
    kinds = wanted.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(_is(found, kind) for kind in kinds):
        _refuse(where, f"{place} is no {' or '.join(kinds)}")
    if isinstance(found, dict):
        lost = [name for name in wanted.get("required", []) if name not in found]
        if lost:
            _refuse(where, f"{place} has no {', '.join(lost)}")
        known = wanted.get("properties", {})
        for name, value in found.items():
            inner = known.get(name, wanted.get("additionalProperties"))
            if isinstance(inner, dict):
                _check(value, inner, defs, where, f"'{name}' of {place}")
    if isinstance(found, list) and isinstance(wanted.get("items"), dict):
        for i, value in enumerate(found):
            _check(value, wanted["items"], defs, where, f"entry {i + 1} of {place}")


def _is(found: Any, kind: str) -> bool:
    if kind == "null":
        return found is None
    if kind == "number":
        return isinstance(found, int | float) and not isinstance(found, bool)
    if kind == "integer" and isinstance(found, bool):
        return False
    return isinstance(found, _KINDS[kind])


def _refuse(where: str, problem: str) -> None:
    raise fault(
        InputError,
        f"{where} is damaged: {problem}",
        remedy="Save it again with Report.save, or compare it with crewe.results.schema()",
    )
