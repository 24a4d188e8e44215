"""Reading a channel's options. Errors name the key and never the value: it may be a secret."""

from collections.abc import Mapping
from typing import cast

from drift.errors import ConfigError


def check_keys(name: str, options: Mapping[str, object], known: tuple[str, ...]) -> None:
    """Refuse options that a channel does not have: a misspelt `secret` must not be lost in silence.

    Raises
    ------
    ConfigError
        Naming the unknown ones and the known.
    """
    if unknown := sorted(set(options) - set(known)):
        takes = ", ".join(known) or "no options"
        raise ConfigError(f"channel {name!r}: unknown {', '.join(unknown)}; this type takes {takes}")


def text_option(name: str, options: Mapping[str, object], key: str) -> str | None:
    """A text option, or None where it is not given.

    Raises
    ------
    ConfigError
        Where it is empty or not text.
    """
    value = options.get(key)
    if value is not None and not (isinstance(value, str) and value):
        raise ConfigError(f"channel {name!r}: {key} is a text that is not empty; got {type(value).__name__}")
    return value


def seconds_option(name: str, options: Mapping[str, object], key: str, default: float) -> float:
    """A length of time in seconds, above 0 and finite.

    Raises
    ------
    ConfigError
        Where it is not.
    """
    value = options.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise ConfigError(f"channel {name!r}: {key} is a number of seconds above 0")
    return float(value)


def mapping_option(name: str, options: Mapping[str, object], key: str) -> Mapping[str, str]:
    """A mapping of text to text; empty where it is not given.

    Raises
    ------
    ConfigError
        Where it is something else.
    """
    value = options.get(key) or {}
    if not isinstance(value, Mapping) or not all(isinstance(x, str) for pair in value.items() for x in pair):
        raise ConfigError(f"channel {name!r}: {key} is a mapping of text to text")
    return cast("Mapping[str, str]", value)
