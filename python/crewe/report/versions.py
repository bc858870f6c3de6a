"""Which software made a number: what a methods section and a report of a fault both need."""

from __future__ import annotations

import importlib.metadata
import platform

_PACKAGES = (
    "numpy",
    "pandas",
    "narwhals",
    "formulaic",
    "matplotlib",
    "great_tables",
    "polars",
    "pyarrow",
    "duckdb",
)


def versions() -> dict[str, str]:
    """Give the versions of crewe, of Python and of the packages that crewe works with.

    Packages that are not installed are left out.

    Examples
    --------
    >>> import crewe as cw
    >>> cw.versions()["crewe"] == cw.__version__
    True
    """
    from crewe import _core

    core = getattr(_core, "core_version", None)
    found = {
        "crewe": _core.__version__,
        "crewe Rust core": str(core()) if callable(core) else _core.__version__,
        "Python": platform.python_version(),
    }
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    found["platform"] = f"{platform.system()} {platform.machine()}"
    return found


def show_versions() -> None:
    """Print the versions of crewe, of Python and of the packages that crewe works with.

    Examples
    --------
    >>> import crewe as cw
    >>> cw.show_versions()  # doctest: +ELLIPSIS
    crewe            ...
    """
    found = versions()
    width = max(len(name) for name in found)
    for name, version in found.items():
        print(f"{name.ljust(width)}  {version}")
