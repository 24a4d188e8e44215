"""Variables from files: NAME_FILE names a file that holds NAME, as container images and systemd hand out secrets."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from drift.errors import ConfigError


class SecretFiles(Mapping[str, str]):
    """The environment; a variable NAME that is not set is read from the file that NAME_FILE names.

    A file is read when its variable is asked for: other programs' variables (SSL_CERT_FILE) are left alone.

    Parameters
    ----------
    environ : mapping of str to str
        The environment itself.
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
        """The value, without the line's end.

        Raises
        ------
        ConfigError
            Where the file cannot be read or is empty. The message does not show what it holds.
        """
        if name in self._environ:
            return self._environ[name]
        path = Path(self._environ[f"{name}_FILE"])
        try:
            value = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            told = (error.strerror if isinstance(error, OSError) else "") or type(error).__name__
            raise ConfigError(f"{name}_FILE: cannot read {path} ({told}); check path and permissions") from None
        if not value:
            raise ConfigError(f"{name}_FILE: {path} is empty; write the value into it")
        return value
