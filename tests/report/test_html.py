"""The HTML page: markup, escaping, Content-Security-Policy, accessibility, data of charts, size."""

import base64
import hashlib
import itertools
import json
import re
from collections import Counter
from dataclasses import dataclass, replace
from html.parser import HTMLParser

import pytest

from drift.report import render, save
from drift.report.charts import VERDICT_COLOURS, specifications
from drift.report.formatting import NAMES
from drift.report.html import Linked, asset, bundle, render_html
from drift.report.png import column_png
from tests.support.pages import HOSTILE, as_learned, over_time

VOID = {"meta", "link", "br", "img", "input", "hr"}


@dataclass
class Element:
    tag: str
    attributes: dict[str, str | None]
    inside: tuple[str, ...]
    text: str = ""


class Parsed(HTMLParser):
    """Collects every element with its attributes and text; end tags must match start tags."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self.open: list[Element] = []
        self.feed(page)
        self.close()
        assert not self.open, [e.tag for e in self.open]

    def handle_starttag(self, tag, attrs):
        element = Element(tag, dict(attrs), tuple(e.tag for e in self.open))
        assert len(element.attributes) == len(attrs), f"duplicate attribute in <{tag}>"
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag):
        assert self.open[-1].tag == tag, f"</{tag}> ends <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data):
        for element in self.open:
            element.text += data

    def all(self, tag: str) -> list[Element]:
        return [e for e in self.elements if e.tag == tag]


@pytest.fixture(scope="module")
def hostile(hostile_page) -> Parsed:
    return Parsed(render(hostile_page))


@pytest.fixture(scope="module")
def monitor(monitor_page) -> Parsed:
    return Parsed(render(monitor_page))


def test_names_never_become_markup(hostile, plain_page):
    plain = Parsed(render(plain_page))
    assert {e.tag for e in hostile.elements} <= {e.tag for e in plain.elements} | {"ul", "li"}
    assert not hostile.all("img")
    kinds = Counter(s.attributes.get("type") for s in hostile.all("script"))
    assert kinds[None] == 2  # the chart library and report.js
    for name in HOSTILE:
        assert any(e.text == name for e in hostile.all("bdi")), name


def test_names_reach_the_charts_unchanged(hostile):
    blocks = [json.loads(s.text) for s in hostile.all("script") if s.attributes.get("type") == "application/json"]
    labels = {label for block in blocks for label in block.get("bins", {}).get("labels", ())}
    assert "</script><b>bold</b>" in labels
    assert "{{ 7 * 7 }}" in labels


def test_script_blocks_cannot_be_closed_early(hostile_page):
    page = render(hostile_page)
    for block in re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', page, re.DOTALL):
        assert "<" not in block
        json.loads(block)


def test_own_scripts_can_be_inlined():
    for text in (bundle(), asset("report.js"), asset("report.css")):
        assert not re.search(r"</(script|style)|<!--|\r", text, re.IGNORECASE)


@pytest.mark.parametrize("page", ["hostile", "monitor"])
def test_no_handler_and_no_style_is_inline(page, request):
    for element in request.getfixturevalue(page).elements:
        assert "style" not in element.attributes
        assert not [name for name in element.attributes if name.startswith("on")]


@pytest.mark.parametrize("page", ["hostile", "monitor"])
def test_nothing_is_fetched(page, request):
    for element in request.getfixturevalue(page).elements:
        for name in ("src", "srcset", "action", "data", "poster"):
            assert name not in element.attributes
        assert element.attributes.get("href", "#").startswith("#")
    assert "url(" not in asset("report.css")
    assert "@import" not in asset("report.css")


def test_policy_allows_only_own_scripts_and_style_by_hash(monitor):
    policy = next(m for m in monitor.all("meta") if m.attributes.get("http-equiv") == "Content-Security-Policy")
    rules = dict(rule.split(" ", 1) for rule in policy.attributes["content"].split("; "))
    scripts = [s for s in monitor.all("script") if "type" not in s.attributes]
    assert rules["default-src"] == "'none'"
    assert rules["script-src"].split() == [_hash(s.text) for s in scripts]
    assert rules["style-src"].split() == [_hash(s.text) for s in monitor.all("style")]
    assert set(rules) == {"default-src", "script-src", "style-src", "img-src", "base-uri"}


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_served_page_links_its_parts(monitor_page):
    parsed = Parsed(render_html(monitor_page, Linked(style="/a.css", charts="/c.js", script="/r.js")))
    assert [s.attributes["src"] for s in parsed.all("script") if "src" in s.attributes] == ["/c.js", "/r.js"]
    assert [e.attributes["href"] for e in parsed.all("link")] == ["/a.css"]
    assert not parsed.all("style")
    assert all(s.attributes.get("type") == "application/json" or "src" in s.attributes for s in parsed.all("script"))


@pytest.mark.parametrize("page", ["hostile", "monitor"])
def test_every_chart_has_a_label_and_a_table(page, request):
    parsed = request.getfixturevalue(page)
    charts = [e for e in parsed.elements if "chart" in (e.attributes.get("class") or "").split()]
    assert charts
    for chart in charts:
        assert chart.attributes["role"] == "img"
        assert len(chart.attributes["aria-label"]) > 40
    tables = [e for e in parsed.all("details") if "numbers" in e.attributes["class"]]
    assert len(tables) == len(charts)


@pytest.mark.parametrize("page", ["hostile", "monitor"])
def test_table_headers_have_a_scope(page, request):
    heads = request.getfixturevalue(page).all("th")
    assert heads
    for head in heads:
        assert head.attributes["scope"] == ("col" if "thead" in head.inside else "row")


@pytest.mark.parametrize("page", ["hostile", "monitor"])
def test_headings_step_down_one_at_a_time(page, request):
    levels = [int(e.tag[1]) for e in request.getfixturevalue(page).elements if re.fullmatch("h[1-6]", e.tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


@pytest.mark.parametrize("page", ["hostile", "monitor"])
def test_ids_are_unique_and_links_have_targets(page, request):
    parsed = request.getfixturevalue(page)
    ids = [e.attributes["id"] for e in parsed.elements if "id" in e.attributes]
    assert len(ids) == len(set(ids))
    assert {e.attributes["href"][1:] for e in parsed.all("a")} <= set(ids)
    named = [e.attributes["aria-labelledby"] for e in parsed.elements if "aria-labelledby" in e.attributes]
    assert set(named) <= set(ids)


def test_each_verdict_is_named_beside_its_colour(hostile, hostile_page):
    names = [
        e.text.split(" ", 1)[1] for e in hostile.all("span") if "verdict" in (e.attributes.get("class") or "").split()
    ]
    counted = Counter(NAMES[c.verdict] for c in hostile_page.columns)
    for name, n in counted.items():
        assert names.count(name) == 2 * n + 1  # in the table, in the details, and once at the top


def test_the_table_lists_every_column_in_order(monitor, monitor_page):
    links = [a.text for a in monitor.all("a") if "table" in a.inside]
    assert links == [c.name for c in monitor_page.columns]


def test_histories_align_with_the_timeline(monitor, monitor_page):
    blocks = [json.loads(s.text) for s in monitor.all("script") if s.attributes.get("type") == "application/json"]
    timeline = next(b for b in blocks if "windows" in b)
    histories = [b["history"] for b in blocks if "verdict" in b.get("history", ())]
    assert len(timeline["windows"]) == len(monitor_page.timeline)
    assert len(histories) == len(monitor_page.columns)
    for history, column in zip(histories, monitor_page.columns, strict=True):
        assert [timeline["verdicts"][int(v)][0] for v in history["verdict"]] == [
            p.verdict.value for p in column.history
        ]
        assert history["score"] == [pytest.approx(p.score, rel=5e-3) for p in column.history]


def test_local_weeks_start_at_midnight_on_the_time_axis(monitor):
    blocks = [json.loads(s.text) for s in monitor.all("script") if s.attributes.get("type") == "application/json"]
    (timeline,) = [b for b in blocks if "windows" in b]
    day = 24 * 3600 * 1000
    assert all(start % day == 0 and end - start == 7 * day for start, end, _ in timeline["windows"])


def test_200_columns_over_100_windows_stay_under_2_mb(tmp_path):
    assert save(over_time(columns=200, windows=100), tmp_path / "report.html").stat().st_size < 2_000_000


def test_200_categorical_columns_stay_under_2_mb(tmp_path):
    page = over_time(columns=200, windows=100, categories=50)
    assert save(page, tmp_path / "report.html").stat().st_size < 2_000_000
    learned = replace(page, columns=tuple(as_learned(c) for c in page.columns), budget="1 per 90d")
    assert save(learned, tmp_path / "report.html").stat().st_size < 2_000_000


def test_specifications_contain_no_data_and_no_url():
    for spec in specifications().values():
        text = json.dumps(spec)
        assert "values" not in text
        assert "http" not in text


def test_each_chart_colour_is_a_css_variable():
    style = asset("report.css")
    light, dark = style.split("@media (prefers-color-scheme: dark)")[:2]
    for name in VERDICT_COLOURS:
        assert f"--{name}:" in light
        assert f"--{name}:" in dark.split("* {")[0]


def _luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.1."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_contrast_reaches_wcag_aa(theme):
    block = re.findall(r":root[^{]*\{([^}]*)\}", asset("report.css"))[theme]
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))
    for ink, paper in [
        ("ink", "paper"), ("ink", "card"), ("soft", "paper"), ("soft", "card"), ("link", "paper"), ("drift", "card"),
        ("drift", "drift-wash"), ("warn", "warn-wash"), ("ok", "ok-wash"), ("soft", "soft-wash"),
    ]:  # fmt: skip
        high, low = sorted((_luminance(colours[ink]), _luminance(colours[paper])), reverse=True)
        assert (high + 0.05) / (low + 0.05) >= 4.5, (ink, paper)


def test_column_png_has_the_promised_size(hostile_page):
    png = column_png(hostile_page, HOSTILE[0])
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    assert 1280 <= int.from_bytes(png[16:20], "big") <= 1340  # 640 points at two pixels, plus padding
    assert len(png) < 200_000
