"""What every fitted model says of its coefficients, from one table of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crewe import _core
from crewe.exceptions import InputError, fault
from crewe.frames.arguments import check_methods
from crewe.frames.source import build

if TYPE_CHECKING:
    from crewe.models.diagnostics import ClusterDiagnostics, Clustering
    from crewe.resampling._audit_result import SizeAudit
    from crewe.tables.counts import Relation

Floats = NDArray[np.float64]


def columns_of(table: _core.Contrasts) -> dict[str, Floats]:
    """Give the columns of a table by the names that frames have for them."""
    return {
        "estimate": table.estimate,
        "std_error": table.std_error,
        "statistic": table.statistic,
        "df": table.df,
        "p_value": table.p_value,
        "conf_low": table.conf_low,
        "conf_high": table.conf_high,
    }


class Estimates:
    """Coefficients by term, under the covariance that the fit carries.

    A model gives `_coefficients`, the table at a level; tables that were worked out are kept, so
    that a fit loaded without its data still answers at its own level.
    """

    terms: list[str]
    level: float
    implementation: Any
    synthetic: bool
    _cov: Floats
    _tables: dict[float, _core.Contrasts]
    _beneath: ClusterDiagnostics | None = None

    def _coefficients(self, level: float) -> _core.Contrasts:
        """Work out the table of the coefficients at a level."""
        raise NotImplementedError

    def _level(self, level: float | None) -> float:
        """Give the level that is asked for, refused where it is none, else that of the model."""
        return self.level if level is None else _core.check_level(level)

    def _table(self, level: float | None = None) -> _core.Contrasts:
        level = self._level(level)
        if level not in self._tables:
            self._tables = {**self._tables, level: self._coefficients(level)}
        return self._tables[level]

    def _series(self, key: str, values: Floats) -> pd.Series[Any]:
        return pd.Series(values, index=self.terms, name=key)

    def _build(self, columns: Mapping[str, Any]) -> Any:
        return build(columns, self.implementation, synthetic=self.synthetic)

    @property
    def coef(self) -> pd.Series[Any]:
        """The coefficients by term: of a logit log odds ratios, of a Cox model log hazard ratios."""
        return self._series("estimate", self._table().estimate)

    @property
    def se(self) -> pd.Series[Any]:
        """Their standard errors by term."""
        return self._series("std_error", self._table().std_error)

    @property
    def p_value(self) -> pd.Series[Any]:
        """Two-sided p-values by term."""
        return self._series("p_value", self._table().p_value)

    @property
    def df(self) -> pd.Series[Any]:
        """Degrees of freedom by term; infinite where z is used."""
        return self._series("df", self._table().df)

    @property
    def cov(self) -> pd.DataFrame:
        """The covariance matrix of the coefficients."""
        return pd.DataFrame(self._cov, index=self.terms, columns=self.terms)

    def confint(self, level: float | None = None) -> Any:
        """Give confidence intervals: `term, conf_low, conf_high`."""
        table = self._table(level)
        return self._build(
            {"term": self.terms, "conf_low": table.conf_low, "conf_high": table.conf_high}
        )

    def _tidied(self, level: float | None, exponentiate: bool = False) -> Any:
        """Give the coefficients as a frame, or ratios with their limits in place of logarithms."""
        columns: dict[str, Any] = {"term": self.terms, **columns_of(self._table(level))}
        if exponentiate:
            for key in ("estimate", "conf_low", "conf_high"):
                columns[key] = np.exp(columns[key])
        return self._build(columns)

    # -- clusters --------------------------------------------------------------------------

    def _clustering(self) -> Clustering | None:
        """Give what diagnostics need; nothing for a fit without clusters, or loaded without its data."""
        return None

    def _at_a_glance(self) -> ClusterDiagnostics | None:
        """Work out what is printed of the clusters, once: a fit that is loaded without its data prints it too."""
        if self._beneath is None:
            parts = self._clustering()
            if parts is not None:
                from crewe.models.diagnostics import at_a_glance

                self._beneath = at_a_glance(self, parts)
        return self._beneath

    def _rests_on(self) -> tuple[list[Any], list[Relation]]:
        """Give the lines beneath the table that say what a clustered fit rests on, and how their counts add up."""
        found = self._at_a_glance()
        if found is None:
            return [], []
        from crewe.models.diagnostics import printed, sums

        return printed(self, found), sums(found)

    # -- questions -------------------------------------------------------------------------

    def _covariance(self) -> _core.Covariance:
        """Give the core's covariance, which carries its fit; refused where a fit was loaded without its data."""
        raise NotImplementedError

    def _columns_of_terms(self) -> dict[str, list[int]]:
        """Give the coefficients that each term of the formula has; none for a model without a formula."""
        return {}

    def contrast(
        self,
        weights: str | Mapping[str, float] | Sequence[float] | Floats,
        level: float | None = None,
    ) -> Any:
        """Estimate linear combinations of coefficients.

        Parameters
        ----------
        weights : str, mapping of term to weight, or array (k,) or (m, k)
            In words `"mother_ed - father_ed = 0"`, with the names of terms as `tidy()` has them.
        level : float, optional
            Of the intervals.

        Returns
        -------
        frame
            As `tidy()`, one row a combination.
        """
        matrix, labels = self._contrast_matrix(weights)
        return self._build({"term": labels, **columns_of(self._contrasts(matrix, level))})

    def _contrasts(self, matrix: Floats, level: float | None) -> _core.Contrasts:
        level = self._level(level)
        matrix = np.ascontiguousarray(matrix, dtype=np.float64)
        return self._covariance().contrasts(matrix, level)

    def _contrast_matrix(
        self, weights: str | Mapping[str, float] | Sequence[float] | Floats
    ) -> tuple[Floats, list[str]]:
        if isinstance(weights, str):
            return hypothesis(weights, self.terms)[None, :], [weights.partition("=")[0].strip()]
        if isinstance(weights, Mapping):
            row = np.zeros(len(self.terms))
            for term, weight in weights.items():
                row[self._position(term)] = weight
            label = " + ".join(f"{weight:g}·{term}" for term, weight in weights.items())
            return row[None, :], [label]
        matrix = np.atleast_2d(_contrast_numbers(weights))
        return matrix, [f"contrast {i + 1}" for i in range(len(matrix))]

    def _position(self, term: str) -> int:
        if term not in self.terms:
            raise fault(
                InputError,
                f"the model has no term '{term}'",
                remedy=f"Its terms are {', '.join(self.terms)}",
            )
        return self.terms.index(term)

    def test(self, terms: str | Sequence[str] | Floats) -> Any:
        """Test jointly that terms are all zero: coefficients, factors as a whole, hypotheses in words, contrasts.

        `test("school_type")` tests every coefficient of a factor, `test("mother_ed - father_ed = 0")` a hypothesis,
        `test(["girl", "siblings"])` several of these at once, and a matrix its rows.

        HTZ under CR2 and HC2 (Tipton and Pustejovsky 2015), F on (q, G − 1) under the other clustered kinds (one contrast
        under `"hansen"` on its own degrees of freedom), F on
        (q, n − k) otherwise; chi-squared / q where tests refer to z.

        Returns
        -------
        frame
            One row: `test, statistic, df_num, df_denom, p_value`.

        Raises
        ------
        RankError
            Contrasts that repeat each other, or whose covariance has a lower rank: too few clusters.
        """
        if isinstance(terms, str):
            terms = [terms]
        if len(terms) == 0:
            matrix = np.zeros((0, len(self.terms)))
        elif all(isinstance(term, str) for term in terms):
            matrix = np.vstack([self._rows_of_a_test(str(term)) for term in terms])
        else:
            matrix = np.ascontiguousarray(np.atleast_2d(_contrast_numbers(terms)))
        wald = self._covariance().wald(matrix)
        return self._build(
            {
                "test": [wald.test],
                "statistic": [wald.statistic],
                "df_num": [wald.df_num],
                "df_denom": [wald.df_denom],
                "p_value": [wald.p_value],
            }
        )

    def _rows_of_a_test(self, term: str) -> Floats:
        if term not in self.terms:
            columns = self._columns_of_terms().get(term)
            if columns is not None:
                return np.eye(len(self.terms))[columns]
            if "=" in term:
                return hypothesis(term, self.terms)[None, :]
        return np.eye(len(self.terms))[[self._position(term)]]

    def audit(
        self,
        assignment: Any,
        draws: int = 10_000,
        *,
        effect: float | None = None,
        of: str | None = None,
        procedures: str | Sequence[str] | None = None,
        alpha: float = 0.05,
        bootstrap_draws: int = 399,
        seed: int | None = None,
        executor: Executor | None = None,
    ) -> SizeAudit:
        r"""Say how often each procedure rejects where nothing happened, on these outcomes and under this trial's randomisation.

        The outcomes are held as they are (the sharp null hypothesis that no arm has an effect on anybody), the trial's own
        procedure is drawn again, this model is fitted again with each redrawn arm, its strata and covariates with it, and
        every procedure that applies gives its p-value.

        Parameters
        ----------
        assignment : Assignment or Ledger
            The trial that the fit is of: what ``design.assign(frame)`` or ``design.observe(frame, arm=...)`` returned, or a
            closed ledger. Fit the model with ``design=assignment``, or with the column of its units as ``cluster=``.
        draws : int
            The number of redraws. All assignments are used instead, weighted by their probabilities, where the design can
            give no more than that.
        effect : float, optional
            Gives power at this effect, in units of the outcome (of a yes-or-no outcome as a difference of rates: .1 is ten
            points).
        of : str, optional
            The arm that is compared with the reference, where the trial has several.
        procedures : str or sequence of str, optional
            Covariances of this fit by their names (`"CR1"`, `"CR2"`, `"CV3"`, `"KC"`, `"kenward-roger"`, ...),
            `"wild_bootstrap"` (of a linear model, a logit or a probit), `"cluster_level"`, `"randomisation_test"`; or another
            model of the same columns and clusters: `"firth"` (a logit with Firth's penalty and CR1, of a yes-or-no outcome),
            `"gee"` (an exchangeable working correlation: gaussian with MD beside a linear model, else binomial with KC),
            `"mixed"` (Kenward and Roger, beside a linear model). By default those of this fit that apply, with its own
            covariance; none that fits a logit, a probit or a Cox model again without each cluster.
        alpha : float
            The two-sided level.
        bootstrap_draws : int
            The draws of each wild bootstrap.
        seed : int, optional
            Of the redraws. By default the design's own, where it drew the assignment and is no secret key; else one from
            the operating system, which the result reports. The wild bootstrap of redraw i has this seed plus i.
        executor : concurrent.futures.Executor, optional
            What shares the redraws among processes or machines, with the same result to the bit.

        Returns
        -------
        SizeAudit
            With `tidy()`: `procedure, size, size_low, size_high, power, coverage, no_answer`; and `plot()`.

        Raises
        ------
        InputError
            A fit without the arm, with products of the arm, or of another kind (such as a cluster-level analysis: audit the
            `ols` fit of the same formula); a procedure that does not apply; outcomes that are all equal; fewer draws than
            1 / alpha; an effect on times.
        DesignError
            Another assignment than that of the fit, an arm with fewer than two units, a procedure that leaves units out.

        Notes
        -----
        Size is :math:`\sum_a P(a)\,1\{p(a) \le \alpha\}` where all assignments a are used, else the share of draws, with
        Wilson's interval. A redraw without a p-value (a separated logit, an arm with fewer than two units, no variance)
        rejects nothing; `no_answer` is the share of these. Coverage and power of a quantity are those of an effect that is
        the same for every row; for a yes-or-no outcome power is that of moving outcomes of the redrawn arm at random until
        its rate has risen by the effect, and coverage is not defined. The randomisation test's row is the level that it can
        attain; of estimating equations, mixed models and Firth's penalty its statistic is the score of the arm in the linear
        model or the logit of the same columns.

        An audit judges procedures under one hypothesis, given these outcomes. It does not replace the analysis that was
        declared before; it is printed beside it.

        Examples
        --------
        >>> import crewe as cw, pandas as pd
        >>> rows = pd.DataFrame({"family": [1, 1, 2, 3, 3, 4, 5, 6], "score": [2, 3, 1, 4, 4, 2, 5, 1]})
        >>> design = cw.Design("Trial", arms={"control": 1, "crewe": 1}, cluster="family", seed=3)
        >>> trial = design.assign(rows)
        >>> fit = cw.ols("score ~ arm", rows, design=trial)
        >>> found = fit.audit(trial)
        >>> found.exact, found.redraws
        (True, 20)
        >>> found["randomisation_test"].size  # 20 assignments cannot reject at 5%
        0.0

        What else can be done about few families, on the same redraws:

        >>> [row.procedure for row in fit.audit(trial, procedures=["CR2", "gee", "mixed"]).procedures]
        ['CR2', 'gee', 'mixed']
        """
        # The rooms above this one are opened when they are asked for.
        from crewe.resampling._audit import audit

        return audit(
            self,
            assignment,
            draws,
            effect=effect,
            of=of,
            procedures=procedures,
            alpha=alpha,
            bootstrap_draws=bootstrap_draws,
            seed=seed,
            executor=executor,
        )


