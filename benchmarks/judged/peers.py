"""Libraries as judges, run for real: each in its own environment, on files that hold one trial."""

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


def judged(tool: str, python: Path, trial: Trial, unchanged: int, changed: int, env: Mapping[str, str]) -> Alarms:
    """What a tool says about the first windows of a trial."""
    whole = pd.concat(trial.reference, ignore_index=True)
    numbers = [str(name) for name in whole if changes.is_number(whole[name])]
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / "reference.parquet", trial.reference, numbers)
        write(Path(folder) / "live.parquet", trial.live, numbers)
        for at, frames in enumerate(trial.changed.values()):
            write(Path(folder) / f"live-{at}.parquet", frames, numbers)
        command = [str(python), str(TOOLS / f"judge_{tool}.py"), folder, json.dumps(numbers)]
        done = subprocess.run(
            [*command, str(unchanged), str(changed)], env=dict(env), capture_output=True, text=True, check=False
        )
    if done.returncode:
        raise SystemExit(f"{tool} failed: {done.stderr[-2000:]}")
    told = json.loads(done.stdout.splitlines()[-1])
    alarms = {file: {name: np.array(each, dtype=bool) for name, each in by.items()} for file, by in told.items()}
    return Alarms(alarms["live"], {kind: alarms[f"live-{at}"] for at, kind in enumerate(trial.changed)})


def write(path: Path, windows: Windows, numbers: list[str]) -> None:
    """All windows in one file, numbered in the column `window`; numbers as floats, names as texts."""
    whole = pd.concat([frame.assign(window=at) for at, frame in enumerate(windows)], ignore_index=True)
    floats = {name: float for name in numbers if name in whole}
    texts = {str(name): "string" for name in whole if name not in floats and name != "window"}
    whole.astype({**floats, **texts}).to_parquet(path)
