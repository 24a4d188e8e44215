"""A virtual environment for each tool under build/peers/, created once, with all versions pinned."""

import json
import subprocess
import sys
import venv
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).resolve().parent.parent / "build" / "peers"
DEPENDENCIES: Final = ("numpy", "pandas", "pyarrow", "scipy", "scikit-learn")

REQUIREMENTS: Final = {
    # Fails to import with pandas 3 (0.7.23: pandas.core.dtypes.common.infer_dtype_from_object).
    "evidently": ("evidently==0.7.23", "pandas==2.3.3", "numpy==2.4.6", "pyarrow==26.0.1"),
    # Needs statsmodels, which it does not declare (0.13.1).
    "nannyml": ("nannyml==0.13.1", "statsmodels==0.15.0", "pandas==2.3.3", "numpy==2.4.6", "pyarrow==26.0.1"),
    # Takes arrays; requires numpy < 2.2.
    "frouros": ("frouros==0.9.0", "pandas==2.3.3", "numpy==2.1.3", "pyarrow==26.0.1"),
    # Pinned to the same pandas as the rest; not tried with pandas 3, as NannyML and Frouros.
    "whylogs": ("whylogs[viz]==1.6.4", "pandas==2.3.3", "numpy==2.4.6", "pyarrow==26.0.1"),
    # Uses np.Inf (removed in NumPy 2) and the scorer max_error (removed in scikit-learn 1.6).
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
    """Return the Python of an environment, or of this process if the tool has no environment."""
    return FOLDER / name / "bin" / "python" if name in REQUIREMENTS else Path(sys.executable)


def create_environment(name: str) -> str:
    """Create an environment if it does not exist; return the last error of pip, or an empty text."""
    requirements = "\n".join(REQUIREMENTS.get(name, ()))
    marker = FOLDER / name / "installed.txt"
    if not requirements or (marker.exists() and marker.read_text() == requirements):
        return ""
    print(f"creating the environment of {name} ...", flush=True)
    venv.create(FOLDER / name, with_pip=True, clear=True)
    pip = [str(interpreter(name)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    process = subprocess.run([*pip, *REQUIREMENTS[name]], capture_output=True, text=True, check=False)
    if process.returncode:
        errors = [line for line in process.stderr.splitlines() if line.startswith("ERROR")]
        return (errors or process.stderr.splitlines() or ["pip failed without a message"])[-1]
    marker.write_text(requirements)
    return ""


def versions(name: str, distribution: str) -> dict[str, str]:
    """Return the installed versions of a tool and of its numerical dependencies."""
    listing = subprocess.run(
        [str(interpreter(name)), "-m", "pip", "list", "--format", "json", "--disable-pip-version-check"],
        capture_output=True,
        text=True,
        check=True,
    )
    installed = {package["name"].lower(): package["version"] for package in json.loads(listing.stdout)}
    return {
        package_name: installed[package_name]
        for package_name in (distribution, *DEPENDENCIES)
        if package_name in installed
    }
