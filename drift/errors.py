"""Errors that drift raises on purpose. Each has a stable code, and a message: what happened, why, and what to do."""

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from sqlalchemy import URL
    from sqlalchemy.exc import SQLAlchemyError


class DriftError(Exception):
    """Root of every error that drift raises on purpose.

    Parameters
    ----------
    message : str
        What happened, why, and what to do.
    code : str, optional
        Stable name of the problem for programs, in kebab case; default: the code of the class.

    Attributes
    ----------
    code : str
        The code. docs/codes.md lists all of them.
    """

    default_code: ClassVar[str] = "error"

    def __init__(self, message: str = "", *, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code or self.default_code


class InputError(DriftError, ValueError):
    """An argument is invalid: not a probability vector, an unknown metric, and the like."""

    default_code = "invalid-input"


class AxisError(InputError):
    """Two histograms, or an axis and a column, do not fit together."""

    default_code = "axis-mismatch"


class ConfigError(DriftError):
    """The configuration is invalid. The message names file, line, key and remedy."""

    default_code = "invalid-configuration"


class SourceError(DriftError):
    """The data cannot be read: a missing file, an unreadable one, an unknown timestamp column."""

    default_code = "source-unreadable"


class StoreError(DriftError):
    """The store cannot be used: unreachable, not migrated, or newer than this program."""

    default_code = "store-unavailable"


class DeliveryError(DriftError):
    """A channel did not accept a notification.

    Parameters
    ----------
    message : str
        What the receiver answered, without secrets.
    retryable : bool
        False if sending the same notification again cannot help (HTTP 400, for example).
    retry_after : float or None
        Seconds the receiver asked to wait.
    code : str, optional
        Stable name of the problem.
    """

    default_code = "delivery-failed"

    def __init__(
        self, message: str, *, retryable: bool = True, retry_after: float | None = None, code: str | None = None
    ) -> None:
        super().__init__(message, code=code)
        self.retryable = retryable
        self.retry_after = retry_after


def describe_url(url: "URL") -> str:
    """Return a database URL without user, password and options."""
    backend = url.get_backend_name()
    if backend == "sqlite":
        return f"sqlite:///{url.database or ''}"
    port = f":{url.port}" if url.port else ""
    return f"{backend}://{url.host or ''}{port}/{url.database or ''}"


def database_message(error: "SQLAlchemyError", url: "URL") -> str:
    """Return the database's own message on one line, without the secrets of its URL."""
    text = " ".join(str(getattr(error, "orig", None) or error).split())
    secrets = [str(url.password)] if url.password else []
    secrets += [value for key, value in url.query.items() if "password" in key and isinstance(value, str)]
    for secret in secrets:
        text = text.replace(secret, "***")
    return text
