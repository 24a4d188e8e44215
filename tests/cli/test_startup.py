"""Start-up loads no heavy libraries. (benchmarks/startup.py measures the time.)"""

import subprocess
import sys

HEAVY = {"numpy", "pandas", "polars", "pyarrow", "scipy", "sqlalchemy", "alembic", "altair", "vl_convert", "fastapi",
         "uvicorn", "apscheduler", "pydantic", "jinja2", "httpx", "prometheus_client"}  # fmt: skip


def _loaded(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stdout.split()} & HEAVY


HELP = """
import contextlib, io, drift.cli
sys.argv = ["drift", "--help"]
with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
    drift.cli.main()
"""


def test_help_loads_nothing_heavy() -> None:
    assert _loaded(HELP) == set()


def test_import_drift_loads_nothing_heavy() -> None:
    assert _loaded("import drift") == set()


def test_comparing_frames_loads_neither_charts_nor_store_nor_web() -> None:
    code = "import drift, polars\ndrift.compare(*[polars.DataFrame({'a': [1, None, 3], 'b': ['x', None, 'y']})] * 2)"
    # Older releases of PyArrow load pandas if it is installed.
    assert _loaded(code) <= {"numpy", "polars", "pyarrow", "scipy", "pandas"}
