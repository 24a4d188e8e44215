"""A service at work for long: what a window took is free afterwards, and what is free goes back to the system."""

import ctypes
import gc
import os
import platform
import re
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from drift.server import Scheduler
from drift.server.memory import _trim, release_memory
from drift.store import Store

MIB = 2**20


def anonymous() -> float:
    """Bytes of this process that no file stands behind."""
    (held,) = re.findall(r"RssAnon:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="utf-8"))
    return int(held) * 1024


def litter(megabytes: int) -> None:
    """Take memory in small pieces and free it all, but the last of each thread: its arena cannot shrink by itself."""
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


def test_what_threads_left_free_goes_back_to_the_system() -> None:
    if platform.libc_ver()[0] != "glibc":
        if os.environ.get("CI"):
            pytest.fail("CI runs on glibc")
        pytest.skip("only glibc's malloc can be told to")
    release_memory()
    before = anonymous()
    litter(96)
    assert anonymous() - before > 64 * MIB, "malloc keeps it"
    release_memory()
    assert anonymous() - before < 32 * MIB


def test_where_nothing_can_be_loaded_memory_is_left_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: object) -> None:
        raise OSError("Dynamic loading not supported")  # as musl says of a program that is linked statically

    _trim.cache_clear()
    try:
        with monkeypatch.context() as patched:
            patched.setattr(ctypes, "CDLL", refused)
            release_memory()
    finally:
        _trim.cache_clear()


@pytest.mark.slow
@pytest.mark.usefixtures("no_collector")
def test_no_object_of_a_window_outlives_it(
    store: Store, make: Callable[..., Scheduler], data: Path, aid: SimpleNamespace
) -> None:
    moment = aid.FIRST
    service = make(aid.watch(data, window="1h"), aid.watch(data, "two", window="1h"), now=lambda: moment)
    held, in_cycles = [], []
    for _ in range(4):
        moment += timedelta(days=1)
        service.tick()
        in_cycles.append(gc.collect())
        held.append(len(gc.get_objects()))
    windows = 2 * 24  # a day of both
    assert aid.statuses(store) == ["done"] * 4 * 24
    growth = (held[-1] - held[1]) / (2 * windows)  # the first days load modules and fill caches
    assert growth < 2, f"{growth:.1f} objects a window stay; {held}"
    assert max(in_cycles[2:]) / windows < 120, f"more in cycles than statements of SQL are; {in_cycles}"
