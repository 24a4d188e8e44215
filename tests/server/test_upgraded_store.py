"""A service whose store is upgraded while it runs: it writes nothing more, logs an error, and is not ready."""

import logging
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from drift.errors import StoreError
from drift.server import Scheduler
from drift.store import Claim, SchemaMismatch, Store
from drift.store.schema import REVISIONS

END = datetime(2024, 1, 14, tzinfo=UTC)
Make = Callable[..., Scheduler]


@pytest.fixture
def file(sqlite_url: str) -> Path:
    return Path(sqlite_url.removeprefix("sqlite:///"))


def set_schema(file: Path, version: str) -> None:
    """Set the schema version, as another program does; tests of the migrations change the tables as well."""
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (version,))


def rows(file: Path) -> dict[str, int]:
    """Return the number of rows of each table."""
    with closing(sqlite3.connect(file)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in names}


def test_nothing_is_written_until_the_schema_fits(
    builders: SimpleNamespace,
    store: Store,
    make: Make,
    data: Path,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = [END]
    service = make(builders.make_monitor(data), now=lambda: clock[0])
    finish = store.windows.commit
    finished: list[datetime] = []

    def upgraded_meanwhile(claim: Claim, *args: Any) -> None:
        if len(finished) == 2:
            set_schema(file, "9999")
        finish(claim, *args)
        finished.append(claim.window.start)

    monkeypatch.setattr(store.windows, "commit", upgraded_meanwhile)
    service.tick()
    assert len(finished) == 2, "the third was being evaluated"
    before = rows(file)
    assert before["revision"] == 2
    with caplog.at_level(logging.ERROR, "drift.server"):
        service.tick()
        service.tick()
    assert rows(file) == before
    (record,) = [record for record in caplog.records if "from now on" in record.getMessage()]
    assert record.code.startswith("store-")
    assert "9999" in record.getMessage()
    assert service.not_ready_reason() == "the newest tick failed; see the log"

    monkeypatch.setattr(store.windows, "commit", finish)
    set_schema(file, REVISIONS[-1])
    clock[0] += timedelta(minutes=11)  # the third window is leased for ten minutes
    service.tick()
    assert service.not_ready_reason() == ""
    assert [row["verdict"] for row in store.queries.windows("one")] == ["ok"] * 4 + ["drift"] * 2


def test_every_write_to_another_schema_is_refused(store: Store, file: Path) -> None:
    definition = store.monitors.define("one", {"window": "1d"}, END)
    before = rows(file)
    for version in ("9999", REVISIONS[0]):
        set_schema(file, version)
        for write in (
            lambda: store.monitors.define("two", {"window": "1d"}, END),
            lambda: store.windows.claim(1, definition, "me", END, timedelta(minutes=10)),
            lambda: store.outbox.take(1, END, END),
            lambda: store.outbox.resend(END, ["team"]),
        ):
            with pytest.raises(SchemaMismatch, match=version):
                write()
        with pytest.raises(StoreError, match=version):
            store.require_schema()
    assert rows(file) == before
