"""Libraries as judges: each runs in its own environment, on the files of one trial."""

import json
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from . import changes
from .trial import Alarms, Trial
from .windows import Windows

TOOLS: Final = Path(__file__).resolve().parents[1] / "tools"


def run_judge(tool: str, python: Path, trial: Trial, unchanged: int, changed: int, env: Mapping[str, str]) -> Alarms:
    """Return the alarms of a tool on the first windows of a trial."""
    whole = pd.concat(trial.reference, ignore_index=True)
    numbers = [str(name) for name in whole if changes.is_number(whole[name])]
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / "reference.parquet", trial.reference, numbers)
        write(Path(folder) / "live.parquet", trial.live, numbers)
        for index, frames in enumerate(trial.changed.values()):
            write(Path(folder) / f"live-{index}.parquet", frames, numbers)
        command = [str(python), str(TOOLS / f"judge_{tool}.py"), folder, json.dumps(numbers)]
        process = subprocess.run(
            [*command, str(unchanged), str(changed)], env=dict(env), capture_output=True, text=True, check=False
        )
    if process.returncode:
        raise SystemExit(f"{tool} failed: {process.stderr[-2000:]}")
    output = json.loads(process.stdout.splitlines()[-1])
    alarms = {file: {name: np.array(each, dtype=bool) for name, each in by.items()} for file, by in output.items()}
    return Alarms(alarms["live"], {kind: alarms[f"live-{index}"] for index, kind in enumerate(trial.changed)})


def write(path: Path, windows: Windows, numbers: list[str]) -> None:
    """Write all windows to one file, numbered in the column `window`; numbers as floats, names as text."""
    whole = pd.concat([frame.assign(window=index) for index, frame in enumerate(windows)], ignore_index=True)
    floats = {name: float for name in numbers if name in whole}
    texts = {str(name): "string" for name in whole if name not in floats and name != "window"}
    whole.astype({**floats, **texts}).to_parquet(path)
