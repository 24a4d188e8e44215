"""Configuration: YAML with located errors, into the values of `drift.monitors.spec`."""

from drift.config.channels import ChannelSpec
from drift.config.loading import Config, load
from drift.config.reference_checks import explain_reference
from drift.config.starter_template import starter

__all__ = ["ChannelSpec", "Config", "explain_reference", "load", "starter"]
