"""Benchmarks: charrnn against PyTorch, JAX and the time its bare matrix products take."""
