"""`python -m crewe`: versions, and a ledger held against its key by somebody who writes no Python."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import crewe as cw


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "CREWE_KEY"}
    return subprocess.run(
        [sys.executable, "-m", "crewe", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )


def test_versions() -> None:
    done = run()
    assert done.returncode == 0 and done.stdout == run("versions").stdout
    assert cw.__version__ in done.stdout.splitlines()[0]


def test_a_ledger_is_verified_and_only_read(tmp_path: Path) -> None:
    key, path, digits = cw.new_key(), tmp_path / "trial.ledger", tmp_path / "key"
    digits.write_text(key.reveal())
    arms = {"control": 1, "crewe": 2}
    design = cw.Design("Trial", arms=arms, cluster="family", seed=key, method=cw.Blocks([3]))
    ledger = cw.Ledger.create(path, design)
    for family in ("F1", "F2"):
        receipt = ledger.enrol(family, [family + "a"], proposed_by="a", approved_by="b")
    del ledger
    before = path.read_bytes()
    whole = run("verify", str(path), "--key", str(digits), "--head", receipt.head)
    assert whole.returncode == 0 and "2 families" in whole.stdout and not whole.stderr
    assert "tail not checked" in run("verify", str(path), "--key", str(digits)).stdout
    assert path.read_bytes() == before and key.reveal() not in whole.stdout

    without_a_key = run("verify", str(path))
    assert without_a_key.returncode == 1 and "LedgerError: there is no key" in without_a_key.stderr
    other = tmp_path / "other"
    other.write_text(cw.new_key().reveal())
    wrong = run("verify", str(path), "--key", str(other))
    assert wrong.returncode == 1 and "Traceback" not in wrong.stderr
    later = receipt.head.replace(receipt.head.partition("-")[0], "99", 1)
    cut = run("verify", str(path), "--key", str(digits), "--head", later)
    assert cut.returncode == 1 and cut.stderr.startswith("LedgerError")
