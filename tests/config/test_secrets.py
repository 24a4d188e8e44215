"""Secrets are read from the environment and from files, and never shown."""

import traceback
from datetime import timedelta

import pytest

from drift.errors import ConfigError
from drift.monitors.spec import SparkSource, SqlSource

SECRET = "hunter2'\\\"é"


def shown(error: BaseException) -> str:
    """Return everything a log would contain of an error, including its causes."""
    return "".join(traceback.format_exception(error)) + repr(error)


def hook(options: str) -> str:
    return f"channels:\n  c: {{type: webhook, {options}}}\n"


def test_secrets_come_from_the_environment(loaded, monitor):
    text = monitor + hook("url: '${URL}', secret: '${S}', headers: {X-Key: 'a ${K} $$b'}, timeout: '${T}'")
    options = loaded(text, {"URL": "https://h.example.org/x", "S": SECRET, "K": "k", "T": "2.5"}).channels["c"].options
    assert options.url.get_secret_value() == "https://h.example.org/x"
    assert options.secret.get_secret_value() == SECRET
    assert options.timeout == 2.5
    assert {name: value.get_secret_value() for name, value in options.headers.items()} == {"X-Key": "a k $b"}


def test_secret_files_lie_beside_the_configuration_and_are_stripped(loaded, monitor, tmp_path):
    (tmp_path / "url").write_text("  https://h.example.org/x\n")
    (tmp_path / "secret").write_text(SECRET + "\n", encoding="utf-8")
    text = monitor + hook("url_file: url, secret_file: '${DIR}/secret'")
    options = loaded(text, {"DIR": str(tmp_path)}).channels["c"].options
    assert options.url.get_secret_value() == "https://h.example.org/x"
    assert options.secret.get_secret_value() == SECRET


def test_the_value_of_a_variable_is_not_expanded_again(loaded, monitor):
    options = loaded(monitor + hook("url: https://h.org, secret: '${A}'"), {"A": "${B}$$"}).channels["c"].options
    assert options.secret.get_secret_value() == "${B}$$"


def test_braces_of_variables_need_no_quotes_in_flow_mappings(loaded, monitor):
    text = monitor + "channels: {c: {type: webhook, url: https://h.org/${A}/${B}, secret: ${A}}}\n"
    options = loaded(text, {"A": "a", "B": "b"}).channels["c"].options
    assert options.url.get_secret_value() == "https://h.org/a/b"
    assert options.secret.get_secret_value() == "a"


def test_an_empty_secret_file_is_an_error(errors, monitor, tmp_path):
    (tmp_path / "s").write_text("\n")
    (line,) = errors(monitor + hook("url: https://h.org, secret_file: s"))
    assert line.startswith("8: channels.c.secret_file: s is empty")
    assert line.endswith("[secret-file-unreadable]")


def test_no_repr_shows_a_secret(loaded, monitor):
    text = (
        monitor + hook("url: 'https://h.org/${S}', secret: '${S}', headers: {a: '${A}'}") + "store: 'sqlite:///${S}'\n"
    )
    config = loaded(text, {"S": "hunter2", "A": "hunter2"})
    assert "hunter2" in config.store
    channel = config.channels["c"]
    for thing in (config, channel, config.channels, channel.options, channel.options.headers, config.warnings):
        assert "hunter2" not in repr(thing)
        assert "hunter2" not in str(thing)
        assert "hunter2" not in f"{thing}"
    assert "hunter2" not in str(config.monitors["m"].document)


