"""Problems of a configuration: collected with file, line, key and code, reported together."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from drift.errors import ConfigError

KeyPath = tuple[str | int, ...]
"""Place of a value in a document: ``("monitors", "bikes", "columns", "exclude", 0)``."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One error or warning, and its place."""

    file: str  # as the user named it
    line: int | None  # counted from 1; None for the file as a whole
    path: KeyPath  # the key; empty for the document as a whole
    message: str  # what was expected, what came, what to do; never a secret
    column: int | None = None  # counted from 1, for errors of YAML itself
    code: str = "invalid-value"  # stable name of the kind of problem, such as ``unknown-key``

    @property
    def monitor(self) -> str | None:
        """The monitor it belongs to; None for any other part of the file."""
        return str(self.path[1]) if len(self.path) > 1 and self.path[0] == "monitors" else None

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        key = f"{key_text(self.path)}: " if self.path else ""
        return f"{place}: {key}{self.message} [{self.code}]"

    def to_dict(self) -> dict[str, Any]:
        """Return the problem as strict JSON."""
        return {
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "key": key_text(self.path),
            "code": self.code,
            "message": self.message,
        }


class InvalidConfigError(ConfigError):
    """A configuration with problems; `code` is theirs if they share one.

    Attributes
    ----------
    problems : tuple of Problem
        All of them, in the order of the files.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(ordered(problems))
        codes = {problem.code for problem in self.problems}
        super().__init__(format_problems(self.problems), code=codes.pop() if len(codes) == 1 else None)


def key_text(path: KeyPath) -> str:
    """Return a key path as text: ``monitors.bikes.columns.exclude[0]``."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            shown = step if step.isprintable() and step.strip() == step and step else repr(step)
            text += f".{shown}" if text else shown
    return text


def ordered(problems: Iterable[Problem]) -> list[Problem]:
    """Return each problem once, in the order of the files."""
    return sorted(set(problems), key=lambda p: (p.file, p.line or 0, p.column or 0, key_text(p.path), p.message))


def format_problems(problems: Iterable[Problem]) -> str:
    """Return all problems, one a line."""
    return "\n".join(map(str, ordered(problems)))


def raise_problems(problems: Iterable[Problem]) -> None:
    """Raise InvalidConfigError if there is any problem."""
    if problems := list(problems):
        raise InvalidConfigError(problems)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `` (did you mean 'js'?)``, or nothing if no known name is similar."""
    near = get_close_matches(name, list(known), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""
