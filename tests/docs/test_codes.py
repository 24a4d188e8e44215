"""docs/codes.md lists the codes of all messages, and no others."""

import ast
import re

from tests.support.message_catalogue import is_code, messages
from tests.support.paths import ROOT
from tests.support.snapshots import matches_snapshot

PAGE = (ROOT / "docs" / "codes.md").read_text("utf-8")
LISTED = {
    code for row in re.findall(r"^\| (`[^|]*`) \|", PAGE, re.MULTILINE) for code in re.findall(r"`([a-z-]+)`", row)
}


def constants() -> set[str]:
    """All texts of the source that may be a code."""
    trees = (ast.parse(path.read_text("utf-8")) for path in (ROOT / "drift").rglob("*.py"))
    return {node.value for tree in trees for node in ast.walk(tree) if is_code(node)}  # type: ignore[attr-defined]


def test_every_code_of_a_message_is_listed() -> None:
    codes = {message.code for message in messages()}
    assert len(codes) > 100
    assert sorted(codes - LISTED) == []


def test_every_listed_code_is_used() -> None:
    assert sorted(LISTED - constants()) == []


def test_codes_are_listed_once_in_kebab_case() -> None:
    rows = [
        code for row in re.findall(r"^\| (`[^|]*`) \|", PAGE, re.MULTILINE) for code in re.findall(r"`([^`]+)`", row)
    ]
    assert len(rows) == len(set(rows))
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", code) for code in rows)


def test_the_wording_of_messages_is_reviewed() -> None:
    lines = [f"{message.module}  [{message.code}]  {message.text}" for message in messages()]
    assert matches_snapshot(ROOT / "tests" / "docs" / "snapshots" / "messages.txt", "\n".join(lines) + "\n")
