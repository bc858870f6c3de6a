"""What nests too deeply, or goes on too long, is refused where it is read, and never ends the process."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import crewe as cw
import pandas as pd
import pytest

FRAME = pd.DataFrame(
    {
        "y": [1.0, 2, 3, 4, 5, 6],
        "x": [1.0, 3, 2, 5, 4, 6],
        "t": [1.0, 2, 3, 4, 5, 6],
        "e": [1, 0, 1, 1, 0, 1],
        "arm": list("ababab"),
    }
)
DEPTHS = (200, 5_000, 100_000)


def deep(n: int) -> Any:
    value: Any = 1
    for _ in range(n):
        value = [value]
    return value


def nested(opening: str, inner: str, closing: str) -> Callable[[int], str]:
    return lambda n: opening * n + inner + closing * n


EXPRESSIONS: dict[str, Callable[[int], str]] = {
    "parentheses": nested("(", "x", ")"),
    "unclosed": nested("(", "x", ""),
    "brackets": nested("[", "x", "]"),
    "calls": nested("I(", "x", ")"),
    "calls of numpy": nested("np.exp(", "x", ")"),
    "strata": nested("C(", "arm", ")"),
    "parentheses of Python": lambda n: f"I({'(' * n}x{')' * n})",
    "signs": lambda n: f"I({'-' * 10 * n}x)",
    "words": lambda n: f"I({'not ' * 40 * n}x)",
    "a long sum": lambda n: f"I({'+'.join(['x'] * 10 * n)})",
    "attributes": lambda n: f"np.exp(x{'.real' * 10 * n})",
}


@pytest.mark.parametrize("n", DEPTHS)
@pytest.mark.parametrize("kind", EXPRESSIONS)
def test_7_3_a_deep_formula_is_refused(kind: str, n: int) -> None:
    text = EXPRESSIONS[kind](n)
    for call in (
        lambda: cw.ols(f"y ~ {text}", FRAME),
        lambda: cw.ols(f"{text} ~ x", FRAME),
        lambda: cw.logit(f"e ~ {text}", FRAME),
        lambda: cw.coxph(f"Surv(t, e) ~ {text}", FRAME),
        lambda: cw.coxph(f"Surv({text}, e) ~ x", FRAME),
        lambda: cw.kaplan_meier(f"Surv(t, {text}) ~ arm", FRAME),
        lambda: cw.logrank(f"Surv(t, {text}) ~ arm", FRAME),
    ):
        with pytest.raises(cw.CreweError) as caught:
            call()
        assert len(str(caught.value)) < 1_500


def test_7_3_formulas_that_people_write_are_read() -> None:
    assert cw.ols("y ~ ((((x))))", FRAME).n == 6
    assert cw.ols(f"y ~ I({'+'.join(['x'] * 100)})", FRAME).n == 6
    assert cw.ols("y ~ I((x + (1 + (2 * (x - 1)))))", FRAME).n == 6
    assert cw.ols(f"y ~ {' + '.join(['x'] * 2_000)}", FRAME).terms == ["Intercept", "x"]
    # What stands in quotes nests nothing.
    odd = FRAME.rename(columns={"x": "(" * 60})
    assert cw.ols(f"y ~ `{'(' * 60}`", odd).n == 6


@pytest.mark.parametrize("n", DEPTHS)
def test_7_3_a_deep_cost_formula_is_refused(n: int) -> None:
    for text in (
        "+".join(["x"] * (n * 10)),
        "*".join(["x"] * (n * 10)),
        "(" * n + "x" + ")" * n,
        "-" * n + "x",
        "round(" * n + "x" + ", 2)" * n,
    ):
        with pytest.raises(cw.InputError) as caught:
            cw.cost.CostBenefit({"x": 1}, {"y": text})
        assert len(str(caught.value)) < 1_500


def test_7_3_a_cost_formula_is_worked_out_on_a_small_stack() -> None:
    answers: list[Any] = []

    def work() -> None:
        answers.append(cw.cost.CostBenefit({"x": 2}, {"y": "+".join(["x"] * 1_000)})["y"].value)
        try:
            cw.cost.CostBenefit({"x": 2}, {"y": "+".join(["x"] * 5_000)})
        except cw.InputError as error:
            answers.append(str(error))

    before = threading.stack_size(512 * 1024)
    try:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    assert answers[0] == 2_000.0 and "more than 2000 names" in answers[1]


def test_7_3_a_trace_follows_long_chains_and_stops_at_bushes() -> None:
    chain = {"l0": "x"} | {f"l{k}": f"l{k - 1} + 1" for k in range(1, 3_000)}
    analysis = cw.cost.CostBenefit({"x": 1}, chain)
    assert len(analysis.trace("l2999").frame) == 3_001
    bush = {"l0": "x", "l1": "x"} | {f"l{k}": f"l{k - 1} + l{k - 2}" for k in range(2, 60)}
    with pytest.raises(cw.InputError, match="more than 10,000 rows"):
        cw.cost.CostBenefit({"x": 1}, bush).trace("l59")


TOML: dict[str, Callable[[int], str]] = {
    "lists": lambda n: f"title = {'[' * n}{']' * n}",
    "tables": lambda n: f"title = {'{a = ' * n}1{'}' * n}",
    "dots": lambda n: f"title{'.a' * min(n, 2_000)} = 1",
    "heads": lambda n: f"[title{'.a' * min(n, 2_000)}]\nb = 1",
    "unclosed": lambda n: f"title = {'[' * n}",
}


@pytest.mark.parametrize("n", DEPTHS)
@pytest.mark.parametrize("kind", TOML)
def test_7_3_deep_toml_is_refused(kind: str, n: int, tmp_path: Path) -> None:
    text = TOML[kind](n)
    path = tmp_path / "file.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(cw.DesignError):
        cw.Design.from_toml(text)
    for read in (cw.cost.CostBenefit.from_toml, cw.risk.Framework.from_toml):
        with pytest.raises(cw.InputError) as caught:
            read(path)
        assert len(str(caught.value)) < 1_000


def test_7_3_the_files_of_the_package_are_read() -> None:
    design = cw.Design(
        "T",
        arms={"a": 1, "b": 1},
        cluster="c",
        seed=1,
        method=cw.Constrained(on={"x": 2, "z": 1}, draws=100, keep=0.1),
    )
    assert cw.Design.from_toml(design.to_toml(), seed=1) == design
    assert len(cw.risk.Framework.project_crewe().factors) == 31
    assert cw.cost.project_crewe().lines


@pytest.mark.parametrize("n", DEPTHS)
def test_7_3_a_deep_drawing_is_refused(n: int) -> None:
    head = '<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10">'

    class Drawn:
        svg = f"{head}{'<g>' * n}{'</g>' * n}</svg>"

    class Cut:
        svg = f"{head}{'<g>' * n}"

    for drawing in (Drawn(), Cut()):
        with pytest.raises(cw.InputError, match="the drawing"):
            cw.Report("R").add(drawing, heading="H", caption="C")


def test_7_3_deep_values_are_refused() -> None:
    value = deep(sys.getrecursionlimit() * 10)
    for call in (
        lambda: cw.Blocks(sizes=value),
        lambda: cw.Constrained(on=value, draws=10, keep=0.5),
        lambda: cw.Minimisation(factors=value),
        lambda: cw.Design("T", arms={"a": 1, "b": 1}, cluster="c", seed=1).assign(
            pd.DataFrame({"c": [value, 1, 2]})
        ),
    ):
        with pytest.raises(cw.CreweError):
            call()
