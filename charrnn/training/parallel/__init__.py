"""Data-parallel training: worker processes or threads, and MPI ranks."""
