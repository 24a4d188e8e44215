"""A channel that posts notifications as JSON, signed if a secret is configured."""

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, SecretStr

from drift.config import ChannelOptions, Secret, values
from drift.errors import InputError

_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_RESERVED_HEADERS: Final = frozenset({"content-type", "content-length", "host", "idempotency-key"})


def _url(value: SecretStr) -> SecretStr:
    url = value.get_secret_value()
    try:
        parts = urlsplit(url)
        valid = parts.scheme in {"http", "https"} and parts.port != 0 and bool((parts.hostname or "").encode("idna"))
    except ValueError:  # a malformed host or port, or a host name that DNS cannot hold
        valid = False
    if not valid or any(c.isspace() or not c.isprintable() for c in url):
        raise InputError("expected a URL that begins with https:// or http:// and names a host (value not shown)")
    return value


def _seconds(value: object) -> float:
    seconds = values.finite_number(value)
    if not 0 < seconds <= 300:
        raise InputError("expected seconds, above 0 and at most 300")
    return seconds


def _headers(value: object) -> dict[str, Any]:
    headers = values.mapping(value)
    if not all(_HEADER_NAME.fullmatch(header) for header in headers):
        raise InputError("the name of a header has letters, digits and dashes, such as X-Team; rename it")
    if reserved := sorted(h for h in headers if h.lower() in _RESERVED_HEADERS or h.lower().startswith("x-drift-")):
        raise InputError(f"drift sets the header {', '.join(reserved)} itself; delete it here")
    return headers


def _header_value(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not text.isascii() or not text.isprintable():
        raise InputError("the value of a header is one line of printable ASCII (value not shown)")
    return value


class WebhookOptions(ChannelOptions):
    """Options of a webhook."""

    files = ("url", "secret")

    url: Annotated[Secret, AfterValidator(_url)]  # receives the POST; http or https
    secret: Secret | None = None  # key of the signature
    timeout: Annotated[float, PlainValidator(_seconds)] = 10.0  # seconds for one request in total
    # Sent along, such as Authorization.
    headers: Annotated[dict[str, Annotated[Secret, AfterValidator(_header_value)]], BeforeValidator(_headers)] = Field(
        default_factory=dict
    )


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return the value of ``X-Drift-Signature``: SHA-256 HMAC, in hex, of ``timestamp + "." + body``.

    Examples
    --------
    >>> signature("key", "1300000000", b"{}")[:14]
    'sha256=...'
    """
    mac = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256)
    return f"sha256={mac.hexdigest()}"


class WebhookChannel:
    """Posts the dict form of a notification.

    Every request carries ``Idempotency-Key``, the notification's id: the same on every retry. With a secret it also
    carries ``X-Drift-Timestamp`` (Unix seconds of this attempt) and ``X-Drift-Signature``; a receiver computes
    `signature` again, compares it in constant time, and refuses old timestamps.
    """

    def __init__(
        self, name: str, options: WebhookOptions, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.name = name
        self._options = options
        self._url = options.url.get_secret_value()
        self._now = now

    def __repr__(self) -> str:
        from drift.notify.channels.http import redact_url  # noqa: PLC0415

        return f"WebhookChannel({self.name!r}, {redact_url(self._url)})"

    def send(self, payload: Mapping[str, Any], *, deadline: float) -> None:
        """Post one notification; see `Channel`."""
        from drift.notify.channels.http import post  # noqa: PLC0415 - slow to import, and most commands send nothing

        body = json.dumps(payload, allow_nan=False, separators=(",", ":")).encode()
        headers = {name: value.get_secret_value() for name, value in self._options.headers.items()}
        headers |= {"Content-Type": "application/json", "Idempotency-Key": str(payload["id"])}
        if self._options.secret is not None:
            timestamp = str(int(self._now().timestamp()))
            headers["X-Drift-Timestamp"] = timestamp
            headers["X-Drift-Signature"] = signature(self._options.secret.get_secret_value(), timestamp, body)
        post(self._url, body, headers, deadline=min(deadline, self._options.timeout), now=self._now)

    def probe(self, *, deadline: float) -> str:
        """Connect and disconnect; see `Channel`."""
        from drift.notify.channels.http import check_connection  # noqa: PLC0415

        return check_connection(self._url, deadline=min(deadline, self._options.timeout))
