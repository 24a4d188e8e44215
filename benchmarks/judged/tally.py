"""Sums of the alarms of several trials, and their tables."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from . import changes
from .trial import Alarms


@dataclass(slots=True)
class Tally:
    """Alarms of one judge in the trials of one data set; all numbers count column-windows.

    Parameters
    ----------
    alarms, unchanged : int
        False alarms, and the number of unchanged column-windows.
    columns : Counter
        False alarms by column.
    found, changed : Counter
        By kind of change: column-windows with an alarm, and their total number.
    """

    seeds: int = 0
    alarms: int = 0
    unchanged: int = 0
    columns: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)

    def add(self, trial_alarms: Alarms) -> None:
        """Add a trial."""
        self.seeds += 1
        for name, each in trial_alarms.unchanged.items():
            self.unchanged += len(each)
            self.alarms += int(each.sum())
            self.columns[name] += int(each.sum())
        for kind, columns in trial_alarms.changed.items():
            self.changed[kind] += sum(len(each) for each in columns.values())
            self.found[kind] += sum(int(each.sum()) for each in columns.values())

    def record(self, judge: str, reference: int) -> dict[str, Any]:
        """Return the entry of the results file."""
        return {
            "judge": judge,
            "reference": reference,
            "seeds": self.seeds,
            "alarms": self.alarms,
            "unchanged": self.unchanged,
            "columns": {name: number for name, number in self.columns.most_common() if number},
            "found": dict(self.found),
            "changed": dict(self.changed),
        }


def written(results: Mapping[str, Any]) -> str:
    """Return the text between the markers of docs/calibration.md."""
    machine = results["machine"]
    head = (
        f"Written by `{results['command']}` on {machine['date']} (Python {machine['python']}; "
        + ", ".join(f"{name} {version}" for name, version in results["versions"].items())
        + ")."
    )
    parts = [head, described(results["sets"])]
    for seen, title in ((True, "Data the judge was chosen on"), (False, "Data that nothing was tuned on")):
        sets = {name: each for name, each in results["sets"].items() if each["seen"] == seen}
        if sets:
            parts += [f"### {title}", summary(sets)]
    parts += ["### Each data set"]
    for each in results["sets"].values():
        parts += [f"**{each['label']}**", detailed(each), where(each)]
    return "\n\n".join(parts)


def described(sets: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a table of the data sets."""
    lines = [
        "| data, window | windows | rows a window, median (least, most) | columns | from |",
        "|---|---:|---:|---:|---|",
    ]
    lines += [
        f"| {each['label']} | {each['windows']} | {each['rows'][1]:,} ({each['rows'][0]:,}, {each['rows'][2]:,}) "
        f"| {each['columns']} | {each['source']} |"
        for each in sets.values()
    ]
    return "\n".join(lines)


def summary(sets: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a table of false alarms and found changes in percent; a row per judge, a column per data set."""
    judges = list(dict.fromkeys((r["judge"], r["reference"]) for each in sets.values() for r in each["judges"]))
    lines = [
        "| judge, reference windows | " + " | ".join(each["label"] for each in sets.values()) + " |",
        "|---|" + "---:|" * len(sets),
    ]
    for judge, reference in judges:
        cells = []
        for each in sets.values():
            record = _record(each, judge, reference)
            cells.append("" if record is None else f"{_alarms(record)} / {_found(record)}")
        lines.append(f"| {judge}, {reference} | " + " | ".join(cells) + " |")
    return "False alarms % / changes found %.\n\n" + "\n".join(lines)


def detailed(each: Mapping[str, Any]) -> str:
    """Return a table of one data set, with the changes found by kind; a row per judge."""
    kinds = [kind for kind in changes.KINDS if kind in each["visible"]]
    traces = " | ".join(f"{100 * each['visible'][kind]:.0f}" for kind in kinds)
    lines = [
        "| judge | reference | false alarms % (of) | found % (of) | " + " | ".join(kinds) + " |",
        "|---|---:|---:|---:|" + "---:|" * len(kinds),
        f"| *leaves a trace in drift's bins* | | | | {traces} |",
    ]
    for record in each["judges"]:
        by_kind = [f"{100 * record['found'][k] / record['changed'][k]:.0f}" for k in kinds]
        lines.append(
            f"| {record['judge']} | {record['reference']} | {_alarms(record)} ({record['unchanged']:,}) "
            f"| {_found(record)} ({sum(record['changed'].values()):,}) | " + " | ".join(by_kind) + " |"
        )
    return "\n".join(lines)


def where(each: Mapping[str, Any]) -> str:
    """Return the columns of drift's false alarms at 0.001, by length of the reference."""
    lines = []
    for record in each["judges"]:
        if record["judge"] == "drift, 0.001":
            shares = ", ".join(f"`{name}` {number}" for name, number in record["columns"].items())
            lines.append(f"{record['alarms']} with {record['reference']} windows" + (f" ({shares})" if shares else ""))
    return "False alarms of drift at 0.001, by column: " + "; ".join(lines) + "."


def _record(each: Mapping[str, Any], judge: str, reference: int) -> Mapping[str, Any] | None:
    matches: Sequence[Mapping[str, Any]] = [
        r for r in each["judges"] if (r["judge"], r["reference"]) == (judge, reference)
    ]
    return matches[0] if matches else None


def _alarms(record: Mapping[str, Any]) -> str:
    return _percent(record["alarms"] / record["unchanged"])


def _found(record: Mapping[str, Any]) -> str:
    return f"{100 * sum(record['found'].values()) / sum(record['changed'].values()):.0f}"


def _percent(share: float) -> str:
    return f"{100 * share:.2f}" if share < 0.1 else f"{100 * share:.0f}"
