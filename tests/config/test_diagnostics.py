"""Each problem is reported with its line, key and code; all of them together."""

import os
from pathlib import Path

import pytest

from drift.config import InvalidConfigError
from drift.errors import ConfigError
from tests.support.configurations import read_config
from tests.support.snapshots import matches_snapshot

SNAPSHOT = Path(__file__).parent / "snapshots" / "problems.txt"
REFERENCE = "{from: 2011-01-01, to: 2011-04-01}"

# Appended to the monitor (line 7 on) -> line and key, code, data that the message names.
IN_MONITOR = {
    "unknown metric": ("    metric: jsd", "7: monitors.m.metric", "unknown-metric", "did you mean 'js'?"),
    "unknown key": ("    metrik: js", "7: monitors.m.metrik", "unknown-key", "did you mean 'metric'?"),
    "known keys": ("    zzz: js", "7: monitors.m.zzz", "unknown-key", "metric, smoothing, base"),
    "window": ("    window: 1y", "7: monitors.m.window", "invalid-value", "'1y'"),
    "window as number": ("    window: 1", "7: monitors.m.window", "invalid-value", "a number"),
    "window too long": ("    window: 99999999999d", "7: monitors.m.window", "invalid-value", "3660 days"),
    "delay too long": ("    delay: 99999999999999999999d", "7: monitors.m.delay", "invalid-value", "3660 days"),
    "delay": ("    delay: soon", "7: monitors.m.delay", "invalid-value", "'soon'"),
    "deadline of zero": ("    deadline: 0s", "7: monitors.m.deadline", "invalid-value", "30m"),
    "catch_up of zero": ("    catch_up: 0d", "7: monitors.m.catch_up", "invalid-value", ""),
    "lookback": ("    lookback: soon", "7: monitors.m.lookback", "invalid-value", "'soon'"),
    "schedule": ("    schedule: '15 2 * *'", "7: monitors.m.schedule", "invalid-value", "'15 2 * *'"),
    "schedule that never comes": (
        "    schedule: '0 0 31 2 *'",
        "7: monitors.m.schedule",
        "invalid-value",
        "Bad day-of-month",
    ),
    "time zone": (
        "    timezone: America/New_Yorck",
        "7: monitors.m.timezone",
        "invalid-value",
        "did you mean 'America/New_York'?",
    ),
    "directory of time zones": ("    timezone: America", "7: monitors.m.timezone", "invalid-value", "IANA"),
    "smoothing": ("    smoothing: laplas", "7: monitors.m.smoothing", "invalid-value", "did you mean 'laplace'?"),
    "negative smoothing": ("    smoothing: -1", "7: monitors.m.smoothing", "invalid-value", "-1"),
    "base": ("    base: 1", "7: monitors.m.base", "invalid-value", "1.0"),
    "boolean as text": ("    segments: [no]", "7: monitors.m.segments[0]", "invalid-value", "yes, no, on and off"),
    "list": ("    segments: season", "7: monitors.m.segments", "invalid-value", "[a, b]"),
    "mapping": ("    columns: [a]", "7: monitors.m.columns", "invalid-value", "include, exclude, overrides"),
    "edges": ("    bins: [0, 10, 10]", "7: monitors.m.bins", "invalid-axis", "10"),
    "edges of text": ("    bins: [a]", "7: monitors.m.bins", "invalid-value", "[0, 10, 20]"),
    "no edges": ("    bins: []", "7: monitors.m.bins", "invalid-value", "[0, 10, 20]"),
    "infinite edge": ("    bins: [0, .inf]", "7: monitors.m.bins", "invalid-axis", "inf"),
    "bins": ("    bins: {numeric: quantil}", "7: monitors.m.bins.numeric", "invalid-value", "did you mean 'quantile'?"),
    "bin count": ("    bins: {count: 0}", "7: monitors.m.bins.count", "invalid-value", "1 to 1000"),
    "bin count as boolean": ("    bins: {count: yes}", "7: monitors.m.bins.count", "invalid-value", ""),
    "bin top": ("    bins: {top: 1000000}", "7: monitors.m.bins.top", "invalid-value", "1 to 10000"),
    "bin key": ("    bins: {counts: 3}", "7: monitors.m.bins.counts", "unknown-key", "did you mean 'count'?"),
    "threshold": ("    threshold: automatic", "7: monitors.m.threshold", "invalid-value", "auto"),
    "threshold zero": ("    threshold: 0", "7: monitors.m.threshold", "invalid-value", "0.0"),
    "threshold nan": ("    threshold: .nan", "7: monitors.m.threshold", "invalid-value", "auto"),
    "threshold order": ("    threshold: {warn: 0.2, drift: 0.1}", "7: monitors.m.threshold", "invalid-value", "(0.2)"),
    "threshold without drift": ("    threshold: {warn: 0.2}", "7: monitors.m.threshold.drift", "missing-key", "drift"),
    "no default threshold": ("    metric: hellinger", "7: monitors.m.metric", "threshold-required", "hellinger"),
    "no default threshold for a column": (
        "    columns:\n      overrides:\n        a:\n          metric: ks",
        "10: monitors.m.columns.overrides.a.metric",
        "threshold-required",
        "ks",
    ),
    "no default threshold for auto": (
        "    metric: ks\n    threshold: 0.1\n    columns: {overrides: {a: {threshold: auto}}}",
        "9: monitors.m.columns.overrides.a.threshold",
        "threshold-required",
        "ks",
    ),
    "override key": (
        "    columns:\n      overrides:\n        threshold:\n          tresh: 1",
        "10: monitors.m.columns.overrides.threshold.tresh",
        "unknown-key",
        "metric, smoothing, base, bins, threshold (did you mean 'threshold'?)",
    ),
    "override without value": (
        "    columns: {overrides: {a: }}",
        "7: monitors.m.columns.overrides.a",
        "invalid-value",
        "metric, smoothing, base",
    ),
    "exclude": (
        "    columns:\n      exclude:\n      - a\n      - 3",
        "10: monitors.m.columns.exclude[1]",
        "invalid-value",
        "",
    ),
    "false alarms": ("    false_alarms: 1 a day", "7: monitors.m.false_alarms", "invalid-value", "1 per 90d"),
    "zero false alarms": ("    false_alarms: 0 per 9d", "7: monitors.m.false_alarms", "invalid-value", "'0 per 9d'"),
    "false alarms in zero time": (
        "    false_alarms: 1 per 0d",
        "7: monitors.m.false_alarms",
        "invalid-value",
        "'1 per 0d'",
    ),
    "for": ("    alert: {for: 0}", "7: monitors.m.alert.for", "invalid-value", "1 to 10000"),
    "keep firing": (
        "    alert: {keep_firing_for: -1}",
        "7: monitors.m.alert.keep_firing_for",
        "invalid-value",
        "0 to 10000",
    ),
    "alert key": ("    alert: {four: 1}", "7: monitors.m.alert.four", "unknown-key", "did you mean 'for'?"),
    "no channel": ("    alert: {notify: [team]}", "7: monitors.m.alert.notify[0]", "unknown-channel", "'team'"),
    "channel": (
        "    alert: {notify: [hook]}\nchannels: {hooks: {type: console}}",
        "7: monitors.m.alert.notify[0]",
        "unknown-channel",
        "did you mean 'hooks'?",
    ),
    "verdict": (
        "    alert: {verdicts: [drifted]}",
        "7: monitors.m.alert.verdicts[0]",
        "invalid-value",
        "did you mean 'drift'?",
    ),
    "alert on ok": ("    alert: {verdicts: [ok]}", "7: monitors.m.alert.verdicts[0]", "invalid-value", "warn, drift"),
    "labels": ("    alert: {labels: {tier: 1}}", "7: monitors.m.alert.labels.tier", "invalid-value", ""),
    "labels as a list": ("    alert: {labels: [a]}", "7: monitors.m.alert.labels", "invalid-value", "a list"),
    "start": ("    start: 3", "7: monitors.m.start", "invalid-value", "2011-04-01"),
    "start as words": ("    start: soon", "7: monitors.m.start", "invalid-value", "'soon'"),
    "day that does not exist": ("    start: 2011-02-30", "7: monitors.m.start", "invalid-value", "a date"),
    "end before start": ("    start: 2012-01-01\n    end: 2012-01-01", "8: monitors.m.end", "invalid-range", "start"),
    "before year 1": (
        "    timezone: Asia/Tokyo\n    start: 0001-01-01",
        "8: monitors.m.start",
        "invalid-value",
        "1 to 9999",
    ),
    "duplicate key": ("    window: 1d\n    window: 1h", "8: monitors.m.window", "duplicate-key", "line 7"),
    "tag": ("    timestamp2: !!python/name:os.system", "7: monitors.m.timestamp2", "yaml-tag", "!name"),
    "variable": ("    segments: ['${NOT_SET}']", "7: monitors.m.segments[0]", "unset-variable", "NOT_SET"),
    "default of a variable": ("    segments: ['${A:-b}']", "7: monitors.m.segments[0]", "invalid-variable", "$$"),
    "channel type": (
        "channels:\n  a:\n    type: pagerduty",
        "9: channels.a.type",
        "not-in-release",
        "webhook, console, file",
    ),
    "channel without type": ("channels:\n  a: {url: x}", "8: channels.a.type", "missing-key", "webhook, console, file"),
    "channel without value": ("channels:\n  a:", "8: channels.a", "invalid-value", "nothing"),
    "channel key": ("channels:\n  a: {type: console, url: x}", "8: channels.a.url", "unknown-key", ""),
    "webhook without url": ("channels:\n  a: {type: webhook}", "8: channels.a.url", "missing-key", "url_file"),
    "url": (
        "channels:\n  a:\n    type: webhook\n    url: hooks.example.org",
        "10: channels.a.url",
        "invalid-value",
        "https://",
    ),
    "url and url_file": (
        "channels:\n  a: {type: webhook, url: https://x.org,\n    url_file: u}",
        "9: channels.a.url_file",
        "conflicting-keys",
        "url",
    ),
    "url_file": (
        "channels:\n  a: {type: webhook, url_file: gone}",
        "8: channels.a.url_file",
        "secret-file-unreadable",
        "gone (No such file or directory)",
    ),
    "timeout": (
        "channels:\n  a: {type: webhook, url: https://x.org, timeout: 0}",
        "8: channels.a.timeout",
        "invalid-value",
        "300",
    ),
    "secret without value": (
        "channels:\n  a: {type: webhook, url: https://x.org, secret: }",
        "8: channels.a.secret",
        "invalid-value",
        "",
    ),
    "header": (
        "channels:\n  a: {type: webhook, url: https://x.org, headers: {'a b': c}}",
        "8: channels.a.headers",
        "invalid-value",
        "X-Team",
    ),
    "header value": (
        'channels:\n  a: {type: webhook, url: https://x.org, headers: {a: "b\\r\\nc"}}',
        "8: channels.a.headers.a",
        "invalid-value",
        "ASCII",
    ),
    "file channel": ("channels:\n  a: {type: file}", "8: channels.a.path", "missing-key", "path"),
    "channels as a list": ("channels: [a]", "7: channels", "invalid-value", "a list"),
    "unknown section": ("chanels: {}", "7: chanels", "unknown-key", "did you mean 'channels'?"),
    "store": ("store: drift.db", "7: store", "invalid-value", "sqlite:///drift.db"),
    "postgres scheme": ("store: postgres://u@h/d", "7: store", "invalid-value", "postgresql://"),
    "store variable": ("store: ${NOT_SET}", "7: store", "unset-variable", "NOT_SET"),
    "monitor's name": ("  ' m':\n    timestamp: ts", "7: monitors.' m'", "invalid-key", "100"),
}

