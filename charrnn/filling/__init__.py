"""Filling gaps in texts."""