# Each key, invalid because of the secret itself.
INVALID = {
    "url": hook("url: '${S}'"),
    "url port": hook("url: 'https://h:${S}/'"),
    "url bracket": hook("url: 'https://[${S}/'"),
    "timeout": hook("url: https://h.org, timeout: '${S}'"),
    "header": hook("url: https://h.org, headers: {a: '${S}'}"),
    "type": "channels:\n  c: {type: '${S}'}\n",
    "url file": hook("url_file: 'gone-${S}'"),
    "store": "store: '${S}'\n",
    "window": "    window: '${S}'\n",
    "schedule": "    schedule: '1 ${S} 1 1 1'\n",
    "timezone": "    timezone: '${S}'\n",
    "metric": "    metric: '${S}'\n",
    "smoothing": "    smoothing: '${S}'\n",
    "base": "    base: '${S}'\n",
    "threshold": "    threshold: '${S}'\n",
    "edges": "    bins: {numeric: '${S}'}\n",
    "count": "    bins: {count: '${S}'}\n",
    "start": "    start: '${S}'\n",
    "alarms": "    false_alarms: '${S}'\n",
    "notify": "    alert: {notify: ['${S}']}\n",
    "verdicts": "    alert: {verdicts: ['${S}']}\n",
    "for": "    alert: {for: '${S}'}\n",
    "section": "    columns: '${S}'\n",
}


@pytest.mark.parametrize("added", INVALID.values(), ids=INVALID)
def test_no_error_shows_the_value_of_a_variable(loaded, monitor, added):
    with pytest.raises(ConfigError) as error:
        loaded(monitor + added, {"S": SECRET})
    assert "hunter2" not in shown(error.value)


@pytest.mark.parametrize(
    "options",
    [
        "url: hunter2",
        "url: https://h:hunter2/",
        "url: https://h.org, secret: [hunter2]",
        "url: h, secret: !hunter2 x",
        'url: https://h.org, headers: {a: "hunter2\\n"}',
        "url: https://h.org, timeout: hunter2",
        "secret: hunter2",
        "url: https://h.org, secret: *hunter2",
        "url: https://h.org, secret: &hunter2",
        "url: https://h.org, secret: !h!hunter2 x",
        "url: https://h.org, secret: &hunter2 a, headers: {a: &hunter2 [b]}",
        "secret: 20113344551122",
        "secret: 2011-13-45",
    ],
)
def test_no_error_shows_the_options_of_a_channel(loaded, monitor, options):
    with pytest.raises(ConfigError) as error:
        loaded(monitor + hook(options))
    for secret in ("hunter2", "20113344551122", "2011-13-45"):
        assert secret not in shown(error.value)


def test_a_missing_variable_is_named_once_with_its_line(errors, monitor):
    (line,) = errors(monitor + hook("url: '${URL}'"))
    assert line.startswith("8: channels.c.url: ")
    assert all(name in line for name in (" URL ", "URL_FILE", "$${URL}"))
    assert line.endswith("[unset-variable]")


def test_the_password_of_a_source_is_neither_shown_nor_stored(loaded, monitor):
    written = "{url: '${WAREHOUSE}', table: features.bikes, timeout: 5m}"
    config = loaded(
        monitor.replace("{path: d.csv}", written), {"WAREHOUSE": "postgresql://me:hunter2@db.example.org:5433/lake"}
    )
    m = config.monitors["m"]
    assert m.source == SqlSource(
        "postgresql://me:hunter2@db.example.org:5433/lake", table="features.bikes", timeout=timedelta(minutes=5)
    )
    assert str(m.source) == "SQL table features.bikes"
    assert m.document["source"] == {"url": "${WAREHOUSE}", "table": "features.bikes", "timeout": "5m"}
    assert "hunter2" not in f"{config!r} {m!r} {m.source!r} {m.source} {m.document}"


def test_the_token_of_spark_is_not_shown(loaded, monitor):
    written = "{spark: {remote: '${LAKE}', table: db.features}}"
    m = loaded(monitor.replace("{path: d.csv}", written), {"LAKE": "sc://h:15002/;token=hunter2"}).monitors["m"]
    assert m.source == SparkSource(table="db.features", remote="sc://h:15002/;token=hunter2")
    assert str(m.source) == "Spark table db.features"
    assert "hunter2" not in f"{m!r} {m.document}"


def test_the_name_of_a_source_does_not_show_its_query(loaded, monitor, tmp_path):
    written = "{url: 'sqlite:///data.db', query: SELECT 'hunter2'}"
    m = loaded(monitor.replace("{path: d.csv}", written)).monitors["m"]
    assert m.source == SqlSource(f"sqlite:///{tmp_path}/data.db", query="SELECT 'hunter2'")
    assert str(m.source) == "SQL query"
