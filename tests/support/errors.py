"""Checks of errors by their stable codes."""

from collections.abc import Callable


def has_code(code: str) -> Callable[[BaseException], bool]:
    """Return a check of `pytest.raises`: the error has this code."""
    return lambda error: getattr(error, "code", None) == code
