"""The result of one check of `drift doctor`."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of one check.

    Parameters
    ----------
    part : str
        `configuration`, `store`, `writes`, `clock`, `disk`, `monitor`, `windows`, `alerts`, `channel` or `deliveries`.
    name : str
        Which one of these.
    works : bool
        Whether the check passed.
    message : str
        The state, or what is wrong and what to do.
    details : mapping
        The state for programs: numbers, and times in ISO 8601.
    code : str or None
        Stable name of the problem; None if the check passed.
    """

    part: str
    name: str
    works: bool
    message: str
    details: Mapping[str, object] = field(default_factory=dict)
    code: str | None = None


def format_bytes(number: float) -> str:
    """Return a number of bytes in a unit that fits."""
    for unit in ("B", "KiB", "MiB"):
        if number < 1024:
            return f"{number:.0f} {unit}"
        number /= 1024
    return f"{number:.1f} GiB"
