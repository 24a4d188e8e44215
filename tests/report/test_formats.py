"""What the other formats hold, and that files are written whole."""

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
from drift.report import FORMATS, Column, Page, comparison_document, render, render_fragment, save
from drift.report.chart_data import MAX_BARS, drawn
from drift.report.csv import FIELDS
from tests.support.paths import ROOT


def _text(table: str) -> io.StringIO:
    return io.StringIO(table, newline="")


@pytest.fixture(scope="module")
def one_result():
    axis = NumericAxis((0, 1, 2))
    live, reference = Histogram(axis, [0, 600, 300, 50, 50]), Histogram(axis, [0, 1000, 900, 0, 100])
    return compare_profiles(
        Profile({"x": live}, 1000), Profile({"x": reference}, 2000), Columns(), np.random.default_rng(0)
    )


def test_the_comparison_document_keeps_the_contract(one_result):
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


def test_columns_stand_in_the_order_of_importance(plain_page, one_result):
    names = [c.name for c in plain_page.columns]
    backwards = replace(plain_page, columns=plain_page.columns[::-1])
    assert [c.name for c in backwards.columns] == names
    page = Page.from_results(one_result, reference=("a", 2000), live=("b", 1000))
    assert [c.name for c in page.columns] == [r.column for r in sorted(one_result, key=importance_key)]


def test_counts_add_up_to_the_columns_and_the_page_is_as_bad_as_its_worst(hostile_page):
    assert sum(hostile_page.counts.values()) == len(hostile_page.columns)
    assert hostile_page.verdict is worst([c.verdict for c in hostile_page.columns]) is Verdict.DRIFT


def test_a_report_without_a_time_zone_is_refused(plain_page):
    with pytest.raises(InputError, match="time zone"):
        replace(plain_page, generated_at=datetime(2026, 1, 1))  # noqa: DTZ001 - what is refused


def test_asking_for_a_column_that_is_not_there_names_those_that_are(plain_page):
    with pytest.raises(InputError, match=r"no column 'agee'.*age"):
        plain_page.column("agee")


def test_csv_holds_every_column_in_full(plain_page):
    rows = list(csv.DictReader(_text(render(plain_page, "csv"))))
    assert list(rows[0]) == list(FIELDS)
    assert [row["column"] for row in rows] == [c.name for c in plain_page.columns]
    assert [row["verdict"] for row in rows] == [c.verdict.value for c in plain_page.columns]
    told = [(float(row["score"]), c.score) for row, c in zip(rows, plain_page.columns, strict=True) if row["score"]]
    assert told
    assert all(written == score for written, score in told)
    gone = next(row for row in rows if row["column"] == "gone")
    assert gone["score"] == gone["p_value"] == gone["threshold"] == ""


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r"])
def test_csv_gives_a_spreadsheet_no_formula_to_run(plain_page, sign):
    evil = replace(plain_page.columns[0], name=f"{sign}cmd|' /C calc'!A0")
    rows = list(csv.reader(_text(render(replace(plain_page, columns=(evil,)), "csv"))))
    assert rows[1][0] == f"'{evil.name}"


def test_csv_survives_line_ends_in_names(plain_page):
    odd = tuple(replace(plain_page.columns[0], name=name) for name in ("a\rb", "a\nb", "a\r\nb", 'a"b', "a,b"))
    page = replace(plain_page, columns=odd)
    rows = list(csv.reader(_text(render(page, "csv"))))
    assert [row[0] for row in rows[1:]] == [c.name for c in page.columns]


def test_csv_leaves_numbers_below_zero_alone(plain_page):
    odd = replace(plain_page.columns[0], interval=(-0.5, 0.5))
    row = next(csv.DictReader(_text(render(replace(plain_page, columns=(odd,)), "csv"))))
    assert float(row["interval_low"]) == -0.5


def test_json_is_strict_and_says_what_the_page_says(monitor_page):
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    document = json.loads(render(monitor_page, "json"), parse_constant=refuse)
    assert document["verdict"] == monitor_page.verdict.value
    assert [c["column"] for c in document["columns"]] == [c.name for c in monitor_page.columns]
    assert len(document["columns"][0]["history"]) == len(monitor_page.timeline)
    assert document["columns"][0]["history"][0]["window_start"] == "2024-01-01T05:00Z"  # midnight in New York
    assert datetime.fromisoformat(document["generated_at"]) == monitor_page.generated_at


