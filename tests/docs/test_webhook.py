"""docs/webhook.md: its receiver takes what the channel sends, once, and nothing else."""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from drift.errors import DeliveryError
from tests.support.paths import ROOT
from tests.support.receivers import webhook

PAGE = (ROOT / "docs" / "webhook.md").read_text(encoding="utf-8")
Payload = Callable[..., dict[str, Any]]


def block(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)
    return str(found)


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The page's receiver, on a free port."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DRIFT_HOOK_SECRET", "s3cret")
    names: dict[str, Any] = {"__name__": "page"}
    exec(compile(block("python"), "webhook.md", "exec"), names)  # noqa: S102 - our own text
    monkeypatch.setattr(names["Receiver"], "log_message", lambda *_: None)
    with ThreadingHTTPServer(("127.0.0.1", 0), names["Receiver"]) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


def kept(folder: Path) -> list[Any]:
    path = folder / "alerts.jsonl"
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


def test_the_receiver_takes_each_message_once(url: str, tmp_path: Path, payload: Payload) -> None:
    hook = webhook(url, secret="s3cret")
    for name in ("n-1", "n-1", "n-2"):
        hook.send(payload(name), deadline=5)
    assert kept(tmp_path) == [payload("n-1"), payload("n-2")]


def test_the_receiver_refuses_unsigned_and_old_requests(url: str, tmp_path: Path, payload: Payload) -> None:
    for secret in ("wrong", None):
        with pytest.raises(DeliveryError, match="401"):
            webhook(url, secret=secret).send(payload(), deadline=5)
    assert httpx.post(url, content=b"{}", trust_env=False).status_code == 401
    past = datetime.fromtimestamp(time.time(), UTC) - timedelta(minutes=6)
    webhook(url, secret="s3cret", now=lambda: past).send(payload(), deadline=5)
    assert kept(tmp_path) == []
