"""The outbox: one delivery for each channel, oldest first, retried or abandoned."""

from dataclasses import replace
from datetime import timedelta

import pytest

from drift.errors import StoreError
from drift.store import DeliveryConflict, Store
from tests.support.errors import has_code
from tests.support.store_builders import (
    DAY,
    MINUTE,
    NOW,
    check_window,
    claim_window,
    define_monitor,
    lose_commit_answer,
    make_outcome,
    profile,
    segments,
)

REFERENCE = profile(5000, seed=1)
OTHER = profile(4000, seed=2)


@pytest.fixture
def filled(store: Store) -> Store:
    """Two notifications: something fired, something resolved."""
    definition = define_monitor(store)
    check_window(store, definition, 0, OTHER, REFERENCE)
    check_window(store, definition, 1, REFERENCE, REFERENCE)
    return store


def test_each_channel_gets_the_notification_oldest_first(filled: Store) -> None:
    due = filled.outbox.due(NOW)
    assert [(d.channel, d.payload["status"], d.attempts) for d in due] == [
        ("team", "firing", 0),
        ("hook", "firing", 0),
        ("team", "resolved", 0),
        ("hook", "resolved", 0),
    ]
    assert filled.outbox.due(NOW, limit=1) == due[:2], "the first of each channel"
    assert filled.outbox.due(NOW - MINUTE) == []


def test_the_payload_is_the_notification_as_it_was_made(store: Store) -> None:
    claim = claim_window(store, define_monitor(store))
    whole = make_outcome(claim, segments(OTHER, REFERENCE))
    store.windows.commit(claim, whole, NOW)
    assert whole.notification is not None
    for delivery in store.outbox.due(NOW):
        assert delivery.payload == whole.notification.to_dict()
        assert delivery.notification_id == whole.notification.id


def test_a_delivery_that_was_taken_is_over(filled: Store) -> None:
    first, *rest = filled.outbox.due(NOW)
    filled.outbox.mark_sent(first.id, NOW)
    assert filled.outbox.due(NOW) == rest
    assert filled.queries.counts_by_status()["deliveries"] == {"sent": 1, "pending": 3}
    with pytest.raises(StoreError, match=f"delivery {first.id} ", check=has_code("delivery-conflict")):
        filled.outbox.mark_sent(first.id, NOW)


def test_a_failed_delivery_is_retried_in_its_place(filled: Store) -> None:
    due = filled.outbox.due(NOW)
    filled.outbox.mark_failed(due[0].id, "HTTP 503", NOW + MINUTE)
    assert filled.outbox.due(NOW) == due[1:]
    again = filled.outbox.due(NOW + MINUTE)
    assert again == [replace(due[0], attempts=1), *due[1:]]


def test_an_abandoned_delivery_is_dead(filled: Store) -> None:
    first, *rest = filled.outbox.due(NOW)
    filled.outbox.mark_failed(first.id, "HTTP 410", None)
    assert filled.outbox.due(NOW + DAY) == rest
    assert filled.queries.counts_by_status()["deliveries"] == {"dead": 1, "pending": 3}
    with pytest.raises(StoreError, match=f"delivery {first.id} ", check=has_code("delivery-conflict")):
        filled.outbox.mark_failed(first.id, "again", NOW)


def test_a_delivery_is_taken_by_one_sender_at_a_time(filled: Store) -> None:
    first, *rest = filled.outbox.due(NOW)
    assert filled.outbox.take(first.id, NOW, NOW + MINUTE)
    assert not filled.outbox.take(first.id, NOW, NOW + 2 * MINUTE)
    assert filled.outbox.due(NOW) == rest
    assert filled.outbox.take(first.id, NOW + MINUTE, NOW + 2 * MINUTE), "its sender's time is over"
    with pytest.raises(DeliveryConflict):
        filled.outbox.mark_failed(first.id, "too late to say so", None, taken_until=NOW + MINUTE)
    filled.outbox.mark_sent(first.id, NOW)
    assert not filled.outbox.take(first.id, NOW + DAY, NOW + 2 * DAY)


