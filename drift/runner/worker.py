"""Who holds a window: the name a process signs its claims with, whether another one still lives, and how it ends."""

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

POST: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,99}")
"""What may be a worker's post: the name that its operator gives."""

_NAME: Final = re.compile(r"((?P<post>[^=]*)=)?(?P<host>.+):(?P<pid>\d+)(@(?P<place>\w+)-(?P<start>\d+))?")


@dataclass(frozen=True, slots=True)
class Worker:
    """A process that checks windows.

    Parameters
    ----------
    name : str
        ``host:pid@place-start`` for a process of this machine. Containers may share a host name, and each has a
        process 1: `place` stands for this boot and this namespace of process numbers, `start` for when the process
        began, in clock ticks since the boot. Only ``host:pid`` where that cannot be told (it takes Linux); anything
        else is nobody this one can tell about. Where it has a post, that stands before, with a ``=``.
    began : datetime or None
        When the process took its post, by the store's clock; None where it has none.
    """

    name: str
    began: datetime | None = None

    @classmethod
    def this(cls) -> "Worker":
        """The process that asks."""
        address, place, start = f"{socket.gethostname()}:{os.getpid()}", _place(), _start("self")
        return cls(f"{address}@{place}-{start}" if place and start else address)

    def at(self, post: str, began: datetime) -> "Worker":
        """The same, with a post: a name that one process at a time bears, as its operator promises.

        So that none is taken for another of its post, one that cannot be told apart gets a place by chance.
        """
        place = "" if self.told_apart else f"@{secrets.token_hex(4)}-0"
        return Worker(f"{post}={self.name}{place}", began)

    @property
    def told_apart(self) -> bool:
        """Whether no other process has, or ever had, this very name; else one before it may have had it."""
        return "@" in self.name

    @property
    def post(self) -> str:
        """The name that the operator gave; empty where there is none."""
        found = _NAME.fullmatch(self.name)
        return found["post"] or "" if found else ""

    def shares_post(self, other: str) -> bool:
        """Whether another process, of now or before, has or had the post of this one."""
        return bool(self.post) and other != self.name and Worker(other).post == self.post

    def knows_gone(self, other: str, alive: datetime | None = None) -> bool:
        """Whether another worker is certainly no more: of this host, or of this one's post and before it.

        Nobody of another boot or another namespace is known to be, be the host's name the same: their lease runs its
        time. Nor is one of the same post that gave a sign of life since this one began: against the operator's
        promise, it lives beside this one. Taking windows from each other all the time, neither would ever finish one.
        Nor one that is seen to live, whatever was promised: runs that overlap would have a window given up.

        Parameters
        ----------
        other : str
            As it called itself.
        alive : datetime or None
            Its last sign of life, by the store's clock, where that is known: the last claim or renewal of a lease.
        """
        mine, found = _NAME.fullmatch(self.name), _NAME.fullmatch(other)
        here = mine and found and mine["host"] == found["host"] and mine["place"] == found["place"]
        if self.shares_post(other) and alive is not None and self.began is not None and alive < self.began:
            return not (here and found and found["start"] and _start(found["pid"]) == found["start"])
        if not mine or not found or not here:
            return False
        if mine["pid"] == found["pid"]:  # a number has one process at a time
            return mine["start"] != found["start"]
        try:
            os.kill(int(found["pid"]), 0)
        except ProcessLookupError:
            return True
        except (PermissionError, OverflowError):  # alive as somebody else's; no process number at all
            return False
        now = _start(found["pid"]) if found["start"] else ""
        return bool(now) and now != found["start"]  # another process has got its number since


def _place() -> str:
    """Where process numbers mean what they mean here; empty where that cannot be told."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        space = Path("/proc/self/ns/pid").readlink()
        if Path("/proc/self").readlink().name != str(os.getpid()):  # it tells of another namespace's processes
            return ""
    except OSError:
        return ""
    return hashlib.sha256(f"{boot} {space}".encode()).hexdigest()[:8]


def _start(process: str) -> str:
    """When a process began, in clock ticks since the boot (proc_pid_stat(5), field 22).

    Empty where nobody tells, and of one that has ended, which its parent has not asked after yet.
    """
    try:
        stat = Path(f"/proc/{process}/stat").read_bytes()
    except OSError:
        return ""
    state, *fields = stat.rpartition(b")")[2].split()
    return "" if state in {b"Z", b"X"} else fields[18].decode("ascii")


def exit_handler() -> Callable[[int, FrameType | None], None] | signal.Handlers:
    """The handler with which a signal ends this process at once.

    By default the kernel does that, but not to the first process of a container: it ignores what that does not handle.
    """
    return _end if os.getpid() == 1 else signal.SIG_DFL


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    os._exit(128 + number)  # as a shell tells the end by a signal
