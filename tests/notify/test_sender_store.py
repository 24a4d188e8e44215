"""Deliveries from the real stores, on both databases: from a judged window to a receiver."""

# ruff: noqa: ARG002 (fakes that ignore arguments)

import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from drift.errors import DeliveryError, StoreError
from drift.monitors.alert_rules import transitions
from drift.monitors.spec import Alerting, FileSource, Monitor, Reference
from drift.monitors.verdict import Verdict
from drift.monitors.window import Period, Window
from drift.notify.channels import Channel
from drift.notify.message import Notification, make_events, make_notification
from drift.notify.sender import OVERRUN_SECONDS, RECORD_SECONDS, DrainStats, drain
from drift.store import Outcome, Store
from tests.support.receivers import webhook

NOW = datetime(2011, 6, 13, 2, 15, tzinfo=UTC)
DAY = timedelta(days=1)
Serve = Callable[..., Any]


def judged(store: Store, verdicts: list[Verdict], channels: tuple[str, ...]) -> list[Notification]:
    """Store windows with these verdicts; return their notifications."""
    monitor = Monitor(
        "bikes", FileSource("unread"), "ts", Reference(), ZoneInfo("UTC"), Period(1, "d"),
        alerting=Alerting(notify=channels, labels={"severity": "page"}),
    )  # fmt: skip
    definition = store.monitors.define(monitor.name, {"window": "1d"}, NOW)
    notifications = []
    for n, verdict in enumerate(verdicts):
        window = Window(NOW + n * DAY, NOW + (n + 1) * DAY)
        store.windows.plan(definition, [(window, NOW)])
        (planned,) = store.windows.due(definition, NOW)
        claim = store.windows.claim(planned.id, definition, "me", NOW, DAY)
        assert claim is not None
        changes = transitions(monitor, window, verdict, store.monitors.alert_states(claim.monitor_id), NOW)
        events = make_events(changes, {}, monitor.name, window, claim.revision, note="cannot read it")
        notification = make_notification(monitor.name, window, claim.revision, events, labels=monitor.alerting.labels)
        store.windows.commit(claim, Outcome(0, verdict, "", {}, None, (), changes, events, notification, channels), NOW)
        notifications += [notification] if notification else []
    return notifications


def run(store: Store, channels: Mapping[str, Channel], later: timedelta = timedelta(0), **options: Any) -> DrainStats:
    return drain(
        store.outbox, channels, lambda: NOW + later, rng=np.random.default_rng(1), **{"deadline": 5.0, **options}
    )


def ids(receiver: Any) -> list[str]:
    return [r.headers["idempotency-key"] for r in receiver.requests]


FIRES_AND_RESOLVES = [Verdict.ERROR, Verdict.ERROR, Verdict.OK, Verdict.ERROR]


def test_notifications_arrive_as_they_were_stored(store: Store, serve: Serve, how: SimpleNamespace) -> None:
    notifications = judged(store, FIRES_AND_RESOLVES, ("hook",))
    assert [n.status for n in notifications] == ["firing", "resolved", "firing"]
    receiver = serve(how.answer(200))
    hook = {"hook": webhook(receiver.url)}
    assert run(store, hook) == DrainStats(sent=3)
    assert [json.loads(r.body) for r in receiver.requests] == [n.to_dict() for n in notifications]
    assert ids(receiver) == [n.id for n in notifications]
    assert run(store, hook, later=DAY) == DrainStats()


def test_a_failing_channel_keeps_its_order_and_delays_no_other(
    store: Store, serve: Serve, how: SimpleNamespace
) -> None:
    notifications = judged(store, FIRES_AND_RESOLVES, ("bad", "good"))
    bad, good = serve(how.hang, how.answer(500), how.answer(200)), serve(how.answer(200))
    hooks = {name: webhook(r.url, name) for name, r in (("bad", bad), ("good", good))}
    assert run(store, hooks, deadline=2.5) == DrainStats(sent=3, retried=1, waiting=2)
    assert run(store, hooks, later=timedelta(seconds=1)) == DrainStats(waiting=2)
    assert run(store, hooks, later=timedelta(hours=1)) == DrainStats(retried=1, waiting=2)
    assert run(store, hooks, later=timedelta(hours=3)) == DrainStats(sent=3)
    assert ids(good) == [n.id for n in notifications]
    assert ids(bad) == [notifications[0].id] * 2 + [n.id for n in notifications]
    assert store.queries.counts_by_status()["deliveries"] == {"sent": 6}


