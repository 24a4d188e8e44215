"""Access rules: addresses, host names, tokens."""

import socket

import pytest

from drift.errors import ConfigError
from drift.server.web import access_for, is_loopback, is_short_token, listen, listens_everywhere, url_of

TOKEN = "open-sesame"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "::1", "localhost", "LocalHost"])
def test_loopback_needs_no_token(host: str) -> None:
    assert is_loopback(host)
    assert access_for(host, {}).token is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.0.2.7", "drift.example.com", "localhost.example.com"])
def test_any_other_address_is_refused_without_a_token(host: str) -> None:
    with pytest.raises(ConfigError, match=r"DRIFT_TOKEN.*--insecure") as caught:
        access_for(host, {})
    assert caught.value.code == "token-missing"
    assert access_for(host, {"DRIFT_TOKEN": TOKEN}).token == TOKEN
    assert access_for(host, {}, insecure=True).token is None


@pytest.mark.parametrize("token", ["", " ", "two words", "tab\there", "clé", "line\n"])
def test_an_invalid_token_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(ConfigError, match="DRIFT_TOKEN") as caught:
        access_for("127.0.0.1", {"DRIFT_TOKEN": token})
    assert not token.strip() or token not in str(caught.value)


def test_the_token_is_not_in_the_repr() -> None:
    assert TOKEN not in repr(access_for("127.0.0.1", {"DRIFT_TOKEN": TOKEN}))


def test_hosts_are_loopback_the_address_and_the_variable() -> None:
    known = {"127.0.0.1", "localhost", "[::1]"}
    assert set(access_for("127.0.0.1", {}).hosts) == known
    given = {"DRIFT_TOKEN": TOKEN, "DRIFT_ALLOWED_HOSTS": " drift.example.com , *.example.org,"}
    assert set(access_for("0.0.0.0", given).hosts) == {*known, "drift.example.com", "*.example.org"}
    assert set(access_for("2001:db8::1", given).hosts) > {"[2001:db8::1]"}
    assert set(access_for("inner.example.com", given).hosts) > {"inner.example.com"}


@pytest.mark.parametrize("name", ["https://x.org", "x.org:80", "a*.org", "*.*.org", "<x>"])
def test_an_invalid_host_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="DRIFT_ALLOWED_HOSTS"):
        access_for("127.0.0.1", {"DRIFT_ALLOWED_HOSTS": name})


def test_any_host_without_a_token_is_refused() -> None:
    anything = {"DRIFT_ALLOWED_HOSTS": "*"}
    with pytest.raises(ConfigError, match="DRIFT_ALLOWED_HOSTS") as caught:
        access_for("127.0.0.1", anything)
    assert caught.value.code == "token-missing"
    assert "*" in access_for("127.0.0.1", {**anything, "DRIFT_TOKEN": TOKEN}).hosts


def test_a_port_in_use_is_reported() -> None:
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        assert url_of(first) == f"http://127.0.0.1:{port}/"
        with pytest.raises(ConfigError, match=f"port {port}.*--port"):
            listen("127.0.0.1", port)


def test_the_url_of_an_unspecified_address_can_be_opened() -> None:
    with listen("0.0.0.0", 0) as listening:
        port = listening.getsockname()[1]
        assert url_of(listening) == f"http://127.0.0.1:{port}/"
        assert listens_everywhere(listening)
        socket.create_connection(("127.0.0.1", port), timeout=5).close()


def test_an_unknown_host_is_reported() -> None:
    with pytest.raises(ConfigError, match="no-such-host") as caught:
        listen("no-such-host.invalid", 0)
    assert caught.value.code == "address-unavailable"


def test_a_token_below_sixteen_characters_is_short() -> None:
    assert [is_short_token(token) for token in (None, "x" * 15, "x" * 16)] == [False, True, False]
