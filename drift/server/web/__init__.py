"""Web pages, JSON API and metrics of `drift serve`."""

from drift.server.web.access import Access, access_for, is_loopback, is_short_token
from drift.server.web.app import Site, create_app
from drift.server.web.listener import listen, listens_everywhere, serve_until_stopped, url_of

__all__ = [
    "Access",
    "Site",
    "access_for",
    "create_app",
    "is_loopback",
    "is_short_token",
    "listen",
    "listens_everywhere",
    "serve_until_stopped",
    "url_of",
]
