"""The Python API: `drift.compare`, `drift.profile` and their results."""

import itertools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import drift
from drift.errors import InputError, SourceError
from drift.histogram import Profile
from drift.monitors.verdict import Verdict


def frame(seed: int, n: int = 2000, shift: float = 0.0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {
        "x": rng.normal(shift, size=n).tolist(),
        "n": rng.integers(0, 100, size=n).tolist(),
        "plan": rng.choice(["free", "pro", "team"], size=n).tolist(),
        "paid": (rng.random(n) < 0.3 + shift / 5).tolist(),
    }


REFERENCE = pd.DataFrame(frame(0))
LIVE = pl.DataFrame(frame(1, 1500, shift=1.0))


def rows_add_up(report: drift.Comparison) -> None:
    """Assert that the bins of every column add up to the rows of each side."""
    for result in report.columns:
        if result.bins:
            assert sum(b.reference for b in result.bins) == report.reference.rows
            assert sum(b.live for b in result.bins) == report.live.rows


def test_frames_of_two_libraries() -> None:
    report = drift.compare(REFERENCE, LIVE)
    assert set(report) == {"x", "n", "plan", "paid"}
    assert set(report.drifted) == {"x", "paid"}
    assert list(report)[: len(report.drifted)] == list(report.drifted)  # the most severe first
    assert report.verdict is report["x"].verdict is Verdict.DRIFT
    assert report["plan"].verdict is report["n"].verdict is Verdict.OK
    assert len(report) == 4
    rows_add_up(report)


def test_unknown_column_is_refused() -> None:
    with pytest.raises(KeyError, match="zz"):
        drift.compare(REFERENCE, LIVE)["zz"]


def test_paths_frames_and_profiles_give_equal_results(tmp_path: Path) -> None:
    REFERENCE.to_csv(tmp_path / "reference.csv", index=False)
    LIVE.write_parquet(tmp_path / "live.parquet")
    wanted = drift.compare(REFERENCE, LIVE)
    reference = drift.profile(tmp_path / "reference.csv")
    live = drift.profile(str(tmp_path / "live.parquet"), axes=reference)
    for report in (
        drift.compare(tmp_path / "reference.csv", str(tmp_path / "*.parquet")),
        drift.compare(reference, live),
        drift.compare(reference, LIVE),
    ):
        assert report.columns == wanted.columns
    assert drift.compare(tmp_path / "reference.csv", LIVE).labels == (str(tmp_path / "reference.csv"), "live")


def test_results_follow_the_seed_and_scores_do_not() -> None:
    # The noise of this metric has no formula, so it is simulated.
    first, again, other = (
        drift.compare(REFERENCE, LIVE, metric="total_variation", threshold=0.1, seed=seed) for seed in (7, 7, 8)
    )
    assert first.columns == again.columns
    assert [c.score for c in first.columns] == [c.score for c in other.columns]
    assert [c.interval for c in first.columns] != [c.interval for c in other.columns]


def test_every_column_of_either_side_has_a_result() -> None:
    reference = pd.DataFrame(
        {"x": [1, 2, 3], "gone": [1, 2, 3], "typed": [1, 2, 3], "lists": [[1], [2], [3]], "odd": [1, "a", None]}
    )
    live = pl.DataFrame({"x": [1, 2], "new": [1, 2], "typed": ["1", "2"], "lists": [[1], [2]], "odd": [1, 2]})
    report = drift.compare(reference, live)
    assert {
        name: (result.verdict.value, result.code, result.message.split(";")[0])
        for name, result in report.items()
        if name not in {"x", "odd"}
    } == {
        "gone": ("schema_error", "schema-error", "live: column 'gone' is not in the data"),
        "new": ("not_comparable", "not-comparable", "live: column 'new' is new: the reference does not have it"),
        "typed": ("schema_error", "schema-error", "live: expected number values as in the reference, got string"),
        "lists": ("not_comparable", "not-comparable", "reference: list<item: int64> values cannot be cut into bins"),
    }
    assert report["odd"].message.startswith("reference: values of mixed or unknown types")
    assert report["x"].score is not None
    json.dumps(report.to_dict(), allow_nan=False)


def test_columns_missing_from_profiles_have_a_result() -> None:
    reference = drift.profile(pd.DataFrame({"x": [1, 2, 3], "gone": [1, 2, 3]}))
    live = drift.profile(pd.DataFrame({"x": [1, 2, 3], "new": [1, 2, 3]}))
    report = drift.compare(reference, live, include=["x", "gone", "new", "nowhere"])
    assert {name: report[name].verdict for name in report} == {
        "x": Verdict.OK,
        "gone": Verdict.SCHEMA_ERROR,
        "new": Verdict.NOT_COMPARABLE,
        "nowhere": Verdict.NOT_COMPARABLE,
    }


def test_profiles_on_other_axes_are_not_comparable() -> None:
    report = drift.compare(drift.profile(REFERENCE), drift.profile(LIVE))
    assert report["x"].verdict is Verdict.NOT_COMPARABLE
    assert report["x"].code == "axis-mismatch"


@pytest.mark.parametrize("empty", ["reference", "live"])
def test_side_without_rows_is_no_data(empty: str) -> None:
    sides = {"reference": REFERENCE, "live": REFERENCE, empty: REFERENCE[:0]}
    report = drift.compare(sides["reference"], sides["live"])
    assert {result.verdict for result in report.columns} == {Verdict.NO_DATA}
    assert report["x"].code == ("no-rows" if empty == "live" else "no-reference-rows")
    rows_add_up(report)


def test_comparison_without_columns_is_empty() -> None:
    report = drift.compare(pd.DataFrame(), pl.DataFrame())
    assert len(report) == 0
    assert report.verdict is Verdict.OK
    assert len(report.to_frame()) == 0


def test_column_without_values_drifts_in_any_type() -> None:
    for lost in ([None] * 1500, [float("nan")] * 1500):
        report = drift.compare(REFERENCE[["plan"]], pd.DataFrame({"plan": lost}))
        assert report["plan"].verdict is Verdict.DRIFT
        assert report["plan"].bins[-1].live == 1500


def test_document_is_strict_json_and_rows_add_up() -> None:
    reference = REFERENCE.assign(empty=None, constant=1, infinite=float("inf"))
    document = drift.compare(reference, LIVE.with_columns(constant=pl.lit(2), odd=pl.lit(None))).to_dict()
    parsed = json.loads(json.dumps(document, allow_nan=False))
    assert parsed["version"] == 1
    assert parsed["metric"] == "js_distance"
    assert (parsed["reference"]["rows"], parsed["live"]["rows"]) == (2000, 1500)
    assert {c["column"] for c in parsed["columns"]} == {
        "x",
        "n",
        "plan",
        "paid",
        "empty",
        "constant",
        "infinite",
        "odd",
    }
    for column in parsed["columns"]:
        if column["bins"]:
            assert sum(b["reference"] for b in column["bins"]) == 2000
            assert sum(b["live"] for b in column["bins"]) == 1500
        if column["score"] is not None:
            assert sum(b["contribution"] for b in column["bins"]) == pytest.approx(column["score"])


def test_frame_has_a_row_for_each_column() -> None:
    report = drift.compare(REFERENCE, LIVE)
    found = report.to_frame()
    assert isinstance(found, pd.DataFrame)
    assert found["column"].tolist() == list(report)
    assert found["score"].tolist() == [report[name].score for name in report]
    assert found["verdict"].tolist() == [report[name].verdict.value for name in report]


def test_repr_names_all_columns_and_the_bins_that_moved() -> None:
    text = repr(drift.compare(REFERENCE, LIVE))
    assert text.splitlines()[0] == "Comparison by js_distance: 2 of 4 columns drifted"
    assert all(name in text for name in REFERENCE)
    assert "% of the score" in text


@pytest.mark.parametrize("suffix", [".html", ".json", ".md", ".csv"])
def test_a_report_is_written(tmp_path: Path, suffix: str) -> None:
    written = drift.compare(REFERENCE, LIVE).save(tmp_path / f"report{suffix}")
    content = written.read_text(encoding="utf-8")
    assert all(name in content for name in REFERENCE)


@pytest.mark.parametrize("metric", ["js_distance", "js", "psi", "kl"])
def test_metrics_with_a_default_threshold(metric: str) -> None:
    report = drift.compare(REFERENCE, LIVE, metric=metric)
    assert report.metric == metric
    assert report["x"].scored is not None
    assert report["x"].scored.method.metric == metric
    assert report["x"].threshold is not None
    assert report["x"].threshold.is_default
    assert report["x"].code == "threshold-reached"


def test_metric_without_a_default_threshold_needs_one() -> None:
    with pytest.raises(InputError, match="metric hellinger has no default threshold"):
        drift.compare(REFERENCE, LIVE, metric="hellinger")
    with pytest.raises(InputError, match="metric linf has no default threshold"):
        drift.compare(REFERENCE, LIVE, overrides={"x": drift.ColumnRule(method=drift.Method("linf"))})
    assert drift.compare(REFERENCE, LIVE, metric="hellinger", threshold=0.1)["x"].verdict is Verdict.DRIFT


def test_unknown_metric_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"js_distnce.*js_distance"):
        drift.compare(REFERENCE, LIVE, metric="js_distnce")


