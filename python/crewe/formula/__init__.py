"""Formulas: names, functions with their state, the matrix of a model."""
