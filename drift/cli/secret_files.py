"""Secrets in files: the variable NAME_FILE names a file that holds the value of NAME (container images, systemd)."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from drift.errors import ConfigError


class SecretFiles(Mapping[str, str]):
    """The environment, in which an unset variable NAME is read from the file named by NAME_FILE.

    A file is read only when its variable is needed, so that variables of other programs (SSL_CERT_FILE) do no harm.

    Parameters
    ----------
    environ : mapping of str to str
        The environment.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def __contains__(self, name: object) -> bool:
        return name in self._environ or f"{name}_FILE" in self._environ

    def __iter__(self) -> Iterator[str]:
        return iter(self._environ)

    def __len__(self) -> int:
        return len(self._environ)

    def __getitem__(self, name: str) -> str:
        """Return the value, without the trailing newline.

        Raises
        ------
        ConfigError
            If the file is empty or cannot be read. The message does not contain the value.
        """
        if name in self._environ:
            return self._environ[name]
        path = Path(self._environ[f"{name}_FILE"])
        try:
            value = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = (error.strerror if isinstance(error, OSError) else "") or type(error).__name__
            message = f"{name}_FILE: cannot read {path} ({reason}); check path and permissions"
            raise ConfigError(message, code="unset-variable") from None
        if not value:
            raise ConfigError(f"{name}_FILE: {path} is empty; write the value into it", code="unset-variable")
        return value
