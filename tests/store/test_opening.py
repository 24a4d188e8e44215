"""Opening a store: made whole or not at all, refused with a remedy, and never a password in a message."""

import signal
import socket
import sqlite3
import subprocess
import sys
import traceback
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from drift.errors import StoreError
from drift.store import Store, migrate
from drift.store.engine import parse_url
from drift.store.schema import REVISIONS
from drift.store.tables import metadata
from tests.support.errors import has_code
from tests.support.paths import ROOT
from tests.support.store_builders import define_monitor

SECRET = "hunter2%21"


def sqlite(path: Path) -> str:
    return f"sqlite:///{path}"


def python(code: str, *arguments: str) -> "subprocess.Popen[str]":
    """A process of its own, started at the root of the repository."""
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def set_version(url: str, version: str) -> None:
    engine = create_engine(parse_url(url))
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :v"), {"v": version})
    engine.dispose()


def test_a_missing_sqlite_store_is_created_at_the_newest_schema(tmp_path: Path) -> None:
    url = sqlite(tmp_path / "new.db")
    with Store.open(url) as store:
        assert store.monitors.names() == []
    assert migrate.stored_revision(url) == REVISIONS[-1]
    assert migrate.check(url) == []


def test_a_relative_path_is_taken_from_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Store.open("sqlite:///here.db").close()
    assert (tmp_path / "here.db").exists()


def test_a_file_that_holds_nothing_yet_becomes_a_store(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    Store.open(sqlite(tmp_path / "empty.db")).close()
    assert migrate.stored_revision(sqlite(tmp_path / "empty.db")) == REVISIONS[-1]


def test_without_create_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(StoreError, check=has_code("store-not-found")):
        Store.open(sqlite(tmp_path / "new.db"), create=False)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "empty.db").touch()
    with pytest.raises(StoreError, check=has_code("store-not-migrated")):
        Store.open(sqlite(tmp_path / "empty.db"), create=False)


def test_an_existing_store_is_opened_without_alembic(sqlite_url: str) -> None:
    code = "import sys; from drift.store import Store; Store.open(sys.argv[1]).close(); print('alembic' in sys.modules)"
    out, err = python(code, sqlite_url).communicate(timeout=60)
    assert (out.strip(), err) == ("False", "")


def test_processes_that_create_a_store_at_once_all_open_it(tmp_path: Path) -> None:
    url = sqlite(tmp_path / "new.db")
    code = "import sys; from drift.store import Store; Store.open(sys.argv[1]).close()"
    for process in [python(code, url) for _ in range(4)]:
        _, err = process.communicate(timeout=120)
        assert (process.returncode, err) == (0, "")
    assert migrate.check(url) == []


def test_a_kill_during_creation_leaves_no_partial_store(tmp_path: Path) -> None:
    """Killed when all tables stand, right before the commit."""
    path = tmp_path / "new.db"
    code = (
        "import os, signal, sys\n"
        "from drift.store import Store, migrate\n"
        "migrate._check_foreign_keys = lambda connection: os.kill(os.getpid(), signal.SIGKILL)\n"
        "Store.open(sys.argv[1])\n"
    )
    process = python(code, sqlite(path))
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT * FROM sqlite_master").fetchall() == []
    connection.close()
    Store.open(sqlite(path)).close()
    assert migrate.check(sqlite(path)) == []


def test_sqlite_keeps_references_and_waits_for_a_busy_writer(sqlite_url: str) -> None:
    with Store.open(sqlite_url) as store, store.database.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar_one() == 1
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one() == 30_000


def test_a_reader_does_not_wait_for_a_writer(sqlite_url: str) -> None:
    with Store.open(sqlite_url) as store, store.database.write() as writing:
        writing.execute(text("INSERT INTO monitor (name, created_at) VALUES ('x', '2011-01-01 00:00:00.000000')"))
        assert store.monitors.names() == []


