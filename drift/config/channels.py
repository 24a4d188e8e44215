"""Channels as configured: their options checked, their secrets read."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, SecretStr, ValidationError

from drift.config import values
from drift.config.diagnostics import KeyPath, Problem
from drift.config.environment import fill
from drift.config.sections import Section, Text
from drift.config.validation_errors import explain
from drift.config.yaml_loader import YamlTree
from drift.errors import InputError

_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


class Options(dict[str, object]):
    """Options of a channel: a dict that shows its keys and never its values."""

    def __repr__(self) -> str:
        return f"Options({', '.join(self)})"

    __str__ = __repr__


@dataclass(frozen=True, slots=True)
class ChannelSpec:
    """One channel, as configured.

    Parameters
    ----------
    name : str
        Its name in the configuration.
    type : str
        `webhook`, `console` or `file`.
    options : mapping of str to object
        Checked, secrets filled in: of `webhook` url, timeout (seconds) and headers, and secret where one is
        given; of `file` path (absolute); of `console` none. Not shown by repr.
    """

    name: str
    type: str
    options: Mapping[str, object] = field(default_factory=Options, repr=False)


def _secret(value: object) -> SecretStr:
    return SecretStr(values.text(value))


def _url(value: SecretStr) -> SecretStr:
    url = value.get_secret_value()
    try:
        parts = urlsplit(url)
        sound = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:  # a port that is no number, brackets that do not close
        sound = False
    if not sound or not url.isprintable() or " " in url:
        raise InputError(
            "expected a URL that begins with https:// or http:// and names a host (what came is not shown)"
        )
    return value


def _seconds(value: object) -> float:
    seconds = values.number(value)
    if not 0 < seconds <= 300:
        raise InputError("expected seconds, above 0 and up to 300")
    return seconds


def _headers(value: object) -> dict[str, Any]:
    headers = values.mapping(value)
    if not all(_HEADER.fullmatch(header) for header in headers):
        raise InputError("a header's name is letters, digits and dashes, such as X-Team; rename it")
    return headers


def _header_value(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not text.isascii() or not text.isprintable():
        raise InputError("a header's value is one line of printable ASCII (what came is not shown)")
    return value


Secret = Annotated[SecretStr, PlainValidator(_secret)]


class WebhookSection(Section):
    """A POST of signed JSON."""

    files = ("url", "secret")

    url: Annotated[Secret, AfterValidator(_url)]
    secret: Secret | None = None
    timeout: Annotated[float, PlainValidator(_seconds)] = 10.0
    headers: Annotated[dict[str, Annotated[Secret, AfterValidator(_header_value)]], BeforeValidator(_headers)] = Field(
        default_factory=dict
    )


class ConsoleSection(Section):
    """Text on standard error."""


class FileSection(Section):
    """One JSON line an event, appended to a file."""

    path: Text


TYPES: Final[Mapping[str, type[Section]]] = {
    "webhook": WebhookSection,
    "console": ConsoleSection,
    "file": FileSection,
}


def channel(
    tree: YamlTree, name: str, environ: Mapping[str, str], folder: Path
) -> tuple[ChannelSpec | None, list[Problem]]:
    """One channel; None where it has problems."""
    prefix: KeyPath = ("channels", name)
    problems: list[Problem] = []
    try:
        values.name(name)
        given = values.mapping(tree.at(prefix))
    except ValueError as error:
        return None, [tree.problem(prefix, str(error))]
    if given.get("type") is None:
        return None, [tree.problem((*prefix, "type"), f"missing; known in this release are {', '.join(TYPES)}")]
    # Elsewhere a key without a value is not given; here it may be a secret that was lost (`secret: &x`).
    lost = "no value; give one (in quotes where it begins with & or !), or delete the key"
    problems += [tree.problem((*prefix, key), lost) for key, value in given.items() if value is None]
    filled = fill(tree, prefix, environ, problems)
    try:
        kind = values.text(filled.pop("type"))
        if kind not in TYPES:  # the message repeats what is written, not what a variable holds
            values.one_of(given["type"], TYPES, "channel type (or one not in this release)")
    except ValueError as error:
        return None, [*problems, tree.problem((*prefix, "type"), str(error))]
    section = TYPES[kind]
    _read_files(filled, section, tree, prefix, folder, problems)
    try:
        model = section.model_validate(filled)
    except ValidationError as error:
        problems += explain(error, tree, prefix, lambda _: section, problems)
    if problems:
        return None, problems
    options = Options({key: _plain(getattr(model, key)) for key in section.model_fields})
    if "path" in options:
        options["path"] = str(folder / str(options["path"]))
    return ChannelSpec(name, kind, Options({k: v for k, v in options.items() if v is not None})), []


def _read_files(
    filled: dict[str, Any],
    section: type[Section],
    tree: YamlTree,
    prefix: KeyPath,
    folder: Path,
    problems: list[Problem],
) -> None:
    """Put what KEY_file holds under KEY."""
    for key in section.files:
        if (written := filled.pop(f"{key}_file", None)) is None:
            continue
        path = (*prefix, f"{key}_file")
        if filled.get(key) is not None:
            problems.append(tree.problem(path, f"{key} is given as well; keep one of them"))
            continue
        try:
            secret = (folder / values.text(written)).read_text(encoding="utf-8").strip()
        except OSError as error:
            reason = error.strerror or type(error).__name__
            problems.append(tree.problem(path, f"cannot read {tree.at(path)} ({reason}); check path and permissions"))
            continue
        except ValueError as error:
            undecodable = isinstance(error, UnicodeDecodeError)
            problems.append(tree.problem(path, "the file is not UTF-8 text" if undecodable else str(error)))
            continue
        if secret:
            filled[key] = secret
        else:
            problems.append(tree.problem(path, f"{tree.at(path)} is empty; write the {key} into it"))


def _plain(value: object) -> object:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, dict):
        return Options({key: _plain(item) for key, item in value.items()})
    return value
