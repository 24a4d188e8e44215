"""Tests of what outlives its use: Python's collector of cycles is out of the way."""

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Python looks for cycles when it is told to, not before."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
