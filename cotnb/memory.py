"""Memory that a training or a decoding frees is kept by the process for the next step.

glibc hands large blocks back to the system as they are freed, and the system clears
every page of them when they are asked for again: on small students that is half of a
step's time.
"""

import ctypes
from functools import cache

# numbers of glibc's malloc.h, and values that keep what is freed, in bytes
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
_KEEP = {_TRIM_THRESHOLD: 2**31 - 1, _TOP_PAD: 2**28, _MMAP_THRESHOLD: 2**30}


@cache
def keep_freed_memory() -> bool:
    """Have the C library keep freed blocks of up to 1 GiB; False where it cannot."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return bool(mallopt) and all(mallopt(name, size) for name, size in _KEEP.items())
