"""Migrations: up, down and up again with data in the tables, whole or not at all, one at a time."""

import shutil
import threading
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, text

from drift.errors import StoreError
from drift.store import Store, migrate
from drift.store.engine import parse_url
from drift.store.schema import REVISIONS
from drift.store.tables import metadata

from .building import checked, day, defined, profile

SCRIPTS = Path(__file__).parents[2] / "migrations"
LIVE, REFERENCE = profile(400, seed=1), profile(500, seed=2)

NEXT = """
import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = "{previous}"
branch_labels = depends_on = None


def upgrade():
    op.create_table("novelty", sa.Column("id", sa.Integer(), primary_key=True))
    op.execute("UPDATE monitor SET name = name || ' (renamed)'")
    with op.batch_alter_table("monitor", recreate="auto") as batch:  # SQLite copies the table that others point to
        batch.alter_column("name", nullable=True)
    {more}


def downgrade():
    op.drop_table("novelty")
"""


@pytest.fixture
def next_scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the migrations that one more can be added to."""
    folder = tmp_path / "migrations % copy"
    shutil.copytree(SCRIPTS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(migrate, "_folder", lambda: folder)
    monkeypatch.setattr("drift.store.schema.REVISIONS", (*REVISIONS, "9999"))
    return folder


def add(folder: Path, more: str) -> None:
    (folder / "versions" / "9999_next.py").write_text(NEXT.format(previous=REVISIONS[-1], more=more))


def fill(url: str) -> None:
    with Store.open(url) as store:
        definition = defined(store)
        checked(store, definition, 0, LIVE, REFERENCE)
        checked(store, definition, 1, REFERENCE, REFERENCE)


def contents(url: str) -> dict[str, list[tuple[object, ...]]]:
    engine = create_engine(parse_url(url))
    with engine.connect() as connection:
        found = {
            name: sorted((tuple(row) for row in connection.execute(text(f'SELECT * FROM "{name}"'))), key=repr)
            for name in metadata.tables
        }
    engine.dispose()
    return found


def tables(url: str) -> set[str]:
    engine = create_engine(parse_url(url))
    with engine.connect() as connection:
        found = set(inspect(connection).get_table_names())
    engine.dispose()
    return found


def test_the_program_knows_its_scripts() -> None:
    assert migrate.scripts() == REVISIONS
    assert migrate.head() == REVISIONS[-1]


def test_migrations_and_tables_say_the_same(empty_url: str) -> None:
    migrate.upgrade(empty_url)
    assert migrate.check(empty_url) == []


def test_a_difference_between_schema_and_tables_is_told(own_store_url: str) -> None:
    engine = create_engine(parse_url(own_store_url))
    with engine.begin() as connection:
        connection.execute(text("DROP INDEX ix_alert_monitor_id"))
        connection.execute(text("CREATE TABLE somebody_elses (id INTEGER)"))
    engine.dispose()
    (told,) = migrate.check(own_store_url)
    assert "add_index" in told
    assert "ix_alert_monitor_id" in told


def test_nothing_is_there_before_the_first_migration(empty_url: str) -> None:
    assert migrate.current(empty_url) is None
    (told,) = migrate.check(empty_url)
    assert "run `drift db upgrade`" in told


def test_each_migration_goes_up_down_and_up_again_with_data(empty_url: str) -> None:
    for previous, revision in zip(("base", *REVISIONS), REVISIONS, strict=False):
        migrate.step(empty_url, revision)
        if revision == REVISIONS[-1]:
            fill(empty_url)
        migrate.downgrade(empty_url, previous)
        assert migrate.current(empty_url) == (None if previous == "base" else previous)
        migrate.step(empty_url, revision)
        assert migrate.current(empty_url) == revision
    assert migrate.check(empty_url) == []
    with Store.open(empty_url) as store:
        assert store.profile("bikes", day(0).start) == LIVE
    migrate.downgrade(empty_url, "base")
    assert tables(empty_url) <= {"alembic_version"}


def test_older_rows_have_nothing_in_the_columns_of_0002(empty_url: str) -> None:
    """Going down drops them and the tables of windows; nothing else changes, nor when it goes up again."""
    migrate.upgrade(empty_url)
    fill(empty_url)
    new = {"revision": {"judged"}, "score": {"windows", "level"}}
    before = contents(empty_url)
    assert len(before.pop("reference_window")) == 3
    assert len(before.pop("reference_history")) == len(REFERENCE) - 1
    assert all(row[-1] is not None for row in before["revision"])
    migrate.downgrade(empty_url, "0001")
    assert tables(empty_url) == {*before, "alembic_version"}
    migrate.step(empty_url, "0002")
    after = contents(empty_url)
    assert after.pop("reference_window") == after.pop("reference_history") == []
    for name, columns in new.items():
        kept = len(metadata.tables[name].columns) - len(columns)
        assert [row[:kept] for row in after[name]] == [row[:kept] for row in before.pop(name)]
        assert {row[kept:] for row in after.pop(name)} == {(None,) * len(columns)}
    assert after == before


def test_an_upgrade_of_a_newest_store_changes_nothing(store_url: str) -> None:
    fill(store_url)
    before = contents(store_url)
    assert migrate.upgrade(store_url) == (REVISIONS[-1], REVISIONS[-1])
    assert contents(store_url) == before


def test_the_next_migration_keeps_what_is_stored(own_store_url: str, next_scripts: Path) -> None:
    """Foreign keys lead to the table it rebuilds: rows behind them must neither break nor go."""
    with pytest.MonkeyPatch.context() as old:
        old.setattr("drift.store.schema.REVISIONS", REVISIONS)
        fill(own_store_url)
    before = contents(own_store_url)
    add(next_scripts, "pass")
    assert migrate.upgrade(own_store_url) == (REVISIONS[-1], "9999")
    assert "novelty" in tables(own_store_url)
    after = contents(own_store_url)
    assert {name: rows for name, rows in after.items() if name != "monitor"} == {
        name: rows for name, rows in before.items() if name != "monitor"
    }
    with Store.open(own_store_url) as store:
        assert store.monitors() == ["bikes (renamed)"]
        assert store.profile("bikes (renamed)", day(0).start) == LIVE


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ("raise RuntimeError('power cut')", RuntimeError),
        ("op.execute('DELETE FROM definition')", StoreError),  # windows point to it
        ("op.execute('SELECT * FROM nowhere')", StoreError),
    ],
)
def test_a_migration_that_fails_changes_nothing(
    own_store_url: str, next_scripts: Path, more: str, error: type[Exception]
) -> None:
    with pytest.MonkeyPatch.context() as old:
        old.setattr("drift.store.schema.REVISIONS", REVISIONS)
        fill(own_store_url)
    before, before_tables = contents(own_store_url), tables(own_store_url)
    add(next_scripts, more)
    with pytest.raises(error):
        migrate.upgrade(own_store_url)
    assert migrate.current(own_store_url) == REVISIONS[-1]
    assert contents(own_store_url) == before
    assert tables(own_store_url) == before_tables


def test_of_upgrades_at_once_one_does_the_work(empty_url: str) -> None:
    before: list[str | None] = []
    workers = [threading.Thread(target=lambda: before.append(migrate.upgrade(empty_url)[0])) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(before, key=str) == [*[REVISIONS[-1]] * 3, None]
    assert migrate.check(empty_url) == []
