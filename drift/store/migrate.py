"""Migrations, run by Alembic without an alembic.ini, all of them in one transaction under a lock.

Alembic takes 0.25 s to load: only the functions here import it.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import SchemaItem

from drift.errors import StoreError
from drift.store import schema
from drift.store.engine import describe_url, make_engine, parse_url, sqlite_path, transaction
from drift.store.tables import metadata

if TYPE_CHECKING:
    from alembic.config import Config

_ALEMBIC: Final = threading.Lock()  # its context is one for the whole process
_LOCK: Final = 0x6472696674  # "drift": the key of PostgreSQL's advisory lock
_PATIENCE: Final = 60
"""Seconds that a migration waits for a lock on PostgreSQL. A statement that waits for a table makes every later one on
that table wait behind it, so a forgotten transaction would stop the whole service; SQLite waits for `BUSY_TIMEOUT`."""


def upgrade(url: str) -> tuple[str | None, str]:
    """Bring the schema to the newest revision; a SQLite file that is not there is made.

    Parameters
    ----------
    url : str
        The store.

    Returns
    -------
    tuple
        The revision before (None: there was none) and after.

    Raises
    ------
    StoreError
        Where the store is unreachable, not drift's, newer than this program, or locked by others for too long. Nothing
        has changed then.
    """
    with _locked(url) as connection:
        before = schema.current(connection)
        _refuse(connection, before, url)
        if before != head():
            _command("upgrade", connection, "head")
        return before, head()


def downgrade(url: str, target: str) -> None:
    """Bring the schema back to an older revision, or to `base`; for tests of the migrations.

    Raises
    ------
    StoreError
        Where the store is unreachable or newer than this program.
    """
    with _locked(url) as connection:
        _refuse(connection, schema.current(connection), url)
        _command("downgrade", connection, target)


def step(url: str, target: str) -> None:
    """Bring the schema up to one revision, not further; for tests of the migrations."""
    with _locked(url) as connection:
        _command("upgrade", connection, target)


def head() -> str:
    """The newest revision that this drift knows."""
    return schema.REVISIONS[-1]


def scripts() -> tuple[str, ...]:
    """The revisions that the scripts hold, oldest first."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - slow to load

    directory = ScriptDirectory.from_config(_config())
    return tuple(script.revision for script in directory.walk_revisions())[::-1]


def current(url: str) -> str | None:
    """The revision of a store; None where there is none yet.

    Raises
    ------
    StoreError
        Where it is unreachable.
    """
    parsed = parse_url(url)
    if (path := sqlite_path(parsed)) is not None and not path.exists():
        return None
    engine = make_engine(parsed)
    try:
        with transaction(engine, writes=False) as connection:
            return schema.current(connection)
    finally:
        engine.dispose()


def check(url: str) -> list[str]:
    """What is wrong with the schema of a store, one line each; nothing where it is as it must be.

    Raises
    ------
    StoreError
        Where the store is unreachable.
    """
    found = current(url)
    if found is None:
        return [f"{describe_url(parse_url(url))} holds no drift store yet; {schema.REMEDY}"]
    if found != head():
        newer = f"newer than this drift knows ({head()}); install the newer drift: pip install --upgrade driftgauge"
        return [f"schema {found} is {f'behind {head()}; {schema.REMEDY}' if found in schema.REVISIONS else newer}"]
    from alembic.autogenerate import compare_metadata  # noqa: PLC0415 - slow to load
    from alembic.migration import MigrationContext  # noqa: PLC0415

    engine = make_engine(parse_url(url))

    def here(item: SchemaItem, name: str | None, kind: str, reflected: bool, other: SchemaItem | None) -> bool:  # noqa: FBT001
        return ours(item, name, kind, reflected, other) and item.info.get("only", dialect) == dialect

    dialect = engine.dialect.name
    try:
        with transaction(engine, writes=False) as connection:
            context = MigrationContext.configure(connection, opts={"include_object": here, "compare_type": True})
            return [
                f"schema differs from this drift's: {difference}" for difference in compare_metadata(context, metadata)
            ]
    finally:
        engine.dispose()


def ours(_item: SchemaItem, name: str | None, kind: str, reflected: bool, _other: SchemaItem | None) -> bool:  # noqa: FBT001
    """Alembic's filter, with its signature: other people's tables in the database are none of drift's business."""
    return not (kind == "table" and reflected and name not in metadata.tables)


@contextmanager
def _locked(url: str) -> Iterator[Connection]:
    """One transaction that no other migration runs beside."""
    # SQLite changes tables by copying them, which must not follow foreign keys; they are checked at the end.
    engine = make_engine(parse_url(url), foreign_keys=False)
    try:
        with transaction(engine, writes=True) as connection:
            if connection.dialect.name == "sqlite":  # BEGIN IMMEDIATE is the lock
                yield connection
                _check_foreign_keys(connection)
            else:
                connection.execute(text(f"SET LOCAL lock_timeout = '{_PATIENCE}s'"))
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
                yield connection
    except StoreError as error:
        if not _waited(error):
            raise
        told = (
            "another upgrade, or a transaction that was left open, holds a lock; nothing has changed: end it, try again"
        )
        raise StoreError(f"{error}; {told}") from error
    finally:
        engine.dispose()


def _waited(error: StoreError) -> bool:
    """Whether a lock was not to be had in time: PostgreSQL's lock_not_available, SQLite's SQLITE_BUSY."""
    cause = error.__cause__
    origin = cause.orig if isinstance(cause, DBAPIError) else None
    return getattr(origin, "sqlstate", None) == "55P03" or getattr(origin, "sqlite_errorname", None) == "SQLITE_BUSY"


def _check_foreign_keys(connection: Connection) -> None:
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    if broken:
        tables = sorted({str(row[0]) for row in broken})
        raise StoreError(
            f"the migration would break {len(broken)} references from {', '.join(tables)}; nothing changed"
        )


def _refuse(connection: Connection, found: str | None, url: str) -> None:
    store = describe_url(parse_url(url))
    schema.refuse_newer(found, store)
    if found is None and connection.dialect.name == "sqlite" and not schema.is_blank(connection):
        raise StoreError(f"{store} is a SQLite database, but not a drift store; name another file")


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
    raise StoreError(f"drift's migrations are missing beside {package}; install drift again")
