"""The table of channels: each type opens, its options are validated once, and nothing slow is imported."""

import subprocess
import sys
from pathlib import Path

import pytest

from drift.config import ChannelSpec
from drift.notify.channels import CHANNELS, channel_option_classes, open_channel
from drift.notify.channels.console import ConsoleChannel
from drift.notify.channels.file import FileChannel
from drift.notify.channels.webhook import WebhookChannel
from tests.support.configurations import read_config
from tests.support.paths import ROOT

TEXT = """\
version: 1
monitors:
  m: {source: {path: d.csv}, timestamp: ts, reference: {path: r.csv}}
channels:
"""
WRITTEN = {
    "webhook": "{type: webhook, url: https://h/, secret: s, timeout: 5, headers: {X-A: b}}",
    "console": "{type: console}",
    "file": "{type: file, path: a.jsonl}",
}


def test_each_type_opens_from_its_configuration(tmp_path: Path) -> None:
    path = tmp_path / "drift.yaml"
    path.write_text(TEXT + "".join(f"  {name}: {options}\n" for name, options in WRITTEN.items()))
    specs = read_config(path).channels
    assert specs.keys() == CHANNELS.keys() == channel_option_classes().keys()
    assert {name: type(spec.options) for name, spec in specs.items()} == channel_option_classes()
    channels = {name: open_channel(spec) for name, spec in specs.items()}
    assert {name: type(channel) for name, channel in channels.items()} == {
        "webhook": WebhookChannel, "console": ConsoleChannel, "file": FileChannel,
    }  # fmt: skip
    assert all(channel.name == name for name, channel in channels.items())
    assert channels["file"].probe(deadline=1) == f"file {tmp_path}/a.jsonl can be created"


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("webhook", {}),
        ("webhook", {"url": "https://h/", "secrte": "S3CRET"}),
        ("webhook", {"url": 7}),
        ("webhook", {"url": "https://h/", "secret": ""}),
        ("webhook", {"url": "https://h/", "timeout": 0}),
        ("webhook", {"url": "https://h/", "timeout": "S3CRET"}),
        ("webhook", {"url": "https://h/", "headers": {"a": 1}}),
        ("webhook", {"url": "https://h/", "headers": ["S3CRET"]}),
        ("console", {"stream": "printer"}),
        ("file", {}),
    ],
)
def test_invalid_options_are_refused_without_their_values(kind: str, options: dict[str, object]) -> None:
    with pytest.raises(ValueError) as error:
        CHANNELS[kind].options.model_validate(options)
    assert "S3CRET" not in f"{error.value} {error.value!r}"


def test_channels_without_sending_do_not_import_the_http_library() -> None:
    code = (
        "import sys, drift.notify.channels as c; from drift.config import ChannelSpec;"
        "c.open_channel(ChannelSpec('h', 'webhook', c.channel_option_classes()['webhook'](url='https://h/')));"
        "sys.exit('httpx' in sys.modules or 'asyncio' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT).returncode == 0


def test_a_spec_does_not_show_its_secrets() -> None:
    options = channel_option_classes()["webhook"].model_validate(
        {"url": "https://h/S3CRET", "headers": {"A": "S3CRET"}}
    )
    assert "S3CRET" not in repr(ChannelSpec("hook", "webhook", options))
