"""A webhook and real receivers, good and bad."""

import hashlib
import hmac
import json
import logging
import socket
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from drift.errors import DeliveryError
from drift.notify.channels.http import retry_after
from drift.notify.channels.webhook import WebhookChannel, WebhookOptions
from tests.support.receivers import webhook

NOW = datetime(2011, 6, 13, 2, 15, tzinfo=UTC)
Serve = Callable[..., Any]
Payload = Callable[..., dict[str, Any]]


def channel(url: str, **options: Any) -> WebhookChannel:
    return webhook(url, now=lambda: NOW, **options)


def refused(url: str, payload: Mapping[str, Any], deadline: float = 5.0, **options: Any) -> DeliveryError:
    with pytest.raises(DeliveryError) as error:
        channel(url, **options).send(payload, deadline=deadline)
    return error.value


def test_the_notification_arrives_as_json_with_its_id(serve: Serve, how: SimpleNamespace, payload: Payload) -> None:
    receiver = serve(how.answer(204))
    channel(receiver.url, headers={"Authorization": "Bearer t0k3n"}).send(payload("n-7"), deadline=5)
    (request,) = receiver.requests
    assert json.loads(request.body) == payload("n-7")
    assert request.headers["content-type"] == "application/json"
    assert request.headers["idempotency-key"] == "n-7"
    assert request.headers["authorization"] == "Bearer t0k3n"
    assert "x-drift-signature" not in request.headers


def test_the_signature_is_the_hmac_of_timestamp_and_body(serve: Serve, how: SimpleNamespace, payload: Payload) -> None:
    receiver = serve(how.answer(200))
    channel(receiver.url, secret="s3cret").send(payload(), deadline=5)
    (request,) = receiver.requests
    timestamp = request.headers["x-drift-timestamp"]
    assert int(timestamp) == int(NOW.timestamp())
    expected = hmac.new(b"s3cret", f"{timestamp}.".encode() + request.body, hashlib.sha256).hexdigest()
    assert request.headers["x-drift-signature"] == f"sha256={expected}"


def test_a_retry_has_the_same_key(serve: Serve, how: SimpleNamespace, payload: Payload) -> None:
    receiver = serve(how.answer(500), how.answer(200))
    hook = channel(receiver.url)
    with pytest.raises(DeliveryError, match=r"500 Internal Server Error$") as error:
        hook.send(payload("n-9"), deadline=5)
    assert (error.value.code, error.value.retryable) == ("receiver-refused", True)
    hook.send(payload("n-9"), deadline=5)
    assert [r.headers["idempotency-key"] for r in receiver.requests] == ["n-9", "n-9"]


@pytest.mark.parametrize(
    ("status", "retryable"),
    [
        (400, False),
        (401, False),
        (404, False),
        (410, False),
        (422, False),
        (304, False),
        (408, True),
        (425, True),
        (429, True),
        (500, True),
        (502, True),
        (503, True),
        (599, True),
    ],
)
def test_the_status_decides_whether_to_send_again(
    serve: Serve, how: SimpleNamespace, payload: Payload, status: int, retryable: bool
) -> None:
    error = refused(serve(how.answer(status)).url, payload())
    assert (error.code, error.retryable) == ("receiver-refused", retryable)
    assert f"http://127.0.0.1: {status} " in str(error)


@pytest.mark.parametrize(("header", "seconds"), [("17", 17.0), ("Mon, 13 Jun 2011 02:16:30 GMT", 90.0)])
def test_retry_after_is_read_as_seconds_or_a_date(
    serve: Serve, how: SimpleNamespace, payload: Payload, header: str, seconds: float
) -> None:
    error = refused(serve(how.answer(429, Retry_After=header)).url, payload())
    assert (error.retryable, error.retry_after) == (True, seconds)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("²", None),
        ("9" * 30, None),
        (" 5 ", 5.0),
        ("Mon, 13 Jun 2011 01:00:00 GMT", 0.0),
        ("Mon, 13 Jun 2011 02:15:10 -0000", 10.0),
        ("Mon, 13 Jun 99999 02:15:10 GMT", None),
    ],
)
def test_an_invalid_retry_after_is_ignored(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, NOW) == seconds


def test_a_redirect_is_not_followed(serve: Serve, how: SimpleNamespace, payload: Payload) -> None:
    elsewhere = serve(how.answer(200))
    receiver = serve(how.answer(307, Location=elsewhere.url))
    error = refused(receiver.url, payload())
    assert (error.code, error.retryable) == ("receiver-refused", False)
    assert "307" in str(error)
    assert elsewhere.requests == []


def test_a_receiver_that_never_answers_is_abandoned_at_the_deadline(
    serve: Serve, how: SimpleNamespace, payload: Payload
) -> None:
    receiver = serve(how.hang)
    started = time.monotonic()
    error = refused(receiver.url, payload(), deadline=0.5)
    assert 0.4 < time.monotonic() - started < 15
    assert (error.code, error.retryable) == ("receiver-timeout", True)
    assert str(error).startswith("http://127.0.0.1: ")
    assert "0.5 s" in str(error)


@pytest.mark.parametrize(
    "beginning", [b"HTTP/1.1 200 OK\r\nX-Slow: ", b"HTTP/1.1 500 Oh\r\nContent-Length: 999999\r\n\r\n"]
)
def test_a_receiver_that_drips_bytes_is_abandoned_at_the_deadline(
    serve: Serve, how: SimpleNamespace, payload: Payload, beginning: bytes
) -> None:
    receiver = serve(how.drip(beginning))
    started = time.monotonic()
    assert refused(receiver.url, payload(), deadline=0.5).retryable
    assert 0.4 < time.monotonic() - started < 15


