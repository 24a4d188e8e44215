"""`/metrics`: read from the store at each scrape, so that all replicas agree and a restart changes nothing.

Names, units and labels follow Prometheus (https://prometheus.io/docs/practices/naming/): seconds and bytes, and gauges
because late rows may change a window's verdict; only the lost log lines are a counter.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from drift import __version__
from drift.monitors.verdict import Verdict
from drift.server.web.monitor_status import MonitorOverview, SchedulerStatus
from drift.store import Store

DELIVERY_STATUSES: Final = ("pending", "sent", "dead")

_MONITOR_GAUGES: Final[tuple[tuple[str, str, Callable[[MonitorOverview, datetime], float | None]], ...]] = (
    ("drift_monitor_failing", "1 if the monitor cannot be checked.", lambda one, _: float(bool(one.problem))),
    ("drift_windows_waiting", "Windows planned and not checked.", lambda one, _: one.status.waiting),
    ("drift_windows_overdue", "Windows planned, due by now and not checked.", lambda one, _: one.status.overdue),
    (
        "drift_windows_skipped",
        "Windows never checked: overdue for longer than catch_up allows.",
        lambda one, _: one.status.skipped,
    ),
    ("drift_alerts_firing", "Firing alerts.", lambda one, _: len(one.firing)),
    (
        "drift_lag_seconds",
        "Time since the end of the newest checked window; includes a window's length and its delay.",
        lambda one, now: _age(one.status.checked_until, now),
    ),
    (
        "drift_oldest_due_window_age_seconds",
        "How long the oldest due window has been due; 0 if none is.",
        lambda one, now: _age(one.status.oldest_due or now, now),
    ),
    (
        "drift_last_check_timestamp_seconds",
        "When the newest checked window was checked, by any process.",
        lambda one, _: _timestamp(one.status.checked_at),
    ),
    (
        "drift_last_success_timestamp_seconds",
        "When this process last checked all due windows of the monitor successfully.",
        lambda one, _: _timestamp(one.succeeded),
    ),
)
"""Name, help, and the value for a monitor at an instant; None if there is no value yet."""


def _age(moment: datetime | None, now: datetime) -> float | None:
    # Clocks of replicas differ a little: no age is negative.
    return None if moment is None else max(now - moment, timedelta(0)).total_seconds()


def _timestamp(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


class StoreCollector(Collector):
    """Metrics of monitors, deliveries, ticks and the store; `now`, with a time zone, is for ages."""

    def __init__(
        self,
        overviews: Callable[[], list[MonitorOverview]],
        store: Store,
        scheduler: SchedulerStatus,
        now: Callable[[], datetime],
        lines_dropped: Callable[[], int],
    ) -> None:
        self._overviews, self._store, self._scheduler, self._now = overviews, store, scheduler, now
        self._lines_dropped = lines_dropped

    def collect(self) -> Iterator[Metric]:
        yield InfoMetricFamily("drift_build", "Version of drift.", {"version": __version__})
        yield from self._ticks()
        yield CounterMetricFamily(
            "drift_log_lines_dropped_total",
            "Log lines of this process that were lost because the log was not read.",
            value=self._lines_dropped(),
        )
        yield from self._monitors()
        yield from self._deliveries()
        yield GaugeMetricFamily(
            "drift_store_size_bytes",
            "Size of the database on disk; for SQLite without the write-ahead log.",
            value=self._store.queries.size(),
        )

    def _ticks(self) -> Iterator[Metric]:
        ready = not self._scheduler.not_ready_reason()
        yield GaugeMetricFamily("drift_ready", "1 if ticks succeed.", value=float(ready))
        age = self._scheduler.age()
        if age is not None:
            yield GaugeMetricFamily(
                "drift_tick_age_seconds", "Time since the last heartbeat of the ticks.", value=age.total_seconds()
            )

    def _monitors(self) -> Iterator[Metric]:
        # A monitor that was renamed or removed must not raise alarms for ever, so it is only counted.
        overviews, now = self._overviews(), self._now()
        configured = [one for one in overviews if one.configured]
        yield GaugeMetricFamily(
            "drift_monitors_not_configured",
            "Monitors that are stored but not configured.",
            value=len(overviews) - len(configured),
        )
        windows = GaugeMetricFamily(
            "drift_windows", "Checked windows by the verdict of their newest revision.", labels=["monitor", "verdict"]
        )
        for one in configured:
            for verdict in Verdict:
                windows.add_metric([one.name, verdict.value], one.status.verdicts[verdict.value])
        yield windows
        for name, text, value_of in _MONITOR_GAUGES:
            gauge = GaugeMetricFamily(name, text, labels=["monitor"])
            for one in configured:
                if (value := value_of(one, now)) is not None:
                    gauge.add_metric([one.name], value)
            yield gauge

    def _deliveries(self) -> Iterator[Metric]:
        counts = self._store.outbox.counts()
        deliveries = GaugeMetricFamily("drift_deliveries", "Deliveries by status.", labels=["status"])
        for status in sorted({*DELIVERY_STATUSES, *counts}):
            deliveries.add_metric([status], counts.get(status, 0))
        pending = GaugeMetricFamily("drift_deliveries_waiting", "Pending deliveries.", labels=["channel"])
        oldest = GaugeMetricFamily(
            "drift_oldest_delivery_age_seconds",
            "Time since the oldest pending delivery was created.",
            labels=["channel"],
        )
        now = self._now()
        for channel in self._store.outbox.queues():
            pending.add_metric([channel.channel], channel.waiting)
            oldest.add_metric([channel.channel], _age(channel.since, now) or 0.0)
        yield from (deliveries, pending, oldest)
