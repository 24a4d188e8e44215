"""Access is denied by default: responses to requests without token or with an unknown host."""

from typing import Any

import httpx
import pytest

TOKEN = "open-sesame"
BEARER = {"authorization": f"Bearer {TOKEN}"}
PATHS = [
    "/",
    "/monitors/x",
    "/api/v1/monitors",
    "/api/v1/scores",
    "/api/v1/windows",
    "/api/v1/alerts",
    "/openapi.json",
    "/metrics",
    "/static/report.css",
]
OPEN = {path: 404 if path == "/monitors/x" else 200 for path in PATHS}


def test_every_route_but_the_probes_needs_the_token(locked: Any) -> None:
    routes = set(locked.get("/openapi.json", headers=BEARER).json()["paths"]) | set(PATHS)
    for path in [*routes, "/nowhere", "/healthz/", "/healthz/x", "//", "/docs", "/redoc"]:
        if path in {"/healthz", "/readyz"}:
            continue
        response = locked.get(path)
        assert response.status_code == 401, path
        assert "www-authenticate" in response.headers
        assert "amount" not in response.text


def test_the_list_of_paths_above_is_complete(locked: Any) -> None:
    documented = set(locked.get("/openapi.json", headers=BEARER).json()["paths"])
    assert documented == {path for path in PATHS if path.startswith(("/api", "/metrics"))} | {"/healthz", "/readyz"}


def test_probes_are_open_to_all_by_any_name(locked: Any) -> None:
    for path in ("/healthz", "/readyz"):
        response = locked.get(path, headers={"host": "10.1.2.3:8756"})
        assert response.status_code == (200 if path == "/healthz" else 503)  # nothing has ticked yet


def test_the_header_opens(locked: Any) -> None:
    assert {path: locked.get(path, headers=BEARER).status_code for path in PATHS} == OPEN


@pytest.mark.parametrize(
    "credentials", ["", "Bearer", "Bearer open", "Basic open-sesame", "open-sesame", "Bearer open-sesame x"]
)
def test_any_other_header_does_not(locked: Any, credentials: str) -> None:
    assert locked.get("/", headers={"authorization": credentials}).status_code == 401


def test_a_token_in_the_address_becomes_a_cookie(locked: Any) -> None:
    first = locked.get(f"/api/v1/windows?monitor=x&token={TOKEN}")
    assert first.status_code == 303
    assert first.headers["location"] == f"{locked.url}/api/v1/windows?monitor=x"
    cookie = first.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert TOKEN not in first.headers["set-cookie"]
    with httpx.Client(base_url=locked.url, trust_env=False, cookies=first.cookies) as browser:
        assert browser.get("/api/v1/windows?monitor=x").status_code == 200
        assert browser.get("/?token=wrong").status_code == 401


@pytest.mark.parametrize("value", ["", TOKEN, "0" * 64, "é"])
def test_a_made_up_cookie_opens_nothing(locked: Any, value: str) -> None:
    cookie = f"drift_session={value}".encode()
    assert locked.get("/", headers={"cookie": cookie}).status_code == 401


def test_a_wrong_token_in_the_address_opens_nothing(locked: Any) -> None:
    response = locked.get("/?token=wrong")
    assert response.status_code == 401
    assert "set-cookie" not in response.headers


def test_a_browser_gets_a_page_with_instructions(locked: Any) -> None:
    response = locked.get("/", headers={"accept": "text/html,*/*"})
    assert response.status_code == 401
    assert response.headers["content-type"].startswith("text/html")
    assert "?token=" in response.text


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost@evil.example", "127.0.0.2"])
@pytest.mark.parametrize("path", PATHS)
def test_another_host_is_refused_even_with_the_token(locked: Any, path: str, host: str) -> None:
    assert locked.get(path, headers={**BEARER, "host": host}).status_code == 400


@pytest.mark.parametrize("path", [*PATHS, "/healthz", "/readyz", "/nowhere", "/api/v1/scores?from=never"])
def test_every_answer_is_safe_to_show(idle: Any, path: str) -> None:
    headers = idle.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "server" not in headers
    if not path.startswith("/static/"):
        assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_can_be_changed(idle: Any, method: str) -> None:
    for path in PATHS:
        assert idle.client.request(method, path).status_code == 405


def test_without_a_token_all_of_it_is_open(idle: Any) -> None:
    assert {path: idle.get(path).status_code for path in PATHS} == OPEN


def test_a_refused_host_is_named_in_the_response_and_log(locked: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("WARNING", "drift.server.web.auth_middleware"):
        responses = [locked.get("/", headers={"host": "drift.example.org:8756"}) for _ in range(2)]
    assert "'drift.example.org:8756'" in responses[0].text
    assert "DRIFT_ALLOWED_HOSTS" in responses[0].text
    assert responses[0].headers["x-content-type-options"] == "nosniff"
    (record,) = caplog.records
    assert record.code == "host-refused"
    line = record.getMessage()
    assert "'drift.example.org:8756'" in line
    assert "DRIFT_ALLOWED_HOSTS" in line
