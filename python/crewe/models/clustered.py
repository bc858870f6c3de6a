"""What models share that say how the rows of a cluster hang together: estimating equations and the mixed model."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crewe import _core
from crewe.exceptions import InputError, fault
from crewe.formula import design as designs
from crewe.formula import parse as parsing
from crewe.formula.design import Design
from crewe.frames.choices import AnyVcov, DfRule, MissingCovariates
from crewe.frames.source import Source
from crewe.models.grouped import spread
from crewe.models.linear import Data, Linear, rows_of_the_data
from crewe.models.request import read
from crewe.tables.wording import carry

if TYPE_CHECKING:
    from typing_extensions import TypedDict

    class Asked(TypedDict, total=False):
        """The arguments that the models share, as :func:`mixed` documents them."""

        df: DfRule
        missing: MissingCovariates
        level: float
        strata_terms: bool
        synthetic: bool
        keep_data: bool


Floats = NDArray[np.float64]
SHARED = frozenset(
    [
        "data",
        "design",
        "cluster",
        "by",
        "vcov",
        "df",
        "missing",
        "level",
        "strata_terms",
        "synthetic",
        "keep_data",
    ]
)
"""The arguments that a call of each model passes on."""


class Clustered(Linear):
    """A fitted model of rows in clusters."""

    _name: ClassVar[str]
    _model: ClassVar[str]

    def _fitted(
        self, y: Floats, name: str, design: _core.DesignMatrix, groups: _core.Clusters
    ) -> _core.ClusteredFit:
        """Let the core fit the model, and keep what it says in `statistics`."""
        raise NotImplementedError

    def _refit(
        self,
        x: Floats,
        y: Floats,
        clusters: pd.Series[Any] | None,
        design: Design | None,
        weights: _core.Weights | None,
    ) -> None:
        intercept = bool(self.terms) and self.terms[0] == "Intercept"
        columns = _core.DesignMatrix(x, self.terms[1:] if intercept else self.terms, intercept)
        groups = _core.Clusters(pd.factorize(clusters)[0].astype(np.uint32))
        core = self._fitted(y, self.formula.partition("~")[0].strip(), columns, groups)
        self.data = Data(x, y, core, groups, design, clusters, weights)

    def vcov(self, kind: AnyVcov, df: DfRule = "default") -> Any:
        """Give the same fit with another covariance, without refitting.

        Parameters
        ----------
        kind : str
            As the function that made the fit documents `vcov`.
        df : {"default", "residual"}
            `"residual"` refers every test to n − k degrees of freedom.
        """
        return super().vcov(kind, df)


Fit = TypeVar("Fit", bound=Clustered)


def made(
    empty: type[Fit],
    own: dict[str, Any],
    formula: Any,
    call: dict[str, Any],
    objection: Callable[[Source, str], Callable[[Any], str] | None],
) -> Any:
    """Fit a model of rows in clusters once, by outcome or by group, as a call asks."""
    level = _core.check_level(call["level"])
    name = empty._name
    if not isinstance(formula, list | tuple):
        parsing.need_text(formula)

    def one(text: str, part: Any, ids: Any) -> Fit:
        left, right = parsing.parse(text)
        parsing.refuse_outcome_right(left, right)
        asked = read(
            part,
            right,
            design=call["design"],
            cluster=ids,
            missing=call["missing"],
            rules=("drop", "indicator", "refuse"),
            strata_terms=call["strata_terms"],
            objection=lambda source: objection(source, left),
        )
        made = asked.model(parsing.variables(left))
        built = made.design
        if made.codes is None:
            raise fault(
                InputError,
                f"{name} needs to know the clusters",
                remedy="Name the unit that was randomised, as cluster='family_id', or pass design=",
            )
        y = designs.left_values(left, built.columns)
        groups = _core.Clusters(made.codes)
        fit = empty(
            model=empty._model,
            formula=f"{left} ~ {asked.right}",
            terms=["Intercept", *built.names] if built.intercept else list(built.names),
            n=len(y),
            clusters=groups.count,
            cluster_name=made.cluster_name,
            level=level,
            df_residual=float(len(y) - len(built.names) - int(built.intercept)),
            statistics={},
            base_notes=made.notes,
            synthetic=call["synthetic"] or asked.synthetic,
            keep_data=call["keep_data"],
            implementation=asked.source._implementation,
            data=None,
            by_kind=made.by_kind,
            aside=made.aside(groups.count),
            strata_terms=made.strata_terms,
            mark=asked.mark,
            arm=asked.arm,
            **own,
        )
        with rows_of_the_data(built.rows):
            columns = _core.DesignMatrix(built.x, built.names, built.intercept)
            core = fit._fitted(y, left, columns, groups)
            fit.data = Data(built.x, y, core, groups, built, made.labels)
            found: Fit = fit.vcov(call["vcov"], call["df"])
        return carry(found, asked.words)

    return spread(name, formula, call["data"], call["by"], call["cluster"], call["missing"], one)
