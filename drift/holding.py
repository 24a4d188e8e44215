"""Holding a claimed window while it is worked on: the lease is renewed, given back where the work fails, and no work
may take for ever.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final, TypeVar

from drift.errors import SourceError, StoreError
from drift.store import AlertsMoved, Claim, Held, LeaseLost, Store
from drift.store.types import ValueRefused
from drift.window import Window
from drift.worker import Worker

LEASE: Final = timedelta(minutes=10)
MOST_LOST: Final = 15
"""Attempts on a window that may come to no end; more than an afternoon of deployments interrupts of one window."""

MOST_LEFT: Final = 3
"""Pieces of work on one monitor that may hang at once: no thread can be ended from outside, so no more are begun."""

T = TypeVar("T")

_in_hand: dict[tuple[int, int], tuple[Store, Claim]] = {}  # by window and token: what this process is at work on
_owed: dict[tuple[int, int], Claim] = {}  # what it could not give back
_rivals: set[str] = set()  # who was told of: other processes of this one's post

log = logging.getLogger(__name__)


class Overdue(SourceError):  # noqa: N818 - reads as what happened
    """Something took longer than its deadline, and is no longer waited for."""


def within(deadline: timedelta, monitor: str, what: str, work: Callable[[], T]) -> T:
    """What some work gives, done in a thread of its own, so that a source which hangs holds up nobody for ever.

    Work that is left behind goes on until it ends by itself or the process does. It holds no claim: whatever it
    finds is dropped.

    Parameters
    ----------
    deadline : timedelta
        How long it may take.
    monitor : str
        For whom.
    what : str
        What it is, as a message says it.
    work : callable
        The work. Whatever it raises is raised here.

    Raises
    ------
    Overdue
        Where it takes longer, or where too much of this monitor hangs already.
    SourceError
        Where the system has no thread left for it.
    """
    name = f"drift-work-{monitor}"
    if sum(thread.name == name for thread in threading.enumerate()) >= MOST_LEFT:
        raise Overdue(f"{what} is not begun: {MOST_LEFT} earlier attempts hang still; see to the source, then restart")
    ended: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            ended.append(work())
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            failed.append(error)

    thread = threading.Thread(target=run, name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError as error:
        told = f"{what} is not begun: no thread could be started ({error}); see to the limits of this process"
        raise SourceError(told) from error
    thread.join(min(deadline.total_seconds(), threading.TIMEOUT_MAX))
    if failed:
        raise failed[0]
    if not ended:
        raise Overdue(
            f"{what} took longer than its deadline of {deadline}; see to the source, or give a later deadline"
        )
    return ended[0]


@contextmanager
def holding(store: Store, claim: Claim, now: Callable[[], datetime], *, lease: timedelta = LEASE) -> Iterator[None]:
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
    keeper = threading.Thread(target=_keep, args=(store, claim, now, lease, ended), name="drift-lease", daemon=True)
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


def give_back_all(store: Store, monitor: str) -> list[Window]:
    """Give back what this process has in hand of a monitor, due at once, the attempts not counted; tells which.

    Whoever is at work on it still cannot write any more.
    """
    mine = [claim for kept, claim in list(_in_hand.values()) if kept is store and claim.monitor == monitor]
    for claim in mine:
        _give_back(store, claim)
    return [claim.window for claim in mine]


def in_hand(held: Held) -> bool:
    """Whether this process is at work on a window that it holds.

    One that it holds all the same was claimed, or should have been given back, while the store could not be reached.
    """
    return (held.window_id, held.token) in _in_hand


def free_abandoned(store: Store, monitor_id: int, worker: Worker, now: datetime) -> None:
    """Take windows back without waiting for their leases: from workers of this host that were killed, from those who
    had this one's post before, and from itself.

    A process may hold what it is not at work on: it could not give it back while the store was gone, which counts as
    no attempt.
    """
    for held in store.held(monitor_id, now):
        if held.owner == worker.name and not in_hand(held):
            log.warning("window %s was not given back when it should have been: it is due again", held.window)
            _take_back(store, held, now)
        elif worker.knows_gone(held.owner, held.until - LEASE):
            log.warning("window %s was left by %s, which is no more: it is due again", held.window, held.owner)
            store.free(held, now)
        elif worker.shares_post(held.owner):
            _tell_rival(worker, held.owner)


def _tell_rival(worker: Worker, other: str) -> None:
    if other not in _rivals:  # once each: it may be looked at thousands of times
        _rivals.add(other)
        told = "two workers bear the name %s at a time: %s has windows in hand since this one, %s, began. Nothing is "
        told += "lost or done twice by it, but each start takes the other's windows away: give each a name of its own"
        log.error(told, worker.post, other, worker.name)


def _take_back(store: Store, held: Held, now: datetime) -> None:
    owed = _owed.pop((held.window_id, held.token), None)
    if owed is None:  # of a dead process that bore this name before, where a name is no more than host and number
        store.free(held, now)
    else:
        _give_back(store, owed)


def _keep(store: Store, claim: Claim, now: Callable[[], datetime], lease: timedelta, ended: threading.Event) -> None:
    while not ended.wait(lease.total_seconds() / 3):
        try:
            if not store.renew(claim, now() + lease):
                return
        except StoreError as error:  # the store may be back before the lease runs out
            log.warning("cannot renew the lease of window %s: %s", claim.window, error)


def _counts(error: Exception) -> bool:
    """Whether a failure is the work's own, as far as can be told: a store that is gone, full or closed is not."""
    return not isinstance(error, StoreError) or isinstance(error, ValueRefused | AlertsMoved)


def _count(store: Store, claim: Claim, now: Callable[[], datetime], why: Exception) -> None:
    try:
        if claim.lost < MOST_LOST:
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
