"""Process settings: BLAS threads, the allocator, how the process was launched, bundled files."""
