"""What the store is asked: one method for each question, each a transaction of its own that writes nothing."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from drift.histogram import Profile
from drift.monitors.alert_state import AlertState, Fingerprint
from drift.monitors.comparison import SegmentResult
from drift.monitors.window import Window
from drift.store import (
    commit_outcome,
    definitions,
    due_windows,
    history_queries,
    monitor_status,
    outbox,
    plan,
    recheck,
    reference_attempts,
    row_queries,
    stored_results,
    trends,
)
from drift.store.definitions import Definition, StoredReference
from drift.store.due_windows import LeasedWindow, PlannedWindow
from drift.store.history_queries import WindowHistories
from drift.store.opening import OpenStore
from drift.store.outbox import Delivery
from drift.store.recheck import CheckedWindow
from drift.store.reference_attempts import Attempt
from drift.store.row_queries import Revisions


class StoreReader(OpenStore):
    """All that an open store can be asked; `Store` adds all that is written.

    Every method that takes an instant raises `StoreError` for one without a time zone, and every method raises
    it where the database fails.
    """

    # Monitors and their references

    def find(self, name: str) -> Definition | None:
        """A monitor's newest definition; None where the store does not know the monitor."""
        with self._read() as connection:
            return definitions.newest_definition(connection, name)

    def baseline(self, monitor_id: int, digest: str) -> StoredReference | None:
        """The reference that was made as `digest` says, or accepted in its place last, if there is one."""
        with self._read() as connection:
            return definitions.newest_baseline(connection, self._axes, monitor_id, digest)

    def baselines(self, monitor_id: int) -> list[StoredReference]:
        """Every reference that the monitor ever had, the newest first."""
        with self._read() as connection:
            return definitions.baselines(connection, self._axes, monitor_id)

    def attempts(self, monitor: str | None = None) -> list[Attempt]:
        """Attempts to read a reference that have not ended, of one monitor or of all, oldest first."""
        with self._read() as connection:
            return reference_attempts.standing(connection, monitor)

    def monitors(self) -> list[str]:
        """Names of all monitors."""
        with self._read() as connection:
            return row_queries.names(connection)

    def document(self, monitor: str) -> dict[str, Any]:
        """A monitor's newest definition.

        Raises
        ------
        StoreError
            Where no monitor is called so.
        """
        with self._read() as connection:
            return row_queries.document(connection, monitor)

    # Windows on their way, and what waits to be sent

    def ended_since(self, monitor_id: int, since: datetime) -> list[CheckedWindow]:
        """Checked windows that ended after `since`, oldest first."""
        with self._read() as connection:
            return recheck.ended_since(connection, monitor_id, since)

    def is_looking(self, monitor_id: int) -> bool:
        """Whether any window waits for its second look."""
        with self._read() as connection:
            return recheck.is_looking(connection, monitor_id)

    def last_planned_end(self, monitor_id: int) -> datetime | None:
        """Where planning goes on: the end of the newest window, whichever definition planned it."""
        with self._read() as connection:
            return plan.last_planned_end(connection, monitor_id)

    def due(self, definition: Definition, now: datetime, limit: int | None = None) -> list[PlannedWindow]:
        """Windows of the monitor to check now, oldest first: due, or left by a worker whose lease ran out."""
        with self._read() as connection:
            return due_windows.due(connection, definition.monitor_id, now, limit)

    def held(self, monitor_id: int, now: datetime) -> list[LeasedWindow]:
        """Windows of the monitor that workers hold, oldest first; they and later ones are not due."""
        with self._read() as connection:
            return due_windows.held(connection, monitor_id, now)

    def retries(self, monitor: str, now: datetime) -> list[tuple[Window, datetime]]:
        """Windows that could not be checked, oldest first, each with the instant (after `now`) of its next attempt."""
        with self._read() as connection:
            return row_queries.retries(connection, monitor, now)

    def alert_states(self, monitor_id: int) -> dict[Fingerprint, AlertState]:
        """Where the monitor's alerts stand; one that is not here stands at `ok`."""
        with self._read() as connection:
            return commit_outcome.alert_states(connection, monitor_id)

    def deliveries_due(self, now: datetime | None, limit: int = 1000) -> list[Delivery]:
        """What is to be sent now (None: all that is still to be sent), oldest first; up to `limit` of each channel."""
        with self._read() as connection:
            return outbox.due(connection, now, limit)

    # What was found

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
        """Scores in the form of `drift scores --json`, oldest window first; windows that start in [since, until).

        Raises
        ------
        TooMany
            Where there are more than `most`.
        """
        with self._read() as connection:
            return row_queries.scores(
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
        """Windows in the form of `drift windows --json`, checked or not, oldest first; starts in [since, until).

        Raises
        ------
        TooMany
            Where there are more than `most`.
        """
        with self._read() as connection:
            return row_queries.windows(
                connection, monitor_name=monitor, since=since, until=until, revisions=revisions, most=most
            )

    def newest(
        self, monitor: str, most: int, since: datetime | None = None, until: datetime | None = None
    ) -> list[trends.WindowSummary]:
        """The newest checked windows that start in [since, until), up to `most`, oldest first."""
        with self._read() as connection:
            return trends.newest(connection, monitor, most, since, until)

    def trends(self, monitor: str, windows: Sequence[Window]) -> trends.Trends:
        """How each column and segment scored in some windows, by their newest revisions."""
        with self._read() as connection:
            return trends.trends(connection, monitor, windows)

    def alerts(self, monitor: str | None = None, state: str | None = None) -> list[dict[str, Any]]:
        """Alerts in the form of `drift alerts list --json`, those that fire first."""
        with self._read() as connection:
            return row_queries.alerts(connection, monitor_name=monitor, state=state)

    def profile(
        self, monitor: str, window_start: datetime, revision: int | None = None, segment: str = ""
    ) -> Profile | None:
        """The histograms of a checked window, by default its newest revision; None where there are none."""
        with self._read() as connection:
            return stored_results.stored_profile(connection, self._axes, monitor, window_start, revision, segment)

    def results(self, monitor: str, window_start: datetime, revision: int | None = None) -> tuple[SegmentResult, ...]:
        """What the check of a window found, as `finish` got it; empty where there is nothing."""
        with self._read() as connection:
            return stored_results.stored_results(connection, self._axes, monitor, window_start, revision)

    def judging(self, monitor: str, window_start: datetime, revision: int | None = None) -> dict[str, Any] | None:
        """How the scores of a checked window were judged (`Outcome.judged`); None where that was not told."""
        with self._read() as connection:
            return stored_results.stored_judging(connection, monitor, window_start, revision)

    def past(
        self,
        monitor: str,
        *,
        starts: Sequence[datetime] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        before: datetime | None = None,
        most: int | None = None,
    ) -> WindowHistories:
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
            return history_queries.past(
                connection, self._axes, monitor, starts=starts, since=since, until=until, before=before, most=most
            )

    # How things stand

    def standings(self, now: datetime) -> list[monitor_status.MonitorStatus]:
        """How every monitor stands, by name; asked in time that does not grow with the windows stored."""
        with self._read() as connection:
            return monitor_status.standings(connection, now)

    def delivery_counts(self) -> dict[str, int]:
        """Deliveries by status."""
        with self._read() as connection:
            return outbox.counts(connection)

    def given_up_since(self, since: datetime) -> int:
        """How many deliveries were given up since then."""
        with self._read() as connection:
            return outbox.given_up_since(connection, since)

    def next_delivery(self) -> datetime | None:
        """When the first of the deliveries that wait is tried (again); None where none waits."""
        with self._read() as connection:
            return outbox.next_attempt(connection)

    def delivery_lines(self) -> list[monitor_status.ChannelQueue]:
        """Deliveries that wait, by channel."""
        with self._read() as connection:
            return monitor_status.lines(connection)

    def counts_by_status(self) -> dict[str, dict[str, int]]:
        """Numbers of windows and deliveries by status and of alerts by state."""
        with self._read() as connection:
            return {
                "windows": plan.counts(connection),
                "deliveries": outbox.counts(connection),
                "alerts": row_queries.alert_counts(connection),
            }

    def size(self) -> int:
        """Bytes of the database."""
        with self._read() as connection:
            return monitor_status.size(connection)
