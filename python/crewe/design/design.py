"""Declaring a trial: who is randomised, to which arms, at which ratio, in which strata."""

from __future__ import annotations

import operator
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crewe import _core
from crewe._core import Unit, Units, read_seed
from crewe.design.assignment import ADDED, Assignment
from crewe.design.constrained import Acceptance
from crewe.design.keys import Commitment, Key
from crewe.design.methods import Complete, Method
from crewe.design.nouns import Noun
from crewe.design.predictability import Predictability, measure
from crewe.design.written import read_toml, toml_of
from crewe.exceptions import DesignError, fault
from crewe.files.writing import write
from crewe.frames.arguments import checked
from crewe.frames.columns import arrivals, identifiers, labels
from crewe.frames.ids import refuse_hidden
from crewe.frames.source import Source
from crewe.tables.display import Table
from crewe.tables.printable import Printable


@dataclass(frozen=True, init=False, repr=False)
class Design(Printable):
    """The design of a randomised trial, declared once and used everywhere.

    Parameters
    ----------
    name : str
        The name of the trial.
    arms : mapping of str to int
        Each arm's whole-number share of the allocation ratio. The first arm is the reference.
    cluster : str, optional
        The column that names the clusters: all rows of a cluster get one arm.
    unit : str, optional
        Instead of `cluster`, the column that names the individuals, where every row is randomised
        for itself.
    strata : sequence of str
        Columns whose values together form the strata.
    method : Method, optional
        The procedure, such as :class:`Blocks`; :class:`Complete` by default.
    seed : int or Key, optional
        An integer from 0 to 2^64 - 1 makes the draw reproducible; a :class:`Key` also conceals it.
        Without one, an integer is drawn from the operating system; read it in ``design.seed``.
    unit_noun, member_noun : str or (str, str), optional
        What a unit that is randomised and a row of a cluster are called: ``"school"`` and ``"pupil"``, or
        with a plural of its own ``("child", "children")``. By default the unit follows from its
        column (families of ``family_id``), and a row is a child.
    labels : mapping of str to str, optional
        What tables, figures and texts print in place of an arm's name. Frames keep the name.

    Notes
    -----
    Nouns and labels are carried by everything that follows from the design, by :meth:`to_toml`, pickles and the
    ledger. They are no part of the commitment.

    Raises
    ------
    DesignError
        For fewer than two arms, shares that are not whole numbers of at least 1, no unit of
        randomisation, columns named twice, and labels of arms that the design does not have.

    Examples
    --------
    >>> import crewe as cw, pandas as pd
    >>> arms = {"control": 1, "crewe": 2}
    >>> design = cw.Design("Project Crewe", arms=arms, cluster="family_id", seed=2017)
    >>> families = pd.DataFrame({"family_id": [1, 2, 2, 3, 4, 5, 6]})
    >>> design.assign(families).counts()
    {'control': 2, 'crewe': 4}

    A trial of schools says so wherever it is printed:

    >>> schools = cw.Design("Reading", arms=arms, cluster="school_id", seed=1,
    ...                     unit_noun="school", member_noun="pupil", labels={"control": "As usual"})
    >>> schools.assign(pd.DataFrame({"school_id": range(6)})).table().title
    'Reading: 6 schools randomised at 1:2'
    """

    name: str
    _arms: tuple[tuple[str, int], ...]
    cluster: str | None
    unit: str | None
    strata: tuple[str, ...]
    method: Method
    seed: int | Key | None
    _unit_noun: Noun | None = None
    _member_noun: Noun | None = None
    _labels: tuple[tuple[str, str], ...] = ()

    @checked
    def __init__(
        self,
        name: str,
        *,
        arms: Mapping[str, int],
        cluster: str | None = None,
        unit: str | None = None,
        strata: Sequence[str] = (),
        method: Method | None = None,
        seed: int | Key | None = None,
        unit_noun: str | Sequence[str] | None = None,
        member_noun: str | Sequence[str] | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> None:
        try:
            seed = read_seed(seed)
        except BaseException:
            # It may be a secret: no traceback shows it.
            del seed
            raise
        if not isinstance(arms, Mapping):
            raise fault(
                DesignError,
                "arms must name every arm with its share of the ratio",
                values=[str(arms)],
                remedy='Write for instance arms={"control": 1, "crewe": 2}',
            )
        if (cluster is None) == (unit is None):
            raise fault(
                DesignError,
                "a design randomises either clusters or individuals",
                remedy='Pass cluster="family_id" (a family gets one arm) or unit="child_id"',
            )
        method = Complete() if method is None else method
        if not isinstance(method, Method):
            raise fault(
                DesignError,
                "the method is no procedure of randomisation",
                values=[str(method)],
                remedy="Use for instance crewe.Complete() or crewe.Blocks(sizes=[3, 6])",
            )
        put = object.__setattr__
        put(self, "name", str(name))
        put(self, "_arms", tuple((str(arm), _share(arm, ratio)) for arm, ratio in arms.items()))
        put(self, "cluster", cluster)
        put(self, "unit", unit)
        put(self, "strata", (strata,) if isinstance(strata, str) else tuple(strata))
        put(self, "method", method)
        put(self, "seed", _core.system_seed() if seed is None else seed)
        for name, noun in (("unit_noun", unit_noun), ("member_noun", member_noun)):
            put(self, f"_{name}", None if noun is None else Noun.read(noun, name))
        put(self, "_labels", tuple(_label(arm, said) for arm, said in (labels or {}).items()))
        self._core()

    def _core(self) -> _core.Design:
        made = _core.Design(
            self.name,
            list(self._arms),
            self._core_unit(),
            list(self.strata),
            self.method.json(),
            self.seed,
        )
        if not (self._unit_noun or self._member_noun or self._labels):
            return made
        unit, member = (
            None if noun is None else (noun.one, str(noun))
            for noun in (self._unit_noun, self._member_noun)
        )
        return made.worded(_core.Wording(unit, member, list(self._labels)))

    def _core_unit(self) -> Unit:
        if self.cluster is not None:
            return Unit.cluster(self.cluster)
        return Unit.individual(self.unit or "")

    @property
    def arms(self) -> dict[str, int]:
        """The arms and their shares of the ratio, the reference first."""
        return dict(self._arms)

    @property
    def labels(self) -> dict[str, str]:
        """What is printed in place of an arm's name, for the arms that have a label."""
        return dict(self._labels)

    @property
    def unit_noun(self) -> Noun:
        """What the units are called: text for many, with `one` for one of them."""
        one, many = self._core().nouns()[0]
        return Noun(many, one)

    @property
    def member_noun(self) -> Noun:
        """What the rows of a cluster are called."""
        one, many = self._core().nouns()[1]
        return Noun(many, one)

    @property
    def _words(self) -> dict[str, str]:
        return self.labels

    @property
    def id_column(self) -> str:
        """The column that names the units."""
        return self.cluster or self.unit or ""

    def probabilities(self) -> dict[str, float]:
        """Each arm's share of the ratio.

        It is every unit's probability under the default procedure; where the procedure does not
        imply it, ``assignment.probability`` holds each unit's own.
        """
        total = sum(ratio for _, ratio in self._arms)
        return {arm: ratio / total for arm, ratio in self._arms}

    def assign(
        self, frame: Any, *, order: str | None = None, keep_data: bool = False
    ) -> Assignment:
        """Draw the arms.

        The arm of a unit depends on the seed, on the identifiers in its stratum, and on nothing
        else: neither on the order of rows, nor on the type of the identifier, nor on the locale,
        nor on other strata.

        Parameters
        ----------
        frame : data frame
            One row a unit, or one row a child of a cluster.
        order : str, optional
            The column with the order or date of arrival, which sequential procedures need. A
            cluster arrives with its first row; ties stand in the order of their identifiers.
        keep_data : bool
            Whether pickles of the result hold the rows of `frame`.

        Raises
        ------
        InputError
            For an empty frame, unknown columns, missing identifiers or strata, and identifiers that
            come twice where individuals are randomised.
        DesignError
            For a cluster in several strata, fewer units than arms, and a frame that already has a
            column named arm, stratum or probability.
        """
        source = Source(frame)
        taken = [name for name in ADDED if name in source.names and name not in self.strata]
        if taken:
            raise fault(
                DesignError,
                "the data already have columns that an assignment adds, so units may be randomised already",
                values=taken,
                remedy="Read arms that were drawn before with design.observe(frame, arm=...), or "
                "rename the "
                "columns",
            )
        units = self._units(source, order)
        self._need_order(order)
        if source.plain_ids(self.id_column) is None:
            refuse_hidden(source.ids(self.id_column)[1], self.id_column)
        return Assignment(self, source, self._core().assign(units), keep_data=keep_data)

    def observe(
        self, frame: Any, arm: str, *, order: str | None = None, keep_data: bool = False
    ) -> Assignment:
        """Read the arms of a trial that was randomised elsewhere.

        Parameters
        ----------
        frame : data frame
            The data of the trial.
        arm : str
            The column with the arms: their names or, with two arms, 0 (or False) for the first and
            1 (or True) for the second.
        keep_data : bool
            Whether pickles of the result hold the rows of `frame`.

        Returns
        -------
        Assignment
            As :meth:`assign` gives it, without commitment; the probabilities are those that the
            design declares.

        Raises
        ------
        InputError
            For missing arms and values that are no arm.
        DesignError
            For clusters in several arms or strata, and fewer than two units in an arm.
        """
        source = Source(frame)
        units = self._units(source, order)
        drawn = self._core().observe(units, labels(source, arm, "arm"))
        return Assignment(self, source, drawn, arm_column=arm, keep_data=keep_data)

    def draws(
        self, frame: Any, n: int, *, order: str | None = None, seed: int | Key | None = None
    ) -> NDArray[np.uint8]:
        """Draw the procedure again and again: its permutation distribution.

        Replicate i has a random stream of its own, so it is the same for any `n`, machine and
        number of threads.

        Parameters
        ----------
        frame : data frame
            As for :meth:`assign`.
        n : int
            The number of replicates.
        order : str, optional
            As for :meth:`assign`.
        seed : int or Key, optional
            Instead of the design's own.

        Returns
        -------
        array of shape (n, units)
            The arm of each unit (0 is the first arm), units in canonical order as in
            ``assignment.units``.
        """
        try:
            seed = read_seed(seed)
        except BaseException:
            # It may be a secret: no traceback shows it.
            del seed
            raise
        n = operator.index(n)
        if n < 1:
            raise fault(
                DesignError,
                "the number of draws must be at least 1",
                values=[str(n)],
                remedy="Ask for more",
            )
        units = self._units(Source(frame), order)
        self._need_order(order)
        return self._core().draws(units, n, seed)

    def predictability(
        self,
        n: int | None = None,
        *,
        frame: Any = None,
        order: str | None = None,
        strata: int | None = None,
        levels: int | Mapping[str, int] = 2,
        sims: int = 10_000,
        seed: int | Key | None = None,
        executor: Executor | None = None,
    ) -> Predictability:
        """Simulate how well arms can be guessed, and how uneven they become.

        Parameters
        ----------
        n : int, optional
            The number of arrivals in each trial.
        frame : data frame, optional
            Instead of `n`, the units themselves, with their strata and factors.
        order : str, optional
            With `frame`, the column with the order of arrival.
        strata : int, optional
            With `n`, the number of strata, each equally likely at every arrival (default 1).
        levels : int or mapping of str to int
            With `n`, the number of levels of the factors of minimisation, equally likely.
        sims : int
            The number of simulated trials.
        seed : int or Key, optional
            Instead of the design's own; the arms that it draws are not used.
        executor : concurrent.futures.Executor, optional
            What shares the simulated trials among processes or machines, with the same result. By
            default this process's threads; a secret key is sent nowhere.

        Returns
        -------
        Predictability
            Rates of right guesses, arms that are certain, and deviations from the ratio.

        Raises
        ------
        DesignError
            For procedures that draw a list at once, other than complete randomisation.
        InputError
            For no arrivals and fewer than two trials.

        Examples
        --------
        >>> import crewe as cw
        >>> arms = {"control": 1, "crewe": 1}
        >>> blocks = cw.Blocks([2])
        >>> design = cw.Design("trial", arms=arms, cluster="family_id", method=blocks, seed=1)
        >>> found = design.predictability(n=20, sims=100)
        >>> found.guess, found.certain  # the second of each pair is certain
        (0.75, 0.5)
        """
        try:
            seed = read_seed(seed)
        except BaseException:
            # It may be a secret: no traceback shows it.
            del seed
            raise
        return measure(self, n, frame, order, strata, levels, sims, seed, executor)

    def constrained(self, frame: Any) -> Acceptance:
        """Say what covariate-constrained randomisation would accept for these units.

        Parameters
        ----------
        frame : data frame
            As for :meth:`assign`.

        Returns
        -------
        Acceptance
            Scores of the candidate assignments, the cutoff, every unit's probabilities, and the
            pairs of units that are always or never in the same arm.

        Raises
        ------
        DesignError
            For another procedure, and where a unit cannot get one of the arms.
        """
        source = Source(frame)
        units = self._units(source)
        kind = (source._implementation, source._lazy)
        return Acceptance._of(self, self._core().constrained(units), kind)

    def commitment(self) -> Commitment:
        """Give the hash to lodge before the first unit is randomised."""
        self._need_seed()
        return Commitment.of(self._core().commitment())

    def _units(self, source: Source, order: str | None = None) -> Units:
        """Collapse rows to units, with what the procedure needs to know of them."""
        self._need_seed()
        source.require(self.id_column)
        some = bool(source.n)
        strata = [labels(source, name, "stratum") for name in self.strata] if some else []
        factors = (
            [labels(source, name, "factor") for name in self.method.factor_columns] if some else []
        )
        covariates = []
        for name in self.method.covariate_columns if some else []:
            column = source.column(name)
            if column.levels is not None:
                factors.append(labels(source, name, "covariate"))
            else:
                covariates.append((name, np.ascontiguousarray(column.values, dtype=np.float64)))
        arrival = None if order is None or not some else (order, arrivals(source, order))
        plain, name = source.plain_ids(self.id_column), self.id_column
        ids = identifiers(source, name) if plain is None else plain.named(name)
        return _core.Units(self._core_unit(), ids, strata, arrival, factors, covariates)

    def _with_seed(self, seed: int) -> Design:
        """Give the same design under another seed."""
        made = object.__new__(Design)
        made.__dict__.update({**self.__dict__, "seed": seed})
        return made

    def _need_order(self, order: str | None) -> None:
        # The core refuses too, but does not know what the argument is called here.
        if order is None and self.method.needs_order:
            raise fault(
                DesignError,
                f"{self.method.name} draws one unit after the other, so it must know the order in "
                "which they arrived",
                remedy="Name the column with the order or date of arrival: order=",
            )

    def _need_seed(self) -> None:
        if self.seed is None:
            raise fault(
                DesignError,
                "this design has no seed: a key is left out of pickles and files",
                remedy="Declare the design again with seed=crewe.Key.from_hex(...)",
            )

    def to_toml(self, path: str | os.PathLike[str] | None = None) -> str:
        """Write the design as TOML, to `path` too where it is given, never with the seed."""
        written = toml_of(self)
        if path is not None:
            write(path, written)
        return written

    @classmethod
    def from_toml(cls, source: str | os.PathLike[str], seed: int | Key | None = None) -> Design:
        """Read a design from TOML: a path (``pathlib.Path``) or the text itself.

        Raises
        ------
        DesignError
            For text that is no TOML, entries that are unknown or missing, and another algorithm.
        """
        try:
            seed = read_seed(seed)
        except BaseException:
            # It may be a secret: no traceback shows it.
            del seed
            raise
        return cls(**read_toml(source), seed=seed)

    def _table(self) -> Table:
        ratio = " : ".join(str(share) for _, share in self._arms)
        kind = "clusters" if self.cluster is not None else "individuals"
        if self._unit_noun:
            kind = f"{self._unit_noun} ({kind})"
        seed = (
            f"{self.seed} (reproducible, not concealed)" if isinstance(self.seed, int)
            else "key (redacted; concealed)" if self.seed is not None
            else "left out"
        )  # fmt: skip
        rows = [
            ["arms", f"{' : '.join(self._arm(arm) for arm, _ in self._arms)} = {ratio}"],
            ["randomised", f"{kind}, named by {self.id_column}"],
            ["strata", ", ".join(self.strata) or "none"],
            ["method", str(self.method)],
            ["seed", seed],
        ]
        if self.seed is not None:
            rows.append(["commitment", self.commitment().digest])
        return Table(["design", self.name], rows, align="ll")

    def _arm(self, name: str) -> str:
        label = self.labels.get(name)
        return name if label is None else f"{name} ({label})"

    def __repr__(self) -> str:
        return "\n".join(
            f"{name!s:<12}{value}" for name, value in [("design", self.name), *self._table().rows]
        )

    def _panels(self) -> list[Table]:
        return [self._table()]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "seed": None if isinstance(self.seed, Key) else self.seed}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def __copy__(self) -> Design:
        return self

    def __deepcopy__(self, memo: object) -> Design:
        return self


def _share(arm: object, ratio: object) -> int:
    if isinstance(ratio, int | np.integer) and not isinstance(ratio, bool) and 1 <= ratio < 2**32:
        return int(ratio)
    raise fault(
        DesignError,
        "an arm's share of the ratio must be a whole number of at least 1",
        values=[f"{arm}: {ratio!r}"],
        remedy='Write it in whole numbers, for instance {"control": 3, "crewe": 7} for 30% and 70%',
    )


def _label(arm: object, said: object) -> tuple[str, str]:
    if isinstance(said, str):
        return str(arm), said
    raise fault(
        DesignError,
        "the label of an arm is text",
        values=[f"{arm}: {said!r}"],
        remedy='Write for instance labels={"control": "As usual"}',
    )
