"""A process that has drift's modules loaded and forks for each command: hundreds of processes, each killed for real.

`python -m drift` spends most of its second on imports. A child of this one is a process like any other (its own
number, memory, connections, signals) and runs the same `main`; only where it comes from differs.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_HEAVY = (
    "alembic.command,alembic.autogenerate,drift.baseline,drift.channels.webhook,drift.check,drift.cli,drift.config,"
    "drift.deliver,drift.sources.files,drift.store.migrate,httpx,psycopg,pyarrow.dataset,pyarrow.parquet,scipy.stats,"
    "sqlalchemy.dialects.postgresql.psycopg,sqlalchemy.dialects.sqlite,drift.cli.monitors,drift.planning"
)


class Nursery:
    """Runs commands, one after the other; close it after use.

    Parameters
    ----------
    env : str
        Set in the environment of all of them, from their start.
    """

    def __init__(self, **env: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.nursery"],
            env={**os.environ, **env},
            cwd=Path(__file__).parents[2],
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
        """One command to its end; gives its exit status, minus the signal that ended it.

        Parameters
        ----------
        args : list of str
            Of `drift`.
        log : Path
            Where its output is added.
        before : str
            ``module:function:argument``, called in the child before anything else.
        env : str
            Set in its environment.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        json.dump({"args": args, "log": str(log), "env": env, "before": before}, self._process.stdin)
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


def _child(order: dict[str, Any]) -> int:
    log = os.open(order["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, file in enumerate((nothing, log, log)):
        os.dup2(file, number)
    os.environ.update(order["env"])
    if order["before"]:
        from importlib import import_module

        module, function, argument = order["before"].split(":")
        getattr(import_module(module), function)(argument)
    from drift.cli import main

    sys.argv = ["drift", *order["args"]]
    try:
        main()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return 0


def _serve() -> None:
    from importlib import import_module

    for name in _HEAVY.split(","):
        import_module(name)
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            status = 70
            try:
                status = _child(json.loads(line))
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(status)
        _, ended = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(ended), flush=True)  # noqa: T201 - the answer


if __name__ == "__main__":
    _serve()
