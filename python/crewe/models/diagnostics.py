"""How much a clustered fit rests on single clusters, and whether its method is to be trusted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from crewe import _core
from crewe.exceptions import CreweError, InputError, fault
from crewe.frames.source import build, label_of
from crewe.models.arm import clusters_by_arm
from crewe.models.linear import ROWWISE
from crewe.tables.counts import Count, Counted, Relation, cell, counted
from crewe.tables.display import Table, number
from crewe.tables.labels import MINUS
from crewe.tables.printable import Printable
from crewe.tables.wording import carry, worded, worded_term, words_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crewe.formula.design import Design
    from crewe.models.estimates import Estimates

Floats = NDArray[np.float64]

_ENOUGH = 40
"""Fewer effective clusters than these make the plain sandwich reject too often (evidence, linear models)."""
_AT_ONCE = 10_000_000
_REFITS_AT_ONCE = 3_000_000
"""Clusters by the cube of the coefficients, and clusters by rows by coefficients where the model is fitted again, up to which
the estimates without each cluster are worked out for what is printed: about a tenth of a second."""
_TERMS = 3
"""The most terms of which it is printed what they rest on."""
_COMPARABLE = 2
"""An arm of fewer clusters has no variance between them."""
_FEW_OF_AN_ARM = 10
_UNEVEN = 0.25
_VARIED = 0.6
_SANDWICHES = ("CR0", "CR1", "CR1S")
_SIZES = ("smallest", "lower quartile", "median", "upper quartile", "largest", "mean", "cv")


@dataclass
class Clustering:
    """What a fit gives to its diagnostics.

    Attributes
    ----------
    covariance : the core's Covariance
        One that knows the clusters.
    groups : the core's Clusters
        The clusters of the rows.
    labels : array of str, or None
        What the cluster of each row is called.
    design : Design or None
        The columns of its formula.
    arm : str
        The column of the trial's arm; empty without one.
    aside : list of str
        The coefficients after which nobody asks.
    """

    covariance: _core.Covariance
    groups: _core.Clusters
    labels: Any
    design: Design | None
    arm: str
    aside: list[str]


def without_clusters() -> CreweError:
    """Say that there are no clusters to speak of."""
    return fault(
        InputError,
        "the diagnostics of clusters need a fit with clusters",
        remedy="Name the unit that was randomised, as cluster='family_id'",
    )


@dataclass
class OfTerm:
    """What the clusters mean to one coefficient; G clusters.

    Attributes
    ----------
    estimate : float
        The estimate from all clusters.
    conf_low, conf_high : float
        Its interval.
    partial : array (G,)
        The share of what is known of it that comes from each cluster.
    without : array (G,)
        The estimate without each cluster; NaN where there is none.
    effective, effective_alike : float
        The effective number of clusters: under the model's own weights, and were all rows of a cluster alike.
    """

    estimate: float
    conf_low: float
    conf_high: float
    partial: Floats
    without: Floats
    effective: float
    effective_alike: float


@dataclass(repr=False)
class ClusterDiagnostics(Printable):
    """What a clustered fit rests on; made by `fit.diagnostics()`.

    Attributes
    ----------
    clusters : list of str
        What the clusters are called.
    sizes : array (G,)
        The rows of each.
    spread : dict of str to float
        Smallest, quartiles, largest, mean and coefficient of variation of the sizes.
    arms : dict of str to int
        The clusters of each arm; empty where no column of the model is an arm.
    leverage : array (G,)
        The leverages, which add up to the number of coefficients.
    terms : dict of str to OfTerm
        What the clusters mean to each coefficient of interest.
    doubts : list of str
        Why the covariance of the fit is not to be trusted for these coefficients, the gravest first; empty where nothing
        speaks against it.
    """

    model: str
    vcov_name: str
    cluster_name: str
    clusters: list[str]
    sizes: Floats
    spread: dict[str, float]
    arms: dict[str, int]
    leverage: Floats
    terms: dict[str, OfTerm]
    doubts: list[str]
    synthetic: bool
    implementation: Any = field(repr=False)

    @property
    def doubt(self) -> str:
        """The gravest of the doubts as a sentence; empty where there is none."""
        return f"{self.doubts[0][:1].upper()}{self.doubts[0][1:]}." if self.doubts else ""

    @property
    def notes(self) -> list[str]:
        """What a reader must know."""
        return self.doubts

    def tidy(self) -> Any:
        """Give one row a coefficient.

        Columns: `term, estimate, clusters, effective_clusters, effective_alike, largest_share, largest_cluster,
        lowest_without, highest_without`. `effective_clusters` is G* under the model's own weights (for least squares: rows
        independent), `effective_alike` were all rows of a cluster alike (unweighted least squares only); `largest_share` is
        the largest partial leverage; the last two are the extremes of the estimates without one cluster.
        """
        rows: dict[str, list[Any]] = {"term": list(self.terms)}
        for term in self.terms.values():
            largest = int(np.argmax(term.partial))
            known = term.without[np.isfinite(term.without)]
            values: dict[str, Any] = {
                "estimate": term.estimate,
                "clusters": len(self.clusters),
                "effective_clusters": term.effective,
                "effective_alike": term.effective_alike,
                "largest_share": float(term.partial[largest]),
                "largest_cluster": self.clusters[largest],
                "lowest_without": float(known.min()) if len(known) else np.nan,
                "highest_without": float(known.max()) if len(known) else np.nan,
            }
            for name, value in values.items():
                rows.setdefault(name, []).append(value)
        return self._build(rows)

    def by_cluster(self) -> Any:
        """Give one row a coefficient and cluster: `term, cluster, size, leverage, partial_leverage, estimate_without`."""
        count = len(self.clusters)
        return self._build(
            {
                "term": [name for name in self.terms for _ in range(count)],
                "cluster": self.clusters * len(self.terms),
                "size": np.tile(self.sizes, len(self.terms)),
                "leverage": np.tile(self.leverage, len(self.terms)),
                "partial_leverage": np.concatenate([t.partial for t in self.terms.values()]),
                "estimate_without": np.concatenate([t.without for t in self.terms.values()]),
            }
        )

    def _build(self, columns: dict[str, Any]) -> Any:
        return build(columns, self.implementation, synthetic=self.synthetic)

    def _panels(self) -> list[Table]:
        rows = []
        for name, term in self.terms.items():
            largest = int(np.argmax(term.partial))
            known = term.without[np.isfinite(term.without)]
            reach = f"{number(known.min())} to {number(known.max())}" if len(known) else "–"
            rows.append(
                [
                    worded_term(name),
                    number(term.estimate),
                    number(term.effective, 1),
                    number(term.effective_alike, 1),
                    number(float(term.partial[largest]), 3),
                    self.clusters[largest],
                    reach,
                ]
            )
        spread = ", ".join(f"{key} {value:.3g}" for key, value in self.spread.items())
        notes: list[Any] = [
            f"{len(self.clusters):,} clusters ({self.cluster_name}); rows of one: {spread}."
        ]
        if self.arms:
            notes.append(_by_arm(self, "Clusters by arm, {} in all: "))
        notes.append(
            "G* is the number of clusters of equal weight that would tell as much of a term (Carter, Schnepel and "
            "Steigerwald 2017), under the model's own weights and were all rows of a cluster alike; a share is a partial "
            "leverage."
        )
        notes += [f"{doubt[:1].upper()}{doubt[1:]}." for doubt in self.doubts]
        header = [
            "term",
            "estimate",
            "G*",
            "G*, alike",
            "largest share",
            "of cluster",
            "without one cluster",
        ]
        title = f"Clusters of the model: {self.model}, {self.vcov_name}"
        if self.synthetic:
            title += " (SYNTHETIC data)"
        return [
            Table(header, rows, title=title, notes=notes, align="lrrrrlr", relations=sums(self))
        ]

    def plot(self, term: str | None = None, axes: Any = None) -> Any:
        """Draw the share of each cluster in what is known of a term, and the estimates without it.

        Parameters
        ----------
        term : str, optional
            A coefficient; the first by default.
        axes : two matplotlib Axes, optional

        Returns
        -------
        array of matplotlib Axes
        """
        from crewe.plots.clusters import shares_and_influence

        name = next(iter(self.terms)) if term is None else term
        if name not in self.terms:
            raise fault(
                InputError,
                f"there are no diagnostics of '{name}'",
                remedy=f"There are those of {', '.join(self.terms)}",
            )
        return shares_and_influence(self, name, axes)


def diagnose(
    fit: Any, parts: Clustering, terms: Sequence[str] | None, influence: bool = True
) -> ClusterDiagnostics:
    """Work out the diagnostics of a fit; see :meth:`crewe.models.linear.Linear.diagnostics`."""
    groups = parts.groups
    arm, arms = clusters_by_arm(parts.design, parts.groups, parts.arm)
    asked = _of_interest(fit, parts, arm, terms)
    places = [fit._position(name) for name in asked]
    found = parts.covariance.diagnostics(places, influence)
    table = fit._table()
    of_terms = {
        name: OfTerm(
            float(table.estimate[j]),
            float(table.conf_low[j]),
            float(table.conf_high[j]),
            found.partial[i],
            found.without[i],
            found.effective[i],
            found.effective_alike[i],
        )
        for i, (name, j) in enumerate(zip(asked, places, strict=True))
    }
    labels = [str(number) for number in range(1, len(found.leverage) + 1)]
    if parts.labels is not None and groups.count == len(labels):
        labels = [_label(parts.labels[row]) for row in groups.first()]
    made = ClusterDiagnostics(
        model=fit.formula,
        vcov_name=fit.vcov_name,
        cluster_name=fit.cluster_name or "cluster",
        clusters=labels,
        sizes=groups.sizes(),
        spread=dict(zip(_SIZES, groups.spread(), strict=True)),
        arms=arms,
        leverage=found.leverage,
        terms=of_terms,
        doubts=[],
        synthetic=fit.synthetic,
        implementation=fit.implementation,
    )
    made.doubts = _doubts(fit, made)
    return carry(made, words_of(fit))


def at_a_glance(fit: Any, parts: Clustering) -> ClusterDiagnostics:
    """Work out what is printed beneath the table of a fit: all but what would keep a reader waiting."""
    groups, k, linear = parts.groups, len(fit.terms), fit.model == "OLS"
    work = groups.count * k**3 if linear else groups.count * fit.n * k
    return diagnose(fit, parts, None, influence=work <= (_AT_ONCE if linear else _REFITS_AT_ONCE))


def printed(fit: Any, found: ClusterDiagnostics) -> list[Any]:
    """Say in sentences what a fit rests on, and the gravest reason why its covariance is not to be trusted.

    They stand in published tables, so that no cluster is named, and the counts are such as a rule can protect.
    """
    least, most = found.spread["smallest"], found.spread["largest"]
    sizes = f"{least:g} to {most:g} rows, median {found.spread['median']:g}"
    if least == most:
        sizes = f"{least:g} row{'' if least == 1 else 's'}"
    lines: list[Any] = [_by_arm(found, f"{{}} clusters of {sizes}; by arm: ")]
    if not found.arms:
        lines = [f"Clusters of {sizes}."]
    lines += [_comes_from(name, term) for name, term in found.terms.items()][:_TERMS]
    if len(found.terms) > _TERMS:
        lines.append(f"Of {len(found.terms) - _TERMS} more terms see diagnostics().")
    doubts = _doubts(fit, found)
    # What simulations of such trials found says more, and what to read instead.
    lone = found.arms and min(found.arms.values()) < _COMPARABLE
    if not lone and any(note.startswith("in simulated trials") for note in fit.notes):
        doubts = []
    return [*lines, *([f"Note: {doubts[0]}."] if doubts else [])]


def _by_arm(found: ClusterDiagnostics, start: str) -> Counted:
    total, *counts = _counts(found)
    named = [worded(arm).replace("{", "{{").replace("}", "}}") for arm in found.arms]
    return cell(total, *counts, form=start + ", ".join(f"{arm} {{}}" for arm in named) + ".")


def _counts(found: ClusterDiagnostics) -> list[Count]:
    """Give how many clusters there are, which every table says, and how many each arm has."""
    total = counted(len(found.clusters), of="clusters", harmless=True)
    return [total, *(counted(n, {"arm": arm}, of="clusters") for arm, n in found.arms.items())]


def sums(found: ClusterDiagnostics | None) -> list[Relation]:
    """Say that the clusters of the arms add up to all of them, as a reader knows who sees one left out."""
    if found is None or not found.arms:
        return []
    total, *parts = _counts(found)
    return [Relation(total, tuple(parts))]


def _comes_from(name: str, term: OfTerm) -> str:
    known = term.without[np.isfinite(term.without)]
    alike = f"; {number(term.effective_alike, 1)} were the rows of one alike"
    reach = ""
    if len(known):
        low, high = (
            number(float(value)).replace("-", MINUS) for value in (known.min(), known.max())
        )
        reach = f"; without one cluster it is {low} to {high}"
    return (
        f"What is known of {worded_term(name)} comes from as much as {number(term.effective, 1)} clusters of equal weight "
        f"(G*{alike if np.isfinite(term.effective_alike) else ''}), at most {100 * np.max(term.partial):.0f}% of it from "
        f"one{reach}."
    )


def _label(value: Any) -> str:
    return value if isinstance(value, str) else label_of(value)


def _of_interest(
    fit: Estimates, parts: Clustering, arm: str, terms: Sequence[str] | None
) -> list[str]:
    """Name the coefficients that were asked for: the arm's, or all but intercept and strata."""
    if terms is not None:
        return [fit.terms[fit._position(name)] for name in terms]
    asked = [name for name in fit.terms if name != "Intercept" and name not in parts.aside]
    own = fit._columns_of_terms().get(arm, []) if arm else []
    return [fit.terms[j] for j in own] or asked or list(fit.terms)


