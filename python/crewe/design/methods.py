"""The procedures of randomisation that a design may name, with their options.

A procedure is one dataclass: its kind's name, and its options with the types that they are kept as. What an option may
be, what follows from it and how it is told, the core knows.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from fractions import Fraction
from functools import cache
from numbers import Integral, Real
from types import UnionType
from typing import Any, ClassVar, Literal, Union, get_args, get_origin, get_type_hints

from crewe import _core
from crewe.exceptions import DesignError, fault, said

__all__: list[str] = [
    "BiasedCoin",
    "BigStick",
    "Blocks",
    "Complete",
    "Constrained",
    "MatchedSets",
    "Minimisation",
    "Rerandomised",
    "Simple",
]

METHODS: dict[str, type[Method]] = {}
"""The procedures by name; each enters itself."""

Misfits = Literal["strata", "leave_out", "global", "weighted_strata", "weighted_global"]


class Method:
    """A procedure of randomisation."""

    name: ClassVar[str]

    def __init_subclass__(cls) -> None:
        METHODS[cls.name] = cls

    def __post_init__(self) -> None:
        """Have the core read the options, and keep them as it read them."""
        for option, value in self.options().items():
            object.__setattr__(self, option, _kept(value, _kinds(self.name)[option]))

    def _handle(self) -> _core.Method:
        given = {option: getattr(self, option) for option in _kinds(self.name)}
        written = {
            option: _written(value, _kinds(self.name)[option])
            for option, value in given.items()
            if value is not None or type(None) not in _kinds(self.name)[option]
        }
        return _core.Method(json.dumps({"name": self.name, **written}))

    @property
    def needs_order(self) -> bool:
        """Whether units are drawn one after the other, so that the order of arrival must be known."""
        return self._handle().needs_order

    @property
    def in_sets(self) -> bool:
        """Whether units are drawn within sets, which an analysis takes as its strata."""
        return self._handle().in_sets

    @property
    def factor_columns(self) -> list[str]:
        """The columns of categories that the procedure uses."""
        return self._handle().factors

    @property
    def covariate_columns(self) -> list[str]:
        """The columns of numbers or categories that the procedure balances."""
        return self._handle().covariates

    def options(self) -> dict[str, Any]:
        """Give the options as whole numbers, text and lists of them."""
        options: dict[str, Any] = json.loads(self.json())
        del options["name"]
        return options

    def json(self) -> str:
        """Give name and options as the core and the commitment read them."""
        return self._handle().json

    def __str__(self) -> str:
        return self._handle().text


@dataclass(frozen=True)
class Complete(Method):
    """Complete randomisation: every stratum is split between the arms in the ratio.

    Where a stratum of n units does not divide by the ratio r_1 : ... : r_J (R their sum), u = n mod
    R units are left over, and `misfits` says what becomes of them (the rules of A. Carril 2017,
    doi:10.1177/1536867X1701700307). All arithmetic is in whole numbers.

    Parameters
    ----------
    misfits : str
        "strata" (default): arm j gets floor(n r_j / R) places, and the places left over are drawn,
        no arm twice, so that every unit's probability of arm j is exactly r_j / R.
        "leave_out": they get no arm (None in the frame), which happens to each unit with
        probability u / n; arm j has (n - u) r_j / (R n).
        "global": those of all strata are drawn together and split equally between the J arms,
        whatever the ratio; arm j has ((n - u) r_j / R + u / J) / n.
        "weighted_strata": those of a stratum draw tickets from a pack that holds the ratio once, so
        that an arm may come several times; r_j / R.
        "weighted_global": those of all strata draw together from such packs; r_j / R.

    Examples
    --------
    >>> import crewe as cw, pandas as pd
    >>> schools = pd.DataFrame({"school": range(5)})
    >>> method = cw.Complete(misfits="leave_out")
    >>> arms = {"control": 1, "crewe": 2}
    >>> drawn = cw.Design("Schools", arms=arms, unit="school", method=method, seed=1).assign(schools)
    >>> drawn.counts(), drawn.probability[0].tolist()
    ({'control': 1, 'crewe': 2}, [0.2, 0.4])
    """

    misfits: Misfits = "strata"
    name: ClassVar[str] = "complete"


@dataclass(frozen=True)
class Simple(Method):
    """Simple randomisation: every unit draws for itself, so the arms' sizes are chance."""

    name: ClassVar[str] = "simple"


