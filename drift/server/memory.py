"""Memory that nobody uses any more goes back to the system.

Windows are counted in threads of their own, and glibc gives each thread at work an arena of its own. What one keeps
free no other can use. Measured over 780 windows of catching up: 206 MiB and growing without this, of which 44 were in
use; 139 MiB, and no more at 1,080, with it.
"""

import ctypes
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

import pyarrow as pa


def release_memory() -> None:
    """Let go of what malloc and Arrow keep free; a matter of milliseconds. Does nothing where malloc is not glibc's."""
    pa.default_memory_pool().release_unused()
    if (trim := _trim()) is not None:
        trim(0)


@cache
def _trim() -> Callable[[int], Any] | None:
    """malloc_trim(3)."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        this_program = ctypes.CDLL(None)
    except OSError:  # it was linked statically, and loads nothing: malloc is not glibc's
        return None
    found: Callable[[int], Any] | None = getattr(this_program, "malloc_trim", None)
    return found