check_methods(Estimates)


def hypothesis(text: str, terms: Sequence[str]) -> Floats:
    """Read `"2*b1 - b2 = 0"` as the weights of a contrast.

    Examples
    --------
    >>> hypothesis("2*x - arm[T.crewe] = 0", ["Intercept", "x", "arm[T.crewe]"]).tolist()
    [0.0, 2.0, -1.0]
    """
    left, equals, right = _split_at_equals(text, terms)
    row = _weights_of(left, terms, text)
    if equals and right.strip():
        if re.fullmatch(r"[\d.]+", right.strip()):
            if float(right) != 0.0:
                raise fault(
                    InputError,
                    f"the hypothesis '{text}' compares with a number other than 0",
                    remedy="Write it against 0, and see whether the interval of contrast() holds the number",
                )
        else:
            row = row - _weights_of(right, terms, text)
    if not row.any():
        raise fault(
            InputError,
            f"the hypothesis '{text}' says nothing about the model",
            remedy=f"Its terms are {', '.join(terms)}",
        )
    return row


def _split_at_equals(text: str, terms: Sequence[str]) -> tuple[str, str, str]:
    """Split at the sign that stands in no name of a term."""
    masked = text
    for term in sorted(terms, key=len, reverse=True):
        masked = masked.replace(term, "\0" * len(term))
    place = masked.find("=")
    if place < 0:
        return text, "", ""
    after = place + 1 + masked[place + 1 :].startswith("=")
    return text[:place], "=", text[after:]


