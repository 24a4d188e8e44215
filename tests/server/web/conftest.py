"""Fixtures of the tests of the web service."""

from tests.support.service import _logs_as_before, idle, locked, make, project, served

__all__ = ["_logs_as_before", "idle", "locked", "make", "project", "served"]
