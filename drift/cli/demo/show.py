"""What `drift demo` shows: the whole way on real data, and what to try next."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drift.cli.context import load_config, open_channels, open_store, selected_monitors
from drift.cli.monitors import check_monitors, now
from drift.cli.output import complain, print_table, say
from drift.cli.run_summary import deliver

if TYPE_CHECKING:
    from drift.cli.demo.data import DriftSummary
    from drift.monitors.spec import Monitor

ALL_WEEKS = 52  # of the year: the report shows each of them


def run_demo(folder: Path) -> None:
    """Lay out the data, check every week, tell what drifted when, write the report."""
    from drift.cli.demo.data import CREDIT, lay_out
    from drift.report import page_from_store, save

    config = lay_out(folder)
    say("The bike rentals of 2012, week by week, against those of 2011.")
    loaded = load_config(config, strict=True)
    monitor = selected_monitors(loaded, "bikes")[0]
    with open_store(loaded) as store:
        checked, failed = check_monitors(store, [monitor], visible=True)
        deliver(store, open_channels(loaded))
        for why in failed.values():
            complain(f"drift: {why}")
        scores = store.scores(monitor="bikes")
        sent = store.counts_by_status()["deliveries"].get("sent", 0)
        page = page_from_store(store, "bikes", now=now(), timezone=monitor.timezone, most=ALL_WEEKS, credit=CREDIT)
        written = save(page, folder / "report.html")
    if not checked and not failed:
        say("Every week was checked before: nothing is checked twice.")
    _tell(scores, monitor)
    say(f"\nalerts: {sent} messages in {folder / 'alerts.jsonl'}")
    say(f"report: {written}")
    say(CREDIT)
    say(
        "\nWhat each column is held to; the same year under a fixed threshold; the page:\n"
        f"  drift calibrate -c {config}\n"
        f"  drift backtest -c {config} --threshold 0.1\n"
        f"  drift serve -c {config}\n"
        "Now on your own data:\n"
        "  drift compare train.parquet today.parquet     any two files\n"
        "  drift init features.parquet                   a configuration to start from"
    )


def _tell(scores: Sequence[Mapping[str, Any]], monitor: "Monitor") -> None:
    """Which columns drifted when, which never; the clearest case; what a customary threshold would have raised."""
    from drift.cli.demo.data import KNOWN, drift_summaries, reaching
    from drift.stats.divergence import lookup

    found = drift_summaries(scores, monitor.timezone)
    drifted = [story for story in found if story.drifted]
    heads = ("column", "weeks", "the rarest is expected", "drifted in the weeks of")
    if drifted:
        print_table("", heads, [_row(story, monitor) for story in drifted], numeric=heads[1:2])
    say(f"never: {', '.join(sorted(story.column for story in found if not story.drifted)) or 'none'}")
    if drifted:
        clearest = min((story.rarest for story in drifted), key=lambda row: row["p_value"])
        week = datetime.fromisoformat(clearest["window_start"]).astimezone(monitor.timezone)
        say(f"\nThe clearest, {clearest['column']} in the week of {week:%Y-%m-%d}:\n  {clearest['message']}")
    for (column, day), words in KNOWN.items():
        if any(s.column == column and any(first <= day <= last for first, last, _ in s.stretches) for s in drifted):
            say(f"What is known of {column} in the week of {day}: {words}.")
    weeks = sum(story.drifted for story in found)
    say(f"\n{weeks} of {len(scores)} column-weeks drifted, held to what the weeks of 2011 taught.")
    limit = lookup(metric := monitor.columns.default.method.metric).threshold
    if limit and scores:
        over = reaching(scores, limit)
        share = f"{over / len(scores):.0%}"
        say(f"The customary {metric} {limit:g}, taken alone, would have raised {over} of them ({share}).")


def _row(story: "DriftSummary", monitor: "Monitor") -> tuple[object, ...]:
    from drift.monitors.verdict import format_frequency

    spans = [
        f"{first:%Y-%m-%d}" + (f" to {last:%Y-%m-%d} ({count})" if count > 1 else "")
        for first, last, count in sorted(story.stretches, key=lambda s: -s[2])[:3]
    ]
    more = len(story.stretches) - len(spans)
    when = "; ".join(spans) + (f"; and {more} more" if more else "")
    rare = format_frequency(story.rarest["p_value"], monitor.period.length)
    return story.column, f"{story.drifted} of {story.windows}", rare, when