def test_threshold_is_a_number_or_both_limits() -> None:
    score = drift.compare(REFERENCE, LIVE)["x"].score
    assert score is not None
    assert drift.compare(REFERENCE, LIVE, threshold=score)["x"].verdict is Verdict.DRIFT
    assert drift.compare(REFERENCE, LIVE, threshold=score * 1.01)["x"].verdict is Verdict.OK
    both = drift.Threshold(drift=score * 1.01, warn=score * 0.5)
    assert drift.compare(REFERENCE, LIVE, threshold=both)["x"].verdict is Verdict.WARN
    with pytest.raises(InputError) as error:
        drift.compare(REFERENCE, LIVE, threshold=0)
    assert error.value.code == "invalid-value"


def test_columns_are_selected_and_have_their_own_rules() -> None:
    rule = drift.ColumnRule(drift.Bins("edges", edges=(-1, 0, 1)), drift.Method("kl", "laplace"), drift.Threshold(9.0))
    report = drift.compare(REFERENCE, LIVE, exclude=["n"], overrides={"x": rule})
    assert set(report) == {"x", "plan", "paid"}
    assert report["x"].live is not None
    assert report["x"].live.axis == drift.NumericAxis((-1, 0, 1))
    assert report["x"].verdict is Verdict.OK
    assert report["plan"].verdict is Verdict.OK
    assert set(drift.compare(REFERENCE, LIVE, include=["x", "n"])) == {"x", "n"}


