"""A reference that ends whoever reads it, beside monitors that are well: they lose nothing, and it is given up."""

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
from tests.faults.site import LATER, PATIENCE, Site
from tests.faults.world import FROM, HOUR, REFERENCE

_DEADLY: Final = "deadly.parquet"
_ABANDONED: Final = "the reference is abandoned"


def deadly(folder: str) -> None:
    """In the process that serves: reading that reference ends it, as the system does for want of memory.

    Once the reference is given up, it is told to stop in order: nothing else would end it.
    """
    learn, count = Files.learn, Files.count

    def kill(self: Files, *asked: Any) -> Any:
        if _DEADLY in str(self.pattern):
            time.sleep(0.2)  # others have windows in hand by then
            os.kill(os.getpid(), signal.SIGKILL)
        return learn(self, *asked)

    def slowly(self: Files, *asked: Any) -> Any:
        time.sleep(0.05)
        return count(self, *asked)

    def end() -> None:
        until = time.monotonic() + PATIENCE
        while _ABANDONED not in (Path(folder) / "log").read_text(encoding="utf-8", errors="replace"):
            if time.monotonic() > until:
                os._exit(70)
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)

    Files.learn = kill  # type: ignore[method-assign]
    Files.count = slowly  # type: ignore[method-assign]
    threading.Thread(target=end, daemon=True).start()


def killing(bench: Bench, kind: str) -> Result:
    """Three monitors, one of them with such a reference, in a service that is started again each time it dies.

    Afterwards it is mended: by another configuration, or (every second time) by more memory and `drift backfill`.
    """
    total, deaths, times = Counts(), 0, 4 if bench.full else 1
    for number in range(times):
        with bench.site(kind, windows=20, seed=900 + number, monitors=3) as place:
            bad = place.world.names[number % 3]
            sound = place.config.read_text(encoding="utf-8")
            shutil.copy(place.world.path, place.world.folder / _DEADLY)
            document = yaml.safe_load(sound)
            whole = document["monitors"][bad]  # one and the same of all monitors, as YAML has them
            document["monitors"][bad] = {**whole, "source": {"path": str(place.world.folder / _DEADLY)}}
            place.config.write_text(yaml.safe_dump(document), encoding="utf-8")
            deaths += _die(place, bad)
            by_hand = (number + (kind == "postgresql")) % 2 == 1
            if by_hand:
                _backfill(place, bad)
            else:
                place.config.write_text(sound, encoding="utf-8")
            place.settle()
            total += place.counts()
    assert deaths == times * MAX_ATTEMPTS, f"{deaths} deaths until {times} references were given up"
    return Result(
        "reference that kills its reader",
        kind,
        f"{deaths} deaths in {times} worlds",
        total,
        f"given up after {MAX_ATTEMPTS} each; the others were through and told after "
        f"{ISOLATE_AFTER_CRASHES + 2} at most",
    )


def _die(place: Site, bad: str) -> int:
    """Start the service until it lives; gives how often it died."""
    folder = place.world.folder
    serve = ["serve", "-c", str(place.config), "--port", "0", "--tick", "0.3"]
    for death in range(3 * MAX_ATTEMPTS):
        status = place.nursery.run(
            serve, folder / "log", before=f"tests.faults.references:deadly:{folder}", NO_PROXY="*"
        )
        if status == 0:
            assert _ABANDONED in place.log(), place.tail()
            return death
        assert status == -signal.SIGKILL, f"exit status {status}; {place.tail()}"
        if (
            death > ISOLATE_AFTER_CRASHES
        ):  # those beside it, whose attempts it used up as well, have their turn before it by now
            left = _left(place, bad)
            assert left == (0, 0), f"{left} windows and messages of others are left after {death + 1} deaths"
        pass_time(place.store, LATER, leases=False)
    raise AssertionError(f"it dies still; {place.tail()}")


def _left(place: Site, bad: str) -> tuple[int, int]:
    """Windows of the other monitors that are not done, and messages that are not sent."""
    found = query(
        place.store,
        "SELECT count(*) FILTER (WHERE w.status = 'done') FROM \"window\" w JOIN monitor m ON m.id = w.monitor_id "
        f"WHERE m.name <> '{bad}'",
    )
    waiting = query(place.store, "SELECT count(*) FROM delivery WHERE status <> 'sent'")
    return sum(name != bad for name, _, _ in place.world.truth.windows) - found[0][0], waiting[0][0]


def _backfill(place: Site, bad: str) -> None:
    """As the message says."""
    since, until = (FROM + hours * HOUR for hours in (REFERENCE, REFERENCE + 1))
    stretch = ["--from", since.isoformat(), "--to", until.isoformat()]
    status = place.nursery.run(
        ["backfill", "-c", str(place.config), "--monitor", bad, *stretch], place.world.folder / "log", NO_PROXY="*"
    )
    assert status in {0, 1}, f"exit status {status} of backfill; {place.tail()}"
