"""The procedures of randomisation that a design may name, with their options."""

from __future__ import annotations

import json
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, Literal

import numpy as np

from crewe.exceptions import DesignError, fault, said

Misfits = Literal["strata", "leave_out", "global", "weighted_strata", "weighted_global"]


class Method:
    """A procedure of randomisation."""

    name: ClassVar[str]
    needs_order: ClassVar[bool] = False

    @property
    def factor_columns(self) -> list[str]:
        """The columns of categories that the procedure uses."""
        return []

    @property
    def covariate_columns(self) -> list[str]:
        """The columns of numbers or categories that the procedure balances."""
        return []

    def options(self) -> dict[str, Any]:
        """Give the options as whole numbers, text and lists of them."""
        return {}

    def json(self) -> str:
        """Give name and options as the core and the commitment read them."""
        return json.dumps({"name": self.name, **self.options()}, ensure_ascii=False)


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

    def options(self) -> dict[str, Any]:
        """Give the options as whole numbers, text and lists of them."""
        return {} if self.misfits == "strata" else {"misfits": self.misfits}

    def __str__(self) -> str:
        rule = "" if self.misfits == "strata" else f" (misfits: {self.misfits.replace('_', ' ')})"
        return f"complete randomisation{rule}"


@dataclass(frozen=True)
class Simple(Method):
    """Simple randomisation: every unit draws for itself, so the arms' sizes are chance."""

    name: ClassVar[str] = "simple"

    def __str__(self) -> str:
        return "simple randomisation"


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
    needs_order: ClassVar[bool] = True

    def __post_init__(self) -> None:
        sizes = self.sizes if isinstance(self.sizes, Sequence | np.ndarray) else [self.sizes]
        object.__setattr__(self, "sizes", tuple(whole(size, "a block size") for size in sizes))

    def options(self) -> dict[str, Any]:
        """Give the options as whole numbers, text and lists of them."""
        return {"sizes": list(self.sizes)}

    def __str__(self) -> str:
        return f"permuted blocks of {' or '.join(map(str, self.sizes))}"


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

    def __post_init__(self) -> None:
        if (self.on is None) == (self.match is None) or not isinstance(self.on, str | None):
            raise fault(
                DesignError,
                "matched sets are either given or built",
                remedy='Pass on="pair_id" (the column of the sets) or match=["age", "need"] '
                "(covariates)",
            )
        if self.match is not None:
            object.__setattr__(self, "match", names(self.match))

    @property
    def factor_columns(self) -> list[str]:
        """The columns that the procedure uses."""
        return [] if self.on is None else [self.on]

    @property
    def covariate_columns(self) -> list[str]:
        """The columns that the procedure uses."""
        return list(self.match or ())

    def options(self) -> dict[str, Any]:
        """Give the options as whole numbers, text and lists of them."""
        return {"on": self.on} if self.match is None else {"match": list(self.match)}

    def __str__(self) -> str:
        if self.match is None:
            return f"randomisation within the sets of {self.on}"
        return f"randomisation within pairs matched on {', '.join(self.match)}"


@dataclass(frozen=True)
class BigStick(Method):
    """Big stick: a fair draw until the arms are `limit` apart, then the arm that is behind.

    J. F. Soares and C. F. J. Wu (1983), doi:10.1080/03610928308828586. At unequal ratios the rule
    runs over equal fake arms, as many as the ratio's sum.
    """

    limit: int
    name: ClassVar[str] = "big_stick"
    needs_order: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "limit", whole(self.limit, "the limit"))

    def options(self) -> dict[str, Any]:
        """Give the options as whole numbers, text and lists of them."""
        return {"limit": self.limit}

    def __str__(self) -> str:
        return f"the big stick with a limit of {self.limit}"


