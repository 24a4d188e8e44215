"""Processes in a namespace of their own, as in containers."""

import os
import shutil
import subprocess

import pytest


@pytest.fixture
def apart() -> list[str]:
    """What runs a command in a namespace of its own, as a container does; not as its first process, which cannot kill
    itself.
    """
    line = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", '"$@"; exit $?', "sh"]
    tried = shutil.which("unshare") and subprocess.run([*line, "true"], capture_output=True, check=False)
    if not tried or tried.returncode:
        reason = f"no namespace of process numbers can be made here: {tried and tried.stderr.decode()!r}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return line
