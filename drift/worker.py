"""Who holds a window: the name a process signs its claims with, and whether another one still lives."""

import os
import socket
from dataclasses import dataclass


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
