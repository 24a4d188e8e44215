"""Tests of object lifetimes, without Python's cyclic garbage collector."""

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Disable automatic garbage collection."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
