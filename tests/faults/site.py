"""Processes of drift at work on one set of data, with their store and receiver."""

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

from tests.faults.ledger import Counts, audit, describe_repeats, pass_time, query
from tests.faults.receiver import Receiver, open_receiver
from tests.faults.world import World
from tests.support.nursery import Nursery

PROCESS_TIMEOUT: Final = 120.0  # seconds for one process
AFTER_LEASES: Final = 7200.0  # seconds: longer than every lease and retry delay, except a Retry-After


class StuckError(AssertionError):
    """A scenario did not finish: reported as a failure of its own, never as counts."""


@dataclass
class Site:
    """Data, store, receiver and processes of a scenario."""

    world: World
    store: str
    receiver: Receiver
    config: Path
    nursery: Nursery
    started: list["subprocess.Popen[bytes]"] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)  # of every process

    def start(
        self, *args: str, config: Path | None = None, by: Sequence[str] = (), **env: str
    ) -> "subprocess.Popen[bytes]":
        """Start a process of drift; `by` is a command prefix that runs it, in a namespace for example."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("DRIFT_")}
        with (self.world.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [*by, sys.executable, "-m", "drift", *args, "-c", str(config or self.config)],
                env={**inherited, "NO_PROXY": "*", **self.env, **env},
                stdout=log,
                stderr=log,
            )
        self.started.append(process)
        return process

    def run(self, *, config: Path | None = None, **env: str) -> int:
        """Run `drift run`; return its exit status, or minus the signal that ended it."""
        log = self.world.folder / "log"
        return self.nursery.run(["run", "-c", str(config or self.config)], log, NO_PROXY="*", **env)

    def serve(self, *, config: Path | None = None, **env: str) -> "subprocess.Popen[bytes]":
        """Start `drift serve` with ticks of half a second."""
        return self.start("serve", "--port", "0", "--tick", "0.5", config=config, **env)

    def windows_leased_by(self, pid: int) -> int:
        """Count the windows leased by a process of this host."""
        owner = f"(lease_owner LIKE '%:{pid}' OR lease_owner LIKE '%:{pid}@%')"  # with or without its host
        statement = f"SELECT count(*) FROM \"window\" WHERE status = 'claimed' AND {owner}"
        try:
            return int(query(self.store, statement)[0][0])
        except sqlite3.OperationalError:  # the file does not exist yet
            return 0

    def remaining(self) -> tuple[int, int]:
        """Count unfinished windows (-1 if none is planned yet) and pending notifications."""
        try:
            planned, done = query(
                self.store, "SELECT count(*), count(*) FILTER (WHERE status = 'done') FROM \"window\""
            )[0]
        except sqlite3.OperationalError:  # the file does not exist yet
            return -1, 0
        pending = query(self.store, "SELECT count(*) FROM delivery WHERE status = 'pending'")[0][0]
        return (planned - done if planned == len(self.world.truth.windows) else -1), pending

    def settle(self, rounds: int = 12) -> None:
        """Run repeatedly until nothing is left, as cron would; time passes between the runs.

        Raises
        ------
        StuckError
            If something is left after the last run.
        """
        for _ in range(rounds):
            self.run()
            if self.remaining() == (0, 0):
                return
            pass_time(self.store, AFTER_LEASES)
        raise StuckError(f"left after {rounds} runs: {self.remaining()} (windows, notifications); {self.tail()}")

    def counts(self, *, refused: bool = False) -> Counts:
        """Count the faults by the ledger."""
        return audit(self.store, self.world.truth, self.receiver, refused=refused)

    def describe_repeats(self) -> str:
        """Describe the repeated notifications."""
        return describe_repeats(self.store, self.receiver, self.log())

    def wait_until(self, done: Callable[[], bool], what: str, seconds: float = PROCESS_TIMEOUT) -> None:
        """Wait for a condition.

        Raises
        ------
        StuckError
            If it does not hold in time.
        """
        deadline = time.monotonic() + seconds
        while not done():
            if time.monotonic() > deadline:
                raise StuckError(f"{what} did not happen within {seconds:g} s; {self.tail()}")
            time.sleep(0.05)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def log(self) -> str:
        """Return the output of all processes."""
        log = self.world.folder / "log"
        return log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""

    def tail(self) -> str:
        """Return the end of the log."""
        return self.log()[-1500:]

    def kill_all(self) -> None:
        """Kill all processes."""
        for process in self.started:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait()


@contextmanager
def open_site(store: str, world: World, nursery: Nursery, certificate: Path | None = None) -> Iterator[Site]:
    """Open a site for a scenario; end its processes afterwards."""
    with open_receiver(certificate) as receiver:
        site = Site(world, store, receiver, world.configure(store, receiver.url), nursery)
        try:
            yield site
        finally:
            site.kill_all()
