"""A process with drift's modules loaded that forks for each command: hundreds of real, killable processes.

`python -m drift` spends most of its second on imports. A child of this process is like any other process (its own
PID, memory, connections, signals) and runs the same `main`; only its parent differs.
"""

import atexit
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tests.support.paths import ROOT

_PRELOADED: Final = (
    "alembic.command,alembic.autogenerate,drift.references,drift.notify.channels.webhook,drift.runner.check,drift.cli,drift.config,"
    "drift.notify.sender,drift.sources.files,drift.store.migrate,httpx,psycopg,pyarrow.dataset,pyarrow.parquet,scipy.stats,"
    "sqlalchemy.dialects.postgresql.psycopg,sqlalchemy.dialects.sqlite,drift.cli.monitors,drift.runner.plan,"
    "altair,drift.api,drift.backtest,drift.references.calibration_report,drift.report.backtest_chart,drift.report.html,drift.server,"
    "drift.cli.init,drift.server.web,polars,uvicorn,vl_convert"
)
LIMIT: Final = 120  # seconds for a command whose output is captured


class Nursery:
    """Runs commands, one after the other, with warnings as errors; a context manager.

    Parameters
    ----------
    env : str
        Set in its own environment, and in those of commands started by `run`.
    """

    def __init__(self, **env: str) -> None:
        self._env = {**os.environ, **env}
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "tests.support.nursery"],
            env=self._env,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()

    def run(self, args: list[str], log: Path, before: str = "", **env: str) -> int:
        """Run a command; return its exit status, or minus the signal that ended it.

        Parameters
        ----------
        args : list of str
            Arguments of `drift`.
        log : Path
            File to append its output to.
        before : str
            ``module:function:argument``: called in the child first.
        env : str
            Set in its environment.
        """
        return self._send(args=args, out=str(log), err=str(log), env={**self._env, **env}, before=before)

    def command(self, args: list[str], folder: Path, env: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
        """Run a command in a folder, with this environment only; return its output as text.

        A command that takes longer than `LIMIT` seconds is ended by SIGALRM.
        """
        with tempfile.TemporaryDirectory() as folder_of_output:
            out, err = Path(folder_of_output, "out"), Path(folder_of_output, "err")
            status = self._send(
                args=args, out=str(out), err=str(err), env=dict(env), before="", folder=str(folder), limit=LIMIT
            )
            return subprocess.CompletedProcess(
                ["drift", *args], status, out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8")
            )

    def _send(self, **order: Any) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        json.dump(order, self._process.stdin)
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the nursery itself ended; see stderr"
        return int(answer)


def _child(order: dict[str, Any]) -> int:
    signal.alarm(order.get("limit", 0))
    os.chdir(order.get("folder", "."))
    names = (os.devnull, order["out"], order["err"])
    for number, name in enumerate(names):
        os.dup2(os.open(name, os.O_RDWR | os.O_APPEND | os.O_CREAT), number)
    os.environ.clear()
    os.environ.update(order["env"])
    time.tzset()
    if order["before"]:
        from importlib import import_module

        module, function, argument = order["before"].split(":")
        getattr(import_module(module), function)(argument)
    from drift.cli import main

    sys.argv = ["drift", *order["args"]]
    try:
        main()
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:  # noqa: BLE001 - as the interpreter does
        traceback.print_exc()
        return 1
    return 0


def _serve() -> None:
    from importlib import import_module

    for name in _PRELOADED.split(","):
        import_module(name)
    for line in sys.stdin:
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
            pid = os.fork()  # NumPy's threads are idle and fork-safe
        if not pid:
            status = 70
            try:
                status = _child(json.loads(line))
                threading._shutdown()  # waits for threads, as at every exit
                atexit._run_exitfuncs()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(status)
        _, wait_status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(wait_status), flush=True)  # noqa: T201 - the answer


if __name__ == "__main__":
    _serve()
