"""Access rules: the address to listen on, the accepted host names, the token."""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from drift.errors import ConfigError

TOKEN_VARIABLE: Final = "DRIFT_TOKEN"  # noqa: S105 - the variable's name
HOSTS_VARIABLE: Final = "DRIFT_ALLOWED_HOSTS"
MIN_TOKEN_LENGTH: Final = 16  # characters; shorter tokens can be guessed
LOOPBACK_HOSTS: Final = ("127.0.0.1", "localhost", "[::1]")
_HOST: Final = re.compile(r"\*|(\*\.)?[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\]")


@dataclass(frozen=True, slots=True)
class Access:
    """What a request must carry."""

    token: str | None = field(repr=False)  # required by every route except the probes; None requires none
    hosts: tuple[str, ...]  # accepted Host headers; ``*.example.com`` accepts every name under it, ``*`` any name


def is_short_token(token: str | None) -> bool:
    """Return whether a token is short enough to be guessed."""
    return token is not None and len(token) < MIN_TOKEN_LENGTH


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # any other name may resolve to any address
        return False


def access_for(host: str, environ: Mapping[str, str], *, insecure: bool = False) -> Access:
    """Return the access rules of a server that listens on `host`; `insecure` allows access without a token.

    The token is DRIFT_TOKEN, DRIFT_ALLOWED_HOSTS lists additional host names.

    Raises
    ------
    ConfigError
        If other machines could read everything without a token, or a variable is invalid.
    """
    token = environ.get(TOKEN_VARIABLE)
    if token is not None and (not token or not token.isascii() or not token.isprintable() or " " in token):
        message = f"{TOKEN_VARIABLE} must be one word of printable ASCII (its value is not shown); change or unset it"
        raise ConfigError(message, code="invalid-value")
    hosts = _accepted_hosts(host, environ)
    if token is None and not insecure:
        remedy = f"set {TOKEN_VARIABLE}, or pass --insecure to allow access without a token"
        if not is_loopback(host):
            raise ConfigError(f"--host {host}: other machines could read everything; {remedy}", code="token-missing")
        if "*" in hosts:
            message = f"{HOSTS_VARIABLE}=* lets every web page that is open on this machine read everything; {remedy}"
            raise ConfigError(message, code="token-missing")
    return Access(token, hosts)


def _accepted_hosts(host: str, environ: Mapping[str, str]) -> tuple[str, ...]:
    names = [part.strip() for part in environ.get(HOSTS_VARIABLE, "").split(",") if part.strip()]
    for name in names:
        if not _HOST.fullmatch(name):
            message = f"{HOSTS_VARIABLE}: {name!r} is not a host name; expected drift.example.com,*.example.org"
            raise ConfigError(message, code="invalid-value")
    return tuple(dict.fromkeys([*LOOPBACK_HOSTS, *_host_headers(host), *names]))


def _host_headers(host: str) -> list[str]:
    """Return the address as a Host header has it; nothing for an unspecified address."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return [host] if host else []
    if address.is_unspecified:
        return []
    return [f"[{address}]" if address.version == 6 else str(address)]
