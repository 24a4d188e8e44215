"""`drift validate --json` on an invalid configuration."""

import json
from pathlib import Path

from tests.support.commands import Run

TEXT = """\
version: 1
monitors:
  m:
    source: {path: d.csv}
    timestamp: ts
    reference: {from: 2011-01-01, to: 2011-04-01}
    metrik: js
stor: x
"""


def test_problems_are_printed_with_their_codes(drift: Run, tmp_path: Path) -> None:
    (tmp_path / "drift.yaml").write_text(TEXT)
    done = drift("validate", "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["version"]) == (2, 1)
    assert [(p["line"], p["key"], p["code"]) for p in document["problems"]] == [
        (7, "monitors.m.metrik", "unknown-key"),
        (8, "stor", "unknown-key"),
    ]
    assert "[unknown-key]" in done.stderr
