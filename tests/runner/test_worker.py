"""Worker identity: which workers are known to be dead, and which names are unique."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from drift.runner.worker import Worker


def start_worker(*, wait: bool) -> tuple[str, "subprocess.Popen[str]"]:
    """Return the name of another process; with `wait` it runs until its input is closed."""
    code = "from drift.runner.worker import Worker; print(Worker.current().name, flush=True); input()"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
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


def test_an_ended_process_is_known_dead() -> None:
    me = Worker.current()
    assert not me.knows_dead(me.name)
    name, process = start_worker(wait=True)
    assert name.startswith(me.name.partition(":")[0] + f":{process.pid}")
    assert not me.knows_dead(name)
    process.communicate()
    assert me.knows_dead(name)


@pytest.mark.skipif(sys.platform != "linux", reason="the start of a process is known on Linux only")
def test_a_reused_pid_does_not_count_as_alive() -> None:
    me = Worker.current()
    address, _, start = me.name.rpartition("-")
    parent = address.replace(f":{os.getpid()}@", f":{os.getppid()}@")
    assert me.knows_dead(f"{address}-{int(start) - 1}"), "an earlier process with the PID of this one"
    assert me.knows_dead(f"{parent}-1"), "an earlier process with its parent's PID"


@pytest.mark.parametrize(
    "other",
    [
        "web:1@bbbbbbbb-700",  # a container of the same host name
        "web:999999999@bbbbbbbb-700",  # a machine of the same name
        "web:1",  # of an older release
        "other:1@aaaaaaaa-5",
        "unknown",
    ],
)
def test_nothing_is_known_of_other_pid_namespaces(other: str) -> None:
    assert not Worker("web:1@aaaaaaaa-5").knows_dead(other)


def test_an_assigned_name_does_not_hide_the_pid() -> None:
    me = Worker.current()
    moment = datetime(2024, 1, 1, tzinfo=UTC)
    name, process = start_worker(wait=True)
    named = Worker(name).with_assigned_name("web", moment).name
    assert not me.knows_dead(named)
    assert not me.with_assigned_name("app", moment).knows_dead(named)
    process.communicate()
    assert me.knows_dead(named)
    assert me.with_assigned_name("app", moment).knows_dead(name)


@pytest.mark.skipif(sys.platform != "linux", reason="the start of a process is known on Linux only")
def test_a_running_process_with_the_same_assigned_name_is_alive() -> None:
    moment = datetime(2024, 1, 1, tzinfo=UTC)
    name, process = start_worker(wait=True)
    before = Worker(name).with_assigned_name("web", moment - timedelta(hours=1)).name
    me = Worker.current().with_assigned_name("web", moment)
    alive = moment - timedelta(minutes=1)
    assert not me.knows_dead(before, alive)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert me.knows_dead(before, alive), "it has exited, though it was not waited for"
    process.communicate()
    assert me.knows_dead(before, alive)
    assert me.knows_dead(before.replace("@", "@c"), alive), "in another namespace, its process is not visible"


def test_workers_with_the_same_assigned_name_have_different_names() -> None:
    moment = datetime(2024, 1, 1, tzinfo=UTC)
    mine, other = Worker("mac:7").with_assigned_name("web", moment), Worker("mac:7").with_assigned_name("web", moment)
    assert mine.name != other.name
    assert mine.shares_name(other.name)
    assert not mine.shares_name(mine.name)
    assert not mine.shares_name("mac:7")
    assert not Worker("mac:7").shares_name(mine.name)
