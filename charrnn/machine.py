"""Defaults of the machine that do not suit small networks: OpenBLAS's, and the allocator's.

The command line sets them for its own process. Where the environment says anything, it wins.
"""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress
from itertools import takewhile
from pathlib import Path

_THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
_PROCESSORS = Path("/proc/cpuinfo")
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # as in malloc.h
_AVX512 = {"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"}


def prepare_products() -> None:
    """One thread a product, and the widest kernels the processor has. Before NumPy is imported.

    Lanes are shared out among threads of our own (`team.py`). Threads inside such small products
    gain less, and wait for each other without end as soon as another program is busy.

    OpenBLAS 0.3.31 takes an AMD processor of family 26 for a Haswell and leaves half of its width
    unused; where the processor says that it has AVX-512, it gets the kernels made for that.
    """
    for name in _THREADS:
        os.environ.setdefault(name, "1")
    if _amd_with_avx512():
        os.environ.setdefault("OPENBLAS_CORETYPE", "SkylakeX")


def _amd_with_avx512() -> bool:
    try:
        with _PROCESSORS.open(encoding="utf-8", errors="replace") as lines:
            first = "".join(takewhile(str.strip, lines))  # each processor has a paragraph
    except OSError:
        return False
    return "AuthenticAMD" in first and set(first.split()) >= _AVX512


def keep_memory() -> None:
    """Have the C library keep freed memory for the next step instead of handing it back.

    Each training step asks for the same few megabytes; handed back, every page of them is fetched
    and cleared by the kernel again. glibc only; elsewhere this does nothing.
    """
    with suppress(OSError, AttributeError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, 1 << 30)
        mallopt(_M_TRIM_THRESHOLD, 1 << 30)