# A whole text -> line and key, code, data that the message names.
WHOLE = {
    "empty": ("", "1: ", "config-empty", "drift init DATA"),
    "only comments": ("# nothing\n", "1: ", "config-empty", "drift init DATA"),
    "a list": ("- a\n", "1: ", "invalid-value", "version, store, page, monitors, channels"),
    "no version": ("monitors: {}\n", "1: version: ", "missing-key", "version"),
    "later version": ("version: 2\n", "1: version: ", "invalid-value", "version 1"),
    "version true": ("version: true\n", "1: version: ", "invalid-value", "version 1"),
    "no monitor": ("version: 1\n", " monitors: ", "no-monitor", "drift init DATA"),
    "monitors as a list": ("version: 1\nmonitors: [a]\n", "2: monitors: ", "invalid-value", "a list"),
    "no source": (
        "version: 1\nmonitors: {m: {timestamp: t, reference: {path: x}}}\n",
        "2: monitors.m.source: ",
        "missing-key",
        "source",
    ),
    "tab": ("version: 1\n\tmonitors: 2\n", "2:1: ", "yaml-syntax", "'\\t'"),
    "not closed": ("version: [1\n", "2:1: ", "yaml-syntax", "line 1"),
    "two documents": ("version: 1\n---\nversion: 1\n", "2:1: ", "yaml-syntax", "line 1"),
    "cron without quotes": ("version: 1\nschedule: * * * * *\n", "2:12: ", "yaml-syntax", "quotes"),
    "control character": ("version: 1\nstore: \x07\n", "2: ", "yaml-syntax", "U+0007"),
    "deep": (
        "[" * 2000,
        "1:51: ",
        "yaml-syntax",
        "50",
    ),
    "alias of itself": ("a: &a [*a]\n", "1:4: ", "yaml-syntax", ""),
    "merge of itself": ("a: &a {<<: *a}\n", "1:4: ", "yaml-syntax", ""),
    "list as key": ("version: 1\n? [a]\n: b\n", "2: ", "invalid-key", ""),
}

