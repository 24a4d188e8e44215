"""`drift baseline`: what is held against, who accepted it and why, and what it replaced."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_monitors import configuration, daily
from tests.support.commands import Run

LATER = ("--from", "2024-01-26", "--to", "2024-01-31")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Thirty days, the last five of them moved; the last seven are watched."""
    daily(moved_from=25).write_parquet(tmp_path / "data.parquet")
    (tmp_path / "drift.yaml").write_text(configuration(start="2024-01-24"))
    return tmp_path


def baselines(run: Run, *args: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run("baseline", "show", "--json", *args).stdout)["baselines"]
    return found


@pytest.mark.slow
def test_an_accepted_stretch_is_shown_with_who_and_why_and_what_it_replaced(drift: Run, data: Path) -> None:
    drift("run")
    (frozen,) = baselines(drift)
    assert (frozen["current"], frozen["windows"]) == (True, 10)
    told = drift("baseline", "accept", *LATER, "--by", "ann", "--why", "a new [sensor]", "--keep-bins")
    assert told.returncode == 0, told.stderr
    assert "accepted as the new normal by ann, on the bins there were: a new [sensor]" in told.stdout
    now, older = baselines(drift, "--all")
    accepted = now["note"]["accepted"]
    assert (accepted["by"], accepted["why"], accepted["replaces"]) == ("ann", "a new [sensor]", frozen["id"])
    assert (now["windows"], now["segments"][""]["rows"]) == (5, 1500)
    assert now["current"]
    assert older == {**frozen, "current": False}
    shown = drift("baseline", "show", "--all").stdout
    assert "reference windows: 5" in shown
    assert "2024-01-01T00:00:00+00:00 to 2024-01-11" in shown, "the older one"

    again = drift("backfill", *LATER, "--json")
    assert {w["verdict"] for w in json.loads(again.stdout)["windows"]} == {"ok"}, "the new normal"
    assert [w["verdict"] for w in json.loads(drift("windows", "--json", "--revisions", "all").stdout)["windows"]].count(
        "drift"
    ) == 5, "what was judged before stays"


@pytest.mark.slow
def test_a_single_window_is_read_anew_and_the_login_name_is_kept(drift: Run, data: Path) -> None:
    drift("run")
    accept = ("baseline", "accept", "--window", "2024-01-28T12:00", "--why", "x", "--json")
    (made,) = json.loads(drift(*accept, LOGNAME="grace").stdout)["baselines"]
    assert made["note"]["accepted"]["by"] == "grace"
    assert made["note"]["accepted"]["kept_bins"] is False
    assert made["note"]["window"] == ["2024-01-28T00:00:00+00:00", "2024-01-29T00:00:00+00:00"]
    assert (made["windows"], made["segments"][""]["rows"]) == (1, 300)
    assert baselines(drift) == [made]


@pytest.mark.parametrize(
    ("args", "status", "told"),
    [
        (LATER, 2, "--why"),
        (("--why", "x"), 2, "say what to accept"),
        (("--from", "2024-01-31", "--to", "2024-01-26", "--why", "x"), 2, "turn them round"),
        ((*LATER, "--why", "x"), 2, "was never checked; `drift run`"),
    ],
)
def test_wrong_usage_says_what_to_do(drift: Run, data: Path, args: tuple[str, ...], status: int, told: str) -> None:
    found = drift("baseline", "accept", "--by", "ann", *args)
    assert (found.returncode, found.stdout) == (status, "")
    assert told in found.stderr
