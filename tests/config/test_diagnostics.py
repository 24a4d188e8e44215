"""Every mistake is told with its line, its key and a remedy; all of them at once."""

import pytest

from drift.config import load
from drift.errors import ConfigError

# What is appended to the monitor (line 7 on) -> line, key, piece of the remedy.
IN_MONITOR = {
    "unknown metric": ("    metric: jsd", "7: monitors.m.metric", "did you mean 'js'?"),
    "unknown key": ("    metrik: js", "7: monitors.m.metrik", "did you mean 'metric'?"),
    "known keys": ("    zzz: js", "7: monitors.m.zzz", "known are metric, smoothing, base"),
    "window": ("    window: 1y", "7: monitors.m.window", "such as 1h, 1d, 1w; got '1y'"),
    "window as number": ("    window: 1", "7: monitors.m.window", "expected text; got a number"),
    "endless window": ("    window: 99999999999d", "7: monitors.m.window", "at most 3660 days"),
    "endless delay": ("    delay: 99999999999999999999d", "7: monitors.m.delay", "at most 3660 days"),
    "delay": ("    delay: soon", "7: monitors.m.delay", "such as 2h"),
    "no time": ("    deadline: 0s", "7: monitors.m.deadline", "longer than nothing, such as 30m"),
    "no catching up": ("    catch_up: 0d", "7: monitors.m.catch_up", "leave it out for the default"),
    "lookback": ("    lookback: soon", "7: monitors.m.lookback", "such as 2h"),
    "schedule": ("    schedule: '15 2 * *'", "7: monitors.m.schedule", "minute hour day month weekday"),
    "schedule that never comes": ("    schedule: '0 0 31 2 *'", "7: monitors.m.schedule", "Bad day-of-month"),
    "time zone": ("    timezone: America/New_Yorck", "7: monitors.m.timezone", "did you mean 'America/New_York'?"),
    "folder of time zones": ("    timezone: America", "7: monitors.m.timezone", "IANA"),
    "smoothing": ("    smoothing: laplas", "7: monitors.m.smoothing", "did you mean 'laplace'?"),
    "negative smoothing": ("    smoothing: -1", "7: monitors.m.smoothing", ">= 0"),
    "base": ("    base: 1", "7: monitors.m.base", "> 1"),
    "norway": ("    segments: [no]", "7: monitors.m.segments[0]", "put it in quotes"),
    "list": ("    segments: season", "7: monitors.m.segments", "expected a list, such as [a, b]"),
    "mapping": ("    columns: [a]", "7: monitors.m.columns", "include, exclude, overrides; got a list"),
    "edges": ("    bins: [0, 10, 10]", "7: monitors.m.bins", "edges increase strictly"),
    "edges of text": ("    bins: [a]", "7: monitors.m.bins", "edges are numbers"),
    "no edges": ("    bins: []", "7: monitors.m.bins", "empty list"),
    "endless edge": ("    bins: [0, .inf]", "7: monitors.m.bins", "finite"),
    "bins": ("    bins: {numeric: quantil}", "7: monitors.m.bins.numeric", "did you mean 'quantile'?"),
    "bin count": ("    bins: {count: 0}", "7: monitors.m.bins.count", "1 to 1000"),
    "bin count as boolean": ("    bins: {count: yes}", "7: monitors.m.bins.count", "whole number"),
    "bin top": ("    bins: {top: 1000000}", "7: monitors.m.bins.top", "1 to 10000"),
    "bin key": ("    bins: {counts: 3}", "7: monitors.m.bins.counts", "did you mean 'count'?"),
    "threshold": ("    threshold: automatic", "7: monitors.m.threshold", "auto, a number, or"),
    "threshold zero": ("    threshold: 0", "7: monitors.m.threshold", "above 0"),
    "threshold nan": ("    threshold: .nan", "7: monitors.m.threshold", "expected auto, a number"),
    "threshold order": ("    threshold: {warn: 0.2, drift: 0.1}", "7: monitors.m.threshold", "lies above drift"),
    "threshold without drift": ("    threshold: {warn: 0.2}", "7: monitors.m.threshold.drift", "missing"),
    "no customary number": ("    metric: hellinger", "7: monitors.m.metric", "threshold: 0.1"),
    "no customary number for a column": (
        "    columns:\n      overrides:\n        a:\n          metric: ks",
        "10: monitors.m.columns.overrides.a.metric",
        "metric ks has no default threshold",
    ),
    "no customary number for auto": (
        "    metric: ks\n    threshold: 0.1\n    columns: {overrides: {a: {threshold: auto}}}",
        "9: monitors.m.columns.overrides.a.threshold",
        "metric ks has no default threshold",
    ),
    "override key": (
        "    columns:\n      overrides:\n        threshold:\n          tresh: 1",
        "10: monitors.m.columns.overrides.threshold.tresh",
        "known are metric, smoothing, base, bins, threshold (did you mean 'threshold'?)",
    ),
    "override without value": (
        "    columns: {overrides: {a: }}",
        "7: monitors.m.columns.overrides.a",
        "expected a mapping with the keys metric",
    ),
    "exclude": ("    columns:\n      exclude:\n      - a\n      - 3", "10: monitors.m.columns.exclude[1]", "in quotes"),
    "false alarms": ("    false_alarms: 1 a day", "7: monitors.m.false_alarms", "1 per 90d"),
    "false alarms of nothing": ("    false_alarms: 0 per 9d", "7: monitors.m.false_alarms", "above 0"),
    "false alarms in no time": ("    false_alarms: 1 per 0d", "7: monitors.m.false_alarms", "some time"),
    "for": ("    alert: {for: 0}", "7: monitors.m.alert.for", "1 to 10000"),
    "keep firing": ("    alert: {keep_firing_for: -1}", "7: monitors.m.alert.keep_firing_for", "0 to 10000"),
    "alert key": ("    alert: {four: 1}", "7: monitors.m.alert.four", "did you mean 'for'?"),
    "no channel": ("    alert: {notify: [team]}", "7: monitors.m.alert.notify[0]", "add it under channels"),
    "channel": (
        "    alert: {notify: [hook]}\nchannels: {hooks: {type: console}}",
        "7: monitors.m.alert.notify[0]",
        "known are hooks (did you mean 'hooks'?)",
    ),
    "verdict": ("    alert: {verdicts: [drifted]}", "7: monitors.m.alert.verdicts[0]", "did you mean 'drift'?"),
    "alert on ok": ("    alert: {verdicts: [ok]}", "7: monitors.m.alert.verdicts[0]", "known are warn, drift"),
    "labels": ("    alert: {labels: {tier: 1}}", "7: monitors.m.alert.labels.tier", "in quotes"),
    "labels as a list": ("    alert: {labels: [a]}", "7: monitors.m.alert.labels", "expected a mapping"),
    "start": ("    start: 3", "7: monitors.m.start", "such as 2011-04-01"),
    "start as words": ("    start: soon", "7: monitors.m.start", "not a date: 'soon'"),
    "no such day": ("    start: 2011-02-30", "7: monitors.m.start", "there is none such"),
    "end before start": ("    start: 2012-01-01\n    end: 2012-01-01", "8: monitors.m.end", "start comes before end"),
    "before all time": ("    timezone: Asia/Tokyo\n    start: 0001-01-01", "8: monitors.m.start", "years 1 to 9999"),
    "given twice": ("    window: 1d\n    window: 1h", "8: monitors.m.window", "first on line 7"),
    "tag": ("    timestamp2: !!python/name:os.system", "7: monitors.m.timestamp2", "tags"),
    "variable": ("    segments: ['${NOT_SET}']", "7: monitors.m.segments[0]", "variable NOT_SET is not set"),
    "default of a variable": ("    segments: ['${A:-b}']", "7: monitors.m.segments[0]", "$$ for a dollar"),
    "channel type": ("channels:\n  a:\n    type: pagerduty", "9: channels.a.type", "known are webhook, console, file"),
    "channel without type": ("channels:\n  a: {url: x}", "8: channels.a.type", "known in this release"),
    "channel without value": ("channels:\n  a:", "8: channels.a", "expected a mapping"),
    "channel key": ("channels:\n  a: {type: console, url: x}", "8: channels.a.url", "unknown key"),
    "webhook without url": ("channels:\n  a: {type: webhook}", "8: channels.a.url", "url_file"),
    "url": ("channels:\n  a:\n    type: webhook\n    url: hooks.example.org", "10: channels.a.url", "https://"),
    "url and url_file": (
        "channels:\n  a: {type: webhook, url: https://x.org,\n    url_file: u}",
        "9: channels.a.url_file",
        "keep one",
    ),
    "url_file": ("channels:\n  a: {type: webhook, url_file: gone}", "8: channels.a.url_file", "No such file"),
    "timeout": ("channels:\n  a: {type: webhook, url: https://x.org, timeout: 0}", "8: channels.a.timeout", "above 0"),
    "lost secret": (
        "channels:\n  a: {type: webhook, url: https://x.org, secret: }",
        "8: channels.a.secret",
        "no value",
    ),
    "header": (
        "channels:\n  a: {type: webhook, url: https://x.org, headers: {'a b': c}}",
        "8: channels.a.headers",
        "rename",
    ),
    "header value": (
        'channels:\n  a: {type: webhook, url: https://x.org, headers: {a: "b\\r\\nc"}}',
        "8: channels.a.headers.a",
        "one line",
    ),
    "file channel": ("channels:\n  a: {type: file}", "8: channels.a.path", "missing"),
    "channels as a list": ("channels: [a]", "7: channels", "expected a mapping"),
    "unknown section": ("chanels: {}", "7: chanels", "did you mean 'channels'?"),
    "store": ("store: drift.db", "7: store", "sqlite:///drift.db"),
    "old name of a store": ("store: postgres://u@h/d", "7: store", "postgresql://"),
    "store variable": ("store: ${NOT_SET}", "7: store", "variable NOT_SET is not set"),
    "monitor's name": ("  ' m':\n    timestamp: ts", "7: monitors.' m'", "rename"),
}


