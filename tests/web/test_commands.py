"""`drift db` and `drift doctor`."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from drift.cli import app
from drift.store.schema import REVISIONS

HEAD = REVISIONS[-1]


def run(*words: str) -> Any:
    return CliRunner().invoke(app, list(words), catch_exceptions=False)


def findings(config: Path) -> tuple[int, dict[str, Any]]:
    """The exit status of doctor, and its findings by part."""
    result = run("doctor", "-c", str(config), "--json")
    document = json.loads(result.stdout)
    assert document["works"] == all(check["works"] for check in document["checks"])
    return result.exit_code, {check["part"]: check for check in document["checks"]}


def test_migrations_work_in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    url = "sqlite:///x.db"
    assert run("db", "current", "--store", url).stdout == f"none (newest: {HEAD})\n"
    before = run("db", "check", "--store", url)
    assert (before.exit_code, "drift db upgrade" in before.stdout) == (3, True)
    assert not (tmp_path / "x.db").exists()
    assert run("db", "upgrade", "--store", url).stdout == f"schema none -> {HEAD}\n"
    assert run("db", "upgrade", "--store", url).stdout == f"schema {HEAD}, as before\n"
    assert run("db", "current", "--store", url).stdout == f"{HEAD} (newest: {HEAD})\n"
    after = run("db", "check", "--store", url, "--json")
    assert (after.exit_code, json.loads(after.stdout)) == (0, {"version": 1, "newest": HEAD, "problems": []})


def test_migrations_work_on_the_configured_store(project: Path) -> None:
    assert run("db", "upgrade", "-c", str(project)).exit_code == 0
    assert (project.parent / "drift.db").exists()


def test_a_schema_that_was_changed_by_hand_is_told(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}"
    run("db", "upgrade", "--store", url)
    with closing(sqlite3.connect(tmp_path / "x.db")) as connection, connection:
        connection.execute("DROP TABLE delivery")
    result = run("db", "check", "--store", url)
    assert (result.exit_code, "delivery" in result.stdout) == (3, True)


def test_an_unreachable_store_tells_no_password(tmp_path: Path, make: Any) -> None:
    url = "postgresql://someone:geheim@127.0.0.1:1/none"
    result = make.command("db", "current", "--store", url, folder=tmp_path)
    assert result.returncode == 3
    assert "127.0.0.1:1" in result.stderr
    assert "geheim" not in result.stdout + result.stderr


def test_doctor_finds_a_sound_project_sound(project: Path) -> None:
    status, found = findings(project)
    assert status == 0
    assert set(found) == {"configuration", "store", "monitor", "channel"}
    assert "2 columns watched, rows from 2024-01-01T00:00Z to 2024-01-13T23:54Z" in found["monitor"]["message"]
    assert sorted(path.name for path in project.parent.iterdir()) == ["drift.yaml", "rows.parquet"]  # writes nothing
    shown = run("doctor", "-c", str(project))
    assert shown.exit_code == 0
    assert "everything works" in shown.stdout


def test_doctor_tells_each_part_that_does_not_work(project: Path) -> None:
    (project.parent / "rows.parquet").unlink()
    (project.parent / "drift.db").write_text("this is no database, and longer than its header would be" * 9)
    status, found = findings(project)
    assert status == 3
    assert {part: check["works"] for part, check in found.items()} == {
        "configuration": True,
        "store": False,
        "monitor": False,
        "channel": True,
    }
    assert "rows.parquet" in found["monitor"]["message"]


def test_doctor_tells_a_monitor_that_is_configured_wrongly(project: Path) -> None:
    text = project.read_text(encoding="utf-8")
    project.write_text(text.replace("threshold: 0.3", "threshold: -1"), encoding="utf-8")
    status, found = findings(project)
    assert (status, found["monitor"]["works"]) == (3, False)
    assert "threshold" in found["monitor"]["message"]


def test_doctor_without_a_configuration_still_tells_the_versions(tmp_path: Path) -> None:
    result = run("doctor", "-c", str(tmp_path / "none.yaml"), "--json")
    document = json.loads(result.stdout)
    assert result.exit_code == 3
    assert document["versions"]["drift"]
    assert document["versions"]["python"]
    assert "no such file" in document["checks"][0]["message"]