@dataclass(frozen=True)
class Blocks(Method):
    """Permuted blocks in the order of arrival.

    Parameters
    ----------
    sizes : sequence of int
        Sizes of blocks, each a multiple of the ratio's sum. With several, every block draws its
        size, so that its end cannot be foreseen.
    """

    sizes: Sequence[int]
    name: ClassVar[str] = "blocks"


@dataclass(frozen=True)
class MatchedSets(Method):
    """Complete randomisation within sets of units that are alike.

    Every unit's probability is exactly the ratio. The assignment has a column `set`, and fits with
    ``design=`` add the sets as terms.

    Parameters
    ----------
    on : str, optional
        The column that names each unit's set, of two units or more, all in one stratum.
    match : sequence of str, optional
        Instead of `on`, covariates to build pairs by: those with the smallest sum of Mahalanobis
        distances within strata (optimal, not greedy). In a stratum of odd size the unit left over
        joins the pair nearest to it. Two arms at 1:1 only.

    Examples
    --------
    >>> import crewe as cw, pandas as pd
    >>> schools = pd.DataFrame({"school": range(6), "size": [10, 52, 31, 12, 30, 50]})
    >>> method = cw.MatchedSets(match=["size"])
    >>> design = cw.Design("S", arms={"control": 1, "crewe": 1}, unit="school", method=method, seed=1)
    >>> design.assign(schools).frame["set"].tolist()
    [0, 1, 2, 0, 2, 1]
    """

    on: str | None = None
    match: Sequence[str] | None = None
    name: ClassVar[str] = "matched_sets"


@dataclass(frozen=True)
class BigStick(Method):
    """Big stick: a fair draw until the arms are `limit` apart, then the arm that is behind.

    J. F. Soares and C. F. J. Wu (1983), doi:10.1080/03610928308828586. At unequal ratios the rule
    runs over equal fake arms, as many as the ratio's sum.
    """

    limit: int
    name: ClassVar[str] = "big_stick"


@dataclass(frozen=True)
class BiasedCoin(Method):
    """Efron's biased coin: the arm that is behind is drawn with probability `p`.

    B. Efron (1971), doi:10.1093/biomet/58.3.403. At unequal ratios the rule runs over equal fake
    arms, as many as the ratio's sum: one of those with the fewest units, drawn uniformly among
    them, has probability `p`, and the others share the rest equally.
    """

    p: float | Fraction = Fraction(2, 3)
    name: ClassVar[str] = "biased_coin"


@dataclass(frozen=True)
class Minimisation(Method):
    """Minimisation: the arm that would leave the factors most even is preferred.

    S. J. Pocock and R. Simon (1975), doi:10.2307/2529712; at unequal ratios over equal fake arms
    (O. M. Kuznetsova and Y. Tymofyeyev 2012, doi:10.1002/sim.4447), which keeps the ratio at every
    arrival.

    Parameters
    ----------
    factors : sequence of str, or mapping of str to int
        The columns to balance, with whole-number weights where they differ.
    p : float
        The probability of the preferred fake arm, at least 1 / R where the ratio sums to R; the
        others share the rest equally. Of several with the smallest score, one drawn uniformly is
        the preferred one.
    imbalance : {"range", "variance"}
        How unequal the arms are at one level of a factor.
    """

    factors: Sequence[str] | Mapping[str, int]
    p: float | Fraction = Fraction(4, 5)
    imbalance: Literal["range", "variance"] = "range"
    name: ClassVar[str] = "minimisation"


@dataclass(frozen=True)
class Constrained(Method):
    """Covariate-constrained randomisation: one of the best balanced assignments, drawn at random.

    The score of an assignment is the weighted sum, over covariates in units of their standard
    deviations, of (n / 4) sum_j n_j (mean of arm j - mean)^2; for two equal arms n^2 / 16 times the
    squared difference of means. See ``design.constrained(frame)`` for the scores, and for pairs of
    units that are always or never in the same arm.

    G. M. Raab and I. Butcher (2001), doi:10.1002/1097-0258(20010215)20:3<351::AID-SIM797>3.0.CO;2-C;
    F. Li et al. (2016), doi:10.1002/sim.6813.

    Parameters
    ----------
    on : sequence of str, or mapping of str to int
        Covariates to balance, numbers or categories, with whole-number weights where they differ.
        A category counts as one column a level, the first level left out.
    draws : int
        All assignments are looked at where they are no more than this; else so many drawn ones.
    keep : float
        The share of them to accept, the best balanced first, ties with the last one included.

    Examples
    --------
    >>> import crewe as cw, pandas as pd
    >>> sites = pd.DataFrame({"site": range(8), "need": [1, 2, 3, 4, 6, 7, 8, 9]})
    >>> method = cw.Constrained(on=["need"], keep=0.25)
    >>> design = cw.Design("Sites", arms={"usual": 1, "new": 1}, unit="site", method=method, seed=1)
    >>> design.assign(sites).possible
    20
    """

    on: Sequence[str] | Mapping[str, int]
    draws: int = 50_000
    keep: float | Fraction = Fraction(1, 10)
    name: ClassVar[str] = "constrained"


