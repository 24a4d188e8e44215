"""Secrets: filled in from the environment and from files, and never shown."""

import traceback
from datetime import timedelta

import pytest

from drift.errors import ConfigError
from drift.monitors.spec import SparkSource, SqlSource

SECRET = "hunter2'\\\"é"


def shown(error: BaseException) -> str:
    """Everything a log would hold of an error, its causes included."""
    return "".join(traceback.format_exception(error)) + repr(error)


def hook(options: str) -> str:
    return f"channels:\n  c: {{type: webhook, {options}}}\n"


def test_secrets_come_from_the_environment(loaded, monitor):
    text = monitor + hook("url: '${URL}', secret: '${S}', headers: {X-Key: 'a ${K} $$b'}, timeout: '${T}'")
    channel = loaded(text, {"URL": "https://h.example.org/x", "S": SECRET, "K": "k", "T": "2.5"}).channels["c"]
    assert channel.options == {
        "url": "https://h.example.org/x",
        "secret": SECRET,
        "timeout": 2.5,
        "headers": {"X-Key": "a k $b"},
    }


def test_secrets_come_from_files_beside_the_configuration_without_outer_space(loaded, monitor, tmp_path):
    (tmp_path / "url").write_text("  https://h.example.org/x\n")
    (tmp_path / "secret").write_text(SECRET + "\n", encoding="utf-8")
    text = monitor + hook("url_file: url, secret_file: '${DIR}/secret'")
    options = loaded(text, {"DIR": str(tmp_path)}).channels["c"].options
    assert (options["url"], options["secret"]) == ("https://h.example.org/x", SECRET)


def test_what_a_variable_holds_is_not_read_again(loaded, monitor):
    options = loaded(monitor + hook("url: https://h.org, secret: '${A}'"), {"A": "${B}$$"}).channels["c"].options
    assert options["secret"] == "${B}$$"


def test_braces_of_variables_need_no_quotes_in_flow_mappings(loaded, monitor):
    text = monitor + "channels: {c: {type: webhook, url: https://h.org/${A}/${B}, secret: ${A}}}\n"
    options = loaded(text, {"A": "a", "B": "b"}).channels["c"].options
    assert (options["url"], options["secret"]) == ("https://h.org/a/b", "a")


def test_an_empty_secret_file_is_an_error(errors, monitor, tmp_path):
    (tmp_path / "s").write_text("\n")
    (told,) = errors(monitor + hook("url: https://h.org, secret_file: s"))
    assert told == "8: channels.c.secret_file: s is empty; write the secret into it"


def test_no_repr_shows_a_secret(loaded, monitor):
    text = (
        monitor + hook("url: 'https://h.org/${S}', secret: '${S}', headers: {a: '${A}'}") + "store: 'sqlite:///${S}'\n"
    )
    config = loaded(text, {"S": "hunter2", "A": "hunter2"})
    assert "hunter2" in config.store
    channel = config.channels["c"]
    for thing in (config, channel, config.channels, channel.options, channel.options["headers"], config.warnings):
        assert "hunter2" not in repr(thing)
        assert "hunter2" not in str(thing)
        assert "hunter2" not in f"{thing}"
    assert "hunter2" not in str(config.monitors["m"].document)


# Each key made wrong by the secret itself.
WRONG = {
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


@pytest.mark.parametrize("added", WRONG.values(), ids=WRONG)
def test_no_error_shows_what_a_variable_holds(loaded, monitor, added):
    with pytest.raises(ConfigError) as caught:
        loaded(monitor + added, {"S": SECRET})
    assert "hunter2" not in shown(caught.value)


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
def test_no_error_shows_what_is_written_in_a_channel(loaded, monitor, options):
    with pytest.raises(ConfigError) as caught:
        loaded(monitor + hook(options))
    for secret in ("hunter2", "20113344551122", "2011-13-45"):
        assert secret not in shown(caught.value)


def test_a_missing_variable_is_named_once_with_its_line(errors, monitor):
    (told,) = errors(monitor + hook("url: '${URL}'"))
    assert told == (
        "8: channels.c.url: the environment variable URL is not set; "
        "set it (or URL_FILE, to a file that holds it), or write $${URL} for that text itself"
    )


def test_a_sources_password_is_neither_shown_nor_kept(loaded, monitor):
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


def test_sparks_token_is_not_shown(loaded, monitor):
    written = "{spark: {remote: '${LAKE}', table: db.features}}"
    m = loaded(monitor.replace("{path: d.csv}", written), {"LAKE": "sc://h:15002/;token=hunter2"}).monitors["m"]
    assert m.source == SparkSource(table="db.features", remote="sc://h:15002/;token=hunter2")
    assert str(m.source) == "Spark table db.features"
    assert "hunter2" not in f"{m!r} {m.document}"


def test_a_query_is_not_shown_where_it_only_has_to_be_named(loaded, monitor, tmp_path):
    written = "{url: 'sqlite:///data.db', query: SELECT 'hunter2'}"
    m = loaded(monitor.replace("{path: d.csv}", written)).monitors["m"]
    assert m.source == SqlSource(f"sqlite:///{tmp_path}/data.db", query="SELECT 'hunter2'")
    assert str(m.source) == "SQL query"
