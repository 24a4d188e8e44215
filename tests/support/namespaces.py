"""Processes in their own PID namespace, as in containers."""

import os
import shutil
import subprocess

import pytest


@pytest.fixture
def in_namespace() -> list[str]:
    """Return a command prefix that runs a command in a new PID namespace, but not as its first process.

    The first process of a namespace cannot kill itself.
    """
    prefix = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", '"$@"; exit $?', "sh"]
    trial = shutil.which("unshare") and subprocess.run([*prefix, "true"], capture_output=True, check=False)
    if not trial or trial.returncode:
        reason = f"cannot create a PID namespace here: {trial and trial.stderr.decode()!r}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return prefix