@dataclass(frozen=True)
class BiasedCoin(Method):
    """Efron's biased coin: the arm that is behind is drawn with probability `p`.

    B. Efron (1971), doi:10.1093/biomet/58.3.403. At unequal ratios the rule runs over equal fake
    arms, as many as the ratio's sum: one of those with the fewest units, drawn uniformly among
    them, has probability `p`, and the others share the rest equally.
    """

    p: float | Fraction = Fraction(2, 3)
    name: ClassVar[str] = "biased_coin"
    needs_order: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "p", fraction(self.p, "p"))

    def options(self) -> dict[str, Any]:
        """Give the options as whole numbers, text and lists of them."""
        return {"p": parts(self.p)}

    def __str__(self) -> str:
        return f"a biased coin with p = {float(self.p):.4g}"


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
    needs_order: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "factors", weighted(self.factors))
        object.__setattr__(self, "p", fraction(self.p, "p"))

    @property
    def factor_columns(self) -> list[str]:
        """The columns that the procedure uses."""
        return list(self.factors)

    def options(self) -> dict[str, Any]:
        """Give the options as whole numbers, text and lists of them."""
        factors = [list(pair) for pair in weighted(self.factors).items()]
        return {"factors": factors, "imbalance": self.imbalance, "p": parts(self.p)}

    def __str__(self) -> str:
        return (
            f"minimisation over {', '.join(self.factors)} with p = {float(self.p):.4g} "
            f"({self.imbalance})"
        )


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

    def __post_init__(self) -> None:
        object.__setattr__(self, "on", weighted(self.on))
        object.__setattr__(self, "draws", whole(self.draws, "draws"))
        object.__setattr__(self, "keep", fraction(self.keep, "keep"))

    @property
    def covariate_columns(self) -> list[str]:
        """The columns that the procedure uses."""
        return list(self.on)

    def options(self) -> dict[str, Any]:
        """Give the options as whole numbers, text and lists of them."""
        on = [list(pair) for pair in weighted(self.on).items()]
        return {"draws": self.draws, "keep": parts(self.keep), "on": on}

    def __str__(self) -> str:
        return (
            f"covariate-constrained randomisation on {', '.join(self.on)}, "
            f"keeping {float(self.keep):.3g}"
        )


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

    def __post_init__(self) -> None:
        object.__setattr__(self, "on", names(self.on))
        object.__setattr__(self, "accept", fraction(self.accept, "accept"))

    @property
    def covariate_columns(self) -> list[str]:
        """The columns that the procedure uses."""
        return list(self.on)

    def options(self) -> dict[str, Any]:
        """Give the options as whole numbers, text and lists of them."""
        return {"accept": parts(self.accept), "on": list(self.on)}

    def __str__(self) -> str:
        return f"rerandomisation on {', '.join(self.on)}, accepting {float(self.accept):.3g}"


METHODS: dict[str, type[Method]] = {
    kind.name: kind
    for kind in (
        Complete, Simple, Blocks, MatchedSets, BigStick, BiasedCoin, Minimisation, Constrained,
        Rerandomised,
    )
}  # fmt: skip


def from_table(table: object) -> Method:
    """Give the method that a TOML table or canonical JSON names."""
    known = ", ".join(METHODS)
    if not isinstance(table, dict) or table.get("name") not in METHODS:
        raise fault(
            DesignError,
            "the method is no procedure of randomisation",
            values=[said(table)],
            remedy=f"The procedures are {known}",
        )
    options = {key: value for key, value in table.items() if key != "name"}
    for key in ("p", "keep", "accept"):
        if isinstance(options.get(key), list) and len(options[key]) == 2:
            options[key] = Fraction(*options[key])
    for key in ("factors", "on"):
        if (
            isinstance(options.get(key), list)
            and options[key]
            and isinstance(options[key][0], list)
        ):
            options[key] = {column: weight for column, weight in options[key]}
    try:
        return METHODS[table["name"]](**options)
    except TypeError as error:
        raise fault(
            DesignError,
            f"the method {table['name']} does not have these options",
            values=sorted(options),
            remedy=f"See crewe.{METHODS[table['name']].__name__}",
        ) from error


def whole(value: object, what: str) -> int:
    """Read a whole number of at least 1."""
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        number = 0
    if isinstance(value, bool) or not 1 <= number < 2**32:
        raise fault(
            DesignError,
            f"{what} must be a whole number of at least 1",
            values=[said(value)],
            remedy="Give a whole number",
        )
    return number


def fraction(value: object, what: str) -> Fraction:
    """Read a probability as the fraction that its decimal text says: 0.8 is 4/5."""
    try:
        number = Fraction(str(value)) if not isinstance(value, Fraction) else value
    except ValueError:
        number = Fraction(-1)
    if not 0 < number <= 1 or isinstance(value, bool):
        raise fault(
            DesignError,
            f"{what} must be a probability above 0 and at most 1",
            values=[said(value)],
            remedy="Give for instance 0.8 or fractions.Fraction(2, 3)",
        )
    return number


def parts(value: float | Fraction) -> list[int]:
    """Give a fraction as its two whole numbers."""
    exact = fraction(value, "the fraction")
    return [exact.numerator, exact.denominator]


def names(columns: object) -> tuple[str, ...]:
    """Read names of columns."""
    if isinstance(columns, str):
        return (columns,)
    if isinstance(columns, Sequence) and all(isinstance(name, str) for name in columns):
        return tuple(columns)
    raise fault(
        DesignError,
        "covariates are named by a list of columns",
        values=[said(columns)],
        remedy='Write for instance ["age", "need"]',
    )


def weighted(columns: object) -> dict[str, int]:
    """Read names of columns with whole-number weights, 1 where there are none."""
    if isinstance(columns, Mapping):
        return {
            str(name): whole(weight, f"the weight of {name}") for name, weight in columns.items()
        }
    return dict.fromkeys(names(columns), 1)
