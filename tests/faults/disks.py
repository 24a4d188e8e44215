"""A disk that is full: a tmpfs of its own where this process may mount one, else a limit on the size of files."""

import os
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults.bench import Bench, Result
from tests.faults.receiver import receiving
from tests.faults.site import Site
from tests.faults.world import World


@contextmanager
def small_disk(bench: Bench, kilobytes: int) -> Iterator[Path | None]:
    """A folder on a disk of its own; None where none may be mounted."""
    folder = Path(tempfile.mkdtemp(dir=bench.folder))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)]
    if (
        os.geteuid()
        or shutil.which("mount") is None
        or subprocess.run(mount, capture_output=True, check=False).returncode
    ):
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def store_full(bench: Bench, kind: str) -> Result:
    """The disk of the SQLite store fills up in the middle of a backlog, and gets room again."""
    assert kind == "sqlite", "the disk of a server is the server's affair"
    windows = 200 if bench.full else 40
    with small_disk(bench, 600) as small, receiving() as receiver:
        folder = Path(tempfile.mkdtemp(dir=bench.folder))
        world = World(folder, windows, bench.seed + 700, columns=4, restless=0.3)
        store = f"sqlite:///{(small or folder) / 'drift.db'}"
        place = Site(world, store, receiver, world.configure(store, receiver.url), bench.nursery)
        try:
            first = _to_its_end(place) if small else _limited(place, 400_000, "run")
            found = place.left()
            assert found[0] != 0, "the disk was not full; make it smaller"
            assert first in {1, 3}, (
                f"exit status {first}, expected 3, or 1 where drift was found before; {place.tail()}"
            )
            assert not small or "full" in place.log(), place.tail()
            if small:
                subprocess.run(["mount", "-o", "remount,size=65536k", str(small)], check=True)
            place.settle()
            how = "tmpfs of 600 KB" if small else "files limited to 400 KB"
            return Result(
                "disk full: store", kind, "once", place.counts(), f"{how}, {found[0]} windows waited for room"
            )
        finally:
            place.end()


def _to_its_end(place: Site, *args: str) -> int:
    return place.start(*(args or ("run",))).wait(120)


def _limited(place: Site, size: int, *args: str) -> int:
    """A command whose files may not grow beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))  # inherited by the process that is started
    try:
        return _to_its_end(place, *args)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def report_full(bench: Bench, kind: str) -> Result:
    """A report that does not fit: the one before it stays, whole, and no half of the new one shows."""
    with bench.site(kind, windows=4, seed=710) as place, small_disk(bench, 64) as small:
        place.settle()
        folder = small or place.world.folder
        target = folder / "report.html"
        target.write_text("the report of yesterday", encoding="utf-8")
        args = ("report", "--output", str(target))
        status = _to_its_end(place, *args) if small else _limited(place, 64_000, *args)
        left = sorted(path.name for path in folder.iterdir() if "report" in path.name)
        assert status not in {0, 1}, f"exit status {status} of a report that cannot have been written; {place.tail()}"
        assert target.read_text(encoding="utf-8") == "the report of yesterday", "half a report shows"
        assert left == ["report.html"], f"scraps are left: {left}"
        if small:
            subprocess.run(["mount", "-o", "remount,size=65536k", str(small)], check=True)
        assert _to_its_end(place, *args) in {0, 1}, place.tail()
        assert target.read_text(encoding="utf-8").rstrip().endswith("</html>")
        how = "tmpfs of 64 KB" if small else "files limited to 64 KB"
        return Result("disk full: report", kind, "once", place.counts(), how)
