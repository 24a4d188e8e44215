"""Unfinished work of a run: windows leased by other workers, retries, pending notifications; and what to do."""

import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from drift.cli.output import format_count, print_error, print_note

if TYPE_CHECKING:
    from drift.monitors.spec import Monitor
    from drift.monitors.window import Window
    from drift.notify.channels import Channel
    from drift.runner.check import WindowResult
    from drift.store import Store

Retries = Sequence[tuple["Window", datetime]]


def round_up(moment: datetime) -> datetime:
    """Return the next full minute, by which the moment has passed."""
    minute = moment.replace(second=0, microsecond=0)
    return minute if minute == moment else minute + timedelta(minutes=1)


def format_minute(moment: datetime) -> str:
    """Return an instant in UTC to the minute, rounded up: ``2026-03-04 02:15 UTC``."""
    return f"{round_up(moment):%Y-%m-%d %H:%M} UTC"


def format_retries(monitor: str, retries: Retries) -> str:
    """Say that windows could not be read, when the next attempt is, and which command retries at once."""
    from drift.monitors.window import format_instant

    first, soonest = retries[0][0], min(at for _, at in retries)
    start, end = (format_instant(moment) for moment in (first.start, max(window.end for window, _ in retries)))
    which = f"{len(retries)} windows ({first} first)" if len(retries) > 1 else f"window {first}"
    command = f"drift backfill --monitor {shlex.quote(monitor)} --from {start} --to {end}"
    return f"{which} could not be read, next attempt at {format_minute(soonest)}; to retry now: `{command}`"


def report_retries(store: "Store", monitors: "Sequence[Monitor]") -> dict[str, str]:
    """Report the monitors with windows that could not be read and wait for another attempt. Return the messages."""
    messages = {}
    for monitor in monitors:
        if retries := store.windows.retries(monitor.name, store.now()):
            messages[monitor.name] = format_retries(monitor.name, retries)
            print_error(f"{monitor.name}: {messages[monitor.name]}; `drift windows` shows why", code="retry-pending")
    return messages


def report_unjudged(results: "Sequence[WindowResult]") -> None:
    """Report windows that were read but could not be evaluated in full: they set the exit status, without a retry.

    Windows that could not be read are reported with their next attempt instead.
    """
    from drift.monitors.verdict import Verdict

    by_monitor: dict[str, list[WindowResult]] = {}
    for result in results:
        if result.outcome.verdict is not Verdict.ERROR and any(
            not verdict.is_conclusive for verdict in result.verdicts
        ):
            by_monitor.setdefault(result.monitor, []).append(result)
    for name, unjudged in by_monitor.items():
        first = unjudged[0]
        example = f"{first.window}: {first.outcome.verdict.value}, {first.outcome.message}"
        print_error(
            f"{name}: {format_count(len(unjudged), 'window')} could not be fully evaluated ({example}); not retried "
            "automatically; run `drift backfill --from ... --to ...`",
            code="window-not-evaluated",
        )


def report_abandoned(store: "Store", monitors: "Sequence[Monitor]") -> None:
    """Report monitors that are no longer checked because reading their reference crashed too often."""
    from drift.runner.load_reference import abandoned_reference

    for monitor in monitors:
        if message := abandoned_reference(store, monitor, store.now()):
            print_error(f"{monitor.name}: {message}", code="reference-abandoned")


def report_leased(store: "Store", monitors: "Sequence[Monitor]") -> None:
    """Report what another worker is processing. This is not an error, but explains windows that were not checked."""
    from drift.runner.load_reference import active_attempt

    for monitor in monitors:
        if (attempt := active_attempt(store, monitor, store.now())) is not None:
            print_note(
                f"{monitor.name}: {attempt.owner} is reading the reference; the windows wait until "
                f"{attempt.until:%Y-%m-%d %H:%M:%S} UTC, or longer if it renews its lease"
            )
        definition = store.monitors.find(monitor.name)
        for leased in () if definition is None else store.windows.leased(definition.monitor_id, store.now()):
            print_note(
                f"{monitor.name}: {leased.owner} is checking window {leased.window}; it and later windows wait until "
                f"{leased.until:%Y-%m-%d %H:%M:%S} UTC at most"
            )


def deliver(store: "Store", channels: "Mapping[str, Channel]") -> int:
    """Send pending notifications; report those that remain. Return their number."""
    import numpy as np

    from drift.notify.sender import drain

    sent = drain(store.outbox, channels, store.now, rng=np.random.default_rng())
    if sent.dead:
        failed = format_count(sent.dead, "notification")
        message = f"{failed} could not be delivered and will not be retried; the log above shows why"
        print_error(message, code="delivery-failed")
    pending = store.queries.counts_by_status()["deliveries"].get("pending", 0)
    if pending:
        print_error(
            f"{format_count(pending, 'notification')} pending, {_next_delivery(store)}", code="delivery-pending"
        )
    return pending


def _next_delivery(store: "Store") -> str:
    at = store.outbox.next_attempt()
    return "next attempt in the next run" if at is None or at <= store.now() else f"next attempt at {format_minute(at)}"
