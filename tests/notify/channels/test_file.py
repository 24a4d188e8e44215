"""The file: one line of JSON for each notification, whatever other writers and full disks do."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from drift.errors import DeliveryError
from drift.notify.channels.file import FileChannel, FileOptions

Payload = Callable[..., dict[str, Any]]


def channel(path: Path) -> FileChannel:
    return FileChannel("f", FileOptions(path=path))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "alerts.jsonl"


def test_each_notification_is_one_line_of_json(payload: Payload, path: Path) -> None:
    for name in ("n-1", "n-2\n"):
        channel(path).send(payload(name), deadline=1)
    assert [json.loads(line) for line in path.read_text().splitlines()] == [payload("n-1"), payload("n-2\n")]


def test_lines_of_many_writers_do_not_mix(payload: Payload, path: Path) -> None:
    names = [f"n-{n}" for n in range(200)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: channel(path).send(payload(name, events=300), deadline=1), names))
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert sorted(line["id"] for line in lines) == sorted(names)
    assert all(line == payload(line["id"], events=300) for line in lines)


def test_a_torn_line_does_not_spoil_the_next(payload: Payload, path: Path) -> None:
    path.write_text('{"id": "to')
    channel(path).send(payload(), deadline=1)
    torn, complete = path.read_text().splitlines()
    assert torn == '{"id": "to'
    assert json.loads(complete) == payload()


@pytest.mark.parametrize(
    ("place", "reason"), [("gone/alerts.jsonl", "No such file or directory"), ("/dev/full", "No space left on device")]
)
def test_a_failed_write_is_retried(payload: Payload, tmp_path: Path, place: str, reason: str) -> None:
    with pytest.raises(DeliveryError, match=reason) as error:
        channel(tmp_path / place).send(payload(), deadline=1)
    assert (error.value.code, error.value.retryable) == ("file-unwritable", True)


def test_a_probe_tests_the_file_and_writes_nothing(path: Path, tmp_path: Path) -> None:
    assert channel(path).probe(deadline=1) == f"file {path} can be created"
    assert not path.exists()
    path.touch()
    assert channel(path).probe(deadline=1) == f"file {path} can be written"
    for bad in (tmp_path, tmp_path / "gone" / "alerts.jsonl"):
        with pytest.raises(DeliveryError, match=str(bad)) as error:
            channel(bad).probe(deadline=1)
        assert error.value.code == "file-unwritable"