def test_an_abandoned_delivery_is_stored_as_dead(store: Store, serve: Serve, how: SimpleNamespace) -> None:
    judged(store, [Verdict.ERROR], ("hook", "gone"))
    receiver = serve(how.answer(410))
    assert run(store, {"hook": webhook(receiver.url)}) == DrainStats(dead=1, retried=1)
    assert store.queries.counts_by_status()["deliveries"] == {"dead": 1, "pending": 1}, (
        "another process may have the channel `gone`"
    )


def test_concurrent_replicas_send_each_notification_once(store: Store, serve: Serve, how: SimpleNamespace) -> None:
    notifications = judged(store, [Verdict.ERROR, Verdict.OK] * 4, ("hook",))
    receiver = serve(how.answer(200))
    hook = {"hook": webhook(receiver.url)}
    with ThreadPoolExecutor(3) as pool:
        done = list(pool.map(lambda _: run(store, hook, deadline=60.0), range(3)))
    assert sum(d.sent for d in done) == len(notifications)
    assert ids(receiver) == [n.id for n in notifications], "each once, in order"
    assert store.queries.counts_by_status()["deliveries"] == {"sent": len(notifications)}


def test_a_delivery_not_recorded_is_sent_again_under_its_id(
    store: Store, serve: Serve, how: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    (notification,) = judged(store, [Verdict.ERROR], ("hook",))
    receiver = serve(how.answer(200))
    hook = {"hook": webhook(receiver.url)}

    def die(delivery_id: int, now: datetime) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(store.outbox, "mark_sent", die)
        with pytest.raises(KeyboardInterrupt):
            run(store, hook)
    assert run(store, hook, later=timedelta(seconds=5)) == DrainStats(), "it may still be in flight"
    assert run(store, hook, later=timedelta(seconds=5 + OVERRUN_SECONDS + RECORD_SECONDS)) == DrainStats(sent=1)
    assert ids(receiver) == [notification.id] * 2


def test_a_stopping_sender_starts_no_further_delivery(store: Store, serve: Serve, how: SimpleNamespace) -> None:
    notifications = judged(store, FIRES_AND_RESOLVES, ("hook",))
    receiver = serve(how.answer(200))
    hook = {"hook": webhook(receiver.url)}
    assert run(store, hook, stopping=lambda: bool(receiver.requests)) == DrainStats(
        sent=1, waiting=len(notifications) - 1
    )
    assert run(store, hook) == DrainStats(sent=len(notifications) - 1)


def test_a_sender_that_was_overtaken_records_no_failure(store: Store, serve: Serve, how: SimpleNamespace) -> None:
    judged(store, [Verdict.ERROR], ("hook",))
    other = serve(how.answer(200))

    class Slow:
        name = "hook"

        def send(self, payload: Mapping[str, Any], *, deadline: float) -> None:
            after = timedelta(seconds=5 + OVERRUN_SECONDS + RECORD_SECONDS)  # how long this sender was suspended
            assert run(store, {"hook": webhook(other.url)}, later=after) == DrainStats(sent=1)
            raise DeliveryError("no answer")

    run(store, {"hook": Slow()})
    assert store.queries.counts_by_status()["deliveries"] == {"sent": 1}
    assert len(other.requests) == 1


def test_a_store_that_refuses_to_write_is_an_error(
    store: Store, serve: Serve, how: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged(store, [Verdict.ERROR], ("hook",))
    receiver = serve(how.answer(200))

    def refuse(delivery_id: int, now: datetime) -> None:
        raise StoreError("disk full")

    monkeypatch.setattr(store.outbox, "mark_sent", refuse)
    with pytest.raises(StoreError, match="disk full"):
        run(store, {"hook": webhook(receiver.url)})
