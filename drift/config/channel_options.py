"""Base class and value types of channel options; each channel keeps its options class beside it, in `drift.notify`."""

from pathlib import Path
from typing import Annotated

from pydantic import PlainValidator, SecretStr, ValidationInfo

from drift.config import values
from drift.config.sections import Section


class ChannelOptions(Section):
    """Options of one channel type; field names are the keys a user writes beside ``type``."""


def _secret(value: object) -> SecretStr:
    return value if isinstance(value, SecretStr) else SecretStr(values.text(value))


def _path(value: object, info: ValidationInfo) -> Path:
    folder: Path = (info.context or {}).get("folder", Path())
    return folder / (value if isinstance(value, Path) else values.text(value))


Secret = Annotated[SecretStr, PlainValidator(_secret)]
"""Text that no message, log or repr shows."""

ConfigPath = Annotated[Path, PlainValidator(_path)]
"""A path; a relative one starts at the folder of the configuration."""
