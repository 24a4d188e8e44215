"""Alarms of several trials added up, and the tables they make."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from . import changes
from .trial import Alarms


@dataclass(slots=True)
class Tally:
    """What one judge said over the trials of one data set; all numbers are of column-windows.

    Parameters
    ----------
    alarms, unchanged : int
        False alarms, of so many.
    columns : Counter
        False alarms by column.
    found, changed : Counter
        By kind of change: found, of so many.
    """

    seeds: int = 0
    alarms: int = 0
    unchanged: int = 0
    columns: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)

    def add(self, told: Alarms) -> None:
        """One trial more."""
        self.seeds += 1
        for name, each in told.unchanged.items():
            self.unchanged += len(each)
            self.alarms += int(each.sum())
            self.columns[name] += int(each.sum())
        for kind, columns in told.changed.items():
            self.changed[kind] += sum(len(each) for each in columns.values())
            self.found[kind] += sum(int(each.sum()) for each in columns.values())

    def record(self, judge: str, reference: int) -> dict[str, Any]:
        """For the results file."""
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
    """Everything between the marks of docs/calibration.md."""
    told = results["machine"]
    head = (
        f"Written by `{results['command']}` on {told['date']} (Python {told['python']}; "
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
    """What the data sets are."""
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
    """One row a judge, one column a data set: false alarms and what was found, both in percent."""
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
    """One row a judge with its numbers, and what it found by kind of change."""
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
    """Which columns drift's false alarms at 0.001 come from, by length of the reference."""
    lines = []
    for record in each["judges"]:
        if record["judge"] == "drift, 0.001":
            shares = ", ".join(f"`{name}` {number}" for name, number in record["columns"].items())
            lines.append(f"{record['alarms']} with {record['reference']} windows" + (f" ({shares})" if shares else ""))
    return "False alarms of drift at 0.001, by column: " + "; ".join(lines) + "."


def _record(each: Mapping[str, Any], judge: str, reference: int) -> Mapping[str, Any] | None:
    found: Sequence[Mapping[str, Any]] = [
        r for r in each["judges"] if (r["judge"], r["reference"]) == (judge, reference)
    ]
    return found[0] if found else None


def _alarms(record: Mapping[str, Any]) -> str:
    return _percent(record["alarms"] / record["unchanged"])


def _found(record: Mapping[str, Any]) -> str:
    return f"{100 * sum(record['found'].values()) / sum(record['changed'].values()):.0f}"


def _percent(share: float) -> str:
    return f"{100 * share:.2f}" if share < 0.1 else f"{100 * share:.0f}"
