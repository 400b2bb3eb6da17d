"""Compare models on the same text, split and budget, and test whether they differ."""
