"""Worker identity: the name in claims, whether another worker is still alive, and how a signal ends a process."""

import hashlib
import os
import re
import secrets
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

WORKER_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,99}")
"""Names that an operator may assign to a worker."""

_IDENTITY: Final = re.compile(r"((?P<assigned>[^=]*)=)?(?P<host>.+):(?P<pid>\d+)(@(?P<namespace>\w+)-(?P<start>\d+))?")


@dataclass(frozen=True, slots=True)
class Worker:
    """A process that checks windows.

    Parameters
    ----------
    name : str
        ``host:pid@namespace-start``, preceded by ``assigned=`` if the operator assigned a name. Containers may share
        a host name, and each has a process 1: `namespace` identifies this boot and PID namespace, `start` is when the
        process started, in clock ticks since boot. Without Linux's /proc only ``host:pid``. Of a name in any other
        form, nothing is known.
    started : datetime or None
        When a process with an assigned name started, by the store's clock.
    """

    name: str
    started: datetime | None = None

    @classmethod
    def current(cls) -> "Worker":
        """Return the calling process."""
        address, namespace, start = f"{socket.gethostname()}:{os.getpid()}", _namespace(), _start_ticks("self")
        return cls(f"{address}@{namespace}-{start}" if namespace and start else address)

    def with_assigned_name(self, assigned: str, started: datetime) -> "Worker":
        """Return this worker with an assigned name; the operator promises that one process at a time has it.

        A process without a unique identity gets a random one, so that two of the same assigned name differ.
        """
        suffix = "" if self.is_unique else f"@{secrets.token_hex(4)}-0"
        return Worker(f"{assigned}={self.name}{suffix}", started)

    @property
    def is_unique(self) -> bool:
        """Whether no other process has, or ever had, this name."""
        return "@" in self.name

    @property
    def assigned_name(self) -> str:
        """The name assigned by the operator, or an empty string."""
        identity = _IDENTITY.fullmatch(self.name)
        return identity["assigned"] or "" if identity else ""

    def shares_name(self, other: str) -> bool:
        """Whether another process, present or past, has the assigned name of this one."""
        return bool(self.assigned_name) and other != self.name and Worker(other).assigned_name == self.assigned_name

    def knows_dead(self, other: str, last_seen: datetime | None = None) -> bool:
        """Whether another worker is certainly dead: a process of this host, or the predecessor of an assigned name.

        Nothing is known of processes of another boot or PID namespace, even under the same host name; their leases
        must expire. A worker with the same assigned name is alive if it was seen after this one started (two workers
        that took windows from each other would never finish one) or if its process is still running (overlapping runs
        would count as crashes). `last_seen` is when it last claimed or renewed a lease, by the store's clock, if known.
        """
        mine, theirs = _IDENTITY.fullmatch(self.name), _IDENTITY.fullmatch(other)
        is_local = mine and theirs and mine["host"] == theirs["host"] and mine["namespace"] == theirs["namespace"]
        if self.shares_name(other) and last_seen is not None and self.started is not None and last_seen < self.started:
            return not (is_local and theirs and theirs["start"] and _start_ticks(theirs["pid"]) == theirs["start"])
        if not mine or not theirs or not is_local:
            return False
        if mine["pid"] == theirs["pid"]:  # one process at a time has a PID
            return mine["start"] != theirs["start"]
        try:
            os.kill(int(theirs["pid"]), 0)
        except ProcessLookupError:
            return True
        except (PermissionError, OverflowError):  # alive under another user; or not a PID at all
            return False
        start = _start_ticks(theirs["pid"]) if theirs["start"] else ""
        return bool(start) and start != theirs["start"]  # the PID was reused


def _namespace() -> str:
    """Return an identifier of this boot and PID namespace, or an empty string if they are unknown."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        space = Path("/proc/self/ns/pid").readlink()
        if Path("/proc/self").readlink().name != str(os.getpid()):  # /proc is that of another namespace
            return ""
    except OSError:
        return ""
    return hashlib.sha256(f"{boot} {space}".encode()).hexdigest()[:8]


def _start_ticks(process: str) -> str:
    """Return when a process started, in clock ticks since boot (proc_pid_stat(5), field 22).

    The result is empty if that is unknown, and for a process that has exited but was not waited for.
    """
    try:
        stat = Path(f"/proc/{process}/stat").read_bytes()
    except OSError:
        return ""
    state, *fields = stat.rpartition(b")")[2].split()
    return "" if state in {b"Z", b"X"} else fields[18].decode("ascii")


def exit_handler() -> Callable[[int, FrameType | None], None] | signal.Handlers:
    """Return the signal handler that ends this process at once.

    That is the kernel's default, except for the first process of a container: the kernel drops signals it does not
    handle.
    """
    return _exit if os.getpid() == 1 else signal.SIG_DFL


def _exit(number: int, _frame: FrameType | None) -> NoReturn:
    os._exit(128 + number)  # the status that shells report for a signal
