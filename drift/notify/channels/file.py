"""A channel that appends notifications to a file, one JSON document a line."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from drift.errors import ConfigError, DeliveryError
from drift.notify.channels.options import check_keys, text_option

if sys.platform != "win32":
    import fcntl

_FLAGS: Final = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)


class FileChannel:
    """Appends one line of JSON, in a single write, and has it on disk before it returns.

    Parameters
    ----------
    name : str
        Its name in the configuration.
    path : Path
        The file; made where it is not there.
    """

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self.path = path

    @classmethod
    def from_options(cls, name: str, options: Mapping[str, object]) -> "FileChannel":
        """Option: `path`.

        Raises
        ------
        ConfigError
            Without a path.
        """
        check_keys(name, options, ("path",))
        if not (path := text_option(name, options, "path")):
            raise ConfigError(f"channel {name!r} of type file needs a path, such as path: alerts.jsonl")
        return cls(name, Path(path))

    def send(self, payload: Mapping[str, Any], *, deadline: float) -> None:  # noqa: ARG002 (a local write)
        """Append one notification; see `drift.notify.channels.Channel`."""
        line = json.dumps(payload, allow_nan=False).encode() + b"\n"
        try:
            self._append(line)
        except OSError as error:
            raise DeliveryError(f"file {self.path}: {error.strerror or type(error).__name__}") from error

    def probe(self, *, deadline: float) -> str:  # noqa: ARG002 (a local look)
        """Could the file be written, or made? See `drift.notify.channels.Channel`."""
        path = self.path
        if not path.parent.is_dir():
            raise DeliveryError(f"file {path}: there is no folder {path.parent}; make it")
        if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
            raise DeliveryError(f"file {path}: cannot be written; check its permissions")
        return f"file {path} can be written" if path.exists() else f"file {path} can be made"

    def _append(self, line: bytes) -> None:
        file = os.open(self.path, _FLAGS, 0o640)
        try:
            _lock(file)
            if _torn(file):
                line = b"\n" + line
            if os.write(file, line) != len(line):
                raise DeliveryError(f"file {self.path}: only part of a line could be written; is the disk full?")
            os.fsync(file)
        finally:
            os.close(file)


def _torn(file: int) -> bool:
    """Whether the last line has no end: a full disk or a crash cut it short."""
    if os.fstat(file).st_size == 0:
        return False
    os.lseek(file, -1, os.SEEK_END)
    return os.read(file, 1) != b"\n"


def _lock(file: int) -> None:
    """Until the file is closed. Another writer's line is seen half written otherwise, and taken for torn."""
    if sys.platform != "win32":  # which has no flock: there a line may be preceded by an empty one
        fcntl.flock(file, fcntl.LOCK_EX)
