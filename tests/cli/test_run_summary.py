"""Unfinished work of a run: leased windows, retries, pending notifications; and limits of tables."""

import json
import re
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from drift.monitors.window import Window, format_instant
from drift.runner.worker import Worker
from drift.store import Store
from tests.support.commands import Run, configuration, daily, fail_window, words

pytestmark = pytest.mark.slow

LAST = Window(datetime(2024, 1, 14, tzinfo=UTC), datetime(2024, 1, 15, tzinfo=UTC))
TIME = r"(\d{4}-\d\d-\d\d \d\d:\d\d) UTC"


def configure(folder: Path, store: str = "sqlite:///drift.db", **changes: object) -> None:
    document = json.loads(configuration(**{"end": "2024-01-15", "alert": None, **changes}))
    (folder / "drift.yaml").write_text(json.dumps({**document, "store": store}))


def lease_last_window(store: Store, duration: timedelta) -> str:
    """Lease the last window to this process, which is alive; return its name."""
    definition = store.monitors.find("m")
    assert definition is not None
    store.windows.plan(definition, [(LAST, store.now())])
    (due,) = store.windows.due(definition, store.now())
    owner = Worker.current().name
    assert store.windows.claim(due.id, definition, owner, store.now(), duration)
    return owner


def test_window_leased_by_another_process_is_no_failure(drift: Run, tmp_path: Path, store_url: str) -> None:
    daily(14).write_parquet(tmp_path / "data.parquet")
    configure(tmp_path, store_url, end="2024-01-14")
    assert drift("run").returncode == 0
    with Store.open(store_url) as store:
        owner = lease_last_window(store, timedelta(minutes=10))
        configure(tmp_path, store_url)
        done = drift("run", "--json", "--fail-on", "never")
    assert json.loads(done.stdout) == {"version": 1, "windows": [], "failed": {}}
    assert f"drift: note: m: {owner} is checking window {LAST}" in done.stderr
    assert "[retry-pending]" not in done.stderr
    assert done.returncode == 0


def test_unreadable_window_reports_next_attempt_and_remedy(drift: Run, tmp_path: Path) -> None:
    daily(14).write_parquet(tmp_path / "data.parquet")
    configure(tmp_path, end="2024-01-14")
    assert drift("run").returncode == 0
    with Store.open(f"sqlite:///{tmp_path}/drift.db") as store:
        fail_window(store, timedelta(minutes=20), LAST)
    configure(tmp_path)
    remedy = "drift backfill --monitor m --from 2024-01-14T00:00Z --to 2024-01-15T00:00Z"

    ran = drift("run", "--json")
    assert ran.returncode == 3
    message = json.loads(ran.stdout)["failed"]["m"]
    assert re.search(f"next attempt at {TIME}", message)
    assert f"`{remedy}`" in message
    planned = drift("plan")
    assert "0 windows due" in planned.stdout
    assert f"`{remedy}` [retry-pending]" in planned.stderr
    (waiting,) = json.loads(drift("plan", "--json").stdout)["waiting"]
    assert (waiting["window_start"], waiting["window_end"]) == tuple(map(format_instant, (LAST.start, LAST.end)))
    assert datetime.fromisoformat(waiting["next_attempt_at"]) > datetime.now(UTC)
    assert re.search(f"gone; next attempt at {TIME}", words(drift("windows").stdout))

    retried = drift(*remedy.split()[1:], "--json")
    assert [w["verdict"] for w in json.loads(retried.stdout)["windows"]] == ["ok"]
    assert retried.returncode == 0


def test_retries_are_waiting_windows_in_error(store: Store) -> None:
    now = store.now()
    store.monitors.define("m", {"timestamp": "ts"}, now)
    fail_window(store, timedelta(minutes=20), LAST)
    definition = store.monitors.find("m")
    assert definition is not None
    store.windows.plan(definition, [(Window(LAST.end, LAST.end + timedelta(days=1)), now + timedelta(minutes=5))])
    assert [window for window, _ in store.windows.retries("m", store.now())] == [LAST]
    assert store.windows.retries("another", store.now()) == []
    assert store.windows.retries("m", store.now() + timedelta(minutes=21)) == [], "due by then"


def test_pending_notification_reports_next_attempt(drift: Run, tmp_path: Path) -> None:
    daily(14, moved_from=12).write_parquet(tmp_path / "data.parquet")
    configure(tmp_path, alert={"notify": ["hook"]})
    document = json.loads((tmp_path / "drift.yaml").read_text())
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    document["channels"] = {"hook": {"type": "webhook", "url": f"http://127.0.0.1:{port}/"}}
    (tmp_path / "drift.yaml").write_text(json.dumps(document))
    match = re.search(rf"1 notification pending, next attempt at {TIME} \[delivery-pending\]", drift("run").stderr)
    assert match is not None
    with Store.open(f"sqlite:///{tmp_path}/drift.db", create=False) as store:
        at = store.outbox.next_attempt()
    assert at is not None
    assert timedelta() <= datetime.fromisoformat(f"{match[1]}Z") - at < timedelta(minutes=1)


def test_limit_shortens_tables_of_windows(drift: Run, tmp_path: Path) -> None:
    daily(14).write_parquet(tmp_path / "data.parquet")
    configure(tmp_path)
    planned = drift("plan", "--limit", "3").stdout
    assert "2024-01-13T00:00Z" in planned
    assert "2024-01-15T00:00Z" not in planned
    assert "4 windows due; showing the first 3 (--limit 4 shows all)" in planned
    drift("run")
    shown = drift("windows", "--limit", "3").stdout
    assert "2024-01-11T00:00Z" not in shown
    assert "2024-01-14T00:00Z" in shown
    assert "4 windows; showing the newest 3 (--limit 4 shows all)" in shown
    assert len(json.loads(drift("windows", "--json", "--limit", "3").stdout)["windows"]) == 4, "not JSON"


@pytest.mark.parametrize("break_file", [Path.unlink, lambda file: file.write_bytes(b"")], ids=["gone", "empty"])
def test_failed_rechecks_fail_the_run(drift: Run, tmp_path: Path, break_file: Callable[[Path], object]) -> None:
    data = tmp_path / "data.parquet"
    daily(14).write_parquet(data)
    configure(tmp_path, lookback="3660d")
    assert drift("run").returncode == 0
    break_file(data)
    done = drift("run", "--json")
    assert done.returncode == 3
    document = json.loads(done.stdout)
    assert document["windows"] == []
    assert "data.parquet" in document["failed"]["m"]
    assert "data.parquet" in done.stderr


def test_windows_without_rows_are_reported_on_stderr(drift: Run, tmp_path: Path) -> None:
    daily(14).write_parquet(tmp_path / "data.parquet")
    configure(tmp_path, end="2024-01-17")
    done = drift("run", "--json", "--fail-on", "never")
    assert done.returncode == 3
    assert [row["verdict"] for row in json.loads(done.stdout)["windows"]][-2:] == ["no_data"] * 2
    assert "m: 2 windows could not be" in done.stderr
    assert "[window-not-evaluated]" in done.stderr
    again = drift("run", "--json", "--fail-on", "never")
    assert (again.returncode, again.stderr) == (0, "")