@pytest.mark.parametrize(("added", "place", "remedy"), IN_MONITOR.values(), ids=IN_MONITOR)
def test_a_mistake_is_told_with_line_key_and_remedy(errors, monitor, added, place, remedy):
    told = errors(monitor + added + "\n")
    matching = [line for line in told if line.startswith(place + ": ")]
    assert len(matching) == 1, told
    assert remedy in matching[0]
    if "name" not in place and "' m'" not in place:
        assert told == matching  # and nothing else


# A whole text -> line, key, piece of the remedy.
WHOLE = {
    "empty": ("", "1: ", "drift init DATA"),
    "only comments": ("# nothing\n", "1: ", "drift init DATA"),
    "a list": ("- a\n", "1: ", "expected a mapping with the keys version, store, page, monitors, channels; got a list"),
    "no version": ("monitors: {}\n", "1: version: ", "missing"),
    "version of tomorrow": ("version: 2\n", "1: version: ", "reads version 1"),
    "version true": ("version: true\n", "1: version: ", "reads version 1"),
    "no monitor": ("version: 1\n", " monitors: ", "no monitor is defined"),
    "monitors as a list": ("version: 1\nmonitors: [a]\n", "2: monitors: ", "expected a mapping"),
    "no source": (
        "version: 1\nmonitors: {m: {timestamp: t, reference: {path: x}}}\n",
        "2: monitors.m.source: ",
        "give",
    ),
    "tab": ("version: 1\n\tmonitors: 2\n", "2:1: ", "'\\t'"),
    "not closed": ("version: [1\n", "2:1: ", "that began on line 1"),
    "two documents": ("version: 1\n---\nversion: 1\n", "2:1: ", "another document"),
    "cron without quotes": ("version: 1\nschedule: * * * * *\n", "2:12: ", "in quotes"),
    "control character": ("version: 1\nstore: \x07\n", "2: ", "U+0007"),
    "deep": ("[" * 2000, "1:51: ", "nested more than 50 deep"),
    "alias of itself": ("a: &a [*a]\n", "1:4: ", "holds itself"),
    "merge of itself": ("a: &a {<<: *a}\n", "1:4: ", "holds itself"),
    "list as key": ("version: 1\n? [a]\n: b\n", "2: ", "a key is text"),
}


