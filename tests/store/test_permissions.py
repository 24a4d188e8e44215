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

NOW = datetime(2024, 1, 1, tzinfo=UTC)
NOBODY = 65534


@contextmanager
def without_privileges() -> Iterator[None]:
    """As a user who owns nothing here: root may write whatever the permissions say."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)


@pytest.fixture
def store() -> Iterator[Path]:
    """A store with one monitor, in a folder that everybody may look into and nobody write."""
    folder = Path(tempfile.mkdtemp())
    with Store.open(f"sqlite:///{folder}/drift.db") as made:
        made.monitors.define("m", {"timestamp": "ts"}, NOW)
    (folder / "drift.db").chmod(0o444)
    folder.chmod(0o555)
    yield folder / "drift.db"
    folder.chmod(0o755)
    shutil.rmtree(folder)


def test_a_store_that_may_not_be_written_can_be_looked_at(store: Path) -> None:
    with without_privileges(), Store.open(f"sqlite:///{store}") as opened:
        assert opened.monitors.names() == ["m"]
        assert opened.queries.windows() == []


def test_one_that_others_write_just_now_is_seen_as_they_left_it(store: Path) -> None:
    store.parent.chmod(0o755)
    store.chmod(0o644)
    with Store.open(f"sqlite:///{store}") as theirs:
        theirs.monitors.define("n", {"timestamp": "ts"}, NOW)
        store.parent.chmod(0o555)
        store.chmod(0o444)
        assert store.with_name("drift.db-wal").stat().st_size > 0
        with without_privileges(), Store.open(f"sqlite:///{store}") as opened:
            assert opened.monitors.names() == ["m", "n"]


def test_writing_one_says_who_needs_what(store: Path) -> None:
    with (
        without_privileges(),
        Store.open(f"sqlite:///{store}") as opened,
        pytest.raises(StoreError, match=r"readonly database; this process .*drift.db is of .*, -r--r--r--.*chmod"),
    ):
        opened.monitors.define("n", {"timestamp": "ts"}, NOW)


def test_a_file_that_may_not_be_opened_says_who_needs_what(store: Path) -> None:
    store.chmod(0)
    with without_privileges(), pytest.raises(StoreError, match=r"unable to open .*drift.db is of .*, ----------"):
        Store.open(f"sqlite:///{store}")


def test_a_folder_in_which_none_can_be_made_says_so(store: Path) -> None:
    with without_privileges(), pytest.raises(StoreError, match=r"dr-xr-xr-x.*chmod.*another file"):
        Store.open(f"sqlite:///{store.parent}/new.db")
    assert not (store.parent / "new.db").exists()


def test_a_folder_that_may_not_be_searched_is_told(store: Path) -> None:
    inner = store.parent / "inner"
    store.parent.chmod(0o755)
    inner.mkdir(mode=0o700)
    with closing(sqlite3.connect(inner / "drift.db")):
        inner.chmod(0)
    with without_privileges(), pytest.raises(StoreError, match="chmod"):
        Store.open(f"sqlite:///{inner}/drift.db")