@pytest.mark.postgres
def test_a_server_is_migrated_only_when_asked(empty_postgres_url: str) -> None:
    with pytest.raises(StoreError, check=has_code("store-not-migrated")):
        Store.open(empty_postgres_url)
    assert migrate.upgrade(empty_postgres_url) == (None, REVISIONS[-1])
    Store.open(empty_postgres_url).close()


@pytest.mark.postgres
@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_each_way_to_write_a_postgresql_address_works(postgres_url: str, scheme: str) -> None:
    url = make_url(postgres_url).set(drivername=scheme).render_as_string(hide_password=False)
    with Store.open(url) as store:
        define_monitor(store)


def test_a_store_that_is_ahead_is_refused_with_the_remedy(own_store_url: str) -> None:
    set_version(own_store_url, "9999")
    for use in (lambda: Store.open(own_store_url), lambda: migrate.upgrade(own_store_url)):
        with pytest.raises(StoreError, match=r"schema 9999, newer than this drift .*; install the newer drift"):
            use()
    assert migrate.check(own_store_url) == [
        (
            f"schema 9999 is newer than this drift knows ({REVISIONS[-1]}); "
            "install the newer drift: pip install --upgrade driftgauge"
        )
    ]


def test_a_store_that_is_behind_is_refused_with_the_remedy(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drift.store.schema.REVISIONS", (*REVISIONS, "9999"))
    with pytest.raises(StoreError, match=f"{REVISIONS[-1]}.*9999", check=has_code("store-not-migrated")):
        Store.open(store_url)
    assert migrate.check(store_url) == [f"schema {REVISIONS[-1]} is behind 9999; run `drift db upgrade`"]


def test_somebody_elses_sqlite_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE theirs (id INTEGER)")
    connection.close()
    for use in (lambda: Store.open(sqlite(path)), lambda: migrate.upgrade(sqlite(path))):
        with pytest.raises(StoreError, check=has_code("not-a-drift-store")):
            use()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but long enough to be taken for one" * 100)
    with pytest.raises(StoreError, match=r"notes\.txt: file is not a database"):
        Store.open(sqlite(path))


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="nowhere", check=has_code("store-not-found")):
        Store.open(sqlite(tmp_path / "nowhere" / "drift.db"))


@pytest.mark.parametrize(
    "url",
    [
        "drift.db",
        "",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:x.db?uri=true",
        "mysql://u:hunter2@host/db",
        "postgresql+psycopg2://u:hunter2@host/db",
        "postgresql://u:hunter2@host:port/db",
    ],
)
def test_an_address_that_is_none_of_a_store_is_refused(url: str) -> None:
    with pytest.raises(StoreError, check=has_code("invalid-value")) as caught:
        Store.open(url)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_an_unreachable_server_is_an_error_without_the_password() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound, not listening: connections are refused
        port = unused.getsockname()[1]
        for url in (
            f"postgresql://me:{SECRET}@127.0.0.1:{port}/db",
            f"postgresql://127.0.0.1:{port}/db?user=me&password={SECRET}",
            f"postgresql://me:{SECRET}@127.0.0.1:{port}/db?no_such_option={SECRET}",
        ):
            with pytest.raises(
                StoreError, match=rf"127\.0\.0\.1:{port}/db", check=has_code("store-unreachable")
            ) as caught:
                Store.open(url)
            printed = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
            assert "hunter2" not in printed


def test_the_repr_of_a_store_holds_no_password(sqlite_url: str) -> None:
    with Store.open(sqlite_url) as store:
        assert repr(store) == f"Store({sqlite_url})"


@pytest.mark.postgres
def test_after_a_lost_connection_the_next_use_reconnects(postgres_url: str) -> None:
    with Store.open(postgres_url) as store:
        define_monitor(store)
        with pytest.raises(StoreError, match=r"(?i)terminat"), store.database.write() as connection:
            connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        assert store.monitors.names() == ["bikes"]


def test_every_table_has_a_place_in_the_schema(store_url: str) -> None:
    engine = create_engine(parse_url(store_url))
    with engine.connect() as connection:
        for table in metadata.tables.values():
            assert connection.execute(table.select()).all() == []
    engine.dispose()
