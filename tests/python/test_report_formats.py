"""The report as PDF, Word, numbers and an accessible page: what a department publishes, opened by other software."""

from __future__ import annotations

import io
import json
import math
import os
import pickle
import re
import shutil
import subprocess
import sys
import warnings
import xml.etree.ElementTree as ET
import zipfile
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import matplotlib

matplotlib.use("Agg")

import crewe as cw
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from crewe.report.document import PORTRAIT, room
from PIL import Image

docx = pytest.importorskip("docx")
jsonschema = pytest.importorskip("jsonschema")
pypdf = pytest.importorskip("pypdf")
pytest.importorskip("typst")

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
LABELS = {
    "arm": "Service",
    "control": "Council",
    "crewe": "Project Crewe",
    "closed": "Case closed",
    "days": "days open",
    "history": "History of social care",
    "yes": "known before",
    "family_id": "families",
    "re_referred": "re-referred",
}


def trial() -> Any:
    return cw.datasets.project_crewe(seed=2017)


def analysed() -> pd.DataFrame:
    cases = trial().cases
    return cases[cases["analysed"] == 1]


def fits() -> dict[str, Any]:
    cases = analysed()
    return {
        "closed": cw.ols("closed ~ arm + history", cases, cluster="family_id"),
        "days": cw.ols("np.log1p(days) ~ arm * history", cases, cluster="family_id"),
        "logit": cw.logit("closed ~ arm + history", cases, cluster="family_id"),
    }


def observed() -> cw.Assignment:
    made = trial()
    arms = {"control": 1, "crewe": 2}
    children = made.children.merge(made.families[["family_id", "arm"]], on="family_id")
    return cw.Design("Project Crewe", arms=arms, cluster="family_id").observe(children, arm="arm")


def report(labels: dict[str, str] | None = None, **options: Any) -> cw.Report:
    made = fits()
    seen = observed()
    wide = pd.DataFrame(
        {f"a long heading {j}": [f"{i}.{j:06d}" for i in range(3)] for j in range(14)}
    )
    options = {
        "subtitle": "A subtitle",
        "author": "The evaluation team",
        "synthetic": True,
        **options,
    }
    shown = cw.Report(
        "A randomised trial: did cases close?", date="2016-11-01", labels=labels, **options
    )
    shown.add(
        cw.report.Summary(
            background="Families are referred again and again.",
            objective="Do family practitioners help cases to close?",
            results="72% against 64% of cases **closed**.",
        )
    )
    shown.add(
        cw.report.Estimand(
            outcome="closed",
            population="Families referred",
            treatment="Project Crewe against the council's service",
            summary="Difference in the share closed",
            average="participant",
            intercurrent={"family moves away": "treatment policy"},
            name="Primary",
        )
    )
    shown.add(seen, heading="Design")
    shown.add(cw.consort(seen), heading="Flow")
    shown.add(seen.balance(["age", "gender"]), heading="Balance")
    shown.add(
        cw.outcome_table({"closed": made["closed"]}, trial().cases, design=seen),
        heading="Outcomes",
    )
    shown.add(
        made["closed"], text="Words that lead to the table, see [a site](https://ours.example/)."
    )
    shown.add(made["days"])
    shown.add(cw.table({"OLS": made["closed"], "Log": made["days"]}, title="Two models"))
    shown.add(made["closed"].margins("arm"), figure=True, figure_caption="Share closed")
    shown.add(wide, heading="A wide table", caption="Fourteen columns")
    shown.add_text(
        "Two things:\n\n- one\n- two\n\n### A part\n\n`code` and *more*.", heading="Words"
    )
    shown.add(cw.report.Protocol(registration="None", deviations=["The first.", "The second."]))
    shown.add(cw.report.Limitations(["One site.", "Staff knew the arm."]))
    shown.add(cw.report.Abbreviations({"CIN": "child in need", "CEC": "Cheshire East Council"}))
    shown.add(cw.report.Funding(funder="A department", role="None", interests="None"))
    plt.close("all")
    return shown


@cache
def files() -> dict[str, bytes]:
    folder = Path(__import__("tempfile").mkdtemp())
    made = report(LABELS)
    return {
        ending: made.save(folder / f"report.{ending}").read_bytes()
        for ending in ("html", "pdf", "docx", "json")
    }


# --------------------------------------------------------------------------- the same bytes, whole or not at all


@pytest.mark.parametrize("ending", ["html", "pdf", "docx", "json"])
def test_the_same_input_gives_the_same_bytes(ending: str, tmp_path: Path) -> None:
    again = report(LABELS).save(tmp_path / f"again.{ending}")
    assert again.read_bytes() == files()[ending]
    loaded = pickle.loads(pickle.dumps(report(LABELS)))
    assert loaded.save(tmp_path / f"loaded.{ending}").read_bytes() == files()[ending]


