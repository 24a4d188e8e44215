"""`drift alerts resend`: a message that was given up is sent, once its receiver takes it."""

import json
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from drift.cli.doctor import examine
from tests.support.commands import Run
from tests.support.paths import ROOT

pytestmark = pytest.mark.slow

START = datetime(2024, 1, 1, tzinfo=UTC)


class Receiver(ThreadingHTTPServer):
    """Answers with `answer`; notes what it was sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Post)
        self.answer = 404
        self.told: list[dict[str, Any]] = []


class _Post(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.told.append(json.loads(body))
        self.send_response(self.server.answer)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def project(tmp_path: Path, receiver: Receiver) -> Path:
    """Two weeks of rows that lie elsewhere from the tenth day on; alerts go to the receiver."""
    moments = [START + timedelta(hours=n) / 10 for n in range(14 * 240)]
    values = [float(n % 17) + 40 * (moment >= START + timedelta(days=10)) for n, moment in enumerate(moments)]
    pl.DataFrame({"ts": moments, "x": values}).write_parquet(tmp_path / "rows.parquet")
    monitor = {
        "source": {"path": "rows.parquet"},
        "timestamp": "ts",
        "reference": {"from": "2024-01-01", "to": "2024-01-08"},
        "end": "2024-01-14",
        "threshold": 0.3,
        "alert": {"notify": ["hook"]},
    }
    channels = {
        "hook": {"type": "webhook", "url": f"http://127.0.0.1:{receiver.server_address[1]}/"},
        "other": {"type": "file", "path": "told.jsonl"},
    }
    (tmp_path / "drift.yaml").write_text(json.dumps({"version": 1, "monitors": {"m": monitor}, "channels": channels}))
    return tmp_path


def resent(run: Run, *args: str) -> dict[str, Any]:
    found = run("alerts", "resend", "--json", *args)
    assert (found.returncode, found.stderr) == (0, "")
    document: dict[str, Any] = json.loads(found.stdout)
    return document


def test_what_was_given_up_lately_fails_doctor_and_what_was_long_ago_is_only_told(drift: Run, project: Path) -> None:
    drift("run")
    wall = datetime.now(UTC)
    found = {}
    for days in (0, 6, 8):
        checks = examine(project / "drift.yaml", {}, lambda days=days: wall + timedelta(days=days))
        (found[days],) = (one for one in checks if one.part == "deliveries")
    assert {days: one.works for days, one in found.items()} == {0: False, 6: False, 8: True}
    assert "1 given up (1 of them in the last 7 days)" in found[0].message
    assert "1 given up (0 of them in the last 7 days)" in found[8].message


def test_a_message_that_was_refused_is_sent_once_its_receiver_takes_it(
    drift: Run, project: Path, receiver: Receiver
) -> None:
    refused = drift("run")
    assert "drift alerts resend" in refused.stderr, "the error names the way back"
    assert "drift alerts resend" in drift("doctor", "--json").stdout
    receiver.answer = 200
    drift("run")
    assert len(receiver.told) == 1, "by itself it is not sent again"

    none = resent(drift, "--since", "2300-01-01"), resent(drift, "--channel", "other")
    assert none == ({"version": 1, "deliveries": [], "given_up": 1},) * 2
    (one,) = resent(drift, "--channel", "hook", "--since", "2024-01-01")["deliveries"]
    assert (one["channel"], one["monitor"], one["status"], one["attempts"]) == ("hook", "m", "firing", 1)
    assert (one["window_start"], one["window_end"]) == ("2024-01-11T00:00Z", "2024-01-12T00:00Z")
    assert "404" in one["error"]
    assert len(receiver.told) == 1, "the command itself sends nothing"

    drift("run")
    first, second = receiver.told
    assert second == first, "the same message, under the same id"
    assert one["id"] == first["id"]
    assert "0 deliveries are due again" in drift("alerts", "resend").stdout
    assert json.loads(drift("doctor", "--json").stdout)["works"] is True


def test_the_page_on_webhooks_tells_the_keys_of_a_message(drift: Run, project: Path, receiver: Receiver) -> None:
    page = (ROOT / "docs" / "webhook.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```json\n(.*?)^```$", page, flags=re.DOTALL | re.MULTILINE)
    drift("run")
    told, (sent,) = json.loads(block), receiver.told
    assert (list(told), list(told["window"])) == (list(sent), list(sent["window"]))
    assert list(told["events"][0]) == list(sent["events"][0])
    assert list(told["events"][0]["bins"][0]) == list(sent["events"][0]["bins"][0])


def test_what_is_due_again_is_told_and_a_channel_that_is_not_configured_is_refused(drift: Run, project: Path) -> None:
    drift("run")
    wrong = drift("alerts", "resend", "--channel", "huk")
    assert (wrong.returncode, "no channel 'huk'" in wrong.stderr, "hook, other" in wrong.stderr) == (2, True, True)
    told = drift("alerts", "resend")
    assert (told.returncode, "1 deliveries are due again: 1 to hook" in told.stdout) == (0, True)
