"""Whether the house stands: no circle of imports between modules, no arrow uphill between folders.

Reads `use` and paths of the Rust crates and the imports at module level of the Python package, without building
either. Run as a script it prints what is wrong and fails; `tests/python/test_house.py` asks it the same.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

Arrow = tuple[str, str]
Arrows = dict[str, set[str]]

# The folders and files at the top of src/, from the ground up: each may use what stands on a lower floor.
FLOORS = [
    ["error"],
    ["codes", "json", "progress", "rng", "setters", "words"],
    ["dist", "linalg", "ties"],
    ["moments"],
    ["design"],
    ["inference", "ledger"],
    ["nonparametric", "power", "instruments", "regression"],
    ["icc", "survival"],
    ["resampling"],
    ["simulate"],
]

# The same for the rooms within a folder.
INNER = {"design": [["units"], ["engine", "wording"], ["procedures"], ["drawn"]]}

# Folders whose front is a registry: it knows the files behind it, and they know nothing of it.
REGISTRIES = ["design::procedures", "resampling::statistics", "simulate::outcomes"]

# The same for the folders of the package; `__init__`, which shows them all, stands above.
ROOMS = [
    ["_core", "exceptions"],
    ["files", "frames", "parallel"],
    ["formula", "tables"],
    ["plots"],
    ["design"],
    ["ledger", "models"],
    ["comparisons", "survival"],
    ["disclosure", "resampling", "power", "instruments", "cost", "results"],
    ["report", "datasets"],
    ["__main__"],
]

# What may stand at the top of the package.
TOP = {"__init__.py", "__main__.py", "_core.pyi", "exceptions.py", "py.typed"}

# Arrows that still close a circle. Nothing is added here; who removes an arrow takes its line away.
KNOWN: dict[str, set[Arrow]] = {
    "src": {
        ("ledger::rules", "ledger::state"),
        # The contract names the covariances that it may refuse, and these are made from it.
        ("inference::fitted", "inference::vcov"),
        ("inference::rows", "inference::vcov"),
        # A covariance answers joint tests, and these are made from it.
        ("inference::vcov", "inference::covariance"),
        ("inference::wald", "inference::covariance"),
        ("inference::wald", "inference::vcov"),
        # A Cox fit gives its clusters to inference.
        ("survival::cox_clusters", "survival::cox"),
    },
    # A topic has a grid and a page.
    "evidence/src": {("grid", "page")},
    "python/src": set(),
}

CRATES = tuple(KNOWN)
PACKAGE = "python/crewe"


# Rust


_NOT_CODE = re.compile(
    r"//[^\n]*|/\*.*?\*/|\br(#*)\".*?\"\1|\"(?:\\.|[^\"\\])*\"|'(?:\\[^']+|[^\\'])'", re.DOTALL
)
_TEST_ONLY = re.compile(r"#\[cfg\(test\)\]\s*")
_TEST_MODULE = re.compile(r"#\[cfg\(test\)\]\s*(?:pub(?:\([^)]*\))?\s+)?mod\s+(\w+)\s*;")
_USE = re.compile(r"\b(pub(?:\([^)]*\))?\s+)?use\s+([^;]+);")
_PATH = re.compile(r"(?<![\w:])(\w+)((?:::\w+)+)")
_NAME = re.compile(r"\b\w+\b")


@dataclass
class Source:
    """One file of a crate: what it imports, what it hands on, and the words of its body."""

    imports: list[tuple[str, ...]] = field(default_factory=list)
    handed_on: dict[str, tuple[str, ...]] = field(default_factory=dict)
    globs: list[tuple[str, ...]] = field(default_factory=list)
    body: str = ""

    def defines(self, name: str) -> bool:
        """Whether a thing of this name is defined here."""
        kinds = "const|enum|fn|static|struct|trait|type|union"
        return re.search(rf"\b(?:{kinds}) {re.escape(name)}\b", self.body) is not None


def _without_tests(code: str) -> str:
    """Leave out every item under `#[cfg(test)]`."""
    kept, at = [], 0
    for found in _TEST_ONLY.finditer(code):
        if found.start() < at:
            continue
        kept.append(code[at : found.start()])
        at = _end_of_item(code, found.end())
    return "".join([*kept, code[at:]])


def _end_of_item(code: str, start: int) -> int:
    depth = 0
    for place in range(start, len(code)):
        letter = code[place]
        depth += (letter == "{") - (letter == "}")
        if depth == 0 and letter in ";}":
            return place + 1
    return len(code)


def _branches(tree: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Give every path of a `use` tree with the name under which it is known."""
    before, brace, inside = tree.partition("{")
    if brace:
        stem = tuple(part for part in before.strip().split("::") if part)
        for branch in _split(inside.rstrip()[:-1]):
            for path, name in _branches(branch):
                path = path[:-1] if path[-1] == "self" else path
                yield stem + path, name if name != "self" else stem[-1]
    elif tree.strip():
        path, _, alias = tree.strip().partition(" as ")
        parts = tuple(part.strip() for part in path.split("::"))
        yield parts, alias.strip() or parts[-1]


