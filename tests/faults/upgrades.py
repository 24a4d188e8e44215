"""Migrations: killed at every statement, and run by three replicas at once."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from sqlalchemy import Engine, event

from drift.store import migrate
from tests.faults.bench import Bench, Result
from tests.faults.ledger import Counts, query

_OLDEST = "0001"


def arm(number: str) -> None:
    """In the process that upgrades: kill it before its n-th statement, on any connection."""
    passed = 0

    @event.listens_for(Engine, "before_cursor_execute")
    def stop(*_: object) -> None:
        nonlocal passed
        passed += 1
        if passed == int(number):
            os.kill(os.getpid(), signal.SIGKILL)


def killed(bench: Bench, kind: str) -> Result:
    """From nothing, and from the oldest schema with rows in it; killed at each statement (full) or at every ninth."""
    total, kills, broken = Counts(), 0, 0
    for begins in (None, _OLDEST):
        number = 1
        while True:
            ended, wrong = _once(bench, kind, begins, number)
            broken += wrong
            kills += ended == -signal.SIGKILL
            if ended != -signal.SIGKILL:
                assert ended == 0, f"exit status {ended} of an upgrade that was let be"
                break
            number += 1 if bench.full else 9
    assert not broken, f"{broken} upgrades left something half done"
    return Result(
        "upgrade killed at a statement", kind, f"{kills} kills", total, "old schema whole each time, then new"
    )


def _once(bench: Bench, kind: str, begins: str | None, number: int) -> tuple[int, bool]:
    """Kill one upgrade, look, upgrade in peace; gives the exit status of the first, and whether it left a mess."""
    folder = Path(tempfile.mkdtemp(dir=bench.folder))
    url = bench.databases.fresh(kind, folder, migrated=False)
    if begins is not None:
        migrate.upgrade_to(url, begins)
        query(url, "INSERT INTO monitor (name, created_at) VALUES ('kept', '2024-01-01 00:00:00.000000')")
    args = ["db", "upgrade", "--store", url]
    ended = bench.nursery.run(args, folder / "log", before=f"tests.faults.upgrades:arm:{number}")
    found = migrate.stored_revision(url)
    mess = found != begins and not (ended == 0 and found == migrate.head())
    if ended:
        assert bench.nursery.run(args, folder / "log") == 0, (folder / "log").read_text(encoding="utf-8")
    mess |= bool(migrate.check(url))
    mess |= begins is not None and query(url, "SELECT name FROM monitor") != [("kept",)]
    return ended, mess


def at_once(bench: Bench, kind: str) -> Result:
    """Three processes, begun together, from nothing and from the oldest schema."""
    times = 5 if bench.full else 1
    for number in range(times):
        folder = Path(tempfile.mkdtemp(dir=bench.folder))
        url = bench.databases.fresh(kind, folder, migrated=False)
        if number % 2:
            migrate.upgrade_to(url, _OLDEST)
        command = [sys.executable, "-m", "drift", "db", "upgrade", "--store", url]
        together = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(3)]
        assert [one.wait(120) for one in together] == [0, 0, 0]
        assert migrate.check(url) == []
    return Result("three upgrades at once", kind, f"{times} times", Counts(), "all ended well")
