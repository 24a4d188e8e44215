"""Channels: where notifications go.

A channel has a name and `send`, which returns once the receiver accepted the payload and raises `DeliveryError` if it
did not. Sending is at least once: receivers discard repeats by the payload's `id`.

To add a channel, write ``drift/notify/channels/NAME.py`` with its options class and its channel class, and add one row
to `CHANNELS`. Import slow libraries in `send`.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from drift.config import ChannelOptions, ChannelSpec
from drift.notify.channels.channel import Channel
from drift.notify.channels.console import ConsoleChannel, ConsoleOptions
from drift.notify.channels.file import FileChannel, FileOptions
from drift.notify.channels.webhook import WebhookChannel, WebhookOptions

__all__ = ["CHANNELS", "Channel", "ChannelType", "channel_option_classes", "open_channel"]


class ChannelType(NamedTuple):
    """One channel type."""

    options: type[ChannelOptions]  # the keys a user writes, validated
    channel: Callable[[str, Any], Channel]  # takes name and validated options; neither sends nor opens anything


CHANNELS: Final[Mapping[str, ChannelType]] = {
    "webhook": ChannelType(WebhookOptions, WebhookChannel),
    "console": ChannelType(ConsoleOptions, ConsoleChannel),
    "file": ChannelType(FileOptions, FileChannel),
}


def channel_option_classes() -> dict[str, type[ChannelOptions]]:
    """Return the options class of each channel type, for `drift.config.load`."""
    return {name: row.options for name, row in CHANNELS.items()}


def open_channel(spec: ChannelSpec) -> Channel:
    """Build a channel from its part of the configuration; it neither sends nor opens anything yet."""
    return CHANNELS[spec.type].channel(spec.name, spec.options)