@pytest.mark.parametrize(
    "named", [{"include": "absent"}, {"include": ["x", "absent"]}, {"overrides": {"absent": None}}]
)
def test_name_that_neither_side_has_is_refused(named: dict[str, Any]) -> None:
    if "overrides" in named:
        named = {"overrides": {"absent": drift.ColumnRule()}}
    with pytest.raises(drift.DriftError, match="'absent'") as error:
        drift.compare(REFERENCE, LIVE, **named)
    assert error.value.code == "column-missing"


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ({"bins": 5}, {"bins": drift.Bins(count=5)}),
        ({"bins": "uniform"}, {"bins": drift.Bins("uniform")}),
        ({"bins": [-1, 0, 1], "include": "x"}, {"bins": drift.Bins("edges", edges=(-1, 0, 1)), "include": ["x"]}),
        ({"threshold": 0.3}, {"threshold": drift.Threshold(0.3)}),
        ({"threshold": {"warn": 0.1, "drift": 0.3}}, {"threshold": drift.Threshold(0.3, 0.1)}),
        ({"metric": "kl", "base": "e"}, {"metric": "kl", "base": math.e}),
    ],
)
def test_short_and_long_forms_are_equal(short: dict[str, Any], long: dict[str, Any]) -> None:
    assert drift.compare(REFERENCE, LIVE, **short).columns == drift.compare(REFERENCE, LIVE, **long).columns


