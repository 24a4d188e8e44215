"""The README's examples run as they stand."""

import re
import tomllib
from pathlib import Path

import pytest

from drift.stats.divergence import DIVERGENCES
from tests.support.configurations import read_config
from tests.support.paths import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    found = re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)
    assert found, f"the README has no {language} example"
    return found


@pytest.mark.parametrize("example", blocks("python"))
def test_python_examples_run(example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "README.md", "exec"), {})  # noqa: S102 - our own text
    assert (tmp_path / "report.html").stat().st_size > 10_000


@pytest.mark.parametrize("example", blocks("yaml"))
def test_yaml_examples_load(example: str, tmp_path: Path) -> None:
    (tmp_path / "drift.yaml").write_text(example, encoding="utf-8")
    config = read_config(tmp_path / "drift.yaml", {"HOOK_SECRET": "s"}, strict=True)
    assert list(config.monitors) == ["bikes"]
    assert len(example.splitlines()) <= 12


def test_every_link_to_a_file_leads_somewhere() -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_default_thresholds_are_those_of_the_table() -> None:
    listed = re.search(r"the default threshold of the metric\s+\(([^)]*)\)", README)
    assert listed is not None
    named = dict(entry.split() for entry in listed[1].split(", "))
    assert len(named) >= 4
    assert named == {metric: f"{DIVERGENCES[metric].threshold:g}" for metric in named}


def test_the_test_command_installs_the_extra_test() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert "pip install '.[test]' && pytest" in README
    assert "test" in project["optional-dependencies"]
    assert project["scripts"]["drift"] == "drift.cli:main"
