"""What stands before every route: headers for the browser, the Host check, the token. Denies by default."""

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
from drift.server.web.access import HOSTS, Access

PROBES: Final = frozenset({"/healthz", "/readyz"})
"""Open to everybody, by whatever name: those who run the process probe it by its address, and hold no token."""

COOKIE: Final = "drift_session"
SESSION_SECONDS: Final = 7 * 24 * 3600  # seconds

_NAMED: Final = "drift.named"  # in the scope of a request whose Host is one of ours
_TOLD_HOSTS: Final = 100  # refused names that are logged, each once: who scans must not fill the log
_LONGEST_HOST: Final = 100  # characters

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

_DENIED: Final = "a token is needed: the header `Authorization: Bearer TOKEN`, or ?token=TOKEN once in a browser\n"
_DENIED_PAGE: Final = (
    '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>drift: token needed</title>'
    "<p>A token is needed: add <code>?token=TOKEN</code> to this address once "
    "(<code>&amp;token=TOKEN</code> where it has a <code>?</code> already).</p>"
    # A browser keeps a strict cookie to itself on the way in from another site, not on the way from this page.
    '<p>You did that before and came by a link from elsewhere? <a href="">Open this page again.</a></p></html>'
)


class AuthMiddleware:
    """ASGI middleware around the whole application.

    Parameters
    ----------
    app : ASGIApp
        What is guarded.
    access : Access
        Names and token.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._open = app
        self._token = access.token
        self._names = TrustedHostMiddleware(_note, access.hosts, www_redirect=False)
        self._refused: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass, or answer it."""
        if scope["type"] == "lifespan":
            await self._open(scope, receive, send)
            return
        within = self._open if scope["path"] in PROBES else self._guarded
        await within(scope, receive, _with_headers(send))

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._names(scope, receive, _drop)
        within = self._with_token if scope.pop(_NAMED, False) else self._misnamed(HTTPConnection(scope))
        await within(scope, receive, send)

    def _misnamed(self, request: HTTPConnection) -> Response:
        """By another name a web page elsewhere could have its own address lead here (DNS rebinding)."""
        host = one_line(request.headers.get("host", ""), _LONGEST_HOST)
        told = f"drift does not answer to the host {host!r}; name it in {HOSTS}, and start drift again"
        if host not in self._refused and len(self._refused) < _TOLD_HOSTS:
            self._refused.add(host)
            log.warning("a request was refused: %s", told)
        return PlainTextResponse(f"{told}\n", HTTPStatus.BAD_REQUEST)

    async def _with_token(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = None if self._token is None else self._denied(HTTPConnection(scope), self._token)
        await (answer or self._open)(scope, receive, send)

    def _denied(self, request: HTTPConnection, token: str) -> Response | None:
        """None lets the request pass."""
        scheme, _, shown = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and _same(shown.strip(), token):
            return None
        if _same(request.cookies.get(COOKIE, ""), _session(token)) and "token" not in request.query_params:
            return None
        if _same(request.query_params.get("token", ""), token):
            return _exchanged(request, token)
        headers = {"www-authenticate": 'Bearer realm="drift"'}
        if "text/html" in request.headers.get("accept", ""):
            return HTMLResponse(_DENIED_PAGE, HTTPStatus.UNAUTHORIZED, headers)
        return PlainTextResponse(_DENIED, HTTPStatus.UNAUTHORIZED, headers)


async def _note(scope: Scope, _receive: Receive, _send: Send) -> None:
    scope[_NAMED] = True


async def _drop(_message: Message) -> None:
    """What Starlette says of a wrong Host does not name it."""


def _exchanged(request: HTTPConnection, token: str) -> Response:
    """The same address without the token, which now is a cookie: it stays out of history and links."""
    answer = RedirectResponse(str(request.url.remove_query_params("token")), HTTPStatus.SEE_OTHER)
    secure = request.url.scheme in {"https", "wss"}
    answer.set_cookie(COOKIE, _session(token), max_age=SESSION_SECONDS, httponly=True, samesite="strict", secure=secure)
    return answer


def _session(token: str) -> str:
    """What the cookie holds: made from the token, which it does not tell; another token ends all sessions."""
    return hmac.new(token.encode(), b"drift session 1", hashlib.sha256).hexdigest()


def _same(shown: str, expected: str) -> bool:
    return hmac.compare_digest(shown.encode("utf-8", "surrogatepass"), expected.encode())


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return send_with_headers
