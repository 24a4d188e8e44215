"""docs/architecture.md names files that exist, and is a map: short."""

import re

from tests.support.paths import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
SECTIONS = re.findall(r"^\*\*(\w+)\*\*: (.*?)(?=^\*\*|^`errors)", PAGE, re.DOTALL | re.MULTILINE)


def test_the_map_is_short_and_has_every_package() -> None:
    assert len(PAGE.splitlines()) <= 150
    packages = {path.parent.name for path in (ROOT / "drift").glob("*/__init__.py")}
    assert {name for name, _ in SECTIONS} == packages


def test_every_named_file_exists() -> None:
    missing = []
    for package, text in SECTIONS:
        names = {path.name for path in (ROOT / "drift" / package).rglob("*")}
        missing += [name for name in re.findall(r"`([\w]+(?:\.py|/))`", text) if name.rstrip("/") not in names]
    assert missing == []
    paths = [path for path in re.findall(r"`((?:drift|tests)/[\w/]+\.py)`", PAGE) if not (ROOT / path).exists()]
    assert paths == []


def test_links_of_all_pages_lead_somewhere() -> None:
    pages = [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")]
    links = [
        (page, link) for page in pages for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
    ]
    broken = [(page.name, link) for page, link in links if "://" not in link and not (page.parent / link).exists()]
    assert broken == []


def test_decisions_are_short_and_numbered() -> None:
    files = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [int(path.name[:4]) for path in files] == list(range(1, len(files) + 1))
    assert [path.name for path in files if len(path.read_text("utf-8").splitlines()) >= 40] == []
