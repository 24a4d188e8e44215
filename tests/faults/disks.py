"""A full disk: a small tmpfs if this process may mount one, else a limit on the size of files."""

import os
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults.bench import Bench, Result
from tests.faults.receiver import open_receiver
from tests.faults.site import Site
from tests.faults.world import World


@contextmanager
def small_disk(bench: Bench, kilobytes: int) -> Iterator[Path | None]:
    """Mount a small tmpfs and yield its folder; yield None if that is not permitted."""
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
    """Fill the disk of a SQLite store in the middle of a backlog, then add space."""
    assert kind == "sqlite", "the disk of a server is not tested"
    windows = 200 if bench.full else 40
    with small_disk(bench, 600) as small, open_receiver() as receiver:
        folder = Path(tempfile.mkdtemp(dir=bench.folder))
        world = World(folder, windows, bench.seed + 700, columns=4, change_rate=0.3)
        store = f"sqlite:///{(small or folder) / 'drift.db'}"
        site = Site(world, store, receiver, world.configure(store, receiver.url), bench.nursery)
        try:
            first = _run_command(site) if small else _run_with_file_limit(site, 400_000, "run")
            waiting, _ = site.remaining()
            assert waiting != 0, "the disk was not full; make it smaller"
            assert first in {1, 3}, f"exit status {first}, expected 3, or 1 if drift was detected before; {site.tail()}"
            assert not small or "full" in site.log(), site.tail()
            if small:
                subprocess.run(["mount", "-o", "remount,size=65536k", str(small)], check=True)
            site.settle()
            disk = "tmpfs of 600 KB" if small else "files limited to 400 KB"
            return Result(
                "disk full: store", kind, "once", site.counts(), f"{disk}, {waiting} windows waited for space"
            )
        finally:
            site.kill_all()


def _run_command(site: Site, *args: str) -> int:
    return site.start(*(args or ("run",))).wait(120)


def _run_with_file_limit(site: Site, size: int, *args: str) -> int:
    """Run a command whose files may not grow beyond `size` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))  # inherited by the new process
    try:
        return _run_command(site, *args)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def report_full(bench: Bench, kind: str) -> Result:
    """Write a report that does not fit: the previous one must stay complete, without partial files beside it."""
    with bench.site(kind, windows=4, seed=710) as site, small_disk(bench, 64) as small:
        site.settle()
        folder = small or site.world.folder
        target = folder / "report.html"
        target.write_text("yesterday's report", encoding="utf-8")
        args = ("report", "--output", str(target))
        status = _run_command(site, *args) if small else _run_with_file_limit(site, 64_000, *args)
        left = sorted(path.name for path in folder.iterdir() if "report" in path.name)
        assert status not in {0, 1}, f"exit status {status} although the report cannot have been written; {site.tail()}"
        assert target.read_text(encoding="utf-8") == "yesterday's report", "the previous report was damaged"
        assert left == ["report.html"], f"partial files are left: {left}"
        if small:
            subprocess.run(["mount", "-o", "remount,size=65536k", str(small)], check=True)
        assert _run_command(site, *args) in {0, 1}, site.tail()
        assert target.read_text(encoding="utf-8").rstrip().endswith("</html>")
        disk = "tmpfs of 64 KB" if small else "files limited to 64 KB"
        return Result("disk full: report", kind, "once", site.counts(), disk)
