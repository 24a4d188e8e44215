"""Messages with a code in drift's source: texts of exceptions and log lines, read from the syntax tree."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from tests.support.paths import ROOT


@dataclass(frozen=True, slots=True, order=True)
class Message:
    """One message in the source: its code and its text, with `{}` for inserted values."""

    module: str
    code: str
    text: str


def template(node: ast.expr) -> str | None:
    """Return the text of a string expression, with `{}` for inserted values; None for other expressions."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return (template(node.left) or "{}") + (template(node.right) or "{}")
    return None


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
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                text = next(filter(None, map(template, node.args)), "{}")
                gathered |= {Message(module, code, " ".join(text.split())) for code in literal_codes(node)}
    return sorted(gathered)
