"""drift against its peers, on the same files in one run: ``python benchmarks/peers.py``.

Every tool has an environment of its own (made on the first run, from PyPI) and runs in a process of its own, all in
turn, round after round: a slow moment of the machine meets all of them, and ratios hold within a round. Pandas frames
in, a score for every column out; loading and imports are not timed. Results go to benchmarks/results/peers.json,
tables to docs/benchmarks.md. ``--quick`` (100,000 rows, two rounds) only prints.
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
    """A row of the table: its script ``tools/with_NAME.py``, what to call it, whose environment it runs in."""

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
    """One run of one tool: what the harness measured, or the error."""
    command = [str(environments.interpreter(tool.distribution)), str(HARNESS), tool.name, *map(str, files)]
    with tempfile.TemporaryDirectory() as folder:  # whatever a tool leaves behind
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                env={**os.environ, **QUIET},
                capture_output=True,
                text=True,
                timeout=limit,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return {"error": f"not done within {limit:.0f} s"}
    if done.returncode < 0:
        return {"error": f"killed by {signal.Signals(-done.returncode).name} (out of memory?)"}
    if done.returncode:
        return {"error": (done.stderr.strip().splitlines() or ["failed without a word"])[-1]}
    return dict(json.loads(done.stdout.splitlines()[-1]))


def measured(tools: list[Tool], size: str, rounds: int, limit: float, broken: dict[str, str]) -> dict[str, Any]:
    """All tools in turn, again and again, each round begun by another; a tool that failed is not tried again."""
    rows, columns = page.size(size)
    files = data.files(rows, columns - columns // 4, columns // 4)
    found: dict[str, Any] = {
        tool.name: {"runs": [], "error": broken.get(tool.distribution, ""), "scored": 0} for tool in tools
    }
    for number in range(rounds):
        for tool in (*tools[number % len(tools) :], *tools[: number % len(tools)]):
            record = found[tool.name]
            if record["error"]:
                continue
            result = run(tool, files, limit)
            if "error" in result:
                record["error"] = result["error"]
                print(f"{rows:>11,} rows  {tool.label:24} {result['error']}", flush=True)
                continue
            scores = result.pop("scores")
            record["scored"] = sum(score is not None for score in scores.values())
            record["runs"].append({"round": number, **result})
            print(f"{rows:>11,} rows  {tool.label:24} {result['seconds']:8.3f} s", flush=True)
    return found


def main() -> None:
    """Make environments and data, measure, write the results and the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", default="100k,1M", help="sizes of each side, as 100k,1M,10M; 1Mx200 has 200 columns")
    parser.add_argument("--add", action="store_true", help="other sizes than those in the results: keep those")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="tools by name, as drift,frouros; default all")
    parser.add_argument("--limit", type=float, default=600, help="seconds that one run of one tool may take")
    parser.add_argument("--quick", action="store_true", help="100k rows, two rounds; prints, writes nothing")
    options = parser.parse_args()
    if options.quick:
        options.rows, options.rounds = "100k", 2
    chosen = [tool for tool in TOOLS if not options.only or tool.name in options.only.split(",")]
    told = machine.described()
    used = dict.fromkeys(tool.distribution for tool in chosen)
    broken = {name: error for name in used if (error := environments.make(name))}
    results = {
        "command": " ".join(["python benchmarks/peers.py", *sys.argv[1:]]),
        "machine": told,
        "rounds": options.rounds,
        "versions": {name: environments.versions(name, name) for name in used if name not in broken},
        "tools": {tool.name: {"label": tool.label, "distribution": tool.distribution} for tool in chosen},
        "sizes": {
            size: measured(chosen, size, options.rounds, options.limit, broken) for size in options.rows.split(",")
        },
    }
    print(page.peers(results))
    if options.add:
        before = json.loads(RESULTS.read_text())
        told_how = f"`{results['command']}`, rounds: {options.rounds}, {told['date']}, load average {told['load']}."
        before["sizes"].update(results["sizes"])
        before.setdefault("notes", {}).update(dict.fromkeys(results["sizes"], told_how))
        results = before
    if not options.quick and (options.add or not options.only):
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        page.renew()


if __name__ == "__main__":
    main()