def test_the_timeout_of_the_channel_is_a_total(serve: Serve, how: SimpleNamespace, payload: Payload) -> None:
    error = refused(serve(how.drip(b"HTTP/1.1 200 OK\r\n")).url, payload(), deadline=60, timeout=0.3)
    assert error.code == "receiver-timeout"
    assert "0.3 s" in str(error)


def test_a_connection_that_is_never_accepted_ends_at_the_deadline(payload: Payload) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        queued = [socket.socket() for _ in range(8)]  # fills the queue of pending connections
        for pending in queued:
            pending.setblocking(False)
            pending.connect_ex(address)
        started = time.monotonic()
        assert refused(f"http://127.0.0.1:{address[1]}/", payload(), deadline=0.5).retryable
        assert time.monotonic() - started < 15
        for pending in queued:
            pending.close()


def test_an_endless_tls_handshake_ends_at_the_deadline(payload: Payload) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        started = time.monotonic()
        assert refused(f"https://127.0.0.1:{mute.getsockname()[1]}/", payload(), deadline=0.5).retryable
        assert time.monotonic() - started < 15


def test_a_receiver_without_a_certificate_is_refused(serve: Serve, how: SimpleNamespace, payload: Payload) -> None:
    receiver = serve(how.answer(200))
    error = refused(receiver.url.replace("http://", "https://"), payload(), deadline=30)
    assert error.code == "receiver-unreachable"
    assert str(error).startswith("https://127.0.0.1: ConnectError: [SSL")
    assert receiver.requests == []


def test_a_reset_or_refused_connection_is_retried(serve: Serve, how: SimpleNamespace, payload: Payload) -> None:
    assert refused(serve(how.reset).url, payload()).retryable
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    error = refused(f"http://127.0.0.1:{port}/private/path", payload())
    assert (error.code, error.retryable) == ("receiver-unreachable", True)
    assert "http://127.0.0.1: ConnectError" in str(error)
    assert "private" not in str(error)


@pytest.mark.parametrize("status", [200, 400])
def test_a_huge_response_is_not_read(serve: Serve, how: SimpleNamespace, payload: Payload, status: int) -> None:
    sent: list[int] = []
    receiver = serve(how.flood(status, sent))
    if status == 200:
        channel(receiver.url).send(payload(), deadline=20)
    else:
        assert not refused(receiver.url, payload(), deadline=20).retryable
    assert sum(sent) < 20_000_000, "of 200 MB, at most the socket buffers of both sides"


def test_a_short_error_response_is_shown(serve: Serve, how: SimpleNamespace, payload: Payload) -> None:
    error = refused(serve(how.answer(400, b"invalid_payload")).url, payload())
    assert str(error) == "http://127.0.0.1: 400 Bad Request: invalid_payload"


def test_errors_reprs_and_logs_show_no_secret(
    serve: Serve, how: SimpleNamespace, payload: Payload, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    parrot = b"Not found: /hook/T0PSECRET-path?key=QUERYSECRET for user USERSECRET with Bearer HEADERSECRET"
    for behaviour in (how.answer(200), how.answer(404, parrot), how.reset, how.hang):
        receiver = serve(behaviour)
        url = receiver.url.replace("http://", "http://USERSECRET:PASSSECRET@") + "/T0PSECRET-path?key=QUERYSECRET"
        hook = channel(url, secret="SIGNSECRET", headers={"Authorization": "Bearer HEADERSECRET"}, timeout=0.5)
        try:
            hook.send(payload(), deadline=5)
        except DeliveryError:
            logging.getLogger("test").exception("failed")  # with the traceback and its causes
        assert "SECRET" not in repr(hook)
        assert receiver.requests[0].path.endswith("?key=QUERYSECRET")
    assert caplog.text.count("Traceback") == 3
    assert "SECRET" not in caplog.text


def test_other_users_of_httpx_keep_their_logs(
    serve: Serve, how: SimpleNamespace, payload: Payload, caplog: pytest.LogCaptureFixture
) -> None:
    import httpx

    caplog.set_level(logging.INFO)
    receiver = serve(how.answer(200))
    channel(receiver.url).send(payload(), deadline=5)
    assert "HTTP Request" not in caplog.text
    httpx.post(receiver.url, content=b"x")
    assert "HTTP Request" in caplog.text


@pytest.mark.parametrize(
    "url",
    [
        "ftp://h/S3CRET",
        "h/S3CRET",
        "http:///S3CRET",
        "https://h:99999/S3CRET",
        "https://[::1/S3CRET",
        "http://h/S3 CRET",
        "http://h\n/S3CRET",
        f"http://{'a' * 64}.com/S3CRET",
        "http://a..b/S3CRET",
    ],
)
def test_an_invalid_url_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(ValidationError, match="expected a URL") as error:
        WebhookOptions(url=url)
    assert "CRET" not in str(error.value)


@pytest.mark.parametrize("headers", [{"X-A": "S3CRET\r\nX-B: c"}, {"Bad Name": "S3CRET"}, {"X-A": "S3CRETé"}])
def test_an_invalid_header_is_refused_without_its_value(headers: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="of a header") as error:
        WebhookOptions(url="https://h/", headers=headers)
    assert "S3CRET" not in str(error.value)


@pytest.mark.parametrize("header", ["content-type", "Idempotency-Key", "X-Drift-Signature"])
def test_headers_that_drift_sets_cannot_be_replaced(header: str) -> None:
    with pytest.raises(ValidationError, match=header):
        WebhookOptions(url="https://h/", headers={header: "x"})


def test_an_unknown_host_is_retried(payload: Payload) -> None:
    error = refused("http://no-such-host.invalid/", payload(), deadline=5)
    assert (error.code, error.retryable) == ("receiver-unreachable", True)
    assert str(error).startswith("http://no-such-host.invalid: ")
