"""Messages with a code in drift's source: texts of exceptions and log lines, read from the syntax tree."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tests.support.paths import ROOT


@dataclass(frozen=True, slots=True, order=True)
class Message:
    """One message in the source: its code and its text, with `{}` for inserted values."""

    module: str
    code: str
    text: str


Texts = Mapping[str, str]
"""Texts of the variables assigned so far: a long message is often assigned before it is raised."""


def template(node: ast.AST, known: Texts) -> str | None:
    """Return the text of a string expression, with `{}` for inserted values; None for other expressions."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.Name):
        return known.get(node.id)
    if isinstance(node, ast.FormattedValue):
        return template(node.value, known) or "{}"
    if isinstance(node, ast.JoinedStr):
        return "".join(template(part, known) or "" for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return (template(node.left, known) or "{}") + (template(node.right, known) or "{}")
    return None


def calls(node: ast.AST, known: dict[str, str]) -> Iterator[tuple[ast.Call, Texts]]:
    """Yield the calls in a tree, in order, with the texts of the variables at that point."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        known = dict(known)  # its variables are its own
    for child in ast.iter_child_nodes(node):
        yield from calls(child, known)
    if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            if isinstance(target, ast.Name):
                text = template(node.value, known)
                known.pop(target.id, None) if text is None else known.update({target.id: text})
    if isinstance(node, ast.Call):
        yield node, known


def literal_codes(call: ast.Call) -> Iterator[str]:
    """Yield the codes that a call names: `code="..."`, or a dict with the key `code`."""
    for keyword in call.keywords:
        if keyword.arg == "code":
            yield from (node.value for node in ast.walk(keyword.value) if is_code(node))
        for node in ast.walk(keyword.value):
            if isinstance(node, ast.Dict):
                for key, value in zip(node.keys, node.values, strict=True):
                    if isinstance(key, ast.Constant) and key.value == "code":
                        yield from (part.value for part in ast.walk(value) if is_code(part))


def is_code(node: ast.AST) -> bool:
    """Return whether a node is a string literal."""
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def messages() -> list[Message]:
    """Return all messages, by module and code."""
    gathered = set()
    for path in (ROOT / "drift").rglob("*.py"):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for call, known in calls(ast.parse(path.read_text("utf-8")), {}):
            text = next((text for node in call.args if (text := template(node, known))), "{}")
            gathered |= {Message(module, code, " ".join(text.split())) for code in literal_codes(call)}
    return sorted(gathered)