def _split(inside: str) -> list[str]:
    """Split at the commas that stand outside braces."""
    parts, depth, last = [], 0, 0
    for place, letter in enumerate(inside):
        depth += (letter == "{") - (letter == "}")
        if letter == "," and depth == 0:
            parts.append(inside[last:place])
            last = place + 1
    return [part for part in [*parts, inside[last:]] if part.strip()]


def _read(text: str) -> Source:
    code = _without_tests(_NOT_CODE.sub(" ", text))
    source = Source(body=_USE.sub(" ", code))
    for public, tree in _USE.findall(code):
        for path, name in _branches(" ".join(tree.split())):
            if public and name == "*":
                source.globs.append(path[:-1])
            elif public:
                source.handed_on[name] = path
            else:
                source.imports.append(path)
    source.imports += [
        (first, *rest.strip(":").split("::")) for first, rest in _PATH.findall(source.body)
    ]
    return source


class Crate:
    """The modules of a crate, one a file, and the arrows between them."""

    def __init__(self, folder: Path) -> None:
        texts = {
            self._module(path.relative_to(folder)): path.read_text("utf-8")
            for path in sorted(folder.rglob("*.rs"))
            if path.name != "main.rs"
        }
        tests = {
            (*module, name) for module, text in texts.items() for name in _TEST_MODULE.findall(text)
        }
        self.sources = {
            module: _read(text) for module, text in texts.items() if module not in tests
        }

    @staticmethod
    def _module(path: Path) -> tuple[str, ...]:
        parts = path.with_suffix("").parts
        return parts[:-1] if parts[-1] in ("mod", "lib") else parts

    def _home(self, path: tuple[str, ...], within: tuple[str, ...]) -> tuple[str, ...] | None:
        """Find the module in which a path, read within a module, has its definition."""
        first, rest = path[0], path[1:]
        if first == "crate":
            place: tuple[str, ...] = ()
        elif first == "self":
            place = within
        elif first == "super":
            place = within[:-1]
        elif (*within, first) in self.sources:
            place, rest = (*within, first), rest
        else:
            return None
        return self._follow(place, rest)

    def _follow(self, place: tuple[str, ...], rest: tuple[str, ...]) -> tuple[str, ...] | None:
        while rest:
            if rest[0] == "super":
                place = place[:-1]
            elif (*place, rest[0]) in self.sources:
                place = (*place, rest[0])
            elif (to := self.sources[place].handed_on.get(rest[0])) is not None:
                return self._home((*to, *rest[1:]), place)
            elif (behind := self._behind_a_glob(place, rest[0])) is not None:
                return self._follow(behind, rest)
            else:
                break
            rest = rest[1:]
        return place

    def _behind_a_glob(self, place: tuple[str, ...], name: str) -> tuple[str, ...] | None:
        """Find the module that a file hands on whole and that knows this name."""
        for glob in self.sources[place].globs:
            module = self._home(glob, place)
            source = self.sources.get(module) if module else None
            if source and (
                (*module, name) in self.sources or name in source.handed_on or source.defines(name)
            ):
                return module
        return None

    @cached_property
    def arrows(self) -> Arrows:
        """From every module to the modules that define what it uses, wherever it is handed on from."""
        return {
            self._said(module): {self._said(home) for home in self._homes(module)}
            - {self._said(module)}
            for module in self.sources
            if module
        }

    def _homes(self, module: tuple[str, ...]) -> set[tuple[str, ...]]:
        source = self.sources[module]
        words = set(_NAME.findall(source.body))
        used = [path for name, path in source.handed_on.items() if name in words]
        homes = {self._home(path, module) for path in [*source.imports, *used]}
        # The file at the front of a folder shows the rooms behind it: it is not made of them.
        return {home for home in homes if home and home[: len(module)] != module}

    @staticmethod
    def _said(module: tuple[str, ...]) -> str:
        return "::".join(module)


def uphill(arrows: Arrows, floors: list[list[str]] = FLOORS, mark: str = "::") -> list[str]:
    """Say which arrows between folders do not go down, and which folders have no floor."""
    level = {room: floor for floor, rooms in enumerate(floors) for room in rooms}
    wrong = []
    for start, ends in sorted(arrows.items()):
        room = start.split(mark)[0]
        if room not in level:
            wrong.append(f"{room} stands on no floor: give it one in FLOORS of tests/house.py")
            continue
        for end in sorted(ends):
            other = end.split(mark)[0]
            if other != room and level.get(other, len(floors)) >= level[room]:
                wrong.append(f"{start} -> {end} does not go down a floor")
    return wrong


