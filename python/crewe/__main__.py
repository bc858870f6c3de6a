"""`python -m crewe`: which versions are installed, and whether a ledger is whole.

An auditor holds a ledger, its key and a head that was lodged outside, and need not know Python.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from crewe.exceptions import CreweError
from crewe.ledger import Ledger
from crewe.report.versions import show_versions


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks, and give the status to leave with: 0, or 1 where a ledger is not whole."""
    parser = argparse.ArgumentParser(
        prog="python -m crewe", description="Randomised controlled trials of public services."
    )
    commands = parser.add_subparsers(dest="command", metavar="command")
    commands.add_parser(
        "versions", help="print the versions of crewe and of what it works with (the default)"
    )
    verify = commands.add_parser(
        "verify", help="read a ledger anew, follow its chain and draw every arm again"
    )
    verify.add_argument("path", help="the ledger's file, which is only read")
    verify.add_argument(
        "--key",
        help="the file that holds the key; without it the environment variable CREWE_KEY is read",
    )
    verify.add_argument(
        "--head", help="the head of the last receipt, to find events cut off at the end"
    )
    asked = parser.parse_args(arguments)
    if asked.command != "verify":
        show_versions()
        return 0
    try:
        key = None if asked.key is None else Path(asked.key)
        ledger = Ledger.open(asked.path, key, head=asked.head, read_only=True)
        print(ledger.verify(asked.head))
    except CreweError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
