"""Small C libraries for LD_PRELOAD, compiled on demand."""

import subprocess
from pathlib import Path
from typing import Final

COMPILER: Final = "cc"


def library(name: str, folder: Path) -> Path:
    """Compile ``NAME.c`` beside this file; return the path of the library.

    Parameters
    ----------
    name : str
        Name of the source, without its suffix.
    folder : Path
        Folder of the library; an existing one is reused.
    """
    target = folder / f"{name}.so"
    if not target.exists():
        source = Path(__file__).with_name(f"{name}.c")
        command = [COMPILER, "-shared", "-fPIC", "-Wall", "-Werror", "-o", str(target), str(source), "-ldl"]
        subprocess.run(command, check=True)
    return target
