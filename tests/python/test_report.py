"""The printed face: tables, figures and the report, from results worked out here with numpy."""

from __future__ import annotations

import dataclasses
import html
import html.parser
import pickle
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import matplotlib

matplotlib.use("Agg")

import crewe as cw
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import polars as pl
import pytest
from crewe import plots
from crewe.plots import style as _style
from crewe.tables import protocols

# --------------------------------------------------------------------------- results to print


def cases() -> pd.DataFrame:
    """The analysed cases by arm (29 of 45 and 60 of 83 closed), and 4 whose outcome is missing."""
    closed = np.concatenate([np.arange(45) < 29, np.arange(83) < 60]).astype(float)
    arm = np.repeat(["control", "crewe"], [45, 87])
    return pd.DataFrame(
        {
            "closed": np.append(closed, [np.nan] * 4),
            "arm": pd.Categorical(arm, categories=["control", "crewe"]),
            "history": np.arange(132) % 2 * 1.0,
        }
    )


def closed(synthetic: bool = False) -> tuple[cw.OLS, cw.OLS]:
    """Fit the closures without and with an interaction."""
    frame = cases()
    plain = cw.ols("closed ~ arm + history", frame, vcov="HC1", synthetic=synthetic)
    return plain, cw.ols("closed ~ arm * history", frame, vcov="HC1", synthetic=synthetic)


def by_history() -> dict[str, Any]:
    plain, crossed = closed()
    return {"All cases": plain.margins("arm"), "": crossed.margins("arm", by="history")}


GROUPS = {"1": "History of social care", "0": "No history"}


def trial() -> tuple[cw.Assignment, cw.Assignment]:
    """Draw a fresh assignment of the synthetic trial's families, and read the one that was used."""
    made = cw.datasets.project_crewe(1)
    arms = {"control": 1, "crewe": 2}
    told: dict[str, Any] = {"arms": arms, "cluster": "family_id", "strata": ["history"]}
    children = made.children.merge(made.families[["family_id", "arm"]], on="family_id")
    drawn = cw.Design("Project Crewe", seed=20150801, **told).assign(made.children)
    return drawn, cw.Design("Project Crewe", **told).observe(children, arm="arm")


def sample(synthetic: bool = True) -> cw.Report:
    plain, crossed = closed()
    labels = {**GROUPS, "control": "Cheshire East Council", "crewe": "Project Crewe"}
    figure_1 = plots.means(
        by_history(), percent=True, ylabel="Predicted share closed", labels=labels
    )
    drawn, observed = trial()
    left_out = ["F001", "F060", "F072", "F083"]
    ratios = pd.DataFrame(
        {
            "term": ["arm[T.crewe]", "history"],
            "estimate": [1.11, 0.84],
            "conf_low": [0.71, 0.58],
            "conf_high": [1.74, 1.22],
        }
    )
    terms = {"arm[T.crewe]": "Project Crewe", "history": "History of social care"}
    report = cw.Report(
        "Project Crewe: did family practitioners help cases to close?",
        subtitle="A randomised trial of 132 families, one in three to the council's own service",
        author="The evaluation team",
        date="2016-11-01",
        synthetic=synthetic,
    )
    report.add_text(
        "Of the cases assigned to Project Crewe **72%** had closed by the end, against **64%** of "
        "the council's own. The difference, 8 percentage points, could well be chance."
    )
    report.add(
        drawn,
        heading="Design and randomisation",
        text="The unit of randomisation is the *family*; siblings share an arm.\n\n"
        "- two thirds to Project Crewe\n- one third to the council's service",
        caption="Families and children by arm",
    )
    report.add(
        cw.consort(observed, excluded={"outcome incomplete": left_out}), heading="Flow of the trial"
    )
    report.add(observed.balance(["age", "gender", "disability"]), heading="Balance")
    report.add(
        plain,
        heading="Primary outcome",
        text="A case counts as *closed* when it was stepped down by 1 November 2016 and was not re-referred.",
        caption="Closure of cases, linear model",
    )
    report.add_figure(figure_1, caption="Predicted share of cases closed, by arm and history")
    report.add(
        cw.table({"Closed": plain, "With interaction": crossed}, labels=terms, title="Both models")
    )
    report.add_figure(
        cw.coefplot({"Main effects": plain, "With interaction": crossed}, labels=terms),
        caption="Coefficients of both models",
    )
    report.add_figure(
        plots.forest(ratios, null=1, log=True, xlabel="Hazard ratio", labels=terms),
        heading="Time to closure",
        caption="Hazard ratios of closing",
    )
    plt.close("all")
    return report


# --------------------------------------------------------------------------- tables


