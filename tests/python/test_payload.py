"""Names and words that are HTML stay names and words: in reports, tables, notebooks and drawings.

Every string that a user or a data file can give is an attack here. What is made of it is read as a browser reads it, and
may hold the tags and attributes of an allow-list, and no others.
"""

from __future__ import annotations

import copy
import dataclasses
import io
import json
import re
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import crewe as cw
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from crewe.tables.display import Table
from crewe.tables.sheet import clean

# For the names of columns, which stand in formulas, and for all other words.
COLUMN = "<img/src=x/onerror=alert(1)>"
WORDS = (
    "\"'></style></title></script></textarea>--><script>alert(1)</script>"
    '<img src=x onerror=alert(1)><meta http-equiv="refresh" content="0;url=https://evil.example">'
    "<a href=javascript:alert(1)>x</a><svg onload=alert(1)><iframe src=//evil.example></iframe>"
    "<base href=//evil.example><form action=//evil.example><input><style>*{display:none}</style>"
    "[x](javascript:alert(1))&lt;script&gt;<!-- <![CDATA["
)
ATTACKS = {
    "refresh": '<meta http-equiv="refresh" content="0;url=https://evil.example">',
    "image": "<img src=x onerror=alert(1)>",
    "style": "</style><script>alert(1)</script>",
    "quotes": "\"' onmouseover=alert(1) x='",
    "all": WORDS,
}

PAGE = {
    *[
        "html",
        "head",
        "body",
        "meta",
        "title",
        "style",
        "link",
        "header",
        "footer",
        "main",
        "nav",
        "details",
        "summary",
        "section",
        "figure",
        "figcaption",
    ],
    *[
        "h1",
        "h2",
        "h3",
        "p",
        "ol",
        "ul",
        "li",
        "dl",
        "dt",
        "dd",
        "div",
        "span",
        "strong",
        "em",
        "b",
        "i",
        "br",
        "code",
        "a",
        "time",
        "sub",
        "sup",
        "small",
    ],
    *["table", "caption", "colgroup", "col", "thead", "tbody", "tfoot", "tr", "th", "td", "abbr"],
}
DRAWING = set(
    [
        "svg",
        "title",
        "desc",
        "defs",
        "g",
        "path",
        "rect",
        "text",
        "tspan",
        "use",
        "marker",
        "clippath",
        "pattern",
        "line",
    ]
)
DRAWING |= set(["polyline", "polygon", "circle", "ellipse", "lineargradient", "stop"])
WORN = {
    *[
        "class",
        "id",
        "lang",
        "scope",
        "colspan",
        "rowspan",
        "title",
        "role",
        "tabindex",
        "href",
        "content",
        "charset",
        "name",
    ],
    *[
        "http-equiv",
        "rel",
        "datetime",
        "style",
        "xmlns",
        "viewbox",
        "width",
        "height",
        "focusable",
        "d",
        "fill",
        "stroke",
    ],
    *[
        "x",
        "y",
        "x1",
        "x2",
        "y1",
        "y2",
        "cx",
        "cy",
        "r",
        "rx",
        "ry",
        "points",
        "transform",
        "clip-path",
        "font-size",
        "font-weight",
    ],
    *[
        "text-anchor",
        "stroke-width",
        "marker-end",
        "markerwidth",
        "markerheight",
        "refx",
        "refy",
        "orient",
    ],
    *["xlink:href", "patternunits", "clippathunits", "border", "dir"],
    *["data-quarto-disable-processing", "data-quarto-bootstrap"],
}


