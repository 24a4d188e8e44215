"""Channels: where notifications go.

A channel has a name and `send`, which returns once the receiver has taken the payload (the dict form of
`drift.notify.message.Notification`) and raises `DeliveryError` where it has not. Sending is at least once:
receivers discard a repeat by the payload's `id`.

To add one, write ``drift/channels/NAME.py`` with a class whose ``from_options(name, options)`` builds it
from the configuration, and add its line to `TYPES` below. What imports slowly is imported in `send`.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from drift.errors import ConfigError
from drift.notify.channels.console import ConsoleChannel
from drift.notify.channels.file import FileChannel
from drift.notify.channels.webhook import WebhookChannel
from drift.notify.text import to_text

__all__ = ["TYPES", "Channel", "ConsoleChannel", "FileChannel", "WebhookChannel", "open_channel", "to_text"]


class Channel(Protocol):
    """Takes notifications to one receiver."""

    @property
    def name(self) -> str:
        """The channel's name in the configuration."""
        ...

    def send(self, payload: Mapping[str, Any], *, deadline: float) -> None:
        """Hand over one notification.

        Parameters
        ----------
        payload : mapping
            The dict form of a notification.
        deadline : float
            Seconds it may take, all in all.

        Raises
        ------
        DeliveryError
            Where the receiver did not take it; says whether and when sending again can help.
        """
        ...

    def probe(self, *, deadline: float) -> str:
        """Look whether the receiver could be reached, and send nothing.

        Parameters
        ----------
        deadline : float
            Seconds it may take, all in all.

        Returns
        -------
        str
            What was found, without secrets.

        Raises
        ------
        DeliveryError
            Where it could not.
        """
        ...


TYPES: Final[Mapping[str, Callable[[str, Mapping[str, object]], Channel]]] = {
    "console": ConsoleChannel.from_options,
    "file": FileChannel.from_options,
    "webhook": WebhookChannel.from_options,
}


def open_channel(spec_name: str, type: str, options: Mapping[str, object]) -> Channel:  # noqa: A002 (as in the configuration)
    """Build a channel from its part of the configuration; nothing is sent or opened yet.

    Parameters
    ----------
    spec_name : str
        Its name in the configuration.
    type : str
        A name in `TYPES`.
    options : mapping
        What that type takes, secrets filled in.

    Raises
    ------
    ConfigError
        For an unknown type, or options that do not fit it.
    """
    if type not in TYPES:
        raise ConfigError(f"channel {spec_name!r} is of unknown type {type!r}; known are {', '.join(sorted(TYPES))}")
    return TYPES[type](spec_name, options)
