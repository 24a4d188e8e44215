"""A stream that never blocks: pipes that are read late or never, broken pipes, and full disks."""

import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from drift.cli.nonblocking_stderr import NonBlockingStream

TIMEOUT = 20.0


@contextmanager
def piped(reported: list[int], capacity: int = 1 << 20) -> Iterator[tuple[NonBlockingStream, int]]:
    """Stream to a pipe, and the end to read from; the number of dropped lines is written as a line, as by a log."""
    reading, writing = os.pipe()
    streams = list[NonBlockingStream]()

    def report(lines: int) -> None:
        reported.append(lines)
        streams[0].write(f"missing: {lines}\n")

    with os.fdopen(writing, "w") as pipe:
        streams.append(NonBlockingStream(pipe, report, capacity))
        yield streams[0], reading
        assert streams[0].drain(TIMEOUT)


def read_all(reading: int, last: str) -> list[str]:
    """Read all lines up to one that begins with `last`."""
    data, end = b"", time.monotonic() + TIMEOUT
    while time.monotonic() < end:
        data += os.read(reading, 1 << 16)
        if data.endswith(b"\n") and data.splitlines()[-1].startswith(last.encode()):
            return data.decode().splitlines()
    raise AssertionError(data[-500:])


def test_lines_are_complete_and_in_order() -> None:
    reported: list[int] = []
    with piped(reported) as (stream, reading):
        lines = [f"{n} ä\n" for n in range(3000)]
        for line in lines:
            assert stream.write(line) == len(line)
        stream.write("end\n")
        assert read_all(reading, "end") == [line.rstrip() for line in lines] + ["end"]
        os.close(reading)
    assert (reported, stream.dropped) == ([], 0)


def test_unread_pipe_drops_lines_without_blocking_and_reports_them() -> None:
    reported: list[int] = []
    line = "x" * 999 + "\n"
    with piped(reported, capacity=100_000) as (stream, reading):
        begun = time.monotonic()
        for _ in range(1000):
            stream.write(line)
            stream.flush()
        assert not stream.drain(0.3), "not waited for at the end either"
        assert time.monotonic() - begun < 10
        assert stream.dropped > 700, "a pipe has 64 KiB, and the queue 100 lines"
        assert reported == []
        dropped = stream.dropped
        assert read_all(reading, "missing") == [line.rstrip()] * (1000 - dropped) + [f"missing: {dropped}"]
        assert (reported, stream.dropped) == ([dropped], dropped)
        stream.write("again\n")
        assert read_all(reading, "again") == ["again"]
        os.close(reading)


def test_broken_pipe_drops_lines() -> None:
    reported: list[int] = []
    with piped(reported) as (stream, reading):
        os.close(reading)
        for _ in range(50):
            stream.write("one\ntwo\n")
    assert (stream.dropped, reported) == (100, [])


def test_nonblocking_descriptor_is_waited_for() -> None:
    reported: list[int] = []
    with piped(reported) as (stream, reading):
        os.set_blocking(stream.fileno(), False)
        lines = [f"{n:09}\n" for n in range(20_000)]
        for line in lines:
            stream.write(line)
        stream.write("end\n")
        assert read_all(reading, "end") == [line.rstrip() for line in lines] + ["end"]
        os.close(reading)


def test_line_cut_off_on_a_full_disk_keeps_the_next(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with (tmp_path / "log").open("w") as file:
        stream = NonBlockingStream(file, lambda _: None)
        resource.setrlimit(resource.RLIMIT_FSIZE, (25, hard))  # like a full disk: a partial write, then errors
        try:
            for n in range(5):
                stream.write(f"{n:09}\n")
            assert stream.drain(TIMEOUT)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        stream.write("again\n")
        assert stream.drain(TIMEOUT)
    assert (tmp_path / "log").read_text() == "000000000\n000000001\n00000\nagain\n"
    assert stream.dropped == 3
