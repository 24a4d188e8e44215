"""Whether this process may create, read and write a SQLite store; SQLite's own messages do not say what is missing."""

import os
import stat
from pathlib import Path

_EFFECTIVE = os.access in os.supports_effective_ids


def obstacle(path: Path) -> str:
    """Return what keeps this process from creating or writing a store, with the remedy; empty if nothing does."""
    if not os.path.isdir(path.parent):  # noqa: PTH112 - Path.is_dir raises if a parent may not be searched
        return f"the folder {path.parent} does not exist; create it, or name another file"
    return "" if may_write(path) else remedy(path)


def may_write(path: Path) -> bool:
    """Return whether the file can be written or created, and its log beside it, which SQLite needs even to read."""
    exists = os.path.exists(path)  # noqa: PTH110 - as above
    return _may(path.parent, os.W_OK | os.X_OK) and (not exists or _may(path, os.R_OK | os.W_OK))


def remedy(path: Path) -> str:
    """Return which permissions are needed, which there are, and what to do."""
    user = f" (it runs as {_user_name(os.geteuid())})" if hasattr(os, "geteuid") else ""
    present = ", ".join(_describe(part) for part in (path, path.parent) if os.path.exists(part))  # noqa: PTH110 - as above
    return (
        f"this process{user} must be able to read and write the file and its folder; {present}: "
        "correct owner or permissions (chown, chmod), or name another file"
    )


def _may(path: Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=_EFFECTIVE)


def _describe(path: Path) -> str:
    status = path.stat()
    return f"{path} belongs to {_user_name(status.st_uid)}, {stat.filemode(status.st_mode)}"


def _user_name(user: int) -> str:
    """Return a user's name, or the number of one without a name."""
    try:
        import pwd  # noqa: PLC0415 - not on every system

        return pwd.getpwuid(user).pw_name
    except (ImportError, KeyError):
        return str(user)
