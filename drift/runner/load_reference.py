"""Load a monitor's reference: from the store, or read now by one process at a time.

Reading a reference may crash the process (out of memory, a crash in a library). So each attempt is stored before it
starts and deleted when it ends, whatever its result; the attempts that remain have crashed. After some crashes the
reference is read in isolation, and in the end it is abandoned. Only one process reads a reference at a time: a bad one
then crashes one replica rather than all of them, and a good one is read once.
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
from drift.runner.isolation import ISOLATE_AFTER_CRASHES, MAX_EXCLUSIVE_SECONDS, work_slot
from drift.runner.lease import LEASE_TTL, MAX_ATTEMPTS, heartbeat_thread
from drift.runner.timeout import run_with_timeout
from drift.runner.worker import Worker
from drift.store import Attempt, Definition, Store, StoredReference

_Key = tuple[Store, int, datetime]  # with the start of the attempt: SQLite reuses the id of a deleted row

_active: dict[_Key, Attempt] = {}  # attempts of this process that are running
_unrecorded: set[_Key] = set()  # attempts of this process that ended while the store was unreachable

log = logging.getLogger(__name__)


class ReferenceAbandoned(SourceError):  # noqa: N818 - reads as what happened
    """Reading the reference crashed so many workers that it is not read again."""

    default_code = "reference-abandoned"


def load_reference(
    store: Store,
    monitor: Monitor,
    definition: Definition,
    *,
    worker: Worker,
    now: Callable[[], datetime],
    stopping: Callable[[], bool],
) -> StoredReference | None:
    """Return the monitor's reference, or None if another process is reading it or this one is stopping.

    Raises
    ------
    ReferenceAbandoned
        If `MAX_ATTEMPTS` attempts to read it crashed.
    SourceError
        If it cannot be read, holds no rows, exceeds the deadline, or cannot be read in isolation now.
    """
    known = current_reference(store, monitor, definition.monitor_id)
    if known is not None:
        return known
    digest = reference_digest(monitor)
    crashed = _collect_crashed(store, monitor, digest, worker, now())
    if len(crashed) >= MAX_ATTEMPTS:
        raise ReferenceAbandoned(_abandoned_message(crashed), code="reference-abandoned")
    with work_slot(exclusive=len(crashed) >= ISOLATE_AFTER_CRASHES, stopping=stopping) as granted:
        if not granted and not stopping():  # an error, because the windows of the monitor wait and no one works on them
            raise SourceError(_postponed_message(len(crashed)), code="isolation-postponed")
        if not granted:
            return None
        attempt = store.references.begin_attempt(definition.monitor_id, digest, worker.name, now(), LEASE_TTL)
        if attempt is None:
            return None
        with _hold_attempt(store, attempt, now):
            return run_with_timeout(
                monitor.deadline,
                monitor.name,
                "reading the reference",
                lambda: freeze_reference(store, monitor, definition, now()),  # or that of a process that was faster
            )


def abandoned_reference(store: Store, monitor: Monitor, now: datetime) -> str:
    """Return why the reference is abandoned and what to do, or an empty string. Writes nothing."""
    crashed = _expired_attempts(store, monitor, now)
    return _abandoned_message(crashed) if len(crashed) >= MAX_ATTEMPTS else ""


def crashing_reference(store: Store, monitor: Monitor, now: datetime) -> str:
    """Return how often reading the reference crashed if that is suspicious, or an empty string. Writes nothing."""
    crashed = _expired_attempts(store, monitor, now)
    if not ISOLATE_AFTER_CRASHES <= len(crashed) < MAX_ATTEMPTS:
        return ""
    return (
        f"the worker crashed {len(crashed)} times while reading the reference (out of memory, or killed? see its log), "
        f"last {crashed[-1].owner}; provide more memory or configure a smaller reference; after {MAX_ATTEMPTS} crashes "
        "it is abandoned"
    )


def _expired_attempts(store: Store, monitor: Monitor, now: datetime) -> list[Attempt]:
    """Return the attempts on the configured reference whose lease has expired."""
    digest = reference_digest(monitor)
    return [one for one in store.references.attempts(monitor.name) if one.digest == digest and not one.is_leased(now)]


def active_attempt(store: Store, monitor: Monitor, now: datetime) -> Attempt | None:
    """Return the running attempt to read the monitor's reference, if there is one."""
    digest = reference_digest(monitor)
    return next(
        (one for one in store.references.attempts(monitor.name) if one.digest == digest and one.is_leased(now)), None
    )


