"""A valid configuration becomes the core's values, by the rules of the annotated example."""

import json
import math
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from drift.config import ChannelSpec, sections
from drift.errors import ConfigError
from drift.histogram.binning import Bins
from drift.monitors.spec import Alerting, ColumnRule, Columns, FileSource, Reference
from drift.monitors.verdict import Threshold, Verdict
from drift.monitors.window import Period, Window
from drift.notify.channels import channel_option_classes
from drift.notify.channels.console import ConsoleOptions
from drift.sources import engine_option_classes
from drift.stats.false_alarm_budget import Budget
from drift.stats.scoring import Method
from tests.support.configurations import read_config
from tests.support.paths import ROOT

CONFIG = ROOT / "config"

# The example of the design document, with a host in the URL of the hook.
DESIGN = """\
version: 1
store: sqlite:///drift.db                  # any SQLAlchemy URL
monitors:
  bikes:
    source: {path: data/bikes/*.parquet}   # or {url: ${WAREHOUSE}, table: features.bikes} / query: / spark:
    timestamp: ts                          # which column places a row in a window
    timezone: America/New_York
    window: 1d                             # 1h, 1d, 1w
    schedule: "15 2 * * *"                 # cron; default: as soon as a window closes
    delay: 2h                              # wait for late rows
    reference: {from: 2011-01-01, to: 2011-04-01}   # | {rolling: 28d} | {seasonal: 1y, windows: 3} | {path: train.parquet}
    metric: js_distance
    bins: {numeric: quantile, count: 10, top: 50}
    columns:
      exclude: [id]
      overrides: {temp: {bins: [0, 10, 20, 30], metric: kl, smoothing: laplace}}
    segments: [season]
    threshold: auto                        # or 0.1, or {warn: 0.05, drift: 0.1}
    false_alarms: 1 per 90d                # what auto must hold, over the whole monitor
    alert: {for: 2, keep_firing_for: 1, notify: [team], labels: {severity: page}, runbook: https://...}
channels:
  team: {type: slack, url_file: /run/secrets/slack}
  hook: {type: webhook, url: https://hooks.example.org, secret: ${HOOK_SECRET}}
"""  # noqa: E501 verbatim


def test_the_design_example_lacks_only_the_slack_channel(errors):
    (line,) = errors(DESIGN, {"HOOK_SECRET": "s3cret"})
    assert line.startswith("22: channels.team.type: the channel type slack is not in this release")
    assert line.endswith("[not-in-release]")


def test_the_design_example_loads_with_a_channel_of_this_release(loaded, tmp_path):
    config = loaded(
        DESIGN.replace("{type: slack, url_file: /run/secrets/slack}", "{type: console}"), {"HOOK_SECRET": "s"}
    )
    bikes = config.monitors["bikes"]
    assert config.store == f"sqlite:///{tmp_path}/drift.db"
    assert bikes.source == FileSource(str(tmp_path / "data/bikes/*.parquet"))
    assert bikes.timezone == ZoneInfo("America/New_York")
    assert (bikes.period, bikes.schedule, bikes.delay) == (Period(1, "d"), "15 2 * * *", timedelta(hours=2))
    # New York is five hours behind UTC in January, four in April.
    assert bikes.reference == Reference(
        Window(datetime(2011, 1, 1, 5, tzinfo=UTC), datetime(2011, 4, 1, 4, tzinfo=UTC))
    )
    temp = ColumnRule(Bins("edges", edges=(0, 10, 20, 30)), Method("kl", "laplace"))
    assert bikes.columns == Columns(overrides={"temp": temp}, exclude=("id",))
    assert bikes.segments == ("season",)
    assert bikes.alerting == Alerting(2, 1, ("team",), labels={"severity": "page"}, runbook="https://...")
    assert bikes.budget == Budget(1, timedelta(days=90))
    assert config.warnings == ()


def test_the_smallest_configuration_has_the_defaults_of_the_core(loaded, monitor, tmp_path):
    config = loaded(monitor)
    m = config.monitors["m"]
    assert config.store == f"sqlite:///{tmp_path}/drift.db"
    assert (config.channels, config.warnings, config.broken, config.folder) == ({}, (), {}, tmp_path)
    assert (m.columns, m.alerting, m.segments) == (Columns(), Alerting(), ())
    assert (m.timezone, m.period, m.schedule, m.delay) == (ZoneInfo("UTC"), Period(1, "d"), None, timedelta(0))
    assert (m.start, m.end) == (None, None)
    assert (m.deadline, m.lookback, m.catch_up, m.keep) == (timedelta(hours=1), timedelta(0), None, None)
    assert m.budget == Budget(1, timedelta(days=90))


