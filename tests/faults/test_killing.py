"""The short form, part one: processes die, halt and race, which must cause no fault."""

import pytest

from tests.faults import killing, racing, upgrades
from tests.faults.bench import Bench
from tests.faults.servers import KINDS

pytestmark = [pytest.mark.slow, pytest.mark.postgres]
NO_FAULTS = (0, 0, 0, 0, 0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_killed_at_any_step_loses_and_doubles_nothing(bench: Bench, kind: str) -> None:
    result = killing.named_steps(bench, kind)
    assert result.counts.faults == NO_FAULTS
    assert result.details.startswith("2 to 2 kills"), "a run was not killed at every step"


def test_replicas_killed_at_random_lose_and_double_nothing(bench: Bench) -> None:
    assert killing.at_random(bench, "sqlite").counts.faults == NO_FAULTS


def test_racing_replicas_check_each_window_once(bench: Bench) -> None:
    assert racing.race(bench, "postgresql").counts.faults == NO_FAULTS


@pytest.mark.parametrize("kind", KINDS)
def test_writes_of_a_replica_past_its_lease_are_refused(bench: Bench, kind: str) -> None:
    assert racing.past_lease(bench, kind).counts.faults == NO_FAULTS


@pytest.mark.parametrize("kind", KINDS)
def test_an_upgrade_killed_at_a_statement_keeps_the_old_schema(bench: Bench, kind: str) -> None:
    assert int(upgrades.killed(bench, kind).how_often.split()[0]) > 5, "too few upgrades were killed"


@pytest.mark.parametrize("kind", KINDS)
def test_three_upgrades_at_once_all_succeed(bench: Bench, kind: str) -> None:
    upgrades.at_once(bench, kind)
