"""Holding a claimed window while it is worked on: the lease is renewed, and given back where the work fails."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final

from drift.errors import StoreError
from drift.store import Claim, LeaseLost, Store

LEASE: Final = timedelta(minutes=10)

log = logging.getLogger(__name__)


@contextmanager
def holding(store: Store, claim: Claim, now: Callable[[], datetime], *, lease: timedelta = LEASE) -> Iterator[None]:
    """Keep the lease of a claimed window until the body is through; where it raises, the window is due at once.

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
    keeper = threading.Thread(target=_keep, args=(store, claim, now, lease, ended), name="drift-lease", daemon=True)
    keeper.start()
    try:
        yield
    except LeaseLost:  # nothing to give back
        raise
    except BaseException:
        _give_back(store, claim)
        raise
    finally:
        ended.set()
        keeper.join()


def _keep(store: Store, claim: Claim, now: Callable[[], datetime], lease: timedelta, ended: threading.Event) -> None:
    while not ended.wait(lease.total_seconds() / 3):
        try:
            if not store.renew(claim, now() + lease):
                return
        except StoreError as error:  # the store may be back before the lease runs out
            log.warning("cannot renew the lease of window %s: %s", claim.window, error)


def _give_back(store: Store, claim: Claim) -> None:
    try:
        store.release(claim)
    except StoreError as error:  # what failed is raised; the lease runs out by itself
        log.warning("cannot give window %s back: %s", claim.window, error)
