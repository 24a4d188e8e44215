"""Memory of a long-running service: objects of a window are freed, and free memory returns to the system."""

import ctypes
import gc
import os
import platform
import re
import statistics
import threading
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest

from drift.server import Scheduler
from drift.server.memory import _malloc_trim, release_memory
from drift.store import Store

MIB = 2**20


def anonymous_memory() -> float:
    """Return the bytes of this process that are not backed by a file."""
    (objects,) = re.findall(r"RssAnon:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="utf-8"))
    return int(objects) * 1024


def fragment(megabytes: int) -> None:
    """Allocate small pieces and free all but the last one, so that the arena of the thread cannot shrink."""
    libc = ctypes.CDLL(None)
    libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = (
        ctypes.c_void_p,
        [ctypes.c_size_t],
        [ctypes.c_void_p],
    )

    def work() -> None:
        pieces = [libc.malloc(4000) for _ in range(megabytes * MIB // 4000)]
        for piece in pieces:
            ctypes.memset(piece, 1, 4000)
        for piece in pieces[:-1]:
            libc.free(piece)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def test_free_memory_of_threads_returns_to_the_system() -> None:
    if platform.libc_ver()[0] != "glibc":
        if os.environ.get("CI"):
            pytest.fail("CI runs on glibc")
        pytest.skip("only glibc's malloc can be trimmed")
    release_memory()
    before = anonymous_memory()
    fragment(96)
    assert anonymous_memory() - before > 64 * MIB, "malloc keeps it"
    release_memory()
    assert anonymous_memory() - before < 32 * MIB


def test_statically_linked_programs_release_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> None:
        raise OSError("Dynamic loading not supported")  # musl's error in statically linked programs

    _malloc_trim.cache_clear()
    try:
        with monkeypatch.context() as patched:
            patched.setattr(ctypes, "CDLL", refuse)
            release_memory()
    finally:
        _malloc_trim.cache_clear()


@pytest.mark.slow
@pytest.mark.usefixtures("no_collector")
def test_no_object_of_a_window_outlives_it(
    store: Store, make: Callable[..., Scheduler], data: Path, builders: SimpleNamespace
) -> None:
    now = builders.FIRST
    service = make(
        builders.make_monitor(data, window="1h"), builders.make_monitor(data, "two", window="1h"), now=lambda: now
    )
    objects, in_cycles = [], []
    for _ in range(6):
        now += timedelta(days=1)
        service.tick()
        in_cycles.append(gc.collect())
        objects.append(len(gc.get_objects()))
    windows = 2 * 24  # a day of both
    assert builders.statuses(store) == ["done"] * 6 * 24
    # The first days load modules; a cache may fill on one day, but a leak shows on each.
    growth = statistics.median(after - before for before, after in pairwise(objects[1:])) / windows
    assert growth < 2, f"{growth:.1f} objects a window stay; {objects}"
    assert max(in_cycles[2:]) / windows < 120, f"more in cycles than statements of SQL are; {in_cycles}"
