"""Axes, histograms, histories and profiles: the values that the other packages exchange."""

from drift.histogram.axis import MAX_KNOWN, Axis, CategoricalAxis, NumericAxis, axis_from_dict, category_order
from drift.histogram.counts import Counts, Histogram
from drift.histogram.history import History
from drift.histogram.kinds import Category, Edge, Kind
from drift.histogram.profile import Fault, Profile, Uncounted

__all__ = [
    "MAX_KNOWN",
    "Axis",
    "CategoricalAxis",
    "Category",
    "Counts",
    "Edge",
    "Fault",
    "Histogram",
    "History",
    "Kind",
    "NumericAxis",
    "Profile",
    "Uncounted",
    "axis_from_dict",
    "category_order",
]
