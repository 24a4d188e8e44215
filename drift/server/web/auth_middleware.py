"""Middleware in front of every route: security headers, Host check, token. Denies by default."""

import hashlib
import hmac
import logging
from http import HTTPStatus
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from drift.notify.text import one_line
from drift.server.web.access import HOSTS_VARIABLE, Access

PROBES: Final = frozenset({"/healthz", "/readyz"})
"""Open without a token, under any host name: orchestrators probe the process by its address."""

COOKIE: Final = "drift_session"
SESSION_SECONDS: Final = 7 * 24 * 3600

_HOST_ACCEPTED: Final = "drift.host_accepted"  # in the scope of a request whose Host is accepted
_MAX_LOGGED_HOSTS: Final = 100  # each once: a scan must not fill the log
_MAX_HOST_LENGTH: Final = 100  # characters of a host name in messages

log = logging.getLogger(__name__)

HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}

_DENIED: Final = (
    "a token is required: send the header `Authorization: Bearer TOKEN`, or open ?token=TOKEN once in a browser\n"
)
_DENIED_PAGE: Final = (
    '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>drift: token required</title>'
    "<p>A token is required: add <code>?token=TOKEN</code> to this address once "
    "(<code>&amp;token=TOKEN</code> if it already has a <code>?</code>).</p>"
    # A browser does not send a strict cookie when a link on another site is followed, but does from this page.
    '<p>Did you do that before, and follow a link from another site? <a href="">Open this page again.</a></p></html>'
)


class AuthMiddleware:
    """ASGI middleware around the application."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._token = access.token
        self._host_check = TrustedHostMiddleware(_accept_host, access.hosts, www_redirect=False)
        self._logged_hosts: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        handle = self._app if scope["path"] in PROBES else self._check_host
        await handle(scope, receive, _with_headers(send))

    async def _check_host(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._host_check(scope, receive, _discard)
        accepted = scope.pop(_HOST_ACCEPTED, False)
        handle = self._check_token if accepted else self._refuse_host(HTTPConnection(scope))
        await handle(scope, receive, send)

    def _refuse_host(self, request: HTTPConnection) -> Response:
        """Refuse an unknown host name: a web page elsewhere could let its own name resolve to this address."""
        host = one_line(request.headers.get("host", ""), _MAX_HOST_LENGTH)
        message = f"the host name {host!r} is not accepted; add it to {HOSTS_VARIABLE}, then restart drift"
        if host not in self._logged_hosts and len(self._logged_hosts) < _MAX_LOGGED_HOSTS:
            self._logged_hosts.add(host)
            log.warning("a request was refused: %s", message, extra={"code": "host-refused"})
        return PlainTextResponse(f"{message}\n", HTTPStatus.BAD_REQUEST)

    async def _check_token(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = None if self._token is None else self._refuse_token(HTTPConnection(scope), self._token)
        await (refusal or self._app)(scope, receive, send)

    def _refuse_token(self, request: HTTPConnection, token: str) -> Response | None:
        """Return the response to a request without the token; None if it has it."""
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and _same(credentials.strip(), token):
            return None
        if _same(request.cookies.get(COOKIE, ""), _session(token)) and "token" not in request.query_params:
            return None
        if _same(request.query_params.get("token", ""), token):
            return _redirect_with_cookie(request, token)
        headers = {"www-authenticate": 'Bearer realm="drift"'}
        if "text/html" in request.headers.get("accept", ""):
            return HTMLResponse(_DENIED_PAGE, HTTPStatus.UNAUTHORIZED, headers)
        return PlainTextResponse(_DENIED, HTTPStatus.UNAUTHORIZED, headers)


async def _accept_host(scope: Scope, _receive: Receive, _send: Send) -> None:
    scope[_HOST_ACCEPTED] = True


async def _discard(_message: Message) -> None:
    """Discard Starlette's response: it does not name the refused host."""


def _redirect_with_cookie(request: HTTPConnection, token: str) -> Response:
    """Redirect to the URL without the token and set a cookie, so that the token stays out of history and links."""
    response = RedirectResponse(str(request.url.remove_query_params("token")), HTTPStatus.SEE_OTHER)
    secure = request.url.scheme in {"https", "wss"}
    response.set_cookie(
        COOKIE, _session(token), max_age=SESSION_SECONDS, httponly=True, samesite="strict", secure=secure
    )
    return response


def _session(token: str) -> str:
    """Return the value of the cookie: derived from the token without revealing it; a new token ends all sessions."""
    return hmac.new(token.encode(), b"drift session 1", hashlib.sha256).hexdigest()


def _same(value: str, expected: str) -> bool:
    return hmac.compare_digest(value.encode("utf-8", "surrogatepass"), expected.encode())


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return send_with_headers
