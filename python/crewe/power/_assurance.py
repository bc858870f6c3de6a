"""The chance that a trial finds its effect, over what is believed of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crewe import _core
from crewe.exceptions import InputError, fault
from crewe.frames.arguments import checked
from crewe.power._again import known
from crewe.power._priors import NAMES, Prior
from crewe.power._quantities import percent
from crewe.power._result import Power
from crewe.power._solve import calculation
from crewe.tables.display import Table
from crewe.tables.printable import Printable


@checked
def assurance(
    plan: Power,
    *,
    effect: Prior | None = None,
    baseline: Prior | None = None,
    icc: Prior | None = None,
    sd: Prior | None = None,
    r2: Prior | None = None,
    attrition: Prior | None = None,
    draws: int = 20_000,
    seed: int | None = None,
    level: float = 0.95,
) -> Assurance:
    """Work out the assurance of a plan: its power, averaged over priors of what is uncertain.

    Parameters
    ----------
    plan : Power
        A solved calculation.
    effect : Normal, LogNormal, Beta or Uniform, optional
        What is believed of the effect, as the plan writes it.
    baseline, icc, sd, r2, attrition : Normal, LogNormal, Beta or Uniform, optional
        The same of the control arm's rate, the ICC, the standard deviation, the share that
        covariates explain and the share of members lost; what is left out is as planned.
    draws : int
        How many draws.
    seed : int, optional
        Where they start from; the same seed gives the same draws on any number of threads. By
        default one is drawn, and the result says it.
    level : float
        Of the priors' intervals in the tornado.

    Returns
    -------
    Assurance

    Raises
    ------
    InputError
        No prior, one of a quantity that the plan has not, a plan that is out of reach, more than half
        of the draws impossible.

    Notes
    -----
    Counted is a significant result in the direction of the plan's effect: the far tail of a
    two-sided test is left out (O'Hagan, Stevens and Campbell 2005). Draws that cannot be, such as a
    rate beyond 1, are left out, and their share is said. Each quantity has its own stream of random
    numbers, so that another prior changes no draw of the others.

    Examples
    --------
    >>> import crewe as cw
    >>> plan = cw.power.binary(baseline=0.226, icc=0.36, cluster_size=3, clusters=286, effect=0.112)
    >>> found = cw.power.assurance(plan, effect=cw.power.Normal(0.112, sd=0.04), seed=1)
    >>> round(found.power, 2), round(found.assurance, 2)
    (0.8, 0.72)
    """
    priors = {
        name: prior
        for name, prior in (
            ("effect", effect),
            ("baseline", baseline),
            ("icc", icc),
            ("sd", sd),
            ("r2", r2),
            ("attrition", attrition),
        )
        if prior is not None
    }
    if not plan.attainable:
        raise fault(
            InputError,
            "the plan is out of reach, so that it has no power to average",
            remedy="Give a plan that can be met, or one that was solved for its power",
        )
    start = _core.read_seed(_core.system_seed() if seed is None else seed)
    if not isinstance(start, int):
        raise fault(InputError, "assurance takes a whole number as its seed", remedy="Give one")
    if draws < 1:
        raise fault(
            InputError,
            "the number of draws is out of range",
            values=[str(draws)],
            remedy="Ask for 100 or more",
        )
    found = _core.power_assurance(
        calculation(plan.outcome, known(plan, "power")),
        [(name, prior._core()) for name, prior in priors.items()],
        draws,
        start,
        level,
    )
    swings = pd.DataFrame(
        {
            "quantity": found.quantities,
            "low": found.low,
            "high": found.high,
            "at_low": found.at_low,
            "at_high": found.at_high,
        }
    )
    return Assurance(
        plan=plan,
        priors=priors,
        power=found.power,
        assurance=found.assurance,
        error=found.error,
        impossible=found.impossible,
        draws=draws,
        seed=start,
        level=level,
        powers=found.powers,
        swings=swings,
    )


@dataclass(frozen=True, repr=False)
class Assurance(Printable):
    """The power of a plan over what is believed; made by :func:`assurance`.

    Attributes
    ----------
    plan : Power
        The calculation.
    priors : dict
        What was believed, by quantity.
    power : float
        The power at the values of the plan, in the direction of its effect.
    assurance, error : float
        Its mean over the priors, and the Monte Carlo standard error of that.
    impossible : float
        The share of draws that cannot be.
    draws, seed : int
        How many, and where they started from.
    level : float
        Of the priors' intervals in the tornado.
    powers : array
        The power in each draw that can be.
    swings : pandas.DataFrame
        A row a quantity, the largest swing first: `quantity, low, high` (the ends of its prior's interval), `at_low, at_high`
        (the power there, all else as planned).
    """

    plan: Power
    priors: dict[str, Prior]
    power: float
    assurance: float
    error: float
    impossible: float
    draws: int
    seed: int
    level: float
    powers: NDArray[np.float64] = field(repr=False, compare=False)
    swings: pd.DataFrame = field(repr=False, compare=False)

    def tidy(self) -> pd.DataFrame:
        """Give one row: `power, assurance, std_error, conf_low, conf_high, impossible, draws, seed`."""
        half = 1.959963984540054 * self.error
        return pd.DataFrame(
            {
                "power": [self.power],
                "assurance": [self.assurance],
                "std_error": [self.error],
                "conf_low": [max(self.assurance - half, 0.0)],
                "conf_high": [min(self.assurance + half, 1.0)],
                "impossible": [self.impossible],
                "draws": [self.draws],
                "seed": [self.seed],
            }
        )

    def methods(self) -> list[str]:
        """Say in sentences how the numbers were worked out."""
        believed = "; ".join(f"{name} {prior}" for name, prior in self.priors.items())
        lines = [
            f"Priors: {believed}. All else as planned.",
            "Counted is a significant result in the direction of the plan (O'Hagan, Stevens and "
            f"Campbell 2005); {self.draws:,} draws from seed {self.seed}.",
        ]
        if self.impossible > 0:
            lines.append(
                f"{percent(self.impossible)} of the draws cannot be and were left out: the priors are "
                "cut off there."
            )
        return lines

    def _panels(self) -> list[Table]:
        rows = [
            ["Power at the values of the plan", percent(self.power)],
            ["Assurance", f"{percent(self.assurance)} (± {percent(1.96 * self.error, 2)})"],
        ]
        for share in (0.5, 0.8):
            above = float(np.mean(self.powers >= share))
            rows.append([f"Chance of a power of {percent(share, 0)} or more", percent(above)])
        tornado = [
            [
                NAMES[str(row["quantity"])],
                f"{row['low']:.4g} to {row['high']:.4g}".replace("-", "−"),
                _share(float(row["at_low"])),
                _share(float(row["at_high"])),
            ]
            for row in self.swings.to_dict("records")
        ]
        return [
            Table(
                ["", ""], rows, title="Assurance: power over what is believed", notes=self.methods()
            ),
            Table(
                [
                    "Quantity",
                    f"{100 * self.level:g}% interval",
                    "power at the low end",
                    "at the high end",
                ],
                tornado,
                title="What drives the power: one quantity at a time",
                align="lrrr",
            ),
        ]

    def plot(self, *, ax: Any = None) -> Any:
        """Draw the tornado: a bar a quantity, from the power at one end of its prior to that at the other.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw.

        Returns
        -------
        matplotlib.axes.Axes
        """
        from crewe.power._figures import tornado

        return tornado(self, ax)


def _share(value: float) -> str:
    return "cannot be" if np.isnan(value) else percent(value)
