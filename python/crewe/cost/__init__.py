"""Cost-benefit lines worked out exactly from named inputs, each traceable to its source.

>>> import crewe as cw
>>> crewe = cw.cost.project_crewe()
>>> crewe["earnings_pc"].exact
Fraction(34464, 1)
>>> crewe["escalation_saving_per_case"].agreement
'cut off'
"""

from __future__ import annotations

from crewe.cost._analysis import CostBenefit, Worked, project_crewe
from crewe.cost._declare import Input, Line
from crewe.cost._trace import Trace

__all__ = ["CostBenefit", "Input", "Line", "Trace", "Worked", "project_crewe"]