def _doubts(fit: Any, found: ClusterDiagnostics) -> list[str]:
    """Say why a covariance is not to be trusted for these terms, the gravest first."""
    kind, count, doubts = fit.vcov_name, len(found.clusters), []
    one = found.cluster_name
    equations = fit.model == "GEE"
    own = "KC" if equations and fit.family == "binomial" else "MD"
    better = {"GEE": own, "Mixed model": "kenward-roger", "Cox": "CR3"}.get(fit.model, "CR2")
    if kind in ROWWISE and (kind != "iid" or fit.model not in ("GEE", "Mixed model")):
        doubts.append(
            f"{kind} is not to be trusted: it counts rows of one {one} as independent; read {better}"
        )
    elif kind == "iid":
        doubts.append(
            f"iid is not to be trusted with {count} clusters: it takes the model of the variances as known and refers "
            f"to z; read {better}"
        )
    few = [name for name, term in found.terms.items() if term.effective < _ENOUGH]
    if kind in _SANDWICHES and few:
        least = min(found.terms[name].effective for name in few)
        doubts.append(
            f"{kind} is not to be trusted for {', '.join(map(worded_term, few))}: the {count} clusters tell as much as "
            f"{least:.1f} of equal weight, and below about {_ENOUGH} it rejects true null hypotheses too often; read {better}"
        )
    if kind in ("CR2", "hansen", "kenward-roger", "satterthwaite"):
        df = fit.df
        rough = [name for name in found.terms if df[name] < 4.0]
        if rough:
            doubts.append(
                f"{kind} is rough for {', '.join(map(worded_term, rough))}: fewer than 4 degrees of freedom; read a "
                "randomisation test"
            )
    if found.arms and kind not in ROWWISE:
        arm, least_of = min(found.arms.items(), key=lambda pair: pair[1])
        if least_of < _COMPARABLE or (least_of < _FEW_OF_AN_ARM and least_of < _UNEVEN * count):
            only = (
                f"a single cluster is in arm {worded(arm)}, and no variance over clusters is reliable"
                if least_of < _COMPARABLE
                else f"too few of the clusters are in arm {worded(arm)} for any variance to be reliable"
            ) + "; read a randomisation test"
            doubts.insert(0 if least_of < _COMPARABLE else len(doubts), only)
    for name, term in found.terms.items():
        largest = int(np.argmax(term.partial))
        if term.partial[largest] > 0.5:
            doubts.append(
                f"{worded_term(name)} rests on one {one}: {found.clusters[largest]} holds "
                f"{100 * term.partial[largest]:.0f}% of what is known of it, and no variance over clusters is reliable"
            )
    if equations and kind == "KC" and found.spread["cv"] > _VARIED and count < _ENOUGH:
        doubts.append(
            f"sizes of clusters vary much (coefficient of variation {found.spread['cv']:.2f}), where KC was found too small; "
            "read FG beside it"
        )
    return doubts
