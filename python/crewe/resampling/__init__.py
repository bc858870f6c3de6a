"""Randomisation tests: the trial's own procedure drawn again and again."""

from crewe.resampling._result import Comparison, RandomisationTest
from crewe.resampling._test import randomisation_test

__all__ = ["Comparison", "RandomisationTest", "randomisation_test"]
