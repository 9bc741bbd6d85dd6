"""How the C library handles large buffers."""

import ctypes
import platform
from functools import cache

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -2, -3, -4  # of mallopt in <malloc.h>
_LARGEST_THRESHOLD = 2**25  # that every glibc takes
MODEST = 2**27


@cache
def keep_freed_memory(limit: int | None = None) -> bool:
    """Let this process keep what it frees; gives whether its C library can do so.

    glibc hands every large buffer back to the system and asks for new pages for the next one. Where a network makes
    the same large buffers again and again, these page faults cost as much as its convolutions, in training on a CPU
    several times as much.

    Args:
        limit: bytes of free memory beyond which it goes back, as do buffers of more than a quarter of that; None for
            no limit.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    if limit is None:
        settings = {_MMAP_MAX: 0, _TRIM_THRESHOLD: 2**31 - 1, _TOP_PAD: 2**28}
    else:
        settings = {
            _MMAP_THRESHOLD: min(limit // 4, _LARGEST_THRESHOLD),
            _TRIM_THRESHOLD: limit,
            _TOP_PAD: limit // 8,
        }
    mallopt = ctypes.CDLL(None).mallopt
    taken = [mallopt(option, value) for option, value in settings.items()]  # each, whatever becomes of the others
    return all(taken)
