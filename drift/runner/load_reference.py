"""A monitor's reference: the one there is, or read now, by one process at a time; given up where that ends processes.

Reading it may end the process (out of memory, a crash in a library). So each attempt is written down before it is
made, and taken away when it ends, well or badly: those that stay are lost ones. From some on it is read with nothing
else in hand, and in the end no more. One process at a time: such a reference takes one replica with it, not all of them
at once, and a good one is read once, not by each.
"""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime

from drift.errors import SourceError, StoreError
from drift.monitors.spec import Monitor
from drift.monitors.window import format_instant
from drift.references import current_reference, freeze_reference, reference_digest
from drift.runner.isolation import ISOLATE_AFTER_CRASHES, MAX_TURN_SECONDS, exclusive_turn
from drift.runner.lease import LEASE_TTL, MAX_ATTEMPTS, heartbeat_thread
from drift.runner.timeout import run_with_timeout
from drift.runner.worker import Worker
from drift.store import Attempt, Definition, Store, StoredReference

_Key = tuple[Store, int, datetime]  # the row's and when it was begun: SQLite gives a row's anew once it is gone

_under_way: dict[_Key, Attempt] = {}  # what this process is reading
_owed: set[_Key] = set()  # what ended here, and could not be written down

log = logging.getLogger(__name__)


class ReferenceAbandoned(SourceError):  # noqa: N818 - reads as what happened
    """Reading a reference ended so many processes that no more are put at risk."""


def load_reference(
    store: Store,
    monitor: Monitor,
    definition: Definition,
    *,
    worker: Worker,
    now: Callable[[], datetime],
    stopping: Callable[[], bool],
) -> StoredReference | None:
    """The monitor's reference; None where it is not to be had now: another process reads it, or none is to begin.

    Raises
    ------
    GivenUp
        Where 15 attempts to read it were lost.
    SourceError
        Where it cannot be read, holds no rows, takes longer than the deadline, or gets no turn to be read alone.
    """
    known = current_reference(store, monitor, definition.monitor_id)
    if known is not None:
        return known
    digest = reference_digest(monitor)
    lost = _take_back(store, monitor, digest, worker, now())
    if len(lost) >= MAX_ATTEMPTS:
        raise ReferenceAbandoned(_told(lost))
    with exclusive_turn(alone=len(lost) >= ISOLATE_AFTER_CRASHES, stopping=stopping) as mine:
        if not mine and not stopping():  # to be told: its windows wait, and nobody is at them
            raise SourceError(_put_off(lost))
        attempt = store.begin_reading(definition.monitor_id, digest, worker.name, now(), LEASE_TTL) if mine else None
        if attempt is None:
            return None
        with _reading(store, attempt, now):
            return run_with_timeout(
                monitor.deadline,
                monitor.name,
                "reading the reference",
                lambda: freeze_reference(store, monitor, definition, now()),  # another one's, where that came first
            )


def abandoned_reference(store: Store, monitor: Monitor, now: datetime) -> str:
    """Why the reference is not read any more, and what to do; empty where it is. Writes nothing."""
    lost = _lost(store, monitor, now)
    return _told(lost) if len(lost) >= MAX_ATTEMPTS else ""


def crashing_reference(store: Store, monitor: Monitor, now: datetime) -> str:
    """How often whoever read the reference came to no end, where that is no accident any more; else empty."""
    lost = _lost(store, monitor, now)
    if not ISOLATE_AFTER_CRASHES <= len(lost) < MAX_ATTEMPTS:
        return ""
    return (
        f"whoever read its reference came to no end {len(lost)} times (out of memory? killed? logs may tell), "
        f"last {lost[-1].owner}: give it more memory or configure a smaller one; at {MAX_ATTEMPTS} it is given up"
    )


def _lost(store: Store, monitor: Monitor, now: datetime) -> list[Attempt]:
    """Attempts on the reference as it is configured whose lease is over. Writes nothing."""
    digest = reference_digest(monitor)
    return [one for one in store.attempts(monitor.name) if one.digest == digest and not one.is_leased(now)]


def read_by_another(store: Store, monitor: Monitor, now: datetime) -> Attempt | None:
    """The attempt under way to read the monitor's reference, if there is one."""
    digest = reference_digest(monitor)
    return next((one for one in store.attempts(monitor.name) if one.digest == digest and one.is_leased(now)), None)


