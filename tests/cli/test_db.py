"""`drift db`."""

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


def run(*args: str) -> Any:
    return CliRunner().invoke(app, list(args), catch_exceptions=False)


def test_migrations_work_in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    url = "sqlite:///x.db"
    assert run("db", "current", "--store", url).stdout == f"none (newest: {HEAD})\n"
    before = run("db", "check", "--store", url)
    assert (before.exit_code, "drift db upgrade" in before.stdout) == (3, True)
    assert not (tmp_path / "x.db").exists()
    assert run("db", "upgrade", "--store", url).stdout == f"schema none -> {HEAD}\n"
    assert run("db", "upgrade", "--store", url).stdout == f"schema {HEAD}, unchanged\n"
    assert run("db", "current", "--store", url).stdout == f"{HEAD} (newest: {HEAD})\n"
    after = run("db", "check", "--store", url, "--json")
    assert (after.exit_code, json.loads(after.stdout)) == (0, {"version": 1, "newest": HEAD, "problems": []})


def test_migrations_work_on_the_configured_store(project: Path) -> None:
    assert run("db", "upgrade", "-c", str(project)).exit_code == 0
    assert (project.parent / "drift.db").exists()


def test_schema_changed_by_hand_is_reported(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}"
    run("db", "upgrade", "--store", url)
    with closing(sqlite3.connect(tmp_path / "x.db")) as connection, connection:
        connection.execute("DROP TABLE delivery")
    result = run("db", "check", "--store", url)
    assert (result.exit_code, "delivery" in result.stdout) == (3, True)


def test_unreachable_store_error_hides_the_password(tmp_path: Path, make: Any) -> None:
    url = "postgresql://someone:geheim@127.0.0.1:1/none"
    result = make.command("db", "current", "--store", url, folder=tmp_path)
    assert result.returncode == 3
    assert "127.0.0.1:1" in result.stderr
    assert "geheim" not in result.stdout + result.stderr
