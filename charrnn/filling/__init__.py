"""Filling gaps: which symbols are hidden, and what stands there most likely."""
