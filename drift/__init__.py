"""drift: a drift detector for models in production.

The names below load on first use, so that ``drift --help`` and ``import drift`` are fast.
"""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from drift import divergence as divergence
    from drift.api import compare as compare
    from drift.api import profile as profile
    from drift.api.comparison import Comparison as Comparison
    from drift.errors import DriftError as DriftError
    from drift.histogram import CategoricalAxis as CategoricalAxis
    from drift.histogram import Histogram as Histogram
    from drift.histogram import NumericAxis as NumericAxis
    from drift.histogram import Profile as Profile
    from drift.histogram.binning import Bins as Bins
    from drift.monitors.spec import ColumnRule as ColumnRule
    from drift.monitors.verdict import Threshold as Threshold
    from drift.monitors.verdict import Verdict as Verdict
    from drift.stats.scoring import Method as Method

_MODULES = {
    "Bins": "drift.histogram.binning",
    "CategoricalAxis": "drift.histogram",
    "ColumnRule": "drift.monitors.spec",
    "Comparison": "drift.api.comparison",
    "DriftError": "drift.errors",
    "Histogram": "drift.histogram",
    "Method": "drift.stats.scoring",
    "NumericAxis": "drift.histogram",
    "Profile": "drift.histogram",
    "Threshold": "drift.monitors.verdict",
    "Verdict": "drift.monitors.verdict",
    "compare": "drift.api",
    "profile": "drift.api",
}

__all__ = [*_MODULES, "divergence", "__version__"]  # noqa: PLE0604 - computed names

try:
    __version__ = version("driftgauge")
except PackageNotFoundError:  # a checkout that is not installed
    __version__ = "0+unknown"


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    if name == "divergence":
        return import_module("drift.divergence")
    raise AttributeError(f"module 'drift' has no attribute {name!r}; it has {', '.join(sorted(__all__))}")


def __dir__() -> list[str]:
    return sorted(__all__)