def test_json_refuses_what_is_not_a_number(plain_page):
    broken = replace(plain_page.columns[0], score=math.nan)
    with pytest.raises(ValueError, match="not JSON compliant"):
        render(replace(plain_page, columns=(broken,)), "json")


def test_markdown_keeps_one_line_for_each_column_whatever_its_name(hostile_page):
    lines = render(hostile_page, "md").splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == len(hostile_page.columns) + 2
    assert all(len(line.replace("\\|", "").split("|")) == 9 for line in table)


def test_markdown_takes_names_for_text(plain_page):
    evil = replace(plain_page.columns[0], name="<b>x</b> [a](http://b) | `c` **d** @team WWW.e.f")
    text = render(replace(plain_page, columns=(evil,)), "md")
    for markup in ("<b>", "[a](", "http://", " `c`", " **d**", " @team", "WWW.e"):
        assert markup not in text
    assert r"\<b\>x" in text


def test_the_fragment_holds_names_as_text_and_no_script(hostile_page):
    fragment = render_fragment(hostile_page)
    assert "<script" not in fragment
    assert "<img" not in fragment
    assert "&lt;img src=x onerror=alert(1)&gt;" in fragment


def test_an_unknown_format_names_those_there_are(plain_page, tmp_path):
    with pytest.raises(InputError, match="'pdf'; known are html, json, md, csv"):
        render(plain_page, "pdf")
    with pytest.raises(InputError, match=r"report\.pdf.*\.html, \.json, \.md, \.csv"):
        save(plain_page, tmp_path / "report.pdf")


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_a_file_holds_exactly_what_is_rendered(plain_page, tmp_path, name):
    path = tmp_path / f"report.{name.upper()}"
    path.write_text("older")
    assert save(plain_page, path) == path
    assert path.read_bytes() == render(plain_page, name).encode()
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_what_cannot_be_written_leaves_nothing_behind(plain_page, tmp_path):
    with pytest.raises(InputError, match="cannot write the report"):
        save(plain_page, tmp_path / "absent" / "report.csv")
    folder = tmp_path / "report.csv"
    folder.mkdir()
    with pytest.raises(InputError, match="cannot write the report"):
        save(plain_page, folder)
    assert [p.name for p in tmp_path.iterdir()] == ["report.csv"]


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_half_a_character_in_a_name_is_spelled_out(plain_page, tmp_path, name):
    odd = replace(plain_page.columns[0], name="lone \ud800 surrogate")
    path = save(replace(plain_page, columns=(odd,)), tmp_path / f"report.{name}")
    assert "\\ud800" in path.read_text(encoding="utf-8")


def test_many_bins_are_drawn_by_what_moved_and_all_special_ones_stay(monitor_page):
    from tests.support.pages import over_time

    column = over_time(columns=4, windows=2, categories=60).columns[0]
    bars = drawn(column)
    assert len(column.bins) == 63
    assert len(bars) == MAX_BARS - 1
    assert bars == sorted(bars)
    assert {60, 61, 62} <= set(bars)  # rare, unseen, missing
    left = [b.contribution for i, b in enumerate(column.bins) if i not in bars]
    kept = [b.contribution for i, b in enumerate(column.bins) if i in bars and i < 60]
    assert max(left) <= min(kept)
    assert drawn(monitor_page.columns[0]) == list(range(13))


def test_no_chart_library_is_loaded_for_a_table():
    code = (
        "import sys; from drift.report import Page, render; "
        "page = Page.from_results([], reference=('a', 0), live=('b', 0)); "
        "[render(page, f) for f in ('csv', 'json', 'md')]; "
        "assert not {'altair', 'vl_convert', 'sqlalchemy'} & set(sys.modules)"
    )
    root = ROOT
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root)


def test_a_page_of_no_columns_says_so():
    page = Page.from_results([], reference=("a", 0), live=("b", 0), generated_at=datetime(2026, 1, 1, tzinfo=UTC))
    for name in FORMATS:
        assert render(page, name)
    assert "Nothing was compared" in render(page, "html")


def test_a_column_of_a_result_keeps_its_numbers(one_result):
    (result,) = one_result
    column = Column.from_result(result, "north")
    assert (column.score, column.p_value, column.bins) == (result.score, result.p_value, result.bins)
    assert column.label == "x (north)"
    assert column.ratio == result.score / result.threshold.drift