@pytest.mark.parametrize(("text", "place", "remedy"), WHOLE.values(), ids=WHOLE)
def test_a_file_that_is_no_configuration_is_told_so(errors, tmp_path, text, place, remedy):
    told = [line.removeprefix(str(tmp_path / "drift.yaml")) for line in errors(text)]
    assert any(line.startswith(place) and remedy in line for line in told), told


def test_laughs_by_the_billion_are_cut_short(errors):
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    assert "more than 100000 values" in errors("\n".join(levels))[0]
    merges = ["a0: &a0 {x: 1}"]
    merges += [f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 10)}]}}" for i in range(1, 12)]
    assert "more than 100000 values" in errors("\n".join(merges))[0]


def test_sources_of_later_releases_are_told_apart_from_typing_errors(errors):
    told = errors(
        "version: 1\nmonitors:\n  m:\n    source: {storage: a, path: b}\n    timestamp: t\n"
        "    reference: {rolling: 28d}\n"
    )
    assert told == [
        "4: monitors.m.source.storage: not in this release; known are path, url, table, query, timeout, spark",
    ]


@pytest.mark.parametrize(
    ("source", "place", "remedy"),
    [
        ("{}", "", "give path (files), url and table or query (a database), or spark"),
        ("{path: a, url: 'sqlite:///b', table: t}", "", "one of them only"),
        ("{table: t}", "", "give path"),
        ("{path: a, table: t}", "", "go with url"),
        ("{url: 'sqlite:///b'}", "", "give table (name or schema.name) or query"),
        ("{url: 'sqlite:///b', table: t, query: SELECT 1}", "", "not both"),
        ("{url: 'sqlite:///b', table: t, timeout: 0s}", "", "longer than nothing"),
        ("{url: 'sqlite:///b', table: t, timeout: soon}", ".timeout", "a number and s, m, h, d or w"),
        ("{url: b, table: t}", ".url", "expected a database URL"),
        ("{url: 'postgres://u:hunter2@h/d', table: t}", ".url", "expected postgresql://"),
        ("{spark: {remote: 'sc://h'}}", ".spark", "give table"),
        ("{spark: {table: t, query: q}}", ".spark", "not both"),
        ("{spark: {host: h, table: t}}", ".spark.host", "known are remote, table, query"),
    ],
)
def test_a_source_is_files_a_database_or_spark(errors, monitor, source, place, remedy):
    text = monitor.replace("{path: d.csv}", source)
    assert source in text
    (told,) = errors(text)
    assert f": monitors.m.source{place}: " in told
    assert remedy in told
    assert "hunter2" not in told


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
def test_a_reference_is_of_one_kind(errors, monitor, reference):
    text = monitor.replace("{from: 2011-01-01, to: 2011-04-01}", reference)
    (told,) = errors(text)
    assert told.startswith("6: monitors.m.reference: ")
    assert "from and to" in told
    assert "rolling" in told
    assert "seasonal" in told


