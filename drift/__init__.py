"""drift: has a feature left the distribution the model was trained on?

The names below load when first used, so that ``drift --help`` and ``import drift`` are quick.
"""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from drift import divergence as divergence
    from drift.adhoc import compare as compare
    from drift.adhoc import profile as profile
    from drift.adhoc.result import Comparison as Comparison
    from drift.binning import Bins as Bins
    from drift.errors import DriftError as DriftError
    from drift.histogram import CategoricalAxis as CategoricalAxis
    from drift.histogram import Histogram as Histogram
    from drift.histogram import NumericAxis as NumericAxis
    from drift.histogram import Profile as Profile
    from drift.monitor import ColumnRule as ColumnRule
    from drift.scoring import Method as Method
    from drift.verdict import Threshold as Threshold
    from drift.verdict import Verdict as Verdict

_ROOMS = {
    "Bins": "drift.binning",
    "CategoricalAxis": "drift.histogram",
    "ColumnRule": "drift.monitor",
    "Comparison": "drift.adhoc.result",
    "DriftError": "drift.errors",
    "Histogram": "drift.histogram",
    "Method": "drift.scoring",
    "NumericAxis": "drift.histogram",
    "Profile": "drift.histogram",
    "Threshold": "drift.verdict",
    "Verdict": "drift.verdict",
    "compare": "drift.adhoc",
    "profile": "drift.adhoc",
}

__all__ = [*_ROOMS, "divergence", "__version__"]  # noqa: PLE0604 - names, computed

try:
    __version__ = version("driftgauge")
except PackageNotFoundError:  # a checkout that is not installed
    __version__ = "0+unknown"


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return getattr(import_module(_ROOMS[name]), name)
    if name == "divergence":
        return import_module("drift.divergence")
    raise AttributeError(f"module 'drift' has no attribute {name!r}; it has {', '.join(sorted(__all__))}")


def __dir__() -> list[str]:
    return sorted(__all__)
