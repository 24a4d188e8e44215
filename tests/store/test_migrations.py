"""Migrations: up, down and up again with data in the tables, whole or not at all, one at a time."""

import itertools
import shutil
import threading
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.engine.reflection import Inspector

from drift.errors import StoreError
from drift.store import Store, migrate
from drift.store.engine import parse_url
from drift.store.schema import REVISIONS
from drift.store.tables import metadata
from tests.support.errors import has_code
from tests.support.store_builders import check_window, day, define_monitor, profile

SCRIPTS = migrate._folder()  # of the checkout, or of the installed wheel (.ci/wheel)
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
        definition = define_monitor(store)
        check_window(store, definition, 0, LIVE, REFERENCE)
        check_window(store, definition, 1, REFERENCE, REFERENCE)


def contents(url: str) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table that there is."""
    engine = create_engine(parse_url(url))
    with engine.connect() as connection:
        found = {
            name: sorted((tuple(row) for row in connection.execute(text(f'SELECT * FROM "{name}"'))), key=repr)
            for name in inspect(connection).get_table_names()
            if name != "alembic_version"
        }
    engine.dispose()
    return found


def described(url: str) -> dict[str, dict[str, list[str]]]:
    """Every table as the database describes it: columns with types and defaults, keys, checks, indexes."""
    engine = create_engine(parse_url(url))
    with engine.connect() as connection:
        inspector = inspect(connection)
        found = {name: _table(inspector, name) for name in inspector.get_table_names() if name != "alembic_version"}
    engine.dispose()
    return found


def _table(inspector: Inspector, name: str) -> dict[str, list[str]]:
    parts = {
        "columns": inspector.get_columns(name),
        "primary key": [inspector.get_pk_constraint(name)],
        "foreign keys": inspector.get_foreign_keys(name),
        "unique": inspector.get_unique_constraints(name),
        # Not by name: Alembic puts the model's convention before the names that 0001 gave (ck_window_ck_window_status).
        "checks": [{"sqltext": one["sqltext"]} for one in inspector.get_check_constraints(name)],
        "indexes": inspector.get_indexes(name),
        "options": [inspector.get_table_options(name)],
    }
    return {part: sorted(repr(sorted(one.items(), key=repr)) for one in found) for part, found in parts.items()}


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


def test_the_database_describes_migrated_tables_as_those_of_the_model(empty_url: str) -> None:
    """More than Alembic compares: checks, primary keys, names of constraints, defaults, tables without row ids."""
    engine = create_engine(parse_url(empty_url))
    metadata.create_all(engine)
    model = described(empty_url)
    metadata.drop_all(engine)
    engine.dispose()
    migrate.upgrade(empty_url)
    assert described(empty_url) == model


def test_scores_have_an_index_by_column_where_it_helps(store_url: str) -> None:
    """SQLite keeps rows in their primary key: it would only write more."""
    found = described(store_url)["score"]["indexes"]
    assert any("ix_score_column_id_profile_id" in one for one in found) == store_url.startswith("postgresql")


def test_a_difference_between_schema_and_tables_is_told(own_store_url: str) -> None:
    engine = create_engine(parse_url(own_store_url))
    with engine.begin() as connection:
        connection.execute(text("DROP INDEX ix_alert_monitor_id"))
        connection.execute(text("CREATE TABLE of_another_program (id INTEGER)"))
    engine.dispose()
    (problem,) = migrate.check(own_store_url)
    assert "add_index" in problem
    assert "ix_alert_monitor_id" in problem


def test_nothing_is_there_before_the_first_migration(empty_url: str) -> None:
    assert migrate.stored_revision(empty_url) is None
    (problem,) = migrate.check(empty_url)
    assert "run `drift db upgrade`" in problem


def test_every_migration_is_reversible_with_data(empty_url: str) -> None:
    """What a step holds survives the next one; going down ends at the very schema that going up came through."""
    ways_up = {}
    for revision in REVISIONS:
        migrate.upgrade_to(empty_url, revision)
        ways_up[revision] = described(empty_url)
    assert migrate.check(empty_url) == []
    fill(empty_url)
    for revision, previous in itertools.pairwise((*REVISIONS[::-1], "base")):
        migrate.downgrade(empty_url, previous)
        if previous == "base":
            break
        assert migrate.stored_revision(empty_url) == previous
        assert described(empty_url) == ways_up[previous]
        before_upgrade = contents(empty_url)
        assert before_upgrade["score"], "the stairway needs rows"
        migrate.upgrade_to(empty_url, revision)
        assert described(empty_url) == ways_up[revision]
        migrate.downgrade(empty_url, previous)
        assert contents(empty_url) == before_upgrade
    assert tables(empty_url) <= {"alembic_version"}
    migrate.upgrade_to(empty_url, "head")
    assert described(empty_url) == ways_up[REVISIONS[-1]]


def test_results_survive_an_upgrade_from_each_revision(empty_url: str) -> None:
    migrate.upgrade(empty_url)
    fill(empty_url)
    for previous in REVISIONS[-2::-1]:
        migrate.downgrade(empty_url, previous)
        assert migrate.upgrade(empty_url) == (previous, REVISIONS[-1])
        with Store.open(empty_url) as store:
            assert store.history.profile("bikes", day(0).start) == LIVE
            assert [row["verdict"] for row in store.queries.windows()]


def test_older_rows_have_nothing_in_the_columns_of_0002(empty_url: str) -> None:
    """Going down drops them and the tables of windows; nothing else changes, nor when it goes up again."""
    migrate.upgrade(empty_url)
    fill(empty_url)
    new = {"revision": {"judged"}, "score": {"windows", "level"}}
    migrate.downgrade(empty_url, "0002")
    before = contents(empty_url)
    assert len(before.pop("reference_window")) == 3
    assert len(before.pop("reference_history")) == len(REFERENCE) - 1
    assert all(row[-1] is not None for row in before["revision"])
    migrate.downgrade(empty_url, "0001")
    assert tables(empty_url) == {*before, "alembic_version"}
    migrate.upgrade_to(empty_url, "0002")
    after = contents(empty_url)
    assert after.pop("reference_window") == after.pop("reference_history") == []
    for name, columns in new.items():
        kept = len(before[name][0]) - len(columns)
        assert [row[:kept] for row in after[name]] == [row[:kept] for row in before.pop(name)]
        assert {row[kept:] for row in after.pop(name)} == {(None,) * len(columns)}
    assert after == before


def test_rows_written_before_0007_have_no_codes(empty_url: str) -> None:
    migrate.upgrade(empty_url)
    fill(empty_url)
    before = contents(empty_url)
    assert {row[-1] for row in before["revision"]} == {"test-outcome"}
    migrate.downgrade(empty_url, "0006")
    migrate.upgrade(empty_url)
    after = contents(empty_url)
    for name in ("revision", "score"):
        assert [row[:-1] for row in after[name]] == [row[:-1] for row in before.pop(name)]
        assert {row[-1] for row in after.pop(name)} == {None}
    assert after == before
    with Store.open(empty_url) as store:
        assert {row["code"] for row in (*store.queries.scores(), *store.queries.windows())} == {None}


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
    assert after.pop("novelty") == []
    assert {name: rows for name, rows in after.items() if name != "monitor"} == {
        name: rows for name, rows in before.items() if name != "monitor"
    }
    with Store.open(own_store_url) as store:
        assert store.monitors.names() == ["bikes (renamed)"]
        assert store.history.profile("bikes (renamed)", day(0).start) == LIVE


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
    assert migrate.stored_revision(own_store_url) == REVISIONS[-1]
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


def test_an_upgrade_times_out_behind_an_open_transaction(
    own_store_url: str, next_scripts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It must not wait forever: on PostgreSQL every later statement would wait behind it."""
    monkeypatch.setattr(migrate, "_LOCK_TIMEOUT", 1)
    monkeypatch.setattr("drift.store.engine.BUSY_TIMEOUT", 1.0)
    add(next_scripts, "pass")
    left_open = create_engine(parse_url(own_store_url), isolation_level="AUTOCOMMIT")
    with left_open.connect() as connection:
        sqlite = connection.dialect.name == "sqlite"
        connection.exec_driver_sql("BEGIN IMMEDIATE" if sqlite else "BEGIN")
        connection.exec_driver_sql("UPDATE monitor SET name = name")
        with pytest.raises(StoreError, check=has_code("store-locked")):
            migrate.upgrade(own_store_url)
        connection.exec_driver_sql("ROLLBACK")
    left_open.dispose()
    assert migrate.stored_revision(own_store_url) == REVISIONS[-1]
    assert migrate.upgrade(own_store_url) == (REVISIONS[-1], "9999")


def test_an_older_or_newer_schema_is_refused(own_store_url: str) -> None:
    migrate.downgrade(own_store_url, REVISIONS[0])
    with pytest.raises(StoreError, check=has_code("store-not-migrated")):
        Store.open(own_store_url)
    (problem,) = migrate.check(own_store_url)
    assert "run `drift db upgrade`" in problem
    engine = create_engine(parse_url(own_store_url))
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    for refused in (Store.open, migrate.upgrade):
        with pytest.raises(StoreError, check=has_code("store-newer")):
            refused(own_store_url)
    (problem,) = migrate.check(own_store_url)
    assert "install the newer drift" in problem
