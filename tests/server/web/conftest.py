"""Fixtures of the tests of the web service."""

from tests.support.service import _restore_logging, idle, locked, make, project, served

__all__ = ["_restore_logging", "idle", "locked", "make", "project", "served"]
