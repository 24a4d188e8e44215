"""Variables whose values are in files."""

from pathlib import Path

import pytest

from drift.cli.secret_files import SecretFiles
from drift.errors import ConfigError
from tests.support.commands import Run, configuration, daily


@pytest.mark.slow
def test_store_url_may_be_in_a_file(tmp_path: Path, drift: Run) -> None:
    daily(12).write_parquet(tmp_path / "data.parquet")
    text = configuration(end="2024-01-12").replace('"version": 1', '"version": 1, "store": "${WHERE}"')
    (tmp_path / "drift.yaml").write_text(text)
    (tmp_path / "store").write_text("sqlite:///from-a-file.db\n")
    assert drift("run").returncode == 2
    assert drift("run", WHERE_FILE=str(tmp_path / "store")).returncode == 0
    assert (tmp_path / "from-a-file.db").exists()


def test_variable_overrides_its_file_and_unreadable_files_are_errors(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    environ = SecretFiles({"A": "a", "A_FILE": "/nowhere", "B_FILE": "/nowhere/b", "C_FILE": str(tmp_path / "empty")})
    assert environ["A"] == "a"
    assert environ.get("D", "none") == "none"
    for name, path in (("B", "/nowhere/b"), ("C", str(tmp_path / "empty"))):
        with pytest.raises(ConfigError, match=f"{name}_FILE: .*{path}") as error:
            environ[name]
        assert error.value.code == "unset-variable"


@pytest.mark.slow
def test_serve_takes_its_token_from_a_file(tmp_path: Path, drift: Run) -> None:
    (tmp_path / "token").write_text("two words\n")
    done = drift("serve", "--host", "0.0.0.0", DRIFT_TOKEN_FILE="token")
    assert done.returncode == 2
    assert "DRIFT_TOKEN" in done.stderr
    assert "two words" not in done.stderr