# A reference, the monitor's window -> key below reference, piece of the remedy.
MOVING = {
    "windows without a season": ("{rolling: 28d, windows: 3}", "1d", "", "goes with seasonal"),
    "no window of a season": ("{seasonal: 1w, windows: 0}", "1d", ".windows", "1 to 60; got 0"),
    "too many windows of a season": ("{seasonal: 1w, windows: 61}", "1d", ".windows", "1 to 60; got 61"),
    "windows as text": ("{seasonal: 1w, windows: few}", "1d", ".windows", "whole number"),
    "rolling as words": ("{rolling: month}", "1d", ".rolling", "a number and s, m, h, d or w"),
    "rolling as a number": ("{rolling: 28}", "1d", ".rolling", "expected text"),
    "one rolling window": ("{rolling: 1d}", "1d", ".rolling", "at least 2 windows of 1d, and holds 1"),
    "less than two rolling windows": ("{rolling: 47h}", "1d", ".rolling", "at least 2 windows of 1d, and holds 1"),
    "no rolling window": ("{rolling: 0d}", "1h", ".rolling", "at least 2 windows of 1h, and holds 0"),
    "season of no weeks": ("{seasonal: 0w}", "1d", ".seasonal", "the same hour of the week: whole weeks, or 1y"),
    "season of days": ("{seasonal: 30d}", "1d", ".seasonal", "the same hour of the week: whole weeks, or 1y"),
    "season of hours": ("{seasonal: 24h}", "1h", ".seasonal", "the same hour of the week: whole weeks, or 1y"),
    "season of a calendar's year": ("{seasonal: 365d}", "1d", ".seasonal", "whole weeks, or 1y"),
    "seasons of years": ("{seasonal: 2y}", "1d", ".seasonal", "whole weeks, or 1y"),
    "season as words": ("{seasonal: yearly}", "1d", ".seasonal", "got 'yearly'"),
    "season as a number": ("{seasonal: 52}", "1w", ".seasonal", "expected text"),
    "endless season": ("{seasonal: 99999w}", "1d", ".seasonal", "whole weeks, or 1y"),
    "window longer than the season": ("{seasonal: 1w}", "2w", ".seasonal", "7 days are no multiple of 2w"),
    "window that a season does not hold": ("{seasonal: 1w}", "5h", ".seasonal", "7 days are no multiple of 5h"),
    "window that a week does not hold": ("{seasonal: 1y}", "2w", ".windows", "windows: 1, or a window"),
    "weeks that reach the window itself": ("{seasonal: 14w, windows: 29}", "1d", ".windows", "reach 14 weeks on"),
}


