"""What `drift demo` shows: the whole way on real data, and what to try next."""

from pathlib import Path
from typing import TYPE_CHECKING

from drift.cli.context import chosen, load_config, open_channels, open_store
from drift.cli.monitors import check_monitors, deliver, now
from drift.cli.output import complain, print_table, say

if TYPE_CHECKING:
    from drift.demo import Story

ALL_WEEKS = 104  # of the two years: the report shows each of them


def run_demo(folder: Path) -> None:
    """Lay out the data, check every week, tell what drifted when, write the report."""
    from drift.demo import CREDIT, lay_out, stories
    from drift.report import page_from_store, save

    config = lay_out(folder)
    say("Two years of bike rentals, week by week, against the spring of 2011.")
    loaded = load_config(config, strict=True)
    monitor = chosen(loaded, "bikes")[0]
    with open_store(loaded) as store:
        checked, failed = check_monitors(store, [monitor], visible=True)
        deliver(store, open_channels(loaded))
        for why in failed.values():
            complain(f"drift: {why}")
        found = stories(store.scores(monitor="bikes"), monitor.timezone)
        sent = store.counts_by_status()["deliveries"].get("sent", 0)
        firing = [alert["column"] for alert in store.alerts(monitor="bikes", state="firing")]
        page = page_from_store(store, "bikes", now=now(), timezone=monitor.timezone, most=ALL_WEEKS, credit=CREDIT)
        written = save(page, folder / "report.html")
    weeks = max((story.windows for story in found), default=0)
    again = "" if checked else " (before: nothing is checked twice)"
    say(f"{weeks} weeks of {len(found)} columns checked{again}. Which columns drifted when:")
    heads = ("column", "weeks", "highest", "drifted in the weeks of")
    print_table("", heads, [_row(story) for story in found], numeric=heads[1:3])
    say(f"alerts: {sent} messages in {folder / 'alerts.jsonl'}; still firing at the end: {', '.join(firing) or 'none'}")
    say(f"report: {written}")
    say(CREDIT)
    say(
        "\nNow on your own data:\n"
        "  drift compare train.parquet today.parquet     any two files\n"
        "  drift init features.parquet                   a configuration to start from\n"
        f"  drift serve -c {config!s:<30} a page of this demonstration"
    )


def _row(story: "Story") -> tuple[object, ...]:
    spans = [
        f"{first:%Y-%m-%d}" + (f" to {last:%Y-%m-%d} ({count})" if count > 1 else "")
        for first, last, count in sorted(story.stretches, key=lambda s: -s[2])[:3]
    ]
    more = len(story.stretches) - len(spans)
    when = "; ".join(spans) + (f"; and {more} more" if more else "")
    return story.column, f"{story.drifted} of {story.windows}", story.highest, when or "never"
