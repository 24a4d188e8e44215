"""Texts compared with a file that is reviewed for its wording."""

import difflib
import os
from pathlib import Path

import pytest


def matches_snapshot(path: Path, text: str) -> bool:
    """Return True if the file holds exactly this text; fail the test with the difference otherwise.

    With the environment variable DRIFT_UPDATE_SNAPSHOTS set, the file is rewritten first.
    """
    if os.environ.get("DRIFT_UPDATE_SNAPSHOTS"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    expected = path.read_text(encoding="utf-8") if path.exists() else ""
    if text != expected:
        difference = difflib.unified_diff(expected.splitlines(), text.splitlines(), path.name, "now", lineterm="")
        pytest.fail("\n".join([*difference, "set DRIFT_UPDATE_SNAPSHOTS=1 to accept it"]), pytrace=False)
    return True