@pytest.mark.parametrize(("reference", "window", "key", "remedy"), MOVING.values(), ids=MOVING)
def test_a_reference_that_moves_goes_with_the_windows(errors, monitor, reference, window, key, remedy):
    text = monitor.replace("{from: 2011-01-01, to: 2011-04-01}", reference) + f"    window: {window}\n"
    (told,) = errors(text)
    assert told.startswith(f"6: monitors.m.reference{key}: "), told
    assert remedy in told


def test_a_reference_ends_after_it_begins(errors, monitor):
    (told,) = errors(monitor.replace("2011-04-01", "2011-01-01"))
    assert told.startswith("6: monitors.m.reference.to: ")
    assert "from comes before to" in told


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(errors, monitor):
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


def test_a_missing_file_and_an_empty_folder_say_what_to_do(tmp_path):
    with pytest.raises(ConfigError, match=r"gone\.yaml: no such file.*drift init DATA"):
        load(tmp_path / "gone.yaml", {})
    with pytest.raises(ConfigError, match=r"holds no \*\.yaml.*drift init DATA"):
        load(tmp_path, {})


def test_a_file_that_is_not_utf8_is_told_with_its_line(tmp_path):
    file = tmp_path / "drift.yaml"
    file.write_bytes(b"version: 1\n# caf\xe9\n")
    with pytest.raises(ConfigError, match=r"drift\.yaml:2: not UTF-8"):
        load(file, {})


def test_errors_of_a_file_without_a_path_name_the_file_as_given(tmp_path, monkeypatch):
    (tmp_path / "drift.yaml").write_text("version: 3\n")
    monkeypatch.chdir(tmp_path)
    from pathlib import Path

    with pytest.raises(ConfigError, match=r"^drift\.yaml:1: version: "):
        load(Path("drift.yaml"), {})
