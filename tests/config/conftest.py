"""Configurations written to a file and loaded."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from drift.config import Config
from drift.errors import ConfigError
from tests.support.configurations import read_config

Load = Callable[..., Config]
Errors = Callable[..., list[str]]

HEAD = "version: 1\nmonitors:\n  m:\n    source: {path: d.csv}\n    timestamp: ts\n"
MONITOR = HEAD + "    reference: {from: 2011-01-01, to: 2011-04-01}\n"  # six lines: appended text starts on line 7


@pytest.fixture
def monitor() -> str:
    """The smallest valid configuration, with one monitor; appended text starts on line 7."""
    return MONITOR


@pytest.fixture
def loaded(tmp_path: Path) -> Load:
    """Function that loads a text as tmp_path/drift.yaml."""

    def run(text: str, environ: Mapping[str, str] | None = None, *, strict: bool = True) -> Config:
        file = tmp_path / "drift.yaml"
        file.write_text(text, encoding="utf-8")
        return read_config(file, environ, strict=strict)

    return run


@pytest.fixture
def errors(loaded: Load, tmp_path: Path) -> Errors:
    """Function that returns the problems of a text, one a line, without the path of the file."""

    def run(text: str, environ: Mapping[str, str] | None = None) -> list[str]:
        with pytest.raises(ConfigError) as error:
            loaded(text, environ)
        return str(error.value).replace(str(tmp_path / "drift.yaml") + ":", "").splitlines()

    return run
