"""Configuration: YAML with located errors, into the values of `drift.monitors.spec`."""

from drift.config.channel_options import ChannelOptions, ConfigPath, Secret
from drift.config.channels import ChannelSpec
from drift.config.diagnostics import InvalidConfigError
from drift.config.loading import Config, load
from drift.config.reference_checks import explain_reference
from drift.config.source_options import SourceOptions
from drift.config.starter_template import starter

__all__ = [
    "ChannelOptions",
    "ChannelSpec",
    "Config",
    "ConfigPath",
    "InvalidConfigError",
    "Secret",
    "SourceOptions",
    "explain_reference",
    "load",
    "starter",
]
