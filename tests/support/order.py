"""In which order long tests are run, and which of them by one process."""

import pytest


def _seconds(item: pytest.Item) -> float:
    """What its marker says it takes; told of those that take long even among the slow."""
    marker = item.get_closest_marker("slow")
    return float(marker.kwargs.get("seconds", 0)) if marker else 0.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first, so that no worker waits for another at the end; one of them alone starts Spark."""
    items.sort(key=_seconds, reverse=True)
    for item in items:
        if item.get_closest_marker("spark"):
            item.add_marker(pytest.mark.xdist_group("spark"))
