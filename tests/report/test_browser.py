"""The page in Chromium: no network access, no console messages, charts, tables, themes, print."""

from dataclasses import replace

import pytest

from drift.monitors.verdict import Verdict
from drift.report import Page
from tests.support.pages import HOSTILE, as_learned, over_time

pytestmark = pytest.mark.browser

CHART = ".column[open] .chart[data-chart={kind}] svg"


def wait_for_charts(tab, kind: str, count: int) -> None:
    tab.wait_for_function(
        "([css, n]) => document.querySelectorAll(css).length >= n", arg=[CHART.format(kind=kind), count], timeout=20_000
    )


def scroll_through(tab) -> None:
    """Scroll to the end, also if the page grows on the way."""
    top = 0
    while top < tab.evaluate("document.documentElement.scrollHeight"):
        tab.evaluate("(top) => scrollTo(0, top)", top)
        tab.wait_for_timeout(50)
        top += 600


def scroll_to_worst_column(tab) -> None:
    tab.evaluate("document.getElementById('c0').scrollIntoView()")
    tab.wait_for_selector("#c0 .chart[data-chart=bins] svg")


def assert_quiet(tab) -> None:
    assert tab.messages == []
    assert [url for url in tab.requests if not url.startswith("file:")] == []
    assert len(tab.requests) == 1


def test_charts_have_a_bar_for_each_bin_and_side(open_page, monitor_page):
    tab = open_page(monitor_page)
    scroll_through(tab)
    drifted = monitor_page.counts[Verdict.DRIFT]
    wait_for_charts(tab, "bins", drifted)
    wait_for_charts(tab, "history", drifted)
    bars = tab.locator("#c0 .chart[data-chart=bins] svg .mark-rect path")
    shown = [b for b in monitor_page.columns[0].bins if b.label.startswith("[") or b.reference or b.live]
    assert bars.count() >= 2 * len(shown)
    widths = bars.evaluate_all("bars => bars.map(bar => bar.getBoundingClientRect().width)")
    assert sum(width > 5 for width in widths) >= len(shown)
    points = tab.locator("#c0 .chart[data-chart=history] svg .mark-symbol path")
    assert points.count() == len(monitor_page.timeline)
    cells = tab.locator("#heatmap svg .mark-rect path")
    assert cells.count() == len(monitor_page.timeline) * len(monitor_page.columns)
    assert_quiet(tab)


def test_a_column_opens_by_its_link_and_draws_its_chart(open_page, monitor_page):
    tab = open_page(monitor_page)
    last = len(monitor_page.columns) - 1
    assert not tab.evaluate(f"document.getElementById('c{last}').open")
    tab.locator(f".overview a[href='#c{last}']").press("Enter")
    tab.wait_for_selector(f"#c{last}[open] .chart[data-chart=bins] svg")
    assert tab.evaluate("document.activeElement.tagName") == "SUMMARY"
    assert_quiet(tab)


def test_the_table_behind_a_chart_holds_the_counts(open_page, monitor_page):
    tab = open_page(monitor_page)
    tab.locator("#c0 .numbers[data-table=bins] > summary").press("Enter")
    tab.wait_for_selector("#c0 .numbers[data-table=bins] tbody tr")
    lines = tab.locator("#c0 .numbers[data-table=bins] tbody tr").all()
    assert len(lines) == len(monitor_page.columns[0].bins)
    for line, bar in zip(lines, monitor_page.columns[0].bins, strict=True):
        cells = line.locator("th, td").all_text_contents()
        assert [cells[0], cells[1], cells[3]] == [bar.label, f"{bar.reference:,}", f"{bar.live:,}"]
        assert line.locator("th").get_attribute("scope") == "row"
    assert_quiet(tab)


def test_the_table_behind_the_heat_map_counts_the_drifts(open_page, monitor_page):
    tab = open_page(monitor_page)
    tab.locator("#heatmap-numbers > summary").click()
    tab.wait_for_selector("#heatmap-numbers tbody tr")
    lines = tab.locator("#heatmap-numbers tbody tr").all()
    cells = [line.locator("th, td").all_text_contents()[:3] for line in lines]
    assert cells == [
        [c.name, str(len(c.history)), str(sum(p.verdict is Verdict.DRIFT for p in c.history))]
        for c in monitor_page.columns
    ]


