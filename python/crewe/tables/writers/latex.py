"""LaTeX: a table with the rules of booktabs."""

from __future__ import annotations

import re
from collections.abc import Sequence

from crewe.tables.labels import MINUS
from crewe.tables.sheet import Sheet, one_line
from crewe.tables.writers.registry import writer


def _file(text: str, title: str) -> str:
    return f"% In the preamble: \\usepackage{{booktabs}}\n{text}\n"


@writer("latex", ".tex", file=_file)
def latex(sheet: Sheet) -> str:
    """Give the table as LaTeX; it needs the package booktabs."""
    heads, body, facts = (
        [_line(row) for row in rows] for rows in (sheet.heads, sheet.body(), sheet.facts)
    )
    notes = " ".join(map(escape, sheet.notes))
    # Sentences wrap; the labels in front do not.
    long = [
        j > 0 and max(map(len, cells)) > 40
        for j, cells in enumerate(zip(*sheet.lines(), strict=True))
    ]
    columns = "".join(
        rf"p{{{0.6 / sum(long):.2g}\linewidth}}" if wraps and place == "l" else place
        for place, wraps in zip(sheet.align, long, strict=True)
    )
    parts = [
        r"\begin{table}[htbp]",
        r"\centering",
        *([rf"\caption{{{escape(sheet.title)}}}"] if sheet.title else []),
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        *heads,
        r"\midrule",
        *body,
        *([r"\midrule", *facts] if facts else []),
        r"\bottomrule",
        r"\end{tabular}",
        *([r"\par\smallskip\footnotesize " + notes] if notes else []),
        r"\end{table}",
    ]
    return "\n".join(parts)


_GREEK = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau "
    "upsilon phi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega"
)
_SIGNS = {
    **dict(zip("αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΦΨΩ", _GREEK.split(), strict=True)),
    **{"×": "times", "∞": "infty", "≤": "le", "≥": "ge", "≠": "ne", "≈": "approx"},
    **{"→": "to", "←": "leftarrow", "√": "surd"},
}
_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "|": r"\textbar{}",
    "<": r"$<$",
    ">": r"$>$",
    MINUS: r"$-$",
    "\u2003": r"\quad{}",
    **{sign: rf"$\{name}$" for sign, name in _SIGNS.items()},
    **{sign: f"$^{plain}$" for sign, plain in zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺⁽⁾", "0123456789-+()", strict=True)},
    **{sign: f"$_{plain}$" for sign, plain in zip("₀₁₂₃₄₅₆₇₈₉₋₊₍₎", "0123456789-+()", strict=True)},
}


def escape(text: str) -> str:
    r"""Let text be text; letters of other scripts than Latin and Greek need XeLaTeX or LuaLaTeX.

    Examples
    --------
    >>> print(escape("50% of x_1 & χ²"))
    50\% of x\_1 \& $\chi$$^2$
    """
    text = "".join(_LATEX.get(letter, letter) for letter in one_line(text))
    # Two of these in a row would be set as another sign.
    return re.sub(r"(?<=-)-|(?<=[`?!])`|(?<=')'|(?<=,),", r"{}\g<0>", text)


def _line(row: Sequence[str]) -> str:
    line = " & ".join(map(escape, row)) + r" \\"
    # After the end of the row before, a star or a bracket would be its option.
    return "{}" + line if line.startswith(("*", "[")) else line
