"""Logs as text and as JSON lines."""

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from drift.cli.logs import LogFormat, set_up_logs
from tests.support.commands import Run, configuration, daily

NOW = datetime(2024, 1, 14, tzinfo=UTC)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Six windows to check."""
    daily(16).write_parquet(tmp_path / "data.parquet")
    (tmp_path / "drift.yaml").write_text(configuration(end="2024-01-17"))
    return tmp_path


def test_json_logs_have_a_line_for_each_window_and_codes(data: Path, drift: Run) -> None:
    document = json.loads(configuration(end="2024-01-17"))
    document["monitors"]["broken"] = {"source": {"path": "x.csv"}}
    (data / "drift.yaml").write_text(json.dumps(document))
    done = drift("--log-format", "json", "run", "--json")
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    checked = json.loads(done.stdout)["windows"]
    windows = [line for line in lines if line.get("event") == "window"]
    keys = ("monitor", "window_start", "window_end", "revision", "rows", "verdict")
    assert len(checked) == 6
    assert [[line[key] for key in keys] for line in windows] == [[row[key] for key in keys] for row in checked]
    assert {line["columns"] for line in windows} == {2}
    assert all({"time", "level", "logger", "message", "pid"} <= set(line) for line in lines)
    assert [line["code"] for line in lines if "broken" in line["message"]] == ["invalid-configuration"]


@pytest.mark.slow
def test_run_logs_windows_only_if_verbose(data: Path, drift: Run) -> None:
    assert drift("run").stderr == ""
    (data / "drift.db").unlink()
    assert len(drift("-v", "run").stderr.splitlines()) == 6


@pytest.fixture
def restored_logging() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("drift")
    handlers, level, own_level = root.handlers[:], root.level, ours.level
    yield
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)
    ours.setLevel(own_level)


@pytest.mark.usefixtures("restored_logging")
def test_json_line_is_strict_and_keeps_its_own_keys(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs(LogFormat.JSON, verbose=False)
    fields = {"score": float("nan"), "message": "forged", "level": 3, "code": "forged", "at": NOW}
    logging.getLogger("drift.x").warning("first\nsecond line", extra={"fields": fields, "code": "a-code"})
    (line,) = capsys.readouterr().err.splitlines()
    record = json.loads(line, parse_constant=pytest.fail)
    assert (record["message"], record["level"], record["score"]) == ("first\nsecond line", "warning", None)
    assert (record["at"], record["code"]) == (str(NOW), "a-code")


@pytest.mark.usefixtures("restored_logging")
def test_names_cannot_forge_lines_of_a_text_log(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs(LogFormat.TEXT, verbose=False)
    logging.getLogger("drift.x").warning("column %s", "a\n2024-01-01 ERROR forged \x1b[2J", extra={"code": "a-code"})
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(r"column a\n2024-01-01 ERROR forged \x1b[2J")
