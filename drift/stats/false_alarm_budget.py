"""False-alarm budget: the accepted rate of alarms without any change, and the p-value limit of one check."""

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import numpy as np

from drift.errors import InputError

MAX_LEVEL: Final = 0.01
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Budget:
    """Expected number of false alarms in a time, over all columns, segments and windows of a monitor; both above 0."""

    alarms: float = 1.0
    per: timedelta = timedelta(days=90)

    def __post_init__(self) -> None:
        if not 0 < self.alarms < math.inf or self.per <= timedelta(0):
            message = f"invalid budget {self}; use a number above 0 in a time above 0, such as 1 per 90d"
            raise InputError(message, code="invalid-value")

    def __str__(self) -> str:
        return f"{self.alarms:g} per {self.per / _DAY:g}d"

    def level(self, checks: int, period: timedelta, for_windows: int = 1, autocorrelation: float = 0.0) -> float:
        """Return the p-value below which one check of one window is bad, so that the budget holds in expectation.

        A window, of length `period`, is `checks` chances of an alarm (columns times segments). Their rates are added,
        whether they depend on each other or not (the union bound: dependent alarms come together, hence in fewer
        messages). An alarm needs `for_windows` bad windows in a row; windows are modelled as a Markov chain in which
        deviations of neighbours are jointly normal with correlation `autocorrelation`, from 0 to below 1. The result is
        at most `MAX_LEVEL`, whatever the budget: a window that is bad more often is no evidence by itself.

        Raises
        ------
        InputError
            If an argument is out of range.

        Examples
        --------
        >>> round(Budget(1, timedelta(days=90)).level(10, timedelta(days=1)), 6)
        0.001111
        """
        if checks < 1 or period <= timedelta(0) or for_windows < 1 or not 0 <= autocorrelation < 1:
            numbers = f"at least 1 check and windows longer than 0, got {checks} checks of {period}"
            chain = (
                f"`for` of at least 1, got {for_windows}; an autocorrelation from 0 to below 1, got {autocorrelation}"
            )
            raise InputError(f"a budget needs {numbers}; {chain}", code="invalid-input")
        rate = self.alarms * (period / self.per) / checks
        if for_windows == 1:
            return min(MAX_LEVEL, rate)
        low, high = math.log(1e-300), math.log(MAX_LEVEL)
        if _run_probability(MAX_LEVEL, for_windows, autocorrelation) <= rate:
            return MAX_LEVEL
        for _ in range(100):
            middle = (low + high) / 2
            if _run_probability(math.exp(middle), for_windows, autocorrelation) <= rate:
                low = middle
            else:
                high = middle
        return math.exp(low)


def _run_probability(level: float, windows: int, correlation: float) -> float:
    """Probability that `windows` windows in a row are bad, if one is bad with probability `level`."""
    return level * _next_probability(level, correlation) ** (windows - 1)


def _next_probability(level: float, correlation: float) -> float:
    """Probability of a bad window after a bad one: P(Y > z | X > z), jointly normal; never below `level`."""
    from scipy.special import ndtr, ndtri  # noqa: PLC0415 - quick start-up

    if correlation == 0:
        return level
    z = -float(ndtri(level))
    x = z + np.linspace(0, 12, 2001)  # the density beyond is less than e^-72 of that at z
    density = np.exp(-0.5 * (x * x - z * z))
    above = density * ndtr((correlation * x - z) / math.sqrt(1 - correlation**2))
    return max(level, float(np.trapezoid(above, x) / np.trapezoid(density, x)))
