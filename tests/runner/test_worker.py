"""Names of workers: who is known to be gone, and who is not to be mistaken for another."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from drift.runner.worker import Worker


def name_of(*, wait: bool) -> tuple[str, "subprocess.Popen[str]"]:
    """What another process calls itself; it lives on until its input is closed, where that is waited for."""
    told = "from drift.runner.worker import Worker; print(Worker.this().name, flush=True); input()"
    process = subprocess.Popen(
        [sys.executable, "-c", told],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    name = process.stdout.readline().strip()
    if not wait:
        process.communicate()
    return name, process


def test_a_process_that_lives_is_not_gone_and_one_that_ended_is() -> None:
    me = Worker.this()
    assert not me.knows_gone(me.name)
    name, process = name_of(wait=True)
    assert name.startswith(me.name.partition(":")[0] + f":{process.pid}")
    assert not me.knows_gone(name)
    process.communicate()
    assert me.knows_gone(name)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells when a process began")
def test_a_number_that_another_process_has_by_now_is_no_sign_of_life() -> None:
    me = Worker.this()
    address, _, start = me.name.rpartition("-")
    parent = address.replace(f":{os.getpid()}@", f":{os.getppid()}@")
    assert me.knows_gone(f"{address}-{int(start) - 1}"), "who had the very number of this process"
    assert me.knows_gone(f"{parent}-1"), "who had its parent's before that"


@pytest.mark.parametrize(
    "other",
    [
        "web:1@bbbbbbbb-700",  # a container of the same host name
        "web:999999999@bbbbbbbb-700",  # a machine of the same name
        "web:1",  # of a release that told no more
        "other:1@aaaaaaaa-5",
        "nobody",
    ],
)
def test_nobody_is_known_to_be_gone_where_numbers_mean_something_else(other: str) -> None:
    assert not Worker("web:1@aaaaaaaa-5").knows_gone(other)


def test_a_name_of_the_operators_changes_nothing_of_who_is_known_by_number() -> None:
    me = Worker.this()
    moment = datetime(2024, 1, 1, tzinfo=UTC)
    name, process = name_of(wait=True)
    named = Worker(name).at("web", moment).name
    assert not me.knows_gone(named)
    assert not me.at("app", moment).knows_gone(named)
    process.communicate()
    assert me.knows_gone(named)
    assert me.at("app", moment).knows_gone(name)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells when a process began")
def test_one_of_the_same_name_that_is_seen_to_live_is_not_gone_whatever_its_operator_promised() -> None:
    moment = datetime(2024, 1, 1, tzinfo=UTC)
    name, process = name_of(wait=True)
    before = Worker(name).at("web", moment - timedelta(hours=1)).name
    me = Worker.this().at("web", moment)
    alive = moment - timedelta(minutes=1)
    assert not me.knows_gone(before, alive)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert me.knows_gone(before, alive), "it has ended, though nobody has asked after it"
    process.communicate()
    assert me.knows_gone(before, alive)
    assert me.knows_gone(before.replace("@", "@c"), alive), "of another namespace, nobody sees it"


def test_two_that_bear_one_name_are_told_apart_even_where_nobody_tells_when_a_process_began() -> None:
    moment = datetime(2024, 1, 1, tzinfo=UTC)
    mine, other = Worker("mac:7").at("web", moment), Worker("mac:7").at("web", moment)
    assert mine.name != other.name
    assert mine.shares_post(other.name)
    assert not mine.shares_post(mine.name)
    assert not mine.shares_post("mac:7")
    assert not Worker("mac:7").shares_post(mine.name)
