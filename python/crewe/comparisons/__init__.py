"""Comparisons without a model: ranks, permutations, rates, descriptions."""
