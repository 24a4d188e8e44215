"""The short form, part two: database, disk and receiver fail, which must cause no fault."""

import os
import shutil

import pytest

from tests.faults import database, disks, postmaster, power, preload, receivers
from tests.faults.bench import Bench, Result

pytestmark = [pytest.mark.slow, pytest.mark.postgres]


def is_faultless(result: Result) -> bool:
    """Return whether all five counters are zero."""
    return result.counts.faults == (0, 0, 0, 0, 0)


def test_a_database_lost_during_a_run_costs_nothing(bench: Bench) -> None:
    assert is_faultless(database.gone(bench, "postgresql"))


def test_a_service_continues_when_its_database_is_back(bench: Bench) -> None:
    assert is_faultless(database.gone_for_a_while(bench, "postgresql"))


def test_a_service_recovers_from_a_database_lost_at_any_step(bench: Bench) -> None:
    assert is_faultless(database.gone_at_moments(bench, "postgresql"))


def test_a_database_server_that_is_killed_and_recovers_costs_nothing(bench: Bench) -> None:
    assert is_faultless(postmaster.killed(bench, "postgresql"))


def test_a_commit_without_an_answer_is_neither_lost_nor_repeated(bench: Bench) -> None:
    assert is_faultless(database.lost_commits(bench, "postgresql"))


def test_a_database_frozen_past_the_lease_costs_nothing(bench: Bench) -> None:
    assert is_faultless(database.frozen(bench, "postgresql"))


def test_a_full_disk_delays_a_store_until_there_is_space(bench: Bench) -> None:
    assert is_faultless(disks.store_full(bench, "sqlite"))


def test_a_power_loss_forgets_nothing_that_was_sent(bench: Bench) -> None:
    if shutil.which(preload.COMPILER) is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no C compiler (cc) for the library that records syncs")
    assert is_faultless(power.lost(bench, "sqlite"))


def test_a_report_that_does_not_fit_keeps_the_old(bench: Bench) -> None:
    assert is_faultless(disks.report_full(bench, "sqlite"))


def test_notifications_wait_for_a_receiver_that_misbehaves(bench: Bench) -> None:
    assert is_faultless(receivers.passing(bench, "sqlite"))


def test_permanently_refused_notifications_are_dead_and_logged(bench: Bench) -> None:
    assert is_faultless(receivers.for_good(bench, "sqlite"))


def test_nothing_is_sent_to_an_untrusted_receiver(bench: Bench) -> None:
    assert is_faultless(receivers.bad_tls(bench, "sqlite"))


def test_many_waiting_transitions_arrive_in_order_and_grouped(bench: Bench) -> None:
    assert is_faultless(receivers.waiting(bench, "postgresql"))
