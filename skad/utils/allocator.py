"""How the C library handles memory that is free again."""

import ctypes
import os

# glibc's M_MMAP_THRESHOLD and M_TRIM_THRESHOLD, by the environment variables that set them in other processes
_THRESHOLDS = {"MALLOC_MMAP_THRESHOLD_": (-3, 2**25), "MALLOC_TRIM_THRESHOLD_": (-1, 2**31 - 1)}


def keep_freed_memory() -> None:
    """Let glibc keep freed buffers for the next ones, in this process and in those it starts.

    By default glibc returns a large buffer to the system when it is freed, and gets it again page by page for
    the next layer of a network. Buffers up to 32 MiB, the largest that glibc allows, are kept. Values that
    the user has set by environment variables stay; without glibc nothing happens.
    """
    if not _is_glibc():
        return
    mallopt = ctypes.CDLL(None).mallopt
    for variable, (parameter, value) in _THRESHOLDS.items():
        if variable not in os.environ:
            os.environ[variable] = str(value)
            mallopt(parameter, value)


def _is_glibc() -> bool:
    """Whether the C library of this process is glibc."""
    try:
        return "glibc" in (os.confstr("CS_GNU_LIBC_VERSION") or "")
    except (AttributeError, ValueError, OSError):
        return False
