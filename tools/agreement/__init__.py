"""Comparing engines with each other: the same scenarios, the same models, sample by sample."""
