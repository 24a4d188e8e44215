"""docs/benchmarks.md from the results files: ``python benchmarks/page.py``. Prose stays, tables are renewed."""

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
"""Tools that do not look at every row: held apart in the goals."""


def renew() -> None:
    """Write every part of the page for which there is a results file."""
    text = PAGE.read_text()
    for name, write in {"peers": peers}.items():
        results = RESULTS / f"{name}.json"
        if results.exists():
            text = replaced(text, name, write(json.loads(results.read_text())))
    PAGE.write_text(text)


def replaced(text: str, name: str, part: str) -> str:
    """The page with one part between its marks made new."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    if text.count(begin) != 1 or text.count(end) != 1:
        raise SystemExit(f"expected {begin} and {end} once each in {PAGE}; put them where the part belongs")
    head, rest = text.split(begin)
    return head + f"{begin}\n{part}\n{end}" + rest.split(end)[1]


def peers(results: Mapping[str, Any]) -> str:
    """Machine, versions, one table a size, and the goals with what came of them."""
    parts = [machine(results), versions(results)]
    for key, found in results["sizes"].items():
        rows, columns = size(key)
        parts.append(f"### {rows:,} rows by {columns} columns, each side")
        parts += [results["notes"][key]] if key in results.get("notes", {}) else []
        parts.append(table(found, results["tools"]))
    parts += ["### Goals", goals(results)]
    return "\n\n".join(parts)


def size(text: str) -> tuple[int, int]:
    """``1M``, ``1000000`` or ``1Mx200``: rows and columns."""
    rows, _, columns = text.partition("x")
    unit = {"k": 1_000, "M": 1_000_000}.get(rows[-1:], 1)
    return int(rows.rstrip("kM")) * unit, int(columns or 20)


def machine(results: Mapping[str, Any]) -> str:
    """Where, when and how it was measured."""
    told = results["machine"]
    return (
        f"Measured {told['date']} on {told['processor']}, {told['cores']} cores, {told['memory_gib']} GiB, "
        f"{told['system']}, Python {told['python']}; load average {told['load']} at the start. "
        f"`{results['command']}`, rounds: {results['rounds']}."
    )


def versions(results: Mapping[str, Any]) -> str:
    """One line an environment."""
    lines = [
        f"- {name} {told.get(name, '')}: " + ", ".join(f"{p} {v}" for p, v in told.items() if p != name)
        for name, told in results["versions"].items()
    ]
    return "Versions, each in an environment of its own:\n\n" + "\n".join(lines)


def table(found: Mapping[str, Any], tools: Mapping[str, Any]) -> str:
    """One row a tool: medians over the rounds, and the median of its ratios to drift in the same rounds."""
    lines = [
        "| tool | what it computes | seconds | times drift | CPU s | CPU times drift | added, MB | peak, MB | scored |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, record in found.items():
        what = f"| {tools[name]['label']} | {measure(name)} |"
        if record["error"] or not record["runs"]:
            lines.append(f"{what} failed: {cell(record['error'])} | | | | | | |")
            continue
        times = ratio(found, name)
        added = middle(record, "added_mb")
        lines.append(
            f"{what} {short(middle(record, 'seconds'))} | {short(times)} | {short(middle(record, 'cpu_seconds'))} "
            f"| {short(ratio(found, name, field='cpu_seconds'))} "
            f"| {'not measured' if added is None else f'{added:,.0f}'} | {middle(record, 'peak_mb'):,.0f} "
            f"| {record['scored'] if name not in {'reading', 'summing'} else ''} |"
        )
    return "\n".join(lines)


def goals(results: Mapping[str, Any]) -> str:
    """The goals at 1M rows beside what was measured; a missed one says so."""
    found = results["sizes"].get(GOAL_ROWS)
    if found is None:
        return "The goals are set for 1,000,000 rows, which were not measured in this run."
    lines = ["| goal | measured | |", "|---|---|---|"]
    for against, strings in (("drift", ""), ("drift_object", ", strings as Python objects")):
        every = {n: r for n in PEERS if n not in SAMPLES and (r := ratio(found, n, against)) is not None}
        fastest = min(every, key=lambda n: every[n]) if every else ""
        label = f"{results['tools'][fastest]['label']}: " if fastest else ""
        said = f"8 times the fastest peer that looks at every row{strings}"
        lines.append(goal(said, label, every.get(fastest), 8))
        lines.append(goal(f"100 times Evidently{strings}", "", every.get("evidently"), 100))
        lines.append(goal(f"the same, Evidently without its preset{strings}", "", every.get("evidently_lean"), 100))
    return "\n".join(lines)


def goal(said: str, label: str, times: float | None, wanted: float) -> str:
    """One line: what was wanted, what came, whether it was reached."""
    if times is None:
        return f"| {said} | not measured | |"
    reached = "reached" if times >= wanted else f"**missed**: {times / wanted:.0%} of it"
    return f"| {said} | {label}{short(times)} times | {reached} |"


def ratio(found: Mapping[str, Any], name: str, against: str = "drift", field: str = "seconds") -> float | None:
    """The median over rounds of a tool's time by drift's in the same round."""
    ours, theirs = (
        {run["round"]: run[field] for run in found.get(each, {"runs": []})["runs"]} for each in (against, name)
    )
    both = [theirs[number] / ours[number] for number in ours.keys() & theirs.keys()]
    return statistics.median(both) if both else None


def middle(record: Mapping[str, Any], field: str) -> float | None:
    """The median of a field over the rounds; None where it could not be measured."""
    values = [run[field] for run in record["runs"] if run[field] is not None]
    return statistics.median(values) if values else None


def measure(name: str) -> str:
    """The MEASURE line of a tool's script, read without running it."""
    script = (ROOT / "benchmarks" / "tools" / f"with_{name}.py").read_text()
    found = re.search(r'^MEASURE = "(.*)"$', script, re.MULTILINE)
    return "" if found is None else found[1]


def short(value: float | None) -> str:
    """Three digits that count."""
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def cell(text: str) -> str:
    """Text that stands in one cell of a table."""
    return " ".join(text.replace("|", "/").split())[:160]


if __name__ == "__main__":
    renew()
