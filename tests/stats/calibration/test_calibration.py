"""Calibration: its evidence, and what must not affect it."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

import drift.stats.calibration
from drift.histogram import Axis, CategoricalAxis, Counts, Histogram, History
from drift.stats.calibration import FEW_WINDOWS, MIN_WINDOWS, Calibration
from drift.stats.scoring import Method
from tests.support.streams import alarms, counts_of, group_of, numbers, p_values, shares_of, wandering

AXIS = numbers(4)


def days(seed: int, windows: int = 30, rows: int = 500, bins: int = 4) -> Counts:
    rng = np.random.default_rng(seed)
    return counts_of(rng, shares_of(rng, 1, bins), [rows] * windows, 400.0)[0]


def known(counts: Counts, axis: Axis = AXIS) -> Calibration:
    return Calibration({"x": History(axis, counts)})


def p_of(calibration: Calibration, live: Counts, axis: Axis = AXIS) -> float:
    return calibration.evidence({"x": Histogram(axis, live)})["x"].p_value


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    level=st.floats(-8, -1.5).map(lambda x: 10**x),
    rows=st.sampled_from([2000, 100_000]),
    missing=st.booleans(),
    at=st.integers(0, 6),
    upward=st.booleans(),
)
def test_a_p_value_falls_below_the_level_outside_its_band(
    seed: int, level: float, rows: int, missing: bool, at: int, upward: bool
) -> None:
    """One bin is moved to the edge of its band, the others stand at the middle of theirs as far as rows allow."""
    counts = days(seed)
    if not missing:
        counts[:, -1] = 0
    calibration = known(counts)
    band = calibration.bands(level, {"x": rows})["x"]
    edge = band.high[at] if upward else band.low[at]
    step = 6 / rows  # a few rows: transformed shares have 3/8 or 1/2 of a row added
    outside, inside = (edge + step, edge - step) if upward else (edge - step, edge + step)
    if not (0 <= outside < 0.9 and inside >= 0) or band.low[at] >= inside or inside >= band.high[at]:
        assume(False)  # a band that reaches to the end has no outside
    usual = counts.sum(axis=0) / counts.sum()

    def p_value_at(share: float) -> tuple[float, bool]:
        live = usual.copy()
        live[at] = 0
        live = live / live.sum() * (1 - share)
        live[at] = share
        whole = np.floor(live * rows).astype(np.int64)
        whole[2 if at != 2 else 3] += rows - whole.sum()
        within = (whole / rows > band.low + step) & (whole / rows < band.high - step)
        within[at] = True
        quiet = bool((within | ((whole == 0) & (band.low == 0))).all())
        return p_of(calibration, whole), quiet

    assert p_value_at(outside)[0] < level
    p_value, others_are_quiet = p_value_at(inside)
    if others_are_quiet:
        assert p_value >= level


def test_a_column_does_not_depend_on_its_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    histories, live = {}, {}
    for i in range(40):
        bins, windows = int(rng.choice([3, 4, 9])), int(rng.choice([12, 30]))
        every = counts_of(rng, shares_of(rng, 1, bins), [300] * (windows + 1), 100.0)[0]
        if i % 7 == 0:
            every[3] = 0  # an empty window
        histories[f"c{i}"] = History(numbers(bins), every[:-1])
        live[f"c{i}"] = Histogram(numbers(bins), every[-1])
    names = CategoricalAxis(("a", "b", "c", "d"))
    histories["names"] = History(names, days(2))
    live["names"] = Histogram(names, days(3)[0])
    together = Calibration(histories)
    for size in (2_000_000, 500):
        monkeypatch.setattr(drift.stats.calibration, "_MAX_CELLS", size)
        batched = Calibration(histories)
        assert batched.evidence(live) == together.evidence(live)
        for name, history in histories.items():
            alone = Calibration({name: history})
            # Sums over columns side by side may round otherwise in the last digit.
            single, batch = alone.evidence({name: live[name]})[name], together.evidence(live)[name]
            assert single.p_value == pytest.approx(batch.p_value, rel=1e-9)
            assert (single.bin, single.new, single.low, single.high) == (
                batch.bin,
                batch.new,
                batch.low,
                batch.high,
            )
            assert together.evidence({name: live[name]})[name] == batch
            ours = together.typical_scores(Method("js_distance"), 1e-3, [name])[name]
            theirs = alone.typical_scores(Method("js_distance"), 1e-3, [name])[name]
            assert ours.mean == pytest.approx(theirs.mean)
            assert ours.detectable == pytest.approx(theirs.detectable)


@given(seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_the_order_of_the_windows_is_irrelevant(seed: int) -> None:
    counts, live = days(seed), days(seed + 1)[:1][0]
    shuffled = np.random.default_rng(seed).permutation(counts)
    assert p_of(known(shuffled), live) == pytest.approx(p_of(known(counts), live), rel=1e-9)


def test_empty_windows_are_ignored() -> None:
    counts, live = days(4), days(5)[0]
    holed = np.insert(counts, [0, 7, 7, 30], 0, axis=0)
    assert p_of(known(holed), live) == p_of(known(counts), live)
    assert known(holed).windows == {"x": 30}


@pytest.mark.parametrize("windows", [0, 1, MIN_WINDOWS - 1, MIN_WINDOWS, FEW_WINDOWS])
def test_fewer_than_eight_windows_give_no_calibration(windows: int) -> None:
    calibration = known(days(6, max(windows, 1))[:windows])
    assert len(calibration) == (windows >= MIN_WINDOWS)


def test_evidence_is_the_same_in_one_call_or_many() -> None:
    """The vectorised path of the simulations agrees with the public one."""
    rng = np.random.default_rng(7)
    shares = shares_of(rng, 3, 4)
    reference, live = counts_of(rng, shares, [200] * 20, 50.0), counts_of(rng, shares, [200] * 5, 50.0)
    calibration = Calibration({str(i): History(AXIS, c) for i, c in enumerate(reference)})
    stacked = p_values(group_of(reference), live)
    for at in range(5):
        evidence = calibration.evidence({str(i): Histogram(AXIS, live[i, at]) for i in range(3)})
        assert [evidence[str(i)].p_value for i in range(3)] == stacked[:, at].tolist()


def test_a_constant_own_reference_changes_nothing() -> None:
    """The scale is measured from the own reference; a constant shift of it changes nothing."""
    counts, live = days(8), days(9)[0]
    own = np.tile(counts.sum(axis=0), (30, 1))
    plain = known(counts)
    with_own = Calibration(
        {"x": History(AXIS, counts)}, {"x": (History(AXIS, own), Histogram(AXIS, counts.sum(axis=0)))}
    )
    for window in (live, counts[0], np.array([0, 100, 100, 100, 200, 0, 0])):
        assert p_of(with_own, window) == pytest.approx(p_of(plain, window), rel=1e-6)


def test_a_season_is_no_drift_with_seasonal_references() -> None:
    """Ten days of forty, the odds of the bins swing by up to e^1.6.

    The own reference is the same days of two cycles ago.
    """
    rng, level, columns, axis = np.random.default_rng(10), 1e-3, 100, numbers(5)
    shares = shares_of(rng, columns, 5)
    holidays = shares * np.exp(np.linspace(-0.8, 0.8, 8))
    cycle = np.repeat(np.stack([shares, holidays / holidays.sum(axis=1, keepdims=True)], axis=1), [30, 10], axis=1)
    every = counts_of(rng, np.tile(cycle, (1, 4, 1)), [2000] * 160, 3000.0)
    own = every[:, 0:80] + every[:, 40:120]  # of the days from the 80th on
    seasonal, plain = [], []
    for at in range(150, 160):  # the last cycle's holidays; the reference: the 30 other days before them
        live = {str(i): Histogram(axis, every[i, at]) for i in range(columns)}
        histories = {str(i): History(axis, every[i, 120:150]) for i in range(columns)}
        beside = {str(i): (History(axis, own[i, 40:70]), Histogram(axis, own[i, at - 80])) for i in range(columns)}
        seasonal += [e.p_value for e in Calibration(histories, beside).evidence(live).values()]
        plain += [e.p_value for e in Calibration(histories).evidence(live).values()]
    assert np.mean(np.array(plain) < level) > 0.5
    false = int((np.array(seasonal) < level).sum())
    assert stats.binomtest(false, len(seasonal), level, "greater").pvalue > 0.01


@pytest.mark.parametrize("rho", [0.0, 0.6, 0.9])
def test_autocorrelation_matches_simulated_streams(rho: float) -> None:
    """Against streams of normal AR(1) bins, 120 long each, in deviations from their own means: what can be seen in 120.

    A strong correlation is underestimated (0.9: about 0.64 of 0.78) because the mean is estimated as well.
    """
    rng, bins = np.random.default_rng(11), 5
    counts = counts_of(rng, wandering(rng, shares_of(rng, 60, bins, 0.0), 120, rho, 0.3), [1_000_000] * 120)
    calibration = Calibration({str(i): History(numbers(bins), c) for i, c in enumerate(counts)})
    z = np.log(wandering(rng, np.ones((400, bins)), 120, rho, 1.0))
    deviations = np.log(np.abs((z - z.mean(axis=1, keepdims=True)) / z.std(axis=1, keepdims=True)).max(axis=2) + 5)
    seen = np.mean([np.corrcoef(row[:-1], row[1:])[0, 1] for row in deviations])
    at = np.arange(121.0)
    autocorrelation = calibration.autocorrelation(at[:-1], at[1:])
    assert autocorrelation - 119**-0.5 == pytest.approx(seen, abs=0.06), "a standard error is added on purpose"
    assert calibration.autocorrelation(2 * at[:-1], 2 * at[:-1] + 1) == 0, "no window follows another"


def test_simulated_alarms_follow_the_alert_rule() -> None:
    from datetime import UTC, datetime

    from drift.monitors.alert_state import AlertRule, AlertState, State, decide
    from drift.monitors.verdict import Verdict

    bad = np.random.default_rng(12).random((3, 400)) < 0.4
    for for_windows in (1, 2, 3):
        rule = AlertRule("drift", frozenset({Verdict.DRIFT}), frozenset({Verdict.OK}), for_windows)
        fired = 0
        for column in bad:
            state = AlertState()
            for is_bad in column:
                after = decide(state, Verdict.DRIFT if is_bad else Verdict.OK, rule, datetime(2026, 1, 1, tzinfo=UTC))
                fired += after.state.state is State.FIRING and state.state is not State.FIRING
                state = after.state
        assert alarms(bad, for_windows) == fired
