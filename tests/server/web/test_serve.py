"""`drift serve` as a process: it starts, notifies, exits, is killed, and loses nothing."""

import json
import signal
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner

from drift.cli import app
from drift.monitors.window import format_instant
from drift.store import Store
from tests.support.configurations import read_config


def days(make: Any) -> list[str]:
    """Return the starts of all windows of the project."""
    return [format_instant(make.FIRST + timedelta(days=n)) for n in range((make.LAST - make.FIRST).days)]


def printed(project: Path, name: str) -> list[dict[str, Any]]:
    """Return the rows printed by `drift NAME --json`."""
    result = CliRunner().invoke(app, [name, "--json", "-c", str(project)], catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    rows: list[dict[str, Any]] = json.loads(result.stdout)[name]
    return rows


def test_it_checks_notifies_and_exits_and_repeats_nothing(project: Path, make: Any) -> None:
    folder = project.parent
    with make.running(folder) as service:
        make.wait_for(service.is_ready)  # which it may be before it has caught up
        make.wait_for(lambda: len(service.checked()) == len(days(make)) and (folder / "notifications.jsonl").exists())
        scores = service.get("/api/v1/scores").json()["scores"]
        families = {f.name: f for f in text_string_to_metric_families(service.get("/metrics").text)}
        assert service.get("/healthz").text == "ok\n"
        assert service.end(signal.SIGTERM) == 0
        assert service.lines()[-1]["message"].startswith("stopped")
    assert scores == printed(project, "scores")
    assert [row["window_start"] for row in scores if row["column"] == "amount"] == days(make)
    assert {row["window_start"] for row in scores if row["verdict"] == "drift"} == set(days(make)[3:])
    counted = {s.labels["verdict"]: s.value for s in families["drift_windows"].samples if s.value}
    assert counted == Counter(row["verdict"] for row in printed(project, "windows"))
    notifications = (folder / "notifications.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(notifications) == 1

    with make.running(folder) as again:
        make.wait_for(again.is_ready)
        assert again.checked() == []
        assert again.get("/api/v1/scores").json()["scores"] == scores
        assert again.end(signal.SIGINT) == 0
    assert (folder / "notifications.jsonl").read_text(encoding="utf-8").splitlines() == notifications


def test_pages_and_metrics_have_the_time_of_the_store(
    project: Path, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    suspended, shown = timedelta(hours=8), []  # the host was suspended meanwhile
    monkeypatch.setattr("drift.cli.service.steady_clock", lambda: lambda: make.wall() - suspended)
    monkeypatch.setattr("drift.server.web.create_app", lambda site, _access: shown.append(site.now()))
    monkeypatch.setattr("drift.server.web.serve_until_stopped", lambda *_: None)
    before = make.wall()
    result = CliRunner().invoke(app, ["serve", "--port", "0", "-c", str(project)], catch_exceptions=False)
    assert result.exit_code == 0
    (moment,) = shown
    assert before <= moment <= make.wall()


def test_sigterm_finishes_the_running_window(project: Path, make: Any) -> None:
    folder = project.parent
    make.write_config(folder, window="1h")
    with make.running(folder) as service:
        make.wait_for(lambda: len(service.checked()) >= 3)
        assert service.end(signal.SIGTERM) == 0
        done = len(service.checked())
    rows = printed(project, "windows")
    assert Counter(row["status"] for row in rows) == {"done": done, "due": 144 - done}  # six days of hours


def without_times(alerts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in alert.items() if key != "since"} for alert in alerts]


@pytest.mark.slow
def test_after_a_kill_every_window_is_checked_exactly_once(project: Path, make: Any) -> None:
    folder = project.parent
    make.write_config(folder, window="1h")
    hours = [format_instant(make.FIRST + timedelta(hours=n)) for n in range(144)]
    with make.running(folder) as service:
        make.wait_for(lambda: len(service.checked()) >= 20)
        service.end(signal.SIGKILL)
        done = len(service.checked())
        assert done < 144
    with make.running(folder) as service:
        # The interrupted window, too: its owner is known to be dead. (The last ones may be stored, but not logged yet.)
        make.wait_for(lambda: {row["status"] for row in printed(project, "windows")} == {"done"})
        make.wait_for(service.is_ready)
        assert service.end(signal.SIGTERM) == 0
    config = read_config(project, {}, strict=True)
    with Store.open(config.store) as store:
        rows = store.queries.windows(revisions="all")
        assert [row["window_start"] for row in rows] == hours
        assert {(row["status"], row["revision"], row["rows"]) for row in rows} == {("done", 1, make.PER_DAY // 24)}
        killed, alerts = store.queries.scores(), without_times(store.queries.alerts())
    with Store.open(f"sqlite:///{folder / 'undisturbed.db'}") as undisturbed:
        make.service_of(config, undisturbed, make.wall).tick()
        assert undisturbed.queries.scores() == killed
        assert without_times(undisturbed.queries.alerts()) == alerts


def test_a_tick_and_a_run_prune_old_windows(project: Path, make: Any) -> None:
    text = project.read_text(encoding="utf-8")
    config = read_config(project, {}, strict=True)
    with Store.open(config.store) as store:
        make.service_of(config, store, lambda: make.LAST).tick()
        whole, windows = store.queries.scores(), store.queries.windows()
        project.write_text(text.replace("    window:", "    keep: 2d\n    window:"), encoding="utf-8")
        make.service_of(read_config(project, {}, strict=True), store, lambda: make.LAST).tick()
        assert [row["window_start"] for row in store.queries.scores(column="amount")] == days(make)[4:]
        assert store.queries.scores() == whole[8:]
        assert store.queries.windows() == windows
    result = CliRunner().invoke(app, ["run", "--fail-on", "never", "-c", str(project)], catch_exceptions=False)
    assert result.exit_code == 0, result.output  # years later
    with Store.open(config.store) as store:
        assert store.queries.scores() == []
        assert store.queries.windows() == windows


@pytest.mark.slow
def test_only_the_token_gives_access(project: Path, make: Any) -> None:
    with make.running(project.parent, "--host", "0.0.0.0", DRIFT_TOKEN="open-sesame") as service:
        make.wait_for(service.is_ready)
        assert service.get("/api/v1/windows").status_code == 401
        assert service.get("/api/v1/windows", headers={"authorization": "Bearer open-sesame"}).status_code == 200
        assert service.get("/?token=open-sesame").status_code == 303
        assert service.get("/", headers={"host": "evil.example"}).status_code == 400
        service.end(signal.SIGTERM)
    assert "open-sesame" not in service.log.read_text(encoding="utf-8")
    codes = [line.get("code") for line in service.lines()]
    assert "weak-token" in codes, "eleven letters can be guessed"
    assert any("every other address of this machine" in line["message"] for line in service.lines())


@pytest.mark.parametrize("words", [["--host", "0.0.0.0"], ["--tick", "0"]])
def test_invalid_options_are_refused(project: Path, make: Any, words: list[str]) -> None:
    result = make.command("serve", "--port", "0", *words, folder=project.parent)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert ("DRIFT_TOKEN" if "--host" in words else "seconds") in result.stderr


def test_a_service_without_usable_monitors_does_not_start(project: Path, make: Any) -> None:
    text = project.read_text(encoding="utf-8")
    project.write_text(text.replace("threshold: 0.3", "threshold: -1"), encoding="utf-8")
    result = make.command("serve", "--port", "0", folder=project.parent)
    assert (result.returncode, "Traceback" in result.stderr) == (2, False)
    assert "[no-valid-monitor]" in result.stderr
    assert "threshold" in result.stderr


@pytest.mark.slow
def test_insecure_access_is_logged_as_a_warning(project: Path, make: Any) -> None:
    with make.running(project.parent, "--host", "0.0.0.0", "--insecure") as service:
        make.wait_for(service.is_ready)
        assert service.get("/api/v1/windows").status_code == 200
        service.end(signal.SIGTERM)
        warnings = [line for line in service.lines() if line["level"] == "warning"]
        assert any("INSECURE" in line["message"] for line in warnings)
