"""Fixtures of the tests of alerts."""

from tests.support.results import make

__all__ = ["make"]
