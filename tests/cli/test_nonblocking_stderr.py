"""Standard error that keeps nobody waiting: pipes that nobody reads, that somebody reads again, and that are broken."""

import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from drift.cli.nonblocking_stderr import NonBlockingStream

SOON = 20.0


@contextmanager
def piped(told: list[int], room: int = 1 << 20) -> Iterator[tuple[NonBlockingStream, int]]:
    """An outlet to a pipe, and the end where it is read; what was dropped is written as a line, as by a log."""
    reading, writing = os.pipe()
    made = list[NonBlockingStream]()

    def tell(lines: int) -> None:
        told.append(lines)
        made[0].write(f"missing: {lines}\n")

    with os.fdopen(writing, "w") as stream:
        made.append(NonBlockingStream(stream, tell, room))
        yield made[0], reading
        assert made[0].drain(SOON)


def read_all(reading: int, last: str) -> list[str]:
    """All lines up to one that begins so."""
    found, end = b"", time.monotonic() + SOON
    while time.monotonic() < end:
        found += os.read(reading, 1 << 16)
        if found.endswith(b"\n") and found.splitlines()[-1].startswith(last.encode()):
            return found.decode().splitlines()
    raise AssertionError(found[-500:])


def test_lines_come_out_in_order_and_none_is_missing() -> None:
    told: list[int] = []
    with piped(told) as (outlet, reading):
        lines = [f"{n} ä\n" for n in range(3000)]
        for line in lines:
            assert outlet.write(line) == len(line)
        outlet.write("end\n")
        assert read_all(reading, "end") == [line.rstrip() for line in lines] + ["end"]
        os.close(reading)
    assert (told, outlet.dropped) == ([], 0)


def test_a_pipe_that_nobody_reads_costs_lines_and_no_time_and_it_is_told_how_many_when_it_is_read_again() -> None:
    told: list[int] = []
    line = "x" * 999 + "\n"
    with piped(told, room=100_000) as (outlet, reading):
        begun = time.monotonic()
        for _ in range(1000):
            outlet.write(line)
            outlet.flush()
        assert not outlet.drain(0.3), "the end is not waited for either"
        assert time.monotonic() - begun < 10
        assert outlet.dropped > 700, "a pipe holds 64 KiB, and here 100 more may wait"
        assert told == []
        dropped = outlet.dropped
        assert read_all(reading, "missing") == [line.rstrip()] * (1000 - dropped) + [f"missing: {dropped}"]
        assert (told, outlet.dropped) == ([dropped], dropped)
        outlet.write("again\n")
        assert read_all(reading, "again") == ["again"]
        os.close(reading)


def test_a_broken_pipe_costs_the_lines_and_nothing_else() -> None:
    told: list[int] = []
    with piped(told) as (outlet, reading):
        os.close(reading)
        for _ in range(50):
            outlet.write("one\ntwo\n")
    assert (outlet.dropped, told) == (100, [])


def test_a_descriptor_that_another_process_set_not_to_wait_is_waited_for() -> None:
    told: list[int] = []
    with piped(told) as (outlet, reading):
        os.set_blocking(outlet.fileno(), False)
        lines = [f"{n:09}\n" for n in range(20_000)]
        for line in lines:
            outlet.write(line)
        outlet.write("end\n")
        assert read_all(reading, "end") == [line.rstrip() for line in lines] + ["end"]
        os.close(reading)


def test_a_line_that_was_cut_off_where_there_was_no_room_costs_no_other_one(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with (tmp_path / "log").open("w") as stream:
        outlet = NonBlockingStream(stream, lambda _: None)
        resource.setrlimit(resource.RLIMIT_FSIZE, (25, hard))  # as a disk does: what fits is written, then nothing
        try:
            for n in range(5):
                outlet.write(f"{n:09}\n")
            assert outlet.drain(SOON)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        outlet.write("again\n")
        assert outlet.drain(SOON)
    assert (tmp_path / "log").read_text() == "000000000\n000000001\n00000\nagain\n"
    assert outlet.dropped == 3