def test_table_prints_the_fits_own_numbers() -> None:
    plain, crossed = closed()
    made = cw.table([plain, crossed], star=False)
    tidy = plain.tidy().set_index("term")
    line = next(row for row in made.markdown.splitlines() if row.startswith("| arm: crewe "))
    assert f" {tidy['estimate']['arm[T.crewe]']:.3f} |" in line
    assert f"({tidy['std_error']['arm[T.crewe]']:.3f})" in made.html
    assert f"{plain.statistics['r_squared']:.3f}" in made.html and ">128<" in made.html
    # The first model lacks the interaction: its cell is empty, not zero.
    lines = made.markdown.splitlines()
    interaction = next(row for row in lines if row.startswith("| arm: crewe × history"))
    assert interaction.split("|")[2].strip() == ""
    assert "125" in made.markdown and "124" in made.markdown  # degrees of freedom


def test_table_stars_follow_the_p_values() -> None:
    frame = pd.DataFrame(
        {
            "term": ["a", "b", "c", "d"],
            "estimate": [1.0, 2.0, 3.0, -4.0],
            "std_error": 0.5,
            "p_value": [0.0099, 0.0499, 0.0999, 0.1],
        }
    )
    assert [row.top[0] for row in cw.table(frame).rows] == [
        "1.000***",
        "2.000**",
        "3.000*",
        "\N{MINUS SIGN}4.000",
    ]
    assert "*" not in cw.table(frame, star=False).html


@pytest.mark.parametrize("show", ["std_error", "conf_int", "p_value", "statistic"])
def test_table_in_every_format(show: str, tmp_path: Path) -> None:
    plain, crossed = closed()
    made = cw.table({"A & B": plain, "C_1": crossed}, show=show, title="50% of <cases>")
    ET.fromstring(f"<div>{made.html.replace('<br>', '<br/>')}</div>")
    assert "A &amp; B" in made.html and "50% of &lt;cases&gt;" in made.html
    assert r"A \& B & C\_1" in made.latex and r"50\% of" in made.latex
    assert made.latex.count("{") == made.latex.count("}")
    columns = {
        len(row.replace(r"\&", "").split("&")) for row in made.latex.splitlines() if " & " in row
    }
    assert columns == {3}
    assert {row.count("|") for row in made.markdown.splitlines() if row.startswith("|")} == {4}
    assert "A &amp; B" in made.gt().as_raw_html()
    again = made.docx(tmp_path / "b.docx").read_bytes()
    assert made.docx(tmp_path / "a.docx").read_bytes() == again
    with zipfile.ZipFile(tmp_path / "a.docx") as archive:
        text = "".join(ET.fromstring(archive.read("word/document.xml")).itertext())
        assert all(ET.fromstring(archive.read(name)) is not None for name in archive.namelist())
    assert "A & B" in text and made.rows[0].top[0] in text


def test_table_shows_each_warning_with_its_model() -> None:
    plain, crossed = closed()
    complete = cw.ols("closed ~ arm", cases().dropna(), vcov="HC1")
    made = cw.table({"one": plain, "two": complete})
    assert made.notes == ["one: 4 of 132 rows dropped for missing values (closed 4)."]
    assert made.notes[0] in made.html and made.notes[0] in made.markdown
    assert cw.table([plain, crossed]).notes == [made.notes[0].removeprefix("one: ")]


def test_table_takes_frames_of_every_kind() -> None:
    plain, _ = closed()
    tidy = plain.tidy()
    same = cw.table(tidy).html
    assert cw.table(pl.from_pandas(tidy)).html == same
    assert cw.table(pl.from_pandas(tidy).lazy()).html == same
    assert cw.table([tidy.to_dict("list")]).html == same


def test_table_refuses_in_plain_words() -> None:
    plain, _ = closed()
    with pytest.raises(cw.InputError, match="no model has these terms"):
        cw.table(plain, terms=["nothing"])
    with pytest.raises(cw.InputError, match="cannot stand under"):
        cw.table(plain, show="variance")
    with pytest.raises(cw.InputError, match="2 models and 1 names"):
        cw.table([plain, plain], names=["only"])
    with pytest.raises(cw.InputError, match="at least one"):
        cw.table([])


# --------------------------------------------------------------------------- figures


