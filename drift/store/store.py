"""The store: one method for each thing the rest of drift writes, each a transaction of its own."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from drift.monitors.window import Window
from drift.store import (
    claims,
    commit_outcome,
    definitions,
    outbox,
    plan,
    recheck,
    reference_attempts,
    retention,
    schema,
)
from drift.store.claims import Claim
from drift.store.definitions import Definition, NewReference, StoredReference
from drift.store.dimension_keys import sha256
from drift.store.due_windows import LeasedWindow
from drift.store.engine import CommitUnknown, describe_url, transaction
from drift.store.outcomes import Outcome
from drift.store.reader import StoreReader
from drift.store.reference_attempts import Attempt


class Store(StoreReader):
    """Monitors, windows, profiles, scores, alerts and the outbox in SQLite or PostgreSQL.

    What it can be asked stands with `StoreReader`, every method that writes nothing; how it is opened with `OpenStore`.
    """

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        # Another drift may have upgraded the store since this one opened it: its tables are another program's then.
        with transaction(self._engine, writes=True) as connection:
            schema.require_unchanged(connection, describe_url(self._engine.url))
            yield connection

    # Monitors and their references

    def define(self, name: str, document: Mapping[str, Any], now: datetime) -> Definition:
        """Make a monitor's definition known; a document that is the newest already writes nothing."""
        newest = self.find(name)
        if newest is not None and newest.digest == sha256(dict(document)):
            return newest
        with self._write() as connection:
            return definitions.define(connection, name, document, now)

    def freeze(self, monitor_id: int, digest: str, draft: NewReference, now: datetime) -> StoredReference:
        """Keep a reference for ever; where another process froze the same digest first, theirs is given back."""
        with self._write() as connection:
            reference_attempts.forget(connection, monitor_id, now)
            return definitions.freeze(connection, self._axes, monitor_id, digest, draft, now)

    def accept(self, monitor_id: int, digest: str, draft: NewReference, now: datetime) -> StoredReference:
        """Keep a reference that takes the place of the one made as `digest` says; that one remains."""
        with self._write() as connection:
            reference_attempts.forget(connection, monitor_id, now)
            return definitions.accept(connection, self._axes, monitor_id, digest, draft, now)

    def begin_reading(
        self, monitor_id: int, digest: str, owner: str, now: datetime, lease: timedelta
    ) -> Attempt | None:
        """Be the one who reads a reference, for `lease`; None where another worker does."""
        try:
            with self._write() as connection:
                return reference_attempts.begin(connection, monitor_id, digest, owner, now, lease)
        except CommitUnknown:
            with self._read() as connection:
                mine = [
                    one for one in reference_attempts.standing(connection) if (one.owner, one.digest) == (owner, digest)
                ]
            found = next((one for one in mine if one.begun_at == now), None)
            if found is None:
                raise
            return found

    def renew_reading(self, attempt: Attempt, until: datetime) -> bool:
        """Go on reading a reference; False where the attempt has ended."""
        with self._write() as connection:
            return reference_attempts.renew(connection, attempt, until)

    def end_reading(self, attempt: Attempt) -> None:
        """An attempt to read a reference ended, well or badly, and does not count as lost."""
        with self._write() as connection:
            reference_attempts.end(connection, attempt)

    def lose_reading(self, attempt: Attempt, now: datetime) -> None:
        """Whoever made this attempt to read a reference is no more: it counts as lost."""
        with self._write() as connection:
            reference_attempts.lose(connection, attempt, now)

    def forget_readings(self, monitor_id: int, now: datetime) -> int:
        """Begin anew with the monitor's references: no lost attempt counts any more; gives their number."""
        with self._write() as connection:
            return reference_attempts.forget(connection, monitor_id, now)

    # Windows from planned to done

    def plan(
        self,
        definition: Definition,
        windows: Sequence[tuple[Window, datetime]],
        now: datetime,  # noqa: ARG002 - of the interface: nothing here depends on it yet
        kind: str = plan.CHECK,
    ) -> int:
        """Plan windows, each with the instant it is due; those planned before stay as they are.

        Returns
        -------
        int
            How many were not planned yet, by any definition of the monitor.
        """
        if not windows:  # the usual case of a tick: no reason to wait for other writers
            return 0
        with self._write() as connection:
            return plan.plan(connection, definition, windows, kind)

    def plan_again(
        self,
        definition: Definition,
        windows: Sequence[tuple[Window, datetime]],
        now: datetime,  # noqa: ARG002 - of the interface: nothing here depends on it yet
    ) -> int:
        """Plan windows by hand, and make all of them due that no worker has in hand: those checked get a new revision.

        Returns
        -------
        int
            How many windows are due by this.
        """
        with self._write() as connection:
            return plan.plan_again(connection, definition, windows)

    def skip(self, monitor_id: int, before: datetime, reason: str) -> int:
        """Leave out windows that were due before then and never begun: they stay, as `skipped`; gives their number."""
        with self._read() as connection:
            if not plan.has_overdue(connection, monitor_id, before):
                return 0
        with self._write() as connection:
            return plan.skip(connection, monitor_id, before, reason)

    @staticmethod
    def fingerprint(source: Mapping[str, Any]) -> str:
        """Digest of what a source looks like (`Source.provenance`)."""
        return sha256(dict(source))

    def look_again(self, seen: Mapping[int, str], now: datetime) -> int:
        """Make checked windows due once more, since their source looks otherwise by now; gives their number.

        Parameters
        ----------
        seen : mapping of int to str
            Their keys, and the digest (`fingerprint`) of what the source of each looks like.
        now : datetime
            When they are due.
        """
        with self._write() as connection:
            return recheck.look_again(connection, seen, now)

    def claim(
        self, window_id: int, definition: Definition, owner: str, now: datetime, lease: timedelta
    ) -> Claim | None:
        """Take a window for `lease`, to be checked as `definition` says; None where another worker has it."""
        try:
            with self._write() as connection:
                return claims.claim(connection, window_id, definition, owner, now, lease)
        except CommitUnknown:
            with self._read() as connection:
                found = claims.claimed(connection, window_id, definition, owner, now + lease)
            if found is None:  # not written, and no other worker's: a disk that is full says so in COMMIT
                raise
            return found

    def renew(self, claim: Claim, until: datetime) -> bool:
        """Keep a claimed window for longer; False where it is no longer this claim's."""
        with self._write() as connection:
            return claims.renew(connection, claim, until)

    def free(self, abandoned: LeasedWindow | Claim, now: datetime) -> None:
        """End the lease of a worker that is no more, or of work that failed; the attempt counts.

        Should the worker live after all, it cannot write once another one has taken the window.
        """
        with self._write() as connection:
            claims.free(connection, abandoned, now)

    def finish(self, claim: Claim, outcome: Outcome, now: datetime) -> None:
        """Write everything a check found and end the claim, in one transaction.

        Raises
        ------
        LeaseLost
            Where another worker claimed the window since; nothing is written.
        AlertsMoved
            Where the monitor's alerts were decided on meanwhile; nothing is written, the claim stands.
        """
        try:
            with self._write() as connection:
                commit_outcome.finish(connection, self._axes, claim, outcome, now)
        except CommitUnknown:
            with self._read() as connection:
                if not claims.written(connection, claim):
                    raise

    def settle(self, claim: Claim, *, again: bool = False) -> None:
        """End a claim that leaves its window as it was checked before.

        Parameters
        ----------
        claim : Claim
            The claim.
        again : bool
            The second look came to nothing: as far as the store knows, none was taken at what its source looks like.

        Raises
        ------
        LeaseLost
            Where another worker claimed the window since.
        """
        with self._write() as connection:
            claims.end_claim(connection, claim, "done", cause=None, **({"seen": None} if again else {}))

    def fail(self, claim: Claim, told: str) -> None:
        """End a claim of which nothing can be written but why: the window is `failed`, until it is asked for again.

        Raises
        ------
        LeaseLost
            Where another worker claimed the window since.
        """
        with self._write() as connection:
            claims.end_claim(connection, claim, "failed", cause=None, last_error=told)

    def release(self, claim: Claim) -> None:
        """Give an interrupted window back at once; the attempt does not count.

        Raises
        ------
        LeaseLost
            Where another worker claimed the window since.
        """
        with self._write() as connection:
            claims.end_claim(connection, claim, "due", attempts=claim.attempt - 1)

    # The outbox

    def take_delivery(self, delivery_id: int, now: datetime, until: datetime) -> bool:
        """Have a due delivery for oneself until then, before it is sent; False where another sender has it."""
        try:
            with self._write() as connection:
                return outbox.take(connection, delivery_id, now, until)
        except CommitUnknown:
            with self._read() as connection:
                if not outbox.stands(connection, delivery_id, "pending", next_attempt_at=until):
                    raise
            return True

    def delivered(self, delivery_id: int, now: datetime) -> None:
        """A delivery was taken by its channel.

        Raises
        ------
        StoreError
            Where it is not pending.
        """
        self._mark(delivery_id, "sent", sent_at=now, last_error=None)

    def delivery_failed(
        self, delivery_id: int, error: str, retry_at: datetime | None, held: datetime | None = None
    ) -> None:
        """A delivery was not taken by its channel: try again at `retry_at`, or (None) give it up.

        Parameters
        ----------
        delivery_id : int
            Its key.
        error : str
            Why, for a person.
        retry_at : datetime or None
            When to try again.
        held : datetime or None
            Until when it was taken; None where it was not taken.

        Raises
        ------
        Taken
            Where another sender took it after `held`: how that one fares counts.
        StoreError
            Where it is not pending.
        """
        if retry_at is None:
            self._mark(delivery_id, "dead", held, last_error=error)
        else:
            self._mark(delivery_id, "pending", held, last_error=error, next_attempt_at=retry_at)

    def resend(self, now: datetime, channels: Sequence[str], since: datetime | None = None) -> list[dict[str, Any]]:
        """Have deliveries that were given up due again, under the same id, their attempts from 0.

        Parameters
        ----------
        now : datetime
            When they are due.
        channels : sequence of str
            Those of these channels.
        since : datetime or None
            Only of messages made then or later.

        Returns
        -------
        list of dict
            Those that are due again, oldest first, as `drift alerts resend --json` has them.
        """
        with self._write() as connection:
            return outbox.resend(connection, now, channels, since)

    def _mark(self, delivery_id: int, status: str, held: datetime | None = None, **values: Any) -> None:
        try:
            with self._write() as connection:
                outbox.mark(connection, delivery_id, status, held, **values)
        except CommitUnknown:
            with self._read() as connection:
                if not outbox.stands(connection, delivery_id, status, **values):
                    raise

    # Retention

    def thin(self, monitor: str, before: datetime, most: int) -> int:
        """Drop histograms and scores of up to `most` windows, the oldest that start before `before`.

        Their verdicts, messages and alerts stay, and they are not planned again.

        Returns
        -------
        int
            How many windows were thinned out; 0 where none is left.
        """
        with self._read() as connection:
            if not retention.old(connection, monitor, before):
                return 0
        with self._write() as connection:
            return retention.thin(connection, monitor, before, most)
