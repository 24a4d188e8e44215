"""The page, the API and the metrics of `drift serve`."""

from drift.web.access import Access, access_for, is_loopback
from drift.web.app import Site, create_app
from drift.web.serving import address_of, listen, run

__all__ = ["Access", "Site", "access_for", "address_of", "create_app", "is_loopback", "listen", "run"]
