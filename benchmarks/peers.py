"""drift and its peers on the same files within one run: ``python benchmarks/peers.py``.

Every tool has an environment of its own (created on the first run, from PyPI) and runs in a process of its own, in
turn, round after round: a slow period of the machine affects all of them, and ratios are taken within a round. The
input is pandas frames, the output a score for every column; loading and imports are not timed. Results go to
benchmarks/results/peers.json, tables to docs/benchmarks.md. ``--quick`` (100,000 rows, two rounds) only prints.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import data
import environments
import machine
import page

HARNESS: Final = Path(__file__).resolve().parent / "tools" / "harness.py"
RESULTS: Final = Path(__file__).resolve().parent / "results" / "peers.json"
QUIET: Final = {
    "NML_DISABLE_USAGE_LOGGING": "1",
    "WHYLOGS_NO_ANALYTICS": "True",
    "DO_NOT_TRACK": "1",
    "DEEPCHECKS_DISABLE_LATEST": "true",
    "TQDM_DISABLE": "1",
}


@dataclass(frozen=True, slots=True)
class Tool:
    """A row of the table: its script ``tools/with_NAME.py``, its label, and the distribution of its environment."""

    name: str
    label: str
    distribution: str


TOOLS: Final = (
    Tool("drift", "drift", "driftgauge"),
    Tool("drift_object", "drift, object strings", "driftgauge"),
    Tool("evidently", "Evidently", "evidently"),
    Tool("evidently_lean", "Evidently, no preset", "evidently"),
    Tool("nannyml", "NannyML", "nannyml"),
    Tool("frouros", "Frouros", "frouros"),
    Tool("whylogs", "whylogs", "whylogs"),
    Tool("deepchecks", "Deepchecks", "deepchecks"),
    Tool("deepchecks_all", "Deepchecks, all rows", "deepchecks"),
    Tool("popmon", "popmon", "popmon"),
    Tool("reading", "limit: reading", "driftgauge"),
    Tool("summing", "limit: summing", "driftgauge"),
)


def run(tool: Tool, files: tuple[Path, Path], limit: float) -> dict[str, Any]:
    """Run one tool once; return the measurements of the harness, or the error."""
    command = [str(environments.interpreter(tool.distribution)), str(HARNESS), tool.name, *map(str, files)]
    with tempfile.TemporaryDirectory() as folder:  # for files that a tool leaves
        try:
            process = subprocess.run(
                command,
                cwd=folder,
                env={**os.environ, **QUIET},
                capture_output=True,
                text=True,
                timeout=limit,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return {"error": f"not finished within {limit:.0f} s"}
    if process.returncode < 0:
        return {"error": f"killed by {signal.Signals(-process.returncode).name} (out of memory?)"}
    if process.returncode:
        return {"error": (process.stderr.strip().splitlines() or ["failed without a message"])[-1]}
    return dict(json.loads(process.stdout.splitlines()[-1]))


def measure_size(tools: list[Tool], size: str, rounds: int, limit: float, broken: dict[str, str]) -> dict[str, Any]:
    """Run all tools in turn, each round starting with another one; a tool that failed is not run again."""
    rows, columns = page.size(size)
    files = data.files(rows, columns - columns // 4, columns // 4)
    records: dict[str, Any] = {
        tool.name: {"runs": [], "error": broken.get(tool.distribution, ""), "scored": 0} for tool in tools
    }
    for round_number in range(rounds):
        for tool in (*tools[round_number % len(tools) :], *tools[: round_number % len(tools)]):
            record = records[tool.name]
            if record["error"]:
                continue
            result = run(tool, files, limit)
            if "error" in result:
                record["error"] = result["error"]
                print(f"{rows:>11,} rows  {tool.label:24} {result['error']}", flush=True)
                continue
            scores = result.pop("scores")
            record["scored"] = sum(score is not None for score in scores.values())
            record["runs"].append({"round": round_number, **result})
            print(f"{rows:>11,} rows  {tool.label:24} {result['seconds']:8.3f} s", flush=True)
    return records


def main() -> None:
    """Create environments and data, measure, and write the results and the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", default="100k,1M", help="sizes of each side, as 100k,1M,10M; 1Mx200 has 200 columns")
    parser.add_argument("--add", action="store_true", help="add sizes to those in the results")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="tools by name, as drift,frouros; default all")
    parser.add_argument("--limit", type=float, default=600, help="seconds that one run of one tool may take")
    parser.add_argument("--quick", action="store_true", help="100k rows, two rounds; prints, writes nothing")
    options = parser.parse_args()
    if options.quick:
        options.rows, options.rounds = "100k", 2
    tools = [tool for tool in TOOLS if not options.only or tool.name in options.only.split(",")]
    description = machine.described()
    distributions = dict.fromkeys(tool.distribution for tool in tools)
    broken = {name: error for name in distributions if (error := environments.create_environment(name))}
    results = {
        "command": " ".join(["python benchmarks/peers.py", *sys.argv[1:]]),
        "machine": description,
        "rounds": options.rounds,
        "versions": {name: environments.versions(name, name) for name in distributions if name not in broken},
        "tools": {tool.name: {"label": tool.label, "distribution": tool.distribution} for tool in tools},
        "sizes": {
            size: measure_size(tools, size, options.rounds, options.limit, broken) for size in options.rows.split(",")
        },
    }
    print(page.peers(results))
    if options.add:
        stored = json.loads(RESULTS.read_text())
        when = f"{description['date']}, load average {description['load']}"
        note = f"`{results['command']}`, rounds: {options.rounds}, {when}."
        stored["sizes"].update(results["sizes"])
        stored.setdefault("notes", {}).update(dict.fromkeys(results["sizes"], note))
        results = stored
    if not options.quick and (options.add or not options.only):
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        page.write_page()


if __name__ == "__main__":
    main()
