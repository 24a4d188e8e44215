"""A channel that appends notifications to a file, one JSON document a line."""

import json
import os
import sys
from collections.abc import Mapping
from typing import Any, Final

from drift.config import ChannelOptions, ConfigPath
from drift.errors import DeliveryError

if sys.platform != "win32":
    import fcntl

_FLAGS: Final = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)


class FileOptions(ChannelOptions):
    """Options: the path of the file."""

    path: ConfigPath


class FileChannel:
    """Appends one line of JSON in a single write; it is on disk before `send` returns. Creates a missing file."""

    def __init__(self, name: str, options: FileOptions) -> None:
        self.name = name
        self.path = options.path

    def send(self, payload: Mapping[str, Any], *, deadline: float) -> None:  # noqa: ARG002 - a local write
        """Append one notification; see `Channel`."""
        line = json.dumps(payload, allow_nan=False).encode() + b"\n"
        try:
            self._append(line)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise DeliveryError(f"file {self.path}: {reason}", code="file-unwritable") from error

    def probe(self, *, deadline: float) -> str:  # noqa: ARG002 - it waits for nothing
        """Test whether the file can be written or created; see `Channel`."""
        path = self.path
        if not path.parent.is_dir():
            message = f"file {path}: the folder {path.parent} does not exist; create it"
            raise DeliveryError(message, code="file-unwritable")
        if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
            raise DeliveryError(f"file {path}: cannot be written; check its permissions", code="file-unwritable")
        return f"file {path} can be {'written' if path.exists() else 'created'}"

    def _append(self, line: bytes) -> None:
        file = os.open(self.path, _FLAGS, 0o640)
        try:
            _lock(file)
            if _is_torn(file):
                line = b"\n" + line
            if os.write(file, line) != len(line):
                message = f"file {self.path}: only part of a line was written; check free disk space"
                raise DeliveryError(message, code="disk-full")
            os.fsync(file)
        finally:
            os.close(file)


def _is_torn(file: int) -> bool:
    """Return whether the last line is incomplete, after a crash or a full disk."""
    if os.fstat(file).st_size == 0:
        return False
    os.lseek(file, -1, os.SEEK_END)
    return os.read(file, 1) != b"\n"


def _lock(file: int) -> None:
    """Lock the file until it is closed; otherwise another writer's line may be read half written, and taken as torn."""
    if sys.platform != "win32":  # without flock, an empty line may precede a line there
        fcntl.flock(file, fcntl.LOCK_EX)
