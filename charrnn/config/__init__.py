"""Training options: their fields, their checks, and the values of those left open."""
