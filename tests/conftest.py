"""Fixtures shared by all tests: stores on both databases, a browser, processes, namespaces, no collector of cycles."""

from .apart import apart
from .browser import browser
from .collector import no_collector
from .forked import nursery
from .order import pytest_collection_modifyitems
from .postgres import (
    empty_postgres_url,
    empty_url,
    own_postgres_url,
    own_store_url,
    postgres_server,
    postgres_template,
    postgres_url,
    shared_postgres_url,
    sqlite_template,
    sqlite_url,
    store,
    store_url,
)

__all__ = [
    "apart",
    "browser",
    "empty_postgres_url",
    "empty_url",
    "no_collector",
    "nursery",
    "own_postgres_url",
    "own_store_url",
    "postgres_server",
    "postgres_template",
    "postgres_url",
    "pytest_collection_modifyitems",
    "shared_postgres_url",
    "sqlite_template",
    "sqlite_url",
    "store",
    "store_url",
]
