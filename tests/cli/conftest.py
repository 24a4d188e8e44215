"""Fixtures of the tests of commands."""

from tests.support.commands import drift
from tests.support.service import make, project

__all__ = ["drift", "make", "project"]
