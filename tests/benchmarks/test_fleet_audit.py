"""The audit of a fleet detects lost, doubled and wrong windows in a store that is damaged on purpose."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import psycopg
import pytest

from drift.runner.check import WindowResult, run_all
from drift.runner.worker import Worker
from drift.store import Store
from tests.support.paths import ROOT

MONITORS, COLUMNS, HOURS = 2, 2, 2
KEPT = "definition_id, rows, columns, drifted, verdict, message, source, counted_at"

pytestmark = [pytest.mark.slow, pytest.mark.postgres]

Audit = Callable[[], dict[str, Any]]


@pytest.fixture
def audit(postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Audit:
    """Check a small fleet without faults, and return its audit; the first monitor has drifted."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    fleet, fleet_audit = import_module("fleet"), import_module("fleet_audit")
    monitors = fleet.fleet(tmp_path, MONITORS, COLUMNS, HOURS, 200)
    end = fleet.FIRST + (fleet.REFERENCE_HOURS + HOURS) * fleet.HOUR
    with Store.open(postgres_url) as store:
        outcomes = list(run_all(store, monitors, worker=Worker.current(), now=lambda: end))
    assert [type(outcome) for outcome in outcomes] == [WindowResult] * MONITORS * HOURS
    files = {monitor.name: tmp_path / f"{monitor.name}.parquet" for monitor in monitors}
    url = postgres_url.replace("+psycopg", "")
    return lambda: fleet_audit.audit(
        url, files, {monitors[0].name}, fleet.FIRST, fleet.REFERENCE_HOURS, HOURS, MONITORS * HOURS
    )


def problems(report: dict[str, Any]) -> dict[str, int]:
    unmoved = "moved_monitors_of_which_a_window_did_not_drift"
    return {name: report[name] for name in ("lost", "doubled", "wrong", unmoved, "scores_off") if report[name]}


def test_a_fleet_without_faults_has_no_problems(audit: Audit) -> None:
    report = audit()
    assert problems(report) == {}
    assert report["scores_computed_again"] == MONITORS * HOURS * COLUMNS


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        ('UPDATE "window" SET status = \'due\' WHERE id = (SELECT min(id) FROM "window")', {"lost": 1}),
        (
            (
                "UPDATE \"window\" SET end_at = end_at + interval '1 h', start_at = start_at + interval '9 h' "
                'WHERE id = (SELECT min(id) FROM "window")'
            ),
            {"lost": 1, "doubled": 2, "scores_off": COLUMNS},
        ),
        (
            (
                f"INSERT INTO revision (window_id, number, {KEPT}) SELECT window_id, 2, {KEPT} "
                "FROM revision WHERE id = (SELECT min(id) FROM revision)"
            ),
            {"doubled": 1, "wrong": 1},
        ),
        (
            (
                "DELETE FROM score WHERE profile_id = (SELECT min(profile_id) FROM score) AND column_id = "
                "(SELECT min(column_id) FROM score)"
            ),
            {"wrong": 1, "scores_off": 1},
        ),
        (
            "UPDATE score SET value = value + 1e-8 WHERE profile_id = (SELECT min(profile_id) FROM score)",
            {"scores_off": COLUMNS},
        ),
        ("UPDATE revision SET drifted = 0", {"moved_monitors_of_which_a_window_did_not_drift": 1}),
    ],
    ids=["not checked", "another hour", "twice", "no score", "another score", "not drifted"],
)
def test_damage_is_detected(audit: Audit, postgres_url: str, damage: str, expected: dict[str, int]) -> None:
    with psycopg.connect(postgres_url.replace("+psycopg", "")) as server:
        assert server.execute(damage).rowcount >= 1
    assert problems(audit()) == expected
