"""The false-alarm budget: how rarely alarms may come where nothing changed, and what that asks of each check."""

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import numpy as np

from drift.errors import InputError

_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Budget:
    """At most so many false alarms in so much time, over all columns, segments and windows of a monitor.

    Parameters
    ----------
    alarms : float
        Expected number.
    per : timedelta
        In how much time.

    Raises
    ------
    InputError
        Where either is not above zero.
    """

    alarms: float = 1.0
    per: timedelta = timedelta(days=90)

    def __post_init__(self) -> None:
        if not 0 < self.alarms < math.inf or self.per <= timedelta(0):
            raise InputError(f"a budget is a number above 0 in some time, such as 1 per 90d; got {self}")

    def __str__(self) -> str:
        return f"{self.alarms:g} per {self.per / _DAY:g}d"

    def level(self, checks: int, period: timedelta, for_windows: int = 1, carried_over: float = 0.0) -> float:
        """The p-value below which one check of one window is bad, so that the budget holds in expectation.

        Every window is `checks` chances of an alarm (columns times segments), added up whether they depend on each
        other or not (the union bound: dependence makes alarms come together, hence fewer messages). An alarm takes
        `for_windows` bad windows in a row; their law is a Markov chain whose neighbours are jointly normal with a
        correlation of `carried_over`.

        Parameters
        ----------
        checks : int
            Columns times segments.
        period : timedelta
            Length of a window.
        for_windows : int
            Bad windows in a row before an alert fires.
        carried_over : float
            Correlation of strangeness between a window and the next, from 0 to below 1.

        Returns
        -------
        float
            At most 0.01, whatever the budget: a window that is bad more often says nothing by itself.

        Raises
        ------
        InputError
            Where an argument is out of range.

        Examples
        --------
        >>> round(Budget(1, timedelta(days=90)).level(10, timedelta(days=1)), 6)
        0.001111
        """
        if checks < 1 or period <= timedelta(0) or for_windows < 1 or not 0 <= carried_over < 1:
            raise InputError(
                f"a budget is spent by 1 check or more on windows of some length, {checks} on {period} were given; "
                f"`for` is 1 or more, got {for_windows}; a correlation is from 0 to below 1, got {carried_over}"
            )
        wanted = self.alarms * (period / self.per) / checks
        if for_windows == 1:
            return min(_MOST, wanted)
        low, high = math.log(1e-300), math.log(_MOST)
        if _in_a_row(_MOST, for_windows, carried_over) <= wanted:
            return _MOST
        for _ in range(100):
            middle = (low + high) / 2
            if _in_a_row(math.exp(middle), for_windows, carried_over) <= wanted:
                low = middle
            else:
                high = middle
        return math.exp(low)


_MOST: Final = 0.01


def _in_a_row(level: float, windows: int, correlation: float) -> float:
    """How often `windows` in a row are bad, each as often as `level`."""
    return level * _after(level, correlation) ** (windows - 1)


def _after(level: float, correlation: float) -> float:
    """How often a window is bad after a bad one: P(Y > z | X > z), jointly normal; never below `level`."""
    from scipy.special import ndtr, ndtri  # noqa: PLC0415 - quick start-up

    if correlation == 0:
        return level
    z = -float(ndtri(level))
    x = z + np.linspace(0, 12, 2001)  # the density beyond is less than e^-72 of that at z
    density = np.exp(-0.5 * (x * x - z * z))
    over = density * ndtr((correlation * x - z) / math.sqrt(1 - correlation**2))
    return max(level, float(np.trapezoid(over, x) / np.trapezoid(density, x)))
