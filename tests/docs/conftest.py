"""Fixtures of the tests of what the documentation says."""

from tests.support.receivers import payload

__all__ = ["payload"]
