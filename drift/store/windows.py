"""Windows from planned to done: planning, leases, outcomes, re-checks, retention. Truth is these rows, not timers."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, case, func, or_, select, update

from drift.monitors.verdict import Verdict
from drift.monitors.window import Window
from drift.store import retention
from drift.store.commit_outcome import is_written, write_outcome
from drift.store.database import StoreDatabase
from drift.store.engine import CommitUnknown
from drift.store.leases import claim_from_row, count_failures, end_claim, is_claimed, is_leased, is_ready
from drift.store.monitors import Definition
from drift.store.outcomes import Outcome
from drift.store.planning import DueWindows, insert_windows, make_due, overdue_windows, skip_windows
from drift.store.tables import monitor, revision, window
from drift.store.work_items import ABANDONED, BACKFILL, LATE, CheckedWindow, Claim, LeasedWindow, PlannedWindow


class WindowStore:
    """Windows and their work: each is `due`, `claimed` by a worker, `done`, `failed` or `skipped`."""

    def __init__(self, database: StoreDatabase) -> None:
        self._database = database

    # Planning

    def plan(self, definition: Definition, windows: DueWindows) -> int:
        """Plan windows; those planned before stay as they are.

        Returns
        -------
        int
            Number of windows that no definition of the monitor had planned.
        """
        if not windows:  # the usual case of a tick: no reason to wait for other writers
            return 0
        with self._database.write() as connection:
            return insert_windows(connection, definition, windows)

    def plan_backfill(self, definition: Definition, windows: DueWindows) -> int:
        """Make windows due, except those a worker has claimed; a window checked before gets a new revision.

        Windows that wait for a re-check or a retry are included, whatever their next attempt.

        Returns
        -------
        int
            Number of windows that are due because of this.
        """
        with self._database.write() as connection:
            made_due = sum(make_due(connection, definition, interval, due_at) for interval, due_at in windows)
            return made_due + insert_windows(connection, definition, windows, BACKFILL)

    def skip_overdue(self, monitor_id: int, before: datetime, reason: str) -> int:
        """Set windows to `skipped` that were due before an instant and never begun; return their number."""
        with self._database.read() as connection:  # without a lock if there is nothing to skip
            if connection.execute(overdue_windows(monitor_id, before).limit(1)).first() is None:
                return 0
        with self._database.write() as connection:
            return skip_windows(connection, monitor_id, before, reason)

    def last_planned_end(self, monitor_id: int) -> datetime | None:
        """Return the end of the newest window, whichever definition planned it; planning continues there."""
        newest = select(func.max(window.c.end_at)).where(window.c.monitor_id == monitor_id)
        with self._database.read() as connection:
            end: datetime | None = connection.execute(newest).scalar_one()
        return end

    # The queue

    def due(self, definition: Definition, now: datetime, limit: int | None = None) -> list[PlannedWindow]:
        """Return the monitor's windows to check now, oldest first: due, or with an expired lease.

        Ends before the first window that another worker has claimed, because alerts are decided in order. Re-checks
        come last: otherwise slow ones would delay windows that were never checked.
        """
        first_leased = select(func.min(_start())).where(is_leased(definition.monitor_id, now)).scalar_subquery()
        query = (
            select(window)
            .where(window.c.monitor_id == definition.monitor_id, window.c.status.in_(["due", "claimed"]), is_ready(now))
            .where(or_(first_leased.is_(None), window.c.start_at < first_leased))
            .order_by(case((window.c.cause == LATE, 1), else_=0), _start(), window.c.end_at, window.c.id)
            .limit(limit)
        )
        with self._database.read() as connection:
            return [
                PlannedWindow(
                    id=row.id,
                    window=Window(row.start_at, row.end_at),
                    kind=row.kind,
                    due_at=row.due_at,
                    attempts=row.attempts,
                    is_recheck=row.cause == LATE,
                    crashes=row.attempts - count_failures(connection, row, row.attempts),
                )
                for row in connection.execute(query).all()
            ]

    def leased(self, monitor_id: int, now: datetime) -> list[LeasedWindow]:
        """Return the monitor's windows that workers are checking, oldest first; these and later ones are not due."""
        query = select(window).where(is_leased(monitor_id, now)).order_by(_start())
        with self._database.read() as connection:
            return [
                LeasedWindow(
                    row.id, Window(row.start_at, row.end_at), row.token, row.lease_owner or "", row.lease_until
                )
                for row in connection.execute(query)
            ]

    def retries(self, name: str, now: datetime) -> list[tuple[Window, datetime]]:
        """Return a monitor's windows that failed and will be retried after `now`, oldest first, each with that time."""
        query = (
            select(window.c.start_at, window.c.end_at, window.c.next_attempt_at)
            .join(monitor, monitor.c.id == window.c.monitor_id)
            .join(revision, and_(revision.c.window_id == window.c.id, revision.c.number == window.c.revision))
            .where(monitor.c.name == name, window.c.status == "due", window.c.next_attempt_at > now)
            .where(revision.c.verdict == Verdict.ERROR.value)
            .order_by(window.c.start_at)
        )
        with self._database.read() as connection:
            return [(Window(row.start_at, row.end_at), row.next_attempt_at) for row in connection.execute(query)]

    # Claims

    def claim(
        self, window_id: int, definition: Definition, owner: str, now: datetime, lease: timedelta
    ) -> Claim | None:
        """Claim a window for `lease`, to be checked as `definition` says; None if another worker has it."""
        claimed = (
            update(window)
            .where(window.c.id == window_id, window.c.monitor_id == definition.monitor_id, is_ready(now))
            .values(
                status="claimed",
                lease_owner=owner,
                lease_until=now + lease,
                token=window.c.token + 1,
                attempts=window.c.attempts + 1,
            )
            .returning(window)
        )
        try:
            with self._database.write() as connection:
                row = connection.execute(claimed).one_or_none()
                return None if row is None else claim_from_row(connection, row, definition)
        except CommitUnknown:
            mine = window.c.id == window_id, window.c.status == "claimed", window.c.lease_owner == owner
            written = select(window).where(*mine, window.c.lease_until == now + lease)
            with self._database.read() as connection:
                row = connection.execute(written).one_or_none()
                if row is None:  # neither written nor another worker's: a full disk is reported in COMMIT
                    raise
                return claim_from_row(connection, row, definition)

    def renew(self, claim: Claim, until: datetime) -> bool:
        """Extend a claim's lease; False if the claim is no longer valid."""
        extended = update(window).where(is_claimed(claim)).values(lease_until=until)
        with self._database.write() as connection:
            return connection.execute(extended).rowcount == 1

    def expire(self, claim: LeasedWindow | Claim, now: datetime) -> None:
        """End the lease of a dead worker or of failed work; the attempt counts.

        If the worker is alive after all, it cannot write once another worker has claimed the window.
        """
        expired = update(window).where(is_claimed(claim), window.c.lease_until > now).values(lease_until=now)
        with self._database.write() as connection:
            connection.execute(expired)

    def release(self, claim: Claim) -> None:
        """Return an interrupted window to the queue at once; the attempt does not count.

        Raises
        ------
        LeaseLost
            If another worker has claimed the window.
        """
        with self._database.write() as connection:
            end_claim(connection, claim, "due", attempts=claim.attempt - 1)

    def fail(self, claim: Claim, reason: str) -> None:
        """Set a window to `failed` if no outcome can be written; it stays so until a backfill.

        Raises
        ------
        LeaseLost
            If another worker has claimed the window.
        """
        with self._database.write() as connection:
            end_claim(connection, claim, "failed", cause=None, last_error=reason)

    def commit(self, claim: Claim, outcome: Outcome, now: datetime) -> None:
        """Write an outcome and end the claim, in one transaction.

        Raises
        ------
        LeaseLost
            If another worker has claimed the window; nothing is written.
        AlertConflict
            If the monitor's alerts have changed meanwhile; nothing is written, the claim stays valid.
        """
        try:
            with self._database.write() as connection:
                write_outcome(connection, self._database.axes, claim, outcome, now)
        except CommitUnknown:
            with self._database.read() as connection:
                if not is_written(connection, claim):
                    raise

    # Re-checks

    def checked_since(self, monitor_id: int, since: datetime) -> list[CheckedWindow]:
        """Return checked windows that ended after an instant, oldest first, with the fingerprint of their source.

        Abandoned and pruned windows are left out: a re-check would have nothing to compare with.
        """
        kept = or_(monitor.c.thinned_until.is_(None), window.c.start_at > monitor.c.thinned_until)
        query = (
            select(window.c.id, window.c.start_at, window.c.end_at, window.c.seen, revision.c.source, revision.c.rows)
            .join(revision, (revision.c.window_id == window.c.id) & (revision.c.number == window.c.revision))
            .join(monitor, monitor.c.id == window.c.monitor_id)
            .where(window.c.monitor_id == monitor_id, window.c.status == "done", window.c.end_at > since, kept)
            .order_by(window.c.start_at)
        )
        with self._database.read() as connection:
            return [
                CheckedWindow(row.id, Window(row.start_at, row.end_at), row.seen, row.source, row.rows)
                for row in connection.execute(query)
                if ABANDONED not in row.source
            ]

    def recheck(self, digests: Mapping[int, str], now: datetime) -> int:
        """Make checked windows due again because their source has changed; return their number.

        `digests` has the digest of the present source (`source_digest`) by key of the window.
        """
        changed = 0
        with self._database.write() as connection:
            for key, digest in digests.items():
                made_due = update(window).where(window.c.id == key, window.c.status == "done")
                made_due = made_due.values(status="due", next_attempt_at=now, attempts=0, cause=LATE, seen=digest)
                changed += connection.execute(made_due).rowcount
        return changed

    def has_rechecks(self, monitor_id: int) -> bool:
        """Return whether any window waits for a re-check."""
        waiting = window.c.monitor_id == monitor_id, window.c.status.in_(["due", "claimed"]), window.c.cause == LATE
        with self._database.read() as connection:
            return connection.execute(select(window.c.id).where(*waiting).limit(1)).first() is not None

    def close_recheck(self, claim: Claim, *, retry: bool = False) -> None:
        """End the claim of a re-check that leaves the window as it was.

        With `retry` the re-check failed: forget the digest of the source, so that it is compared again.

        Raises
        ------
        LeaseLost
            If another worker has claimed the window.
        """
        with self._database.write() as connection:
            end_claim(connection, claim, "done", cause=None, **({"seen": None} if retry else {}))

    # Retention

    def prune(self, name: str, before: datetime, limit: int) -> int:
        """Delete histograms and scores of up to `limit` windows, the oldest that start before an instant.

        Their verdicts, messages and alerts stay, and they are not planned again.

        Returns
        -------
        int
            Number of windows pruned; 0 if none is left.
        """
        with self._database.read() as connection:  # without a lock if there is nothing to prune
            if not retention.has_prunable(connection, name, before):
                return 0
        with self._database.write() as connection:
            return retention.prune(connection, name, before, limit)


def _start() -> ColumnElement[datetime]:
    """Return a window's start that no index holds: SQLite would walk a year in order for the few that are due."""
    return func.coalesce(window.c.start_at, window.c.end_at)
