"""Any content of the file gives a configuration, or a ConfigError that names the file."""

import tempfile
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from drift.errors import ConfigError
from tests.support.configurations import read_config
from tests.support.paths import ROOT

EXAMPLE = (ROOT / "config" / "drift.example.yaml").read_text(encoding="utf-8")
ENVIRON = {"DRIFT_STORE_PASSWORD": "a", "DRIFT_HOOK_SECRET": "b"}

WORDS = """version store monitors channels m source path timestamp reference from to metric bins numeric columns
overrides threshold alert notify type webhook console url url_file 1d 2011-01-01 ${A} $$ js auto << null 1e400 - 0x_ [ {
: timezone window schedule delay start end false_alarms segments drift warn include headers ' & * ! ? | \t #"""
words = st.sampled_from(WORDS.split())
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.dates() | st.datetimes() | st.text() | words
documents = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words | st.text(), inner, max_size=4)
)


def error_of(file: Path, *, strict: bool) -> str:
    """Return the error of a file; empty if it is valid."""
    try:
        config = read_config(file, ENVIRON, strict=strict)
    except ConfigError as error:
        return str(error)
    assert config.monitors or (config.broken and not strict)
    return ""


def check(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "drift.yaml"
        file.write_bytes(data)
        strict, lenient = error_of(file, strict=True), error_of(file, strict=False)
    assert not strict or strict.startswith(f"{file}:")
    assert set(lenient.split("\n")) <= set(strict.split("\n")) | {""}


@settings(deadline=None, max_examples=300)
@given(st.text() | st.lists(words, max_size=30).map(" ".join) | st.lists(words, max_size=30).map(":\n ".join))
def test_any_text_is_valid_or_refused(text):
    check(text.encode("utf-8", errors="surrogatepass"))


@settings(deadline=None, max_examples=150)
@given(st.binary())
def test_any_bytes_are_valid_or_refused(data):
    check(data)


@settings(deadline=None, max_examples=150)
@given(documents)
def test_any_document_is_valid_or_refused(document):
    check(yaml.safe_dump(document, allow_unicode=True).encode("utf-8", errors="surrogatepass"))


@pytest.mark.slow
@settings(deadline=None, max_examples=300)
@given(st.data())
def test_the_example_with_any_value_replaced_is_valid_or_refused(data):
    document = yaml.safe_load(EXAMPLE)
    section = document
    while True:
        keys = list(section) if isinstance(section, dict) else range(len(section))
        key = data.draw(st.sampled_from(list(keys)))
        below = section[key]
        if not below or not isinstance(below, dict | list) or data.draw(st.booleans()):
            break
        section = below
    section[key] = data.draw(documents)
    check(yaml.safe_dump(document, allow_unicode=True).encode("utf-8", errors="surrogatepass"))


@settings(deadline=None, max_examples=200)
@given(st.integers(0, len(EXAMPLE)), st.integers(0, 30), st.text(max_size=5) | words)
def test_the_example_with_any_piece_replaced_is_valid_or_refused(at, length, piece):
    check((EXAMPLE[:at] + piece + EXAMPLE[at + length :]).encode("utf-8", errors="surrogatepass"))
