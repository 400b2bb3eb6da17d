"""Runs on disk: checkpoints, what they say about their training, logs, and finding them."""
