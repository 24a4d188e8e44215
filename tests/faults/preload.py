"""Small C libraries put before a process's own (LD_PRELOAD), made where they are needed."""

import subprocess
from pathlib import Path
from typing import Final

COMPILER: Final = "cc"


def library(name: str, folder: Path) -> Path:
    """The library made of ``NAME.c`` beside this file.

    Parameters
    ----------
    name : str
        Of the source, without its ending.
    folder : Path
        Where it is made, unless it is there.
    """
    made = folder / f"{name}.so"
    if not made.exists():
        source = Path(__file__).with_name(f"{name}.c")
        command = [COMPILER, "-shared", "-fPIC", "-Wall", "-Werror", "-o", str(made), str(source), "-ldl"]
        subprocess.run(command, check=True)
    return made
