"""Migrations, run by Alembic without an alembic.ini, all of them in one transaction under a lock.

Alembic takes 0.25 s to load: only the functions here import it.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, text
from sqlalchemy.schema import SchemaItem

from drift.errors import StoreError
from drift.store import schema
from drift.store.engine import describe_url, is_lock_timeout, make_engine, parse_url, sqlite_path, transaction
from drift.store.tables import metadata

if TYPE_CHECKING:
    from alembic.config import Config

_ALEMBIC: Final = threading.Lock()  # Alembic's context is global to the process
_LOCK_KEY: Final = 0x6472696674  # "drift": key of PostgreSQL's advisory lock
_LOCK_TIMEOUT: Final = 60
"""Seconds that a migration waits for a lock on PostgreSQL. A statement that waits for a table makes every later one on
that table wait behind it, so a forgotten transaction would stop the whole service. SQLite waits for `BUSY_TIMEOUT`."""


def upgrade(url: str) -> tuple[str | None, str]:
    """Upgrade the schema to the newest revision; create a missing SQLite file.

    Returns
    -------
    tuple
        The revision before (None: no schema) and after.

    Raises
    ------
    StoreError
        If the store is unreachable, not a drift store, newer than this program, or locked for too long. Nothing has
        changed then.
    """
    with _locked(url) as connection:
        before = schema.current_revision(connection)
        _require_migratable(connection, before, url)
        if before != head():
            _command("upgrade", connection, "head")
        return before, head()


def downgrade(url: str, target: str) -> None:
    """Downgrade the schema to an older revision, or to `base`; for tests of the migrations.

    Raises
    ------
    StoreError
        If the store is unreachable or newer than this program.
    """
    with _locked(url) as connection:
        _require_migratable(connection, schema.current_revision(connection), url)
        _command("downgrade", connection, target)


def upgrade_to(url: str, target: str) -> None:
    """Upgrade the schema to one revision, not further; for tests of the migrations."""
    with _locked(url) as connection:
        _command("upgrade", connection, target)


def head() -> str:
    """Return the newest revision that this version knows."""
    return schema.REVISIONS[-1]


def scripts() -> tuple[str, ...]:
    """Return the revisions of the scripts, oldest first."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - slow to load

    directory = ScriptDirectory.from_config(_config())
    return tuple(script.revision for script in directory.walk_revisions())[::-1]


def stored_revision(url: str) -> str | None:
    """Return the revision of a store; None if it has none yet.

    Raises
    ------
    StoreError
        If it is unreachable.
    """
    parsed = parse_url(url)
    if (path := sqlite_path(parsed)) is not None and not path.exists():
        return None
    engine = make_engine(parsed)
    try:
        with transaction(engine, writes=False) as connection:
            return schema.current_revision(connection)
    finally:
        engine.dispose()


def check(url: str) -> list[str]:
    """Return the problems of a store's schema, one line each; empty if it has none.

    Raises
    ------
    StoreError
        If the store is unreachable.
    """
    revision = stored_revision(url)
    if revision is None:
        return [f"{describe_url(parse_url(url))} contains no drift store yet; {schema.REMEDY}"]
    if revision != head():
        newer = f"newer than this drift knows ({head()}); install the newer drift: pip install --upgrade driftgauge"
        return [
            f"schema {revision} is {f'behind {head()}; {schema.REMEDY}' if revision in schema.REVISIONS else newer}"
        ]
    from alembic.autogenerate import compare_metadata  # noqa: PLC0415 - slow to load
    from alembic.migration import MigrationContext  # noqa: PLC0415

    engine = make_engine(parse_url(url))

    def include(item: SchemaItem, name: str | None, kind: str, reflected: bool, other: SchemaItem | None) -> bool:  # noqa: FBT001
        return is_own(item, name, kind, reflected, other) and item.info.get("only", dialect) == dialect

    dialect = engine.dialect.name
    try:
        with transaction(engine, writes=False) as connection:
            context = MigrationContext.configure(connection, opts={"include_object": include, "compare_type": True})
            return [
                f"schema differs from this drift's: {difference}" for difference in compare_metadata(context, metadata)
            ]
    finally:
        engine.dispose()


def is_own(_item: SchemaItem, name: str | None, kind: str, reflected: bool, _other: SchemaItem | None) -> bool:  # noqa: FBT001
    """Filter for Alembic, with its signature: leave out tables of other programs in the database."""
    return not (kind == "table" and reflected and name not in metadata.tables)


@contextmanager
def _locked(url: str) -> Iterator[Connection]:
    """Open a transaction that excludes other migrations."""
    # SQLite copies tables to change them, which must not follow foreign keys; they are checked at the end.
    engine = make_engine(parse_url(url), foreign_keys=False)
    try:
        with transaction(engine, writes=True) as connection:
            if connection.dialect.name == "sqlite":  # BEGIN IMMEDIATE is the lock
                yield connection
                _check_foreign_keys(connection)
            else:
                connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}s'"))
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
                yield connection
    except StoreError as error:
        if not is_lock_timeout(error.__cause__):
            raise
        remedy = "another upgrade or an open transaction holds a lock; nothing has changed: end it, try again"
        raise StoreError(f"{error}; {remedy}", code="store-locked") from error
    finally:
        engine.dispose()


def _check_foreign_keys(connection: Connection) -> None:
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    if broken:
        tables = sorted({str(row[0]) for row in broken})
        message = f"the migration would break {len(broken)} foreign keys of {', '.join(tables)}; nothing has changed"
        raise StoreError(message, code="migration-failed")


def _require_migratable(connection: Connection, revision: str | None, url: str) -> None:
    store = describe_url(parse_url(url))
    schema.refuse_newer(revision, store)
    if connection.dialect.name == "sqlite" and not schema.is_blank(connection):
        schema.require_drift_store(revision, store)


def _command(name: str, connection: Connection, target: str) -> None:
    from alembic import command  # noqa: PLC0415 - slow to load

    config = _config()
    config.attributes["connection"] = connection
    run: Any = {"upgrade": command.upgrade, "downgrade": command.downgrade}[name]
    with _ALEMBIC:
        run(config, target)


def _config() -> "Config":
    from alembic.config import Config  # noqa: PLC0415 - slow to load

    config = Config()
    config.set_main_option("script_location", str(_folder()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _folder() -> Path:
    package = Path(__file__).parent.parent
    for folder in (package / "_migrations", package.parent / "migrations"):  # in a wheel; in a checkout
        if (folder / "env.py").exists():
            return folder
    message = f"the migrations of drift are missing beside {package}; install drift again"
    raise StoreError(message, code="installation-incomplete")