class Browser(HTMLParser):
    """Collects every tag with its attributes, as they open."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.comments: list[str] = []
        self.styles: list[str] = []
        self.inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, {name: value or "" for name, value in attrs}))
        self.inside = tag

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside == "style":
            self.styles.append(data)

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


def check(text: str, where: str, *, links: bool = False) -> None:
    """Find what no text of ours may hold."""
    browser = Browser()
    browser.feed(text)
    browser.close()
    assert not browser.comments, (where, browser.comments[:1])
    metas = 0
    for tag, attributes in browser.seen:
        assert tag in PAGE | DRAWING, (where, tag, attributes)
        for name, value in attributes.items():
            assert name in WORN or name.startswith("aria-"), (where, tag, name)
            if name in ("href", "xlink:href", "style", "clip-path", "fill", "marker-end"):
                assert not re.search(r"javascript:|expression\(|@import|//evil", value), (
                    where,
                    tag,
                )
            if name == "href":
                allowed = value.startswith("#") or (links and value.startswith("https://ours."))
                assert allowed or (tag, value) == ("link", "data:,"), (where, value)
            if name == "style":
                assert re.fullmatch(r"[\w:;,.%()# /-]*", value), (where, value)
            if name == "http-equiv":
                metas += 1
                assert value == "Content-Security-Policy", where
            if name in ("class", "id", "role", "scope"):
                assert re.fullmatch(r"[\w :.-]*", value), (where, name, value)
    assert metas <= 1, where
    for style in browser.styles:
        # Whatever the running title says stands inside one pair of quotes.
        bare = re.sub(r'"(?:[^"\\\n]|\\[0-9a-f]+ |\\.)*"', "", style)
        assert "evil" not in bare and "alert" not in bare and "<" not in bare, where


def data() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    n = 48
    return pd.DataFrame(
        {
            f"id{COLUMN}": [f"{WORDS}{i // 2:02}" for i in range(n)],
            f"s{COLUMN}": [f"{WORDS}{i // 24}" for i in range(n)],
            f"x{COLUMN}": rng.normal(size=n),
            f"y{COLUMN}": rng.normal(size=n),
            f"e{COLUMN}": rng.integers(0, 2, size=n),
            f"t{COLUMN}": rng.integers(1, 40, size=n),
            f"k{COLUMN}": [f"{WORDS}{'pqr'[i % 3]}" for i in range(n)],
            "arm": [f"{WORDS}{'ab'[(i // 2) % 2]}" for i in range(n)],
        }
    )


class _Named:
    """A statistic whose name is words."""

    __name__ = WORDS

    def __call__(self, frame: pd.DataFrame) -> float:
        return float(frame["t"].mean())


@cache
def results() -> dict[str, Any]:
    """Make a result of every kind from names that are attacks."""
    frame = data()
    who, stratum, x, y, event, time, kind = (
        f"{c}{COLUMN}" for c in ("id", "s", "x", "y", "e", "t", "k")
    )
    arms = {f"{WORDS}a": 1, f"{WORDS}b": 1}
    design = cw.Design(WORDS, arms=arms, cluster=who, strata=[stratum], seed=1)
    trial = design.assign(frame.drop(columns="arm"))
    seen = design.observe(frame, arm="arm")
    rolling = cw.Design(WORDS, arms=arms, cluster=who, method=cw.Blocks(sizes=[2, 4]), seed=1)
    fit = cw.ols(f"`{y}` ~ arm + `{x}`", frame, cluster=who)
    cox = cw.coxph(f"Surv(`{time}`, `{event}`) ~ arm + `{x}`", frame)
    plain = frame.rename(columns={time: "t", event: "e"})
    answers = pd.DataFrame(
        {f"q{COLUMN}": [1, 2, 3, 2], f"r{COLUMN}": [3, 2, 1, 2], kind: list("abab")}
    )
    costs = cw.cost.CostBenefit(
        [cw.cost.Input("x", "2", label=WORDS, unit=WORDS, source=WORDS, note=WORDS)],
        [
            cw.cost.Line(
                "y",
                "x + 1",
                label=WORDS,
                words=WORDS,
                arm=WORDS,
                unit=WORDS,
                source=WORDS,
                note=WORDS,
            )
        ],
        title=WORDS,
        source=WORDS,
    )
    reasons = {WORDS: frame[who].iloc[:2].tolist()}
    return {
        "design": design,
        "assignment": trial,
        "observed": seen,
        "balance": seen.balance([x, kind]),
        "consort": cw.consort(seen, excluded=reasons),
        "consort with all": cw.consort(
            seen, excluded=reasons, assessed=(60, 120), not_randomised={WORDS: (36, 72)}
        ),
        "predictability": rolling.predictability(8),
        "ols": fit,
        "ols of a design": cw.ols(f"`{y}` ~ arm", frame, design=seen),
        "fits": cw.ols(f"`{y}` ~ arm", frame, by=kind),
        "margins": cw.ols("y ~ arm + x", plain.rename(columns={x: "x", y: "y"})).margins("arm"),
        "logit": cw.logit(f"`{event}` ~ arm + `{x}`", frame, cluster=who),
        "cox": cox,
        "zph": cox.zph(),
        "adjusted": cw.coxph("Surv(t, e) ~ arm", plain).adjusted_curves("arm"),
        "kaplan_meier": cw.kaplan_meier("Surv(t, e) ~ arm", plain),
        "logrank": cw.logrank("Surv(t, e) ~ arm", plain),
        "mann_whitney": cw.mann_whitney("t ~ arm", plain),
        "permutation": cw.permutation_test("t ~ arm", plain),
        "rates": cw.compare_rates("e ~ arm", plain),
        "describe": cw.describe("t ~ arm", plain),
        "crosstab": cw.crosstab("k ~ arm", plain.rename(columns={kind: "k"})),
        "randomisation": cw.randomisation_test("t ~ arm", plain, seen, draws=99, seed=1),
        "audit": cw.ols(f"`{y}` ~ arm", frame, design=seen).audit(
            seen, 99, procedures=["CR1"], seed=1
        ),
        "wild bootstrap": cw.wild_bootstrap(fit, fit.terms[-1], 99, 1),
        "pairs bootstrap": cw.pairs_bootstrap(plain, _Named(), who, draws=99, seed=1),
        "survey": cw.survey.score(answers, list(answers)[:2], scale=(1, 3)),
        "costs": costs,
        "trace": costs.trace("y"),
        "table": cw.table({WORDS: fit}, title=WORDS, notes=[WORDS], labels={"Intercept": WORDS}),
        "text table": Table([WORDS, WORDS], [[WORDS, WORDS]], title=WORDS, notes=[WORDS]),
    }


PART = "'></style></title></textarea>--><script>alert(1)</script><img src=x onerror=alert(1)>"


@cache
def ledger(folder: Path) -> cw.Ledger:
    at = datetime(2017, 3, 1, tzinfo=timezone.utc)
    design = cw.Design(
        WORDS,
        arms={f"{WORDS}a": 1, f"{WORDS}b": 1},
        cluster=f"id{COLUMN}",
        strata=[f"s{COLUMN}"],
        method=cw.Simple(),
        seed=cw.new_key(),
    )
    made = cw.Ledger.create(folder / "trial.ledger", design, at=at)
    for k in range(6):
        # Identifiers are bounded, so each holds a part of the attack.
        made.enrol(f"{PART}{k}", [f"{PART}{k}c"], [WORDS], approved_by=WORDS, consent=WORDS, at=at)
    made.exclude(f"{PART}0", by=WORDS, reason=WORDS, at=at)
    made.capacity(f"{WORDS}a", True, by=WORDS, at=at)
    return made


NAMES = sorted(results())


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    plt.close("all")


def faces(result: Any) -> Iterator[tuple[str, str]]:
    """Give everything of a result that a browser may read."""
    for name in ("_repr_html_", "html", "svg"):
        face = getattr(result, name, None)
        text = face() if callable(face) else face
        if isinstance(text, str):
            yield name, text


def report_of(result: Any, **options: Any) -> str:
    return cw.Report("A report", date="2016-11-01").add(result, heading="A result", **options).html


@pytest.mark.parametrize("name", NAMES)
def test_7_5_names_that_are_html_stay_names(name: str) -> None:
    result = results()[name]
    for face, text in faces(result):
        check(text, f"{name}.{face}")
        # Two say nothing that comes from a user.
        assert "&lt;" in text or name in ("predictability", "survey"), (
            "the attack is there, as text"
        )
    if name not in ("design", "text table", "fits"):
        page = report_of(result, figure=hasattr(result, "plot") or None, caption=WORDS, alt=WORDS)
        check(page, f"{name} in a report")
        assert "evil.example" in page


def test_7_5_a_ledger_shows_what_was_written_as_text(tmp_path: Path) -> None:
    made = ledger(tmp_path)
    for result in (made, made.consort(), cw.consort(made)):
        for face, text in faces(result):
            check(text, f"ledger.{face}")
    check(report_of(made.consort()), "the flow of a ledger")


def attacked(words: str) -> cw.Report:
    """Make a report in which every text that a caller or the data can bring is the attack."""
    frame = pd.DataFrame({words: [words, words], "arm": ["a", "b"], "p_value": [0.1, 0.2]})
    fit = cw.ols("y ~ x", pd.DataFrame({"y": [1.0, 3, 2, 5, 4], "x": [1.0, 2, 3, 4, 5]}))
    speaker = SimpleNamespace(
        tidy=lambda level=0.95: frame.rename(columns={words: "term"}),
        methods=lambda: [words, f"**{words}**", f"`{words}`"],
        notes=[words],
        formula=f"{words} ~ {words}",
        describe=lambda: words,
        design=SimpleNamespace(
            name=words, arms={words: words}, cluster=words, strata=[words], method=words
        ),
        commitment=SimpleNamespace(digest=words, label=words),
    )
    foreign = SimpleNamespace(
        _repr_html_=lambda: f"<table><tr><td>{words}</td></tr></table>{words}"
    )
    drawing = SimpleNamespace(
        svg=f'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><text x="1">'
        f"{words.replace('&', '&amp;').replace('<', '&lt;').replace('>', '&gt;')}</text></svg>"
    )
    _, ax = plt.subplots()
    ax.set_title("A title")
    return (
        cw.Report(
            f"T {words}",
            subtitle=words,
            author=words,
            date="2016-11-01",
            synthetic=True,
            labels={"x": words, "a": words, words: words},
        )
        .add_text(words)
        .add_text(
            f"# {words}\n\n- {words}\n- {words}\n\n1. {words}\n\n[{words}](https://ours.example/)"
        )
        .add(frame, heading=words, text=words, caption=words)
        .add(speaker, heading=words, text=words, caption=words, figure_caption=words, alt=words)
        .add(foreign, heading=words)
        .add(drawing, heading=words, caption=words, alt=words)
        .add({words: words}, heading=words)
        .add(cw.table({words: fit, "b": fit}, title=words, notes=[words], labels={"x": words}))
        .add(fit.margins("x", values=[1, 2]), figure=True, figure_caption=words, alt=words)
        .add_figure(ax, caption=words, alt=words, heading=words, text=words)
        .add(cw.report.Estimand(words, words, words, words, {words: words}, name=words))
        .add(cw.report.Protocol(words, words, words, words, [words, words]), heading=words)
        .add(cw.report.Abbreviations({words: words}))
    )


@pytest.mark.parametrize("attack", ATTACKS)
def test_7_5_every_word_of_a_report_is_text(attack: str) -> None:
    words = ATTACKS[attack]
    report = attacked(words)
    check(report.html, attack, links=True)
    # What stood unescaped: the names of models before their methods.
    assert f"<strong>Table 4, {words}" not in report.html
    repr(report)


# What a typesetter, a spreadsheet or Word might obey.
OTHERS = {
    **ATTACKS,
    "typst": '#panic("evil") #read("/etc/passwd") $x$ @table-1 <b> `c` // d /* e */ \\u{41} #let x = 1; ] } ) "q"',
    "json": '\\u0041 "}], "format": "evil", \\n {',
    "xml": "]]> <!-- --> &lt; <?php ?> <w:p/> &#x41; %PDF-1.4",
    "fields": '=HYPERLINK("https://evil.example") { INCLUDETEXT "C:/x" } TOC',
    "long": "evil" * 300,
}


def squeezed(text: str) -> str:
    """Leave out what breaking lines adds."""
    return re.sub(r"[\s\u200b\u00ad\u2010-]", "", text)


@pytest.mark.parametrize("attack", OTHERS)
def test_names_that_are_code_stay_names_in_pdf(attack: str, tmp_path: Path) -> None:
    words = OTHERS[attack]
    pypdf = pytest.importorskip("pypdf")
    pytest.importorskip("typst")
    data = attacked(words).save(tmp_path / "a.pdf").read_bytes()
    for acting in (b"/JavaScript", b"/Launch", b"/OpenAction", b"/EmbeddedFile", b"/SubmitForm"):
        assert acting not in data
    found = pypdf.PdfReader(io.BytesIO(data))
    text = squeezed("".join(page.extract_text() for page in found.pages))
    assert squeezed("".join(words.split())[:60]) in text
    assert "root:" not in text
    for page in found.pages:
        for note in page.get("/Annots", []):
            action = note.get_object().get("/A", {})
            assert action.get("/S", "/GoTo") in ("/GoTo", "/URI")
            assert str(action.get("/URI", "https://ours.example/")) == "https://ours.example/"


@pytest.mark.parametrize("attack", OTHERS)
def test_names_that_are_code_stay_names_in_word(attack: str, tmp_path: Path) -> None:
    words = OTHERS[attack]
    pytest.importorskip("docx")
    pytest.importorskip("typst")
    plain = attacked("plain").save(tmp_path / "plain.docx")
    path = attacked(words).save(tmp_path / "a.docx")
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(plain) as other:
        assert {n for n in archive.namelist() if "media" not in n} == {
            n for n in other.namelist() if "media" not in n
        }
        known = {one.tag for one in ET.fromstring(other.read("word/document.xml")).iter()}
        root = ET.fromstring(archive.read("word/document.xml"))
        # Line breaks and the looks of a little Markdown are what words may bring.
        brought = ("br", "tab", "i", "b", "rFonts", "sz")
        looks = {f"{{{root.tag[1:].split('}')[0]}}}{name}" for name in brought}
        assert {one.tag for one in root.iter()} <= known | looks
        assert squeezed("".join(words.split())[:60]) in squeezed("".join(root.itertext()))
        codes = [str(one.text) for one in root.iter() if one.tag.endswith("}instrText")]
        assert all(
            re.fullmatch(r' (TOC [\w\\" -]+|SEQ \w+ \\\* ARABIC|PAGE|NUMPAGES) ', c) for c in codes
        )
        outside = [
            one.get("Target")
            for one in ET.fromstring(archive.read("word/_rels/document.xml.rels"))
            if one.get("TargetMode") == "External"
        ]
        assert set(outside) <= {"https://ours.example/"}


@pytest.mark.parametrize("attack", OTHERS)
def test_names_that_are_code_stay_names_in_json(attack: str, tmp_path: Path) -> None:
    words = OTHERS[attack]
    report = attacked(words)
    content = json.loads(report.save(tmp_path / "a.json").read_text("utf-8"))
    assert content["format"] == "crewe results"
    assert content["report"]["title"] == clean(f"T {words}")
    assert clean(words) in content["estimands"][0]["population"]
    check(report.html, attack, links=True)


@pytest.mark.parametrize("attack", ATTACKS)
def test_7_5_drawings_of_others_lose_what_acts(attack: str) -> None:
    words = ATTACKS[attack]
    quoted = words.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    inside = (
        f'<g id="{quoted}" class="{quoted}" onclick="alert(1)"><text x="{quoted}">{quoted}</text></g>'
        '<script>alert(1)</script><image href="//evil.example"/><a href="javascript:alert(1)"/>'
        "<foreignObject><iframe/></foreignObject><style>*{}</style>"
    )
    drawing = SimpleNamespace(svg=f'<svg xmlns="http://www.w3.org/2000/svg">{inside}</svg>')
    page = cw.Report("A report", date="2016-11-01").add(drawing, heading="H", caption=words).html
    svg = page[page.index("<svg") : page.index("</svg>")]
    assert "onclick" not in svg and "alert(1)</script" not in svg and '//evil.example"/>' not in svg
    browser = Browser()
    browser.feed(svg)
    assert {tag for tag, _ in browser.seen} <= DRAWING | {"a"}
    for _, attributes in browser.seen:
        assert not any(name.startswith("on") for name in attributes)
        assert not attributes.get("href", "#").startswith(("java", "//"))


def strings(value: Any, path: tuple[Any, ...] = (), depth: int = 0) -> Iterator[tuple[Any, ...]]:
    """Give the way to every string within a result: attributes, positions, keys."""
    if isinstance(value, str):
        yield path
    elif depth > 5 or isinstance(value, np.ndarray | pd.Series | pd.DataFrame):
        return
    elif isinstance(value, Mapping):
        for key, inner in list(value.items()):
            if isinstance(key, str):
                yield (*path, ("key", key))
            yield from strings(inner, (*path, ("item", key)), depth + 1)
    elif isinstance(value, list | tuple):
        for place, inner in enumerate(value[:4]):
            yield from strings(inner, (*path, ("item", place)), depth + 1)
    elif type(value).__module__.startswith("crewe"):
        for name, inner in vars(value).items() if hasattr(value, "__dict__") else ():
            yield from strings(inner, (*path, ("attribute", name)), depth + 1)


def changed(value: Any, path: tuple[Any, ...], words: str) -> Any:
    """Give a copy in which one string is another."""
    if not path:
        return words
    (how, name), rest = path[0], path[1:]
    if how == "key":
        return {words if key == name else key: inner for key, inner in value.items()}
    if how == "item" and isinstance(value, Mapping):
        return {**value, name: changed(value[name], rest, words)}
    if how == "item":
        made = [*value[:name], changed(value[name], rest, words), *value[name + 1 :]]
        return type(value)(made) if type(value) in (list, tuple) else made
    other = copy.copy(value)
    if other is value:
        other = object.__new__(type(value))
        other.__dict__.update(value.__dict__)
    object.__setattr__(other, name, changed(getattr(value, name), rest, words))
    return other


@pytest.mark.parametrize("name", NAMES)
def test_7_5_any_string_of_a_result_may_be_html(name: str) -> None:
    """Whatever a result says of itself is escaped where it is shown, also what no user can set today."""
    result = results()[name]
    shown = 0
    for path in strings(result):
        other = changed(result, path, ATTACKS["all"])
        try:
            texts = list(faces(other))
        except Exception:
            # Names of arms, kinds and methods are looked up: an unknown one is no case of its own.
            continue
        shown += 1
        for face, text in texts:
            check(text, f"{name}.{face} with another {path}")
    assert shown or not dataclasses.is_dataclass(result), name


@pytest.mark.parametrize("attack", ATTACKS)
def test_7_5_tables_in_other_formats_are_text(attack: str) -> None:
    words = ATTACKS[attack]
    fit = pd.DataFrame({"term": [words], "estimate": [0.1], "std_error": [0.2], "p_value": [0.3]})
    table = cw.table(
        {words: fit}, title=words, notes=[words, f"\\{words}"], labels={words: f"\\{words}"}
    )
    check(table.html, attack)
    bare = re.sub(r"\\\\", "", table.markdown)
    assert not re.search(r"(?<!\\)<[A-Za-z/!?]", bare)
    assert not re.search(r"(?<!\\)\]\(", bare.replace("]\\(", ""))
    raw = table.gt().as_raw_html()
    for tag in ("<script>alert", "<img", "<iframe", "<svg", "<base", 'content="0;url'):
        assert tag not in raw
