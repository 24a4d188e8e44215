"""What can go wrong, in words a user can act on: what came, what was expected, what to do."""


class DriftError(Exception):
    """Root of every error that drift raises on purpose."""


class InputError(DriftError, ValueError):
    """A value handed to the core does not fit (not a probability vector, an unknown metric, ...)."""


class AxisError(InputError):
    """Two histograms, or an axis and a column, do not fit together."""


class ConfigError(DriftError):
    """The configuration is wrong. The message names file, line, key and remedy."""


class SourceError(DriftError):
    """The data cannot be read: a missing file, an unreadable one, an unknown timestamp column."""


class StoreError(DriftError):
    """The store cannot be used: unreachable, not migrated, or newer than this program."""


class DeliveryError(DriftError):
    """A channel did not take a notification.

    Parameters
    ----------
    message : str
        What the receiver answered, without secrets.
    retryable : bool
        False where sending the same again cannot help (HTTP 400, say).
    retry_after : float or None
        Seconds the receiver asked to wait.
    """

    def __init__(self, message: str, *, retryable: bool = True, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retryable = retryable
        self.retry_after = retry_after
