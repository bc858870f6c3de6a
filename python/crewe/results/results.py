"""The file of results read back."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from crewe.exceptions import InputError, fault
from crewe.files.toml import text_of
from crewe.frames import fingerprint as prints
from crewe.frames.arguments import check_methods, checked
from crewe.frames.column import Columns
from crewe.frames.source import Source
from crewe.results.file import check

_OF_RESULT = (
    *("section", "kind", "formula", "outcome", "n", "clusters", "cluster", "confidence"),
    *("variance", "synthetic", "estimand", "method", "data"),
)


@dataclass(repr=False)
class Results:
    """The numbers of a report.

    Attributes
    ----------
    report : dict
        Title, author, date, whether synthetic, and what is said of small numbers.
    software : dict of str to str
        The versions that made them.
    content : dict
        The whole file.
    """

    report: dict[str, Any]
    software: dict[str, str]
    content: dict[str, Any] = field(repr=False)

    def tidy(self) -> pd.DataFrame:
        """Give one row a number, with what it is an estimate of, how, by which version, and from which data.

        `result` names the result, `table` the table of it (`tidy`, `contrasts`); `term`, `level`, `contrast` say what the
        number is of; `estimate, std_error, statistic, df, p_value, conf_low, conf_high` are as results give them, `n` is that
        of the row where it has one; `confidence` is the coverage of the interval; `estimand` is the summary measure and
        `fingerprint` that of the rows analysed.
        """
        known = {one["id"]: one for one in self.content["estimands"]}
        methods = {one["id"]: one for one in self.content["methods"]}
        data = {one["id"]: one for one in self.content["data"]}
        rows = []
        for result in self.content["results"]:
            shared = {name: result[name] for name in _OF_RESULT}
            if (estimand := known.get(result["estimand"])) is not None:
                shared["estimand"] = estimand["summary"]
                shared["population"] = estimand["population"]
            shared["method"] = (
                " ".join(methods[result["method"]]["sentences"]) if result["method"] else None
            )
            shared["fingerprint"] = data[result["data"]]["fingerprint"] if result["data"] else None
            shared["crewe"] = self.software["crewe"]
            for number in result["numbers"]:
                own = {name: _number(value) for name, value in number.items()}
                # The rows of a table may count for themselves.
                row = {"result": result["id"], **shared, "n": own.get("n", shared["n"])}
                rows.append({**row, **{name: own[name] for name in own if name not in row}})
        return pd.DataFrame(rows)

    def tables(self) -> list[pd.DataFrame]:
        """Give the printed tables in their order, each as a frame of text; `attrs` holds caption, name and notes."""
        made = []
        for table in self.content["tables"]:
            lines = [_lines(row) for row in table["rows"]]
            heads = table["heads"] or [[""] * (len(lines[0][0]) if lines else 0)]
            body = [line for row in lines for line in row]
            frame = pd.DataFrame([*heads[1:], *body, *table["facts"]], columns=heads[0])
            frame.attrs.update({name: table[name] for name in ("name", "caption", "notes")})
            made.append(frame)
        return made

    def estimands(self) -> pd.DataFrame:
        """Give one row an estimand."""
        return pd.DataFrame(self.content["estimands"])

    def data(self) -> pd.DataFrame:
        """Give one row a set of analysed rows: its fingerprint, its columns, how many rows."""
        return pd.DataFrame(self.content["data"])

    def __repr__(self) -> str:
        count = sum(len(one["numbers"]) for one in self.content["results"])
        return (
            f"Results of '{self.report['title']}' ({self.report['date']}), crewe {self.software['crewe']}\n"
            f"{len(self.content['results'])} results, {count} numbers, {len(self.content['tables'])} tables"
        )


check_methods(Results)


def _number(value: Any) -> Any:
    return float(value.replace("inity", "")) if value in ("Infinity", "-Infinity") else value


def _lines(row: Sequence[Any]) -> list[list[str]]:
    """Give a row as lines: a cell of two lines makes two."""
    top = [cell[0] if isinstance(cell, list) else cell for cell in row]
    below = [cell[1] if isinstance(cell, list) else "" for cell in row]
    return [top, below] if any(below) else [top]


@checked
def load(path: str | os.PathLike[str]) -> Results:
    """Read the numbers of a report, as `Report.save("results.json")` wrote them.

    Parameters
    ----------
    path : str or path
        The file.

    Returns
    -------
    Results
        With `tidy()` for all numbers as one frame.

    Raises
    ------
    InputError
        Where there is no such file, it is no JSON, it is of another version, or it does not hold what the schema says.

    Examples
    --------
    >>> import crewe as cw, pandas as pd, tempfile, pathlib
    >>> frame = pd.DataFrame({"y": [1.0, 3, 2, 5, 4, 6], "arm": list("ababab")})
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "results.json"
    >>> path = cw.Report("A small trial", date="2016-11-01").add(cw.ols("y ~ arm", frame)).save(path)
    >>> found = cw.results.load(path).tidy()
    >>> [round(x, 2) for x in found["estimate"]], int(found["n"][0])
    ([2.33, 2.33], 6)
    """
    text = text_of(path)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise fault(
            InputError,
            f"{path} is not JSON: {error}",
            remedy="Give what Report.save('results.json') wrote",
        ) from error
    content = check(found, str(path))
    return Results(content["report"], content["software"], content)


@checked
def fingerprint(data: Any, columns: Sequence[str] | None = None) -> str:
    """Give the fingerprint of rows of data, to compare with that of a result.

    A result's own is of the rows that it analysed, without those dropped for missing values, and of the columns that
    `Results.data()` names.

    Parameters
    ----------
    data : data frame
        The rows, in the order of the analysis.
    columns : sequence of str, optional
        The columns; all of them otherwise.

    Returns
    -------
    str
        `sha256:` and 64 hexadecimal digits.

    Examples
    --------
    >>> import crewe as cw, pandas as pd
    >>> frame = pd.DataFrame({"y": [1.0, 2.0], "note": ["a", "b"]})
    >>> cw.results.fingerprint(frame, ["y"]) == cw.results.fingerprint(frame[["y"]])
    True
    """
    source = Source(data)
    names = list(columns) if columns is not None else source.names
    found = {name: source.column(name).used() for name in names}
    return prints.fingerprint(Columns(found, source.n))