@pytest.mark.parametrize(
    "wrong", [{"threshold": "x"}, {"threshold": {"low": 1}}, {"overrides": {"x": {"metric": "kl"}}}]
)
def test_invalid_arguments_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(drift.DriftError) as error:
        drift.compare(REFERENCE, LIVE, **wrong)
    assert error.value.code == "invalid-value"


def test_bins_are_chosen_from_the_reference_only() -> None:
    report = drift.compare(REFERENCE, LIVE, bins=drift.Bins("uniform", 4))
    assert report.reference.axes == drift.profile(REFERENCE, bins=drift.Bins("uniform", 4)).axes
    edges = drift.compare(REFERENCE, LIVE, bins=drift.Bins("edges", edges=(0, 50)))
    assert edges["n"].reference is not None
    assert edges["n"].reference.axis == drift.NumericAxis((0, 50))
    assert edges["plan"].verdict is Verdict.NOT_COMPARABLE  # text has no edges; the others are judged
    assert edges["x"].verdict is Verdict.DRIFT


def test_metric_of_ordered_bins_skips_categories() -> None:
    report = drift.compare(REFERENCE, LIVE, metric="wasserstein", threshold=0.1)
    assert report["x"].verdict is Verdict.DRIFT
    assert report["plan"].verdict is Verdict.NOT_COMPARABLE
    assert report["plan"].code == "not-comparable"


def test_near_duplicate_categories_give_a_warning() -> None:
    report = drift.compare(pd.DataFrame({"plan": ["pro", "Pro", "free"]}), pd.DataFrame({"plan": ["pro"]}))
    assert len(report.warnings) == 1
    assert report.warnings[0].startswith("plan: 'Pro' and 'pro'")


@pytest.mark.parametrize("data", [5, None, {"x": [1]}, np.zeros(3)], ids=type)
def test_unsupported_data_is_refused(data: Any) -> None:
    with pytest.raises(SourceError, match="expected a pandas, Polars or PyArrow data frame"):
        drift.compare(data, REFERENCE)
    with pytest.raises(SourceError, match="expected a pandas, Polars or PyArrow data frame"):
        drift.compare(REFERENCE, data)


def test_bins_and_axes_exclude_each_other() -> None:
    with pytest.raises(InputError) as error:
        drift.profile(REFERENCE, axes=drift.profile(REFERENCE), bins=drift.Bins())
    assert error.value.code == "invalid-value"


def test_profile_on_its_own_axes_is_equal() -> None:
    reference = drift.profile(REFERENCE)
    assert drift.profile(REFERENCE, axes=reference) == drift.profile(REFERENCE, axes=reference.axes) == reference
    assert Profile.from_dict(json.loads(json.dumps(reference.to_dict(), allow_nan=False))) == reference


rows = st.lists(
    st.tuples(
        st.one_of(st.none(), st.floats()),
        st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)),
        st.one_of(st.none(), st.text(max_size=2)),
    ),
    min_size=1,
)
TYPES = {"x": pa.float64(), "n": pa.int64(), "s": pa.string()}


@settings(max_examples=60, deadline=None)
@given(rows, st.lists(st.integers(0, 40), max_size=4))
def test_profiles_of_parts_add_up_to_the_whole(rows_drawn: list[tuple[Any, ...]], cuts: list[int]) -> None:
    columns = zip(TYPES, zip(*rows_drawn, strict=True), strict=True)
    table = pa.table({name: pa.array(column, TYPES[name]) for name, column in columns})
    whole = drift.profile(table)
    ends = [0, *sorted(min(cut, len(rows_drawn)) for cut in cuts), len(rows_drawn)]
    parts = [drift.profile(table.slice(a, b - a), axes=whole) for a, b in itertools.pairwise(ends)]
    assert sum(parts[1:], parts[0]) == whole
    for histogram in whole.values():
        assert histogram.rows == len(rows_drawn)