@dataclass(frozen=True)
class Rerandomised(Method):
    """Rerandomisation: drawn again until the Mahalanobis distance of the arms' means is small.

    The distance sum_j n_j d_j' S^-1 d_j is accepted up to the quantile of chi-squared with K (J - 1)
    degrees of freedom at `accept`; S is the covariance within strata.

    K. L. Morgan and D. B. Rubin (2012), doi:10.1214/12-AOS1008.

    Parameters
    ----------
    on : sequence of str
        Covariates, numbers or categories.
    accept : float
        The probability that a draw is accepted, which sets the threshold.

    Examples
    --------
    >>> import crewe as cw, pandas as pd
    >>> sites = pd.DataFrame({"site": range(12), "need": [1, 2, 3, 4, 6, 7, 8, 9, 11, 12, 14, 15]})
    >>> method = cw.Rerandomised(on=["need"], accept=0.1)
    >>> design = cw.Design("Sites", arms={"usual": 1, "new": 1}, unit="site", method=method, seed=1)
    >>> drawn = design.assign(sites)
    >>> drawn.counts(), drawn.probability[0].tolist()
    ({'usual': 6, 'new': 6}, [0.5, 0.5])
    """

    on: Sequence[str]
    accept: float | Fraction = Fraction(1, 100)
    name: ClassVar[str] = "rerandomised"


def from_table(table: object) -> Method:
    """Give the method that a TOML table or canonical JSON names."""
    if not isinstance(table, Mapping):
        raise fault(
            DesignError,
            "the method is no procedure of randomisation",
            values=[said(table)],
            remedy=f"Name one of {', '.join(METHODS)}, with its options",
        )
    written = {str(key): _written(value, frozenset()) for key, value in table.items()}
    options = json.loads(_core.Method(json.dumps(written)).json)
    return METHODS[options.pop("name")](**options)


@cache
def _kinds(name: str) -> dict[str, frozenset[Any]]:
    """Give the types that each option of a procedure is declared with."""
    method: type[Any] = METHODS[name]
    hints = get_type_hints(method)
    options = [option.name for option in fields(method)]
    return {
        option: frozenset(get_origin(kind) or kind for kind in _alternatives(hints[option]))
        for option in options
    }


def _alternatives(hint: Any) -> Sequence[Any]:
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)


def _written(value: object, kinds: frozenset[Any], depth: int = 0) -> Any:
    """Write an option as the core reads it: decimals as their text, which is exact, and mappings as pairs."""
    if Sequence in kinds and (isinstance(value, str) or not isinstance(value, Iterable)):
        value = [value]
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, str):
        if not _is_unicode(value):
            raise fault(
                DesignError,
                "an option of a procedure is no Unicode text",
                values=[said(value)],
                remedy="Rename the column",
            )
        return value
    if isinstance(value, Integral):
        whole = int(value)
        return whole if -(2**63) <= whole < 2**64 else f"a number of {whole.bit_length()} bits"
    if isinstance(value, Real | Decimal):
        return str(value)
    if depth < 3 and isinstance(value, Mapping):
        return [[_written(part, frozenset(), depth + 1) for part in pair] for pair in value.items()]
    if depth < 3 and isinstance(value, Iterable) and not isinstance(value, bytes | bytearray):
        return [_written(part, frozenset(), depth + 1) for part in value]
    raise fault(
        DesignError,
        "an option of a procedure cannot be this",
        values=[said(value)],
        remedy="Options are numbers, text, and lists or mappings of them",
    )


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _kept(value: Any, kinds: frozenset[Any]) -> Any:
    """Give an option, as the core wrote it, in the type that it is declared with."""
    if Fraction in kinds:
        return Fraction(*value)
    if Mapping in kinds:
        return {column: weight for column, weight in value}
    return tuple(value) if Sequence in kinds else value
