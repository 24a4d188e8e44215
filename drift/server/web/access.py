"""Who may reach the service: the address it listens on, the names it answers to, the token."""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from drift.errors import ConfigError

TOKEN: Final = "DRIFT_TOKEN"  # noqa: S105 - the variable's name
HOSTS: Final = "DRIFT_ALLOWED_HOSTS"
MIN_TOKEN_LENGTH: Final = 16  # characters: a token of fewer can be guessed
LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")
_HOST: Final = re.compile(r"\*|(\*\.)?[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\]")


@dataclass(frozen=True, slots=True)
class Access:
    """What a request must show.

    Parameters
    ----------
    token : str or None
        The secret that every route but the probes asks for; None asks for none. Not shown by repr.
    hosts : tuple of str
        The names that the Host header may hold; ``*.example.com`` is every name under it, ``*`` is any.
    """

    token: str | None = field(repr=False)
    hosts: tuple[str, ...]


def is_short(token: str | None) -> bool:
    """Whether a token is too short to keep anybody out."""
    return token is not None and len(token) < MIN_TOKEN_LENGTH


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # another name: who knows where it leads
        return False


def access_for(host: str, environ: Mapping[str, str], *, insecure: bool = False) -> Access:
    """The rules for an address to listen on: token from DRIFT_TOKEN, further names from DRIFT_ALLOWED_HOSTS.

    Parameters
    ----------
    host : str
        The address.
    environ : mapping of str to str
        The environment.
    insecure : bool
        Let everybody in who can reach it.

    Raises
    ------
    ConfigError
        Where more than this machine could reach it without a token, or a variable makes no sense.
    """
    token = environ.get(TOKEN)
    if token is not None and (not token or not token.isascii() or not token.isprintable() or " " in token):
        raise ConfigError(f"{TOKEN} is one word of printable ASCII (it is not shown here); set it anew, or unset it")
    hosts = _hosts(host, environ)
    if token is None and not insecure:
        remedy = f"set {TOKEN}, or say --insecure to let everybody in"
        if not is_loopback(host):
            raise ConfigError(f"--host {host}: more than this machine could read everything; {remedy}")
        if "*" in hosts:
            raise ConfigError(f"{HOSTS}=* lets every web page that is open on this machine read everything; {remedy}")
    return Access(token, hosts)


def _hosts(host: str, environ: Mapping[str, str]) -> tuple[str, ...]:
    given = [part.strip() for part in environ.get(HOSTS, "").split(",") if part.strip()]
    for name in given:
        if not _HOST.fullmatch(name):
            raise ConfigError(f"{HOSTS}: {name!r} is no name of a host; expected drift.example.com,*.example.org")
    return tuple(dict.fromkeys([*LOOPBACK, *_own(host), *given]))


def _own(host: str) -> list[str]:
    """The address itself, as a Host header writes it; nothing for one that stands for every address."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return [host] if host else []
    if address.is_unspecified:
        return []
    return [f"[{address}]" if address.version == 6 else str(address)]
