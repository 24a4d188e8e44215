"""Check the project's words, names and layout; print each violation as `file:line: reason`."""

import ast
import io
import re
import sys
import tokenize
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]

# Words of docs/glossary.md's last column and their kin, wherever they stand: names are split at `_` and at capitals.
DIALECT = re.compile(
    r"\b(un)?told\b|\bheld (against|to|in)\b|\bin hand\b|\b(is|are|was|were) no more\b|\b(some|no)body\b|"
    r"\bwhoever\b|"
    r"\b(came|come|comes|coming) to no end\b|\b(give|gives|gave|given|giving) up\b|"
    r"\blest\b|\bbears?\b|\bstretch(es|ed)?\b|"
    r"\bmend(s|ed|ing)?\b|\b(house|rooms?)\b|\bway of the data\b|\bstands? out\b|\bcustomary\b|\bsecond looks?\b|"
    r"\bexpected this often\b|\bthinn(ed|ing) out\b|\bkeepers?\b|\bbe it that\b",
    re.IGNORECASE,
)
NOUNS = {"found", "looked", "told", "held", "customary"}  # not as names of variables
FOREIGN = {"allow_not_found"}  # names of other libraries
EXEMPT = {"docs/glossary.md"}
# Spellings that are contracts: rows in existing databases, keys of JSON documents.
CONTRACTS = re.compile(r"--give-up-after|`customary`|\"customary\"|[\"']given_up[\"']|`given_up`|\"given_up\": \d")
PROTOCOLS = {"send", "register", "log", "compare", "profile", "main", "BACKEND"}  # one a module, by protocol
MOST_DUPLICATES, MOST_LOOSE, MOST_ENTRIES, MOST_WORDS = 10, 6, 22, 10


def texts() -> list[Path]:
    """Return the files whose words are checked."""
    found = [*(ROOT / "drift").rglob("*"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "config").rglob("*")]
    found += [*(ROOT / "migrations").rglob("*.py"), ROOT / "README.md", ROOT / "CHANGELOG.md"]
    suffixes = {".py", ".html", ".js", ".css", ".md", ".yaml"}
    return sorted(path for path in found if path.suffix in suffixes and str(path.relative_to(ROOT)) not in EXEMPT)


def words() -> Iterator[str]:
    """Find dialect in prose, messages and names."""
    for path in texts():
        text = path.read_text(encoding="utf-8")
        for number, line in enumerate(text.splitlines(), 1):
            plain = re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", CONTRACTS.sub("", line))
            for match in DIALECT.finditer(plain):
                yield f"{path.relative_to(ROOT)}:{number}: {match[0]!r} is not a word of docs/glossary.md"
        if path.suffix == ".py":
            for token in tokenize.generate_tokens(io.StringIO(text).readline):
                if (
                    token.type == tokenize.NAME
                    and token.string not in FOREIGN
                    and NOUNS & set(token.string.lower().split("_"))
                ):
                    yield f"{path.relative_to(ROOT)}:{token.start[0]}: name {token.string!r} does not say what it holds"


def public_names(tree: ast.Module) -> Iterator[str]:
    """Yield the public names that a module defines itself."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (target.id for target in targets if isinstance(target, ast.Name))


def homonyms() -> Iterator[str]:
    """Find public names with two meanings, beyond those that a protocol asks for."""
    places = defaultdict(list)
    for path in sorted((ROOT / "drift").rglob("*.py")):
        for name in public_names(ast.parse(path.read_text(encoding="utf-8"))):
            if not name.startswith("_") and name not in PROTOCOLS:
                places[name].append(str(path.relative_to(ROOT)))
    twice = {name: paths for name, paths in places.items() if len(paths) > 1}
    if len(twice) > MOST_DUPLICATES:
        yield from (f"{paths[0]}:1: {name!r} is defined in {', '.join(paths)}" for name, paths in twice.items())


def layout() -> Iterator[str]:
    """Count what lies directly under `drift/`."""
    entries = [path for path in (ROOT / "drift").iterdir() if path.name != "__pycache__"]
    loose = [path.name for path in entries if path.suffix == ".py"]
    if len(entries) > MOST_ENTRIES or len(loose) > MOST_LOOSE:
        yield f"drift:1: {len(entries)} entries, {len(loose)} loose modules: {', '.join(sorted(loose))}"


def tests() -> Iterator[str]:
    """Find long test names, and test modules that import one another."""
    for path in sorted((ROOT / "tests").rglob("*.py")):
        where = path.relative_to(ROOT)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                if len(node.name.split("_")) - 1 > MOST_WORDS:
                    yield f"{where}:{node.lineno}: {node.name} has more than {MOST_WORDS} words"
            elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("tests."):
                module = node.module.rsplit(".", 1)[-1]
                if module.startswith("test_") or module == "conftest":
                    yield f"{where}:{node.lineno}: imports {node.module}; shared builders belong to tests/support"


if __name__ == "__main__":
    violations = [line for check in (words, homonyms, layout, tests) for line in check()]
    print("\n".join(violations) or "words, names and layout: nothing to complain about")
    sys.exit(bool(violations))
