"""What a run leaves undone, and what it says of that: windows others hold, retries, messages that were not taken."""

import json
import re
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from drift.monitors.verdict import Verdict
from drift.monitors.window import Window, format_instant
from drift.runner.worker import Worker
from drift.store import Outcome, Store
from tests.cli.test_monitors import configuration, daily
from tests.support.commands import Run

pytestmark = pytest.mark.slow

LAST = Window(datetime(2024, 1, 14, tzinfo=UTC), datetime(2024, 1, 15, tzinfo=UTC))
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\dZ"


def configure(folder: Path, store: str = "sqlite:///drift.db", **changes: object) -> None:
    document = json.loads(configuration(**{"end": "2024-01-15", "alert": None, **changes}))
    (folder / "drift.yaml").write_text(json.dumps({**document, "store": store}))


def hold(store: Store, until: timedelta) -> str:
    """The last window in the hands of a process that lives: this one."""
    known = store.find("m")
    assert known is not None
    store.plan(known, [(LAST, store.now())], store.now())
    (waiting,) = store.due(known, store.now())
    owner = Worker.this().name
    assert store.claim(waiting.id, known, owner, store.now(), until)
    return owner


def test_a_window_that_another_process_is_checking_is_no_failure(drift: Run, tmp_path: Path, store_url: str) -> None:
    daily(14).write_parquet(tmp_path / "data.parquet")
    configure(tmp_path, store_url, end="2024-01-14")
    assert drift("run").returncode == 0
    with Store.open(store_url) as store:
        owner = hold(store, timedelta(minutes=10))
        configure(tmp_path, store_url)
        done = drift("run", "--json", "--fail-on", "never")
    assert json.loads(done.stdout) == {"version": 1, "windows": [], "failed": {}}
    assert f"window {LAST} is being checked by {owner}" in done.stderr
    assert "tried again" not in done.stderr
    assert done.returncode == 0


def fail(store: Store, retry: timedelta, window: Window = LAST) -> None:
    """A window whose source was gone when it was checked."""
    known = store.find("m")
    assert known is not None
    store.plan(known, [(window, store.now())], store.now())
    (waiting,) = store.due(known, store.now())
    claim = store.claim(waiting.id, known, "another:1", store.now(), timedelta(minutes=10))
    assert claim is not None
    gone = Outcome(
        rows=0,
        verdict=Verdict.ERROR,
        message="gone",
        source={},
        baseline_id=None,
        segments=(),
        transitions=(),
        events=(),
        notification=None,
        channels=(),
        retry_at=store.now() + retry,
    )
    store.finish(claim, gone, store.now())


def test_a_window_that_could_not_be_read_says_when_it_is_tried_again_and_how_to_do_it_now(
    drift: Run, tmp_path: Path
) -> None:
    daily(14).write_parquet(tmp_path / "data.parquet")
    configure(tmp_path, end="2024-01-14")
    assert drift("run").returncode == 0
    with Store.open(f"sqlite:///{tmp_path}/drift.db") as store:
        fail(store, timedelta(minutes=20))
    configure(tmp_path)
    remedy = "drift backfill --monitor m --from 2024-01-14T00:00Z --to 2024-01-15T00:00Z"

    ran = drift("run", "--json")
    assert ran.returncode == 3
    told = json.loads(ran.stdout)["failed"]["m"]
    assert re.search(rf"the first run from {TIME} on tries again", told)
    assert f"`{remedy}`" in told
    planned = drift("plan")
    assert "0 windows are due" in planned.stdout
    assert f"`{remedy}`" in planned.stderr
    (waits,) = json.loads(drift("plan", "--json").stdout)["waiting"]
    assert (waits["window_start"], waits["window_end"]) == tuple(map(format_instant, (LAST.start, LAST.end)))
    assert datetime.fromisoformat(waits["next_attempt_at"]) > datetime.now(UTC)
    assert re.search(rf"gone; tried again by the first run from {TIME} on", " ".join(drift("windows").stdout.split()))

    again = drift(*remedy.split()[1:], "--json")
    assert [w["verdict"] for w in json.loads(again.stdout)["windows"]] == ["ok"]
    assert again.returncode == 0