def _lightness(colour: str) -> float:
    rgb = np.array(matplotlib.colors.to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_arms_differ_in_more_than_colour() -> None:
    styles = list(_style.arm_styles(list("abcdef")).values())
    for part in ("marker", "line", "hatch", "colour"):
        assert len({str(getattr(style, part)) for style in styles}) == 6
    for style in styles:  # 3:1 against white paper
        assert 1.05 / (_lightness(style.colour) + 0.05) >= 3
    first, second = styles[:2]
    contrast = (_lightness(first.fill) + 0.05) / (_lightness(second.fill) + 0.05)
    assert contrast > 3
    with pytest.raises(cw.InputError, match="7 series"):
        _style.arm_styles(list("abcdefg"))


def test_style_leaves_the_users_settings_alone() -> None:
    with matplotlib.rc_context({"font.size": 23, "axes.spines.top": True}):
        ax = cw.coefplot(closed()[0])
        assert matplotlib.rcParams["font.size"] == 23
    assert ax.xaxis.label.get_fontsize() == pytest.approx(8.5)
    plt.close("all")


def test_coefplot_draws_the_estimates() -> None:
    plain, crossed = closed()
    ax = cw.coefplot([plain, crossed], level=0.9)
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        "arm: crewe",
        "history",
        "arm: crewe × history",
    ]
    drawn = [line for container in ax.containers for line in [container.lines[0]]]
    assert list(drawn[0].get_xdata()) == list(plain.coef.iloc[1:])
    assert list(drawn[1].get_xdata()) == list(crossed.coef.iloc[1:])
    low = plain.tidy(level=0.9).conf_low[1]
    segments = ax.containers[0].lines[2][0].get_segments()
    assert segments[0][0][0] == pytest.approx(low)
    assert "90% confidence" in ax.get_xlabel()
    assert f"{plain.coef.iloc[1]:.3f}" in _style.alt_of(ax)
    with pytest.raises(cw.InputError, match="nothing to draw"):
        cw.coefplot(plain, terms=["nothing"])
    plt.close("all")


@pytest.mark.parametrize("kind", ["points", "bars"])
def test_means_shows_levels_and_differences(kind: str) -> None:
    ax = plots.means(
        by_history(), percent=True, kind=kind, ylabel="Predicted share closed", labels=GROUPS
    )
    under = [label.get_text() for label in ax.get_xticklabels()]
    assert under == [
        "All cases\nn = 45, 83\n+7.9 points (n.s.)",
        "No history\nn = 23, 41\n+8.0 points (n.s.)",
        "History of social care\nn = 22, 42\n+7.8 points (n.s.)",
    ]
    assert [text.get_text() for text in ax.texts][:3].count("64%") >= 1
    alt = _style.alt_of(ax)
    assert "All cases: control 64%" in alt and "crewe 72%" in alt and "p = 0.3" in alt
    plt.close("all")


def test_means_stars_and_by_column() -> None:
    levels = pd.DataFrame(
        {
            "level": ["control", "crewe"] * 2,
            "by": ["no", "no", "yes", "yes"],
            "estimate": [2.0, 3.0, 2.0, 1.0],
            "conf_low": [1.0, 2.0, 1.0, 0.5],
            "conf_high": [3.0, 4.0, 3.0, 1.5],
        }
    )
    tests = pd.DataFrame({"by": ["no", "yes"], "estimate": [1.0, -1.0], "p_value": [0.03, 0.004]})
    result = SimpleNamespace(tidy=lambda: levels, contrasts=lambda: tests)
    ax = plots.means(result)
    under = [label.get_text() for label in ax.get_xticklabels()]
    assert under == ["no\n+1.00 **", "yes\n\N{MINUS SIGN}1.00 ***"]
    with pytest.raises(cw.InputError, match="'pies'"):
        plots.means(result, kind="pies")
    plt.close("all")


def test_forest_and_love_refuse_what_they_cannot_draw() -> None:
    frame = pd.DataFrame({"term": ["a"], "estimate": [1.0], "conf_low": [-1.0], "conf_high": [2.0]})
    with pytest.raises(cw.InputError, match="not positive"):
        plots.forest(frame, log=True)
    with pytest.raises(cw.InputError, match="std_difference"):
        plots.love(frame)
    for draw in (cw.coefplot, plots.forest, plots.means):
        with pytest.raises(cw.InputError, match="'conf_low'"):
            draw(frame.rename(columns={"conf_low": "low"}).assign(level="a"))


def test_love_tells_levels_apart() -> None:
    balance = pd.DataFrame(
        {
            "level": ["family", "family", "child", "child"] * 2,
            "term": ["age", "age", "age", "age", "girl", "girl", "girl", "girl"],
            "arm": ["control", "crewe"] * 4,
            "std_difference": [np.nan, 0.1, np.nan, 0.2, np.nan, -0.4, np.nan, 0.3],
        }
    )
    ax = plots.love(balance)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["girl", "age"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["family", "child"]
    drawn = [list(line.get_xdata()) for line in ax.lines if len(line.get_xdata()) == 2]
    assert [0.1, -0.4] in drawn and [0.2, 0.3] in drawn
    assert "child, age: +0.20" in _style.alt_of(ax)
    plt.close("all")


def test_svg_is_self_contained_and_the_same_each_time() -> None:
    def make(prefix: str) -> str:
        ax = plots.means(by_history(), kind="bars", percent=True)
        svg = _style.to_svg(ax, "Title", prefix=prefix)
        plt.close("all")
        return svg

    svg = make("fig1")
    assert svg == make("fig1")
    root = ET.fromstring(svg)
    ids = {element.get("id") for element in root.iter() if element.get("id")}
    assert all(name.startswith("fig1-") for name in ids)
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg))
    assert used and used <= ids
    assert not ids & {e.get("id") for e in ET.fromstring(make("fig2")).iter() if e.get("id")}
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == "fig1-title"
    assert root[0].tag.endswith("title") and root[1].text.startswith("Predicted closed by arm")
    for word in ("<!DOCTYPE", "metadata", "xlink", "<style", "font-family", "<text", "dc:date"):
        assert word not in svg
    assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)", svg)


