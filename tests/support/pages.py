"""Report pages, built from counts by real scoring, and a fixture that opens them in a browser."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from drift.histogram import CategoricalAxis, Fault, Histogram, NumericAxis, Profile, Uncounted
from drift.monitors.comparison import ColumnResult, compare_profiles
from drift.monitors.spec import Columns
from drift.monitors.window import Period, Window
from drift.report import Column, Page, Point, Side

HOSTILE = (
    "</script><b>bold</b>",
    "<img src=x onerror=alert(1)>",
    "\"quoted\" & 'single'",
    "snow ☃ and 🧊",
    "two\nlines",
    "{{ 7 * 7 }}",
    "<!--<script>",
    "\u202eright to left",
)
NEW_YORK = ZoneInfo("America/New_York")


def compare_counts(counts: dict[str, tuple[Any, list[int], list[int]]], seed: int = 1) -> tuple[ColumnResult, ...]:
    """Score columns given as (axis, reference counts, live counts)."""
    reference = Profile(
        {n: Histogram(axis, r) for n, (axis, r, _) in counts.items()}, sum(next(iter(counts.values()))[1])
    )
    live = Profile({n: Histogram(axis, v) for n, (axis, _, v) in counts.items()}, sum(next(iter(counts.values()))[2]))
    return compare_profiles(live, reference, Columns(), np.random.default_rng(seed))


def draw_counts(rng: np.random.Generator, shares: np.ndarray, rows: int) -> list[int]:
    return rng.multinomial(rows, shares / shares.sum()).tolist()


def ad_hoc(names: tuple[str, ...], categories: tuple[str, ...], rows: int = 4000) -> Page:
    """Page of alternating numeric and categorical columns; every third moved; column `lost` has no live data."""
    rng = np.random.default_rng(11)
    numbers = NumericAxis(tuple(float(e) for e in range(0, 110, 10)))
    texts = CategoricalAxis(categories)
    counts = {}
    for i, name in enumerate(names):
        axis = texts if i % 2 else numbers
        k = axis.n_bins
        reference = np.ones(k)
        reference[-3 if i % 2 else 0] = 0
        live = reference * np.linspace(0.4, 1.6, k) if i % 3 == 0 else reference
        live[-1] = 0.3
        counts[name] = (axis, draw_counts(rng, reference, 3 * rows), draw_counts(rng, live, rows))
    results = compare_counts(counts)
    uncounted = Uncounted(Fault.SCHEMA_ERROR, "column 'lost' is not in the live data")
    lost = compare_profiles(
        Profile({}, rows, {"lost": uncounted}),
        Profile({"lost": Histogram(NumericAxis((0, 1)), [0, 3 * rows, 0, 0])}, 3 * rows),
        Columns(),
        rng,
    )
    return Page.from_results(
        (*results, *lost),
        reference=("train.parquet", 3 * rows),
        live=("today.parquet", rows),
        generated_at=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
        notes=("two columns differ by case only",),
    )


def over_time(columns: int, windows: int, categories: int = 0, rows: int = 2000) -> Page:
    """Page of a monitor with weekly windows in New York; the first quarter of its columns drifts gradually."""
    rng = np.random.default_rng(5)
    labels = tuple(f"category {i:02d}" for i in range(categories))
    axis = CategoricalAxis(labels) if labels else NumericAxis(tuple(float(e) for e in range(0, 110, 10)))
    k = axis.n_bins
    shares = np.ones(k)
    shares[-3:-1] = 0.02
    timeline: list[Window] = []
    window = Period.parse("1w").window_at(datetime(2024, 1, 3, tzinfo=UTC), NEW_YORK)
    for _ in range(windows):
        timeline.append(window)
        window = Period.parse("1w").window_at(window.end, NEW_YORK)
    names = [f"column_{i:03d}" for i in range(columns)]
    reference = {name: draw_counts(rng, shares, 5 * rows) for name in names}
    history: dict[str, list[Point]] = {name: [] for name in names}
    results: tuple[ColumnResult, ...] = ()
    every = max(1, windows // (10 if columns <= 50 else 3))  # scoring every window of 200 columns would take long
    for w, week in enumerate(timeline):
        if w % every == 0 or w == windows - 1:
            moved = {n: shares * np.linspace(1 - w / windows, 1 + w / windows, k) for n in names[: columns // 4]}
            counts = {n: (axis, reference[n], draw_counts(rng, moved.get(n, shares), rows)) for n in names}
            results = compare_counts(counts, seed=w)
        for r in results:
            limit = r.threshold.drift if r.threshold else None
            history[r.column].append(Point(week.start, week.end, r.score, r.noise_floor, limit, r.verdict, r.ratio))
    return Page(
        title="bikes",
        subtitle="a monitor",
        generated_at=datetime(2026, 1, 2, tzinfo=UTC),
        metric="js_distance",
        reference=Side("2023", 5 * rows),
        live=Side("the newest week", rows),
        columns=tuple(Column.from_result(r, history=history[r.column]) for r in results),
        timeline=tuple(timeline),
        window=timeline[-1],
        timezone=NEW_YORK,
        alerts=({"column": names[0], "segment": "", "rule": "drift", "since": "2025-01-01T05:00Z", "reason": "drift"},),
    )


def as_learned(column: Column, windows: int = 60, level: float = 1e-4) -> Column:
    """Return the column as if its limits were learned from reference windows."""
    history = tuple(replace(p, threshold=None, level=level, detectable=0.5) for p in column.history)
    day = timedelta(days=1)
    return replace(column, threshold=None, level=level, reference_windows=windows, window=day, history=history)


@pytest.fixture(scope="session")
def hostile_page() -> Page:
    page = ad_hoc(HOSTILE, HOSTILE)
    first = next(c for c in page.columns if c.name == HOSTILE[0])
    return replace(page, title=HOSTILE[0], columns=(*page.columns, replace(first, segment=HOSTILE[1])), notes=HOSTILE)


@pytest.fixture(scope="session")
def plain_page() -> Page:
    return ad_hoc(("age", "country", "income"), ("FR", "DE", "IT", "AT"))


@pytest.fixture(scope="session")
def monitor_page() -> Page:
    return over_time(columns=8, windows=30)


Opener = Callable[..., Any]


@pytest.fixture
def open_page(browser: Any, tmp_path: Path) -> Iterator[Opener]:
    """Open a report from a file; block all other requests; record requests and console messages."""
    contexts = []

    def open_in_browser(
        page: Page, *, scheme: str = "light", width: int = 1280, height: int = 1000, scripts: bool = True
    ) -> Any:
        from drift.report import save

        path = save(page, tmp_path / "report.html")
        context = browser.new_context(
            color_scheme=scheme, viewport={"width": width, "height": height}, java_script_enabled=scripts
        )
        contexts.append(context)
        tab = context.new_page()
        tab.messages = []
        tab.requests = []
        tab.on("console", lambda message: tab.messages.append(f"{message.type}: {message.text}"))
        tab.on("pageerror", lambda error: tab.messages.append(str(error)))
        tab.on("request", lambda request: tab.requests.append(request.url))
        context.route(lambda url: not url.startswith("file:"), lambda route: route.abort())
        tab.goto(path.as_uri())
        return tab

    yield open_in_browser
    for context in contexts:
        context.close()
