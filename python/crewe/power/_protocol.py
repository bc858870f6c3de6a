"""The smallest detectable effect for a protocol: stage by stage, for all and for subgroups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from crewe.exceptions import InputError, fault
from crewe.power._again import again, known
from crewe.power._compare import Comparison, summary
from crewe.power._quantities import effect_text, label_of, percent, plain
from crewe.power._result import Power
from crewe.tables.display import Table

EVERYBODY = "all"
FIRST = "protocol"


def lay_out(
    plan: Power,
    subgroups: Mapping[str, float | Mapping[str, Any]],
    stages: Mapping[str, Mapping[str, Any]],
) -> Comparison:
    """Work the smallest detectable effect out at every stage, for all and for each subgroup."""
    if plan.asked["hypothesis"] in ("non-inferiority", "equivalence"):
        raise fault(
            InputError,
            f"a test of {plan.asked['hypothesis']} has no smallest detectable effect",
            remedy="Lay out a plan for a difference",
        )
    taken = [name for name in subgroups if name == EVERYBODY]
    if taken or FIRST in stages:
        raise fault(
            InputError,
            f"the name '{EVERYBODY if taken else FIRST}' is taken: it stands for "
            + ("all participants" if taken else "this answer, the first stage"),
            remedy="Give it another name",
        )
    arguments = known(plan, "effect")
    lacking = [
        n for n in ("clusters", "cluster_size", "icc", "r2", "power") if arguments[n] is None
    ]
    if lacking and not (lacking == ["icc"] and arguments.get("rate_cv") is not None):
        raise fault(
            InputError,
            f"the {lacking[0]} of this answer is unattainable, so that there is no plan to lay out",
            remedy="Solve a plan that is within reach first",
        )
    answers: dict[tuple[str, str], Power] = {}
    for stage, changes in {FIRST: {}, **stages}.items():
        _check(plan, changes, f"the stage '{stage}'")
        arguments = {**arguments, **changes, "effect": None}
        answers[stage, EVERYBODY] = again(plan, arguments)
        for name, group in subgroups.items():
            own = dict(group) if isinstance(group, Mapping) else {"subgroup": group}
            _check(plan, own, f"the subgroup '{name}'")
            answers[stage, name] = again(plan, {**arguments, **own, "effect": None})
    rows = [
        {"stage": stage, "group": group, **summary(answer)}
        for (stage, group), answer in answers.items()
    ]
    table = Table(
        header=["", *(f"{stage}: {group}" for stage, group in answers)],
        rows=_rows(list(answers.values())),
        title="Smallest detectable effect, stage by stage",
    )
    notes = sorted({said for answer in answers.values() for said in answer.methods()[:1]})
    return Comparison(frame=pd.DataFrame(rows), tables=[table], notes=notes)


def _check(plan: Power, changes: Mapping[str, Any], where: str) -> None:
    unknown = [name for name in changes if name not in plan.asked or name == "effect"]
    if unknown:
        raise fault(
            InputError,
            f"{where} changes what a stage cannot",
            values=unknown,
            remedy=f"Change among {', '.join(name for name in plan.asked if name != 'effect')}",
        )


def _rows(answers: list[Power]) -> list[list[str]]:
    """Give the rows that protocols of education trials ask for, in their order."""

    def number(value: float | None, digits: int = 0) -> str:
        return "—" if value is None else f"{value:,.{digits}f}"

    def share(value: float | None) -> str:
        return "—" if value is None else plain(value)

    def r2_cluster(answer: Power) -> float | None:
        own: float | None = answer.asked["r2_cluster"]
        return answer.r2 if own is None else own

    def units(answer: Power, part: float) -> float | None:
        # Without a split of the clusters there are no arms side by side.
        if answer.units_analysed is None or (part < 1 and answer.clusters_treated is None):
            return None
        return answer.units_analysed * part

    def size(answer: Power) -> float | None:
        if answer.units_analysed is None or not answer.clusters_analysed:
            return None
        return answer.units_analysed / answer.clusters_analysed

    def clusters(answer: Power, part: float) -> float | None:
        if answer.clusters_analysed is None or (part < 1 and answer.clusters_treated is None):
            return None
        return answer.clusters_analysed * part

    sided = {"two-sided": "two", "one-sided": "one"}
    lines = {
        label_of(answers[0], "effect").replace("Effect", "Smallest detectable effect"): [
            effect_text(a, a.effect) for a in answers
        ],
        "Baseline rate": [percent(a.baseline) for a in answers],
        "R² within clusters": [share(a.r2) for a in answers],
        "R² between clusters": [share(r2_cluster(a)) for a in answers],
        "Intracluster correlation": [share(a.icc) for a in answers],
        "Level": [share(a.alpha) for a in answers],
        "Power": [share(a.target) for a in answers],
        "Sides of the test": [sided[a.asked["hypothesis"]] for a in answers],
        "Members a cluster": [number(size(a), 1) for a in answers],
        "Clusters: treated": [number(clusters(a, a.allocation)) for a in answers],
        "Clusters: control": [number(clusters(a, 1 - a.allocation)) for a in answers],
        "Clusters: both": [number(clusters(a, 1)) for a in answers],
        "Members: treated": [number(units(a, a.allocation)) for a in answers],
        "Members: control": [number(units(a, 1 - a.allocation)) for a in answers],
        "Members: both": [number(units(a, 1)) for a in answers],
    }
    if answers[0].outcome not in ("binary", "survival"):
        del lines["Baseline rate"]
    return [[name, *cells] for name, cells in lines.items()]
