"""Optional packages in tests."""

import importlib
import os
from typing import Any

import pytest


def require(module: str) -> Any:
    """Import a module; without it the test is skipped, or fails in CI."""
    if os.environ.get("CI"):
        return importlib.import_module(module)
    return pytest.importorskip(module, reason=f"pip install '.[test-all]' for the tests of {module}")
