"""The page, the API and the metrics of `drift serve`."""

from drift.server.web.access import Access, access_for, is_loopback, is_short
from drift.server.web.app import Site, create_app
from drift.server.web.listener import address_of, is_everywhere, listen, serve_until_stopped

__all__ = [
    "Access",
    "Site",
    "access_for",
    "address_of",
    "create_app",
    "is_everywhere",
    "is_loopback",
    "is_short",
    "listen",
    "serve_until_stopped",
]
