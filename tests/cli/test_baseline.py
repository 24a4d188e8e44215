"""`drift baseline`: the reference, who accepted it and why, and what it replaced."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import Run, configuration, daily

LATER = ("--from", "2024-01-26", "--to", "2024-01-31")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Thirty days, the last five moved; the last seven are checked."""
    daily(moved_from=25).write_parquet(tmp_path / "data.parquet")
    (tmp_path / "drift.yaml").write_text(configuration(start="2024-01-24"))
    return tmp_path


def baselines(run: Run, *args: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(run("baseline", "show", "--json", *args).stdout)["baselines"]
    return rows


@pytest.mark.slow
def test_accepted_reference_is_shown_with_author_reason_and_predecessor(drift: Run, data: Path) -> None:
    drift("run")
    (frozen,) = baselines(drift)
    assert (frozen["current"], frozen["windows"]) == (True, 10)
    done = drift("baseline", "accept", *LATER, "--by", "ann", "--why", "a new [sensor]", "--keep-bins")
    assert done.returncode == 0, done.stderr
    assert "by ann, with the previous bins: a new [sensor]" in done.stdout
    now, older = baselines(drift, "--all")
    accepted = now["note"]["accepted"]
    assert (accepted["by"], accepted["why"], accepted["replaces"]) == ("ann", "a new [sensor]", frozen["id"])
    assert (now["windows"], now["segments"][""]["rows"]) == (5, 1500)
    assert now["current"]
    assert older == {**frozen, "current": False}
    shown = drift("baseline", "show", "--all").stdout
    assert "reference windows: 5" in shown
    assert "2024-01-01T00:00:00+00:00 to 2024-01-11" in shown, "the replaced reference"

    again = drift("backfill", *LATER, "--json")
    assert {w["verdict"] for w in json.loads(again.stdout)["windows"]} == {"ok"}, "like the new reference"
    assert [w["verdict"] for w in json.loads(drift("windows", "--json", "--revisions", "all").stdout)["windows"]].count(
        "drift"
    ) == 5, "earlier verdicts are kept"


@pytest.mark.slow
def test_accepted_window_is_read_again_by_the_login_name(drift: Run, data: Path) -> None:
    drift("run")
    accept = ("baseline", "accept", "--window", "2024-01-28T12:00", "--why", "x", "--json")
    (accepted,) = json.loads(drift(*accept, LOGNAME="grace").stdout)["baselines"]
    assert accepted["note"]["accepted"]["by"] == "grace"
    assert accepted["note"]["accepted"]["kept_bins"] is False
    assert accepted["note"]["window"] == ["2024-01-28T00:00:00+00:00", "2024-01-29T00:00:00+00:00"]
    assert (accepted["windows"], accepted["segments"][""]["rows"]) == (1, 300)
    assert baselines(drift) == [accepted]


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (LATER, "--why"),  # Typer's own message
        (("--why", "x"), "[missing-option]"),
        (("--from", "2024-01-31", "--to", "2024-01-26", "--why", "x"), "[invalid-range]"),
        ((*LATER, "--why", "x"), "drift run"),
    ],
)
def test_wrong_usage_exits_2(drift: Run, data: Path, args: tuple[str, ...], code: str) -> None:
    done = drift("baseline", "accept", "--by", "ann", *args)
    assert (done.returncode, done.stdout) == (2, "")
    assert code in done.stderr
