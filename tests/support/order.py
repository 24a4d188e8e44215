"""Order of long tests."""

import pytest


def _seconds(item: pytest.Item) -> float:
    """Return the duration in the marker of a very slow test; 0 for others."""
    marker = item.get_closest_marker("slow")
    return float(marker.kwargs.get("seconds", 0)) if marker else 0.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the longest tests first, so that no worker waits at the end."""
    items.sort(key=_seconds, reverse=True)
