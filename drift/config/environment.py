"""``${NAME}`` in text, from the environment; ``$$`` is a literal dollar."""

import re
from collections.abc import Mapping
from typing import Any, Final

from drift.config.diagnostics import KeyPath, Problem
from drift.config.yaml_loader import YamlTree

_REFERENCE: Final = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)\}|(?P<malformed>\{))")


def fill(tree: YamlTree, path: KeyPath, environ: Mapping[str, str], problems: list[Problem]) -> Any:
    """Return the value at a path with every variable filled in; add unset variables to `problems`."""
    return _filled(tree.at(path), path, tree, environ, problems)


def mentioned(value: Any) -> tuple[str, ...]:
    """Return the names of the variables in a value as written."""
    if isinstance(value, dict):
        return tuple(name for child in value.values() for name in mentioned(child))
    if isinstance(value, list):
        return tuple(name for child in value for name in mentioned(child))
    if isinstance(value, str):
        return tuple(match["name"] for match in _REFERENCE.finditer(value) if match["name"])
    return ()


def _filled(value: Any, path: KeyPath, tree: YamlTree, environ: Mapping[str, str], problems: list[Problem]) -> Any:
    if isinstance(value, dict):
        return {k: _filled(v, (*path, k), tree, environ, problems) for k, v in value.items()}
    if isinstance(value, list):
        return [_filled(v, (*path, i), tree, environ, problems) for i, v in enumerate(value)]
    if not isinstance(value, str) or "$" not in value:
        return value

    def replace(match: re.Match[str]) -> str:
        if match["dollar"]:
            return "$"
        name = match["name"]
        if name is None:
            message = "${ begins a variable, as in ${NAME} (letters, digits, _); write $$ for a dollar sign"
            problems.append(tree.problem(path, message, code="invalid-variable"))
        elif name not in environ:
            message = (
                f"the environment variable {name} is not set; set it (or {name}_FILE, to a file that holds it), "
                f"or write $${{{name}}} for that text itself"
            )
            problems.append(tree.problem(path, message, code="unset-variable"))
        else:
            return environ[name]
        return match[0]

    return _REFERENCE.sub(replace, value)
