"""Leases of claimed windows: renewed during the work, released if it is interrupted, reclaimed from dead workers."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final

from drift.errors import StoreError
from drift.monitors.window import Window
from drift.runner.worker import Worker
from drift.store import AlertConflict, Claim, LeasedWindow, LeaseLost, Store
from drift.store.types import ValueRefused

LEASE_TTL: Final = timedelta(minutes=10)
MAX_ATTEMPTS: Final = 15
"""Crashed attempts after which a window or reference is abandoned; more than an afternoon of deployments causes."""

_active: dict[tuple[int, int], tuple[Store, Claim]] = {}  # by window and token: the work of this process
_unreleased: dict[tuple[int, int], Claim] = {}  # claims that could not be released because the store was unreachable
_reported_workers: set[str] = set()  # other workers with this one's assigned name

log = logging.getLogger(__name__)


@contextmanager
def hold_lease(
    store: Store, claim: Claim, now: Callable[[], datetime], *, lease: timedelta = LEASE_TTL
) -> Iterator[None]:
    """Renew the lease of a claimed window while the body runs; if the body raises, make the window due at once.

    An interruption or a failure of the store does not count as an attempt. Any other failure does: it may happen every
    time, and would block the monitor for ever. The lease is renewed every third of its length.
    """
    finished = threading.Event()
    key = (claim.window_id, claim.token)
    _active[key] = store, claim
    heartbeat = heartbeat_thread(
        lambda until: store.windows.renew(claim, until),
        f"window {claim.window} of {claim.monitor}",
        now,
        lease,
        finished,
    )
    try:
        heartbeat.start()
    except RuntimeError:  # the system cannot start a thread; the work has not begun
        del _active[key]
        _release(store, claim)
        raise
    try:
        yield
    except LeaseLost:  # there is nothing to release
        raise
    except Exception as error:
        if _counts_as_attempt(error):
            _record_failed_attempt(store, claim, now, error)
        else:
            _release(store, claim)
        raise
    except BaseException:
        _release(store, claim)
        raise
    finally:
        finished.set()
        heartbeat.join()
        del _active[key]


def release_all(store: Store, monitor: str) -> list[Window]:
    """Release all windows of a monitor that this process works on, and return them.

    They are due at once, and the attempts do not count. Work that is still running cannot write any more.
    """
    claims = [claim for owner, claim in list(_active.values()) if owner is store and claim.monitor == monitor]
    for claim in claims:
        _release(store, claim)
    return [claim.window for claim in claims]


def is_owned(leased: LeasedWindow) -> bool:
    """Return whether this process is working on a leased window.

    It may hold a lease without working on it: the claim was written, or could not be released, while the store was
    unreachable.
    """
    return (leased.window_id, leased.token) in _active


def reclaim_expired(store: Store, monitor_id: int, worker: Worker, now: datetime) -> None:
    """Make windows of dead workers due before their leases expire, and those that this worker failed to release.

    A worker is dead if it was killed on this host, or if it had the assigned name of this one before. A window that
    this worker could not release counts as no attempt.
    """
    for leased in store.windows.leased(monitor_id, now):
        if leased.owner == worker.name and not is_owned(leased):
            message = "window %s is due again: this worker could not release it earlier"
            log.warning(message, leased.window, extra={"code": "lease-reclaimed"})
            _reclaim_own(store, leased, now)
        elif worker.knows_dead(leased.owner, leased.until - LEASE_TTL):
            message = "window %s is due again: worker %s died while evaluating it"
            log.warning(message, leased.window, leased.owner, extra={"code": "lease-reclaimed"})
            store.windows.expire(leased, now)
        elif worker.shares_name(leased.owner):
            _report_shared_name(worker, leased.owner)


def _report_shared_name(worker: Worker, other: str) -> None:
    if other in _reported_workers:  # this is reached thousands of times
        return
    _reported_workers.add(other)
    log.error(
        "two running workers have the name %s: %s holds windows beside this one, %s. No window is lost or evaluated "
        "twice, but a starting worker may take windows from the other one; give each worker its own name",
        worker.assigned_name,
        other,
        worker.name,
        extra={"code": "worker-name-shared"},
    )


def _reclaim_own(store: Store, leased: LeasedWindow, now: datetime) -> None:
    claim = _unreleased.pop((leased.window_id, leased.token), None)
    if claim is None:  # of a dead process with the same name: the name is only host and PID
        store.windows.expire(leased, now)
    else:
        _release(store, claim)


def heartbeat_thread(
    renew: Callable[[datetime], bool],
    subject: str,
    now: Callable[[], datetime],
    lease: timedelta,
    finished: threading.Event,
) -> threading.Thread:
    """Return a thread, not started yet, that renews a lease every third of its length until `finished` is set.

    `renew` extends the lease to the given instant; it returns False if the lease is lost, which ends the thread.
    `subject` names what is leased, for log messages.
    """

    def keep_renewing() -> None:
        while not finished.wait(lease.total_seconds() / 3):
            try:
                if not renew(now() + lease):
                    return
            except StoreError as error:  # the store may be back before the lease expires
                log.warning("could not renew the lease of %s: %s", subject, error, extra={"code": error.code})

    return threading.Thread(target=keep_renewing, name="drift-lease", daemon=True)


def _counts_as_attempt(error: Exception) -> bool:
    """Return whether the work itself failed, not the store (unreachable, full or closed)."""
    return not isinstance(error, StoreError) or isinstance(error, ValueRefused | AlertConflict)


def _record_failed_attempt(store: Store, claim: Claim, now: Callable[[], datetime], cause: Exception) -> None:
    try:
        if claim.crashes < MAX_ATTEMPTS:
            store.windows.expire(claim, now())
            return
        reason = f"no outcome can be stored, not even that the window is abandoned: {type(cause).__name__}: {cause}"
        message = "window %s of %s failed, later windows are evaluated: %s; run `drift backfill` to try again"
        log.error(message, claim.window, claim.monitor, reason, extra={"code": "window-failed"})
        store.windows.fail(claim, reason)
    except StoreError as error:  # the caller raises the cause; the lease expires
        _log_unreleased(claim, error)


def _release(store: Store, claim: Claim) -> None:
    try:
        store.windows.release(claim)
    except StoreError as error:  # the caller raises the cause; the lease expires
        _log_unreleased(claim, error)
        if not isinstance(error, LeaseLost):
            _unreleased[claim.window_id, claim.token] = claim


def _log_unreleased(claim: Claim, error: StoreError) -> None:
    log.warning("could not release window %s of %s: %s", claim.window, claim.monitor, error, extra={"code": error.code})