def inside(arrows: Arrows, room: str) -> Arrows:
    """Give the arrows between the modules within a room, by their names there."""
    within = f"{room}::"
    return {
        start.removeprefix(within): {
            end.removeprefix(within) for end in ends if end.startswith(within)
        }
        for start, ends in arrows.items()
        if start.startswith(within)
    }


def to_registries(arrows: Arrows, registries: list[str] = REGISTRIES) -> list[str]:
    """Say which files know the registry that knows them."""
    return [
        f"{start} -> {registry}: a file of a registry knows nothing of it"
        for registry in registries
        for start, ends in sorted(arrows.items())
        if start.startswith(f"{registry}::") and registry in ends
    ]


# Python


def imports_of(tree: ast.Module) -> Iterator[ast.Import | ast.ImportFrom]:
    """Give the imports that run when a module is first imported."""
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)


def package_arrows(folder: Path) -> Arrows:
    """From every module of a package to the modules of it that importing it imports."""
    files = {_dotted(path.relative_to(folder.parent)): path for path in folder.rglob("*.py")}
    arrows: Arrows = {}
    # The compiled core, of which only the stub is a file here.
    files |= {_dotted(path.relative_to(folder.parent)): path for path in folder.rglob("*.pyi")}
    for name, path in files.items():
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        arrows[name] = set()
        for node in imports_of(ast.parse(path.read_text("utf-8"))):
            arrows[name] |= {target for target in _targets(node, package, files)} - {name}
    return arrows


def _dotted(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _targets(
    node: ast.Import | ast.ImportFrom, package: str, files: dict[str, Path]
) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name in files)
        return
    base = node.module or ""
    if node.level:
        above = package.split(".")[: len(package.split(".")) - node.level + 1]
        base = ".".join([*above, base] if base else above)
    for alias in node.names:
        inner = f"{base}.{alias.name}"
        if inner in files or base in files:
            yield inner if inner in files else base


# Circles


def circles(arrows: Arrows) -> list[list[str]]:
    """Give the sets of modules that reach one another (Tarjan 1972), each in order of name."""
    found: list[list[str]] = []
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []

    def visit(module: str) -> None:
        number[module] = low[module] = len(number)
        stack.append(module)
        for other in sorted(arrows.get(module, ())):
            if other not in number:
                visit(other)
                low[module] = min(low[module], low[other])
            elif other in stack:
                low[module] = min(low[module], number[other])
        if low[module] == number[module]:
            place = stack.index(module)
            if len(stack) - place > 1:
                found.append(sorted(stack[place:]))
            del stack[place:]

    for module in sorted(arrows):
        if module not in number:
            visit(module)
    return found


def without(arrows: Arrows, left_out: set[Arrow]) -> Arrows:
    """Leave arrows out."""
    return {
        start: {end for end in ends if (start, end) not in left_out}
        for start, ends in arrows.items()
    }


def stale(arrows: Arrows, known: set[Arrow]) -> list[str]:
    """Say which known arrows close no circle any more."""
    return [
        f"{start} -> {end} closes no circle any more: take it out of KNOWN in tests/house.py"
        for start, end in sorted(known)
        if not any({start, end} <= set(circle) for circle in circles(arrows))
        or end not in arrows.get(start, ())
    ]


def _circle(modules: list[str], arrows: Arrows) -> str:
    inside = [
        f"{start} -> {end}" for start in modules for end in sorted(arrows[start] & set(modules))
    ]
    return "a circle: " + ", ".join(inside)


def crate_faults(name: str) -> list[str]:
    """Say what is wrong in a crate of this repository."""
    arrows = Crate(ROOT / name).arrows
    open_now = without(arrows, KNOWN[name])
    wrong = [_circle(modules, open_now) for modules in circles(open_now)]
    wrong += stale(arrows, KNOWN[name])
    if name == "src":
        wrong += uphill(arrows) + to_registries(arrows)
        for room, floors in INNER.items():
            wrong += uphill(inside(arrows, room), floors)
    return wrong


def package_faults() -> list[str]:
    """Say what is wrong in the Python package."""
    arrows = package_arrows(ROOT / PACKAGE)
    wrong = [_circle(modules, arrows) for modules in circles(arrows)]
    inside = {
        start.partition(".")[2]: {end.partition(".")[2] for end in ends}
        for start, ends in arrows.items()
        if "." in start
    }
    wrong += uphill(inside, ROOMS, ".")
    top = {path.name for path in (ROOT / PACKAGE).iterdir() if path.suffix in (".py", ".pyi")}
    return wrong + [f"{name} stands at the top: give it a room" for name in sorted(top - TOP)]


def main() -> int:
    """Print every fault with the place where it is."""
    faults = [f"{name}: {fault}" for name in CRATES for fault in crate_faults(name)]
    faults += [f"{PACKAGE}: {fault}" for fault in package_faults()]
    print("\n".join(faults), end="\n" if faults else "")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
