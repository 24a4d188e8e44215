"""Notifications of judged days: real results, alert rules and events."""

from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from drift.histogram import CategoricalAxis, Histogram, History, Profile
from drift.monitors.alert_rules import transitions
from drift.monitors.alert_state import AlertState, Fingerprint
from drift.monitors.comparison import SegmentReference, SegmentResult, compare_profiles
from drift.monitors.spec import Alerting, Columns
from drift.monitors.verdict import Verdict
from drift.notify.message import Notification, make_events, make_notification
from drift.stats.calibration import Calibration
from tests.support.results import T0, day, monitor


def last_notification(
    days: Sequence[Verdict | Sequence[SegmentResult]],
    *,
    revision: int = 1,
    alerting: Alerting | None = None,
    note: str = "",
    page: str | None = None,
) -> Notification | None:
    """Return the notification of the last of these days; a verdict stands for a whole window without results."""
    watched = monitor(alerting, segments=("season",))
    states: dict[Fingerprint, AlertState] = {}
    notification = None
    for n, outcome in enumerate(days):
        segments = () if isinstance(outcome, Verdict) else outcome
        changes = transitions(watched, day(n), outcome, states, T0)
        states |= {change.fingerprint: change.after for change in changes}
        results = {(segment.segment, result.column): result for segment in segments for result in segment.columns}
        events = make_events(changes, results, watched.name, day(n), revision, note)
        assert len(events) == sum(change.changed for change in changes)
        notification = make_notification(
            watched.name,
            day(n),
            revision,
            events,
            labels={"team": "ml"},
            runbook="https://wiki/bikes",
            page=page,
        )
    return notification


def payments(missing: int, name: str = "card") -> list[SegmentResult]:
    """Return a day of 1000 payments, some missing, compared with 60 days on which almost none was missing."""
    rng, axis = np.random.default_rng(3), CategoricalAxis((name, "cash"), rare=None)
    history = History(axis, rng.multinomial(1000, [0.6, 0.399, 0, 0.001], size=60))
    live = Profile({"payment": Histogram(axis, [600, 400 - missing, 0, missing])}, 1000)
    reference = SegmentReference(
        {"payment": history.pooled}, calibration=Calibration({"payment": history}), period=timedelta(days=1)
    )
    return [SegmentResult("", live, compare_profiles(live, reference, Columns(), rng))]
