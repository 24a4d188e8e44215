"""Holding a claimed window while it is worked on: the lease is renewed, and given back where the work fails."""

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
"""Attempts on a window that may come to no end; more than an afternoon of deployments interrupts of one window."""

_in_hand: dict[tuple[int, int], tuple[Store, Claim]] = {}  # by window and token: what this process is at work on
_owed: dict[tuple[int, int], Claim] = {}  # what it could not give back
_rivals: set[str] = set()  # who was told of: other processes of this one's post

log = logging.getLogger(__name__)


@contextmanager
def hold_lease(
    store: Store, claim: Claim, now: Callable[[], datetime], *, lease: timedelta = LEASE_TTL
) -> Iterator[None]:
    """Keep the lease of a claimed window until the body is through; where it raises, the window is due at once.

    What is interrupted, or fails for want of the store, counts as no attempt. Any other failure does: it may come again
    each time, and would hold up the monitor for ever.

    Parameters
    ----------
    store : Store
        Where it is claimed.
    claim : Claim
        The claim.
    now : callable
        The time.
    lease : timedelta
        Renewed three times as often as it would run out.
    """
    ended = threading.Event()
    this = (claim.window_id, claim.token)
    _in_hand[this] = store, claim
    keeper = heartbeat_thread(lambda until: store.renew(claim, until), f"window {claim.window}", now, lease, ended)
    try:
        keeper.start()
    except RuntimeError:  # the system has no thread left: nothing was begun
        del _in_hand[this]
        _give_back(store, claim)
        raise
    try:
        yield
    except LeaseLost:  # nothing to give back
        raise
    except Exception as error:
        if _counts(error):
            _count(store, claim, now, error)
        else:
            _give_back(store, claim)
        raise
    except BaseException:
        _give_back(store, claim)
        raise
    finally:
        ended.set()
        keeper.join()
        del _in_hand[this]


def release_all(store: Store, monitor: str) -> list[Window]:
    """Give back what this process has in hand of a monitor, due at once, the attempts not counted; tells which.

    Whoever is at work on it still cannot write any more.
    """
    mine = [claim for kept, claim in list(_in_hand.values()) if kept is store and claim.monitor == monitor]
    for claim in mine:
        _give_back(store, claim)
    return [claim.window for claim in mine]


def is_owned(held: LeasedWindow) -> bool:
    """Whether this process is at work on a window that it holds.

    One that it holds all the same was claimed, or should have been given back, while the store could not be reached.
    """
    return (held.window_id, held.token) in _in_hand


def reclaim_expired(store: Store, monitor_id: int, worker: Worker, now: datetime) -> None:
    """Take windows back without waiting for their leases: from workers of this host that were killed, from those who
    had this one's post before, and from itself.

    A process may hold what it is not at work on: it could not give it back while the store was gone, which counts as
    no attempt.
    """
    for held in store.held(monitor_id, now):
        if held.owner == worker.name and not is_owned(held):
            log.warning("window %s was not given back when it should have been: it is due again", held.window)
            _take_back(store, held, now)
        elif worker.knows_gone(held.owner, held.until - LEASE_TTL):
            log.warning("window %s was left by %s, which is no more: it is due again", held.window, held.owner)
            store.free(held, now)
        elif worker.shares_post(held.owner):
            _tell_rival(worker, held.owner)


def _tell_rival(worker: Worker, other: str) -> None:
    if other not in _rivals:  # once each: it may be looked at thousands of times
        _rivals.add(other)
        told = "two workers bear the name %s at a time: %s has windows in hand beside this one, %s. Nothing is lost or "
        told += "done twice by it, but a start may take the other's windows away: give each a name of its own"
        log.error(told, worker.post, other, worker.name)


def _take_back(store: Store, held: LeasedWindow, now: datetime) -> None:
    owed = _owed.pop((held.window_id, held.token), None)
    if owed is None:  # of a dead process that bore this name before, where a name is no more than host and number
        store.free(held, now)
    else:
        _give_back(store, owed)


def heartbeat_thread(
    renew: Callable[[datetime], bool], what: str, now: Callable[[], datetime], lease: timedelta, ended: threading.Event
) -> threading.Thread:
    """A thread that renews a lease three times as often as it would run out, until `ended` is set; not started yet.

    Parameters
    ----------
    renew : callable
        Keeps it until then; False where it is no longer to be had, which is the end of it.
    what : str
        What is held, as the log says it.
    now : callable
        The time.
    lease : timedelta
        How long it is kept for each time.
    ended : Event
        Set by who holds it.
    """

    def keep() -> None:
        while not ended.wait(lease.total_seconds() / 3):
            try:
                if not renew(now() + lease):
                    return
            except StoreError as error:  # the store may be back before the lease runs out
                log.warning("cannot renew the lease of %s: %s", what, error)

    return threading.Thread(target=keep, name="drift-lease", daemon=True)


def _counts(error: Exception) -> bool:
    """Whether a failure is the work's own, as far as can be told: a store that is gone, full or closed is not."""
    return not isinstance(error, StoreError) or isinstance(error, ValueRefused | AlertConflict)


def _count(store: Store, claim: Claim, now: Callable[[], datetime], why: Exception) -> None:
    try:
        if claim.lost < MAX_ATTEMPTS:
            store.free(claim, now())
            return
        told = f"nothing can be written of it, not even that it is given up: {type(why).__name__}: {why}"
        log.error("window %s of %s is left out, later ones go on: %s", claim.window, claim.monitor, told)
        store.fail(claim, told)
    except StoreError as error:  # what failed is raised; the lease runs out by itself
        log.warning("cannot give window %s back: %s", claim.window, error)


def _give_back(store: Store, claim: Claim) -> None:
    try:
        store.release(claim)
    except StoreError as error:  # what failed is raised; the lease runs out by itself
        log.warning("cannot give window %s back: %s", claim.window, error)
        if not isinstance(error, LeaseLost):
            _owed[claim.window_id, claim.token] = claim
