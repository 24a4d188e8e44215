"""What is wrong in a configuration: collected with its place, told all at once."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from drift.errors import ConfigError

KeyPath = tuple[str | int, ...]
"""Where a value stands in a document: ``("monitors", "bikes", "columns", "exclude", 0)``."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend (or to know), and where.

    Parameters
    ----------
    file : str
        The file, as the user named it.
    line : int or None
        Counted from 1; None where the file as a whole is meant.
    path : KeyPath
        The key; empty where the document as a whole is meant.
    message : str
        What came, what was expected, what to do. Never a secret.
    column : int or None
        Counted from 1, for errors of YAML itself.
    """

    file: str
    line: int | None
    path: KeyPath
    message: str
    column: int | None = None

    @property
    def monitor(self) -> str | None:
        """The monitor whose concern this is; None for the file as a whole."""
        return str(self.path[1]) if len(self.path) > 1 and self.path[0] == "monitors" else None

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        return f"{place}: {key_text(self.path)}: {self.message}" if self.path else f"{place}: {self.message}"


def key_text(path: KeyPath) -> str:
    """A key path for a person: ``monitors.bikes.columns.exclude[0]``."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            shown = step if step.isprintable() and step.strip() == step and step else repr(step)
            text += f".{shown}" if text else shown
    return text


def ordered(problems: Iterable[Problem]) -> list[Problem]:
    """Each problem once, in the order of the files."""
    return sorted(set(problems), key=lambda p: (p.file, p.line or 0, p.column or 0, key_text(p.path), p.message))


def report(problems: Iterable[Problem]) -> str:
    """All problems, one a line."""
    return "\n".join(map(str, ordered(problems)))


def refuse(problems: Iterable[Problem]) -> None:
    """Raise what was found, if anything was.

    Raises
    ------
    ConfigError
        Naming every problem.
    """
    if text := report(problems):
        raise ConfigError(text)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`` (did you mean 'js'?)``, or nothing where no known name is near."""
    near = get_close_matches(name, list(known), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""