def test_hostile_names_do_nothing_in_a_browser(open_page, hostile_page):
    tab = open_page(hostile_page)
    tab.on("dialog", lambda dialog: tab.messages.append(dialog.message))
    tab.get_by_role("button", name="Open all").click()
    scroll_through(tab)
    wait_for_charts(tab, "bins", len(HOSTILE))
    for summary in tab.locator(".column .numbers > summary").all():
        summary.click()
    assert tab.locator("img").count() == 0
    assert tab.locator("main b").count() == 0
    labels = tab.locator(".chart[data-chart=bins] svg text").all_text_contents()
    assert "</script><b>bold</b>" in labels
    tab.locator(".chart[data-chart=bins] svg .mark-rect path").first.hover()
    tab.wait_for_selector("#vg-tooltip-element.visible")
    assert tab.locator("#vg-tooltip-element b, #vg-tooltip-element img").count() == 0
    assert_quiet(tab)


def test_foreign_scripts_are_blocked(open_page, plain_page):
    tab = open_page(plain_page)
    tab.evaluate("() => { const s = document.createElement('script'); s.textContent = 'window.owned = 1'; "
                 "document.body.append(s); }")  # fmt: skip
    assert tab.evaluate("window.owned") is None
    assert any("Content Security Policy" in message for message in tab.messages)


def test_network_requests_are_blocked(open_page, plain_page):
    tab = open_page(plain_page)
    answer = tab.evaluate("() => fetch('http://127.0.0.1:9/').then(() => 'sent', () => 'refused')")
    assert answer == "refused"
    assert any("Content Security Policy" in message for message in tab.messages)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_follows_the_theme(open_page, monitor_page, scheme):
    tab = open_page(monitor_page, scheme=scheme)
    scroll_to_worst_column(tab)
    paper, ink = tab.evaluate("[getComputedStyle(document.documentElement).backgroundColor,"
                              " getComputedStyle(document.body).color]")  # fmt: skip
    labels = tab.locator("#c0 .role-axis-label text").evaluate_all(
        "all => all.map(text => getComputedStyle(text).fill)"
    )
    assert ink in labels
    bright = {"light": paper, "dark": ink}[scheme]
    dull = {"light": ink, "dark": paper}[scheme]
    assert min(_channels(bright)) > 200
    assert max(_channels(dull)) < 60
    assert_quiet(tab)


def _channels(colour: str) -> list[int]:
    return [int(n) for n in colour.removeprefix("rgb(").removesuffix(")").split(",")]


def test_charts_turn_dark_without_being_drawn_again(open_page, monitor_page):
    tab = open_page(monitor_page)
    scroll_to_worst_column(tab)
    fill = "getComputedStyle(document.querySelector('#c0 .role-axis-label text')).fill"
    before = tab.evaluate(fill)
    tab.emulate_media(color_scheme="dark")
    assert tab.evaluate(fill) != before


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_nothing_overflows_horizontally(open_page, hostile_page, width):
    tab = open_page(hostile_page, width=width)
    tab.get_by_role("button", name="Open all").click()
    scroll_through(tab)
    wait_for_charts(tab, "bins", len(HOSTILE))
    assert tab.evaluate("document.documentElement.scrollWidth") <= width


def test_charts_follow_the_width_of_the_window(open_page, monitor_page):
    tab = open_page(monitor_page)
    scroll_to_worst_column(tab)
    tab.set_viewport_size({"width": 500, "height": 900})
    tab.wait_for_function(
        "() => { const svg = document.querySelector('#c0 .chart[data-chart=bins] svg');"
        " return Math.abs(svg.getBoundingClientRect().width - svg.parentElement.clientWidth) < 12; }"
    )
    assert_quiet(tab)


def test_text_and_names_are_not_cut_off(open_page, monitor_page):
    for width in (390, 1280):
        tab = open_page(monitor_page, width=width)
        scroll_to_worst_column(tab)
        outside = tab.evaluate(
            "() => { const svg = document.querySelector('#c0 .chart[data-chart=bins] svg');"
            " const box = svg.getBoundingClientRect();"
            " return [...svg.querySelectorAll('text')].filter(text => text.textContent.trim()).map("
            "text => [text.textContent, text.getBoundingClientRect()]).filter(([_, b]) =>"
            " b.left < box.left - 1 || b.right > box.right + 1).map(([text]) => text); }"
        )
        assert outside == []


