"""Write the tables of docs/benchmarks.md from the results files: ``python benchmarks/page.py``. Prose is kept."""

import json
import re
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
PAGE: Final = ROOT / "docs" / "benchmarks.md"
RESULTS: Final = ROOT / "benchmarks" / "results"
GOAL_ROWS: Final = "1M"
PEERS: Final = (
    "evidently",
    "evidently_lean",
    "nannyml",
    "frouros",
    "whylogs",
    "deepchecks",
    "deepchecks_all",
    "popmon",
)
SAMPLES: Final = frozenset({"deepchecks"})
"""Tools that do not read every row: excluded from the goals."""


def write_page() -> None:
    """Write every part of the page that has a results file."""
    text = PAGE.read_text()
    for name, write in {"peers": peers}.items():
        results = RESULTS / f"{name}.json"
        if results.exists():
            text = replaced(text, name, write(json.loads(results.read_text())))
    PAGE.write_text(text)


def replaced(text: str, name: str, part: str) -> str:
    """Return the page with the part between two markers replaced."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    if text.count(begin) != 1 or text.count(end) != 1:
        raise SystemExit(f"expected {begin} and {end} once each in {PAGE}; add them to the page")
    head, rest = text.split(begin)
    return head + f"{begin}\n{part}\n{end}" + rest.split(end)[1]


def peers(results: Mapping[str, Any]) -> str:
    """Return machine, versions, a table per size, and the goals with their results."""
    parts = [machine(results), versions(results)]
    for key, records in results["sizes"].items():
        rows, columns = size(key)
        parts.append(f"### {rows:,} rows by {columns} columns, each side")
        parts += [results["notes"][key]] if key in results.get("notes", {}) else []
        parts.append(table(records, results["tools"]))
    parts += ["### Goals", goals(results)]
    return "\n\n".join(parts)


def size(text: str) -> tuple[int, int]:
    """Parse ``1M``, ``1000000`` or ``1Mx200`` to rows and columns."""
    rows, _, columns = text.partition("x")
    unit = {"k": 1_000, "M": 1_000_000}.get(rows[-1:], 1)
    return int(rows.rstrip("kM")) * unit, int(columns or 20)


def machine(results: Mapping[str, Any]) -> str:
    """Return machine, date and command of the measurements."""
    facts = results["machine"]
    return (
        f"Measured {facts['date']} on {facts['processor']}, {facts['cores']} cores, {facts['memory_gib']} GiB, "
        f"{facts['system']}, Python {facts['python']}; load average {facts['load']} at the start. "
        f"`{results['command']}`, rounds: {results['rounds']}."
    )


def versions(results: Mapping[str, Any]) -> str:
    """Return a line per environment."""
    lines = [
        f"- {name} {facts.get(name, '')}: " + ", ".join(f"{p} {v}" for p, v in facts.items() if p != name)
        for name, facts in results["versions"].items()
    ]
    return "Versions, each in an environment of its own:\n\n" + "\n".join(lines)


def table(records: Mapping[str, Any], tools: Mapping[str, Any]) -> str:
    """Return a row per tool: medians over the rounds, and the median ratio to drift in the same rounds."""
    lines = [
        "| tool | what it computes | seconds | times drift | CPU s | CPU times drift | added, MB | peak, MB | scored |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, record in records.items():
        what = f"| {tools[name]['label']} | {measure(name)} |"
        if record["error"] or not record["runs"]:
            lines.append(f"{what} failed: {table_cell(record['error'])} | | | | | | |")
            continue
        seconds, cpu_seconds = median(record, "seconds"), median(record, "cpu_seconds")
        times, cpu_times = ratio(records, name), ratio(records, name, field="cpu_seconds")
        added = median(record, "added_mb")
        lines.append(
            f"{what} {three_digits(seconds)} | {three_digits(times)} | {three_digits(cpu_seconds)} "
            f"| {three_digits(cpu_times)} "
            f"| {'not measured' if added is None else f'{added:,.0f}'} | {median(record, 'peak_mb'):,.0f} "
            f"| {record['scored'] if name not in {'reading', 'summing'} else ''} |"
        )
    return "\n".join(lines)


def goals(results: Mapping[str, Any]) -> str:
    """Return the goals at 1M rows with the measured values; missed ones are marked."""
    records = results["sizes"].get(GOAL_ROWS)
    if records is None:
        return "The goals are set for 1,000,000 rows, which were not measured in this run."
    lines = ["| goal | measured | |", "|---|---|---|"]
    for baseline, strings in (("drift", ""), ("drift_object", ", strings as Python objects")):
        ratios = {n: r for n in PEERS if n not in SAMPLES and (r := ratio(records, n, baseline)) is not None}
        fastest = min(ratios, key=lambda n: ratios[n]) if ratios else ""
        label = f"{results['tools'][fastest]['label']}: " if fastest else ""
        text = f"8 times the fastest peer that looks at every row{strings}"
        lines.append(goal(text, label, ratios.get(fastest), 8))
        lines.append(goal(f"100 times Evidently{strings}", "", ratios.get("evidently"), 100))
        lines.append(goal(f"the same, Evidently without its preset{strings}", "", ratios.get("evidently_lean"), 100))
    return "\n".join(lines)


def goal(text: str, label: str, times: float | None, required: float) -> str:
    """Return one line: the goal, the measured value, and whether it was reached."""
    if times is None:
        return f"| {text} | not measured | |"
    reached = "reached" if times >= required else f"**missed**: {times / required:.0%} of it"
    return f"| {text} | {label}{three_digits(times)} times | {reached} |"


def ratio(records: Mapping[str, Any], name: str, baseline: str = "drift", field: str = "seconds") -> float | None:
    """Return the median over rounds of a tool's time divided by drift's in the same round."""
    ours, theirs = (
        {run["round"]: run[field] for run in records.get(each, {"runs": []})["runs"]} for each in (baseline, name)
    )
    both = [theirs[number] / ours[number] for number in ours.keys() & theirs.keys()]
    return statistics.median(both) if both else None


def median(record: Mapping[str, Any], field: str) -> float | None:
    """Return the median of a field over the rounds; None if it could not be measured."""
    values = [run[field] for run in record["runs"] if run[field] is not None]
    return statistics.median(values) if values else None


def measure(name: str) -> str:
    """Return the MEASURE line of a tool's script, read without running it."""
    script = (ROOT / "benchmarks" / "tools" / f"with_{name}.py").read_text()
    records = re.search(r'^MEASURE = "(.*)"$', script, re.MULTILINE)
    return "" if records is None else records[1]


def three_digits(value: float | None) -> str:
    """Format a number with three significant digits."""
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def table_cell(text: str) -> str:
    """Return text in the form of one table cell."""
    return " ".join(text.replace("|", "/").split())[:160]


if __name__ == "__main__":
    write_page()