# A reference, the window -> key below reference, code, data that the message names.
MOVING = {
    "windows without a season": ("{rolling: 28d, windows: 3}", "1d", "", "conflicting-keys", "seasonal"),
    "no window of a season": ("{seasonal: 1w, windows: 0}", "1d", ".windows", "invalid-value", "1 to 60; got 0"),
    "too many windows of a season": (
        "{seasonal: 1w, windows: 61}",
        "1d",
        ".windows",
        "invalid-value",
        "1 to 60; got 61",
    ),
    "windows as text": ("{seasonal: 1w, windows: few}", "1d", ".windows", "invalid-value", ""),
    "rolling as words": ("{rolling: month}", "1d", ".rolling", "invalid-value", "'month'"),
    "rolling as a number": ("{rolling: 28}", "1d", ".rolling", "invalid-value", "a number"),
    "a single rolling window": ("{rolling: 1d}", "1d", ".rolling", "reference-too-short", "2 windows of 1d"),
    "less than two rolling windows": ("{rolling: 47h}", "1d", ".rolling", "reference-too-short", "2 windows of 1d"),
    "no rolling window": ("{rolling: 0d}", "1h", ".rolling", "reference-too-short", "2 windows of 1h"),
    "season of no weeks": ("{seasonal: 0w}", "1d", ".seasonal", "invalid-value", "'0w'"),
    "season of days": ("{seasonal: 30d}", "1d", ".seasonal", "invalid-value", "'30d'"),
    "season of hours": ("{seasonal: 24h}", "1h", ".seasonal", "invalid-value", "'24h'"),
    "season of a calendar year": ("{seasonal: 365d}", "1d", ".seasonal", "invalid-value", "'365d'"),
    "seasons of years": ("{seasonal: 2y}", "1d", ".seasonal", "invalid-value", "'2y'"),
    "season as words": ("{seasonal: yearly}", "1d", ".seasonal", "invalid-value", "'yearly'"),
    "season as a number": ("{seasonal: 52}", "1w", ".seasonal", "invalid-value", "a number"),
    "season too long": ("{seasonal: 99999w}", "1d", ".seasonal", "invalid-value", "'99999w'"),
    "window longer than the season": ("{seasonal: 1w}", "2w", ".seasonal", "reference-mismatch", "2w"),
    "window that does not divide the season": ("{seasonal: 1w}", "5h", ".seasonal", "reference-mismatch", "5h"),
    "window that does not divide a week": ("{seasonal: 1y}", "2w", ".windows", "reference-mismatch", "windows: 1"),
    "weeks that reach the window itself": (
        "{seasonal: 14w, windows: 29}",
        "1d",
        ".windows",
        "reference-mismatch",
        "14 weeks",
    ),
}