def test_printing_draws_open_columns_that_were_never_visible(open_page, monitor_page):
    tab = open_page(monitor_page, scheme="dark", height=300)
    assert tab.locator(CHART.format(kind="bins")).count() < monitor_page.counts[Verdict.DRIFT]
    pdf = tab.pdf(format="A4")
    assert pdf[:5] == b"%PDF-"
    assert tab.locator(CHART.format(kind="bins")).count() == monitor_page.counts[Verdict.DRIFT]
    scroll_through(tab)
    tab.wait_for_timeout(300)
    assert len(tab.pdf(format="A4")) == pytest.approx(len(pdf), rel=0.01)  # nothing was missing the first time
    assert_quiet(tab)


def test_many_columns_are_shown_on_request(open_page):
    page = over_time(columns=45, windows=3)
    tab = open_page(page)
    tab.wait_for_selector("#heatmap svg")
    cells = tab.locator("#heatmap svg .mark-rect path")
    assert cells.count() == 30 * 3
    tab.get_by_role("button", name="Show all 45 columns").click()
    tab.wait_for_function(
        "n => document.querySelectorAll('#heatmap svg .mark-rect path').length === n", arg=45 * 3, timeout=20_000
    )
    assert_quiet(tab)


def test_learned_limits_have_no_threshold_line(open_page, monitor_page):
    page = replace(monitor_page, columns=tuple(as_learned(c) for c in monitor_page.columns), budget="1 per 90d")
    tab = open_page(page)
    scroll_to_worst_column(tab)
    tab.wait_for_selector("#c0 .chart[data-chart=history] svg")
    legend = tab.locator("#c0 .pair > div:nth-child(2) .legend").inner_text()
    assert "threshold" not in legend
    assert "smallest detectable score" in legend
    dashes = tab.locator("#c0 .chart[data-chart=history] svg .mark-line path").evaluate_all(
        "lines => lines.map(line => line.getAttribute('stroke-dasharray'))"
    )
    assert sorted(dashes, key=str) == ["2,3", None]
    tab.locator("#c0 .numbers[data-table=history] > summary").click()
    tab.wait_for_selector("#c0 .numbers[data-table=history] tbody tr")
    cells = tab.locator("#c0 .numbers[data-table=history] tbody tr").first.locator("td").all_text_contents()
    assert float(cells[-1]) == pytest.approx(page.columns[0].history[-1].ratio, abs=0.006)
    assert_quiet(tab)


def test_detectable_score_within_noise_is_not_drawn(open_page, monitor_page):
    column = as_learned(monitor_page.columns[0])
    low = replace(column, history=tuple(replace(p, detectable=1e-6) for p in column.history))
    tab = open_page(replace(monitor_page, columns=(low, *monitor_page.columns[1:])))
    scroll_to_worst_column(tab)
    tab.wait_for_selector("#c0 .chart[data-chart=history] svg")
    assert tab.locator("#c0 .chart[data-chart=history] svg .mark-line path").count() == 1
    assert_quiet(tab)


def test_windows_that_lack_a_column_stay_blank(open_page, monitor_page):
    first = monitor_page.columns[0]
    gap = replace(first, history=first.history[:10] + first.history[20:])
    page = replace(monitor_page, columns=(gap, *monitor_page.columns[1:]))
    tab = open_page(page)
    tab.wait_for_selector("#heatmap svg")
    cells = len(page.timeline) * len(page.columns) - 10
    assert tab.locator("#heatmap svg .mark-rect path").count() == cells
    scroll_through(tab)
    wait_for_charts(tab, "history", 1)
    assert tab.locator("#c0 .chart[data-chart=history] svg .mark-symbol path").count() == len(page.timeline) - 10
    assert_quiet(tab)


def test_verdicts_are_readable_without_javascript(open_page, plain_page):
    tab = open_page(plain_page, scripts=False)
    assert tab.locator(".overview tbody tr").count() == len(plain_page.columns)
    assert tab.get_by_text("need JavaScript, which is disabled").is_visible()
    assert tab.get_by_role("button", name="Open all").count() == 0


def test_page_without_columns_is_no_error(open_page):
    assert_quiet(open_page(Page.from_results([], reference=("a", 0), live=("b", 0))))


def test_the_keyboard_reaches_everything(open_page, plain_page):
    tab = open_page(plain_page)
    reached = set()
    for _ in range(60):
        tab.keyboard.press("Tab")
        reached.add(tab.evaluate("document.activeElement.outerHTML.slice(0, 60)"))
    summaries = tab.evaluate(
        "[...document.querySelectorAll('.column > summary, .column[open] .numbers > summary, a, button:not([hidden])')]"
        ".map(e => e.outerHTML.slice(0, 60))"
    )
    assert summaries
    assert set(summaries) <= reached
