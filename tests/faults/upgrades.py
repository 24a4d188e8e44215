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
    """Kill this process before its n-th statement, on any connection."""
    statements = 0

    @event.listens_for(Engine, "before_cursor_execute")
    def stop(*_: object) -> None:
        nonlocal statements
        statements += 1
        if statements == int(number):
            os.kill(os.getpid(), signal.SIGKILL)


def killed(bench: Bench, kind: str) -> Result:
    """Kill upgrades of an empty database and of the oldest schema, at each statement (full) or every ninth."""
    total, kills, broken = Counts(), 0, 0
    for old in (None, _OLDEST):
        number = 1
        while True:
            status, inconsistent = _kill_one(bench, kind, old, number)
            broken += inconsistent
            kills += status == -signal.SIGKILL
            if status != -signal.SIGKILL:
                assert status == 0, f"exit status {status} of an upgrade that was not killed"
                break
            number += 1 if bench.full else 9
    assert not broken, f"{broken} upgrades left an inconsistent schema"
    return Result(
        "upgrade killed at a statement", kind, f"{kills} kills", total, "old schema whole each time, then new"
    )


def _kill_one(bench: Bench, kind: str, old: str | None, number: int) -> tuple[int, bool]:
    """Kill one upgrade, upgrade again; return the first exit status, and whether any state was inconsistent."""
    folder = Path(tempfile.mkdtemp(dir=bench.folder))
    url = bench.databases.create(kind, folder, migrated=False)
    if old is not None:
        migrate.upgrade_to(url, old)
        query(url, "INSERT INTO monitor (name, created_at) VALUES ('kept', '2024-01-01 00:00:00.000000')")
    args = ["db", "upgrade", "--store", url]
    status = bench.nursery.run(args, folder / "log", before=f"tests.faults.upgrades:arm:{number}")
    stored = migrate.stored_revision(url)
    inconsistent = stored != old and not (status == 0 and stored == migrate.head())
    if status:
        assert bench.nursery.run(args, folder / "log") == 0, (folder / "log").read_text(encoding="utf-8")
    inconsistent |= bool(migrate.check(url))
    inconsistent |= old is not None and query(url, "SELECT name FROM monitor") != [("kept",)]
    return status, inconsistent


def at_once(bench: Bench, kind: str) -> Result:
    """Run three upgrades at once, of an empty database or of the oldest schema."""
    times = 5 if bench.full else 1
    for number in range(times):
        folder = Path(tempfile.mkdtemp(dir=bench.folder))
        url = bench.databases.create(kind, folder, migrated=False)
        if number % 2:
            migrate.upgrade_to(url, _OLDEST)
        command = [sys.executable, "-m", "drift", "db", "upgrade", "--store", url]
        upgrades = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(3)]
        assert [upgrade.wait(120) for upgrade in upgrades] == [0, 0, 0]
        assert migrate.check(url) == []
    return Result("three upgrades at once", kind, f"{times} times", Counts(), "all ended well")
