"""YAML text into plain values and their lines. Tags, code and duplicate keys are refused."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from drift.config.diagnostics import KeyPath, Problem

MAX_DEPTH: Final = 50
MAX_VALUES: Final = 100_000
_TAG: Final = "tag:yaml.org,2002:"
_MERGE: Final = _TAG + "merge"
_AS_TEXT: Final = {_TAG + "str", _MERGE, _TAG + "value"}
_TYPED: Final = {_TAG + name: name for name in ("int", "float", "bool", "null", "timestamp")}
_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_]\w*)\}", re.ASCII)


@dataclass(frozen=True, slots=True)
class YamlTree:
    """One document."""

    file: str  # as the user named it
    value: Any  # dicts with text keys, lists, text, numbers, booleans, dates, None
    lines: Mapping[KeyPath, int]  # the line of every key and list item, counted from 1

    def clip(self, path: KeyPath) -> KeyPath:
        """Return the longest beginning of a path that the document contains."""
        while path not in self.lines:
            path = path[:-1]
        return path

    def problem(self, path: KeyPath, message: str, *, code: str) -> Problem:
        """Return a problem of a key, on its line or that of the nearest key above it."""
        return Problem(self.file, self.lines[self.clip(path)], path, message, code=code)

    def at(self, path: KeyPath) -> Any:
        """Return the value at a path that the document contains."""
        value = self.value
        for step in path:
            value = value[step]
        return value


class DiagnosticCollector:
    """Collects problems and warnings about one part of a document."""

    def __init__(self, tree: YamlTree, prefix: KeyPath) -> None:
        self._tree, self._prefix = tree, prefix
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []

    def refuse(self, path: KeyPath, message: str, *, code: str) -> None:
        """Add a problem."""
        self.problems.append(self._tree.problem((*self._prefix, *path), message, code=code))

    def warn(self, path: KeyPath, message: str, *, code: str) -> None:
        """Add a warning: the value is valid but probably not intended."""
        self.warnings.append(self._tree.problem((*self._prefix, *path), message, code=code))


def read(file: Path, shown: str, problems: list[Problem]) -> YamlTree | None:
    """Return the document of a file; None, and a problem added, if it cannot be read."""
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        message = f"cannot be read ({reason}); check the path and its permissions"
        problems.append(Problem(shown, None, (), message, code="config-unreadable"))
        return None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        problems.append(Problem(shown, line, (), "not UTF-8 text; save the file as UTF-8", code="config-unreadable"))
        return None
    return parse(text, shown, problems)


def parse(text: str, shown: str, problems: list[Problem]) -> YamlTree | None:
    """Return the document in a text; None, and a problem added, if it is not valid YAML or empty."""
    # In {flow: mappings} YAML would read the braces of ${NAME} as its own. While it parses, two characters that the
    # text does not contain replace them, one for one, so that columns stay correct.
    free = (c for c in map(chr, range(0xE000, 0xF900)) if c not in text)
    left, right = next(free, ""), next(free, "")
    hidden = _VARIABLE.sub(rf"${left}\1{right}", text) if left and right else text
    try:
        loader = _Loader(hidden)
        node = loader.get_single_node()
        if node is None:
            message = "empty; `drift init DATA` writes a configuration to start from"
            problems.append(Problem(shown, 1, (), message, code="config-empty"))
            return None
        return _Builder(loader, shown, {left: "{", right: "}"}, problems).tree(node)
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        message = f"not valid YAML: character U+{error.character:04X} is not allowed; delete it, or write it escaped"
        problems.append(Problem(shown, line, (), message, code="yaml-syntax"))
    except yaml.MarkedYAMLError as error:
        problems.append(_syntax_problem(error, shown))
    return None


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with a limit on nesting, because it recurses."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.depth == MAX_DEPTH:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(problem=f"nested more than {MAX_DEPTH} deep", problem_mark=mark)
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


class _Builder:
    """Builds plain values from nodes, with their lines."""

    def __init__(self, loader: _Loader, shown: str, hidden: Mapping[str, str], problems: list[Problem]) -> None:
        self._loader = loader
        self._shown = shown
        self._hidden = str.maketrans({k: v for k, v in hidden.items() if k})
        self._problems = problems
        self._lines: dict[KeyPath, int] = {(): 1}
        self._open: set[int] = set()
        self._seen = 0

    def tree(self, root: yaml.Node) -> YamlTree:
        return YamlTree(self._shown, self._value(root, ()), self._lines)

    def _value(self, node: yaml.Node, path: KeyPath) -> Any:
        if isinstance(node, yaml.ScalarNode):
            self._count(node)
            return self._scalar(node, path)
        self._enter(node)
        value: Any
        if isinstance(node, yaml.MappingNode):
            entries = self._entries(node, path)
            self._lines.update({(*path, key): line for key, (line, _) in entries.items()})
            value = {key: self._value(child, (*path, key)) for key, (_, child) in entries.items()}
        else:
            self._lines.update({(*path, i): _line(child) for i, child in enumerate(node.value)})
            value = [self._value(child, (*path, i)) for i, child in enumerate(node.value)]
        self._open.discard(id(node))
        return value

    def _entries(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, tuple[int, yaml.Node]]:
        """Return keys with their lines and nodes; a key of the mapping itself overrides one merged by ``<<``."""
        own: dict[str, tuple[int, yaml.Node]] = {}
        inherited: dict[str, tuple[int, yaml.Node]] = {}
        for key_node, child in node.value:
            if key_node.tag == _MERGE:
                for key, entry in self._merged(child, path).items():
                    inherited.setdefault(key, entry)
                continue
            if not isinstance(key_node, yaml.ScalarNode):
                message = "a key must be text; this one is a list or a mapping"
                self._report(key_node, path, message, code="invalid-key")
                continue
            key = key_node.value.translate(self._hidden)
            if key in own:
                message = f"given twice; first on line {own[key][0]}: keep one of them"
                self._report(key_node, (*path, key), message, code="duplicate-key")
                continue
            own[key] = (_line(key_node), child)
        return {**own, **{k: v for k, v in inherited.items() if k not in own}}

    def _merged(self, node: yaml.Node, path: KeyPath) -> dict[str, tuple[int, yaml.Node]]:
        entries: dict[str, tuple[int, yaml.Node]] = {}
        for source in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            if not isinstance(source, yaml.MappingNode):
                self._report(source, path, "<< merges a mapping, or a list of mappings", code="invalid-value")
                continue
            self._enter(source)
            for key, entry in self._entries(source, path).items():
                entries.setdefault(key, entry)
            self._open.discard(id(source))
        return entries

    def _scalar(self, node: yaml.ScalarNode, path: KeyPath) -> Any:
        text: str = node.value.translate(self._hidden)
        if node.tag in _AS_TEXT:
            return text
        implied = self._loader.resolve(yaml.ScalarNode, node.value, (True, False))  # type: ignore[no-untyped-call]
        if node.style is not None or implied != node.tag or node.tag not in _TYPED:
            message = "tags (!name) are not supported; write the plain value, in quotes if it is text"
            self._report(node, path, message, code="yaml-tag")
            return None
        try:
            return self._loader.construct_object(node)
        except (ValueError, OverflowError):
            kind = "date" if _TYPED[node.tag] == "timestamp" else "number"
            message = f"YAML reads this as a {kind}, but no such {kind} exists; correct it, or put it in quotes"
            self._report(node, path, message, code="invalid-value")
            return None

    def _enter(self, node: yaml.Node) -> None:
        self._count(node)
        if id(node) in self._open:
            raise yaml.composer.ComposerError(problem="an alias that contains itself", problem_mark=node.start_mark)
        self._open.add(id(node))

    def _count(self, node: yaml.Node) -> None:
        self._seen += 1
        if self._seen > MAX_VALUES:
            raise yaml.composer.ComposerError(problem=f"more than {MAX_VALUES} values", problem_mark=node.start_mark)

    def _report(self, node: yaml.Node, path: KeyPath, message: str, *, code: str) -> None:
        self._problems.append(Problem(self._shown, _line(node), path, message, code=code))


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _syntax_problem(error: yaml.MarkedYAMLError, shown: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    reason = _without_names(error.problem or "it cannot be parsed")
    if error.context and error.context_mark:
        reason += f", {_without_names(error.context)} that began on line {error.context_mark.line + 1}"
    message = f"not valid YAML: {reason}; check indentation, and put text with special characters in quotes"
    line, column = (None, None) if mark is None else (mark.line + 1, mark.column + 1)
    return Problem(shown, line, (), message, column, code="yaml-syntax")


def _without_names(reason: str) -> str:
    """Remove the names of aliases, anchors and tags: they may be parts of an unquoted secret."""
    return re.sub(r"(alias|anchor|tag handle) ['\"].*", r"\1", reason, flags=re.DOTALL)
