"""A service whose store is upgraded under its feet: it writes nothing more, says so, and is not ready."""

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
    """What another program does to the store; a test of the migrations has the tables changed as well."""
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (version,))


def rows(file: Path) -> dict[str, int]:
    """Rows of each table."""
    with closing(sqlite3.connect(file)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in names}


def test_a_window_in_hand_is_not_written_nor_any_other_until_the_schema_is_known(
    aid: SimpleNamespace,
    store: Store,
    make: Make,
    data: Path,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = [END]
    service = make(aid.watch(data), now=lambda: clock[0])
    finish = store.finish
    finished: list[datetime] = []

    def upgraded_meanwhile(claim: Claim, *found: Any) -> None:
        if len(finished) == 2:
            set_schema(file, "9999")
        finish(claim, *found)
        finished.append(claim.window.start)

    monkeypatch.setattr(store, "finish", upgraded_meanwhile)
    service.tick()
    assert len(finished) == 2, "the third was in hand"
    before = rows(file)
    assert before["revision"] == 2
    with caplog.at_level(logging.ERROR, "drift.server"):
        service.tick()
        service.tick()
    assert rows(file) == before
    (told,) = [record.getMessage() for record in caplog.records if "from now on" in record.getMessage()]
    assert "9999" in told
    assert "install the newer drift" in told
    assert "in place of this one" in told
    assert service.trouble() == "the newest tick did not go through; the log says why"

    monkeypatch.setattr(store, "finish", finish)
    set_schema(file, REVISIONS[-1])
    clock[0] += timedelta(minutes=11)  # what was in hand is leased for ten
    service.tick()
    assert service.trouble() == ""
    assert [row["verdict"] for row in store.windows("one")] == ["ok"] * 4 + ["drift"] * 2


def test_every_write_to_another_schema_is_refused_and_leaves_nothing(store: Store, file: Path) -> None:
    definition = store.define("one", {"window": "1d"}, END)
    before = rows(file)
    for version in ("9999", REVISIONS[0]):
        set_schema(file, version)
        for write in (
            lambda: store.define("two", {"window": "1d"}, END),
            lambda: store.claim(1, definition, "me", END, timedelta(minutes=10)),
            lambda: store.take_delivery(1, END, END),
            lambda: store.resend(END, ["team"]),
        ):
            with pytest.raises(SchemaMismatch, match=version):
                write()
        with pytest.raises(StoreError, match=version):
            store.require_schema()
    assert rows(file) == before
