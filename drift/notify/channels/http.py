"""One POST under a total deadline, for every channel that speaks HTTP. No redirects; no secrets in errors or logs."""

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

from drift.errors import ConfigError, DeliveryError

if TYPE_CHECKING:
    import httpx

MAX_ANSWER: Final = 2048  # bytes of a refusal that are read
_RETRYABLE: Final = frozenset({408, 425, 429})
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")

# httpx logs the whole URL of every request, and the URL of a webhook is a secret.
_quiet: ContextVar[bool] = ContextVar("drift_channels_http_quiet", default=False)


def _loud(record: logging.LogRecord) -> bool:
    return not _quiet.get() or record.levelno >= logging.WARNING


def check_url(name: str, url: str) -> str:
    """The URL, if it is one to post to.

    Raises
    ------
    ConfigError
        Where it is not http or https with a host. The message does not show it.
    """
    try:
        parts = urlsplit(url)
        sound = parts.scheme in {"http", "https"} and parts.port != 0 and bool((parts.hostname or "").encode("idna"))
    except ValueError:  # a malformed host or port, or a host that no name server could be asked for
        sound = False
    if not sound or any(c.isspace() or not c.isprintable() for c in url):
        raise ConfigError(f"channel {name!r}: url is http:// or https:// and a host, without spaces (value not shown)")
    return url


def check_headers(name: str, headers: Mapping[str, str]) -> dict[str, str]:
    """The headers, if HTTP can carry them.

    Raises
    ------
    ConfigError
        Naming the header, without its value.
    """
    for key, value in headers.items():
        if not _HEADER_NAME.fullmatch(key) or not value.isascii() or not value.isprintable():
            raise ConfigError(f"channel {name!r}: header {key!r} is not one that HTTP can carry (value not shown)")
    return dict(headers)


