"""One world, its store, its receiver, and processes of drift at work on them."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.faults.ledger import Counts, audit, pass_time, query, repeated
from tests.faults.receiver import Receiver, receiving
from tests.faults.world import World
from tests.support.nursery import Nursery

PATIENCE: Final = 120.0  # seconds for one process
LATER: Final = 7200.0  # seconds: beyond every lease, and every wait of a delivery but the asked-for ones


class Stuck(AssertionError):  # noqa: N818 - reads as what happened
    """A scenario that did not come to its end: told as a failure of its own, never as counts."""


@dataclass
class Site:
    """Where a scenario takes place."""

    world: World
    store: str
    receiver: Receiver
    config: Path
    nursery: Nursery
    started: list["subprocess.Popen[bytes]"] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)  # of every process that is started here

    def start(
        self, *args: str, config: Path | None = None, by: Sequence[str] = (), **env: str
    ) -> "subprocess.Popen[bytes]":
        """A process of drift at work; `by` is what runs it, in a namespace of its own, say."""
        known = {key: value for key, value in os.environ.items() if not key.startswith("DRIFT_")}
        with (self.world.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [*by, sys.executable, "-m", "drift", *args, "-c", str(config or self.config)],
                env={**known, "NO_PROXY": "*", **self.env, **env},
                stdout=log,
                stderr=log,
            )
        self.started.append(process)
        return process

    def run(self, *, config: Path | None = None, **env: str) -> int:
        """`drift run` to its end; gives its exit status, minus the signal that ended it."""
        log = self.world.folder / "log"
        return self.nursery.run(["run", "-c", str(config or self.config)], log, NO_PROXY="*", **env)

    def serve(self, *, config: Path | None = None, **env: str) -> "subprocess.Popen[bytes]":
        """`drift serve`, ticking every half a second."""
        return self.start("serve", "--port", "0", "--tick", "0.5", config=config, **env)

    def held_by(self, pid: int) -> int:
        """Windows that a process of this host holds."""
        owner = f"(lease_owner LIKE '%:{pid}' OR lease_owner LIKE '%:{pid}@%')"  # with where and since when, or without
        held = f"SELECT count(*) FROM \"window\" WHERE status = 'claimed' AND {owner}"
        try:
            return int(query(self.store, held)[0][0])
        except sqlite3.OperationalError:  # the file is not made yet
            return 0

    def left(self) -> tuple[int, int]:
        """Windows that are not done (-1 where nothing is planned yet), and messages that are not sent or given up."""
        try:
            planned = query(self.store, "SELECT count(*), count(*) FILTER (WHERE status = 'done') FROM \"window\"")[0]
        except sqlite3.OperationalError:  # the file is not made yet
            return -1, 0
        waiting = query(self.store, "SELECT count(*) FROM delivery WHERE status = 'pending'")[0][0]
        return (planned[0] - planned[1] if planned[0] == len(self.world.truth.windows) else -1), waiting

    def settle(self, rounds: int = 12) -> None:
        """Run again, later and later, until nothing is left: what a cron line would do.

        Raises
        ------
        Stuck
            Where something is left even so.
        """
        for _ in range(rounds):
            self.run()
            if self.left() == (0, 0):
                return
            pass_time(self.store, LATER)
        raise Stuck(f"left after {rounds} runs: {self.left()} (windows, messages); {self.tail()}")

    def counts(self, *, refused: bool = False) -> Counts:
        """The ledger."""
        return audit(self.store, self.world.truth, self.receiver, refused=refused)

    def repeated(self) -> str:
        """Messages that came again, and why."""
        return repeated(self.store, self.receiver, self.log())

    def until(self, done: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
        """Wait for something.

        Raises
        ------
        Stuck
            Where it does not come.
        """
        end = time.monotonic() + seconds
        while not done():
            if time.monotonic() > end:
                raise Stuck(f"{what} did not come within {seconds:g} s; {self.tail()}")
            time.sleep(0.05)

    def sleep(self, seconds: float) -> None:
        """Let the processes work."""
        time.sleep(seconds)

    def log(self) -> str:
        """What all processes said."""
        log = self.world.folder / "log"
        return log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""

    def tail(self) -> str:
        """The end of the log."""
        return self.log()[-1500:]

    def end(self) -> None:
        """No process is left."""
        for process in self.started:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait()


@contextmanager
def site(store: str, world: World, nursery: Nursery, certificate: Path | None = None) -> Iterator[Site]:
    """A scenario's place, cleared at its end."""
    with receiving(certificate) as receiver:
        made = Site(world, store, receiver, world.configure(store, receiver.url), nursery)
        try:
            yield made
        finally:
            made.end()
