"""Cost-benefit lines worked out exactly from named inputs, and over draws of what is uncertain.

>>> import crewe as cw
>>> crewe = cw.cost.project_crewe()
>>> crewe["earnings_pc"].exact
Fraction(34464, 1)
>>> crewe["escalation_saving_per_case"].agreement
'cut off'
"""

from __future__ import annotations

from crewe.cost._analysis import CostBenefit, project_crewe
from crewe.cost._decision import Decision, Tornado
from crewe.cost._declare import Input, Line
from crewe.cost._prices import deflators, discount_factors, present_value, repriced
from crewe.cost._psa import Sensitivity
from crewe.cost._trace import Trace
from crewe.cost._worked import Worked

__all__ = [
    "CostBenefit",
    "Decision",
    "Input",
    "Line",
    "Sensitivity",
    "Tornado",
    "Trace",
    "Worked",
    "deflators",
    "discount_factors",
    "present_value",
    "project_crewe",
    "repriced",
]
