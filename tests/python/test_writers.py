"""Every result in every format: what a format holds, read back, is what is printed."""

from __future__ import annotations

import csv
import importlib
import inspect
import io
import os
import pickle
import pkgutil
import re
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import crewe as cw
import numpy as np
import pandas as pd
import pytest
from crewe.report.naming import Names
from crewe.report.reading import bare
from crewe.tables import protocols
from crewe.tables.display import Table
from crewe.tables.printable import Printable
from crewe.tables.sheet import Sheet, clean, one_line
from crewe.tables.writers import registry
from crewe.tables.writers.html import unscrolled

FOLDER = tempfile.TemporaryDirectory()
ARMS = {"control": 1, "crewe": 1}
WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"


def data() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    n = 48
    return pd.DataFrame(
        {
            "family_id": [f"F{i // 2:02}" for i in range(n)],
            "history": [f"h{i // 24}" for i in range(n)],
            **{name: rng.normal(size=n) for name in "xyz"},
            "e": rng.integers(0, 2, size=n),
            "t": rng.integers(1, 40, size=n),
            "kind": ["pqr"[i % 3] for i in range(n)],
            "site": ["ns"[(i // 4) % 2] for i in range(n)],
            "arm": ["control" if (i // 2) % 2 else "crewe" for i in range(n)],
            "day": [f"2017-03-{1 + i // 2:02}" for i in range(n)],
        }
    )


def design(**options: Any) -> cw.Design:
    return cw.Design("A trial", arms=ARMS, **{"cluster": "family_id", "seed": 1, **options})


def mean_t(frame: Any) -> float:
    return float(frame["t"].mean())


def ledger() -> cw.Ledger:
    at = datetime(2017, 3, 1, tzinfo=timezone.utc)
    rolling = design(strata=["history"], method=cw.Simple(), seed=cw.new_key())
    made = cw.Ledger.create(Path(FOLDER.name) / "trial.ledger", rolling, at=at)
    for k in range(6):
        made.enrol(f"F{k}", [f"F{k}c"], ["h"], approved_by="A", consent="B", at=at)
    return made


def instruments() -> dict[str, Any]:
    trial = cw.datasets.project_crewe(seed=2017)
    recoded = ["closed", "days", "event", "re_referred", "history"]
    dates = {
        "referral": "referral_date",
        "closure": "closure_date",
        "rereferral": "rereferral_date",
        "cin_start": "support_date",
        "randomised": "start_date",
        "incomplete": "exclusion",
    }
    framework = cw.risk.Framework.project_crewe()
    scores = framework.score(trial.risk, code="code", value="value", times=["referral", "latest"])
    items = {f"q{j:02d}": [0, 1] for j in range(1, 26)}
    answers = pd.DataFrame({"q": [1, 2, 3, 2], "r": [3, 2, 1, 2]})
    costs = cw.cost.project_crewe()
    drawn = costs.psa(draws=1_000, seed=1)
    return {
        "dataset": trial,
        "columns": trial.describe("cases"),
        "cases": cw.cases.prepare(trial.cases.drop(columns=recoded), **dates),
        "framework": framework,
        "risk": scores,
        "change": scores.change(by="arm"),
        "sdq": cw.sdq.score(pd.DataFrame(items), prefix="q"),
        "survey": cw.survey.score(answers, ["q", "r"], scale=(1, 3)),
        "costs": costs,
        "sensitivity": drawn,
        "decision": drawn.decision([0, 10_000]),
        "tornado": drawn.tornado("tax_pc"),
        "trace": costs.trace("escalation_saving_per_case"),
    }


@cache
def results() -> dict[str, Any]:
    """Make a result of every kind."""
    frame = data()
    trial = design(strata=["history"])
    seen = trial.observe(frame, arm="arm")
    blocks, stick = design(method=cw.Blocks(sizes=[2, 4])), design(method=cw.BigStick(3))
    few = frame.groupby("family_id", as_index=False).first().head(8)
    tied = design(cluster=None, unit="family_id", method=cw.Constrained(on=["x", "z"]))
    register = ledger()
    fit = cw.ols("y ~ arm + x", frame, cluster="family_id")
    logit = cw.logit("e ~ arm + x", frame, cluster="family_id")
    cox = cw.coxph("Surv(t, e) ~ arm + x", frame)
    plan = cw.power.binary(baseline=0.226, icc=0.36, cluster_size=3, clusters=132, power=0.8)
    known = {"baseline": 0.226, "cluster_size": 3, "power": 0.8, "clusters": 286}
    binary = cw.power.BinaryOutcome(baseline=0.3, effect=0.2, icc=0.1)
    shares = {"a": 0.2, "b": 0.3, "c": 0.5}
    protected = cw.disclosure.Rule().protect(cw.crosstab("kind ~ arm", frame))
    return {
        "design": trial,
        "assignment": trial.assign(frame.drop(columns="arm")),
        "observed": seen,
        "acceptance": tied.constrained(few),
        "balance": seen.balance(["x", "kind"]),
        "consort": cw.consort(seen, excluded={"moved away": ["F00", "F01"]}),
        "protected": protected,
        "audit": cw.disclosure.audit(protected, cw.disclosure.Rule()),
        "anonymity": cw.disclosure.anonymity(frame, quasi=["kind", "site"], sensitive="arm"),
        "check": cw.disclosure.check(protected),
        "predictability": blocks.predictability(8, sims=50),
        "procedures": cw.predictability([blocks, stick], n=8, sims=50),
        "ledger": register,
        "verification": register.verify(),
        "ols": fit,
        "logit": logit,
        "penalised": cw.logit("e ~ arm + x", frame, cluster="family_id", penalty="firth"),
        "probit": cw.probit("e ~ arm + x", frame, cluster="family_id"),
        "fits": cw.ols("y ~ arm", frame, by="site"),
        "family": cw.ols(["y ~ arm", "z ~ arm"], frame),
        "margins": fit.margins("arm"),
        "cluster_level": cw.cluster_level("y ~ arm + x", frame, cluster="family_id"),
        "gee": cw.gee("e ~ arm + x", frame, cluster="family_id", family="binomial"),
        "mixed": cw.mixed("y ~ arm + x", frame, cluster="family_id"),
        "diagnostics": fit.diagnostics(),
        "outcomes by arm": cw.outcome_table({"y": fit, "e": logit}, frame, design=seen),
        "checklist": cw.Report("A trial").add_text("Words.").check("CONSORT 2025"),
        "cox": cox,
        "zph": cox.zph(),
        "adjusted": cw.coxph("Surv(t, e) ~ arm", frame).adjusted_curves("arm"),
        "kaplan_meier": cw.kaplan_meier("Surv(t, e) ~ arm", frame),
        "rmst": cw.rmst("Surv(t, e) ~ arm", frame),
        "logrank": cw.logrank("Surv(t, e) ~ arm", frame),
        "mann_whitney": cw.mann_whitney("t ~ arm", frame),
        "outcomes": cw.mann_whitney(["t ~ arm", "z ~ arm"], frame),
        "groups": cw.mann_whitney("t ~ arm", frame, by="site"),
        "permutation": cw.permutation_test("t ~ arm", frame),
        "rates": cw.compare_rates("e ~ arm", frame),
        "national": cw.compare_to_national(dict.fromkeys("abc", 4), national=shares, seed=1),
        "describe": cw.describe("t ~ arm", frame),
        "crosstab": cw.crosstab("kind ~ arm", frame),
        "randomisation": cw.randomisation_test("t ~ arm", frame, seen, draws=99, seed=1),
        "audit of size": cw.ols("t ~ arm", frame, design=seen).audit(
            seen, 99, effect=1.0, procedures=["CR1", "randomisation_test"], seed=1
        ),
        "audit of other models": cw.logit("e ~ arm", frame, design=seen).audit(
            seen, 99, effect=0.1, procedures=["CR1", "firth", "gee"], seed=1
        ),
        "wild": cw.wild_bootstrap(fit, "x", 99, 1),
        "jointly": cw.wild_bootstrap(fit, ["x", "arm"], 99, 1),
        "pairs": cw.pairs_bootstrap(frame, mean_t, "family_id", draws=99, seed=1),
        "power": plan,
        "powers": cw.power.table(**known, icc=[0.36, 1]),
        "together": cw.power.several({"a": plan, "b": plan}, correlation=0.3),
        "curve": plan.curve(values=[132, 286]),
        "replayed": cw.power.simulate(trial, frame.drop(columns="arm"), binary, sims=50, seed=1),
        "replayed arms": cw.power.simulate(
            cw.Design("Three", arms={"a": 1, "b": 1, "c": 1}, cluster="family_id"),
            frame.drop(columns="arm"),
            cw.power.ContinuousOutcome(effect={"b": 0.2, "c": 0.4}, icc=0.1),
            sims=50,
            seed=1,
        ),
        "replayed arrivals": cw.power.simulate(
            cw.Design("t", arms={"a": 1, "b": 1}, unit="id", method=cw.Simple()),
            cw.power.Arrivals(4, weeks=10),
            cw.power.ContinuousOutcome(effect=0.5, icc=0),
            cw.power.RandomisationTest(draws=39),
            sims=20,
            seed=1,
        ),
        "detectable": cw.power.mdes(trial, frame.drop(columns="arm"), binary, sims=200, seed=1),
        "assurance": cw.power.assurance(
            plan, effect=cw.power.Normal(0.1, 0.03), draws=1_000, seed=1
        ),
        "update": cw.power.update(
            plan, seen, data=frame, outcome="e", arrived="day", closes="2018-01-01"
        ),
        "icc": cw.icc("y", frame, cluster="family_id"),
        "planning": cw.icc_planning(),
        "models": cw.table({"All": fit, "Logit": logit}, title="Two models", notes=["A note."]),
        "intervals": cw.table([fit], show="conf_int", star=False),
        "table": Table(["", "n"], [["a", 1], ["b", 2.5]], title="A table", notes=["One.", "Two."]),
        **instruments(),
    }


NAMES = sorted(results())


def sheets(result: Printable) -> list[Sheet]:
    panels = result._panels()
    return [panel.sheet(len(panels) == 1) for panel in panels]


def lines(sheet: Sheet, *, single: bool = False) -> list[list[str]]:
    """Give the cells of a sheet, on one line each where a format has no line breaks."""
    found = sheet.lines()
    return [[one_line(cell).strip() for cell in row] for row in found] if single else found


# --------------------------------------------------------------------------- readers


class _Tables(HTMLParser):
    """Reads tables as a browser does: the text of captions, cells and notes, and all tags."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: list[list[list[str]]] = []
        self.captions: list[str] = []
        self.notes: list[str] = []
        self.tags: set[str] = set()
        self.into: Callable[[str], None] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th", "caption", "p"):
            where = {"caption": self.captions, "p": self.notes}.get(tag)
            kept = self.tables[-1][-1] if where is None else where
            kept.append("")
            self.into = lambda text: kept.append(kept.pop() + text)
        elif tag == "br":
            self.handle_data("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th", "caption", "p"):
            self.into = None

    def handle_data(self, text: str) -> None:
        if self.into is not None:
            self.into(text)


def read_html(text: str) -> _Tables:
    found = _Tables()
    found.feed(text)
    found.close()
    return found


def read_markdown(text: str) -> list[list[list[str]]]:
    """Read pipe tables: rows split at bare pipes, backslashes before signs taken away."""
    tables: list[list[list[str]]] = []
    inside = False
    for line in text.split("\n"):
        if not line.startswith("| "):
            inside = inside and line.startswith("|:")
            continue
        if not inside:
            tables.append([])
        inside = True
        cells = re.split(r"(?<!\\)\|", line)[1:-1]
        tables[-1].append([re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", c).strip() for c in cells])
    return tables


def read_docx(content: bytes) -> tuple[list[list[list[str]]], list[str]]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        parts = {name: ElementTree.fromstring(archive.read(name)) for name in archive.namelist()}

    def text(node: ElementTree.Element) -> str:
        return "".join(
            "\n" if one.tag == f"{WORD}br" else one.text or ""
            for one in node.iter()
            if one.tag in (f"{WORD}br", f"{WORD}t")
        )

    body = parts["word/document.xml"][0]
    tables = [
        [[text(cell) for cell in row.iter(f"{WORD}tc")] for row in table.iter(f"{WORD}tr")]
        for table in body.findall(f"{WORD}tbl")
    ]
    return tables, [text(paragraph) for paragraph in body.findall(f"{WORD}p")]


def check_latex(text: str, found: list[Sheet]) -> None:
    """Find what LaTeX would stop at or read as more than text."""
    environments = re.findall(r"(?m)^\\(begin|end)\{(\w+)\}", text)
    assert environments == [
        ("begin", "table"),
        ("begin", "tabular"),
        ("end", "tabular"),
        ("end", "table"),
    ] * len(found)
    rows = [line for line in text.split("\n") if line.endswith(r" \\")]
    assert not any(line.startswith(("[", "*")) for line in rows)
    cells = [re.split(r"(?<!\\)&", line[:-3]) for line in rows]
    assert [len(row) for row in cells] == [len(line) for sheet in found for line in sheet.lines()]
    captions = re.findall(r"(?m)^\\caption\{(.*)\}$", text)
    under = re.findall(r"(?m)^\\par\\smallskip\\footnotesize (.*)$", text)
    assert len(captions) == sum(bool(sheet.title) for sheet in found)
    for words in [*captions, *under, *(cell for row in cells for cell in row)]:
        bare = re.sub(
            r"\\text\w+\{\}|\\quad\{\}|\{\}|\\[&%$#_{}]|\$[\^_]?(?:\\\w+|[-+<>()\d])\$", "", words
        )
        assert not re.search(r"[\\&%$#_{}~^|<>]", bare), words
        # Two of these are set as one other sign.
        assert not re.search(r"--|``|''|,,|[?!]`", words), words


# --------------------------------------------------------------------------- every result


def classes() -> set[type]:
    """Find every class of the package that shows itself in a notebook."""
    found = set()
    for module in pkgutil.walk_packages(cw.__path__, "crewe."):
        for _, kind in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if kind.__module__.startswith("crewe") and hasattr(kind, "_repr_html_"):
                found.add(kind)
    return found


def test_every_kind_of_result_is_here_and_prints_in_every_format() -> None:
    kinds = classes()
    assert {kind for kind in kinds if not issubclass(kind, Printable)} == set()
    made = {type(result) for result in results().values()}
    # What others are made from has no results of its own.
    bases = {base for kind in made for base in kind.__mro__[1:]}
    assert {kind.__qualname__ for kind in kinds - made - bases} == set()


@pytest.mark.parametrize("name", NAMES)
def test_text(name: str) -> None:
    result = results()[name]
    text = Printable.text(result)
    assert repr(result) == text or name in ("design", "trace", "verification")
    for sheet in sheets(result):
        for words in [sheet.title, *sheet.notes, *(cell for row in sheet.lines() for cell in row)]:
            assert one_line(words).strip() in text


@pytest.mark.parametrize("name", NAMES)
def test_html(name: str) -> None:
    result = results()[name]
    found = read_html(result.html())
    assert result.html() in result._repr_html_()
    want = sheets(result)
    assert [len(table) for table in found.tables] == [
        len(s.heads) + len(s.rows) + len(s.facts) for s in want
    ]
    for table, sheet in zip(found.tables, want, strict=True):
        joined = [cell for row in table for text in row for cell in text.split("\n") if cell]
        cells = [part for row in sheet.lines() for cell in row for part in cell.split("\n")]
        assert sorted(joined) == sorted(filter(None, cells))
    assert found.captions == [sheet.title for sheet in want if sheet.title]
    assert found.notes == [note for sheet in want for note in sheet.notes]


@pytest.mark.parametrize("name", NAMES)
def test_markdown(name: str) -> None:
    result = results()[name]
    want = [lines(sheet, single=True) for sheet in sheets(result)]
    assert read_markdown(result.markdown()) == want


@pytest.mark.parametrize("name", NAMES)
def test_latex(name: str) -> None:
    result = results()[name]
    check_latex(result.latex(), sheets(result))


@pytest.mark.parametrize("name", NAMES)
def test_docx(name: str, tmp_path: Path) -> None:
    result = results()[name]
    path = result.docx(tmp_path / "a.docx")
    tables, words = read_docx(path.read_bytes())
    want = sheets(result)
    assert tables == [lines(sheet) for sheet in want]
    said = [
        text
        for sheet in want
        for text in ([sheet.title] * bool(sheet.title), *[[n] for n in sheet.notes])
    ]
    assert [word for word in words if word] == [text for one in said for text in one]
    assert result.docx(tmp_path / "b.docx").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_csv(name: str, tmp_path: Path) -> None:
    result = results()[name]
    rows = list(csv.reader(io.StringIO(result.csv(), newline="")))
    want: list[list[str]] = []
    for sheet in sheets(result):
        # Several tables: an empty line between them, and each has its title.
        want += [[]] * bool(want) + [[sheet.title]] * (not sheet.alone and bool(sheet.title))
        # A minus before a digit is what programs read as one.
        signs = re.compile("\N{MINUS SIGN}(?=[0-9.])")
        number = re.compile(r"[(\[]?[\N{MINUS SIGN}£+]*[0-9]")
        heads = len(sheet.heads)
        want += lines(sheet)[:heads]
        want += [
            [row[0], *(signs.sub("-", cell) if number.match(cell) else cell for cell in row[1:])]
            for row in lines(sheet)[heads:]
        ]
    assert rows == want
    assert result.csv(tmp_path / "a.csv").read_text("utf-8") == result.csv() + "\n"


@pytest.mark.parametrize("name", NAMES)
def test_save_goes_by_the_ending(name: str, tmp_path: Path) -> None:
    result = results()[name]
    texts = {".txt": "text", ".md": "markdown", ".markdown": "markdown", ".csv": "csv"}
    texts |= {".tex": "latex", ".html": "html", ".htm": "html", ".HTML": "html"}
    for ending, method in texts.items():
        path = tmp_path / "new" / f"a{ending}"
        assert result.save(path) == path
        written = getattr(Printable, method)(result)
        assert written in path.read_text("utf-8")
    page = (tmp_path / "new" / "a.html").read_text("utf-8")
    assert page.startswith("<!doctype html>") and '<meta charset="utf-8">' in page
    assert result.save(tmp_path / "a.docx").read_bytes() == result.docx(tmp_path / "b").read_bytes()


@pytest.mark.parametrize("name", [name for name in NAMES if name != "ledger"])
def test_a_pickled_result_prints_alike(name: str) -> None:
    result = results()[name]
    again = pickle.loads(pickle.dumps(result))
    assert again.csv() == result.csv() and again.html() == result.html()


@pytest.mark.parametrize("name", NAMES)
def test_a_report_shows_what_the_format_gives(name: str) -> None:
    result = results()[name]
    page = cw.Report("A report", date="2016-11-01").add(result, heading="H", figure=False).html
    found = read_html(page)
    want = read_html(result.html())
    # On the page a hyphen before a number is a minus, and a term of a formula is in words.
    words = Names().cell
    tables = [[[re.sub("−", "-", cell) for cell in row] for row in t] for t in found.tables]
    assert tables == [
        [[re.sub("−", "-", words(cell)) for cell in row] for row in t] for t in want.tables
    ]
    # Sentences of the methods stand once, under the methods.
    methods = {bare(one) for one in protocols.methods(result)}
    said = [Names().said(note, {}) for note in want.notes if bare(note) not in methods]
    assert all(note in found.notes for note in said)


def test_tables_of_models_keep_their_attributes() -> None:
    made = results()["models"]
    for name in ("html", "markdown", "latex"):
        face = getattr(made, name)
        assert isinstance(face, str) and face() == face and type(face()) is str
    assert made.gt() is not None


# --------------------------------------------------------------------------- payloads

PAYLOADS = {
    "latex": r"50% of a_b & #1 $x$ {y} ~z ^w \input{x} \\ |t| <q> -- ``s'' ?` !` ,, ^^41",
    "bracket": "[0.1, 0.2]",
    "star": "*all",
    "markdown": "**b** _i_ `c` ~~s~~ $m$ [a](b) [a][b] ![a](b) <b> &amp; {{< x >}} ^1^ a|b \\| @k",
    "heading": "# 1. > - + = | x",
    "item": "- x",
    "number": "1. x",
    "rule": "---",
    "address": "[a]: https://evil.example",
    "breaks": "one\r\ntwo\rthree\x0bfour\x0cfive\x85six\u2028seven\u2029eight\n\nnine",
    "controls": "a\x00b\x07c\x1b[2Jd\x7fe\x9b31mf\x1cg\ufffeh\uffff",
    "tab": "a\tb",
    "quotes": '"a", \'b\', ""c""',
    "spaces": " a ",
    "html": "<script>alert(1)</script><img src=x onerror=alert(1)></td></table>]]>&lt;",
    "xml": "]]> <![CDATA[ &#0; </w:t>",
    "signs": "χ² ≥ ½ × −1 → √ μ Σ ₁₎ ⁻¹ £ – … Łódź",
    "formula": "=1+1",
    "nothing": "",
}


def attacked(words: str) -> list[Printable]:
    """Give tables with these words in every place."""
    frame = pd.DataFrame(
        {"term": [words, "b"], "estimate": [0.1, 0.2], "std_error": 0.2, "p_value": 0.3}
    )
    models = cw.table({words: frame, "b": frame}, title=words, notes=[words], labels={words: words})
    plain = Table([words] * 3, [[words] * 3, [words, 1.5, words]], words, [words], align="lrl")

    class Two(Printable):
        def _panels(self) -> list[Table]:
            return [plain, plain]

    return [models, plain, Two()]


@pytest.mark.parametrize("attack", PAYLOADS)
def test_7_9_words_of_every_kind_stay_words_in_every_format(attack: str, tmp_path: Path) -> None:
    words = clean(PAYLOADS[attack])
    for result in attacked(PAYLOADS[attack]):
        found = sheets(result)
        html = read_html(result.html())
        shown = [text for table in html.tables for row in table for text in row if text]
        assert not words or any(text.split("\n(")[0] == words for text in shown)
        assert html.captions == [s.title for s in found if s.title]
        assert html.notes == [note for s in found for note in s.notes]
        html = read_html(unscrolled(result.html()))
        assert html.tags <= set(re.findall(r"\w+", "table caption thead tbody tr th td p br span"))
        assert read_markdown(result.markdown()) == [lines(s, single=True) for s in found]
        check_latex(result.latex(), found)
        tables, said = read_docx(result.docx(tmp_path / "a.docx").read_bytes())
        assert tables == [lines(sheet) for sheet in found] and (not words or words in said)
        rows = [row for row in csv.reader(io.StringIO(result.csv(), newline="")) if row]
        assert [row for row in rows if len(row) > 1] == [line for s in found for line in s.lines()]
        text = Printable.text(result)
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", text)
        # A name of several lines takes one.
        assert (
            len(text.split("\n"))
            == sum(
                len(s.lines()) + 1 + 2 * bool(s.title) + (1 + len(s.notes)) * bool(s.notes) + 1
                for s in found
            )
            - 1
        )
        ElementTree.fromstring(f"<div>{result.html().replace('<br>', '<br/>')}</div>")


def test_two_tables_stay_two_in_word(tmp_path: Path) -> None:
    class Two(Printable):
        def _panels(self) -> list[Table]:
            return [Table(["", "n"], [["a", 1]]), Table(["", "n"], [["b", 2]])]

    with zipfile.ZipFile(Two().docx(tmp_path / "a.docx")) as archive:
        body = ElementTree.fromstring(archive.read("word/document.xml"))[0]
    # Word makes one table of two with no paragraph between them.
    assert [part.tag.removeprefix(WORD) for part in body] == ["tbl", "p", "tbl", "sectPr"]


def test_notes_in_markdown_are_no_headings_lists_rules_or_links() -> None:
    for attack in ("heading", "item", "number", "rule", "address"):
        note = Table(["", "n"], [["a", 1]], notes=[PAYLOADS[attack]]).markdown().split("\n")[-1]
        assert not re.match(r"[#>=+|-]|\d+[.)]\s|\[[^\]]*\]:", note), note


# --------------------------------------------------------------------------- paths


@pytest.mark.parametrize("path", ["a.pdf", "a", "a.docx.bak", "folder.html/a", ".csv"])
def test_unknown_endings_are_refused_with_the_list(path: str, tmp_path: Path) -> None:
    with pytest.raises(cw.InputError, match=r"'\.txt'.*|'\.docx'") as caught:
        results()["ols"].save(tmp_path / path)
    for ending in (".csv", ".docx", ".html", ".htm", ".tex", ".md", ".markdown", ".txt"):
        assert f"'{ending}'" in str(caught.value)
    assert not list(tmp_path.iterdir())


class _Pathlike:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __fspath__(self) -> str:
        return str(self.path)


def test_paths_of_every_kind(tmp_path: Path) -> None:
    result = results()["ols"]
    for make in (str, Path, _Pathlike):
        for method, ending in (("save", ".md"), ("csv", ".csv"), ("docx", ".docx")):
            path = getattr(result, method)(make(tmp_path / f"{make.__name__}{ending}"))  # type: ignore[operator]
            assert isinstance(path, Path) and path.stat().st_size > 100
    for method in ("save", "csv", "docx"):
        with pytest.raises(cw.InputError, match="int is no path"):
            getattr(result, method)(5)
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(cw.InputError, match="is a folder"):
        result.save(tmp_path / "folder.csv")


@pytest.mark.parametrize("ending", [".txt", ".html", ".md", ".tex", ".docx", ".csv"])
def test_7_2_a_failed_writing_leaves_the_last_good_table(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{ending}"
    before = Table(["", "n"], [["a", 1]]).save(path).read_bytes()
    with pytest.raises(cw.InputError, match="half a character"):
        Table(["", "n"], [["half \ud800", 1]]).save(path)
    assert path.read_bytes() == before and os.listdir(tmp_path) == [path.name]


# --------------------------------------------------------------------------- a format of one's own


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Register a format as a file in the folder does, for one test."""
    monkeypatch.setattr(registry, "WRITERS", dict(registry.WRITERS))

    @registry.writer("toy", ".toy", between="\n--\n")
    def toy(sheet: Sheet) -> str:
        """Give the cells one under the other."""
        return "\n".join(cell for row in sheet.lines() for cell in row)

    yield
    del registry.Written.toy  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", NAMES)
def test_a_new_format_is_one_function(name: str, toy: None, tmp_path: Path) -> None:
    result = results()[name]
    want = "\n--\n".join(
        "\n".join(cell for row in sheet.lines() for cell in row) for sheet in sheets(result)
    )
    assert result.toy() == want
    assert result.save(tmp_path / "a.toy").read_text("utf-8") == want + "\n"
    assert result.toy(tmp_path / "b.toy").read_text("utf-8") == want + "\n"
    with pytest.raises(cw.InputError, match=r"'\.toy'"):
        result.save(tmp_path / "a.pdf")


def test_names_and_endings_are_given_once(toy: None) -> None:
    for name, ending in (("toy", ".new"), ("new", ".docx"), ("two words", ".new")):
        with pytest.raises(cw.InputError, match="cannot be registered"):
            registry.writer(name, ending)


def test_frames_print_as_tables_in_a_report() -> None:
    frame = pd.DataFrame({"arm": ["<control>", "crewe"], "cases": [45, 83]})
    page = cw.Report("A report", date="2016-11-01").add(frame, heading="Cases").html
    assert read_html(page).tables == [[["arm", "cases"], ["<control>", "45"], ["crewe", "83"]]]
    assert protocols.is_frame(frame)
