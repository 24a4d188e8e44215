"""What is told: events and the one message of a window."""

import json
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from drift.histogram import CategoricalAxis, Histogram, History, Profile
from drift.monitors.alert_rules import transitions
from drift.monitors.alert_state import AlertState
from drift.monitors.comparison import SegmentReference, SegmentResult, compare_profiles
from drift.monitors.spec import Alerting, Columns
from drift.monitors.verdict import Verdict
from drift.notify.message import Notification, make_events, make_notification
from drift.stats.calibration import Calibration

V = Verdict


def strict(document: object) -> Any:
    """Through JSON that refuses NaN and infinity, both ways."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(json.dumps(document, allow_nan=False), parse_constant=refuse)


def notify(
    make: SimpleNamespace, days: list[Any], revision: int = 1, alerting: Alerting | None = None, note: str = ""
) -> Notification | None:
    """The notification of the last of these days."""
    monitor = make.monitor(alerting, segments=("season",))
    standing: dict[Any, AlertState] = {}
    found = None
    for n, outcome in enumerate(days):
        parts = [] if isinstance(outcome, Verdict) else outcome
        turns = transitions(monitor, make.day(n), outcome, standing, make.T0)
        standing |= {t.fingerprint: t.after for t in turns}
        results = {(p.segment, c.column): c for p in parts for c in p.columns}
        events = make_events(turns, results, monitor.name, make.day(n), revision, note)
        assert len(events) == sum(t.changed for t in turns)
        found = make_notification(
            monitor.name, make.day(n), revision, events, labels={"team": "ml"}, runbook="https://wiki/bikes"
        )
    return found


def test_a_message_links_to_the_page_of_its_window(make: SimpleNamespace) -> None:
    told = notify(make, [[make.segment({"x": V.DRIFT})]])
    assert told is not None
    assert told.to_dict()["link"] is None, "nobody said where the page is"
    for page in ("https://drift.example.org", "https://drift.example.org/"):
        linked = make_notification('a/b <i>&"é', make.day(0), 1, told.events, page=page)
        assert linked is not None
        address = linked.to_dict()["link"]
        assert address == "https://drift.example.org/monitors/a%2Fb%20%3Ci%3E%26%22%C3%A9?window=2011-06-06T00:00Z"
        assert linked.id == make_notification('a/b <i>&"é', make.day(0), 1, told.events).id, (
            "the id tells repeats apart"
        )


def test_nothing_is_told_where_nothing_fires_or_is_resolved(make: SimpleNamespace) -> None:
    assert notify(make, [[make.segment({"x": V.OK})]]) is None
    assert notify(make, [[make.segment({"x": V.DRIFT})]] * 2) is None
    assert notify(make, [[make.segment({"x": V.DRIFT})]], alerting=Alerting(for_windows=2)) is None  # pending


def test_the_document_is_strict_json_with_the_contracts_keys(make: SimpleNamespace) -> None:
    told = notify(make, [[make.segment({"x": V.DRIFT, "gone": V.SCHEMA_ERROR})]])
    assert told is not None
    document = strict(told.to_dict())
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
    told = notify(make, [[make.segment({"x": V.DRIFT})]])
    assert told is not None
    (event,) = strict(told.to_dict())["events"]
    assert {(b["label"], b["reference"], b["live"]) for b in event["bins"]} == {
        ("[0, 10)", 5000, 2000),
        ("[10, 20)", 5000, 8000),
    }
    assert sum(b["contribution"] for b in event["bins"]) == pytest.approx(event["score"])  # no other bin holds a row
    assert event["score"] > event["threshold"] == 0.1
    assert event["message"].startswith("x: share of [0, 10) fell from 50.0% to 20.0% ")


def of_many_windows(missing: int, name: str = "card") -> list[SegmentResult]:
    """A day of 1000 payments, so many of them missing, held to 60 days on which none or few were."""
    rng, axis = np.random.default_rng(3), CategoricalAxis((name, "cash"), rare=None)
    days = History(axis, rng.multinomial(1000, [0.6, 0.399, 0, 0.001], size=60))
    counts = [600, 400 - missing, 0, missing]
    live = Profile({"payment": Histogram(axis, counts)}, 1000)
    standard = SegmentReference(
        {"payment": days.pooled}, calibration=Calibration({"payment": days}), period=timedelta(days=1)
    )
    return [SegmentResult("", live, compare_profiles(live, standard, Columns(), rng))]


def test_what_reference_windows_judged_says_what_moved_and_why_it_is_believed(make: SimpleNamespace) -> None:
    told = notify(make, [of_many_windows(missing=41)])
    assert told is not None
    (event,) = strict(told.to_dict())["events"]
    (result,) = of_many_windows(missing=41)[0].columns
    assert (event["threshold"], event["level"], event["reference_windows"]) == (None, 0.001, 60)
    assert event["p_value"] == result.p_value < event["level"]
    for words in (
        "payment: missing rose to 4.1%",
        "in 60 reference windows); JS distance ",
        ", typically ",
        "; by chance ",
    ):
        assert words in event["message"]


def test_the_line_stays_short_whatever_a_category_is_called(make: SimpleNamespace) -> None:
    told = notify(make, [of_many_windows(missing=41, name="a whole document\n" * 1000)])
    assert told is not None
    assert len(told.events[0].message) <= 500
    assert "\n" not in told.events[0].message


def test_the_worst_comes_first(make: SimpleNamespace) -> None:
    before = [make.segment({"calmed": V.DRIFT, "b": V.OK})]
    now = [
        make.segment({"calmed": V.OK, "gone": V.SCHEMA_ERROR, "failed": V.ERROR, "b": V.DRIFT}),
        make.segment({"a": V.DRIFT}, "season=1"),
    ]
    told = notify(make, [before, now])
    assert told is not None
    assert [(e.transition.fingerprint.column, e.transition.after.state.value) for e in told.events] == [
        ("a", "firing"), ("b", "firing"), ("failed", "firing"), ("gone", "firing"), ("calmed", "resolved"),
    ]  # fmt: skip


def test_of_two_drifted_columns_the_one_further_over_its_threshold_comes_first(make: SimpleNamespace) -> None:
    part = make.segment({"a": V.DRIFT, "z": V.DRIFT})
    a, z = sorted(part.columns, key=lambda c: c.column)
    milder = replace(a, threshold=type(a.threshold)(0.2))
    turns = transitions(make.monitor(), make.day(0), [part], {}, make.T0)
    events = make_events(turns, {("", "a"): milder, ("", "z"): z}, "bikes", make.day(0), 1)
    told = make_notification("bikes", make.day(0), 1, events)
    assert told is not None
    assert [e.transition.fingerprint.column for e in told.events] == ["z", "a"]
    assert told.events[0].ratio == pytest.approx(2 * told.events[1].ratio)


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
        ([V.ERROR], "bikes: could not be evaluated (2011-06-06T00:00Z to 2011-06-07T00:00Z)"),
    ],
)
def test_the_title_says_it_in_one_line(make: SimpleNamespace, days: list[Any], title: str) -> None:
    told = notify(make, [d if isinstance(d, Verdict) else [make.segment(d)] for d in days])
    assert told is not None
    assert told.title == title
    assert told.status == ("resolved" if "bikes: 1 resolved" in title else "firing")


def test_an_event_of_the_whole_window_says_what_became_of_it(make: SimpleNamespace) -> None:
    told = notify(make, [V.ERROR], note="cannot read data/bikes.parquet:\n truncated")
    assert told is not None
    assert told.events[0].message == "window: cannot read data/bikes.parquet: truncated"
    bare = notify(make, [V.NO_DATA])
    assert bare is not None
    assert bare.events[0].message == "window: no data"


def test_a_resolved_event_says_why(make: SimpleNamespace) -> None:
    told = notify(make, [[make.segment({"x": V.DRIFT}, "season=1")], [make.segment({"x": V.OK}, "season=1")]])
    assert told is not None
    assert told.events[0].message.startswith("x [season=1]: resolved, ok: JS distance 0 is below")


def test_ids_are_the_same_for_the_same_turn_and_differ_for_any_other(make: SimpleNamespace) -> None:
    days = [[make.segment({"x": V.DRIFT, "y": V.DRIFT})]]
    one, same, revised = notify(make, days), notify(make, days), notify(make, days, revision=2)
    later = notify(make, [[make.segment({"x": V.OK, "y": V.OK})], *days])
    assert one is not None
    assert same is not None
    assert revised is not None
    assert later is not None
    assert one.to_dict() == same.to_dict()
    ids = [n.id for n in (one, revised, later)] + [e.id for n in (one, revised, later) for e in n.events]
    assert len(set(ids)) == len(ids) == 9


def test_names_from_the_data_can_neither_break_the_line_nor_the_encoding(make: SimpleNamespace) -> None:
    told = notify(make, [[make.segment({"x\n\x1b[31m\u202eevil\x00\ud800": V.DRIFT})]])
    assert told is not None
    document = json.dumps(told.to_dict(), allow_nan=False).encode("ascii")  # escapes what UTF-8 refuses
    assert json.loads(document)["events"][0]["column"] == "x\n\x1b[31m\u202eevil\x00\ud800"
    assert told.events[0].message.startswith("x [31m evil : share of [0, 10) fell")
