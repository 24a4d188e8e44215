"""The first configuration loads, describes the data, and its comments are true."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drift.config import starter
from drift.errors import InputError
from drift.histogram import Kind
from drift.monitors.spec import Reference
from drift.monitors.window import Period
from drift.stats.false_alarm_budget import Budget
from tests.support.configurations import read_config

COLUMNS = {"ts": Kind.DATETIME, "temp": Kind.NUMBER, "id": Kind.NUMBER, "season": Kind.STRING}
SPAN = (datetime(2011, 1, 1, 5, tzinfo=UTC), datetime(2013, 1, 1, 4, tzinfo=UTC))  # two years in New York
LATER = datetime(2025, 1, 1, tzinfo=UTC)


def test_the_text_loads_and_describes_the_data(loaded, tmp_path):
    text = starter(
        "data/bikes.csv", COLUMNS, "ts", SPAN, now=LATER, timezone="America/New_York", exclude={"id": "all different"}
    )
    config = loaded(text)
    (m,) = config.monitors.values()
    zone = ZoneInfo("America/New_York")
    assert (m.name, m.timestamp, m.timezone) == ("bikes", "ts", zone)
    assert m.source.path == str(tmp_path / "data/bikes.csv")
    assert m.period == Period(1, "d")
    # A quarter of 731 days is 182.7 days: 182 whole days after New Year.
    assert m.reference.window.start == SPAN[0]
    assert m.reference.window.end == datetime(2011, 7, 2, tzinfo=zone)
    assert m.end == datetime(2013, 1, 1, tzinfo=zone)
    assert m.columns.exclude == ("id",)
    assert m.alerting.notify == ("console",)
    assert config.warnings == ()
    assert "temp (number)" in text
    assert "season (string)" in text
    assert "# all different" in text


@pytest.mark.parametrize(
    ("length", "period"),
    [
        (timedelta(0), "1h"),
        (timedelta(hours=1), "1h"),
        (timedelta(days=3), "1h"),
        (timedelta(days=60), "1d"),
        (timedelta(days=730), "1d"),
        (timedelta(days=3650), "1w"),
    ],
)
def test_the_window_fits_the_span(loaded, length, period):
    first = datetime(2011, 3, 3, 7, 20, tzinfo=UTC)
    (m,) = loaded(starter("d.csv", COLUMNS, "ts", (first, first + length), now=LATER)).monitors.values()
    assert str(m.period) == period


@pytest.mark.parametrize(("age", "ends"), [(timedelta(days=2), False), (timedelta(days=5), True)])
def test_an_end_is_set_if_data_stopped_long_ago(loaded, age, ends):
    text = starter("d.csv", COLUMNS, "ts", SPAN, now=SPAN[1] + age)
    (m,) = loaded(text).monitors.values()
    assert (m.end is not None) is ends
    assert ("The data ended a while ago" in text) is ends


def test_every_optional_line_is_valid_once_uncommented(loaded):
    text = starter("d.csv", COLUMNS, "ts", SPAN, now=LATER, exclude={"id": "all different"})
    key = re.compile(r"^( *)# ( *(?:[a-z_]+:|- ).*)$", re.MULTILINE)
    # Not uncommented: a second store, and the other kinds of reference.
    other = ("path: train", "rolling:", "seasonal:", "windows:", "postgresql")
    uncommented = key.sub(lambda m: m[0] if any(name in m[0] for name in other) else m[1] + m[2], text)
    config = loaded(uncommented, {"HOOK_SECRET": "s"})
    (m,) = config.monitors.values()
    assert (m.schedule, m.delay, m.segments) == ("15 2 * * *", timedelta(hours=2), ("region",))
    assert m.start == m.reference.window.end
    assert m.columns.overrides["temp"].method.metric == "psi"
    assert {spec.type for spec in config.channels.values()} == {"console", "webhook", "file"}
    assert config.warnings == ()
    assert m.budget == Budget()
    without_exclude = key.sub(
        lambda m: m[0] if any(name in m[0] for name in other) else m[1] + m[2],
        starter("d.csv", COLUMNS, "ts", SPAN, now=LATER),
    )
    assert loaded(without_exclude, {"HOOK_SECRET": "s"}).monitors["d"].columns.exclude == ("id",)


@pytest.mark.parametrize("length", [timedelta(days=3), timedelta(days=60), timedelta(days=3650)])
def test_every_other_kind_of_reference_is_valid_once_uncommented(loaded, length):
    text = starter("d.csv", COLUMNS, "ts", (SPAN[0], SPAN[0] + length), now=LATER)
    text = re.sub(r"^      (from|to): .*\n", "", text, flags=re.MULTILINE)

    def reference(*keys: str) -> Reference:
        uncommented = text
        for key in keys:
            assert f"      # {key}: " in uncommented
            uncommented = uncommented.replace(f"      # {key}: ", f"      {key}: ")
        config = loaded(uncommented)
        assert config.warnings == ()
        return config.monitors["d"].reference

    assert reference("path").path is not None
    assert reference("rolling").rolling in {timedelta(days=28), timedelta(weeks=52)}
    assert reference("seasonal", "windows") == Reference(seasonal=timedelta(weeks=1), windows=3)


@pytest.mark.parametrize(
    ("length", "minimum"),
    [
        (timedelta(hours=16), 8),
        (timedelta(hours=40), 20),
        (timedelta(days=13), 78),  # a quarter of 312 hours
        (timedelta(days=16), 8),
        (timedelta(days=40), 20),
        (timedelta(days=400), 100),
        (timedelta(days=3650), 130),
    ],
)
@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
def test_the_reference_has_enough_windows_if_the_data_has(loaded, length, minimum, zone):
    first = (
        datetime(2011, 1, 3, 5, tzinfo=UTC) if zone != "UTC" else datetime(2011, 1, 3, tzinfo=UTC)
    )  # the start of a Monday
    (m,) = loaded(starter("d.csv", COLUMNS, "ts", (first, first + length), now=LATER, timezone=zone)).monitors.values()
    reference = m.reference.window
    assert len(list(m.period.windows(reference.start, reference.end, m.timezone))) >= minimum
    assert reference.end - reference.start <= length / 2 + timedelta(hours=1)  # daylight saving time


names = st.text(min_size=1, max_size=12)
instants = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 bounds are naive


@settings(deadline=None, max_examples=150)
@given(
    st.text(min_size=1, max_size=30),
    st.dictionaries(names, st.sampled_from(Kind), min_size=1, max_size=4),
    st.lists(instants, min_size=2, max_size=2).map(sorted),
    st.sampled_from(["UTC", "America/New_York", "Asia/Kathmandu", "America/Sao_Paulo", "Pacific/Apia"]),
    st.data(),
)
def test_any_names_load_back(tmp_path_factory, path, columns, span, timezone, data):
    timestamp = data.draw(st.sampled_from(sorted(columns)))
    exclude = data.draw(st.dictionaries(st.sampled_from(sorted(columns)), st.text(max_size=20)))
    first, last = span
    text = starter(path, columns, timestamp, (first, last), now=LATER, timezone=timezone, exclude=exclude)
    file = tmp_path_factory.getbasetemp() / "drift.yaml"
    file.write_text(text, encoding="utf-8", newline="")
    config = read_config(file)
    (m,) = config.monitors.values()
    assert m.source.path == (path if "://" in path else str(config.folder / path))
    assert m.timestamp == timestamp
    assert m.columns.exclude == tuple(name for name in exclude if name != timestamp)
    window = m.reference.window
    assert m.period.window_at(window.start, m.timezone).start == window.start  # whole windows
    assert m.period.window_at(window.end, m.timezone).start == window.end
    assert m.end is None or m.end >= last


@pytest.mark.parametrize(
    ("span", "code"),
    [
        ((datetime(2011, 1, 1), datetime(2012, 1, 1)), "timestamp-invalid"),  # noqa: DTZ001 naive on purpose
        ((SPAN[1], SPAN[0]), "invalid-range"),
        ((SPAN[0], datetime(9999, 12, 31, tzinfo=UTC)), "timestamp-invalid"),
    ],
)
def test_an_invalid_span_is_refused(span, code):
    with pytest.raises(InputError) as error:
        starter("d.csv", COLUMNS, "ts", span, now=LATER)
    assert error.value.code == code


@pytest.mark.parametrize(
    "name", ["${HOME}/$$x.csv", "no", "1.0", "2011-01-01", "a: b # c\nd", "é\u2028", "*a", "~", "."]
)
def test_names_with_a_meaning_in_yaml_are_kept(loaded, tmp_path, name):
    text = starter(name, {name: Kind.NUMBER, "t": Kind.NUMBER}, "t", SPAN, now=LATER, exclude={name: f"{name}\n- x: y"})
    (m,) = loaded(text).monitors.values()
    assert m.source.path == str(tmp_path / name)
    assert m.columns.exclude == (name,)