def test_embedded_svg_cannot_load_or_run() -> None:
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        'width="100" height="50"><script>alert(1)</script><image href="http://a/b.png"/>'
        '<a xlink:href="http://a"><rect id="r" onclick="x()" fill="url(http://a/b#c)"/></a>'
        '<use xlink:href="#r" fill="url(#g)"/><text>words</text></svg>'
    )
    out = _style.embed_svg(svg, "t", "d", "p")
    for word in ("script", "image", "http://a", "onclick", "xlink"):
        assert word not in out
    assert 'href="#p-r"' in out and "url(#p-g)" in out and "words" in out
    assert 'viewBox="0 0 75 37.5"' in out and "SYNTHETIC" not in out
    labelled = _style.embed_svg(svg, "t", "d", "p", synthetic=True)
    assert 'viewBox="0 -2.5 75 40"' in labelled and ">SYNTHETIC DATA</text>" in labelled


def test_synthetic_label_is_in_the_drawing_only_where_it_should_be() -> None:
    ax = cw.coefplot(closed()[0])
    before = len(ax.texts)
    page = cw.Report("t", synthetic=True).add_figure(ax, caption="c").html
    assert "Synthetic data. Coefficients" in page
    assert 'id="fig1-crewe-synthetic"' in page
    assert len(ax.texts) == before
    plain = cw.Report("t").add_figure(ax, caption="c").html
    assert "ynthetic" not in plain.split("</style>")[1]
    _style.label_synthetic(ax)
    assert _style.label_synthetic(ax) is None
    plt.close("all")


# --------------------------------------------------------------------------- the report


