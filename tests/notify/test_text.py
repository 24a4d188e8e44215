"""The text form of notifications: short, printable lines."""

from collections.abc import Callable
from typing import Any

from drift.notify.text import one_line, to_text

Payload = Callable[..., dict[str, Any]]


def test_the_text_has_title_events_labels_and_runbook(payload: Payload) -> None:
    assert to_text(payload(events=2)).splitlines() == [
        "[FIRING] bikes: 2 columns drifted (2011-06-06T00:00Z to 2011-06-13T00:00Z)",
        "  * c0: js_distance 0.31 over threshold 0.1",
        "  * c1: js_distance 0.31 over threshold 0.1",
        "labels: severity=page",
        "runbook: https://wiki/bikes",
    ]


def test_the_text_ends_with_the_link_to_the_page(payload: Payload) -> None:
    linked = payload() | {"link": "https://drift.example.org/monitors/bikes?window=2011-06-06T00:00Z"}
    assert to_text(linked).splitlines()[-1] == f"page: {linked['link']}"


def test_events_over_the_limit_are_counted(payload: Payload) -> None:
    lines = to_text(payload(events=200)).splitlines()
    assert lines[20] == "  * c19: js_distance 0.31 over threshold 0.1"
    assert lines[21] == "... and 180 more"


def test_names_cannot_forge_lines_or_move_a_cursor(payload: Payload) -> None:
    hostile = payload()
    hostile["title"] = "bikes\n[RESOLVED] all is well"
    hostile["events"][0]["message"] = "c\x1b[2J\r\x9b1A: drifted"
    hostile["labels"] = {"a": "b\nrunbook: http://evil"}
    text = to_text(hostile)
    assert len(text.splitlines()) == 4
    assert all(c.isprintable() for c in text.replace("\n", ""))


def test_one_line_is_printable_and_short() -> None:
    assert one_line(" a\n\tb\x07\u2028c ") == "a b c"
    assert one_line("x" * 600) == "x" * 499 + "…"
