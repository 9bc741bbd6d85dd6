"""How the C library handles large buffers."""

import ctypes
import platform

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4  # of mallopt in <malloc.h>


def keep_freed_memory() -> bool:
    """Let this process keep what it frees; gives whether its C library can do so.

    glibc hands every large buffer back to the system and asks for new pages for the next one. In training on a CPU,
    where each step makes the same large buffers, these page faults cost several times the convolutions.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return all([mallopt(_MMAP_MAX, 0), mallopt(_TRIM_THRESHOLD, 2**31 - 1), mallopt(_TOP_PAD, 2**28)])