class Outline(html.parser.HTMLParser):
    """Check that tags nest, and gather ids, links, headings and addresses."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.headings: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append((tag, found))
        if "id" in found:
            self.ids.append(str(found["id"]))
        self.links += [str(found["href"])] if "href" in found else []
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(tag)
        if tag not in {"meta", "link", "br"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if self.open and self.open[-1] == tag:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, (tag, self.open)
        self.open.pop()


def test_report_is_well_formed_and_linked() -> None:
    page = Outline(sample().html)
    assert len(page.ids) == len(set(page.ids))
    inside = [link[1:] for link in page.links if link.startswith("#")]
    assert inside and set(inside) <= set(page.ids)
    assert page.headings[0] == "h1" and page.headings.count("h1") == 1
    for before, after in zip(page.headings, page.headings[1:], strict=False):
        assert int(after[1]) <= int(before[1]) + 1
    tags = [tag for tag, _ in page.tags]
    for landmark in ("header", "nav", "main", "footer"):
        assert tags.count(landmark) == 1
    assert dict(page.tags)["html"] == {"lang": "en-GB"}
    assert tags.count("table") == tags.count("caption") == 6
    assert all(found.get("scope") for tag, found in page.tags if tag == "th")
    pictures = [found for tag, found in page.tags if tag == "svg"]
    assert len(pictures) == 5
    assert all(
        p["role"] == "img" and p["aria-labelledby"] and p["aria-describedby"] for p in pictures
    )


def test_report_is_the_same_bytes_and_loads_nothing() -> None:
    first = sample().html
    assert first == sample().html
    body = first.split("</style>")[1]
    assert "<script" not in body and "<img" not in body
    assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)", first)
    assert "default-src &#x27;none&#x27;" in first or "default-src 'none'" in first


def test_report_gathers_methods_notes_and_versions() -> None:
    plain, _ = closed()
    page = sample().html
    methods = page.split('id="methods"')[1]
    for sentence in plain.methods()[1:]:
        assert re.sub(r"`(\w+)`", r"<code>\1</code>", html.escape(sentence)) in methods
    assert methods.count("OLS: closed ~ arm + history.") == 1
    assert "<strong>Table 5.</strong> OLS" in methods
    assert "Standard errors in brackets" not in page.split('id="notes"')[1]
    assert "4 of 132 rows dropped" in page.split('id="table-5"')[1].split('id="table-6"')[0]
    for name, version in cw.versions().items():
        assert f"<dt>{name}</dt><dd>{version}</dd>" in page
    drawn, observed = trial()
    assert drawn.commitment is not None and observed.commitment is None
    assert f"<code>{drawn.commitment.digest}</code><br>{drawn.commitment.label}" in page
    assert "Commitment" not in cw.Report("t").add(observed).html


class Warned:
    """A result with warnings, a table or none, and a figure."""

    def __init__(self, notes: list[str], shown: str = "") -> None:
        self.notes = notes
        if shown:
            self._repr_html_ = lambda: shown  # type: ignore[method-assign]

    def plot(self) -> Any:
        return cw.coefplot(closed()[0])


def words_of(page: str) -> str:
    body = re.sub(r"(?s)<(style|svg|head)\b.*?</\1>", " ", page)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).split())


def test_5_5_a_note_stands_once() -> None:
    plain, _ = closed()
    first = plain.notes[0]
    for result in (plain, cw.table({"a": plain})):
        page = words_of(cw.Report("t").add(result, heading="Cases").html)
        assert page.count(first) == 1
        assert "What the results themselves warn of" in page
        assert page.count("Cases : under Table 1 .") == 1
    # Whatever its case, its stop and its group.
    for notes, shown in (
        (["few clusters, so mind"], "<table></table><p>Note: few clusters, so mind.</p>"),
        (["few clusters, so mind"], "<table></table><p>Few clusters, so mind.</p>"),
        (["few clusters, so mind & more", "few clusters, so mind & more"], "<table></table>"),
        (["few clusters, so mind"], ""),
    ):
        page = words_of(cw.Report("t").add(Warned(notes, shown), heading="Cases", alt="a").html)
        assert page.lower().count("few clusters, so mind") == 1
    rows = pd.DataFrame({"y": np.arange(40.0) % 7, "x": np.arange(40.0) % 5, "g": list("ab") * 20})
    for gone in ([0, 1], [0, 2, 1]):
        by = cw.ols("y ~ x", rows.assign(x=rows["x"].where(~rows.index.isin(gone))), by="g")
        said = [note.partition(": ")[2].lower() for note in by.notes]
        assert len(said) == 2
        page = words_of(cw.Report("t").add(by, heading="Cases").html).lower()
        assert all(page.count(note) == 1 for note in said)


def test_5_5_links_to_tables_lead_somewhere() -> None:
    plain, _ = closed()
    report = cw.Report("t").add(plain, heading="Table 1").add(plain, heading="Figure 2")
    page = Outline(report.html)
    assert len(page.ids) == len(set(page.ids))
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    assert "#table-2" in page.links


def test_5_5_methods_say_what_differs() -> None:
    plain, other = closed()
    margins = [fit.margins("arm") for fit in (plain, plain.vcov("HC3"))]
    page = cw.Report("t").add(margins[0], heading="A").add(margins[1], heading="B").html
    methods = words_of(page.split('id="methods"')[1])
    assert methods.count(plain.methods()[0]) == 1
    assert (
        "Table 2, Figure 2. Uncertainty: heteroskedasticity-robust standard errors (HC3" in methods
    )
    assert methods.count("Otherwise as Table 1, Figure 1.") == 1
    # What shares a single sentence is said in full.
    page = cw.Report("t").add(plain, heading="A").add(other, heading="B").html
    assert "Otherwise" not in words_of(page.split('id="methods"')[1])


def test_banner_follows_the_data() -> None:
    banner = 'class="banner"'
    plain, _ = closed()
    assert banner not in cw.Report("t").add(plain).html
    plain, _ = closed(synthetic=True)
    assert banner in cw.Report("t").add(plain).html
    assert banner in cw.Report("t").add(cw.table([plain])).html
    assert banner in cw.Report("t", synthetic=True).html


def test_report_makes_foreign_html_harmless() -> None:
    class Odd:
        def _repr_html_(self) -> str:
            return (
                "<style>p{}</style><script>bad()</script><h1 onclick='x()'>Big</h1>"
                "<img src='http://a/b.png'><a href='http://a'>link</a>"
                "<table><tr><td>1 &lt; 2</td></tr></table>"
            )

    page = cw.Report("A <b> & c").add(Odd(), heading="<i>x</i>").html
    body = page.split("<body>")[1]
    for word in ("bad()", "onclick", "http://a", "p{}", "<i>", "<img"):
        assert word not in body
    assert "<h3>Big</h3>" in body and "1 &lt; 2" in body and "A &lt;b&gt; &amp; c" in body
    said = '<span class="said"><span class="no">Table 1.</span> &lt;i&gt;x&lt;/i&gt;</span>'
    assert f'<caption id="table-1">{said}</caption>' in body
    Outline(page)


def test_report_takes_frames_figures_and_svg() -> None:
    flow = SimpleNamespace(
        svg='<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9" width="9mm" height="9mm">'
        '<rect id="box" width="9" height="9"/></svg>',
        alt="132 families randomised",
    )
    # Columns with the names of a result's attributes are only columns.
    named = pd.DataFrame({name: ["x"] for name in ("design", "notes", "svg", "formula", "methods")})
    assert "Table 1" in cw.Report("t").add(named, heading="Names").html
    fig, ax = _style.figure(80, 50)
    report = cw.Report("t", date="2016-11-01").add(flow, heading="Flow")
    report.add(pl.DataFrame({"arm": ["control"], "cases": [45]}), heading="Frame")
    report.add(ax, caption="Empty", alt="An empty figure")
    page = report.html
    Outline(page)
    assert 'id="fig1-box"' in page and "132 families randomised" in page
    assert ">45<" in page and "An empty figure" in page
    assert repr(report).splitlines()[1] == "2 sections, 1 tables, 2 figures"
    plt.close(fig)


def test_report_refuses_in_plain_words() -> None:
    with pytest.raises(cw.InputError, match="needs a title"):
        cw.Report(" ")
    with pytest.raises(cw.InputError, match="not a date"):
        cw.Report("t", date="1/11/2016")
    with pytest.raises(cw.InputError, match="int has nothing to show"):
        cw.Report("t").add(3)
    _, ax = _style.figure(80, 50)
    with pytest.raises(cw.InputError, match="cannot see it"):
        cw.Report("t").add_figure(ax)
    plt.close("all")


def test_report_pickles() -> None:
    report = sample()
    assert pickle.loads(pickle.dumps(report)).html == report.html


def test_protocols_hold_for_the_sample() -> None:
    plain, _ = closed()
    assert isinstance(plain, protocols.Fit) and isinstance(plain, protocols.Described)
    assert isinstance(by_history()["All cases"], protocols.Margins)
    assert isinstance(trial()[0], protocols.Designed)
    assert not isinstance(object(), protocols.Tidy)


def test_show_versions(capsys: pytest.CaptureFixture[str]) -> None:
    cw.show_versions()
    out = capsys.readouterr().out
    assert out.splitlines()[0].split() == ["crewe", cw.__version__]
    assert "numpy" in out and "Python" in out


# --------------------------------------------------------------------------- in a browser

CHROMIUM = shutil.which("chromium")
browser_checks = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="browser checks skipped: no chromium"),
]
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@dataclasses.dataclass
class Opened:
    page: Any
    messages: list[str]
    requests: list[str]


@pytest.fixture
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Open the saved report in headless Chromium and keep what it says and asks for."""
    from playwright.sync_api import sync_playwright

    path = sample().save(tmp_path / "deep" / "report.html")
    width, height = getattr(request, "param", (1280, 900))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        page = browser.new_page(viewport={"width": width, "height": height})
        seen = Opened(page, [], [])
        page.on("console", lambda message: seen.messages.append(message.text))
        page.on("pageerror", lambda error: seen.messages.append(str(error)))
        page.on("request", lambda asked: seen.requests.append(asked.url))
        page.goto(path.as_uri())
        yield seen
        browser.close()


