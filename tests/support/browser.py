"""A real browser for the tests of pages: one a process, since Playwright allows no second."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = Path("/usr/bin/chromium")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    if not CHROMIUM.exists():
        if os.environ.get("CI"):
            pytest.fail(f"CI runs the browser tests, and there is no {CHROMIUM}")
        pytest.skip(f"no {CHROMIUM}: what a browser makes of the page is not tested")
    from playwright.sync_api import sync_playwright

    quiet = "--disable-gpu --no-first-run --disable-background-networking --disable-component-update --disable-sync"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--headless", "--no-sandbox", *quiet.split()]
        )
        yield chromium
        chromium.close()
