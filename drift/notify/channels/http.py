"""One POST under a total deadline, for every channel that uses HTTP. No redirects; no secrets in errors or logs."""

import asyncio
import logging
import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import responses
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from drift.errors import DeliveryError

if TYPE_CHECKING:
    import httpx

MAX_BODY: Final = 2048  # bytes read of an error response
_RETRYABLE: Final = frozenset({408, 425, 429})

# httpx logs the full URL of every request, but the URL of a webhook is a secret.
_quiet: ContextVar[bool] = ContextVar("drift_channels_http_quiet", default=False)


def _is_allowed(record: logging.LogRecord) -> bool:
    return not _quiet.get() or record.levelno >= logging.WARNING


def redact_url(url: str) -> str:
    """Return scheme and host of a URL: users, paths and queries may be secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}"


def post(url: str, body: bytes, headers: Mapping[str, str], *, deadline: float, now: Callable[[], datetime]) -> None:
    """Send a body; return once the receiver answered 2xx.

    The deadline is in seconds for name lookup, connection, TLS, request and response together. `now` is the time, for a
    Retry-After that is a date.

    Raises
    ------
    DeliveryError
        Retryable for 408, 425, 429, 5xx and failures of the connection; not for any other response.
    """
    # Not asyncio.run: it would wait for a hanging name lookup.
    loop = asyncio.new_event_loop()
    quiet = _quiet.set(True)
    try:
        loop.run_until_complete(_post(url, body, headers, deadline, now))
    finally:
        _quiet.reset(quiet)
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


async def _post(
    url: str, body: bytes, headers: Mapping[str, str], deadline: float, now: Callable[[], datetime]
) -> None:
    import httpx  # noqa: PLC0415 (slow to import, and most commands send nothing)

    logging.getLogger("httpx").addFilter(_is_allowed)  # adding it again has no effect
    try:
        # httpx applies its timeouts to each read: a receiver that sends one byte a second would block it forever.
        async with asyncio.timeout(deadline):
            # Connection and TLS handshake get less than half of it each: httpcore closes the socket if its own
            # timeout ends a handshake, but leaves it open if the handshake is cancelled.
            limits = httpx.Timeout(None, connect=0.45 * deadline)
            client = httpx.AsyncClient(timeout=limits, follow_redirects=False)
            # No compressed responses: the first bytes of an error response are read as they come.
            all_headers = {"Accept-Encoding": "identity", "User-Agent": "drift", **headers}
            async with client, client.stream("POST", url, content=body, headers=all_headers) as response:
                if not response.is_success:
                    raise _refusal(url, headers, response, await _first_text(response), now())
    except TimeoutError:
        message = f"{redact_url(url)}: no complete answer within {deadline:.3g} s"
        raise DeliveryError(message, code="receiver-timeout") from None
    except (httpx.HTTPError, OSError) as error:
        # Not chained, and without the text of other errors: they may contain the URL or a header.
        reason = f": {error}" if isinstance(error, httpx.ConnectError) else ""
        raise DeliveryError(
            f"{redact_url(url)}: {type(error).__name__}{reason}",
            retryable=isinstance(error, httpx.TransportError | OSError),
            code="receiver-timeout" if isinstance(error, httpx.TimeoutException) else "receiver-unreachable",
        ) from None


async def _first_text(response: "httpx.Response") -> str:
    read = b""
    async for chunk in response.aiter_raw(MAX_BODY):
        read += chunk
        if len(read) >= MAX_BODY:
            break
    return " ".join(read[:MAX_BODY].decode(errors="replace").split())


def check_connection(url: str, *, deadline: float) -> str:
    """Connect to a receiver and disconnect: name, TCP, and for https a valid certificate. No request is sent.

    If the environment names a proxy for the receiver, only the proxy can be tested without sending. The deadline is in
    seconds in total. The result says what answered; it shows only scheme and host of the URL.

    Raises
    ------
    DeliveryError
        If the connection fails.
    """
    proxy = _proxy(url)
    shown, shown_target = redact_url(url), redact_url(proxy or url)
    loop = asyncio.new_event_loop()  # as in `post`
    try:
        loop.run_until_complete(asyncio.wait_for(_connect(proxy or url), deadline))
    except TimeoutError:
        message = f"{shown_target}: no connection within {deadline:.3g} s"
        raise DeliveryError(message, code="receiver-timeout") from None
    except OSError as error:  # includes errors of TLS
        reason = f"{type(error).__name__}: {error.strerror or error}"
        message = f"{shown_target}: no connection ({reason}); check host, port and network"
        raise DeliveryError(message, code="receiver-unreachable") from None
    finally:
        loop.close()
    if proxy:
        return f"the proxy {shown_target} for {shown} answers; nothing was sent"
    certificate = ", its certificate is valid" if urlsplit(url).scheme == "https" else ""
    return f"{shown} answers{certificate}; nothing was sent"


async def _connect(url: str) -> None:
    import httpx  # noqa: PLC0415 (slow to import; it has the certificates that `post` trusts)

    parts = urlsplit(url)
    secure = parts.scheme == "https"
    tls = httpx.create_ssl_context() if secure else None
    _, writer = await asyncio.open_connection(parts.hostname, parts.port or (443 if secure else 80), ssl=tls)
    writer.transport.abort()  # a regular close would wait for the receiver
    await asyncio.sleep(0)


def _proxy(url: str) -> str | None:
    """Return the proxy that the environment names for a URL."""
    parts = urlsplit(url)
    proxies = getproxies()
    proxy = None if proxy_bypass(parts.hostname or "") else proxies.get(parts.scheme) or proxies.get("all")
    return proxy if proxy is None or "://" in proxy else f"http://{proxy}"


def _refusal(
    url: str, headers: Mapping[str, str], response: "httpx.Response", text: str, now: datetime
) -> DeliveryError:
    status = response.status_code
    message = f"{redact_url(url)}: {status} {responses.get(status, 'unknown status')}"
    if 300 <= status < 400:
        message += ": redirects are not followed; configure the final URL"
        return DeliveryError(message, retryable=False, code="receiver-refused")
    if text.isprintable() and len(text) <= 200 and not _reveals_secret(text, url, headers):
        message += f": {text}" if text else ""
    return DeliveryError(
        message,
        retryable=status in _RETRYABLE or status >= 500,
        retry_after=retry_after(response.headers.get("Retry-After"), now),
        code="receiver-refused",
    )


def _reveals_secret(text: str, url: str, headers: Mapping[str, str]) -> bool:
    """Return whether a response repeats a part of the request: error pages often show the path."""
    parts = urlsplit(url)
    secrets = re.split(r"[/&=;?+ ]", f"{parts.path}/{parts.query}/{parts.username}/{parts.password}")
    secrets += [word for value in headers.values() for word in value.split()]
    shown = unquote(text).casefold()
    return any(len(secret) >= 4 and unquote(secret).casefold() in shown for secret in secrets)


def retry_after(value: str | None, now: datetime) -> float | None:
    """Return the seconds that a Retry-After header asks for; None if it is neither a number nor an HTTP date."""
    if value is None:
        return None
    if re.fullmatch(r"[0-9]{1,9}", value.strip()):
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:  # "-0000": UTC without a known time zone
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())
