"""`/metrics`: read from the store at each scrape, so that every replica tells the same and a restart tells it too.

Names, units and labels as Prometheus has them (https://prometheus.io/docs/practices/naming/): seconds and bytes, and
gauges, since a window's verdict may change as late rows come; only the lines that the log lost are counted up.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from drift import __version__
from drift.monitors.verdict import Verdict
from drift.server.web.monitor_status import MonitorOverview, SchedulerStatus
from drift.store import Store

DELIVERIES: Final = ("pending", "sent", "dead")

_OF_MONITORS: Final[tuple[tuple[str, str, Callable[[MonitorOverview, datetime], float | None]], ...]] = (
    ("drift_monitor_failing", "1 where it is not checked.", lambda one, _: float(bool(one.problem))),
    ("drift_windows_waiting", "Windows planned and not checked.", lambda one, _: one.stand.waiting),
    ("drift_windows_overdue", "Windows planned, due by now and not checked.", lambda one, _: one.stand.overdue),
    (
        "drift_windows_skipped",
        "Windows never checked: due for longer than catch_up allows.",
        lambda one, _: one.stand.skipped,
    ),
    ("drift_alerts_firing", "Alerts that fire.", lambda one, _: len(one.firing)),
    (
        "drift_lag_seconds",
        "Since the end of the newest window checked; a window's length and its delay belong to it.",
        lambda one, now: _since(one.stand.checked_until, now),
    ),
    (
        "drift_oldest_due_window_age_seconds",
        "How long the oldest window that is due has been so; 0 where none is.",
        lambda one, now: _since(one.stand.oldest_due or now, now),
    ),
    (
        "drift_last_check_timestamp_seconds",
        "When the newest window checked was, by any process.",
        lambda one, _: _at(one.stand.checked_at),
    ),
    (
        "drift_last_success_timestamp_seconds",
        "When all due windows of the monitor could last be checked, by this process.",
        lambda one, _: _at(one.succeeded),
    ),
)
"""Name, help, and the value of one monitor at a time; None where there is none yet."""


def _since(moment: datetime | None, now: datetime) -> float | None:
    # Clocks of replicas differ by a little: no age is negative.
    return None if moment is None else max(now - moment, timedelta(0)).total_seconds()


def _at(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


class StoreCollector(Collector):
    """Gauges of monitors, deliveries, ticks and the store.

    Parameters
    ----------
    standings : callable
        How every monitor stands.
    store : Store
        For the deliveries, and for its size.
    service : Service
        For the ticks.
    now : callable
        The time, with a time zone: for ages.
    lines_dropped : callable
        How many lines of the log were lost.
    """

    def __init__(
        self,
        standings: Callable[[], list[MonitorOverview]],
        store: Store,
        service: SchedulerStatus,
        now: Callable[[], datetime],
        lines_dropped: Callable[[], int],
    ) -> None:
        self._standings, self._store, self._service, self._now = standings, store, service, now
        self._lines_dropped = lines_dropped

    def describe(self) -> list[Metric]:
        """Nothing: to register must not read the store."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Every metric, as it is now."""
        yield InfoMetricFamily("drift_build", "This program.", {"version": __version__})
        yield from self._ticks()
        told = "Lines of this process's log that nobody took, and that are lost."
        yield CounterMetricFamily("drift_log_lines_dropped_total", told, value=self._lines_dropped())
        yield from self._monitors()
        yield from self._deliveries()
        told = "The database on its disk; of SQLite without the write-ahead log."
        yield GaugeMetricFamily("drift_store_size_bytes", told, value=self._store.size())

    def _ticks(self) -> Iterator[Metric]:
        ready = not self._service.trouble()
        yield GaugeMetricFamily("drift_ready", "1 where ticks come and go through.", value=float(ready))
        age = self._service.age()
        if age is not None:
            told = "Seconds since the last sign of life of the ticks."
            yield GaugeMetricFamily("drift_tick_age_seconds", told, value=age.total_seconds())

    def _monitors(self) -> Iterator[Metric]:
        # A monitor that was renamed or removed must not alarm for ever: it is counted, no more.
        known, now = self._standings(), self._now()
        standings = [one for one in known if one.configured]
        told = "Monitors that the store knows and the configuration does not name."
        yield GaugeMetricFamily("drift_monitors_not_configured", told, value=len(known) - len(standings))
        windows = GaugeMetricFamily(
            "drift_windows", "Checked windows by the verdict of their newest check.", labels=["monitor", "verdict"]
        )
        for one in standings:
            for verdict in Verdict:
                windows.add_metric([one.name, verdict.value], one.stand.verdicts[verdict.value])
        yield windows
        for name, told, value_of in _OF_MONITORS:
            gauge = GaugeMetricFamily(name, told, labels=["monitor"])
            for one in standings:
                if (value := value_of(one, now)) is not None:
                    gauge.add_metric([one.name], value)
            yield gauge

    def _deliveries(self) -> Iterator[Metric]:
        sent = self._store.delivery_counts()
        deliveries = GaugeMetricFamily("drift_deliveries", "Deliveries by what became of them.", labels=["status"])
        for status in sorted({*DELIVERIES, *sent}):
            deliveries.add_metric([status], sent.get(status, 0))
        waiting = GaugeMetricFamily("drift_deliveries_waiting", "Deliveries that wait.", labels=["channel"])
        oldest = GaugeMetricFamily(
            "drift_oldest_delivery_age_seconds", "Since the oldest delivery that waits was made.", labels=["channel"]
        )
        now = self._now()
        for line in self._store.delivery_lines():
            waiting.add_metric([line.channel], line.waiting)
            oldest.add_metric([line.channel], _since(line.since, now) or 0.0)
        yield from (deliveries, waiting, oldest)


def registry(
    standings: Callable[[], list[MonitorOverview]],
    store: Store,
    service: SchedulerStatus,
    now: Callable[[], datetime],
    lines_dropped: Callable[[], int],
) -> CollectorRegistry:
    """A registry that holds these metrics and nothing else."""
    made = CollectorRegistry(auto_describe=False)
    made.register(StoreCollector(standings, store, service, now, lines_dropped))
    return made
