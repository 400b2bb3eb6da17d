"""Diagnostics of gradients: numeric checks, and their norm as a function of distance."""
