"""`drift alerts resend`: undeliverable notifications are sent when their receiver works again."""

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
    """Answers every request with status `answer`; keeps the notifications."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Post)
        self.answer = 404
        self.notifications: list[dict[str, Any]] = []


class _Post(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.notifications.append(json.loads(body))
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
    """Two weeks of rows, shifted from the tenth day on; alerts go to the receiver."""
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
        "other": {"type": "file", "path": "other.jsonl"},
    }
    (tmp_path / "drift.yaml").write_text(json.dumps({"version": 1, "monitors": {"m": monitor}, "channels": channels}))
    return tmp_path


def resent(run: Run, *args: str) -> dict[str, Any]:
    done = run("alerts", "resend", "--json", *args)
    assert (done.returncode, done.stderr) == (0, "")
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_doctor_fails_for_recent_undeliverable_notifications_only(drift: Run, project: Path) -> None:
    drift("run")
    wall = datetime.now(UTC)
    by_age = {}
    for days in (0, 6, 8):
        checks = examine(project / "drift.yaml", {}, lambda days=days: wall + timedelta(days=days))
        (by_age[days],) = (check for check in checks if check.part == "deliveries")
    codes = {days: check.code for days, check in by_age.items()}
    assert codes == {0: "delivery-failed", 6: "delivery-failed", 8: None}
    assert by_age[0].details == {"sent": 0, "pending": 0, "dead": 1, "dead_lately": 1}
    assert by_age[8].details == {"sent": 0, "pending": 0, "dead": 1, "dead_lately": 0}


def test_refused_notification_is_sent_after_resend(drift: Run, project: Path, receiver: Receiver) -> None:
    refused = drift("run")
    assert "drift alerts resend" in refused.stderr, "the error names the remedy"
    assert "drift alerts resend" in drift("doctor", "--json").stdout
    receiver.answer = 200
    drift("run")
    assert len(receiver.notifications) == 1, "not retried automatically"

    none = resent(drift, "--since", "2300-01-01"), resent(drift, "--channel", "other")
    assert none == ({"version": 1, "deliveries": [], "given_up": 1},) * 2
    (delivery,) = resent(drift, "--channel", "hook", "--since", "2024-01-01")["deliveries"]
    assert (delivery["channel"], delivery["monitor"], delivery["status"], delivery["attempts"]) == (
        "hook",
        "m",
        "firing",
        1,
    )
    assert (delivery["window_start"], delivery["window_end"]) == ("2024-01-11T00:00Z", "2024-01-12T00:00Z")
    assert "404" in delivery["error"]
    assert len(receiver.notifications) == 1, "the command sends nothing"

    drift("run")
    first, second = receiver.notifications
    assert second == first, "the same notification, with the same id"
    assert delivery["id"] == first["id"]
    assert "0 notifications queued again" in drift("alerts", "resend").stdout
    assert json.loads(drift("doctor", "--json").stdout)["works"] is True


def test_webhook_documentation_lists_the_keys(drift: Run, project: Path, receiver: Receiver) -> None:
    page = (ROOT / "docs" / "webhook.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```json\n(.*?)^```$", page, flags=re.DOTALL | re.MULTILINE)
    drift("run")
    documented, (sent,) = json.loads(block), receiver.notifications
    assert (list(documented), list(documented["window"])) == (list(sent), list(sent["window"]))
    assert list(documented["events"][0]) == list(sent["events"][0])
    assert list(documented["events"][0]["bins"][0]) == list(sent["events"][0]["bins"][0])


def test_resend_counts_by_channel_and_refuses_unknown_channels(drift: Run, project: Path) -> None:
    drift("run")
    unknown = drift("alerts", "resend", "--channel", "huk")
    assert unknown.returncode == 2
    assert "'huk'; it has hook, other [unknown-channel]" in unknown.stderr
    queued = drift("alerts", "resend")
    assert (queued.returncode, "1 notification queued again: 1 to hook" in queued.stdout) == (0, True)
