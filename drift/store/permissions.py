"""May this process make, read and write a SQLite store? SQLite's own words do not say what stands in the way."""

import os
import stat
from pathlib import Path

_EFFECTIVE = os.access in os.supports_effective_ids


def obstacle(path: Path) -> str:
    """What keeps this process from making or writing a store, and what to do; empty where nothing does."""
    if not os.path.isdir(path.parent):  # noqa: PTH112 - Path.is_dir raises where a folder above may not be searched
        return f"there is no folder {path.parent}; make it, or name another file"
    return "" if may_write(path) else remedy(path)


def may_write(path: Path) -> bool:
    """Whether the file can be written or made, and its log beside it, which SQLite needs even to read it."""
    there = os.path.exists(path)  # noqa: PTH110 - as above
    return _may(path.parent, os.W_OK | os.X_OK) and (not there or _may(path, os.R_OK | os.W_OK))


def remedy(path: Path) -> str:
    """Who has to be allowed what, as it stands, and what to do."""
    who = f" (it runs as {_name(os.geteuid())})" if hasattr(os, "geteuid") else ""
    stands = ", ".join(_stands(one) for one in (path, path.parent) if os.path.exists(one))  # noqa: PTH110 - as above
    return (
        f"this process{who} has to read and write the file and its folder; {stands}: "
        "mend owner or permissions (chown, chmod), or name another file"
    )


def _may(path: Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=_EFFECTIVE)


def _stands(path: Path) -> str:
    found = path.stat()
    return f"{path} is of {_name(found.st_uid)}, {stat.filemode(found.st_mode)}"


def _name(user: int) -> str:
    """A user's name; the number of one that has none."""
    try:
        import pwd  # noqa: PLC0415 - not on every system

        return pwd.getpwuid(user).pw_name
    except (ImportError, KeyError):
        return str(user)
