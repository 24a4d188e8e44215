"""`/metrics`: read from the store at each scrape, so that every replica tells the same and a restart tells it too."""

from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from drift import __version__
from drift.store import Store
from drift.verdict import Verdict
from drift.web.overview import Service, Standing

DELIVERIES: Final = ("pending", "sent", "dead")


class StoreCollector(Collector):
    """Gauges of monitors, deliveries and ticks.

    Parameters
    ----------
    standings : callable
        How every monitor stands.
    store : Store
        For the deliveries.
    service : Service
        For the ticks.
    """

    def __init__(self, standings: Callable[[], list[Standing]], store: Store, service: Service) -> None:
        self._standings, self._store, self._service = standings, store, service

    def describe(self) -> list[Metric]:
        """Nothing: to register must not read the store."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Every metric, as it is now."""
        yield InfoMetricFamily("drift_build", "This program.", {"version": __version__})
        yield from self._ticks()
        yield from self._monitors()
        sent = self._store.counts_by_status()["deliveries"]
        deliveries = GaugeMetricFamily("drift_deliveries", "Deliveries by what became of them.", labels=["status"])
        for status in sorted({*DELIVERIES, *sent}):
            deliveries.add_metric([status], sent.get(status, 0))
        yield deliveries

    def _ticks(self) -> Iterator[Metric]:
        ready = not self._service.trouble()
        yield GaugeMetricFamily("drift_ready", "1 where ticks come and go through.", value=float(ready))
        age = self._service.age()
        if age is not None:
            told = "Seconds since the last sign of life of the ticks."
            yield GaugeMetricFamily("drift_tick_age_seconds", told, value=age.total_seconds())

    def _monitors(self) -> Iterator[Metric]:
        windows = GaugeMetricFamily(
            "drift_windows", "Checked windows by the verdict of their newest check.", labels=["monitor", "verdict"]
        )
        failing = GaugeMetricFamily("drift_monitor_failing", "1 where it is not checked.", labels=["monitor"])
        waiting = GaugeMetricFamily("drift_windows_waiting", "Windows planned and not checked.", labels=["monitor"])
        skipped = GaugeMetricFamily(
            "drift_windows_skipped", "Windows never checked: due for longer than catch_up allows.", labels=["monitor"]
        )
        firing = GaugeMetricFamily("drift_alerts_firing", "Alerts that fire.", labels=["monitor"])
        success = GaugeMetricFamily(
            "drift_last_success_timestamp_seconds",
            "When all due windows of the monitor could last be checked, by this process.",
            labels=["monitor"],
        )
        for one in self._standings():
            for verdict in Verdict:
                windows.add_metric([one.name, verdict.value], one.verdicts[verdict.value])
            failing.add_metric([one.name], float(bool(one.problem)))
            waiting.add_metric([one.name], one.waiting)
            skipped.add_metric([one.name], one.skipped)
            firing.add_metric([one.name], len(one.firing))
            if one.succeeded is not None:
                success.add_metric([one.name], one.succeeded.timestamp())
        yield from (failing, windows, waiting, skipped, firing, success)


def registry(standings: Callable[[], list[Standing]], store: Store, service: Service) -> CollectorRegistry:
    """A registry that holds these metrics and nothing else."""
    made = CollectorRegistry(auto_describe=False)
    made.register(StoreCollector(standings, store, service))
    return made
