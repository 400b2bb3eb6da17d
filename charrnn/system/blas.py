"""The number of threads in a matrix product."""

from __future__ import annotations

import os

_VARIABLES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def limit_blas_threads() -> None:
    """Limit every matrix product to one thread. Call it before NumPy is first imported.

    The products of these networks are small: workers that divide the batch gain more than threads
    inside a product, and such threads wait for each other as soon as another program is busy. A
    variable that the environment sets already stays as it is.
    """
    for name in _VARIABLES:
        os.environ.setdefault(name, "1")
