"""Configurations loaded with the channels and engines of this release."""

from collections.abc import Mapping
from pathlib import Path

from drift.config import Config, load
from drift.notify.channels import channel_option_classes
from drift.sources import engine_option_classes


def read_config(path: Path, environ: Mapping[str, str] | None = None, *, strict: bool = True) -> Config:
    """Load a configuration."""
    return load(path, environ or {}, channel_option_classes(), engine_option_classes(), strict=strict)