@pytest.mark.parametrize(("added", "place", "code", "data"), IN_MONITOR.values(), ids=IN_MONITOR)
def test_a_problem_has_line_key_code_and_data(errors, monitor, added, place, code, data):
    lines = errors(monitor + added + "\n")
    matching = [line for line in lines if line.startswith(place + ": ")]
    assert len(matching) == 1, lines
    assert matching[0].endswith(f" [{code}]")
    assert data in matching[0]
    if "' m'" not in place:
        assert lines == matching, "no other problem is reported"


@pytest.mark.parametrize(("text", "place", "code", "data"), WHOLE.values(), ids=WHOLE)
def test_a_file_that_is_not_a_configuration_is_reported(errors, tmp_path, text, place, code, data):
    lines = [line.removeprefix(str(tmp_path / "drift.yaml")) for line in errors(text)]
    assert any(line.startswith(place) and line.endswith(f" [{code}]") and data in line for line in lines), lines


def test_exponential_aliases_are_refused(errors):
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    merges = ["a0: &a0 {x: 1}"]
    merges += [f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 10)}]}}" for i in range(1, 12)]
    for lines in (levels, merges):
        (line,) = errors("\n".join(lines))
        assert "100000 values" in line
        assert line.endswith("[yaml-syntax]")


def test_sources_of_later_releases_are_not_unknown_keys(errors):
    (line,) = errors(
        "version: 1\nmonitors:\n  m:\n    source: {storage: a, path: b}\n    timestamp: t\n"
        "    reference: {rolling: 28d}\n"
    )
    assert line.startswith("4: monitors.m.source.storage: ")
    assert "path, url, table, query, timeout, spark" in line
    assert line.endswith("[not-in-release]")


