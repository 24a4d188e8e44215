"""A reference that kills its reader, beside healthy monitors: they lose nothing, and it is abandoned."""

import os
import shutil
import signal
import threading
import time
from pathlib import Path
from typing import Any, Final

import yaml

from drift.runner.isolation import ISOLATE_AFTER_CRASHES
from drift.runner.lease import MAX_ATTEMPTS
from drift.sources.files import Files
from tests.faults.bench import Bench, Result
from tests.faults.ledger import Counts, pass_time, query
from tests.faults.site import AFTER_LEASES, PROCESS_TIMEOUT, Site
from tests.faults.world import FROM, HOUR, REFERENCE

_DEADLY: Final = "deadly.parquet"
_ABANDONED: Final = "the reference is abandoned"


def arm(folder: str) -> None:
    """Make reading that reference kill this process, as the system does if memory runs out.

    Stop the process with SIGTERM as soon as the reference is abandoned; nothing else would end it.
    """
    learn, count = Files.learn, Files.count

    def kill(self: Files, *args: Any) -> Any:
        if _DEADLY in str(self.pattern):
            time.sleep(0.2)  # other monitors are at work by then
            os.kill(os.getpid(), signal.SIGKILL)
        return learn(self, *args)

    def slowly(self: Files, *args: Any) -> Any:
        time.sleep(0.05)
        return count(self, *args)

    def end() -> None:
        deadline = time.monotonic() + PROCESS_TIMEOUT
        while _ABANDONED not in (Path(folder) / "log").read_text(encoding="utf-8", errors="replace"):
            if time.monotonic() > deadline:
                os._exit(70)
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)

    Files.learn = kill  # type: ignore[method-assign]
    Files.count = slowly  # type: ignore[method-assign]
    threading.Thread(target=end, daemon=True).start()


def killing(bench: Bench, kind: str) -> Result:
    """Restart a service of three monitors, one of them with such a reference, each time it dies.

    Afterwards repair the monitor: by another configuration or, every second time, by `drift backfill`.
    """
    total, deaths, times = Counts(), 0, 4 if bench.full else 1
    for number in range(times):
        with bench.site(kind, windows=20, seed=900 + number, monitors=3) as site:
            bad = site.world.names[number % 3]
            original = site.config.read_text(encoding="utf-8")
            shutil.copy(site.world.path, site.world.folder / _DEADLY)
            document = yaml.safe_load(original)
            monitor = document["monitors"][bad]  # all monitors share this object by a YAML alias
            document["monitors"][bad] = {**monitor, "source": {"path": str(site.world.folder / _DEADLY)}}
            site.config.write_text(yaml.safe_dump(document), encoding="utf-8")
            deaths += _restart_until_abandoned(site, bad)
            with_backfill = (number + (kind == "postgresql")) % 2 == 1
            if with_backfill:
                _backfill(site, bad)
            else:
                site.config.write_text(original, encoding="utf-8")
            site.settle()
            total += site.counts()
    assert deaths == times * MAX_ATTEMPTS, f"{deaths} deaths until {times} references were abandoned"
    return Result(
        "reference that kills its reader",
        kind,
        f"{deaths} deaths in {times} worlds",
        total,
        f"abandoned after {MAX_ATTEMPTS} each; the other monitors were done after {ISOLATE_AFTER_CRASHES + 2} at most",
    )


def _restart_until_abandoned(site: Site, bad: str) -> int:
    """Start the service until it survives; return how often it died."""
    folder = site.world.folder
    serve = ["serve", "-c", str(site.config), "--port", "0", "--tick", "0.3"]
    for death in range(3 * MAX_ATTEMPTS):
        status = site.nursery.run(serve, folder / "log", before=f"tests.faults.references:arm:{folder}", NO_PROXY="*")
        if status == 0:
            assert _ABANDONED in site.log(), site.tail()
            return death
        assert status == -signal.SIGKILL, f"exit status {status}; {site.tail()}"
        if death > ISOLATE_AFTER_CRASHES:  # by now the other monitors are evaluated first
            left = _left(site, bad)
            assert left == (0, 0), (
                f"{left} windows and notifications of other monitors are left after {death + 1} deaths"
            )
        pass_time(site.store, AFTER_LEASES, leases=False)
    raise AssertionError(f"the service still dies; {site.tail()}")


def _left(site: Site, bad: str) -> tuple[int, int]:
    """Count unfinished windows of the other monitors, and unsent notifications."""
    done = query(
        site.store,
        "SELECT count(*) FILTER (WHERE w.status = 'done') FROM \"window\" w JOIN monitor m ON m.id = w.monitor_id "
        f"WHERE m.name <> '{bad}'",
    )
    unsent = query(site.store, "SELECT count(*) FROM delivery WHERE status <> 'sent'")
    return sum(name != bad for name, _, _ in site.world.truth.windows) - done[0][0], unsent[0][0]


def _backfill(site: Site, bad: str) -> None:
    """Run the command that the error recommends."""
    start, end = (FROM + hours * HOUR for hours in (REFERENCE, REFERENCE + 1))
    window = ["--from", start.isoformat(), "--to", end.isoformat()]
    status = site.nursery.run(
        ["backfill", "-c", str(site.config), "--monitor", bad, *window], site.world.folder / "log", NO_PROXY="*"
    )
    assert status in {0, 1}, f"exit status {status} of backfill; {site.tail()}"
