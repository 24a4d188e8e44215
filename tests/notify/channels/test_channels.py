"""Opening channels from the configuration; the text form; console and file."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from drift.errors import ConfigError, DeliveryError
from drift.notify.channels import TYPES, ConsoleChannel, FileChannel, WebhookChannel, open_channel, to_text
from tests.support.paths import ROOT

Payload = Callable[..., dict[str, Any]]


def test_each_type_opens_by_its_name(tmp_path: Path) -> None:
    options: dict[str, dict[str, object]] = {
        "webhook": {"url": "https://h/", "secret": "s", "timeout": 5, "headers": {"X-A": "b"}},
        "console": {},
        "file": {"path": str(tmp_path / "a.jsonl")},
    }
    opened = {kind: open_channel("team", kind, options[kind]) for kind in TYPES}
    assert {kind: c.__class__ for kind, c in opened.items()} == {
        "webhook": WebhookChannel, "console": ConsoleChannel, "file": FileChannel,
    }  # fmt: skip
    assert {c.name for c in opened.values()} == {"team"}


@pytest.mark.parametrize(
    ("kind", "options", "says"),
    [
        ("slack", {}, "unknown type 'slack'; known are console, file, webhook"),
        ("webhook", {}, "needs a url"),
        ("webhook", {"url": "https://h/", "secrte": "S3CRET"}, "unknown secrte"),
        ("webhook", {"url": 7}, "url is a text"),
        ("webhook", {"url": "https://h/", "secret": ""}, "secret is a text that is not empty"),
        ("webhook", {"url": "https://h/", "timeout": 0}, "timeout is a number of seconds above 0"),
        ("webhook", {"url": "https://h/", "timeout": "S3CRET"}, "timeout is a number"),
        ("webhook", {"url": "https://h/", "headers": {"a": 1}}, "headers is a mapping of text to text"),
        ("webhook", {"url": "https://h/", "headers": ["S3CRET"]}, "headers is a mapping"),
        ("console", {"stream": "printer"}, "stream is one of stderr, stdout"),
        ("file", {}, "needs a path"),
    ],
)
def test_options_that_do_not_fit_are_refused_without_their_values(
    kind: str, options: dict[str, object], says: str
) -> None:
    with pytest.raises(ConfigError, match="'team'") as caught:
        open_channel("team", kind, options)
    assert says in str(caught.value)
    assert "S3CRET" not in str(caught.value)


def test_opening_channels_does_not_import_the_slow_http_library() -> None:
    code = (
        "import sys, drift.notify.channels as c; c.open_channel('h', 'webhook', {'url': 'https://h/'});"
        "sys.exit('httpx' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT).returncode == 0


def test_the_text_form_has_the_title_a_line_for_each_event_and_the_link(payload: Payload) -> None:
    assert to_text(payload(events=2)).splitlines() == [
        "[FIRING] bikes: 2 columns drifted (2011-06-06T00:00Z to 2011-06-13T00:00Z)",
        "  * c0: js_distance 0.31 over threshold 0.1",
        "  * c1: js_distance 0.31 over threshold 0.1",
        "labels: severity=page",
        "runbook: https://wiki/bikes",
    ]


def test_the_text_form_ends_with_the_link_to_the_page(payload: Payload) -> None:
    linked = payload() | {"link": "https://drift.example.org/monitors/bikes?window=2011-06-06T00:00Z"}
    assert to_text(linked).splitlines()[-1] == f"page: {linked['link']}"


def test_the_text_form_of_many_events_counts_the_rest(payload: Payload) -> None:
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


def test_the_console_prints_to_the_stream_of_the_moment(payload: Payload, capsys: pytest.CaptureFixture[str]) -> None:
    open_channel("c", "console", {}).send(payload(), deadline=1)
    open_channel("c", "console", {"stream": "stdout"}).send(payload(), deadline=1)
    out, err = capsys.readouterr()
    assert out == err == to_text(payload()) + "\n"


def test_the_console_prints_what_its_encoding_cannot_hold_escaped(payload: Payload) -> None:
    named = payload()
    named["title"] = "fahrräder: drifted"
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    ConsoleChannel("c", stream).send(named, deadline=1)
    assert raw.getvalue().startswith(rb"[FIRING] fahrr\xe4der: drifted")


def test_a_console_that_is_gone_is_a_failed_delivery(payload: Payload) -> None:
    full = io.TextIOWrapper(io.FileIO("/dev/full", "w"), encoding="utf-8", write_through=True)
    with pytest.raises(DeliveryError, match="No space left"):
        ConsoleChannel("c", full).send(payload(), deadline=1)
    full.detach().close()


def test_the_file_gets_one_line_of_json_for_each_notification(payload: Payload, tmp_path: Path) -> None:
    path = tmp_path / "alerts.jsonl"
    channel = open_channel("f", "file", {"path": str(path)})
    for name in ("n-1", "n-2\n"):
        channel.send(payload(name), deadline=1)
    assert [json.loads(line) for line in path.read_text().splitlines()] == [payload("n-1"), payload("n-2\n")]


def test_lines_of_many_writers_do_not_mix(payload: Payload, tmp_path: Path) -> None:
    path = tmp_path / "alerts.jsonl"
    names = [f"n-{n}" for n in range(200)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: FileChannel("f", path).send(payload(n, events=300), deadline=1), names))
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert sorted(line["id"] for line in lines) == sorted(names)
    assert all(line == payload(line["id"], events=300) for line in lines)


def test_a_line_that_a_full_disk_cut_short_does_not_spoil_the_next(payload: Payload, tmp_path: Path) -> None:
    path = tmp_path / "alerts.jsonl"
    path.write_text('{"id": "to')
    FileChannel("f", path).send(payload(), deadline=1)
    torn, whole = path.read_text().splitlines()
    assert torn == '{"id": "to'
    assert json.loads(whole) == payload()


def test_a_file_that_cannot_be_written_is_a_failed_delivery_to_try_again(payload: Payload, tmp_path: Path) -> None:
    with pytest.raises(DeliveryError, match="No such file or directory") as caught:
        FileChannel("f", tmp_path / "gone" / "alerts.jsonl").send(payload(), deadline=1)
    assert caught.value.retryable
    with pytest.raises(DeliveryError, match="No space left on device"):
        FileChannel("f", Path("/dev/full")).send(payload(), deadline=1)


def test_a_console_that_nobody_reads_is_a_failed_delivery_until_somebody_does(payload: Payload) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", buffering=0) as reader, os.fdopen(writing, "w") as stream:
        channel, taken = ConsoleChannel("c", stream), 0
        whole = len(f"{to_text(payload())}\n".encode())
        with pytest.raises(DeliveryError, match="takes no more"):  # noqa: PT012 - how many a pipe takes is the system's
            while True:
                channel.send(payload(), deadline=0.2)
                taken += 1
        held = reader.read(1 << 20)
        assert taken * whole <= len(held) < (taken + 1) * whole, "the last one is cut, if anything: it comes again"
        channel.send(payload(), deadline=0.2)
        assert reader.read(1 << 20).decode() == to_text(payload()) + "\n"