def test_only_what_could_not_be_read_and_waits_is_a_retry(store: Store) -> None:
    now = store.now()
    store.define("m", {"timestamp": "ts"}, now)
    fail(store, timedelta(minutes=20))
    known = store.find("m")
    assert known is not None
    store.plan(known, [(Window(LAST.end, LAST.end + timedelta(days=1)), now + timedelta(minutes=5))], now)
    assert [window for window, _ in store.retries("m", store.now())] == [LAST]
    assert store.retries("another", store.now()) == []
    assert store.retries("m", store.now() + timedelta(minutes=21)) == [], "due by then"


def test_a_message_that_was_not_taken_says_when_it_is_tried_again(drift: Run, tmp_path: Path) -> None:
    daily(14, moved_from=12).write_parquet(tmp_path / "data.parquet")
    configure(tmp_path, alert={"notify": ["hook"]})
    document = json.loads((tmp_path / "drift.yaml").read_text())
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    document["channels"] = {"hook": {"type": "webhook", "url": f"http://127.0.0.1:{port}/"}}
    (tmp_path / "drift.yaml").write_text(json.dumps(document))
    told = re.search(rf"still to be delivered: 1; the first run from ({TIME}) on tries again", drift("run").stderr)
    assert told is not None
    with Store.open(f"sqlite:///{tmp_path}/drift.db", create=False) as store:
        at = store.next_delivery()
    assert at is not None
    assert timedelta() <= datetime.fromisoformat(told[1]) - at < timedelta(minutes=1)


def test_tables_of_windows_show_some_and_name_the_option_that_shows_more(drift: Run, tmp_path: Path) -> None:
    daily(14).write_parquet(tmp_path / "data.parquet")
    configure(tmp_path)
    planned = drift("plan", "--limit", "3").stdout
    assert "2024-01-13T00:00Z" in planned
    assert "2024-01-15T00:00Z" not in planned
    assert "4 windows are due; the first 3 are shown (--limit 4 shows all)" in planned
    drift("run")
    shown = drift("windows", "--limit", "3").stdout
    assert "2024-01-11T00:00Z" not in shown
    assert "2024-01-14T00:00Z" in shown
    assert "4 windows; the newest 3 are shown (--limit 4 shows all)" in shown
    assert len(json.loads(drift("windows", "--json", "--limit", "3").stdout)["windows"]) == 4, "of tables only"


@pytest.mark.parametrize("spoil", [Path.unlink, lambda file: file.write_bytes(b"")], ids=["gone", "empty"])
def test_second_looks_that_come_to_nothing_fail_a_run(
    drift: Run, tmp_path: Path, spoil: Callable[[Path], object]
) -> None:
    data = tmp_path / "data.parquet"
    daily(14).write_parquet(data)
    configure(tmp_path, lookback="3660d")
    assert drift("run").returncode == 0
    spoil(data)
    done = drift("run", "--json")
    assert done.returncode == 3
    told = json.loads(done.stdout)
    assert told["windows"] == []
    assert "data.parquet" in told["failed"]["m"]
    assert "data.parquet" in done.stderr


def test_a_window_without_rows_is_told_on_standard_error_since_the_status_says_so(drift: Run, tmp_path: Path) -> None:
    daily(14).write_parquet(tmp_path / "data.parquet")
    configure(tmp_path, end="2024-01-17")
    done = drift("run", "--json", "--fail-on", "never")
    assert done.returncode == 3
    assert [row["verdict"] for row in json.loads(done.stdout)["windows"]][-2:] == ["no_data"] * 2
    assert "m: 2 windows could not be judged" in done.stderr
    again = drift("run", "--json", "--fail-on", "never")
    assert (again.returncode, again.stderr) == (0, "")
