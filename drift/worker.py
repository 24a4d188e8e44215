"""Who holds a window: the name a process signs its claims with, whether another one still lives, and how it ends."""

import hashlib
import os
import re
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

_NAME: Final = re.compile(r"(?P<host>.+):(?P<pid>\d+)(@(?P<place>\w+)-(?P<start>\d+))?")


@dataclass(frozen=True, slots=True)
class Worker:
    """A process that checks windows.

    Parameters
    ----------
    name : str
        ``host:pid@place-start`` for a process of this machine. Containers may share a host name, and each has a
        process 1: `place` stands for this boot and this namespace of process numbers, `start` for when the process
        began, in clock ticks since the boot. Only ``host:pid`` where that cannot be told (it takes Linux); anything
        else is nobody this one can tell about.
    """

    name: str

    @classmethod
    def this(cls) -> "Worker":
        """The process that asks."""
        address, place, start = f"{socket.gethostname()}:{os.getpid()}", _place(), _start("self")
        return cls(f"{address}@{place}-{start}" if place and start else address)

    def knows_gone(self, other: str) -> bool:
        """Whether another worker was on this host and is certainly no more.

        Nobody of another boot or another namespace is known to be, be the host's name the same: their lease runs its
        time.
        """
        mine, found = _NAME.fullmatch(self.name), _NAME.fullmatch(other)
        if not mine or not found or mine["host"] != found["host"] or mine["place"] != found["place"]:
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
    """When a process began, in clock ticks since the boot (proc_pid_stat(5), field 22); empty where nobody tells."""
    try:
        stat = Path(f"/proc/{process}/stat").read_bytes()
    except OSError:
        return ""
    return stat.rpartition(b")")[2].split()[19].decode("ascii")


def at_once() -> Callable[[int, FrameType | None], None] | signal.Handlers:
    """The handler with which a signal ends this process at once.

    By default the kernel does that, but not to the first process of a container: it ignores what that does not handle.
    """
    return _end if os.getpid() == 1 else signal.SIG_DFL


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    os._exit(128 + number)  # as a shell tells the end by a signal