class TestBrowser:
    pytestmark = browser_checks

    def test_quiet_and_complete(self, opened: Opened) -> None:
        assert opened.messages == []
        assert [url for url in opened.requests if not url.startswith("data:")] == [opened.page.url]
        page = opened.page
        assert page.locator("h1").inner_text().startswith("Project Crewe")
        assert page.locator("h2").all_inner_texts()[-1].endswith("Software")
        boxes = [svg.bounding_box() for svg in page.locator("svg").all()]
        assert len(boxes) == 5
        assert all(box and box["width"] > 300 and box["height"] > 100 for box in boxes)
        assert all(svg.is_visible() for svg in page.locator("svg").all())

    def test_screen_readers_get_names(self, opened: Opened) -> None:
        tree = opened.page.locator("body").aria_snapshot()
        for part in (
            "banner",
            "main",
            "contentinfo",
            'navigation "Contents"',
            'img "Figure 3. Predicted share',
            'link "Skip to the report"',
        ):
            assert part in tree, part

    @pytest.mark.parametrize("opened", [(390, 844), (320, 640), (768, 1024)], indirect=True)
    def test_no_sideways_scroll_on_small_screens(self, opened: Opened) -> None:
        width = opened.page.viewport_size["width"]
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
        for svg in opened.page.locator("svg").all():
            box = svg.bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= width + 0.5
            assert box["width"] > 250
        assert opened.messages == []

    def test_prints_on_a4(self, opened: Opened, tmp_path: Path) -> None:
        path = tmp_path / "report.pdf"
        opened.page.pdf(path=str(path), prefer_css_page_size=True)
        data = path.read_bytes()
        assert data.startswith(b"%PDF") and len(data) > 20_000
        boxes = re.findall(rb"/MediaBox\s*\[\s*0\s+0\s+([\d.]+)\s+([\d.]+)", data)
        assert boxes
        for width, height in boxes:
            assert float(width) == pytest.approx(595.3, abs=1)
            assert float(height) == pytest.approx(841.9, abs=1)
        if shutil.which("pdftotext"):
            run = subprocess.run(
                ["pdftotext", "-layout", str(path), "-"], capture_output=True, check=True
            )
            text = run.stdout.decode()
            assert "Methods and definitions" in text and "Skip to the report" not in text
            assert text.count("SYNTHETIC DATA") >= len(boxes)


