"""A SQLite store of which this process may not write the file or the folder."""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from drift.errors import StoreError
from drift.store import Store
from tests.support.errors import has_code

NOW = datetime(2024, 1, 1, tzinfo=UTC)
NOBODY = 65534


@contextmanager
def without_privileges() -> Iterator[None]:
    """Run as a user without privileges: root may write whatever the permissions are."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)


@pytest.fixture
def store() -> Iterator[Path]:
    """A store with one monitor, in a folder that is readable by all and writable by none."""
    folder = Path(tempfile.mkdtemp())
    with Store.open(f"sqlite:///{folder}/drift.db") as made:
        made.monitors.define("m", {"timestamp": "ts"}, NOW)
    (folder / "drift.db").chmod(0o444)
    folder.chmod(0o555)
    yield folder / "drift.db"
    folder.chmod(0o755)
    shutil.rmtree(folder)


def test_a_read_only_store_can_be_read(store: Path) -> None:
    with without_privileges(), Store.open(f"sqlite:///{store}") as opened:
        assert opened.monitors.names() == ["m"]
        assert opened.queries.windows() == []


def test_a_read_only_store_shows_writes_of_others(store: Path) -> None:
    store.parent.chmod(0o755)
    store.chmod(0o644)
    with Store.open(f"sqlite:///{store}") as theirs:
        theirs.monitors.define("n", {"timestamp": "ts"}, NOW)
        store.parent.chmod(0o555)
        store.chmod(0o444)
        assert store.with_name("drift.db-wal").stat().st_size > 0
        with without_privileges(), Store.open(f"sqlite:///{store}") as opened:
            assert opened.monitors.names() == ["m", "n"]


def test_writing_a_read_only_store_names_the_permissions(store: Path) -> None:
    with (
        without_privileges(),
        Store.open(f"sqlite:///{store}") as opened,
        pytest.raises(StoreError, match=r"drift.db .*-r--r--r--.*chmod", check=has_code("store-read-only")),
    ):
        opened.monitors.define("n", {"timestamp": "ts"}, NOW)


def test_an_unreadable_file_is_refused_with_its_permissions(store: Path) -> None:
    store.chmod(0)
    with without_privileges(), pytest.raises(StoreError, match=r"drift.db .*----------"):
        Store.open(f"sqlite:///{store}")


def test_a_read_only_folder_is_refused_with_its_permissions(store: Path) -> None:
    with without_privileges(), pytest.raises(StoreError, match=r"dr-xr-xr-x.*chmod", check=has_code("store-read-only")):
        Store.open(f"sqlite:///{store.parent}/new.db")
    assert not (store.parent / "new.db").exists()


def test_a_folder_without_search_permission_is_refused(store: Path) -> None:
    inner = store.parent / "inner"
    store.parent.chmod(0o755)
    inner.mkdir(mode=0o700)
    with closing(sqlite3.connect(inner / "drift.db")):
        inner.chmod(0)
    with without_privileges(), pytest.raises(StoreError, match="chmod"):
        Store.open(f"sqlite:///{inner}/drift.db")
