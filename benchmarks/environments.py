"""Each tool's own virtual environment under build/peers/, made once, with all versions pinned."""

import json
import subprocess
import sys
import venv
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).resolve().parent.parent / "build" / "peers"
TOLD: Final = ("numpy", "pandas", "pyarrow", "scipy", "scikit-learn")

REQUIREMENTS: Final = {
    # Fails to import with pandas 3 (0.7.23: pandas.core.dtypes.common.infer_dtype_from_object).
    "evidently": ("evidently==0.7.23", "pandas==2.3.3", "numpy==2.4.6", "pyarrow==26.0.1"),
    # Needs statsmodels without saying so (0.13.1).
    "nannyml": ("nannyml==0.13.1", "statsmodels==0.15.0", "pandas==2.3.3", "numpy==2.4.6", "pyarrow==26.0.1"),
    # Takes arrays; asks for numpy < 2.2 itself.
    "frouros": ("frouros==0.9.0", "pandas==2.3.3", "numpy==2.1.3", "pyarrow==26.0.1"),
    # Held to the same pandas as the rest; not tried with pandas 3, nor are NannyML and Frouros.
    "whylogs": ("whylogs[viz]==1.6.4", "pandas==2.3.3", "numpy==2.4.6", "pyarrow==26.0.1"),
    # Uses np.Inf (gone in NumPy 2) and the scorer max_error (gone in scikit-learn 1.6).
    "deepchecks": (
        "deepchecks==0.19.1",
        "pandas==2.3.3",
        "numpy==1.26.4",
        "pyarrow==21.0.0",
        "scikit-learn==1.5.2",
        "category-encoders==2.6.4",
    ),
    # Its histogrammar cannot read the strings of pandas 3.
    "popmon": ("popmon==1.4.12", "pandas==2.3.3", "numpy==2.4.6", "pyarrow==26.0.1"),
}


def interpreter(name: str) -> Path:
    """The Python of an environment; the one that runs this for whatever needs none of its own."""
    return FOLDER / name / "bin" / "python" if name in REQUIREMENTS else Path(sys.executable)


def make(name: str) -> str:
    """Make an environment where it is not there yet; what pip said last where that failed, else nothing."""
    wanted = "\n".join(REQUIREMENTS.get(name, ()))
    mark = FOLDER / name / "installed.txt"
    if not wanted or (mark.exists() and mark.read_text() == wanted):
        return ""
    print(f"making the environment of {name} ...", flush=True)
    venv.create(FOLDER / name, with_pip=True, clear=True)
    pip = [str(interpreter(name)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run([*pip, *REQUIREMENTS[name]], capture_output=True, text=True, check=False)
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        return (errors or done.stderr.splitlines() or ["pip failed without a word"])[-1]
    mark.write_text(wanted)
    return ""


def versions(name: str, distribution: str) -> dict[str, str]:
    """What is installed there: the tool itself, and what it computes with."""
    listed = subprocess.run(
        [str(interpreter(name)), "-m", "pip", "list", "--format", "json", "--disable-pip-version-check"],
        capture_output=True,
        text=True,
        check=True,
    )
    installed = {package["name"].lower(): package["version"] for package in json.loads(listed.stdout)}
    return {each: installed[each] for each in (distribution, *TOLD) if each in installed}