def monitors_with_crashes(store: Store, monitors: Iterable[Monitor], worker: Worker, now: datetime) -> dict[str, int]:
    """Monitors whose reference is read alone, since it may end the process, and how often it did: others come first.

    Of several, those with fewer lost attempts come before those with more: who was merely beside it gets through.
    """
    lost = Counter((one.monitor, one.digest) for one in store.attempts() if _is_lost(store, one, worker, now))
    names = {name for name, _ in lost}
    found = {one.name: lost[one.name, reference_digest(one)] for one in monitors if one.name in names}
    return {name: times for name, times in found.items() if ISOLATE_AFTER_CRASHES <= times < MAX_ATTEMPTS}


def end_attempts(store: Store, monitor: str) -> None:
    """Told to stop: what this process still reads of a monitor's reference counts as no lost attempt."""
    for (kept, *_), attempt in list(_under_way.items()):
        if kept is store and attempt.monitor == monitor:
            _end(store, attempt)


@contextmanager
def _reading(store: Store, attempt: Attempt, now: Callable[[], datetime]) -> Iterator[None]:
    """Keep the lease of an attempt until the body is through. However that ends, the process has not."""
    ended = threading.Event()
    what = f"reading the reference of {attempt.monitor}"
    keeper = heartbeat_thread(lambda until: store.renew_reading(attempt, until), what, now, LEASE_TTL, ended)
    _under_way[_key(store, attempt)] = attempt
    try:
        keeper.start()
        yield
    finally:
        ended.set()
        if keeper.ident is not None:
            keeper.join()
        _end(store, attempt)
        del _under_way[_key(store, attempt)]


def _key(store: Store, attempt: Attempt) -> _Key:
    return store, attempt.id, attempt.begun_at


def _end(store: Store, attempt: Attempt) -> None:
    try:
        store.end_reading(attempt)
    except StoreError as error:  # else it would count as lost: made up for by the next look
        log.warning("%s: cannot write down that reading its reference has ended: %s", attempt.monitor, error)
        _owed.add(_key(store, attempt))


def _take_back(store: Store, monitor: Monitor, digest: str, worker: Worker, now: datetime) -> list[Attempt]:
    """The lost attempts on a reference. Nobody waits for the lease of one whose process is known to be no more."""
    lost = []
    for one in store.attempts(monitor.name):
        if _is_owed(store, one, worker):
            store.end_reading(one)
            _owed.discard(_key(store, one))
        elif one.digest == digest and _is_lost(store, one, worker, now):
            lost.append(one)
            if one.is_leased(now):
                log.warning("%s: %s, which read its reference, is no more", monitor.name, one.owner)
                store.lose_reading(one, now)
    return lost


def _is_owed(store: Store, one: Attempt, worker: Worker) -> bool:
    """Whether it is this process's, and not under way: it ended, or its beginning was written and never answered."""
    mine = one.owner == worker.name and worker.told_apart
    return _key(store, one) in _owed or (mine and _key(store, one) not in _under_way)


def _is_lost(store: Store, one: Attempt, worker: Worker, now: datetime) -> bool:
    """Whether whoever made an attempt is no more, as far as can be told."""
    if _key(store, one) in _under_way or _is_owed(store, one, worker):
        return False
    if not one.is_leased(now):
        return True
    # One of this very name that this process is not at: of a dead one, where a name is no more than host and number.
    return one.owner == worker.name or worker.knows_gone(one.owner, one.until - LEASE_TTL)


def _put_off(lost: list[Attempt]) -> str:
    return (
        f"its reference waits: whoever read it came to no end {len(lost)} times, so it is read with nothing else in "
        f"hand, and other monitors' work has taken longer than {MAX_TURN_SECONDS:g} s; it is tried again at each tick "
        "(`drift run` reads it at once)"
    )


def _told(lost: list[Attempt]) -> str:
    last = lost[-1]
    begun = format_instant(last.begun_at.replace(microsecond=0))
    return (
        f"its reference is given up: {len(lost)} times, whoever read it came to no end (out of memory? killed? a "
        f"defect? logs may tell), last {last.owner}, begun {begun}. It is not read again by itself: give it more "
        "memory or configure a smaller one; what is configured otherwise is read at once, this one by `drift backfill`"
    )
