"""Fixtures for notifications: results of windows, real receivers."""

from tests.support.receivers import how, no_proxy, payload, serve
from tests.support.results import make

__all__ = ["how", "make", "no_proxy", "payload", "serve"]
