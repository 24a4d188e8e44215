"""One part that `drift doctor` looked at, and whether it works."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One part, and whether it works.

    Parameters
    ----------
    part : str
        `configuration`, `store`, `writes`, `clock`, `disk`, `monitor`, `windows`, `alerts`, `channel` or `deliveries`.
    name : str
        Which one.
    works : bool
        Whether it does.
    message : str
        What was found, or what is wrong and what to do.
    details : mapping
        The same for a program: numbers, and times in ISO 8601.
    """

    part: str
    name: str
    works: bool
    message: str
    details: Mapping[str, object] = field(default_factory=dict)


def format_bytes(number: float) -> str:
    """A number of bytes for a person."""
    for unit in ("B", "KiB", "MiB"):
        if number < 1024:
            return f"{number:.0f} {unit}"
        number /= 1024
    return f"{number:.1f} GiB"
