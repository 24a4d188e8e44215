"""Output of `drift demo`: the whole product on real data, and what to try next."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drift.cli.context import load_config, open_channels, open_store, utc_now
from drift.cli.monitors import check_monitors
from drift.cli.output import print_error, print_table, print_text
from drift.cli.run_summary import deliver

if TYPE_CHECKING:
    from drift.cli.demo.data import DriftSummary
    from drift.monitors.spec import Monitor

ALL_WEEKS = 52  # of a year: the report shows each of them
MAX_RUNS = 3


def run_demo(folder: Path) -> None:
    """Create the project, check every week, print what drifted when, and write the report."""
    from drift.cli.demo.data import CREDIT, create_project
    from drift.report import page_from_store, save

    config = create_project(folder)
    print_text("The bike rentals of 2012, week by week, compared with those of 2011.")
    loaded = load_config(config, strict=True)
    monitor = loaded.monitors["bikes"]
    with open_store(loaded) as store:
        checked, failed = check_monitors(store, [monitor], visible=True)
        deliver(store, open_channels(loaded))
        for message in failed.values():
            print_error(message, code="monitor-failed")
        scores = store.queries.scores(monitor="bikes")
        sent = store.queries.counts_by_status()["deliveries"].get("sent", 0)
        page = page_from_store(
            store, "bikes", now=utc_now(), timezone=monitor.timezone, max_windows=ALL_WEEKS, credit=CREDIT
        )
        written = save(page, folder / "report.html")
    if not checked and not failed:
        print_text("Every week was checked before; no window is checked twice.")
    _print_results(scores, monitor)
    print_text(f"\nalerts: {sent} notifications in {folder / 'alerts.jsonl'}")
    print_text(f"report: {written}")
    print_text(CREDIT)
    print_text(
        "\nThe limits of each column; the same year with a fixed threshold; the page:\n"
        f"  drift calibrate -c {config}\n"
        f"  drift backtest -c {config} --threshold 0.1\n"
        f"  drift serve -c {config}\n"
        "Next, with your own data:\n"
        "  drift compare train.parquet today.parquet     any two files\n"
        "  drift init features.parquet                   a configuration to start from"
    )


def _print_results(scores: Sequence[Mapping[str, Any]], monitor: "Monitor") -> None:
    """Print what drifted when, the clearest case, and how many scores a default threshold would have raised."""
    from drift.cli.demo.data import KNOWN_CAUSES, count_reaching, drift_summaries
    from drift.stats.divergence import lookup

    summaries = drift_summaries(scores, monitor.timezone)
    drifted = [summary for summary in summaries if summary.drifted]
    heads = ("column", "weeks", "rarest week, by chance", "drifted in the weeks of")
    if drifted:
        print_table("", heads, [_row(summary, monitor) for summary in drifted], numeric=heads[1:2])
    print_text(f"no drift: {', '.join(sorted(s.column for s in summaries if not s.drifted)) or 'none'}")
    if drifted:
        clearest = min((summary.rarest for summary in drifted), key=lambda row: row["p_value"])
        week = datetime.fromisoformat(clearest["window_start"]).astimezone(monitor.timezone)
        print_text(f"\nClearest case, {clearest['column']} in the week of {week:%Y-%m-%d}:\n  {clearest['message']}")
    for (column, day), cause in KNOWN_CAUSES.items():
        if any(s.column == column and any(first <= day <= last for first, last, _ in s.runs) for s in drifted):
            print_text(f"Known cause for {column} in the week of {day}: {cause}.")
    weeks = sum(summary.drifted for summary in summaries)
    print_text(f"\n{weeks} of {len(scores)} column-weeks drifted, with limits learned from the weeks of 2011.")
    metric = monitor.columns.default.method.metric
    limit = lookup(metric).threshold
    if limit and scores:
        over = count_reaching(scores, limit)
        share = f"{over / len(scores):.0%}"
        print_text(f"The default threshold, {metric} {limit:g}, would have raised {over} of them ({share}).")


def _row(summary: "DriftSummary", monitor: "Monitor") -> tuple[object, ...]:
    from drift.monitors.verdict import format_frequency

    spans = [
        f"{first:%Y-%m-%d}" + (f" to {last:%Y-%m-%d} ({length})" if length > 1 else "")
        for first, last, length in sorted(summary.runs, key=lambda run: -run[2])[:MAX_RUNS]
    ]
    more = len(summary.runs) - len(spans)
    when = "; ".join(spans) + (f"; and {more} more" if more else "")
    rarest = format_frequency(summary.rarest["p_value"], monitor.period.length)
    return summary.column, f"{summary.drifted} of {summary.windows}", rarest, when
