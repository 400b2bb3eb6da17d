"""Comparing models: the same text, split and budget for all, and whether a difference is chance."""