def monitors_with_crashes(store: Store, monitors: Iterable[Monitor], worker: Worker, now: datetime) -> dict[str, int]:
    """Return monitors whose reference is read in isolation, with the number of crashes.

    They should be checked after all others, those with fewer crashes first: a reference that merely was read beside a
    crashing one then succeeds.
    """
    crashed = Counter(
        (one.monitor, one.digest) for one in store.references.attempts() if _has_crashed(store, one, worker, now)
    )
    names = {name for name, _ in crashed}
    crashes = {one.name: crashed[one.name, reference_digest(one)] for one in monitors if one.name in names}
    return {name: count for name, count in crashes.items() if ISOLATE_AFTER_CRASHES <= count < MAX_ATTEMPTS}


def end_attempts(store: Store, monitor: str) -> None:
    """End this process's attempts to read a monitor's reference, so that stopping does not count as a crash."""
    for (owner, *_), attempt in list(_active.items()):
        if owner is store and attempt.monitor == monitor:
            _end(store, attempt)


@contextmanager
def _hold_attempt(store: Store, attempt: Attempt, now: Callable[[], datetime]) -> Iterator[None]:
    """Renew the lease of an attempt while the body runs. However the body ends, the process has not crashed."""
    finished = threading.Event()
    subject = f"reading the reference of {attempt.monitor}"
    heartbeat = heartbeat_thread(
        lambda until: store.references.renew_attempt(attempt, until), subject, now, LEASE_TTL, finished
    )
    _active[_key(store, attempt)] = attempt
    try:
        heartbeat.start()
        yield
    finally:
        finished.set()
        if heartbeat.ident is not None:
            heartbeat.join()
        _end(store, attempt)
        del _active[_key(store, attempt)]


def _key(store: Store, attempt: Attempt) -> _Key:
    return store, attempt.id, attempt.begun_at


def _end(store: Store, attempt: Attempt) -> None:
    try:
        store.references.end_attempt(attempt)
    except StoreError as error:  # it would count as a crash; the next call of `_collect_crashed` ends it
        message = "%s: could not store that reading the reference has ended: %s"
        log.warning(message, attempt.monitor, error, extra={"code": error.code})
        _unrecorded.add(_key(store, attempt))


def _collect_crashed(store: Store, monitor: Monitor, digest: str, worker: Worker, now: datetime) -> list[Attempt]:
    """Return the crashed attempts on a reference; end those of this process, and the leases of dead workers."""
    crashed = []
    for attempt in store.references.attempts(monitor.name):
        if _has_ended_here(store, attempt, worker):
            store.references.end_attempt(attempt)
            _unrecorded.discard(_key(store, attempt))
        elif attempt.digest == digest and _has_crashed(store, attempt, worker, now):
            crashed.append(attempt)
            if attempt.is_leased(now):
                message = "%s: worker %s died while reading the reference"
                log.warning(message, monitor.name, attempt.owner, extra={"code": "lease-reclaimed"})
                store.references.expire_attempt(attempt, now)
    return crashed


def _has_ended_here(store: Store, attempt: Attempt, worker: Worker) -> bool:
    """Return whether an attempt is this process's and not running: it ended, or starting it was never confirmed."""
    is_own = attempt.owner == worker.name and worker.is_unique
    return _key(store, attempt) in _unrecorded or (is_own and _key(store, attempt) not in _active)


def _has_crashed(store: Store, attempt: Attempt, worker: Worker, now: datetime) -> bool:
    """Return whether the worker that made an attempt is dead, as far as is known."""
    if _key(store, attempt) in _active or _has_ended_here(store, attempt, worker):
        return False
    if not attempt.is_leased(now):
        return True
    # The same name without a running attempt: a dead process, where a name is only host and PID.
    return attempt.owner == worker.name or worker.knows_dead(attempt.owner, attempt.until - LEASE_TTL)


def _postponed_message(crashes: int) -> str:
    return (
        f"reading the reference is postponed: it crashed the worker {crashes} times, so it is read only while nothing "
        f"else runs, and other monitors were busy for more than {MAX_EXCLUSIVE_SECONDS:g} s; `drift serve` tries again "
        "at each tick, `drift run` reads it at once"
    )


def _abandoned_message(crashed: list[Attempt]) -> str:
    last = crashed[-1]
    started = format_instant(last.begun_at.replace(microsecond=0))
    return (
        f"the reference is abandoned: the worker crashed {len(crashed)} times while reading it (out of memory, killed, "
        f"or a defect? see its log), last {last.owner}, started {started}; not retried automatically; provide more "
        "memory and run `drift backfill`, or configure a smaller reference, which is read at once"
    )
