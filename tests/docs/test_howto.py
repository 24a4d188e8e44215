"""The pages of docs/howto, followed to the letter on a copy of the package."""

import os
import re
import shutil
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support.paths import ROOT

HOWTO = ROOT / "docs" / "howto"


def code_blocks(page: str) -> list[str]:
    """The Python blocks of a page; a row of a table keeps its indentation."""
    matches = re.findall(r"^ {3}```python\n(.*?)^ {3}```$", (HOWTO / page).read_text("utf-8"), re.DOTALL | re.MULTILINE)
    return [re.sub(r"^ {3}", "", block, flags=re.MULTILINE) for block in matches]


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the package that a page may change."""
    return Path(shutil.copytree(ROOT / "drift", tmp_path / "drift", ignore=shutil.ignore_patterns("__pycache__")))


def insert_row(file: Path, table: str, row: str) -> None:
    text = file.read_text("utf-8")
    changed = re.sub(rf"^({table}\b[^\n]*\{{\n)", lambda match: match[1] + row, text, flags=re.MULTILINE)
    assert changed != text, f"{file.name} has no table {table}"
    file.write_text(changed, "utf-8")


def insert_above(file: Path, text: str, anchor: str) -> None:
    before, found, after = file.read_text("utf-8").partition(anchor)
    assert found
    file.write_text(f"{before}{text}\n\n{found}{after}", "utf-8")


def changed_files(package: Path) -> set[str]:
    """What differs from the checkout, by path below `drift/`."""
    return {
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        if not (original := ROOT / "drift" / path.relative_to(package)).exists()
        or original.read_bytes() != path.read_bytes()
    }


def run(folder: Path, code: str) -> str:
    """Run Python with the copy in front, and return what it prints."""
    program = textwrap.dedent(code)
    environ = {**os.environ, "NO_PROXY": "*", "PYTHONPATH": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_metric_is_one_file(package: Path) -> None:
    function, row = code_blocks("add-a-metric.md")
    insert_above(package / "stats" / "divergence.py", function, "@dataclass")
    insert_row(package / "stats" / "divergence.py", "DIVERGENCES", row)
    assert changed_files(package) == {"stats/divergence.py"}
    score = run(
        package.parent,
        """
        import drift, pyarrow as pa
        reference, live = pa.table({"x": ["a", "b"] * 500}), pa.table({"x": ["a"] * 750 + ["b"] * 250})
        print(drift.compare(reference, live, metric="triangular")["x"].score)
        """,
    )
    assert float(score) == pytest.approx(0.25**2 / 1.25 + 0.25**2 / 0.75)  # the formula of the page


@pytest.fixture
def requests() -> Iterator[tuple[int, list[tuple[str, bytes]]]]:
    """The port of a receiver on loopback, and the requests that it accepted."""
    accepted: list[tuple[str, bytes]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            accepted.append((self.headers["Authorization"], body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1], accepted
        server.shutdown()
        thread.join()


def test_a_channel_is_one_file_and_one_row(package: Path, requests: tuple[int, list[tuple[str, bytes]]]) -> None:
    module, row = code_blocks("add-a-channel.md")
    (package / "notify" / "channels" / "ntfy.py").write_text(module, "utf-8")
    table = package / "notify" / "channels" / "__init__.py"
    insert_row(table, "CHANNELS", row)
    insert_above(table, "from drift.notify.channels.ntfy import NtfyChannel, NtfyOptions", "CHANNELS: Final")
    assert changed_files(package) == {"notify/channels/ntfy.py", "notify/channels/__init__.py"}
    port, accepted = requests
    (package.parent / "drift.yaml").write_text(
        f"""\
version: 1
monitors:
  m: {{source: {{path: d.csv}}, timestamp: ts, reference: {{path: r.csv}}, alert: {{notify: [phone]}}}}
channels:
  phone: {{type: ntfy, url: "http://127.0.0.1:{port}/drift", token: "${{TOKEN}}"}}
""",
        "utf-8",
    )
    shown = run(
        package.parent,
        """
        from pathlib import Path
        from drift.config import load
        from drift.notify.channels import channel_option_classes, open_channel

        spec = load(Path("drift.yaml"), {"TOKEN": "t0k3n"}, channel_option_classes(), {}).channels["phone"]
        channel = open_channel(spec)
        channel.send({"id": "n-1", "title": "m: 1 column drifted"}, deadline=5)
        print(spec)
        """,
    )
    assert accepted == [("Bearer t0k3n", b'{"title": "m: 1 column drifted", "id": "n-1"}')]
    assert "t0k3n" not in shown


def test_an_engine_is_one_file_and_one_row(package: Path) -> None:
    module, row = code_blocks("add-an-engine.md")
    (package / "sources" / "fixed_width.py").write_text(module, "utf-8")
    table = package / "sources" / "__init__.py"
    insert_row(table, "ENGINES", row)
    assert changed_files(package) == {"sources/fixed_width.py", "sources/__init__.py"}
    lines = [f"2024-01-0{1 + i // 24}T{i % 24:02}:00:00Z{i % 5:8.1f}" for i in range(48)]
    (package.parent / "rows.txt").write_text("\n".join(lines), "ascii")
    (package.parent / "drift.yaml").write_text(
        """\
version: 1
monitors:
  m: {source: {fixed_width: {path: rows.txt}}, timestamp: ts, reference: {from: 2024-01-01, to: 2024-01-02}}
""",
        "utf-8",
    )
    counts = run(
        package.parent,
        """
        from pathlib import Path
        from drift.config import load
        from drift.sources import engine_option_classes, open_source

        monitor = load(Path("drift.yaml"), {}, {}, engine_option_classes()).monitors["m"]
        source = open_source(monitor)
        first = monitor.reference.window
        second = monitor.period.window_at(first.end, monitor.timezone)
        axes = source.learn(["x"], monitor.columns, first)[""].axes
        print(source.count(axes, second, (), ())[""]["x"].counts.tolist())
        """,
    )
    values = [i % 5 for i in range(24, 48)]
    assert counts == str([0, *(values.count(value) for value in range(5)), 0, 0])
