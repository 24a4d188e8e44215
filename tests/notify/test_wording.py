"""The wording of notifications, reviewed in one file."""

from pathlib import Path
from types import SimpleNamespace

from drift.monitors.spec import Alerting
from drift.monitors.verdict import Verdict
from drift.notify.text import to_text
from tests.support.notifications import last_notification, payments
from tests.support.snapshots import matches_snapshot

SNAPSHOT = Path(__file__).parent / "snapshots" / "notifications.txt"
V = Verdict
ALL = Alerting(verdicts=frozenset(V) - {V.OK})
PAGE = "https://drift.example.org"


def test_the_wording_of_notifications_is_reviewed(make: SimpleNamespace) -> None:
    segment = make.segment
    scenarios = {
        "drift, judged by a threshold": last_notification([[segment({"temp": V.DRIFT})]], page=PAGE),
        "drift, judged by learned limits": last_notification([payments(missing=41)], page=PAGE),
        "drift in the second of two windows": last_notification(
            [[segment({"temp": V.DRIFT})]] * 2, alerting=Alerting(for_windows=2)
        ),
        "warn": last_notification([[segment({"temp": V.WARN})]], alerting=ALL),
        "resolved": last_notification([[segment({"temp": V.DRIFT})], [segment({"temp": V.OK})]]),
        "resolved after two calm windows": last_notification(
            [[segment({"temp": V.DRIFT})], *[[segment({"temp": V.OK})]] * 2], alerting=Alerting(keep_firing_for=1)
        ),
        "no data in the window": last_notification([V.NO_DATA]),
        "data again after a window without any": last_notification([V.NO_DATA, [segment({"temp": V.OK})]]),
        "error of the window": last_notification(
            [V.ERROR], note="data/bikes.parquet: cannot be read (truncated); restore the file"
        ),
        "error of a column": last_notification([[segment({"temp": V.ERROR, "hum": V.OK})]]),
        "schema change": last_notification([[segment({"temp": V.SCHEMA_ERROR})]]),
        "not comparable": last_notification([[segment({"temp": V.NOT_COMPARABLE})]], alerting=ALL),
        "too few rows": last_notification([[segment({"temp": V.INSUFFICIENT})]], alerting=ALL),
        "several columns and a segment": last_notification(
            [
                [segment({"recovered": V.DRIFT, "temp": V.OK, "hum": V.OK, "wind": V.OK})],
                [
                    segment({"recovered": V.OK, "temp": V.DRIFT, "hum": V.WARN, "wind": V.SCHEMA_ERROR}),
                    segment({"temp": V.DRIFT}, "season=1"),
                ],
            ],
            alerting=ALL,
            page=PAGE,
        ),
    }
    texts = []
    for name, notification in scenarios.items():
        assert notification is not None, name
        texts.append(f"--- {name}\n{to_text(notification.to_dict())}\n")
    assert matches_snapshot(SNAPSHOT, "\n".join(texts))
