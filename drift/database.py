"""What is said of a database: its address and its errors, in words that hold no secret."""

from sqlalchemy import URL
from sqlalchemy.exc import SQLAlchemyError


def describe(url: URL) -> str:
    """The address without user, password and options."""
    backend = url.get_backend_name()
    if backend == "sqlite":
        return f"sqlite:///{url.database or ''}"
    port = f":{url.port}" if url.port else ""
    return f"{backend}://{url.host or ''}{port}/{url.database or ''}"


def reason(error: SQLAlchemyError, url: URL) -> str:
    """The database's own words, on one line, any secret of the URL taken out."""
    text = " ".join(str(getattr(error, "orig", None) or error).split())
    secrets = [str(url.password)] if url.password else []
    secrets += [value for key, value in url.query.items() if "password" in key and isinstance(value, str)]
    for secret in secrets:
        text = text.replace(secret, "***")
    return text
