"""Who holds a window: the name a process signs its claims with, whether another one still lives, and how it ends."""

import os
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import NoReturn


@dataclass(frozen=True, slots=True)
class Worker:
    """A process that checks windows.

    Parameters
    ----------
    name : str
        ``host:pid`` for a process of this machine; anything else is nobody this one can tell about.
    """

    name: str

    @classmethod
    def this(cls) -> "Worker":
        """The process that asks."""
        return cls(f"{socket.gethostname()}:{os.getpid()}")

    def knows_gone(self, other: str) -> bool:
        """Whether another worker was on this host and is certainly no more.

        A number that another process has got meanwhile reads as alive: the lease then runs its time. A wrong
        "gone" (another container of the same host name) costs work, never a wrong result: claims are fenced.
        """
        host, _, pid = self.name.rpartition(":")
        other_host, _, other_pid = other.rpartition(":")
        if not host or host != other_host or pid == other_pid or not other_pid.isdecimal():
            return False
        try:
            os.kill(int(other_pid), 0)
        except ProcessLookupError:
            return True
        except (PermissionError, OverflowError):  # alive as somebody else's; no process number at all
            return False
        return False


def at_once() -> Callable[[int, FrameType | None], None] | signal.Handlers:
    """The handler with which a signal ends this process at once.

    By default the kernel does that, but not to the first process of a container: it ignores what that does not handle.
    """
    return _end if os.getpid() == 1 else signal.SIG_DFL


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    os._exit(128 + number)  # as a shell tells the end by a signal