@pytest.mark.parametrize(
    "written", ["https://drift.example.org", "https://drift.example.org/", "${WHERE}", "http://[::1]:8756/in/a/folder/"]
)
def test_every_monitor_has_the_address_of_the_page(loaded, monitor, written):
    config = loaded(f"page: {json.dumps(written)}\n{monitor}", {"WHERE": "https://drift.example.org"})
    page = config.monitors["m"].alerting.page
    assert page == ("http://[::1]:8756/in/a/folder" if "::1" in written else "https://drift.example.org")


@pytest.mark.parametrize(
    "written",
    ["drift.example.org", "ftp://host", "https://", "https://me:geheim@host", "https://host/?token=geheim", 7],
)
def test_a_page_that_cannot_be_linked_to_is_refused(errors, monitor, written):
    (line,) = errors(f"page: {json.dumps(written)}\n{monitor}")
    assert line.startswith("1: page: ")
    assert line.endswith("[invalid-value]")
    assert "geheim" not in line


def test_two_files_of_a_folder_cannot_both_define_the_page(tmp_path, monitor):
    (tmp_path / "a.yaml").write_text(f"page: https://one\n{monitor}")
    (tmp_path / "b.yaml").write_text("version: 1\npage: https://two\n")
    with pytest.raises(ConfigError, match=r"b\.yaml:2: page: .*a\.yaml:1") as error:
        read_config(tmp_path)
    assert error.value.code == "duplicate-key"


def test_durations_are_read(loaded, monitor):
    m = loaded(monitor + "    deadline: 90s\n    lookback: 2d\n    catch_up: 4w\n    keep: 400d\n").monitors["m"]
    assert m.keep == timedelta(days=400)
    assert (m.deadline, m.lookback, m.catch_up) == (timedelta(seconds=90), timedelta(days=2), timedelta(days=28))


@pytest.mark.parametrize("name", ["drift.example.yaml", "minimal.yaml"])
def test_shipped_examples_load_without_a_warning(name):
    config = read_config(CONFIG / name, {"DRIFT_STORE_PASSWORD": "a", "DRIFT_HOOK_SECRET": "b"})
    assert config.monitors
    assert config.warnings == ()


def test_the_annotated_example_names_every_key():
    text = (CONFIG / "drift.example.yaml").read_text()
    types = [value for value in vars(sections).values() if isinstance(value, type)]
    options = [*channel_option_classes().values(), *engine_option_classes().values()]
    classes = [*(cls for cls in types if issubclass(cls, sections.Section)), *options]
    assert len(classes) > 10
    for cls in classes:
        for key in cls.allowed():
            assert f"{key}:" in text or f"or {key}" in text, key
    for name in channel_option_classes():
        assert f"type: {name}" in text
    for name in engine_option_classes():
        assert f"{name}:" in text


