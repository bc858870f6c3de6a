# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A rolling trial, from the first family to the flow diagram
#
# Families are enrolled one by one over eight months; siblings come later, the treated arm fills up twice, a few
# families leave. Everything here is made up.

# %%
import tempfile
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path

import crewe as cw
import numpy as np

folder = Path(tempfile.mkdtemp())
path = folder / "trial.ledger"
key = cw.new_key()
design = cw.Design(
    "Rolling trial (synthetic)",
    arms={"control": 1, "crewe": 2},
    cluster="family_id",
    strata=["history"],
    method=cw.Blocks(sizes=[3, 6]),
    seed=key,
)
start = datetime(2017, 3, 1, 9, tzinfo=timezone.utc)
ledger = cw.Ledger.create(path, design, levels={"history": ["no", "yes"]}, at=start)
ledger.commitment()

# %% [markdown]
# The commitment is lodged before the first family. The key stays with somebody who recruits nobody.

# %%
chance = np.random.default_rng(2017)
for k in range(132):
    at = start + timedelta(days=k * 1.8)
    if k in (60, 100):
        ledger.capacity("crewe", True, by="Team manager", reason="caseloads are full", at=at)
        for _ in range(2):
            with suppress(cw.LedgerError):  # refused, and counted
                ledger.enrol(f"R{k}", [f"R{k}-1"], "no", approved_by="Council", at=at)
        ledger.capacity("crewe", False, by="Team manager", at=at + timedelta(hours=1))
    children = [f"F{k:03}-{c + 1}" for c in range(chance.integers(1, 5))]
    history = "yes" if chance.random() < 0.4 else "no"
    receipt = ledger.enrol(
        f"F{k:03}", children, history, approved_by="Council", at=at + timedelta(hours=2)
    )
lodged = receipt.head
receipt

# %%
after = start + timedelta(days=240)
ledger.add_child("F017", "F017-late", by="Council", at=after)
rows = ledger.frame()
moved = rows.loc[rows["drawn"] == "crewe", "family_id"].iloc[0]
ledger.override(moved, "control", by="Council", reason="court order", at=after)
ledger.withdraw("F030", data=False, by="Council", reason="asked to leave", at=after)
ledger.withdraw("F031", data=True, by="Council", reason="moved away", at=after)
ledger.exclude("F040", child="F040-1", by="Analyst", reason="turned eighteen", at=after)
ledger

# %% [markdown]
# Whoever has the key can check the file against the head that was lodged outside.

# %%
del ledger
ledger = cw.Ledger.open(path, key, head=lodged)
print(ledger.verify(lodged))

# %%
ledger.close(by="Analyst", at=after + timedelta(days=1))
cw.consort(ledger)

# %% [markdown]
# The closed ledger is the design of the analysis: clusters, strata and arms come from it.

# %%
children = ledger.frame()
children = children[children["comparison"]]
closed = (chance.random(len(children)) < 0.3 + 0.1 * (children["arm"] == "crewe")).astype(int)
cw.ols("closed ~ arm", children.assign(closed=closed), design=ledger)
