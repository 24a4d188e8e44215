"""Fixtures of the tests of reports."""

from tests.support.pages import hostile_page, monitor_page, open_page, plain_page

__all__ = ["hostile_page", "monitor_page", "open_page", "plain_page"]