@pytest.mark.parametrize(
    ("written", "store"),
    [
        ("sqlite:///drift.db", "sqlite:///{folder}/drift.db"),
        ("sqlite:///state/drift.db?timeout=5", "sqlite:///{folder}/state/drift.db?timeout=5"),
        ("sqlite+pysqlite:///drift.db", "sqlite+pysqlite:///{folder}/drift.db"),
        ("sqlite:////var/lib/drift.db", "sqlite:////var/lib/drift.db"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("sqlite://", "sqlite://"),
        ("postgresql+psycopg://u:${PW}@h/d", "postgresql+psycopg://u:p$w@h/d"),
    ],
)
def test_a_relative_store_starts_at_the_folder_of_the_configuration(loaded, monitor, tmp_path, written, store):
    assert loaded(f"{monitor}store: '{written}'\n", {"PW": "p$w"}).store == store.format(folder=tmp_path)


def test_relative_paths_start_at_the_folder_and_urls_stay_unchanged(loaded, monitor, tmp_path):
    def path(written: str) -> str:
        return loaded(monitor.replace("d.csv", written)).monitors["m"].source.path

    assert path("'*.csv'") == str(tmp_path / "*.csv")
    assert path("/srv/d.csv") == "/srv/d.csv"
    assert path("s3://bucket/d.parquet") == "s3://bucket/d.parquet"
    text = monitor.replace("{from: 2011-01-01, to: 2011-04-01}", "{path: train.csv}")
    assert loaded(text).monitors["m"].reference == Reference(path=str(tmp_path / "train.csv"))


@pytest.mark.parametrize(
    ("zone", "written", "instant"),
    [
        ("UTC", "2011-04-01", datetime(2011, 4, 1, tzinfo=UTC)),
        ("Asia/Tokyo", "2011-04-01", datetime(2011, 3, 31, 15, tzinfo=UTC)),
        ("Asia/Tokyo", "'2011-04-01T06:30'", datetime(2011, 3, 31, 21, 30, tzinfo=UTC)),
        ("Asia/Tokyo", "2011-04-01 06:30:00", datetime(2011, 3, 31, 21, 30, tzinfo=UTC)),
        ("Asia/Tokyo", "2011-04-01T06:30:00Z", datetime(2011, 4, 1, 6, 30, tzinfo=UTC)),
        ("Asia/Tokyo", "2011-04-01T06:30:00+02:00", datetime(2011, 4, 1, 4, 30, tzinfo=UTC)),
    ],
)
def test_dates_are_read_in_the_time_zone_of_the_monitor(loaded, monitor, zone, written, instant):
    m = loaded(f"{monitor}    timezone: {zone}\n    start: {written}\n").monitors["m"]
    assert m.start == instant
    assert m.start.tzinfo is UTC


def test_a_column_inherits_the_rule_of_the_monitor(loaded, monitor):
    rules = """\
    metric: kl
    smoothing: laplace
    base: e
    threshold: {warn: 0.1, drift: 0.3}
    bins: {numeric: uniform, count: 20, top: 5}
    columns:
      overrides:
        same: {bins: {top: 7}}
        named: {metric: kl, smoothing: 0}
        other: {metric: psi}
        auto: {threshold: auto}
        own: {metric: ks, threshold: 0.2, bins: [1, 2]}
"""
    columns = loaded(monitor + rules).monitors["m"].columns
    bins, limit = Bins("uniform", 20, top=5), Threshold(0.3, 0.1)
    assert columns.default == ColumnRule(bins, Method("kl", "laplace", math.e), limit)
    assert columns.overrides == {
        "same": ColumnRule(Bins("uniform", 20, top=7), Method("kl", "laplace", math.e), limit),
        "named": ColumnRule(bins, Method("kl", 0.0, math.e), limit),
        # Another metric: the values above were chosen for kl, so its own defaults apply.
        "other": ColumnRule(bins, Method("psi"), None),
        "auto": ColumnRule(bins, Method("kl", "laplace", math.e), None),
        "own": ColumnRule(Bins("edges", 20, (1, 2), 5), Method("ks"), Threshold(0.2)),
    }


def test_alert_settings_reach_the_core(loaded, monitor):
    text = (
        monitor + "    alert: {for: 3, verdicts: [warn, drift], notify: [a, b, a]}\n"
        "channels: {a: {type: console}, b: {type: console}}\n"
    )
    alerting = loaded(text).monitors["m"].alerting
    assert alerting == Alerting(3, 0, ("a", "b"), frozenset({Verdict.WARN, Verdict.DRIFT}))


def test_keys_without_a_value_count_as_absent(loaded, monitor):
    text = f"{monitor}    schedule:\n    threshold:\n    columns:\n      include:\n    alert:\nstore:\nchannels:\n"
    assert loaded(text).monitors["m"].columns == loaded(monitor).monitors["m"].columns


def test_keys_that_yaml_reads_as_other_types_stay_text(loaded, monitor):
    text = monitor.replace("  m:", "  no:") + "    columns: {overrides: {2011: {bins: [1]}, on: {bins: [1]}}}\n"
    config = loaded(text)
    assert list(config.monitors) == ["no"]
    assert list(config.monitors["no"].columns.overrides) == ["2011", "on"]


def test_own_keys_override_those_of_a_merged_monitor(loaded, monitor):
    text = monitor.replace("  m:", "  m: &m") + "    window: 1h\n  n:\n    <<: *m\n    timestamp: at\n"
    m, n = loaded(text).monitors.values()
    assert (n.name, n.timestamp, n.period) == ("n", "at", m.period)


def test_the_document_is_the_monitor_as_written_in_json(loaded, monitor):
    text = monitor + "    start: 2011-04-01 06:30:00\n    timezone: ${ZONE}\n    delay:\n    segments: ['$$x']\n"
    m = loaded(text, {"ZONE": "Asia/Tokyo"}).monitors["m"]
    assert m.timezone == ZoneInfo("Asia/Tokyo")
    assert m.segments == ("$x",)
    assert json.loads(json.dumps(m.document, allow_nan=False)) == {
        "source": {"path": "d.csv"},
        "timestamp": "ts",
        "reference": {"from": "2011-01-01", "to": "2011-04-01"},
        "start": "2011-04-01T06:30:00",
        "timezone": "${ZONE}",
        "delay": None,
        "segments": ["$$x"],
    }


@pytest.mark.parametrize(
    ("added", "place", "code", "data"),
    [
        ("    start: 2011-02-01\n", ":7: monitors.m.start: ", "start-in-reference", ""),
        ("    end: 2011-04-01\n", ":7: monitors.m.end: ", "nothing-monitored", ""),
        (
            "    columns: {include: [a], exclude: [a]}\n",
            ":7: monitors.m.columns.include[0]: ",
            "column-excluded",
            "'a'",
        ),
        (
            "    columns: {overrides: {a: {}}, exclude: [a]}\n",
            ":7: monitors.m.columns.overrides.a: ",
            "column-excluded",
            "'a'",
        ),
        (
            "    threshold: 0.2\n    false_alarms: 0.5 per 4w\n",
            ":8: monitors.m.false_alarms: ",
            "budget-unused",
            "there are none",
        ),
        (
            (
                "    threshold: 1\n    false_alarms: 1 per 4w\n"
                "    columns: {overrides: {a: {threshold: auto}, b: {}, c: {metric: psi}}}\n"
            ),
            ":8: monitors.m.false_alarms: ",
            "budget-unused",
            "a, c",
        ),
    ],
)
def test_valid_values_that_seem_unintended_give_a_warning(loaded, monitor, added, place, code, data):
    (warning,) = loaded(monitor + added).warnings
    assert place in warning
    assert data in warning
    assert warning.endswith(f"[{code}]")


def test_the_files_of_a_folder_are_read_as_one(tmp_path, monitor):
    (tmp_path / "a.yaml").write_text(monitor + "    alert: {notify: [hook]}\n")
    (tmp_path / "b.yml").write_text(monitor.replace("  m:", "  n:"))
    (tmp_path / "c.yaml").write_text("version: 1\nstore: sqlite:///s.db\nchannels: {hook: {type: console}}\n")
    (tmp_path / ".hidden.yaml").write_text("not: [read")
    (tmp_path / "notes.txt").write_text("not: [read")
    (tmp_path / "sub.yaml").mkdir()
    config = read_config(tmp_path)
    assert list(config.monitors) == ["m", "n"]
    assert config.channels == {"hook": ChannelSpec("hook", "console", ConsoleOptions())}
    assert (config.store, config.folder) == (f"sqlite:///{tmp_path}/s.db", tmp_path)


def test_a_duplicate_in_two_files_names_both_places(tmp_path, monitor):
    rest = "store: sqlite:///s.db\nchannels: {hook: {type: console}}\n"
    (tmp_path / "a.yaml").write_text(monitor + rest)
    (tmp_path / "b.yaml").write_text("# second\n" + monitor + rest)
    with pytest.raises(ConfigError) as error:
        read_config(tmp_path)
    a, b = tmp_path / "a.yaml", tmp_path / "b.yaml"
    assert error.value.code == "duplicate-key"
    lines = str(error.value).splitlines()
    for line, key, first in [(4, "monitors.m", 3), (8, "store", 7), (9, "channels.hook", 8)]:
        matches = [text for text in lines if text.startswith(f"{b}:{line}: {key}: ") and f"{a}:{first}" in text]
        assert len(matches) == 1, lines
    assert len(lines) == 3


def test_every_unreadable_file_of_a_folder_is_reported(tmp_path, monitor):
    (tmp_path / "a.yaml").write_text("a: [")
    (tmp_path / "b.yaml").write_text("b: }")
    (tmp_path / "c.yaml").write_text(monitor)
    with pytest.raises(ConfigError) as error:
        read_config(tmp_path)
    assert [line.split(":")[0] for line in str(error.value).splitlines()] == [
        str(tmp_path / name) for name in ("a.yaml", "b.yaml")
    ]


def test_without_strict_a_broken_monitor_leaves_the_others_usable(loaded, monitor, tmp_path):
    text = monitor + "  bad:\n    metric: jsd\n    metric: js\n  unset:\n    source: {path: '${NOT_SET}'}\n"
    config = loaded(text, strict=False)
    assert list(config.monitors) == ["m"]
    assert list(config.broken) == ["bad", "unset"]
    file = tmp_path / "drift.yaml"
    bad = config.broken["bad"].splitlines()[-1]
    assert bad.startswith(f"{file}:9: monitors.bad.metric: ")
    assert bad.endswith("[duplicate-key]")
    assert "line 8" in bad
    assert f"{file}:11: monitors.unset.source.path: the environment variable NOT_SET" in config.broken["unset"]
    with pytest.raises(ConfigError):
        loaded(text)


@pytest.mark.parametrize("added", ["stor: x\n", "store: x\n", "channels: {c: {type: slack}}\n", "channels: [a]\n"])
def test_without_strict_a_problem_outside_of_monitors_raises(loaded, monitor, added):
    with pytest.raises(ConfigError):
        loaded(monitor + added, strict=False)
