"""Print constraints that pin every requirement of pyproject.toml to the lowest version it admits."""

import re
import sys
import tomllib
from pathlib import Path


def main() -> None:
    """One line for each requirement that names a lower bound."""
    project = tomllib.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *(line for name in extras if name != "dev" for line in extras[name])]
    for line in wanted:
        if match := re.fullmatch(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?>=([^,;]+).*", line):
            print(f"{match[1]}=={match[2]}")


if __name__ == "__main__":
    main()
