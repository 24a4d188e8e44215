"""Divergences under their documented import path; `drift.stats.divergence` defines them."""

from drift.stats.divergence import *  # noqa: F403 - every name of its __all__
from drift.stats.divergence import __all__  # noqa: F401