def redact_url(url: str) -> str:
    """What may be told of a URL: scheme and host. Users, ports, paths and queries hold secrets."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}"


def post(url: str, body: bytes, headers: Mapping[str, str], *, deadline: float, now: Callable[[], datetime]) -> None:
    """Send a body; return once the receiver answered 2xx.

    Parameters
    ----------
    url : str
        Where to.
    body : bytes
        What.
    headers : mapping of str to str
        Sent along.
    deadline : float
        Seconds for all of it: name lookup, connection, TLS, sending, answer.
    now : callable
        The time, for a Retry-After that is a date.

    Raises
    ------
    DeliveryError
        Retryable for 408, 425, 429, 5xx and whatever befell the connection; not for any other answer.
    """
    # A loop of our own rather than asyncio.run, which would wait for a name lookup that hangs.
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

    logging.getLogger("httpx").addFilter(_loud)  # adding the same one again changes nothing
    try:
        # httpx counts its timeouts anew for every read: a receiver that drips one byte a second holds it forever.
        async with asyncio.timeout(deadline):
            # Connecting and the TLS handshake have less than half of it each: httpcore leaves the socket open
            # where a handshake is cancelled from outside, and closes it where its own limit ends it.
            limits = httpx.Timeout(None, connect=0.45 * deadline)
            client = httpx.AsyncClient(timeout=limits, follow_redirects=False)
            # Encoded answers are not asked for: a refusal is read as it comes.
            sent = {"Accept-Encoding": "identity", "User-Agent": "drift", **headers}
            async with client, client.stream("POST", url, content=body, headers=sent) as answer:
                if not answer.is_success:
                    raise _refusal(url, headers, answer, await _beginning(answer), now())
    except TimeoutError:
        raise DeliveryError(f"{redact_url(url)}: no complete answer within {deadline:.3g} s") from None
    except (httpx.HTTPError, OSError) as error:
        # Not chained, and no text of it but that of a failed connection: others may hold the URL or a header.
        told = f": {error}" if isinstance(error, httpx.ConnectError) else ""
        raise DeliveryError(
            f"{redact_url(url)}: {type(error).__name__}{told}",
            retryable=isinstance(error, httpx.TransportError | OSError),
        ) from None


async def _beginning(answer: "httpx.Response") -> str:
    read = b""
    async for chunk in answer.aiter_raw(MAX_ANSWER):
        read += chunk
        if len(read) >= MAX_ANSWER:
            break
    return " ".join(read[:MAX_ANSWER].decode(errors="replace").split())


def reach(url: str, *, deadline: float) -> str:
    """Connect to a receiver and hang up: name, TCP, and over https a certificate that holds. No request is sent.

    Parameters
    ----------
    url : str
        Where to. Where the environment names a proxy for it, the proxy is all that can be asked without sending.
    deadline : float
        Seconds for all of it.

    Returns
    -------
    str
        What was found; of the URL, scheme and host.

    Raises
    ------
    DeliveryError
        Where there is no connection.
    """
    proxy = _proxy(url)
    loop = asyncio.new_event_loop()  # as in `post`
    try:
        loop.run_until_complete(asyncio.wait_for(_connect(proxy or url), deadline))
    except TimeoutError:
        raise DeliveryError(f"{redact_url(proxy or url)}: no connection within {deadline:.3g} s") from None
    except OSError as error:  # TLS's errors are such, too
        told = f"{type(error).__name__}: {error.strerror or error}"
        raise DeliveryError(
            f"{redact_url(proxy or url)}: no connection ({told}); check host, port and network"
        ) from None
    finally:
        loop.close()
    if proxy:
        return f"{redact_url(url)} lies behind the proxy {redact_url(proxy)}, which answers; nothing was sent"
    certified = ", its certificate holds" if urlsplit(url).scheme == "https" else ""
    return f"{redact_url(url)} answers{certified}; nothing was sent"


async def _connect(url: str) -> None:
    import httpx  # noqa: PLC0415 (slow to import; it knows which certificates `post` would trust)

    parts = urlsplit(url)
    secure = parts.scheme == "https"
    tls = httpx.create_ssl_context() if secure else None
    _, writer = await asyncio.open_connection(parts.hostname, parts.port or (443 if secure else 80), ssl=tls)
    writer.transport.abort()  # not closed politely: that would wait for the receiver's farewell
    await asyncio.sleep(0)


def _proxy(url: str) -> str | None:
    """The proxy that the environment names for a URL."""
    parts = urlsplit(url)
    named = getproxies()
    found = None if proxy_bypass(parts.hostname or "") else named.get(parts.scheme) or named.get("all")
    return found if found is None or "://" in found else f"http://{found}"


def _refusal(url: str, headers: Mapping[str, str], answer: "httpx.Response", text: str, now: datetime) -> DeliveryError:
    status = answer.status_code
    told = f"{redact_url(url)}: {status} {responses.get(status, 'unknown status')}"
    if 300 <= status < 400:
        return DeliveryError(f"{told}: redirects are not followed; configure the final URL", retryable=False)
    if text.isprintable() and len(text) <= 200 and not _tells(text, url, headers):
        told += f": {text}" if text else ""
    retryable = status in _RETRYABLE or status >= 500
    return DeliveryError(told, retryable=retryable, retry_after=retry_after(answer.headers.get("Retry-After"), now))


def _tells(text: str, url: str, headers: Mapping[str, str]) -> bool:
    """Whether a receiver's words repeat a part of what was sent: error pages like to show the path."""
    parts = urlsplit(url)
    private = re.split(r"[/&=;?+ ]", f"{parts.path}/{parts.query}/{parts.username}/{parts.password}")
    private += [word for value in headers.values() for word in value.split()]
    heard = unquote(text).casefold()
    return any(len(p) >= 4 and unquote(p).casefold() in heard for p in private)


def retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds that a Retry-After header asks for: a number, or an HTTP date; None where it is neither."""
    if value is None:
        return None
    if re.fullmatch(r"[0-9]{1,9}", value.strip()):
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:  # "-0000": UTC, from nowhere in particular
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())
