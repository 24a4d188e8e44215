"""Whose alarms are true, on real windows in random order: ``python benchmarks/judges.py``.

drift, customary rules and two libraries judge days (weeks, villages, teachers) of real data. Their order is random:
nothing changes between the first 60, the reference, and the rest, and whatever alarms there is false. Known changes are
then made to whole windows. Everything is drawn from seeds. Results go to benchmarks/results/judges.json, tables to
docs/calibration.md, data set by data set: ``--sets`` renews some of them. ``--again`` runs all but the libraries, whose
numbers stay; ``--quick`` (one seed, no libraries) only prints; ``--page`` writes the tables from the results again.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any, Final

import environments
import machine
import page
from judged import peers, rules, tally, trial, windows

ROOT: Final = Path(__file__).resolve().parent.parent
PAGE: Final = ROOT / "docs" / "calibration.md"
RESULTS: Final = ROOT / "benchmarks" / "results" / "judges.json"
REFERENCE: Final = 60
FEWER: Final = (20, 8)
SEEDS: Final = 6
UNCHANGED, CHANGED = 200, 40
QUIET: Final = {"NML_DISABLE_USAGE_LOGGING": "1", "DO_NOT_TRACK": "1", "TQDM_DISABLE": "1"}
LIBRARIES: Final = {  # seeds, unchanged windows, changed windows: Evidently takes seconds a window
    "nannyml": ("NannyML, JS, mean + 3 sd", 2, 100, 30),
    "evidently": ("Evidently, its defaults", 1, 24, 5),
}


def main() -> None:
    """All data sets in turn."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", default=",".join(windows.SETS), help="data sets by name, as flights,nox")
    parser.add_argument("--quick", action="store_true", help="one seed, no libraries; prints, writes nothing")
    parser.add_argument("--again", action="store_true", help="all but the libraries, whose numbers stay as they are")
    parser.add_argument("--page", action="store_true", help="tables again from the results file")
    options = parser.parse_args()
    if options.page:
        renew(json.loads(RESULTS.read_text()))
        return
    windows.fetch()
    libraries = {} if options.quick or options.again else LIBRARIES
    for name in libraries:
        if error := environments.make(name):
            raise SystemExit(f"the environment of {name} could not be made: {error}")
    told: dict[str, Any] = {
        "command": "python benchmarks/judges.py",
        "machine": machine.described(),
        "versions": {name: environments.versions(name, name)[name] for name in ("driftgauge", *libraries)},
    }
    for name in options.sets.split(","):
        found = compared(windows.SETS[name], 1 if options.quick else SEEDS, libraries)
        if options.quick:
            print(tally.written({**told, "sets": {name: found}}))
        else:
            keep(told, name, found)


def keep(told: dict[str, Any], name: str, found: dict[str, Any]) -> None:
    """Put one data set into the results file, in their usual order, and renew the page."""
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"sets": {}, "versions": {}}
    fresh = {record["judge"] for record in found["judges"]}
    labels = {label for label, *_ in LIBRARIES.values()} - fresh
    before = results["sets"].get(name, {"judges": []})["judges"]
    found["judges"] += [record for record in before if record["judge"] in labels]
    found["judges"].sort(key=lambda record: -record["reference"])
    results["sets"][name] = found
    results |= {**told, "versions": {**results["versions"], **told["versions"]}}
    results["sets"] = {each: results["sets"][each] for each in windows.SETS if each in results["sets"]}
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    renew(results)


def compared(which: windows.Set, seeds: int, libraries: dict[str, tuple[str, int, int, int]]) -> dict[str, Any]:
    """All judges on one data set."""
    every = which.load()
    tallies: dict[tuple[str, int], tally.Tally] = {}
    visible: list[dict[str, float]] = []
    for seed in range(seeds):
        begun = time.perf_counter()
        made = trial.prepared(every, seed, REFERENCE, UNCHANGED, CHANGED)
        counts = trial.counted(made)
        visible.append(counts.visible())
        for level, told in trial.by_calibration(counts).items():
            _add(tallies, f"drift, {level:g}", REFERENCE, told)
        for name, rule in rules.RULES.items():
            _add(tallies, name, REFERENCE, trial.by_rule(counts, rule))
        for tool, (label, most, unchanged, changed) in libraries.items():
            if seed < most:
                env = {**os.environ, **QUIET}
                python = environments.interpreter(tool)
                _add(tallies, label, REFERENCE, peers.judged(tool, python, made, unchanged, changed, env))
        for few in FEWER:
            counts = trial.counted(trial.prepared(every, seed, few, UNCHANGED, CHANGED // 2))
            _add(tallies, "drift, 0.001", few, trial.by_calibration(counts, (1e-3,))[1e-3])
            told = trial.by_rule(counts, rules.js_three_deviations)
            _add(tallies, "JS distance, mean + 3 sd", few, told)
        print(f"{which.name}, seed {seed}: {time.perf_counter() - begun:.0f} s", file=sys.stderr, flush=True)
    rows = sorted(len(window) for window in every)
    return {
        "label": which.label,
        "source": which.source,
        "seen": which.seen,
        "windows": len(every),
        "rows": [rows[0], rows[len(rows) // 2], rows[-1]],
        "columns": len(every[0].columns),
        "reference": REFERENCE,
        "visible": {kind: sum(each[kind] for each in visible) / len(visible) for kind in visible[0]},
        "judges": [each.record(*key) for key, each in tallies.items()],
    }


def _add(tallies: dict[tuple[str, int], tally.Tally], judge: str, reference: int, told: trial.Alarms) -> None:
    tallies.setdefault((judge, reference), tally.Tally()).add(told)


def renew(results: dict[str, Any]) -> None:
    """The tables of the page; its prose stays."""
    PAGE.write_text(page.replaced(PAGE.read_text(), "judges", tally.written(results)))


if __name__ == "__main__":
    main()