@pytest.mark.parametrize("kind", ["slack", "email", "pagerduty", "teams", "alertmanager", "apprise"])
def test_channels_of_later_releases_are_refused_by_name(errors, monitor, kind):
    (line,) = errors(f"{monitor}channels: {{team: {{type: {kind}, url: x}}}}\n")
    assert line.startswith("7: channels.team.type: ")
    assert f"channel type {kind} " in line
    assert "webhook, console, file" in line
    assert line.endswith("[not-in-release]")


@pytest.mark.parametrize(
    ("source", "key", "code", "data"),
    [
        ("{}", "", "conflicting-keys", "path"),
        ("{path: a, url: 'sqlite:///b', table: t}", "", "conflicting-keys", "spark"),
        ("{table: t}", "", "conflicting-keys", "path"),
        ("{path: a, table: t}", "", "conflicting-keys", "url"),
        ("{url: 'sqlite:///b'}", "", "conflicting-keys", "schema.name"),
        ("{url: 'sqlite:///b', table: t, query: SELECT 1}", "", "conflicting-keys", "query"),
        ("{url: 'sqlite:///b', table: t, timeout: 0s}", "", "invalid-value", "timeout"),
        ("{url: 'sqlite:///b', table: t, timeout: soon}", ".timeout", "invalid-value", "s, m, h, d or w"),
        ("{url: b, table: t}", ".url", "invalid-value", "sqlite:///drift.db"),
        ("{url: 'postgres://u:hunter2@h/d', table: t}", ".url", "invalid-value", "postgresql://"),
        ("{spark: {remote: 'sc://h'}}", ".spark", "conflicting-keys", "db.features"),
        ("{spark: {table: t, query: q}}", ".spark", "conflicting-keys", "query"),
        ("{spark: {host: h, table: t}}", ".spark.host", "unknown-key", "remote, table, query"),
    ],
)
def test_a_source_is_files_a_database_or_spark(errors, monitor, source, key, code, data):
    text = monitor.replace("{path: d.csv}", source)
    assert source in text
    (line,) = errors(text)
    assert f": monitors.m.source{key}: " in line
    assert data in line
    assert line.endswith(f"[{code}]")
    assert "hunter2" not in line


@pytest.mark.parametrize(
    "reference",
    [
        "{from: 2011-01-01}",
        "{to: 2011-01-01}",
        "{}",
        "{from: 2011-01-01, to: 2012-01-01, path: x}",
        "{rolling: 28d, path: x}",
        "{rolling: 28d, seasonal: 1w}",
        "{from: 2011-01-01, to: 2012-01-01, seasonal: 1w}",
        "{to: 2012-01-01, rolling: 28d}",
        "{windows: 3}",
    ],
)
def test_a_reference_has_exactly_one_kind(errors, monitor, reference):
    (line,) = errors(monitor.replace(REFERENCE, reference))
    assert line.startswith("6: monitors.m.reference: ")
    assert all(kind in line for kind in ("from and to", "path", "rolling", "seasonal"))
    assert line.endswith("[conflicting-keys]")


