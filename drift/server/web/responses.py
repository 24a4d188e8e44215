"""JSON responses, and errors as JSON: `{"error": message, "code": code}`."""

import json
import logging
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException as StarletteHTTPException

from drift.errors import StoreError

log = logging.getLogger(__name__)

_STATUS_CODES: Final = {404: "not-found", 405: "method-not-allowed"}


class StrictJSON(JSONResponse):
    """JSON without NaN, in pure ASCII: a name may hold a lone surrogate, which UTF-8 cannot encode."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode()


class RequestRefused(HTTPException):
    """A request cannot be answered; the message says why, and what to do."""

    def __init__(self, status: int, message: str, *, code: str) -> None:
        super().__init__(status, message)
        self.code = code


def add_error_handlers(app: FastAPI) -> None:
    """Answer with `schemas.ErrorDocument` if the store fails or a request is refused."""
    app.add_exception_handler(StoreError, _on_store_error)
    app.add_exception_handler(StarletteHTTPException, _on_http_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)


def _on_store_error(request: Request, error: Exception) -> Response:
    code = error.code if isinstance(error, StoreError) else "internal-error"
    log.warning("%s: %s", request.url.path, error, extra={"code": code})
    return _error(HTTPStatus.SERVICE_UNAVAILABLE, str(error), code)


def _on_http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, StarletteHTTPException)  # noqa: S101 - for the type checker
    code = error.code if isinstance(error, RequestRefused) else _STATUS_CODES.get(error.status_code, "http-error")
    return _error(error.status_code, str(error.detail), code, error.headers)


def _on_invalid_request(_request: Request, error: Exception) -> Response:
    """Name each invalid parameter. A misspelt one is refused: ignoring it would answer another question."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - for the type checker
    problems = error.errors()
    unknown = any(problem["type"] == "extra_forbidden" for problem in problems)
    message = "; ".join(f"{_parameter(problem['loc'])}: {problem['msg']}" for problem in problems)
    return _error(HTTPStatus.UNPROCESSABLE_ENTITY, message, "unknown-key" if unknown else "invalid-value")


def _parameter(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location[1:]) or str(location[0])


def _error(status: int, message: str, code: str, headers: Any = None) -> Response:
    return StrictJSON({"error": message, "code": code}, status, headers)
