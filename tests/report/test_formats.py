"""JSON, CSV, Markdown and fragment, and atomic writes of report files."""

import csv
import io
import json
import math
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from drift.errors import InputError
from drift.histogram import Histogram, NumericAxis, Profile
from drift.monitors.comparison import compare_profiles, importance_key
from drift.monitors.spec import Columns
from drift.monitors.verdict import Verdict, worst
from drift.report import RENDERERS, Column, Page, comparison_document, render, render_fragment, save
from drift.report.chart_data import MAX_BARS, bins_drawn
from drift.report.csv import FIELDS
from tests.support.pages import over_time
from tests.support.paths import ROOT


def _stream(table: str) -> io.StringIO:
    return io.StringIO(table, newline="")


@pytest.fixture(scope="module")
def one_result():
    axis = NumericAxis((0, 1, 2))
    live, reference = Histogram(axis, [0, 600, 300, 50, 50]), Histogram(axis, [0, 1000, 900, 0, 100])
    return compare_profiles(
        Profile({"x": live}, 1000), Profile({"x": reference}, 2000), Columns(), np.random.default_rng(0)
    )


def test_comparison_document_has_the_documented_keys(one_result):
    document = comparison_document("js_distance", 2000, 1000, one_result)
    text = json.dumps(document, allow_nan=False)
    assert json.loads(text) == document
    assert set(document) == {"version", "metric", "reference", "live", "columns"}
    column = document["columns"][0]
    assert set(column) == {
        "column", "kind", "verdict", "code", "score", "noise_floor", "p_value", "interval", "threshold", "missing",
        "bins", "message",
    }  # fmt: skip
    assert sum(b["reference"] for b in column["bins"]) == document["reference"]["rows"] == 2000
    assert sum(b["live"] for b in column["bins"]) == document["live"]["rows"] == 1000
    assert math.isclose(sum(b["contribution"] for b in column["bins"]), column["score"], rel_tol=1e-12)
    assert column["missing"] == {"reference": 100 / 2000, "live": 50 / 1000}


def test_columns_are_sorted_by_importance(plain_page, one_result):
    names = [c.name for c in plain_page.columns]
    backwards = replace(plain_page, columns=plain_page.columns[::-1])
    assert [c.name for c in backwards.columns] == names
    page = Page.from_results(one_result, reference=("a", 2000), live=("b", 1000))
    assert [c.name for c in page.columns] == [r.column for r in sorted(one_result, key=importance_key)]


def test_page_has_the_worst_verdict_and_counts_all_columns(hostile_page):
    assert sum(hostile_page.counts.values()) == len(hostile_page.columns)
    assert hostile_page.verdict is worst([c.verdict for c in hostile_page.columns]) is Verdict.DRIFT


def test_creation_time_without_zone_is_refused(plain_page):
    with pytest.raises(InputError) as error:
        replace(plain_page, generated_at=datetime(2026, 1, 1))  # noqa: DTZ001 - the invalid value
    assert error.value.code == "timestamp-invalid"


def test_unknown_column_error_names_known_columns(plain_page):
    with pytest.raises(InputError, match=r"'agee'.* age") as error:
        plain_page.column("agee")
    assert error.value.code == "column-missing"


def test_csv_has_every_column_in_full_precision(plain_page):
    rows = list(csv.DictReader(_stream(render(plain_page, "csv"))))
    assert list(rows[0]) == list(FIELDS)
    assert [row["column"] for row in rows] == [c.name for c in plain_page.columns]
    assert [row["verdict"] for row in rows] == [c.verdict.value for c in plain_page.columns]
    scores = [(float(row["score"]), c.score) for row, c in zip(rows, plain_page.columns, strict=True) if row["score"]]
    assert scores
    assert all(written == score for written, score in scores)
    lost = next(row for row in rows if row["column"] == "lost")
    assert lost["score"] == lost["p_value"] == lost["threshold"] == ""


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r"])
def test_csv_escapes_formulas(plain_page, sign):
    evil = replace(plain_page.columns[0], name=f"{sign}cmd|' /C calc'!A0")
    rows = list(csv.reader(_stream(render(replace(plain_page, columns=(evil,)), "csv"))))
    assert rows[1][0] == f"'{evil.name}"


def test_csv_quotes_line_ends_in_names(plain_page):
    odd = tuple(replace(plain_page.columns[0], name=name) for name in ("a\rb", "a\nb", "a\r\nb", 'a"b', "a,b"))
    page = replace(plain_page, columns=odd)
    rows = list(csv.reader(_stream(render(page, "csv"))))
    assert [row[0] for row in rows[1:]] == [c.name for c in page.columns]


def test_csv_does_not_escape_negative_numbers(plain_page):
    odd = replace(plain_page.columns[0], interval=(-0.5, 0.5))
    row = next(csv.DictReader(_stream(render(replace(plain_page, columns=(odd,)), "csv"))))
    assert float(row["interval_low"]) == -0.5


