"""Channels as configured: their options validated, their secrets read."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from drift.config import values
from drift.config.channel_options import ChannelOptions
from drift.config.diagnostics import KeyPath, Problem
from drift.config.environment import fill
from drift.config.validation_errors import code_of, explain
from drift.config.yaml_loader import YamlTree
from drift.errors import InputError

_PLANNED: Final = ("slack", "email", "pagerduty", "teams", "alertmanager", "apprise")


@dataclass(frozen=True, slots=True)
class ChannelSpec:
    """One channel, as configured."""

    name: str
    type: str  # a key of the table of channel types, such as `webhook`
    options: ChannelOptions  # validated, secrets filled in (repr masks them)


def build_channel(
    tree: YamlTree,
    name: str,
    environ: Mapping[str, str],
    folder: Path,
    option_classes: Mapping[str, type[ChannelOptions]],
) -> tuple[ChannelSpec | None, list[Problem]]:
    """Validate one channel, with variables from `environ` and paths relative to `folder`; None if it has problems."""
    prefix: KeyPath = ("channels", name)
    problems: list[Problem] = []
    try:
        values.name(name)
        written = values.mapping(tree.at(prefix))
    except ValueError as error:
        return None, [tree.problem(prefix, str(error), code=code_of(error))]
    # In other sections a key without a value counts as absent; here it may be a lost secret (`secret: &x`).
    message = "no value; give one (in quotes if it begins with & or !), or delete the key"
    empty = [key for key, value in written.items() if value is None and key != "type"]
    problems += [tree.problem((*prefix, key), message, code="invalid-value") for key in empty]
    if written.get("type") is None:
        message = f"missing; channel types are {', '.join(option_classes)}"
        return None, [tree.problem((*prefix, "type"), message, code="missing-key")]
    filled = fill(tree, prefix, environ, problems)
    try:
        kind = _channel_type(filled.pop("type"), written["type"], option_classes)
    except ValueError as error:
        return None, [*problems, tree.problem((*prefix, "type"), str(error), code=code_of(error))]
    section = option_classes[kind]
    _read_files(filled, section, tree, prefix, folder, problems)
    try:
        options = section.model_validate(filled, context={"folder": folder})
    except ValidationError as error:
        problems += explain(error, tree, prefix, lambda _: section, problems)
    if problems:
        return None, problems
    return ChannelSpec(name, kind, options), []


def _channel_type(filled: object, written: object, known: Collection[str]) -> str:
    """Return a channel type; messages repeat what is written, not what a variable holds."""
    kind = values.text(filled)
    if kind in known:
        return kind
    if kind == written and kind in _PLANNED:
        message = f"the channel type {kind} is not in this release; use one of {', '.join(known)}"
        raise InputError(message, code="not-in-release")
    return values.one_of(written, known, "channel type", code="unknown-channel-type")


def _read_files(
    filled: dict[str, Any],
    section: type[ChannelOptions],
    tree: YamlTree,
    prefix: KeyPath,
    folder: Path,
    problems: list[Problem],
) -> None:
    """Replace KEY_file by KEY, with the content of the file."""
    for key in section.files:
        if (name := filled.pop(f"{key}_file", None)) is None:
            continue
        path = (*prefix, f"{key}_file")
        if filled.get(key) is not None:
            problems.append(tree.problem(path, f"{key} is given as well; keep one of them", code="conflicting-keys"))
            continue
        try:
            content = (folder / values.text(name)).read_text(encoding="utf-8").strip()
        except OSError as error:
            reason = error.strerror or type(error).__name__
            message = f"cannot read {tree.at(path)} ({reason}); check path and permissions"
            problems.append(tree.problem(path, message, code="secret-file-unreadable"))
        except UnicodeDecodeError:
            problems.append(tree.problem(path, "the file is not UTF-8 text", code="secret-file-unreadable"))
        except ValueError as error:
            problems.append(tree.problem(path, str(error), code=code_of(error)))
        else:
            if content:
                filled[key] = content
            else:
                message = f"{tree.at(path)} is empty; write the {key} into it"
                problems.append(tree.problem(path, message, code="secret-file-unreadable"))
