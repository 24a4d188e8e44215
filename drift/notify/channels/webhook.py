"""A channel that posts notifications as JSON, signed where there is a secret."""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from drift.errors import ConfigError
from drift.notify.channels.http import check_headers, check_url, post, reach, redact_url
from drift.notify.channels.options import check_keys, mapping_option, seconds_option, text_option

TIMEOUT: Final = 10.0  # seconds
_OURS: Final = frozenset({"content-type", "content-length", "host", "idempotency-key"})


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """What ``X-Drift-Signature`` holds: SHA-256 HMAC, in hex, of ``timestamp + "." + body``.

    Examples
    --------
    >>> signature("key", "1300000000", b"{}")[:14]
    'sha256=...'
    """
    mac = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256)
    return f"sha256={mac.hexdigest()}"


class WebhookChannel:
    """Posts the dict form of a notification.

    Every request bears ``Idempotency-Key``, the notification's id: the same on every retry. With a secret
    also ``X-Drift-Timestamp`` (Unix seconds, of this sending) and ``X-Drift-Signature``; a receiver
    computes `signature` again, compares it in constant time, and refuses old timestamps.

    Parameters
    ----------
    name : str
        Its name in the configuration.
    url : str
        Where to post; http or https.
    secret : str or None
        Signs.
    timeout : float
        Seconds one sending may take, all in all.
    headers : mapping of str to str, optional
        Sent along, such as Authorization.
    now : callable, optional
        The time, for the signature.

    Raises
    ------
    ConfigError
        For a URL or header that HTTP cannot carry; values are not shown.
    """

    def __init__(
        self,
        name: str,
        url: str,
        *,
        secret: str | None = None,
        timeout: float = TIMEOUT,
        headers: Mapping[str, str] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        if taken := sorted(h for h in headers or {} if h.lower() in _OURS or h.lower().startswith("x-drift-")):
            raise ConfigError(f"channel {name!r}: header {', '.join(taken)} is set by drift itself; leave it out")
        self.name = name
        self.timeout = timeout
        self._url = check_url(name, url)
        self._secret = secret
        self._headers = check_headers(name, headers or {})
        self._now = now

    def __repr__(self) -> str:
        return f"WebhookChannel({self.name!r}, {redact_url(self._url)})"

    @classmethod
    def from_options(cls, name: str, options: Mapping[str, object]) -> "WebhookChannel":
        """Options: `url`, and perhaps `secret`, `timeout` (seconds), `headers`.

        Raises
        ------
        ConfigError
            Without a URL.
        """
        check_keys(name, options, ("url", "secret", "timeout", "headers"))
        if not (url := text_option(name, options, "url")):
            raise ConfigError(f"channel {name!r} of type webhook needs a url (or url_file)")
        return cls(
            name,
            url,
            secret=text_option(name, options, "secret"),
            timeout=seconds_option(name, options, "timeout", TIMEOUT),
            headers=mapping_option(name, options, "headers"),
        )

    def send(self, payload: Mapping[str, Any], *, deadline: float) -> None:
        """Post one notification; see `drift.notify.channels.Channel`."""
        body = json.dumps(payload, allow_nan=False, separators=(",", ":")).encode()
        headers = {**self._headers, "Content-Type": "application/json", "Idempotency-Key": str(payload["id"])}
        if self._secret is not None:
            timestamp = str(int(self._now().timestamp()))
            headers["X-Drift-Timestamp"] = timestamp
            headers["X-Drift-Signature"] = signature(self._secret, timestamp, body)
        post(self._url, body, headers, deadline=min(deadline, self.timeout), now=self._now)

    def probe(self, *, deadline: float) -> str:
        """Connect and hang up; see `drift.notify.channels.Channel`."""
        return reach(self._url, deadline=min(deadline, self.timeout))
