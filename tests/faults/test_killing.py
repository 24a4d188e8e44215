"""The short form, part one: processes that die, halt and race. Five zeros each."""

import pytest

from tests.faults import killing, racing, upgrades
from tests.faults.bench import Bench
from tests.faults.servers import KINDS

pytestmark = [pytest.mark.slow, pytest.mark.postgres]
NONE = (0, 0, 0, 0, 0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_killed_at_any_step_loses_and_doubles_nothing(bench: Bench, kind: str) -> None:
    result = killing.named_steps(bench, kind)
    assert result.counts.faults == NONE
    assert result.note.startswith("2 to 2 kills"), "a step was not reached, so nothing was killed there"


def test_replicas_killed_at_random_lose_and_double_nothing(bench: Bench) -> None:
    assert killing.at_random(bench, "sqlite").counts.faults == NONE


def test_racing_replicas_check_each_window_once(bench: Bench) -> None:
    assert racing.race(bench, "postgresql").counts.faults == NONE


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_replica_writes_past_its_lease_is_refused(bench: Bench, kind: str) -> None:
    assert racing.past_lease(bench, kind).counts.faults == NONE


@pytest.mark.parametrize("kind", KINDS)
def test_an_upgrade_killed_at_a_statement_keeps_the_old_schema(bench: Bench, kind: str) -> None:
    assert int(upgrades.killed(bench, kind).runs.split()[0]) > 5, "hardly anything was killed"


@pytest.mark.parametrize("kind", KINDS)
def test_three_upgrades_at_once_all_end_well(bench: Bench, kind: str) -> None:
    upgrades.at_once(bench, kind)