def _weights_of(side: str, terms: Sequence[str], text: str) -> Floats:
    row = np.zeros(len(terms))
    rest, sign, first = side.strip(), 1.0, True
    while rest or first:
        found = re.match(r"[+-]", rest)
        if found is not None:
            sign, rest, first = (-1.0 if found[0] == "-" else 1.0), rest[1:].lstrip(), True
        elif not first:
            break
        factor = re.match(r"(\d+\.?\d*|\.\d+)\s*\*\s*", rest)
        weight = float(factor[1]) if factor else 1.0
        rest = rest[factor.end() :] if factor else rest
        quoted = rest.startswith("`")
        name = next(
            (t for t in sorted(terms, key=len, reverse=True) if rest[quoted:].startswith(t)), None
        )
        if name is None:
            break
        row[terms.index(name)] += sign * weight
        rest = rest[len(name) + 2 * quoted :].lstrip()
        sign, first = 1.0, False
    if rest or first:
        raise fault(
            InputError,
            f"the hypothesis '{text}' cannot be read at '{rest or side}'",
            remedy=f"Write it as 'b1 - b2 = 0' with the terms {', '.join(terms)}",
        )
    return row


def _contrast_numbers(weights: Any) -> Floats:
    try:
        return np.asarray(weights, dtype=np.float64)
    except (TypeError, ValueError):
        raise fault(
            InputError,
            "the weights of a contrast are not numbers",
            remedy="Give one number for each coefficient, or a mapping of terms to weights",
        ) from None
