"""True and false alarms on real windows in random order: ``python benchmarks/judges.py``.

drift, common rules and two libraries judge days (weeks, villages, teachers) of real data. Their order is random:
nothing changes between the first 60, the reference, and the rest, so every alarm is false. Known changes are then made
to whole windows. All random numbers come from seeds. Results go to benchmarks/results/judges.json and tables to
docs/calibration.md, one data set at a time: ``--sets`` updates some of them. ``--again`` runs all but the libraries and
keeps their numbers; ``--quick`` (one seed, no libraries) only prints; ``--page`` writes the tables from the results.
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
SHORT_REFERENCES: Final = (20, 8)
SEEDS: Final = 6
UNCHANGED, CHANGED = 200, 40
QUIET: Final = {"NML_DISABLE_USAGE_LOGGING": "1", "DO_NOT_TRACK": "1", "TQDM_DISABLE": "1"}
LIBRARIES: Final = {  # seeds, unchanged windows, changed windows: Evidently takes seconds per window
    "nannyml": ("NannyML, JS, mean + 3 sd", 2, 100, 30),
    "evidently": ("Evidently, its defaults", 1, 24, 5),
}


def main() -> None:
    """Run the data sets one after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", default=",".join(windows.SETS), help="data sets by name, as flights,nox")
    parser.add_argument("--quick", action="store_true", help="one seed, no libraries; prints, writes nothing")
    parser.add_argument("--again", action="store_true", help="all but the libraries, whose numbers are kept")
    parser.add_argument("--page", action="store_true", help="write the tables from the results file")
    options = parser.parse_args()
    if options.page:
        write_page(json.loads(RESULTS.read_text()))
        return
    windows.fetch()
    libraries = {} if options.quick or options.again else LIBRARIES
    for name in libraries:
        if error := environments.create_environment(name):
            raise SystemExit(f"the environment of {name} could not be created: {error}")
    header: dict[str, Any] = {
        "command": "python benchmarks/judges.py",
        "machine": machine.described(),
        "versions": {name: environments.versions(name, name)[name] for name in ("driftgauge", *libraries)},
    }
    for name in options.sets.split(","):
        result = run_judges(windows.SETS[name], 1 if options.quick else SEEDS, libraries)
        if options.quick:
            print(tally.written({**header, "sets": {name: result}}))
        else:
            store_result(header, name, result)


def store_result(header: dict[str, Any], name: str, result: dict[str, Any]) -> None:
    """Store one data set in the results file, in the order of `SETS`, and update the page."""
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"sets": {}, "versions": {}}
    fresh = {record["judge"] for record in result["judges"]}
    labels = {label for label, *_ in LIBRARIES.values()} - fresh
    stored = results["sets"].get(name, {"judges": []})["judges"]
    result["judges"] += [record for record in stored if record["judge"] in labels]
    result["judges"].sort(key=lambda record: -record["reference"])
    results["sets"][name] = result
    results |= {**header, "versions": {**results["versions"], **header["versions"]}}
    results["sets"] = {each: results["sets"][each] for each in windows.SETS if each in results["sets"]}
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    write_page(results)


def run_judges(data_set: windows.Set, seeds: int, libraries: dict[str, tuple[str, int, int, int]]) -> dict[str, Any]:
    """Run all judges on one data set."""
    all_windows = data_set.load()
    tallies: dict[tuple[str, int], tally.Tally] = {}
    visible: list[dict[str, float]] = []
    for seed in range(seeds):
        started = time.perf_counter()
        prepared = trial.prepared(all_windows, seed, REFERENCE, UNCHANGED, CHANGED)
        counts = trial.counted(prepared)
        visible.append(counts.visible())
        for level, alarms in trial.by_calibration(counts).items():
            _add(tallies, f"drift, {level:g}", REFERENCE, alarms)
        for name, rule in rules.RULES.items():
            _add(tallies, name, REFERENCE, trial.by_rule(counts, rule))
        for tool, (label, max_seeds, unchanged, changed) in libraries.items():
            if seed < max_seeds:
                env = {**os.environ, **QUIET}
                python = environments.interpreter(tool)
                _add(tallies, label, REFERENCE, peers.run_judge(tool, python, prepared, unchanged, changed, env))
        for n_reference in SHORT_REFERENCES:
            counts = trial.counted(trial.prepared(all_windows, seed, n_reference, UNCHANGED, CHANGED // 2))
            _add(tallies, "drift, 0.001", n_reference, trial.by_calibration(counts, (1e-3,))[1e-3])
            alarms = trial.by_rule(counts, rules.js_three_deviations)
            _add(tallies, "JS distance, mean + 3 sd", n_reference, alarms)
        print(f"{data_set.name}, seed {seed}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
    rows = sorted(len(window) for window in all_windows)
    return {
        "label": data_set.label,
        "source": data_set.source,
        "seen": data_set.seen,
        "windows": len(all_windows),
        "rows": [rows[0], rows[len(rows) // 2], rows[-1]],
        "columns": len(all_windows[0].columns),
        "reference": REFERENCE,
        "visible": {kind: sum(each[kind] for each in visible) / len(visible) for kind in visible[0]},
        "judges": [each.record(*key) for key, each in tallies.items()],
    }


def _add(tallies: dict[tuple[str, int], tally.Tally], judge: str, reference: int, alarms: trial.Alarms) -> None:
    tallies.setdefault((judge, reference), tally.Tally()).add(alarms)


def write_page(results: dict[str, Any]) -> None:
    """Write the tables of the page; its prose is kept."""
    PAGE.write_text(page.replaced(PAGE.read_text(), "judges", tally.written(results)))


if __name__ == "__main__":
    main()
