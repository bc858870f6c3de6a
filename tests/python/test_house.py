"""The house stands: imports go one way, pages name files that exist, and the check itself sees what it should."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import crewe as cw
import pytest
from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[2]


def _house() -> ModuleType:
    spec = importlib.util.spec_from_file_location("house", ROOT / "tests" / "house.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["house"] = module
    spec.loader.exec_module(module)
    return module


house = _house()


@pytest.mark.parametrize("crate", house.CRATES)
def test_rust_modules_import_one_way(crate: str) -> None:
    assert house.crate_faults(crate) == []


def test_python_modules_import_one_way() -> None:
    assert house.package_faults() == []


def _crate(folder: Path, files: dict[str, str]) -> dict[str, set[str]]:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    return house.Crate(folder).arrows


def test_what_a_front_door_hands_on_counts_where_it_is_defined(tmp_path: Path) -> None:
    arrows = _crate(
        tmp_path,
        {
            "lib.rs": "mod room; pub use room::Table;",
            "room/mod.rs": "mod table; mod chair; pub use table::{Leg as Foot, Table};",
            "room/table.rs": "pub struct Leg; pub struct Table;",
            "room/chair.rs": "use super::{\n    Foot,\n};\nfn sit() -> crate::Table { todo!() }",
        },
    )
    assert arrows["room::chair"] == {"room::table"}
    assert house.circles(arrows) == []


def test_what_a_front_door_hands_on_whole_counts_where_it_is_defined(tmp_path: Path) -> None:
    arrows = _crate(
        tmp_path,
        {
            "lib.rs": "mod room; mod yard;",
            "room/mod.rs": "mod tables; mod chair; pub use tables::*; pub struct Door;",
            "room/tables/mod.rs": "pub mod oak; pub use oak::Oak; pub enum Table {}",
            "room/tables/oak.rs": "pub struct Oak;",
            "room/chair.rs": "use super::{Door, Oak, Table};",
            "yard.rs": "use crate::room::oak::Oak;",
        },
    )
    assert arrows["room::chair"] == {"room", "room::tables", "room::tables::oak"}
    assert arrows["yard"] == {"room::tables::oak"}


def test_rooms_within_a_folder_have_floors_and_files_do_not_know_their_registry(
    tmp_path: Path,
) -> None:
    arrows = _crate(
        tmp_path,
        {
            "lib.rs": "mod house;",
            "house/mod.rs": "mod low; mod high; pub struct Key;",
            "house/low.rs": "use super::Key; use super::high::one::One;",
            "house/high/mod.rs": "mod one; mod two; pub enum Any { One(one::One) }",
            "house/high/one.rs": "pub struct One;",
            "house/high/two.rs": "use super::Any;",
        },
    )
    floors = [["low"], ["high"]]
    found = house.uphill(house.inside(arrows, "house"), floors)
    assert found == ["low -> high::one does not go down a floor"]
    assert house.to_registries(arrows, ["house::high"]) == [
        "house::high::two -> house::high: a file of a registry knows nothing of it"
    ]


def test_comments_strings_and_tests_are_not_imports(tmp_path: Path) -> None:
    arrows = _crate(
        tmp_path,
        {
            "lib.rs": "mod a; mod b;",
            "a.rs": (
                '//! [`crate::b`]\nconst C: &str = "crate::b::X"; const Q: char = \'"\';\n'
                "#[cfg(test)]\nmod tests {\n    use crate::b::X;\n    fn f() { if true {} }\n}\n"
            ),
            "b.rs": "use crate::a::C; pub struct X;",
        },
    )
    assert arrows == {"a": set(), "b": {"a"}}


def test_a_circle_and_an_arrow_uphill_are_seen(tmp_path: Path) -> None:
    arrows = _crate(
        tmp_path,
        {"lib.rs": "mod a; mod b;", "a.rs": "fn f() { crate::b::g() }", "b.rs": "use crate::a;"},
    )
    assert house.circles(arrows) == [["a", "b"]]
    assert house.uphill(arrows, [["a"], ["b"]]) == ["a -> b does not go down a floor"]
    assert "c stands on no floor" in house.uphill({"c": set()}, [["a"]])[0]
    assert house.circles(house.without(arrows, {("a", "b")})) == []
    assert house.stale(arrows, {("a", "b")}) == []
    assert len(house.stale({"a": {"b"}, "b": set()}, {("a", "b")})) == 1


def test_imports_for_typing_and_inside_functions_do_not_count() -> None:
    tree = ast.parse(
        "import a\nif TYPE_CHECKING:\n    import b\nelse:\n    import c\n"
        "def f():\n    import d\nclass K:\n    import e\ntry:\n    import g\nexcept E:\n    pass\n"
    )
    names = {alias.name for node in house.imports_of(tree) for alias in node.names}
    assert names == {"a", "c", "e", "g"}


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=24))
def test_circles_are_the_modules_that_reach_one_another(pairs: list[tuple[int, int]]) -> None:
    arrows = {str(k): {str(b) for a, b in pairs if a == k and b != k} for k in range(8)}
    reach = {(a, b) for a in arrows for b in arrows[a]}
    for middle in arrows:
        reach |= {
            (a, b) for a in arrows for b in arrows if {(a, middle), (middle, b)} <= reach and a != b
        }
    expected = {
        frozenset([a, *(b for b in arrows if {(a, b), (b, a)} <= reach)])
        for a in arrows
        if any({(a, b), (b, a)} <= reach for b in arrows)
    }
    assert {frozenset(circle) for circle in house.circles(arrows)} == expected


PAGES = sorted(ROOT.glob("docs/methods/*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_methods_page_ends_with_source_files_that_exist(page: Path) -> None:
    last = page.read_text("utf-8").rpartition("## Where it is written\n")[2]
    files = re.findall(r"`([\w/.]+\.(?:rs|py))`", last)
    assert files, "end the page with the files that it describes, under '## Where it is written'"
    assert [file for file in files if not (ROOT / file).is_file()] == []
    assert {file.rpartition(".")[2] for file in files} == {"rs", "py"}


def test_the_files_and_folders_of_the_architecture_exist() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    named = set(re.findall(r"`((?:src|python|evidence|tests|docs)/[\w/.]*)`", page))
    assert len(named) > 20
    assert sorted(name for name in named if not (ROOT / name).exists()) == []
    assert "docs/architecture.md" in (ROOT / "CONTRIBUTING.md").read_text("utf-8")


def test_rust_is_checked_without_the_tools_of_python() -> None:
    text = (ROOT / "Makefile").read_text("utf-8")
    assert re.search(r"^rust:[ \t]*$", text, flags=re.MULTILINE)
    assert "python3 tests/house.py" in (ROOT / ".pre-commit-config.yaml").read_text("utf-8")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("descriptives", "crosstab"),
        ("design", "Design"),
        ("ledger", "Ledger"),
        ("national", "compare_to_national"),
        ("nonparametric", "mann_whitney"),
        ("permutation", "permutation_test"),
        ("rates", "compare_rates"),
        ("regression", "ols"),
    ],
)
def test_paths_that_programs_import_stay(path: str, name: str) -> None:
    module = importlib.import_module(f"crewe.{path}")
    assert getattr(module, name) is getattr(cw, name)
    assert getattr(cw, path) is module


def _imported(node: ast.stmt) -> set[str]:
    return {alias.name for alias in node.names} if isinstance(node, ast.ImportFrom) else set()


def test_every_name_is_found_where_type_checkers_find_it() -> None:
    tree = ast.parse(Path(cw.__file__).read_text("utf-8"))
    typed = next(node for node in tree.body if isinstance(node, ast.If))
    homes = {
        alias.name: node.module
        for node in typed.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    whole = [node.module for node in typed.body if "*" in _imported(node)]
    assert tuple(whole) == cw._LISTS
    listed = {name: home for home in whole for name in importlib.import_module(home).__all__}
    modules = {home.rpartition(".")[2] for home in whole}
    homes = {name: home for name, home in homes.items() if name not in {"*", *modules}}
    assert {name: cw._HOME[name] for name in homes} == homes
    assert homes.keys().isdisjoint(listed)
    homes |= listed
    lazily = set(cw.__all__) - {"__version__"} - set(vars(cw.exceptions))
    assert lazily == set(homes)
    for name in [*cw.__all__, *cw._HOME, *cw._MOVED]:
        assert getattr(cw, name) is not None
        assert name in dir(cw) or name not in cw.__all__
    assert {name for name in dir(cw) if not name.startswith("_")} == set(cw.__all__) - {
        "__version__"
    }
    with pytest.raises(AttributeError, match="no attribute 'lm'"):
        _ = cw.lm


def test_importing_the_package_imports_no_library() -> None:
    code = "import sys, crewe; print(sorted({m.partition('.')[0] for m in sys.modules} & set(sys.argv)))"
    heavy = ["pandas", "numpy", "narwhals", "formulaic", "matplotlib", "great_tables", "scipy"]
    done = subprocess.run(
        [sys.executable, "-c", code, *heavy], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() in ("[]", "['numpy']")


def test_the_top_of_the_package_is_bare(tmp_path: Path) -> None:
    inside = {"frames.a": {"plots.b"}, "plots.b": set()}
    assert house.uphill(inside, house.ROOMS, ".") == [
        "frames.a -> plots.b does not go down a floor"
    ]
    assert house.package_faults() == []


MOST_ARGUMENTS = 6


def _functions(tree: ast.Module) -> list[tuple[str, ast.FunctionDef]]:
    found = [(node.name, node) for node in tree.body if isinstance(node, ast.FunctionDef)]
    for owner in tree.body:
        if isinstance(owner, ast.ClassDef):
            for node in owner.body:
                if isinstance(node, ast.FunctionDef):
                    found.append((f"{owner.name}.{node.name}", node))
    return found


def _too_long(text: str) -> list[str]:
    """Name the functions with more than six arguments, the object or class itself not counted."""
    long = []
    for name, node in _functions(ast.parse(text)):
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        own = [one for one in arguments if one.arg not in ("self", "cls")]
        if len(own) > MOST_ARGUMENTS:
            long.append(f"{name} takes {len(own)} arguments")
    return long


def test_the_stub_knows_what_every_function_takes_and_gives() -> None:
    text = (ROOT / "python" / "crewe" / "_core.pyi").read_text("utf-8")
    assert "dict[" not in text
    assert not any(isinstance(n, ast.Name) and n.id == "Any" for n in ast.walk(ast.parse(text)))
    assert _too_long(text) == []
    assert len(_functions(ast.parse(text))) > 300


def test_a_function_of_many_arguments_is_seen() -> None:
    text = "def f(a, b, c, d, e, f, g): ...\nclass K:\n    def m(self, a, b, c, d, e, f): ...\n"
    assert _too_long(text) == ["f takes 7 arguments"]


def test_the_bindings_make_no_dictionaries() -> None:
    # Errors pass their facts to the exception's class by name.
    held = {
        file.name
        for file in sorted((ROOT / "python" / "src").glob("*.rs"))
        if "PyDict" in file.read_text("utf-8")
    }
    assert held == {"error.rs"}
