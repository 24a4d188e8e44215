"""The store: one method for each thing the rest of drift asks of it, each a transaction of its own."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Literal, Self

from sqlalchemy import Connection, Engine

from drift.alert import AlertState, Fingerprint
from drift.comparison import SegmentResult
from drift.errors import StoreError
from drift.histogram import Profile
from drift.store import identity, outbox, past, planning, reading, results, retention, schema, standing, writing
from drift.store.clock import SharedClock
from drift.store.engine import AnswerLost, describe, make_engine, parse_url, sqlite_path, transaction
from drift.store.interning import AxisBook, sha256
from drift.store.records import Baseline, Claim, Definition, Delivery, Draft, Ended, Held, Outcome, Past, PlannedWindow
from drift.window import Window

Revisions = Literal["newest", "all"]


class Store:
    """Monitors, windows, profiles, scores, alerts and the outbox in SQLite or PostgreSQL.

    Safe to share between threads. Every method that takes an instant raises `StoreError` for one without a
    time zone, and every method raises it where the database fails.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._axes = AxisBook()
        self._clock = SharedClock(self._read)

    @classmethod
    def open(cls, url: str, *, create: bool = True) -> "Store":
        """Open a store at the newest schema.

        Parameters
        ----------
        url : str
            ``sqlite:///drift.db`` (relative to the working directory) or ``postgresql://...``.
        create : bool
            Make a SQLite file that is not there (or holds nothing yet). A server's schema, and one that
            is older, is only ever made by `drift db upgrade`.

        Raises
        ------
        StoreError
            Where the store is unreachable, not there, not migrated, or newer than this program. The
            message holds no password.
        """
        parsed = parse_url(url)
        shown = describe(parsed)
        path = sqlite_path(parsed)
        if path is not None:
            if not path.parent.is_dir():
                raise StoreError(f"{shown}: there is no folder {path.parent}; make it, or name another file")
            if not path.exists() and not create:
                raise StoreError(f"{shown}: there is no such store; `drift run` or `drift db upgrade` makes it")
        engine = make_engine(parsed)
        try:
            with transaction(engine, writes=False) as connection:
                blank = path is not None and schema.is_blank(connection)
                if not (blank and create):
                    _require_drift(connection, shown, blank=blank)
            if blank:
                from drift.store.migrate import upgrade  # noqa: PLC0415 - loads Alembic, 0.25 s

                upgrade(url)
        except BaseException:
            engine.dispose()
            raise
        return cls(engine)

    def close(self) -> None:
        """Let go of all connections."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Store({describe(self._engine.url)})"

    def _read(self) -> AbstractContextManager[Connection]:
        return transaction(self._engine, writes=False)

    def _write(self) -> AbstractContextManager[Connection]:
        return transaction(self._engine, writes=True)

    def now(self) -> datetime:
        """The time that all who share this store agree on: the server's, or for SQLite this host's.

        Raises
        ------
        StoreError
            Where the server has to be asked and does not answer.
        """
        return self._clock() if self._engine.dialect.name == "postgresql" else datetime.now(UTC)

    # Monitors and their references

    def define(self, name: str, document: Mapping[str, Any], now: datetime) -> Definition:
        """Make a monitor's definition known; a document that is the newest already writes nothing."""
        newest = self.find(name)
        if newest is not None and newest.digest == sha256(dict(document)):
            return newest
        with self._write() as connection:
            return identity.define(connection, name, document, now)

    def find(self, name: str) -> Definition | None:
        """A monitor's newest definition; None where the store does not know the monitor."""
        with self._read() as connection:
            return identity.newest_definition(connection, name)

    def baseline(self, monitor_id: int, digest: str) -> Baseline | None:
        """The reference that was made as `digest` says, or accepted in its place last, if there is one."""
        with self._read() as connection:
            return identity.newest_baseline(connection, self._axes, monitor_id, digest)

    def baselines(self, monitor_id: int) -> list[Baseline]:
        """Every reference that the monitor ever had, the newest first."""
        with self._read() as connection:
            return identity.baselines(connection, self._axes, monitor_id)

    def freeze(self, monitor_id: int, digest: str, draft: Draft, now: datetime) -> Baseline:
        """Keep a reference for ever; where another process froze the same digest first, theirs is given back."""
        with self._write() as connection:
            return identity.freeze(connection, self._axes, monitor_id, digest, draft, now)

    def accept(self, monitor_id: int, digest: str, draft: Draft, now: datetime) -> Baseline:
        """Keep a reference that takes the place of the one made as `digest` says; that one remains."""
        with self._write() as connection:
            return identity.accept(connection, self._axes, monitor_id, digest, draft, now)

    def monitors(self) -> list[str]:
        """Names of all monitors."""
        with self._read() as connection:
            return reading.names(connection)

    def document(self, monitor: str) -> dict[str, Any]:
        """A monitor's newest definition.

        Raises
        ------
        StoreError
            Where no monitor is called so.
        """
        with self._read() as connection:
            return reading.document(connection, monitor)

    # Windows from planned to done

    def plan(
        self,
        definition: Definition,
        windows: Sequence[tuple[Window, datetime]],
        now: datetime,  # noqa: ARG002 - of the interface: nothing here depends on it yet
        kind: str = planning.CHECK,
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
            return planning.plan(connection, definition, windows, kind)

    def plan_again(
        self,
        definition: Definition,
        windows: Sequence[tuple[Window, datetime]],
        now: datetime,  # noqa: ARG002 - of the interface: nothing here depends on it yet
    ) -> int:
        """Plan windows, and make finished and failed ones due again: they get a new revision.

        Returns
        -------
        int
            How many windows became due by this.
        """
        with self._write() as connection:
            return planning.plan_again(connection, definition, windows)

    def skip(self, monitor_id: int, before: datetime, reason: str) -> int:
        """Leave out windows that were due before then and never begun: they stay, as `skipped`; gives their number."""
        with self._read() as connection:
            if not planning.has_overdue(connection, monitor_id, before):
                return 0
        with self._write() as connection:
            return planning.skip(connection, monitor_id, before, reason)

    def ended_since(self, monitor_id: int, since: datetime) -> list[Ended]:
        """Checked windows that ended after `since`, oldest first."""
        with self._read() as connection:
            return planning.ended_since(connection, monitor_id, since)

    def look_again(self, ids: Sequence[int], seen: str, now: datetime) -> int:
        """Make checked windows due once more, since their source looks otherwise by now; gives their number.

        Parameters
        ----------
        ids : sequence of int
            Their keys.
        seen : str
            Digest (`fingerprint`) of what the source looks like.
        now : datetime
            When they are due.
        """
        with self._write() as connection:
            return planning.look_again(connection, ids, seen, now)

    def settle(self, claim: Claim) -> None:
        """End a claim that leaves its window as it was checked before.

        Raises
        ------
        LeaseLost
            Where another worker claimed the window since.
        """
        with self._write() as connection:
            planning.let_go(connection, claim, "done", cause=None)

    @staticmethod
    def fingerprint(source: Mapping[str, Any]) -> str:
        """Digest of what a source looks like (`Source.provenance`)."""
        return sha256(dict(source))

    def last_planned_end(self, monitor_id: int) -> datetime | None:
        """Where planning goes on: the end of the newest window, whichever definition planned it."""
        with self._read() as connection:
            return planning.last_planned_end(connection, monitor_id)

    def due(self, definition: Definition, now: datetime, limit: int | None = None) -> list[PlannedWindow]:
        """Windows of the monitor to check now, oldest first: due, or left by a worker whose lease ran out."""
        with self._read() as connection:
            return planning.due(connection, definition.monitor_id, now, limit)

    def held(self, monitor_id: int, now: datetime) -> list[Held]:
        """Windows of the monitor that workers hold, oldest first; they and later ones are not due."""
        with self._read() as connection:
            return planning.held(connection, monitor_id, now)

    def renew(self, claim: Claim, until: datetime) -> bool:
        """Keep a claimed window for longer; False where it is no longer this claim's."""
        with self._write() as connection:
            return planning.renew(connection, claim, until)

    def free(self, abandoned: Held, now: datetime) -> None:
        """End the lease of a worker that is no more; the attempt does not count, whatever ended it.

        Should it live after all, it cannot write once another worker has taken the window.
        """
        with self._write() as connection:
            planning.free(connection, abandoned, now)

    def claim(
        self, window_id: int, definition: Definition, owner: str, now: datetime, lease: timedelta
    ) -> Claim | None:
        """Take a window for `lease`, to be checked as `definition` says; None where another worker has it."""
        try:
            with self._write() as connection:
                return planning.claim(connection, window_id, definition, owner, now, lease)
        except AnswerLost:
            with self._read() as connection:
                return planning.claimed(connection, window_id, definition, owner, now + lease)

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
                writing.finish(connection, self._axes, claim, outcome, now)
        except AnswerLost:
            with self._read() as connection:
                if not planning.written(connection, claim):
                    raise

    def release(self, claim: Claim) -> None:
        """Give an interrupted window back at once; the attempt does not count.

        Raises
        ------
        LeaseLost
            Where another worker claimed the window since.
        """
        with self._write() as connection:
            planning.let_go(connection, claim, "due", attempts=claim.attempt - 1)

    # Alerts and the outbox

    def alert_states(self, monitor_id: int) -> dict[Fingerprint, AlertState]:
        """Where the monitor's alerts stand; one that is not here stands at `ok`."""
        with self._read() as connection:
            return writing.alert_states(connection, monitor_id)

    def deliveries_due(self, now: datetime, limit: int = 1000) -> list[Delivery]:
        """What is to be sent now, oldest first."""
        with self._read() as connection:
            return outbox.due(connection, now, limit)

    def take_delivery(self, delivery_id: int, now: datetime, until: datetime) -> bool:
        """Have a due delivery for oneself until then, before it is sent; False where another sender has it."""
        try:
            with self._write() as connection:
                return outbox.take(connection, delivery_id, now, until)
        except AnswerLost:
            with self._read() as connection:
                return outbox.stands(connection, delivery_id, "pending", next_attempt_at=until)

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

    def _mark(self, delivery_id: int, status: str, held: datetime | None = None, **values: Any) -> None:
        try:
            with self._write() as connection:
                outbox.mark(connection, delivery_id, status, held, **values)
        except AnswerLost:
            with self._read() as connection:
                if not outbox.stands(connection, delivery_id, status, **values):
                    raise

    # Reading

    def scores(
        self,
        monitor: str | None = None,
        column: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        segment: str | None = None,
        revisions: Revisions = "newest",
        most: int | None = None,
    ) -> list[dict[str, Any]]:
        """Scores in the form of `drift scores --json`, oldest window first; windows that start in [since, until)."""
        with self._read() as connection:
            return reading.scores(
                connection,
                monitor_name=monitor,
                column=column,
                since=since,
                until=until,
                segment=segment,
                revisions=revisions,
                most=most,
            )

    def windows(
        self,
        monitor: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        revisions: Revisions = "newest",
        most: int | None = None,
    ) -> list[dict[str, Any]]:
        """Windows in the form of `drift windows --json`, checked or not, oldest first; starts in [since, until)."""
        with self._read() as connection:
            return reading.windows(
                connection, monitor_name=monitor, since=since, until=until, revisions=revisions, most=most
            )

    def alerts(self, monitor: str | None = None, state: str | None = None) -> list[dict[str, Any]]:
        """Alerts in the form of `drift alerts list --json`, those that fire first."""
        with self._read() as connection:
            return reading.alerts(connection, monitor_name=monitor, state=state)

    def profile(
        self, monitor: str, window_start: datetime, revision: int | None = None, segment: str = ""
    ) -> Profile | None:
        """The histograms of a checked window, by default its newest revision; None where there are none."""
        with self._read() as connection:
            return results.stored_profile(connection, self._axes, monitor, window_start, revision, segment)

    def results(self, monitor: str, window_start: datetime, revision: int | None = None) -> tuple[SegmentResult, ...]:
        """What the check of a window found, as `finish` got it; empty where there is nothing."""
        with self._read() as connection:
            return results.stored_results(connection, self._axes, monitor, window_start, revision)

    def judging(self, monitor: str, window_start: datetime, revision: int | None = None) -> dict[str, Any] | None:
        """How the scores of a checked window were judged (`Outcome.judged`); None where that was not told."""
        with self._read() as connection:
            return results.stored_judging(connection, monitor, window_start, revision)

    def past(
        self,
        monitor: str,
        *,
        starts: Sequence[datetime] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        before: datetime | None = None,
        most: int | None = None,
    ) -> Past:
        """What is stored of the windows that were checked and for which all of the conditions hold.

        Parameters
        ----------
        monitor : str
            Its name; of one that the store does not know there are no windows.
        starts : sequence of datetime, or None
            Only windows that start at exactly one of these.
        since, until : datetime or None
            Only windows that start in [since, until).
        before : datetime or None
            Only windows that start before this.
        most : int or None
            Only the newest ones, up to so many.

        Notes
        -----
        A window that could not be read was checked as well; its counts are zeros. A monitor whose windows changed
        their length has windows of both lengths.
        """
        with self._read() as connection:
            return past.past(
                connection, self._axes, monitor, starts=starts, since=since, until=until, before=before, most=most
            )

    def standings(self, now: datetime) -> list[standing.Stand]:
        """How every monitor stands, by name; asked in time that does not grow with the windows stored."""
        with self._read() as connection:
            return standing.standings(connection, now)

    def delivery_counts(self) -> dict[str, int]:
        """Deliveries by status."""
        with self._read() as connection:
            return outbox.counts(connection)

    def delivery_lines(self) -> list[standing.Line]:
        """Deliveries that wait, by channel."""
        with self._read() as connection:
            return standing.lines(connection)

    def size(self) -> int:
        """Bytes of the database."""
        with self._read() as connection:
            return standing.size(connection)

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

    def counts_by_status(self) -> dict[str, dict[str, int]]:
        """Numbers of windows and deliveries by status and of alerts by state."""
        with self._read() as connection:
            return {
                "windows": planning.counts(connection),
                "deliveries": outbox.counts(connection),
                "alerts": reading.alert_counts(connection),
            }


def _require_drift(connection: Connection, shown: str, *, blank: bool) -> None:
    if connection.dialect.name == "sqlite" and not blank and schema.current(connection) is None:
        raise StoreError(f"{shown} is a SQLite database, but not a drift store; name another file")
    schema.require_newest(connection, shown)
