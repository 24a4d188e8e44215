"""What pydantic found, in the words and at the places of the configuration file."""

from collections.abc import Callable
from typing import Any

from pydantic import ValidationError

from drift.config.diagnostics import KeyPath, Problem, did_you_mean
from drift.config.environment import mentioned
from drift.config.sections import Section
from drift.config.yaml_loader import YamlTree

SectionAt = Callable[[KeyPath], type[Section]]


def explain(
    error: ValidationError, tree: YamlTree, prefix: KeyPath, section_at: SectionAt, told: list[Problem]
) -> list[Problem]:
    """One problem for everything pydantic found.

    Parameters
    ----------
    error : ValidationError
        From validating what stands at `prefix`.
    tree : Tree
        The document as written.
    prefix : KeyPath
        Where the validated section stands.
    section_at : callable
        The section that a path below `prefix` leads to.
    told : list of Problem
        What is known already: a key is told about once.
    """
    known = {problem.path for problem in told}
    found = []
    for detail in error.errors(include_url=False, include_input=False):
        inner: KeyPath = detail["loc"]
        if detail["type"] == "missing":
            problem = _missing(tree, prefix, inner, section_at, known)
        elif detail["type"] == "extra_forbidden":
            problem = tree.problem((*prefix, *inner), _unknown(str(inner[-1]), section_at(inner[:-1])))
        else:
            path = tree.clip((*prefix, *inner))
            problem = tree.problem(path, _message(dict(detail), tree, path))
        if problem is not None and problem.path not in known:
            found.append(problem)
    return found


def _missing(
    tree: YamlTree, prefix: KeyPath, inner: KeyPath, section_at: SectionAt, known: set[KeyPath]
) -> Problem | None:
    *above, key = inner
    section = section_at(tuple(above))
    path = tree.clip((*prefix, *above))
    written = tree.at(path)
    # What stands in for the key, and has been told about, is not told about again as a missing one.
    if isinstance(written, dict) and any(later in written for later in section.later):
        return None
    if (*path, f"{key}_file") in known:
        return None
    file = f", or {key}_file with a file that holds it" if key in section.files else ""
    return tree.problem((*path, key), f"missing; give {key}{file}")


def _unknown(key: str, section: type[Section]) -> str:
    allowed = section.allowed()
    if key in section.later:
        return f"not in this release; known {'is' if len(allowed) == 1 else 'are'} {', '.join(allowed)}"
    return f"unknown key; known are {', '.join(allowed)}{did_you_mean(key, allowed)}"


def _message(detail: dict[str, Any], tree: YamlTree, path: KeyPath) -> str:
    raised = detail.get("ctx", {}).get("error")
    message = str(raised) if raised is not None else str(detail["msg"])
    names = mentioned(tree.at(path))
    if names and path[:1] == ("monitors",):  # messages of the core repeat what came; elsewhere they never do
        told = ", ".join(f"${{{name}}}" for name in dict.fromkeys(names))
        return f"what {told} holds does not fit here (not shown, it may be a secret); write it out here to see why"
    return message