@pytest.mark.parametrize(("reference", "window", "key", "code", "data"), MOVING.values(), ids=MOVING)
def test_a_moving_reference_fits_the_windows(errors, monitor, reference, window, key, code, data):
    (line,) = errors(monitor.replace(REFERENCE, reference) + f"    window: {window}\n")
    assert line.startswith(f"6: monitors.m.reference{key}: "), line
    assert data in line
    assert line.endswith(f"[{code}]")


def test_a_reference_ends_after_it_begins(errors, monitor):
    (line,) = errors(monitor.replace("2011-04-01", "2011-01-01"))
    assert line.startswith("6: monitors.m.reference.to: ")
    assert line.endswith("[invalid-range]")


def test_all_problems_are_reported_in_the_order_of_the_file(errors, monitor):
    text = monitor + "    metric: jsd\n    window: 1y\n  n:\n    source: 3\nchannels:\n  c: {type: slack}\nstor: x\n"
    places = [line.split(": ")[:2] for line in errors(text)]
    assert places == [
        ["7", "monitors.m.metric"],
        ["8", "monitors.m.window"],
        ["9", "monitors.n.reference"],
        ["9", "monitors.n.timestamp"],
        ["10", "monitors.n.source"],
        ["12", "channels.c.type"],
        ["13", "stor"],
    ]


@pytest.mark.parametrize(
    ("added", "code", "codes"),
    [
        ("    metrik: js\n", "unknown-key", ["unknown-key"]),
        ("    metrik: js\nstor: x\n", "unknown-key", ["unknown-key", "unknown-key"]),
        ("    metric: jsd\nstor: x\n", "invalid-configuration", ["unknown-metric", "unknown-key"]),
    ],
)
def test_the_error_carries_problems_and_their_common_code(loaded, monitor, tmp_path, added, code, codes):
    with pytest.raises(InvalidConfigError) as error:
        loaded(monitor + added)
    assert error.value.code == code
    assert [problem.code for problem in error.value.problems] == codes
    first = error.value.problems[0].to_dict()
    assert first.pop("message")
    assert (first.pop("file"), first.pop("line"), first.pop("column")) == (str(tmp_path / "drift.yaml"), 7, None)
    assert first.pop("key").startswith("monitors.m.metri")
    assert first == {"code": codes[0]}


def test_a_missing_file_and_an_empty_folder_name_the_remedy(tmp_path):
    for path in (tmp_path / "gone.yaml", tmp_path):
        with pytest.raises(ConfigError) as error:
            read_config(path)
        assert error.value.code == "config-not-found"
        assert str(error.value).startswith(f"{path}: ")
        assert "drift init DATA" in str(error.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read any folder")
def test_an_unreadable_folder_is_reported(tmp_path):
    tmp_path.chmod(0)
    try:
        with pytest.raises(ConfigError) as error:
            read_config(tmp_path)
    finally:
        tmp_path.chmod(0o700)
    assert error.value.code == "config-unreadable"


def test_a_file_without_utf8_is_reported_with_its_line(tmp_path):
    file = tmp_path / "drift.yaml"
    file.write_bytes(b"version: 1\n# caf\xe9\n")
    with pytest.raises(ConfigError) as error:
        read_config(file)
    assert error.value.code == "config-unreadable"
    assert str(error.value).startswith(f"{file}:2: ")


def test_problems_name_the_file_as_the_user_gave_it(tmp_path, monkeypatch):
    (tmp_path / "drift.yaml").write_text("version: 3\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"^drift\.yaml:1: version: "):
        read_config(Path("drift.yaml"))


def test_the_wording_of_problems_is_reviewed(errors, monitor, tmp_path):
    texts = {name: monitor + added + "\n" for name, (added, *_) in IN_MONITOR.items()}
    texts |= {name: text for name, (text, *_) in WHOLE.items()}
    texts |= {
        name: monitor.replace(REFERENCE, reference) + f"    window: {window}\n"
        for name, (reference, window, *_) in MOVING.items()
    }
    lines = [f"{name}\n  " + "\n  ".join(errors(text)) for name, text in texts.items()]
    assert matches_snapshot(SNAPSHOT, "\n".join(lines).replace(str(tmp_path), "FOLDER") + "\n")
