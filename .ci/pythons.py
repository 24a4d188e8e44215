"""Print the path of the oldest or newest Python on this machine that the project admits."""

import glob
import subprocess
import sys
from pathlib import Path

OLDEST = (3, 11)


def version(path: str) -> tuple[int, ...] | None:
    """The version of an interpreter, or None where it does not run (a shim without a version behind it)."""
    code = "import sys, venv, ensurepip; print(*sys.version_info[:3])"
    found = subprocess.run([path, "-c", code], capture_output=True, text=True, check=False)
    return tuple(int(part) for part in found.stdout.split()) if found.returncode == 0 else None


def main() -> None:
    """Look where Pythons usually are."""
    patterns = [str(Path.home() / ".pyenv/versions/3.*/bin/python3"), "/usr/local/bin/python3.*", "/usr/bin/python3.*"]
    paths = [sys.executable, *(p for pattern in patterns for p in glob.glob(pattern) if "config" not in p)]
    known = {path: found for path in paths if (found := version(path)) and found >= OLDEST}
    best = min(known, key=known.__getitem__) if sys.argv[1] == "oldest" else max(known, key=known.__getitem__)
    print(best)


if __name__ == "__main__":
    main()
