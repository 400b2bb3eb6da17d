"""Sampling from language models and scoring texts with them."""
