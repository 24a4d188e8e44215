"""The comparison of judges: changes match their names, a seed gives the order, and rules equal published ones."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.spatial.distance import jensenshannon

from benchmarks.judged import changes, rules, tally, trial, windows

ROWS = 20_000


@pytest.fixture(scope="module")
def known() -> changes.ChangeScale:
    return changes.learn(window(0))


def window(seed: int, rows: int = ROWS) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "x": rng.normal(10, 4, rows),
            "n": rng.integers(0, 7, rows),
            "word": rng.choice(["a", "b", "c"], rows, p=[0.6, 0.3, 0.1]),
        }
    )


def changed(kind: str, known: changes.ChangeScale) -> tuple[pd.DataFrame, pd.DataFrame]:
    before = window(1)
    return before, changes.changed(before, kind, known, np.random.default_rng(2))


def test_each_change_applies_to_its_kind_of_column(known: changes.ChangeScale) -> None:
    for kind in changes.KINDS:
        expected = ["x", "n"] * (kind not in changes.OF_NAMES) + ["word"] * (kind not in changes.OF_NUMBERS)
        assert list(changed(kind, known)[1]) == expected


@pytest.mark.parametrize(("kind", "part"), [("shift 1/4 sd", 0.25), ("shift 1/2 sd", 0.5)])
def test_shifts_are_fractions_of_the_reference_standard_deviation(
    kind: str, part: float, known: changes.ChangeScale
) -> None:
    before, after = changed(kind, known)
    for name in after:
        np.testing.assert_allclose(after[name] - before[name], part * window(0)[name].std(), rtol=1e-9)


def test_the_scale_grows_around_the_mean(known: changes.ChangeScale) -> None:
    before, after = changed("scale 1.25", known)
    for name in after:
        assert after[name].mean() == pytest.approx(before[name].mean())
        assert after[name].std() == pytest.approx(1.25 * before[name].std())


def test_another_unit_multiplies(known: changes.ChangeScale) -> None:
    before, after = changed("unit x 1.609", known)
    np.testing.assert_allclose(after, before[["x", "n"]] * 1.609)


def binomial(count: int, rows: int, share: float) -> float:
    return float(stats.binomtest(count, rows, share).pvalue)


def test_ten_percent_become_the_median(known: changes.ChangeScale) -> None:
    before, after = changed("10 % constant", known)
    touched = after["x"] != before["x"]
    assert set(after["x"][touched]) == {before["x"].median()}
    assert binomial(int(touched.sum()), ROWS, 0.1) > 1e-3


def test_five_percent_become_null(known: changes.ChangeScale) -> None:
    before, after = changed("5 % nulls", known)
    for name in after:
        missing = after[name].isna()
        assert (after[name][~missing] == before[name][~missing]).all()
        assert binomial(int(missing.sum()), ROWS, 0.05) > 1e-3


def test_three_percent_get_an_unknown_name(known: changes.ChangeScale) -> None:
    before, after = changed("3 % unseen", known)
    new = after["word"] != before["word"]
    assert set(after["word"][new]) == {changes.NEW}
    assert changes.NEW not in set(window(0)["word"])
    assert binomial(int(new.sum()), ROWS, 0.03) > 1e-3


def test_thirty_percent_of_the_most_frequent_name_move(known: changes.ChangeScale) -> None:
    before, after = changed("30 % moved", known)
    moved = after["word"] != before["word"]
    assert set(before["word"][moved]) == {"a"}
    assert set(after["word"][moved]) == {"b"}
    assert binomial(int(moved.sum()), int((before["word"] == "a").sum()), 0.3) > 1e-3


def test_a_seed_gives_the_order_of_windows() -> None:
    all_windows = [pd.DataFrame({"x": [at]}) for at in range(50)]
    orders = [[int(w["x"].iloc[0]) for w in windows.shuffled(all_windows, seed)] for seed in (3, 3, 4)]
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == list(range(50)) != orders[0]


def test_a_seed_repeats_a_trial_without_live_reference_windows() -> None:
    all_windows = [window(at, 30).assign(at=float(at)) for at in range(12)]
    first, second = (trial.prepared(all_windows, 5, reference=8, unchanged=3, changed=2) for _ in range(2))
    for frames, repeated in [
        (first.live, second.live),
        *((first.changed[k], second.changed[k]) for k in changes.KINDS),
    ]:
        for frame, same in zip(frames, repeated, strict=True):
            pd.testing.assert_frame_equal(frame, same)
    ids = [{frame["at"].iloc[0] for frame in frames} for frames in (first.reference, first.live)]
    assert len(ids[0]) == 8
    assert len(ids[1]) == 3
    assert not ids[0] & ids[1]
    assert {len(frames) for frames in first.changed.values()} == {2}


def test_counts_add_up_and_show_changes_without_trace() -> None:
    all_windows = [window(at, 200) for at in range(12)]
    counted = trial.counted(trial.prepared(all_windows, 5, reference=8, unchanged=4, changed=4))
    assert all((counts.sum(axis=1) == 200).all() for counts in counted.live.values())
    changed = counted.changed["shift 1/4 sd"]
    traces = [(changed[name] != counted.live[name]).any(axis=1).mean() for name in ("x", "n")]
    assert traces == [1.0, 0.0]  # half of 1 is less than the step of whole numbers
    assert counted.visible()["shift 1/4 sd"] == 0.5


REFERENCE = np.random.default_rng(0).multinomial(300, [0.2, 0.3, 0.4, 0.1, 0.0], size=30)
LIVE = np.concatenate(
    [
        np.random.default_rng(1).multinomial(250, p, size=20)
        for p in ([0.25, 0.3, 0.35, 0.1, 0], [0.4, 0.3, 0.2, 0.1, 0])
    ]
)


def distances(live: np.ndarray, pooled: np.ndarray) -> np.ndarray:
    return np.array([jensenshannon(row / row.sum(), pooled / pooled.sum(), 2) for row in live])


def test_js_rules_are_scipys_distance() -> None:
    pooled = REFERENCE.sum(axis=0)
    live_distances = distances(LIVE, pooled)
    limit = float(np.median(live_distances))
    assert (rules.js_over(limit)(REFERENCE, LIVE) == (live_distances > limit)).all()
    left_out = np.array([distances(row[None], pooled - row)[0] for row in REFERENCE])
    expected = live_distances > left_out.mean() + 3 * left_out.std(ddof=1)
    assert 0 < expected.sum() < len(LIVE)
    assert (rules.js_three_deviations(REFERENCE, LIVE) == expected).all()


def test_the_chi_squared_rule_is_scipys_test() -> None:
    pooled = REFERENCE.sum(axis=0)[:4]
    p_values = np.array([stats.chi2_contingency(np.stack([pooled, row[:4]])).pvalue for row in LIVE])
    expected = p_values < 0.1
    assert 0 < expected.sum() < len(LIVE)
    assert (rules.chi_squared(0.1)(REFERENCE, LIVE) == expected).all()


def test_psi_by_its_formula() -> None:
    pooled = REFERENCE.sum(axis=0) + 0.5
    q, p = pooled / pooled.sum(), (LIVE + 0.5) / (LIVE + 0.5).sum(axis=1, keepdims=True)
    scores = ((p - q) * np.log(p / q)).sum(axis=1)
    limit = float(np.median(scores))
    assert (rules.psi_over(limit)(REFERENCE, LIVE) == (scores > limit)).all()


def test_students_limit_keeps_its_level_on_lognormal_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    alarms = 0
    for _ in range(100):
        logs = rng.normal(-3, 0.5, 120)
        monkeypatch.setattr(rules, "_reference_distances", lambda _, logs=logs: np.exp(logs[:20]))
        monkeypatch.setattr(rules, "_distance", lambda *_, logs=logs: np.exp(logs[20:]))
        alarms += int(rules.log_js_student(0.05)(REFERENCE, LIVE).sum())
    assert 0.04 < alarms / 10_000 < 0.06  # 100 references of 20: standard error about 0.004


@pytest.mark.parametrize("name", list(rules.RULES))
def test_a_window_without_rows_raises_no_alarm(name: str) -> None:
    assert not rules.RULES[name](REFERENCE, np.zeros((2, 5), np.int64)).any()


def test_tallies_add_up() -> None:
    alarms = trial.Alarms(
        {"x": np.array([True, False]), "y": np.array([False, False])}, {"5 % nulls": {"x": np.array([True, True])}}
    )
    total = tally.Tally()
    total.add(alarms)
    total.add(alarms)
    assert total.record("one", 60) == {
        "judge": "one",
        "reference": 60,
        "seeds": 2,
        "alarms": 2,
        "unchanged": 8,
        "columns": {"x": 2},
        "found": {"5 % nulls": 4},
        "changed": {"5 % nulls": 4},
    }


def test_the_page_shows_the_results_file() -> None:
    root = Path(trial.__file__).resolve().parents[2]
    results = json.loads((root / "benchmarks" / "results" / "judges.json").read_text())
    calibration_page = (root / "docs" / "calibration.md").read_text()
    assert f"<!-- judges: begin -->\n{tally.written(results)}\n<!-- judges: end -->" in calibration_page


def test_a_summary_gives_percent_of_column_windows() -> None:
    record = {"judge": "drift, 0.001", "reference": 60, "alarms": 3, "unchanged": 2_000, "columns": {"x": 3}}
    record |= {"found": {"5 % nulls": 1, "3 % unseen": 4}, "changed": {"5 % nulls": 2, "3 % unseen": 8}}
    each = {"label": "days", "judges": [record], "visible": {"5 % nulls": 1.0, "3 % unseen": 0.5}}
    assert "| drift, 0.001, 60 | 0.15 / 50 |" in tally.summary({"days": each})
    assert "| drift, 0.001 | 60 | 0.15 (2,000) | 50 (10) | 50 | 50 |" in tally.detailed(each)
    assert "3 with 60 windows (`x` 3)" in tally.where(each)
