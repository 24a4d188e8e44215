"""Configuration: YAML with located errors, into the values of `drift.monitor`."""

from drift.config.channels import ChannelSpec
from drift.config.loading import Config, load
from drift.config.references import explain_reference
from drift.config.starter import starter

__all__ = ["ChannelSpec", "Config", "explain_reference", "load", "starter"]