@pytest.mark.parametrize("ending", ["html", "pdf", "docx", "json"])
def test_a_report_that_fails_leaves_the_last_good_one(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"report.{ending}"
    cw.Report("Good", date="2016-11-01").add_text("words").save(path)
    before = path.read_bytes()
    for broken in (
        cw.Report("half \ud800 a character", date="2016-11-01").add_text("words"),
        cw.Report("Half", date="2016-11-01").add_text("half \ud800 a character"),
        cw.Report("Half", date="2016-11-01").add(
            pd.DataFrame({"a": pd.Series(["half \ud800"], dtype=object)})
        ),
    ):
        with pytest.raises(cw.InputError, match=r"half a character \(U\+D800\)"):
            broken.save(path)
        assert path.read_bytes() == before
    if os.geteuid():
        closed = tmp_path / "closed"
        closed.mkdir(mode=0o500)
        with pytest.raises(cw.CreweError, match="could not be written"):
            cw.Report("Good").save(closed / path.name)
    with pytest.raises(cw.InputError, match="is a folder"):
        (tmp_path / f"folder.{ending}").mkdir()
        cw.Report("Good", date="2016-11-01").save(tmp_path / f"folder.{ending}")
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    with pytest.raises(cw.CreweError, match="could not be written"):
        cw.Report("Good", date="2016-11-01").save(blocked / path.name)
    assert {one.name for one in tmp_path.iterdir()} - {"closed"} == {
        path.name,
        f"folder.{ending}",
        "file",
    }


def test_an_unknown_ending_is_refused() -> None:
    with pytest.raises(cw.InputError, match=r"'\.odt'|odt") as caught:
        cw.Report("t").save("report.odt")
    for ending in (".html", ".pdf", ".docx", ".json"):
        assert ending in str(caught.value)


@pytest.mark.parametrize(
    ("ending", "package", "extra"),
    [("pdf", "typst", "pdf"), ("docx", "docx", "word"), ("docx", "typst", "word")],
)
def test_without_its_package_a_format_says_what_to_install(
    ending: str, package: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(cw.CreweError, match=rf"pip install 'crewe\[{extra}\]'"):
        cw.Report("t").add_text("words").save(tmp_path / f"report.{ending}")
    assert list(tmp_path.iterdir()) == []


def test_the_extras_hold_what_the_formats_need() -> None:
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    extras = text.split("[project.optional-dependencies]")[1].split("\n[")[0]
    assert re.search(r'^pdf = \["typst', extras, re.M)
    assert re.search(r'^word = \["python-docx[^\]]*"typst', extras, re.M)


# --------------------------------------------------------------------------- PDF


def reader() -> Any:
    return pypdf.PdfReader(io.BytesIO(files()["pdf"]))


def test_pdf_is_tagged_and_says_that_it_is_accessible() -> None:
    root = reader().trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"] == True  # noqa: E712
    assert root["/Lang"] == "en-GB"
    assert root["/ViewerPreferences"]["/DisplayDocTitle"] == True  # noqa: E712
    xmp = root["/Metadata"].get_data().decode()
    assert re.search(r"pdfuaid:part>1<", xmp) and "did cases close?" in xmp
    kinds: dict[str, int] = {}
    alts: list[str] = []

    def walk(element: Any) -> None:
        element = element.get_object()
        if not isinstance(element, dict):
            return
        kind = str(element.get("/S", ""))
        kinds[kind] = kinds.get(kind, 0) + 1
        if "/Alt" in element:
            alts.append(str(element["/Alt"]))
        children = element.get("/K", [])
        for child in children if isinstance(children, list) else [children]:
            if hasattr(child, "get_object"):
                walk(child)

    walk(root["/StructTreeRoot"])
    made = report(LABELS)._document()
    assert kinds["/Table"] == len(made.tables)
    assert kinds["/TH"] >= len(made.tables) and kinds["/TD"] > 100
    assert kinds["/H1"] >= len([s for s in made.sections if s.heading])
    assert kinds["/L"] >= 1 and kinds["/Caption"] >= len(made.tables)
    for figure in made.figures:
        assert any(figure.alt[:40] in alt for alt in alts), figure.alt


def test_pdf_has_an_outline_and_its_fonts_inside() -> None:
    found = reader()
    made = report(LABELS)._document()
    titles = [str(one.title) for one in found.outline if not isinstance(one, list)]
    for number, section in made.numbered():
        assert any(title.endswith(section.heading) for title in titles), (number, titles)
    fonts: dict[str, bool] = {}
    for page in found.pages:
        for font in page["/Resources"].get("/Font", {}).values():
            inner = font.get_object()
            for one in inner.get("/DescendantFonts", [inner]):
                descriptor = one.get_object()["/FontDescriptor"].get_object()
                held = any(f"/FontFile{k}" in descriptor for k in ("", "2", "3"))
                fonts[str(inner["/BaseFont"])] = held
    assert fonts and all(fonts.values()), fonts
    assert all("DejaVu" in name or "Libertinus" in name for name in fonts), fonts
    assert found.metadata is not None and found.metadata.author == "The evaluation team"


def test_pdf_pages_are_a4_and_wide_tables_lie_on_their_side() -> None:
    sizes = [tuple(round(float(side)) for side in page.mediabox[2:]) for page in reader().pages]
    assert set(sizes) == {(595, 842), (842, 595)}
    turned = [i for i, size in enumerate(sizes) if size == (842, 595)]
    text = reader().pages[turned[0]].extract_text()
    assert "Fourteen columns" in text and "a long heading" in " ".join(text.split())
    wide = [one for one in report()._document().tables if one.wide]
    assert [one.sheet.title for one in wide] == ["Fourteen columns"]
    assert all(room(one.sheet) <= PORTRAIT for one in report()._document().tables if not one.wide)


def test_pdf_says_synthetic_on_every_page() -> None:
    pages = [page.extract_text() for page in reader().pages]
    assert all("SYNTHETIC DATA" in page for page in pages)
    assert f"{len(pages)} of {len(pages)}" in pages[-1]
    plain = cw.Report("A report", date="2016-11-01").add_text("Words.")
    assert "SYNTHETIC" not in _pdf_text(plain)


def _pdf_text(made: cw.Report) -> str:
    folder = Path(__import__("tempfile").mkdtemp())
    found = pypdf.PdfReader(made.save(folder / "a.pdf"))
    return "\n".join(page.extract_text() for page in found.pages)


def test_pdf_shows_scripts_that_its_font_lacks() -> None:
    text = _pdf_text(
        cw.Report("Title 漢字", date="2016-11-01").add_text("Ελληνικά, кириллица, 漢字.")
    )
    assert "Ελληνικά" in text and "кириллица" in text and "漢字" in text


# --------------------------------------------------------------------------- Word


def opened() -> Any:
    return docx.Document(io.BytesIO(files()["docx"]))


W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"


def test_word_has_real_headings_captions_and_fields() -> None:
    found = opened()
    made = report(LABELS)._document()
    headings = [p.text for p in found.paragraphs if p.style.name == "Heading 1"]
    assert headings == [f"{n} {s.heading}" for n, s in made.numbered() if s.heading]
    captions = [p for p in found.paragraphs if p.style.name == "Caption"]
    assert len(captions) == len(made.tables) + len(made.figures)
    for caption in captions:
        codes = "".join(code.text for code in caption._p.iter(f"{W}instrText"))
        assert re.search(r"SEQ (Table|Figure) \\\* ARABIC", codes), caption.text
    assert next(c.text for c in captions if c.text.startswith("Table")).startswith("Table 1. ")
    codes = [code.text for code in found.element.body.iter(f"{W}instrText")]
    assert any("TOC \\o" in code for code in codes)
    assert any('TOC \\h \\z \\c "Table"' in code for code in codes)
    kinds = [mark.get(f"{W}fldCharType") for mark in found.element.body.iter(f"{W}fldChar")]
    assert kinds.count("begin") == kinds.count("end") == kinds.count("separate")
    assert found.core_properties.title == made.title and found.core_properties.language == "en-GB"
    # Links lead to marks that are there.
    marks = {one.get(f"{W}name") for one in found.element.body.iter(f"{W}bookmarkStart")}
    links = {one.get(f"{W}anchor") for one in found.element.body.iter(f"{W}hyperlink")} - {None}
    assert links and links <= marks
    assert all(len(name) <= 40 for name in marks)


def test_word_tables_can_be_edited_and_repeat_their_heads() -> None:
    found = opened()
    made = report(LABELS)._document()
    assert len(found.tables) == len(made.tables)
    for table, grid in zip(found.tables, made.tables, strict=True):
        heads = [row._tr.find(f"{W}trPr/{W}tblHeader") is not None for row in table.rows]
        assert heads == [i < len(grid.sheet.heads) for i in range(len(heads))]
        assert all(row._tr.find(f"{W}trPr/{W}cantSplit") is not None for row in table.rows)
        cells = [[cell.text for cell in row.cells] for row in table.rows]
        assert cells == grid.sheet.lines()
        description = table._tbl.tblPr.find(f"{W}tblDescription")
        assert description is not None and description.get(f"{W}val") == grid.sheet.title


def test_word_pictures_have_alternative_texts() -> None:
    found = opened()
    made = report(LABELS)._document()
    pictures = [shape._inline.docPr for shape in found.inline_shapes]
    assert [one.get("descr") for one in pictures] == [figure.alt for figure in made.figures]
    assert len(pictures) == 3
    with zipfile.ZipFile(io.BytesIO(files()["docx"])) as archive:
        images = [name for name in archive.namelist() if name.startswith("word/media")]
        assert len(images) == 3
        for name in images:
            with Image.open(io.BytesIO(archive.read(name))) as image:
                assert image.width > 700
                # Something is drawn.
                assert np.asarray(image.convert("L")).std() > 5
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_word_turns_pages_for_wide_tables() -> None:
    sections = [(s.orientation, s.page_width.mm, s.page_height.mm) for s in opened().sections]
    assert [(round(w), round(h)) for _, w, h in sections] == [(210, 297), (297, 210), (210, 297)]
    assert [int(kind) for kind, _, _ in sections] == [0, 1, 0]
    for section in opened().sections:
        assert section.header.paragraphs[0].text == "SYNTHETIC DATA"


@pytest.mark.skipif(shutil.which("soffice") is None, reason="no LibreOffice")
def test_word_opens_in_libreoffice(tmp_path: Path) -> None:
    path = tmp_path / "report.docx"
    path.write_bytes(files()["docx"])
    home = f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}"
    subprocess.run(
        [
            "soffice",
            home,
            "--headless",
            "--convert-to",
            "pdf",
            "--outdir",
            str(tmp_path),
            str(path),
        ],
        check=True,
        capture_output=True,
        timeout=180,
    )
    text = "\n".join(p.extract_text() for p in pypdf.PdfReader(tmp_path / "report.pdf").pages)
    assert "Limitations" in text and "Table 1. " in text and "Synthetic" in text.title()


# --------------------------------------------------------------------------- numbers


def test_results_hold_what_the_schema_says(tmp_path: Path) -> None:
    content = json.loads(files()["json"])
    checker = jsonschema.Draft202012Validator(cw.results.schema())
    checker.check_schema(cw.results.schema())
    checker.validate(content)
    shipped = (ROOT / "docs" / "results-1.schema.json").read_text("utf-8")
    assert json.loads(shipped) == cw.results.schema()
    assert content["software"]["crewe"] == cw.__version__
    # Our own reading refuses what the schema refuses.
    for spoil in (
        lambda c: c.pop("results"),
        lambda c: c["results"][0].pop("kind"),
        lambda c: c["results"][0].update(n="many"),
        lambda c: c["tables"][0].update(heads=[1]),
        lambda c: c["software"].update(crewe=1),
        lambda c: c["report"].update(synthetic="yes"),
    ):
        other = json.loads(files()["json"])
        spoil(other)
        assert not checker.is_valid(other)
        path = tmp_path / "spoilt.json"
        path.write_text(json.dumps(other), "utf-8")
        with pytest.raises(cw.InputError, match="is damaged"):
            cw.results.load(path)


def test_results_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(cw.InputError, match="cannot be read"):
        cw.results.load(tmp_path / "nothing.json")
    for text, said in (
        ("{", "is not JSON"),
        ("[]", "no file of results"),
        ('{"format": "crewe results", "version": 99}', "has version 99"),
        ("[" * 100_000, "is not JSON"),
    ):
        path = tmp_path / "a.json"
        path.write_text(text, "utf-8")
        with pytest.raises(cw.InputError, match=said):
            cw.results.load(path)


def loaded() -> Any:
    folder = Path(__import__("tempfile").mkdtemp())
    (folder / "results.json").write_bytes(files()["json"])
    return cw.results.load(folder / "results.json")


def test_a_reader_works_the_numbers_out_again() -> None:
    from scipy import stats

    numbers = loaded().tidy()
    models = numbers[numbers["kind"].isin(["OLS", "Margins"])]
    assert len(models) > 15
    checked = 0
    for row in models.to_dict("records"):
        if not (row["std_error"] > 0):
            continue
        t = row["estimate"] / row["std_error"]
        assert row["statistic"] == pytest.approx(t, rel=1e-9)
        assert row["p_value"] == pytest.approx(2 * stats.t.sf(abs(t), row["df"]), rel=1e-7)
        reach = stats.t.ppf(0.5 + row["confidence"] / 2, row["df"]) * row["std_error"]
        assert row["conf_low"] == pytest.approx(row["estimate"] - reach, rel=1e-7, abs=1e-12)
        assert row["conf_high"] == pytest.approx(row["estimate"] + reach, rel=1e-7, abs=1e-12)
        assert row["n"] and row["method"] and row["crewe"] == cw.__version__
        checked += 1
    assert checked > 15
    # The estimand stands with the numbers of its outcome alone.
    primary = numbers[numbers["outcome"] == "closed"]
    assert set(primary["estimand"].dropna()) == {"Difference in the share closed"}
    assert numbers[numbers["outcome"] == "np.log1p(days)"]["estimand"].isna().all()


def test_printed_cells_are_the_numbers_rounded() -> None:
    found = loaded()
    fit = fits()["closed"]
    own = found.tidy()
    own = own[(own["formula"] == fit.formula) & (own["kind"] == "OLS")]
    place = own["result"].iloc[0]
    own = own[own["result"] == place].reset_index(drop=True)
    pd.testing.assert_series_equal(
        own["estimate"].astype(float), fit.tidy()["estimate"], check_names=False
    )
    name = next(r["tables"][0] for r in found.content["results"] if r["id"] == place)
    table = next(t for t in found.tables() if t.attrs["name"] == name)
    printed = [float(cell.replace("−", "-")) for cell in table["estimate"]]
    assert printed == [round(value, 4) for value in own["estimate"]]


def test_a_reader_knows_the_data_again() -> None:
    found = loaded()
    data = found.data()
    fit = fits()["closed"]
    row = next(r for r in data.to_dict("records") if r["columns"] == ["arm", "closed", "history"])
    assert row["rows"] == fit.n == 128
    assert cw.results.fingerprint(analysed(), row["columns"]) == row["fingerprint"]
    other = analysed().assign(closed=lambda c: 1 - c["closed"])
    assert cw.results.fingerprint(other, row["columns"]) != row["fingerprint"]
    shuffled = analysed().sample(frac=1, random_state=1)
    assert cw.results.fingerprint(shuffled, row["columns"]) != row["fingerprint"]
    polars = pytest.importorskip("polars")
    assert (
        cw.results.fingerprint(
            polars.from_pandas(analysed()[row["columns"]].reset_index(drop=True))
        )
        == row["fingerprint"]
    )


def test_json_holds_no_number_that_json_lacks() -> None:
    frame = pd.DataFrame({"a": [np.nan, np.inf, -np.inf, 1.0], "b": [None, "x", "y", "z"]})
    folder = Path(__import__("tempfile").mkdtemp())
    path = cw.Report("t", date="2016-11-01").add(frame).save(folder / "a.json")
    json.loads(path.read_text("utf-8"), parse_constant=lambda name: pytest.fail(name))
    values = cw.results.load(path).tidy()["a"]
    assert math.isnan(values[0]) and values[1] == math.inf and values[2] == -math.inf


# --------------------------------------------------------------------------- labels


def words(page: str) -> str:
    body = re.sub(r"(?s)<(style|svg|head)\b.*?</\1>", " ", page)
    return " ".join(__import__("html").unescape(re.sub(r"<[^>]*>", " ", body)).split())


def test_5_4_labels_reach_everything_that_is_printed() -> None:
    made = report(LABELS)
    page = words(made.html)
    for raw in (
        "family_id",
        "arm[T",
        "np.log1p",
        "[T.",
        "closed ~",
        "crewe −",
        " crewe ",
        " control ",
    ):
        assert raw not in page.replace("crewe Rust core", "").replace("with crewe 0", "").replace(
            "Software The versions", ""
        ).replace("arithmetic of crewe", "").replace(f"crewe {cw.__version__}", ""), raw
    assert "Clusters: 128 of families." in page
    assert "OLS: Case closed on Service and History of social care" in page
    assert "logarithm of 1 + days open" in page
    assert "Service: Project Crewe × History of social care: known before" in page
    assert "Project Crewe − Council" in page
    # Words of the caller stay.
    assert "Do family practitioners help cases to close?" in page
    # Alternative texts and the pictures themselves.
    alts = " ".join(figure.alt for figure in made._document().figures)
    assert "Project Crewe" in alts and "crewe " not in alts
    # Numbers keep the names of the data.
    terms = set(loaded().tidy()["term"].dropna())
    assert "arm[T.crewe]" in terms


def test_5_4_figures_of_the_caller_are_labelled_and_stay_as_they_were() -> None:
    fig, ax = plt.subplots()
    ax.set_xticks([0, 1], ["control", "crewe"])
    ax.set_yticks([0, 1])
    ax.set_xlabel("arm")
    ax.set_title("history")
    ax.plot([0, 1], [0, 1], label="crewe")
    ax.legend()
    fig.draw_without_rendering()
    before = [t.get_text() for t in fig.findobj(matplotlib.text.Text)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        seen: list[str] = []
        original = fig.savefig

        def savefig(*args: Any, **options: Any) -> Any:
            fig.draw_without_rendering()
            seen.extend(t.get_text() for t in fig.findobj(matplotlib.text.Text))
            return original(*args, **options)

        fig.savefig = savefig  # type: ignore[method-assign]
        cw.Report("t", labels={**LABELS, "1": "no number"}).add_figure(ax, caption="c", alt="a")
    assert {"Council", "Project Crewe", "Service", "History of social care"} <= set(seen)
    assert "no number" not in seen, "ticks of numbers are no levels"
    fig.draw_without_rendering()
    assert [t.get_text() for t in fig.findobj(matplotlib.text.Text)] == before
    plt.close("all")


def test_5_4_levels_are_named_in_notes_and_numbers_are_no_levels() -> None:
    frame = pd.DataFrame({"": ["a row"], "arm": ["crewe"], "n": [1]})
    notes = SimpleNamespace(
        tidy=lambda: frame,
        notes=["rows left out by arm: control 0, crewe 1", "the reference (control) comes first"],
        _panels=None,
    )
    made = cw.Report("t", labels={**LABELS, "1": "no number", "no": "no history"})
    page = words(made.add(notes, caption="There is no effect").html)
    assert "by arm: Council 0, Project Crewe 1" in page
    assert "The reference (Council) comes first" in page
    assert "no number" not in page and "There is no effect" in page


def test_labels_are_words() -> None:
    for labels in ({"a": 1}, {1: "a"}, ["a"], "a"):
        with pytest.raises(cw.InputError, match="labels="):
            cw.Report("t", labels=labels)  # type: ignore[arg-type]


# --------------------------------------------------------------------------- parts in words


def test_parts_are_refused_in_plain_words() -> None:
    parts = cw.report
    for make, said in (
        (lambda: parts.Summary(), "says nothing"),
        (lambda: parts.Limitations([]), "says nothing"),
        (lambda: parts.Funding(funder=3), "takes words"),
        (lambda: parts.Abbreviations({"a": 1}), "takes words"),
        (lambda: parts.Estimand("y", "p", "t", " "), "without summary"),
        (lambda: parts.Estimand("y", "p", "t", "s", average="school"), "average='school'"),
        (lambda: parts.Estimand("y", "p", "t", "s", intercurrent=["a"]), "each event"),
        (lambda: cw.Report("t").add(parts.Summary), "the kind of a part"),
        (lambda: cw.Report("t").add(fits()["closed"], estimand="other"), "no estimand is called"),
        (lambda: cw.Report("t").add_text("a", items={"CONSORT 2025": ["99"]}), "no item 99"),
        (lambda: cw.Report("t").add_text("a", items={"PRISMA": ["1"]}), "no list 'PRISMA'"),
    ):
        with pytest.raises(cw.InputError, match=re.escape(said)):
            make()


def test_what_is_refused_leaves_no_trace() -> None:
    made = cw.Report("t", date="2016-11-01").add_text("words", heading="One")
    before = made.html
    with pytest.raises(cw.InputError):
        made.add(fits()["closed"], heading="Two", estimand="other")
    _, ax = plt.subplots()
    with pytest.raises(cw.InputError):
        made.add_figure(ax, heading="Three")
    assert made.html == before
    made.add(fits()["closed"], heading="Two")
    assert "Table 1" in made.html and "Table 2" not in made.html
    plt.close("all")


# --------------------------------------------------------------------------- checklists


def test_consort_items_are_met_by_what_is_there() -> None:
    empty = cw.Report("A trial").check("CONSORT 2025")
    assert empty.met == [] and len(empty.missing) == 42
    full = report().check("CONSORT 2025")
    tidy = full.tidy().set_index(["list", "number"])
    met = {"1a", "1b", "2", "5a", "5b", "6", "7", "9", "10", "12a", "14", "17b", "21a", "21b"}
    met |= {"22a", "22b", "25", "26", "30"}
    own = tidy.loc["CONSORT 2025"]
    assert set(own.index[own["met"]]) == met
    assert "Table" in own.loc["26", "where"] and own.loc["27", "where"] == ""
    # Families were randomised, so the extension is asked for too; unless it is not wanted.
    assert tidy.loc["CONSORT 2010 clusters"].loc["12a", "met"]
    assert not tidy.loc["CONSORT 2010 clusters"].loc["17a", "met"]
    assert set(report().check("CONSORT 2025", clusters=False).tidy()["list"]) == {"CONSORT 2025"}
    # An arm that was only observed was not drawn here.
    assert "17a" in full.missing
    drawn = observed().design.assign(trial().children)
    assert "17a" in cw.Report("t").add(drawn).check("CONSORT 2025").met
    said = cw.Report("t").add_text(
        "In one county.", heading="Setting", items={"CONSORT 2025": ["11"]}
    )
    assert said.check("CONSORT 2025").met == ["11"]
    assert "section 1" in str(said.check("CONSORT 2025"))


def test_an_unknown_list_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(cw.InputError, match="'CONSORT 2025'") as caught:
        cw.Report("t").check("CONSORT")
    assert "EEF report" in str(caught.value.values)


def test_every_list_can_be_met() -> None:
    from crewe.report.check import standards

    for name, standard in standards().items():
        numbers = [item.number for item in standard.items]
        assert len(numbers) == len(set(numbers))
        everything = cw.Report("t").add_text("a", items={name: numbers})
        assert everything.check(name, clusters=False).missing == []
        assert standard.source and all(item.topic and item.part for item in standard.items)


# --------------------------------------------------------------------------- outcomes by arm


def test_outcomes_give_what_consort_asks_for() -> None:
    cases = trial().cases
    made = cw.outcome_table({"Closed": fits()["closed"]}, cases, design=observed())
    tidy = made.tidy()
    units = trial().families["arm"].value_counts()
    children = trial().children.merge(trial().families[["family_id", "arm"]])["arm"].value_counts()
    for row in tidy.to_dict("records"):
        there = cases[cases["arm"] == row["arm"]]
        assert row["randomised_units"] == units[row["arm"]]
        assert row["randomised"] == children[row["arm"]]
        assert row["with_data"] == there["closed"].notna().sum()
        assert row["analysed"] == (there["analysed"] == 1).sum()
    margins = fits()["closed"].margins("arm", at="observed")
    assert list(tidy["estimate"]) == list(margins.tidy()["estimate"])
    assert tidy["difference"][1] == margins.contrasts()["estimate"][0]
    assert math.isnan(tidy["difference"][0])


def test_with_data_is_not_analysed() -> None:
    rng = np.random.default_rng(5)
    frame = pd.DataFrame(
        {"y": rng.normal(size=80), "x": rng.normal(size=80), "arm": ["a", "b"] * 40}
    )
    frame.loc[:6, "y"] = np.nan
    frame.loc[3:11, "x"] = np.nan
    tidy = cw.outcome_table({"y": cw.ols("y ~ arm + x", frame)}, frame).tidy()
    for row in tidy.to_dict("records"):
        own = frame[frame["arm"] == row["arm"]]
        assert row["with_data"] == own["y"].notna().sum()
        assert row["analysed"] == own.dropna().shape[0] < row["with_data"]
    assert tidy["ratio"].isna().all(), "an outcome that is not 0 and 1 has no relative effect"


def test_the_relative_effect_is_the_risk_ratio() -> None:
    # Two arms and no covariates: HC0 is the binomial variance of each arm.
    frame = pd.DataFrame(
        {"y": [1] * 12 + [0] * 28 + [1] * 20 + [0] * 15, "arm": ["a"] * 40 + ["b"] * 35}
    )
    made = cw.outcome_table({"y": cw.ols("y ~ arm", frame, vcov="HC0")}, frame)
    p, q = 12 / 40, 20 / 35
    ratio = made.tidy().iloc[1]
    assert ratio["ratio"] == pytest.approx(q / p, rel=1e-12)
    se = math.sqrt((1 - p) / (40 * p) + (1 - q) / (35 * q))
    from scipy import stats

    t = stats.t.ppf(0.975, 73)
    assert ratio["ratio_low"] == pytest.approx(q / p * math.exp(-t * se), rel=1e-9)
    assert ratio["ratio_high"] == pytest.approx(q / p * math.exp(t * se), rel=1e-9)
    assert ratio["difference"] == pytest.approx(q - p, rel=1e-12)
    logit = cw.outcome_table({"y": cw.logit("y ~ arm", frame)}, frame).tidy()
    assert logit["ratio"][1] == pytest.approx(q / p, rel=1e-8)


def test_outcomes_are_refused_in_plain_words() -> None:
    cases = analysed()
    with pytest.raises(cw.InputError, match="is a CoxPH"):
        cw.outcome_table({"days": cw.coxph("Surv(days, event) ~ arm", cases)}, cases)
    with pytest.raises(cw.InputError, match="no fit"):
        cw.outcome_table({}, cases)
    with pytest.raises(cw.InputError, match="closed"):
        cw.outcome_table(fits()["closed"], cases.drop(columns="closed"))
    with pytest.raises(cw.InputError, match="arm"):
        cw.outcome_table(fits()["closed"], cases.drop(columns="arm"))


# --------------------------------------------------------------------------- disclosure


def real() -> cw.Report:
    """Make a report of real data with small counts in tables, a figure and a frame."""
    few = cw.datasets.rossi().head(60)
    made = cw.Report("A real report", date="2016-11-01")
    made.add(cw.crosstab("arrest ~ fin", few), heading="Counts", figure=False)
    made.add(cw.kaplan_meier("Surv(week, arrest) ~ fin", few), heading="Curves")
    made.add(pd.DataFrame({"arm": ["a", "b"], "cases": [3, 50]}), heading="Frame")
    made.add(cw.ols("arrest ~ fin + age", few), heading="Model")
    plt.close("all")
    return made


def test_small_counts_of_real_data_are_said_on_every_page(tmp_path: Path) -> None:
    few = cw.datasets.rossi().head(20)
    results = [cw.crosstab("arrest ~ fin", few), cw.kaplan_meier("Surv(week, arrest) ~ fin", few)]
    small = sum(cw.disclosure.check(results).small)
    assert small > 3
    made = cw.Report("A real report", date="2016-11-01")
    for one in (*results, pd.DataFrame({"arm": ["a", "b"], "cases": [3, 50]})):
        made.add(one, heading="Counts")
    said = made._document().statement
    assert said.startswith("NOT FOR PUBLICATION") and f"{small + 1} counts under 5" in said
    pages = [page.extract_text() for page in pypdf.PdfReader(made.save(tmp_path / "a.pdf")).pages]
    assert all("NOT FOR PUBLICATION" in page for page in pages)
    assert pages[0].count("NOT FOR PUBLICATION") == 2, "on the first page and at its foot"
    page = made.html
    assert 'role="note">NOT FOR PUBLICATION' in page
    assert re.search(r"@bottom-left\{content:\"[^\"]*NOT FOR PUBLICATION", page)
    word = docx.Document(made.save(tmp_path / "a.docx"))
    assert "NOT FOR PUBLICATION" in word.sections[0].footer.paragraphs[0].text
    assert any(p.text.startswith("NOT FOR PUBLICATION") for p in word.paragraphs)
    assert (
        json.loads(made.save(tmp_path / "a.json").read_text("utf-8"))["report"]["disclosure"]
        == said
    )
    # Made-up people need no protection, and large counts none either.
    assert report()._document().statement == ""
    large = cw.Report("t").add(cw.crosstab("arrest ~ fin", cw.datasets.rossi()), figure=False)
    assert large._document().statement == ""


@pytest.mark.parametrize("ending", ["html", "pdf", "docx", "json"])
def test_a_rule_reaches_every_format(ending: str, tmp_path: Path) -> None:
    pytest.importorskip("scipy")
    rule = cw.disclosure.DFE
    under = real()._document(rule)
    few = cw.datasets.rossi().head(60)
    want = rule.protect(
        cw.crosstab("arrest ~ fin", few),
        cw.kaplan_meier("Surv(week, arrest) ~ fin", few),
        cw.tables.display.Table(["arm", "cases"], [["a", 3], ["b", 50]], digits=3),
        cw.ols("arrest ~ fin + age", few),
    )
    assert [g.sheet.body() for g in under.tables[:3]] == [t.sheet().body() for t in want.tables[:3]]
    assert any("[c]" in cell for g in under.tables for row in g.sheet.body() for cell in row)
    path = real().save(tmp_path / f"a.{ending}", disclosure=rule)
    own = cw.Report("A real report", date="2016-11-01", disclosure=rule)
    for entry in real()._entries or []:
        own._add(entry)
    assert own.save(tmp_path / f"b.{ending}").read_bytes() == path.read_bytes()
    if ending == "json":
        content = json.loads(path.read_text("utf-8"))
        numbers = {one["kind"]: one["numbers"] for one in content["results"]}
        assert numbers["Crosstab"] == [] and numbers["DataFrame"] == [] and numbers["OLS"]
        assert "[c]" in path.read_text("utf-8")
        return
    text = {
        "html": lambda: words(path.read_text("utf-8")),
        "pdf": lambda: " ".join(p.extract_text() for p in pypdf.PdfReader(path).pages),
        "docx": lambda: " ".join(p.text for p in docx.Document(path).paragraphs),
    }[ending]()
    text = " ".join(text.split())
    assert "Disclosure control: counts under 6 are suppressed." in text
    assert "What was done" in text and "NOT FOR PUBLICATION" not in text


def test_numbers_at_risk_are_protected_in_figures() -> None:
    pytest.importorskip("scipy")
    few = cw.datasets.rossi().head(60)
    made = cw.Report("t", date="2016-11-01").add(cw.kaplan_meier("Surv(week, arrest) ~ fin", few))
    plain, under = made._document(), made._document(cw.disclosure.SRS)
    assert plain.figures[0].svg != under.figures[0].svg
    plt.close("all")


def test_people_row_by_row_are_refused_unless_asked_for() -> None:
    people = cw.datasets.rossi().head(12).assign(person_id=range(12))
    with pytest.raises(cw.InputError, match="row by row") as caught:
        cw.Report("t").add(people)
    assert caught.value.values == ["person_id"]
    assert "Table 1" in cw.Report("t").add(people, ids=["person_id"]).html
    assert "Table 1" in cw.Report("t").add(people, synthetic=True).html


def test_a_rule_is_a_rule() -> None:
    for make in (
        lambda: cw.Report("t", disclosure="DFE"),  # type: ignore[arg-type]
        lambda: cw.Report("t").save("a.html", disclosure=5),  # type: ignore[arg-type]
    ):
        with pytest.raises(cw.InputError, match="disclosure="):
            make()
    loaded = pickle.loads(pickle.dumps(real()))
    with pytest.raises(cw.InputError, match="out of a pickle"):
        loaded._document(cw.disclosure.DFE)


def test_figures_of_the_caller_are_said_to_be_unchecked() -> None:
    pytest.importorskip("scipy")
    _, ax = plt.subplots()
    made = real().add_figure(ax, caption="c", alt="a")
    page = words(
        "".join(str(b) for s in made._document(cw.disclosure.DFE).sections for b in s.blocks)
    )
    assert "1 figure was drawn before the rule applied" in page
    plt.close("all")


# --------------------------------------------------------------------------- looked at


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the files that the example writes."""
    folder = tmp_path_factory.mktemp("demo")
    subprocess.run(
        [sys.executable, str(ROOT / "examples" / "project_crewe.py")],
        cwd=folder,
        check=True,
        capture_output=True,
        env={**os.environ, "MPLBACKEND": "agg", "PYTHONPATH": str(ROOT / "python")},
    )
    return folder / "out"


def blank(pdf: Path, folder: Path) -> float:
    """Give the share of the text area under the last line of each page, and of gaps over 25 mm within it."""
    folder.mkdir()
    subprocess.run(["pdftoppm", "-gray", "-r", "50", str(pdf), str(folder / "p")], check=True)
    mm = 50 / 25.4
    shares = []
    for path in sorted(folder.glob("*.pgm")):
        with Image.open(path) as image:
            page = np.asarray(image)
        page = page[int(18 * mm) : page.shape[0] - int(22 * mm), int(18 * mm) : -int(18 * mm)]
        rows = np.flatnonzero((page < 225).any(axis=1))
        if not len(rows):
            shares.append(1.0)
            continue
        gaps = np.diff(rows) - 1
        under = len(page) - 1 - rows[-1]
        shares.append((under + gaps[gaps > 25 * mm].sum()) / len(page))
    return float(np.mean(shares))


needs_poppler = pytest.mark.skipif(shutil.which("pdftoppm") is None, reason="no pdftoppm")


@needs_poppler
def test_5_5_little_paper_is_blank(demo: Path, tmp_path: Path) -> None:
    assert blank(demo / "report.pdf", tmp_path / "pages") < 0.15


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="browser checks skipped: no chromium")
class TestPage:
    @pytest.fixture(scope="class")
    def browser(self) -> Any:
        from playwright.sync_api import sync_playwright

        with sync_playwright() as playwright:
            made = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
            yield made
            made.close()

    @needs_poppler
    def test_5_5_little_paper_is_blank_when_a_browser_prints(
        self, browser: Any, demo: Path, tmp_path: Path
    ) -> None:
        page = browser.new_page()
        page.goto((demo / "report.html").as_uri())
        page.pdf(path=str(tmp_path / "printed.pdf"), prefer_css_page_size=True)
        page.close()
        assert blank(tmp_path / "printed.pdf", tmp_path / "pages") < 0.15

    @pytest.mark.parametrize("width", [375, 1280])
    def test_axe_finds_nothing_serious(self, browser: Any, tmp_path: Path, width: int) -> None:
        from axe_playwright_python.sync_playwright import Axe

        path = tmp_path / "report.html"
        # The policy of the page forbids scripts, the checker's own among them.
        text = re.sub(
            r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", files()["html"].decode()
        )
        path.write_text(text, "utf-8")
        page = browser.new_page(viewport={"width": width, "height": 800})
        page.goto(path.as_uri())
        found = Axe().run(page).response
        page.close()
        assert len(found["passes"]) > 15
        serious = [
            (one["id"], [node["html"][:120] for node in one["nodes"][:3]])
            for one in found["violations"]
            if one["impact"] in ("serious", "critical")
        ]
        assert serious == []

    def test_a_phone_shows_everything(self, browser: Any, tmp_path: Path) -> None:
        path = tmp_path / "report.html"
        path.write_bytes(files()["html"])
        page = browser.new_page(viewport={"width": 375, "height": 800})
        page.goto(path.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= 375
        page.close()

    def test_lists_are_open_on_paper(self, browser: Any, tmp_path: Path) -> None:
        path = tmp_path / "report.html"
        path.write_bytes(files()["html"])
        page = browser.new_page()
        page.goto(path.as_uri())
        item = page.locator("#lists-tables li").first
        assert not item.is_visible()
        page.emulate_media(media="print")
        assert item.bounding_box()["height"] > 5
        page.close()


def test_word_is_well_formed() -> None:
    with zipfile.ZipFile(io.BytesIO(files()["docx"])) as archive:
        assert archive.testzip() is None
        for name in archive.namelist():
            if name.endswith((".xml", ".rels")):
                ET.fromstring(archive.read(name))
