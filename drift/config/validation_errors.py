"""Errors of pydantic as problems of the configuration file: our messages, at the places of the file."""

from collections.abc import Callable, Collection
from typing import Any

from pydantic import ValidationError

from drift.config.diagnostics import KeyPath, Problem, did_you_mean
from drift.config.environment import mentioned
from drift.config.sections import Section
from drift.config.yaml_loader import YamlTree
from drift.errors import DriftError

SectionAt = Callable[[KeyPath], type[Section]]


def code_of(error: object) -> str:
    """Return the code of an exception that a validator raised; ``invalid-value`` if it has none of its own."""
    if isinstance(error, DriftError) and error.code != error.default_code:
        return error.code
    return "invalid-value"


def explain(
    error: ValidationError, tree: YamlTree, prefix: KeyPath, section_at: SectionAt, reported: Collection[Problem]
) -> list[Problem]:
    """Return one problem for each error of pydantic in validating the value at `prefix`.

    `section_at` returns the section that a path below `prefix` leads to. Keys of problems in `reported` are left
    out.
    """
    known = {problem.path for problem in reported}
    problems = []
    for detail in error.errors(include_url=False, include_input=False):
        inner: KeyPath = detail["loc"]
        if detail["type"] == "missing":
            problem = _missing(tree, prefix, inner, section_at, known)
        elif detail["type"] == "extra_forbidden":
            problem = _unknown(tree, (*prefix, *inner), section_at(inner[:-1]))
        else:
            path = tree.clip((*prefix, *inner))
            raised = detail.get("ctx", {}).get("error")
            problem = tree.problem(path, _message(dict(detail), tree, path), code=code_of(raised))
        if problem is not None and problem.path not in known:
            problems.append(problem)
    return problems


def _missing(
    tree: YamlTree, prefix: KeyPath, inner: KeyPath, section_at: SectionAt, known: set[KeyPath]
) -> Problem | None:
    *above, key = inner
    section = section_at(tuple(above))
    path = tree.clip((*prefix, *above))
    written = tree.at(path)
    # A key that replaces the missing one, and has a problem of its own, is reported instead.
    if isinstance(written, dict) and any(later in written for later in section.later):
        return None
    if (*path, f"{key}_file") in known:
        return None
    file = f", or {key}_file with a file that holds it" if key in section.files else ""
    return tree.problem((*path, key), f"missing; give {key}{file}", code="missing-key")


def _unknown(tree: YamlTree, path: KeyPath, section: type[Section]) -> Problem:
    key, allowed = str(path[-1]), section.allowed()
    keys = f"known {'key is' if len(allowed) == 1 else 'keys are'} {', '.join(allowed)}" if allowed else "delete it"
    if key in section.later:
        return tree.problem(path, f"not in this release; {keys}", code="not-in-release")
    return tree.problem(path, f"unknown key; {keys}{did_you_mean(key, allowed)}", code="unknown-key")


def _message(detail: dict[str, Any], tree: YamlTree, path: KeyPath) -> str:
    raised = detail.get("ctx", {}).get("error")
    message = str(raised) if raised is not None else str(detail["msg"])
    names = mentioned(tree.at(path))
    if names and path[:1] == ("monitors",):  # messages of the core repeat the value; those of other sections do not
        variables = ", ".join(f"${{{name}}}" for name in dict.fromkeys(names))
        return (
            f"the value of {variables} is invalid here (not shown, it may be a secret); "
            "write it out in place of the variable to see why"
        )
    return message