def wide(columns: int, rows: int = 3) -> pd.DataFrame:
    return pd.DataFrame(
        {f"column_{j}": [f"{i}.{j:03}" for i in range(rows)] for j in range(columns)}
    )


@pytest.fixture(scope="class")
def chromium() -> Any:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


SIGNS = """box => {
    const sign = getComputedStyle(box.firstElementChild, '::before');
    return {
        over: box.scrollWidth > box.clientWidth,
        seen: sign.content !== 'none' && parseFloat(sign.marginTop) === 0,
        hidden: parseFloat(sign.marginTop) <= -parseFloat(sign.height),
        right: box.getBoundingClientRect().right,
    };
}"""


class TestWideTables:
    pytestmark = browser_checks

    @pytest.mark.parametrize("width", [320, 390, 768, 1280])
    def test_5_5_a_sign_where_a_table_goes_on(
        self, chromium: Any, tmp_path: Path, width: int
    ) -> None:
        plain, crossed = closed()
        report = cw.Report("t", date="2026-01-01")
        for columns in (1, 2, 4, 8, 16):
            report.add(wide(columns), heading=f"{columns} columns", caption="A table " * 12)
        report.add(plain).add(cw.table({"a": plain, "b": crossed}))
        page = chromium.new_page(viewport={"width": width, "height": 800})
        page.goto(report.save(tmp_path / "report.html").as_uri())
        self.hold(page, ".scroll", width)
        # Captions do not go on with their tables.
        for caption in page.locator("caption .said").all():
            box = caption.bounding_box()
            assert box and box["x"] + box["width"] <= width
        page.close()

    @pytest.mark.parametrize("width", [320, 390, 1280])
    def test_5_5_a_sign_in_notebooks_too(self, chromium: Any, tmp_path: Path, width: int) -> None:
        plain, crossed = closed()
        shown = [plain, cw.table({"a": plain, "b": crossed}), cw.cost.project_crewe()]
        outputs = "".join(f"<div>{one._repr_html_()}</div>" for one in shown)
        path = tmp_path / "notebook.html"
        path.write_text(f"<!doctype html><meta charset='utf-8'>{outputs}", "utf-8")
        page = chromium.new_page(viewport={"width": width, "height": 800})
        page.goto(path.as_uri())
        self.hold(page, ".crewe-scroll", width)
        page.close()

    def hold(self, page: Any, boxes: str, width: int) -> None:
        found = [box.evaluate(SIGNS) for box in page.locator(boxes).all()]
        assert len(found) >= 3
        for one in found:
            assert one["over"] == one["seen"]
            assert one["over"] != one["hidden"]
            assert one["right"] <= width
        assert width > 400 or any(one["over"] for one in found)
        assert not all(one["over"] for one in found)

    def test_5_5_many_columns_fit_on_paper(self, chromium: Any, tmp_path: Path) -> None:
        report = cw.Report("t", date="2026-01-01")
        for columns in (6, 9, 12, 16):
            named = {f"column_{j}": f"a column {j}" for j in range(columns)}
            report.add(wide(columns).rename(columns=named), heading=f"{columns} columns")
        # 170 mm, the width of the page without its margins.
        page = chromium.new_page(viewport={"width": 643, "height": 900})
        page.emulate_media(media="print")
        page.goto(report.save(tmp_path / "report.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= 643
        assert (
            page.locator(".wide").first.evaluate("box => getComputedStyle(box, '::before').content")
            == "none"
        )
        page.close()

    @pytest.mark.skipif(shutil.which("pdftotext") is None, reason="no pdftotext")
    def test_5_5_headings_stay_with_their_tables_in_print(
        self, chromium: Any, tmp_path: Path
    ) -> None:
        report = cw.Report("t", date="2026-01-01")
        words = "Words that lead to a table. "
        for k in range(24):
            table = wide(3, rows=5 if k % 3 == 0 else 14)
            report.add_text(words * 30, heading=f"Filler {k}")
            report.add_text("\n\n".join([words * (1 + 2 * (k % 5))] * (1 + k % 4)))
            named = table.assign(last="end")
            # Texts that are another in every row may be identifiers, so they are asked for.
            report.add(named, heading=f"Heading {k}", text=words, ids=list(named))
        page = chromium.new_page()
        page.goto(report.save(tmp_path / "report.html").as_uri())
        page.pdf(path=str(tmp_path / "report.pdf"), prefer_css_page_size=True)
        page.close()
        run = subprocess.run(
            ["pdftotext", "-layout", str(tmp_path / "report.pdf"), "-"],
            capture_output=True,
            check=True,
        )
        sheets = run.stdout.decode().split("\f")[:-1]
        assert len(sheets) > 8
        parted = 0
        for sheet in sheets:
            lines = [line.strip() for line in sheet.splitlines() if line.strip()][:-1]
            rows = [bool(re.fullmatch(r"\d+\.000 .*end", line)) for line in lines]
            heads = [line.startswith("column 0") for line in lines]
            # The last lines of a page are no heading, caption or head of a table, with fewer than three rows under it.
            for at, head in enumerate(heads):
                assert not head or sum(rows[at : at + 4]) == 3, lines[at:]
            # The lists of contents and tables say headings and captions too.
            if "Words that lead" in sheet:
                assert not re.match(r"(\d+ +(Heading|Filler)|Table) \d+", lines[-1]), lines[-3:]
            parted += heads[0]
        # Long tables go on over the page under their head, and so pages are filled.
        assert parted >= 2
        full = [sum(bool(line.strip()) for line in sheet.splitlines()) for sheet in sheets[1:-1]]
        assert min(full) > 0.6 * max(full)


def test_titles_are_said_as_they_were_given_and_begin_with_a_capital(tmp_path) -> None:
    fits = closed()
    report = cw.Report("T", labels={"closed": "case closed", "arm": "service"})
    report.add(cw.table(list(fits), title="Cases closed: two models"))
    report.add(cw.crosstab("history ~ arm", cases()), figure=False)
    report.add(cw.ols("closed ~ arm * history", cases()).margins("arm", by="history"), figure=False)
    words = words_of(report.save(tmp_path / "t.html").read_text())
    assert "Cases closed: two models" in words and "Cases case closed" not in words
    assert "History by service" in words
    assert "Predicted case closed by service and history" in words


def test_small_numbers_are_written_out(tmp_path) -> None:
    few = cw.compare_rates(events=[8, 6], totals=[9, 19], arms=["Council", "Crewe"])
    assert "0.0012 to 0.65" in repr(few) and "e-0" not in repr(few)
    from crewe.tables.display import number

    assert [number(x, 2) for x in (0.0089, -0.00028, 3e-9)] == ["0.0089", "-0.00028", "3.0e-09"]
    same = cw.compare_rates(events=[1000, 1001], totals=[3_000_000, 3_000_000], arms=["a", "b"])
    assert "−0.0 pp" not in repr(same) and "+0.0 pp" not in repr(same)


@pytest.mark.parametrize(
    ("ticks", "words"),
    [
        ([0, 0.1, 0.2], ["0%", "10%", "20%"]),
        ([0, 0.005, 0.01], ["0.0%", "0.5%", "1.0%"]),
        ([-0.025, 0, 0.025], ["−2.5%", "0.0%", "2.5%"]),
    ],
)
def test_9_6_ticks_of_shares_have_the_decimals_of_their_step(ticks, words) -> None:
    from crewe.plots.shares import in_percent

    _, ax = plt.subplots()
    ax.set_yticks(ticks)
    in_percent(ax.yaxis)
    ax.figure.canvas.draw()
    assert [label.get_text() for label in ax.get_yticklabels()] == words
    plt.close(ax.figure)


def test_what_is_no_result_is_refused(tmp_path) -> None:
    fit, data = closed()[0], cases()
    refused: list[tuple[Any, str]] = [
        (lambda: cw.Report(None), "needs a title"),  # type: ignore[arg-type]
        (lambda: cw.Report("T").add(None), "nothing to add"),
        (lambda: cw.Report("T").add({"a": fit}), "a mapping of results is no table"),
        (lambda: cw.table(fit, digits=-1), "digits must not be negative"),
        (lambda: cw.outcome_table([fit], data), "names of their outcomes"),  # type: ignore[arg-type]
        (lambda: cw.outcome_table(fit, data.iloc[:20]), "fewer rows of"),
        (
            lambda: cw.outcome_table(cw.ols("closed ~ arm", data, by="history"), data),
            "of one outcome in several groups",
        ),
    ]
    for call, says in refused:
        with pytest.raises(cw.InputError, match=says):
            call()
    odd = pd.DataFrame({"when": [pd.Timestamp("2016-11-01"), pd.NaT], "what": [(1, 2), {"a": 1}]})
    page = words_of(cw.Report("T").add(odd).save(tmp_path / "o.html").read_text())
    assert "2016-11-01" in page and "(1, 2)" in page


def test_one_name_is_a_list_of_one() -> None:
    fit = closed()[0]
    whole = repr(cw.table(fit, terms=["arm[T.crewe]"], notes=["Noted."]))
    assert repr(cw.table(fit, terms="arm[T.crewe]", notes="Noted.")) == whole
    assert "arm: crewe" not in repr(cw.table(fit, drop="arm[T.crewe]"))
    assert len(cw.coefplot(fit, terms="arm[T.crewe]").get_yticklabels()) == 1
    plt.close("all")
