"""What every channel offers."""

from collections.abc import Mapping
from typing import Any, Protocol


class Channel(Protocol):
    """Sends notifications to one receiver."""

    @property
    def name(self) -> str:
        """The channel's name in the configuration."""

    def send(self, payload: Mapping[str, Any], *, deadline: float) -> None:
        """Send one notification; return once the receiver accepted it.

        Parameters
        ----------
        payload : mapping
            The dict form of `drift.notify.message.Notification`.
        deadline : float
            Seconds it may take in total.

        Raises
        ------
        DeliveryError
            If the receiver did not accept it; says whether and when sending again can help.
        """

    def probe(self, *, deadline: float) -> str:
        """Test whether the receiver can be reached, without sending anything.

        Parameters
        ----------
        deadline : float
            Seconds it may take in total.

        Returns
        -------
        str
            What was tested and how it went, without secrets.

        Raises
        ------
        DeliveryError
            If the receiver cannot be reached.
        """