def test_a_mark_whose_answer_was_lost_is_looked_up(filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, third, fourth = filled.outbox.due(NOW)
    with lose_commit_answer(filled, monkeypatch):
        assert filled.outbox.take(first.id, NOW, NOW + MINUTE)
    with (
        lose_commit_answer(filled, monkeypatch, written=False),
        pytest.raises(StoreError, check=has_code("commit-unknown")),
    ):
        filled.outbox.take(second.id, NOW, NOW + MINUTE)
    with lose_commit_answer(filled, monkeypatch):
        filled.outbox.mark_sent(first.id, NOW)
    with lose_commit_answer(filled, monkeypatch):
        filled.outbox.mark_failed(second.id, "HTTP 410", None)
    with lose_commit_answer(filled, monkeypatch):
        filled.outbox.mark_failed(third.id, "HTTP 503", NOW + MINUTE)
    with (
        lose_commit_answer(filled, monkeypatch, written=False),
        pytest.raises(StoreError, check=has_code("commit-unknown")),
    ):
        filled.outbox.mark_sent(fourth.id, NOW)
    assert filled.queries.counts_by_status()["deliveries"] == {"sent": 1, "dead": 1, "pending": 2}
    assert filled.outbox.due(NOW) == [fourth]


def test_a_delivery_postponed_by_a_fast_clock_is_due(filled: Store) -> None:
    first, *rest = filled.outbox.due(NOW)
    whole = [replace(first, attempts=1), *rest]
    filled.outbox.mark_failed(first.id, "HTTP 503", NOW + 3 * DAY)
    assert filled.outbox.due(NOW) == rest
    assert filled.outbox.due(None) == whole, "a sender sees what is ahead of a delivery"
    ahead = NOW + 1000 * DAY
    assert filled.outbox.take(first.id, ahead, ahead + MINUTE)
    assert filled.outbox.due(NOW) == whole
    assert filled.outbox.take(first.id, NOW, NOW + MINUTE)
    assert filled.outbox.due(NOW) == rest, "and is then one sender's"


def test_what_was_given_up_lately_is_told_apart(filled: Store) -> None:
    first, second, *_ = filled.outbox.due(NOW)
    for one, at in ((first, NOW), (second, NOW + 5 * DAY)):
        assert filled.outbox.take(one.id, at, at + MINUTE)
        filled.outbox.mark_failed(one.id, "HTTP 410", None, taken_until=at + MINUTE)
    found = [filled.outbox.count_abandoned(NOW + timedelta(days=n)) for n in (-1, 1, 6)]
    assert found == [2, 1, 0]


def test_an_unknown_delivery_is_an_error(store: Store) -> None:
    with pytest.raises(StoreError, match="delivery 77", check=has_code("delivery-conflict")):
        store.outbox.mark_sent(77, NOW)


def test_a_notification_without_channels_makes_no_delivery(store: Store) -> None:
    claim = claim_window(store, define_monitor(store))
    store.windows.commit(claim, make_outcome(claim, segments(OTHER, REFERENCE), channels=()), NOW)
    assert store.outbox.due(NOW) == []
    assert store.queries.alerts(state="firing") != []


def test_a_resent_delivery_keeps_its_id_and_place(filled: Store) -> None:
    first, second, third, fourth = filled.outbox.due(NOW)
    for given_up in (first, second, third):
        filled.outbox.mark_failed(given_up.id, "HTTP 404", None)
    filled.outbox.mark_sent(fourth.id, NOW)
    assert filled.outbox.resend(NOW, ["hook"], NOW + MINUTE) == [], "made before"
    assert filled.outbox.resend(NOW, []) == []
    later = NOW + DAY
    (again,) = filled.outbox.resend(later, ["hook"], NOW)
    assert (again["id"], again["channel"], again["attempts"]) == (second.notification_id, "hook", 1)
    assert filled.outbox.due(later) == [replace(second, attempts=0)]
    assert [row["channel"] for row in filled.outbox.resend(later, ["hook", "team"])] == ["team", "team"]
    assert filled.outbox.due(later) == [first, second, third]
    assert filled.queries.counts_by_status()["deliveries"] == {"sent": 1, "pending": 3}