def test_json_is_strict_and_matches_the_page(monitor_page):
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    document = json.loads(render(monitor_page, "json"), parse_constant=refuse)
    assert document["verdict"] == monitor_page.verdict.value
    assert [c["column"] for c in document["columns"]] == [c.name for c in monitor_page.columns]
    assert len(document["columns"][0]["history"]) == len(monitor_page.timeline)
    assert document["columns"][0]["history"][0]["window_start"] == "2024-01-01T05:00Z"  # midnight in New York
    assert datetime.fromisoformat(document["generated_at"]) == monitor_page.generated_at


def test_json_refuses_nan(plain_page):
    broken = replace(plain_page.columns[0], score=math.nan)
    with pytest.raises(ValueError, match="not JSON compliant"):
        render(replace(plain_page, columns=(broken,)), "json")


def test_markdown_has_one_line_for_each_column(hostile_page):
    lines = render(hostile_page, "md").splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == len(hostile_page.columns) + 2
    assert all(len(line.replace("\\|", "").split("|")) == 9 for line in table)


def test_markdown_escapes_names(plain_page):
    evil = replace(plain_page.columns[0], name="<b>x</b> [a](http://b) | `c` **d** @team WWW.e.f")
    text = render(replace(plain_page, columns=(evil,)), "md")
    for markup in ("<b>", "[a](", "http://", " `c`", " **d**", " @team", "WWW.e"):
        assert markup not in text
    assert r"\<b\>x" in text


def test_fragment_escapes_names_and_has_no_script(hostile_page):
    fragment = render_fragment(hostile_page)
    assert "<script" not in fragment
    assert "<img" not in fragment
    assert "&lt;img src=x onerror=alert(1)&gt;" in fragment


def test_unknown_format_error_names_known_formats(plain_page, tmp_path):
    with pytest.raises(InputError, match=r"'pdf'.* html, json, md, csv") as error:
        render(plain_page, "pdf")
    assert error.value.code == "unknown-format"
    with pytest.raises(InputError, match=r"report\.pdf.*\.html, \.json, \.md, \.csv") as error:
        save(plain_page, tmp_path / "report.pdf")
    assert error.value.code == "unknown-format"


@pytest.mark.parametrize("name", sorted(RENDERERS))
def test_saved_file_equals_rendered_text(plain_page, tmp_path, name):
    path = tmp_path / f"report.{name.upper()}"
    path.write_text("older")
    assert save(plain_page, path) == path
    assert path.read_bytes() == render(plain_page, name).encode()
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_failed_write_leaves_no_file(plain_page, tmp_path):
    folder = tmp_path / "report.csv"
    folder.mkdir()
    for target in (tmp_path / "absent" / "report.csv", folder):
        with pytest.raises(InputError) as error:
            save(plain_page, target)
        assert error.value.code == "file-unwritable"
    assert [p.name for p in tmp_path.iterdir()] == ["report.csv"]


@pytest.mark.parametrize("name", sorted(RENDERERS))
def test_lone_surrogates_are_escaped(plain_page, tmp_path, name):
    odd = replace(plain_page.columns[0], name="lone \ud800 surrogate")
    path = save(replace(plain_page, columns=(odd,)), tmp_path / f"report.{name}")
    assert "\\ud800" in path.read_text(encoding="utf-8")


def test_of_many_bins_moved_and_special_ones_are_drawn(monitor_page):
    column = over_time(columns=4, windows=2, categories=60).columns[0]
    bars = bins_drawn(column)
    assert len(column.bins) == 63
    assert len(bars) == MAX_BARS - 1
    assert bars == sorted(bars)
    assert {60, 61, 62} <= set(bars)  # rare, unseen, missing
    omitted = [b.contribution for i, b in enumerate(column.bins) if i not in bars]
    plain = [b.contribution for i, b in enumerate(column.bins) if i in bars and i < 60]
    assert max(omitted) <= min(plain)
    assert bins_drawn(monitor_page.columns[0]) == list(range(13))


def test_no_chart_library_is_loaded_for_a_table():
    code = (
        "import sys; from drift.report import Page, render; "
        "page = Page.from_results([], reference=('a', 0), live=('b', 0)); "
        "[render(page, f) for f in ('csv', 'json', 'md')]; "
        "assert not {'altair', 'vl_convert', 'sqlalchemy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_page_without_columns_says_so():
    page = Page.from_results([], reference=("a", 0), live=("b", 0), generated_at=datetime(2026, 1, 1, tzinfo=UTC))
    for name in RENDERERS:
        assert render(page, name)
    assert "Nothing was compared" in render(page, "html")


def test_column_has_the_numbers_of_its_result(one_result):
    (result,) = one_result
    column = Column.from_result(result, "north")
    assert (column.score, column.p_value, column.bins) == (result.score, result.p_value, result.bins)
    assert column.label == "x (north)"
    assert column.ratio == result.score / result.threshold.drift
