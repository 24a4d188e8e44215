"""How the service does."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Pulse:
    """How the service does, at one moment.

    Parameters
    ----------
    started : datetime or None
        When the newest tick began.
    finished : datetime or None
        When a tick last went through.
    delivered : datetime or None
        When the outbox was last gone through; a long tick does so every few seconds.
    alive : datetime or None
        The last sign of life: a tick began or ended, or looked after the rounds under way.
    fault : str
        Why the newest tick that ended did not go through; empty where it did, or the one under way gets on.
    succeeded : mapping of str to datetime
        By monitor, when all its due windows could last be checked.
    failed : mapping of str to str
        By monitor, why it could not be, when last tried.
    """

    started: datetime | None = None
    finished: datetime | None = None
    delivered: datetime | None = None
    alive: datetime | None = None
    fault: str = ""
    succeeded: Mapping[str, datetime] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)
