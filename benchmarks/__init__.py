"""Benchmarks of charrnn against PyTorch, JAX and its own matrix products."""
