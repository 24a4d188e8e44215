"""Events, and the one notification of a window."""

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from drift.monitors.alert_rules import transitions
from drift.monitors.spec import Alerting
from drift.monitors.verdict import Verdict
from drift.notify.message import make_events, make_notification
from tests.support.notifications import last_notification, payments

V = Verdict


def strict(document: object) -> Any:
    """Encode as JSON and decode again, without NaN and infinity."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(json.dumps(document, allow_nan=False), parse_constant=refuse)


def test_a_notification_links_to_the_page_of_its_window(make: SimpleNamespace) -> None:
    notification = last_notification([[make.segment({"x": V.DRIFT})]])
    assert notification is not None
    assert notification.to_dict()["link"] is None, "no page is configured"
    for page in ("https://drift.example.org", "https://drift.example.org/"):
        linked = make_notification('a/b <i>&"é', make.day(0), 1, notification.events, page=page)
        assert linked is not None
        address = linked.to_dict()["link"]
        assert address == "https://drift.example.org/monitors/a%2Fb%20%3Ci%3E%26%22%C3%A9?window=2011-06-06T00:00Z"
        assert linked.id == make_notification('a/b <i>&"é', make.day(0), 1, notification.events).id, (
            "the id tells repeats apart"
        )


def test_a_window_without_transitions_has_no_notification(make: SimpleNamespace) -> None:
    assert last_notification([[make.segment({"x": V.OK})]]) is None
    assert last_notification([[make.segment({"x": V.DRIFT})]] * 2) is None
    assert last_notification([[make.segment({"x": V.DRIFT})]], alerting=Alerting(for_windows=2)) is None  # pending


def test_the_document_is_strict_json_with_the_documented_keys(make: SimpleNamespace) -> None:
    notification = last_notification([[make.segment({"x": V.DRIFT, "gone": V.SCHEMA_ERROR})]])
    assert notification is not None
    document = strict(notification.to_dict())
    assert document.keys() == {
        "version", "id", "monitor", "status", "title", "window", "revision", "labels", "runbook", "link",
        "events",
    }  # fmt: skip
    assert (document["version"], document["monitor"], document["status"]) == (1, "bikes", "firing")
    assert document["window"] == {"start": "2011-06-06T00:00Z", "end": "2011-06-07T00:00Z"}
    assert (document["labels"], document["runbook"]) == ({"team": "ml"}, "https://wiki/bikes")
    for event in document["events"]:
        assert event.keys() == {
            "id", "alert", "column", "segment", "rule", "state", "verdict", "reason", "message",
            "metric", "score", "threshold", "noise_floor", "p_value", "level", "reference_windows", "bins",
        }  # fmt: skip
    drifted, gone = document["events"]
    assert (drifted["rule"], gone["rule"]) == ("drift", "schema")
    assert gone["score"] is None
    assert gone["bins"] == []


def test_the_event_says_which_bins_moved(make: SimpleNamespace) -> None:
    notification = last_notification([[make.segment({"x": V.DRIFT})]])
    assert notification is not None
    (event,) = strict(notification.to_dict())["events"]
    assert {(b["label"], b["reference"], b["live"]) for b in event["bins"]} == {
        ("[0, 10)", 5000, 2000),
        ("[10, 20)", 5000, 8000),
    }
    assert sum(b["contribution"] for b in event["bins"]) == pytest.approx(event["score"])  # no other bin holds a row
    assert event["score"] > event["threshold"] == 0.1
    assert event["message"].startswith("x: share of [0, 10) fell from 50.0% to 20.0% ")


def test_a_learned_limit_gives_p_value_level_and_windows(make: SimpleNamespace) -> None:
    notification = last_notification([payments(missing=41)])
    assert notification is not None
    (event,) = strict(notification.to_dict())["events"]
    (result,) = payments(missing=41)[0].columns
    assert (event["threshold"], event["level"], event["reference_windows"]) == (None, 0.001, 60)
    assert event["p_value"] == result.p_value < event["level"]
    for words in (
        "payment: missing rose to 4.1%",
        "in 60 reference windows); JS distance ",
        ", typically ",
        "; by chance ",
    ):
        assert words in event["message"]


def test_a_message_with_a_long_category_stays_short(make: SimpleNamespace) -> None:
    notification = last_notification([payments(missing=41, name="a whole document\n" * 1000)])
    assert notification is not None
    assert len(notification.events[0].message) <= 500
    assert "\n" not in notification.events[0].message


def test_the_worst_event_comes_first(make: SimpleNamespace) -> None:
    before = [make.segment({"recovered": V.DRIFT, "b": V.OK})]
    now = [
        make.segment({"recovered": V.OK, "gone": V.SCHEMA_ERROR, "failed": V.ERROR, "b": V.DRIFT}),
        make.segment({"a": V.DRIFT}, "season=1"),
    ]
    notification = last_notification([before, now])
    assert notification is not None
    assert [(e.transition.fingerprint.column, e.transition.after.state.value) for e in notification.events] == [
        ("a", "firing"), ("b", "firing"), ("failed", "firing"), ("gone", "firing"), ("recovered", "resolved"),
    ]  # fmt: skip


def test_drifted_columns_are_ordered_by_score_relative_to_limit(make: SimpleNamespace) -> None:
    part = make.segment({"a": V.DRIFT, "z": V.DRIFT})
    a, z = sorted(part.columns, key=lambda c: c.column)
    milder = replace(a, threshold=type(a.threshold)(0.2))
    changes = transitions(make.monitor(), make.day(0), [part], {}, make.T0)
    events = make_events(changes, {("", "a"): milder, ("", "z"): z}, "bikes", make.day(0), 1)
    notification = make_notification("bikes", make.day(0), 1, events)
    assert notification is not None
    assert [e.transition.fingerprint.column for e in notification.events] == ["z", "a"]
    assert notification.events[0].ratio == pytest.approx(2 * notification.events[1].ratio)


@pytest.mark.parametrize(
    ("days", "title"),
    [
        (
            [{"a": V.DRIFT, "b": V.DRIFT, "c": V.OK}],
            "bikes: 2 columns drifted (2011-06-06T00:00Z to 2011-06-07T00:00Z)",
        ),
        (
            [{"a": V.DRIFT, "b": V.OK}, {"a": V.OK, "b": V.DRIFT}],
            "bikes: 1 column drifted, 1 resolved (2011-06-07T00:00Z to 2011-06-08T00:00Z)",
        ),
        ([{"a": V.DRIFT}, {"a": V.OK}], "bikes: 1 resolved (2011-06-07T00:00Z to 2011-06-08T00:00Z)"),
        (
            [{"a": V.SCHEMA_ERROR, "b": V.ERROR}],
            (
                "bikes: 1 column could not be evaluated, 1 column with a changed schema "
                "(2011-06-06T00:00Z to 2011-06-07T00:00Z)"
            ),
        ),
        ([V.NO_DATA], "bikes: no data (2011-06-06T00:00Z to 2011-06-07T00:00Z)"),
        ([V.ERROR], "bikes: window could not be evaluated (2011-06-06T00:00Z to 2011-06-07T00:00Z)"),
    ],
)
def test_the_title_counts_columns_in_one_line(make: SimpleNamespace, days: list[Any], title: str) -> None:
    notification = last_notification([d if isinstance(d, Verdict) else [make.segment(d)] for d in days])
    assert notification is not None
    assert notification.title == title
    assert notification.status == ("resolved" if "bikes: 1 resolved" in title else "firing")


def test_an_event_of_the_whole_window_has_its_note(make: SimpleNamespace) -> None:
    notification = last_notification([V.ERROR], note="cannot read data/bikes.parquet:\n truncated")
    assert notification is not None
    assert notification.events[0].message == "window: cannot read data/bikes.parquet: truncated"
    bare = last_notification([V.NO_DATA])
    assert bare is not None
    assert bare.events[0].message == "window: no data"


def test_a_resolved_event_has_its_reason(make: SimpleNamespace) -> None:
    notification = last_notification(
        [[make.segment({"x": V.DRIFT}, "season=1")], [make.segment({"x": V.OK}, "season=1")]]
    )
    assert notification is not None
    assert notification.events[0].message.startswith("x [season=1]: resolved, ok: JS distance 0 is below")


def test_ids_are_stable_and_differ_between_transitions(make: SimpleNamespace) -> None:
    days = [[make.segment({"x": V.DRIFT, "y": V.DRIFT})]]
    first, same, revised = last_notification(days), last_notification(days), last_notification(days, revision=2)
    later = last_notification([[make.segment({"x": V.OK, "y": V.OK})], *days])
    assert first is not None
    assert same is not None
    assert revised is not None
    assert later is not None
    assert first.to_dict() == same.to_dict()
    ids = [n.id for n in (first, revised, later)] + [e.id for n in (first, revised, later) for e in n.events]
    assert len(set(ids)) == len(ids) == 9


def test_hostile_names_break_neither_the_line_nor_the_encoding(make: SimpleNamespace) -> None:
    notification = last_notification([[make.segment({"x\n\x1b[31m\u202eevil\x00\ud800": V.DRIFT})]])
    assert notification is not None
    document = json.dumps(notification.to_dict(), allow_nan=False).encode("ascii")  # escapes what UTF-8 refuses
    assert json.loads(document)["events"][0]["column"] == "x\n\x1b[31m\u202eevil\x00\ud800"
    assert notification.events[0].message.startswith("x [31m evil : share of [0, 10) fell")
