"""What a run leaves: windows that others hold, windows and messages that wait for another attempt; and what to do."""

import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from drift.cli.output import complain

if TYPE_CHECKING:
    from drift.monitors.spec import Monitor
    from drift.monitors.window import Window
    from drift.notify.channels import Channel
    from drift.runner.check import WindowResult
    from drift.store import Store

Retries = Sequence[tuple["Window", datetime]]


def minute(moment: datetime) -> str:
    """An instant to the minute, rounded up: by then it has come."""
    from drift.monitors.window import format_instant

    down = moment.replace(second=0, microsecond=0)
    return format_instant(down if down == moment else down + timedelta(minutes=1))


def format_retries(monitor: str, waiting: Retries) -> str:
    """That windows could not be checked, when they are tried again, and the command that does it at once."""
    from drift.monitors.window import format_instant

    first, soonest = waiting[0][0], min(at for _, at in waiting)
    since, until = (format_instant(moment) for moment in (first.start, max(window.end for window, _ in waiting)))
    many = f"{len(waiting)} windows ({first} first)" if len(waiting) > 1 else f"window {first}"
    at_once = f"drift backfill --monitor {shlex.quote(monitor)} --from {since} --to {until}"
    return f"{many} could not be checked; the first run from {minute(soonest)} on tries again, `{at_once}` at once"


def report_retries(store: "Store", monitors: "Sequence[Monitor]") -> dict[str, str]:
    """Monitors with windows that could not be checked and wait for another attempt: when it is, and what to do."""
    told = {}
    for one in monitors:
        if waiting := store.retries(one.name, store.now()):
            told[one.name] = format_retries(one.name, waiting)
            complain(f"drift: {one.name}: {told[one.name]}; `drift windows` says why")
    return told


def report_unjudged(checked: "Sequence[WindowResult]") -> None:
    """Windows that were read and could not be judged: why the exit status says so, and that no run tries them again.

    Those that could not be read are told with when they are tried again.
    """
    from drift.monitors.verdict import Verdict

    unjudged: dict[str, list[WindowResult]] = {}
    for one in checked:
        if one.outcome.verdict is not Verdict.ERROR and any(not verdict.is_conclusive for verdict in one.verdicts):
            unjudged.setdefault(one.monitor, []).append(one)
    for name, ones in unjudged.items():
        many = f"{len(ones)} windows" if len(ones) > 1 else "1 window"
        first = f"{ones[0].window}: {ones[0].outcome.verdict.value}, {ones[0].outcome.message}"
        complain(f"drift: {name}: {many} could not be judged in full ({first}); no run tries that again by itself")


def report_abandoned(store: "Store", monitors: "Sequence[Monitor]") -> None:
    """Monitors of which no window is checked, since reading their reference ends processes."""
    from drift.runner.load_reference import abandoned_reference

    for one in monitors:
        if told := abandoned_reference(store, one, store.now()):
            complain(f"drift: {one.name}: {told}")


def report_leased(store: "Store", monitors: "Sequence[Monitor]") -> None:
    """What another worker is checking just now is not lost, but the user may wonder."""
    from drift.runner.load_reference import read_by_another

    for one in monitors:
        if (attempt := read_by_another(store, one, store.now())) is not None:
            complain(
                f"drift: {one.name}: its reference is being read by {attempt.owner}; "
                f"its windows wait, until {attempt.until:%Y-%m-%d %H:%M:%S} UTC at most, unless the lease is renewed"
            )
        definition = store.find(one.name)
        for held in () if definition is None else store.held(definition.monitor_id, store.now()):
            complain(
                f"drift: {one.name}: window {held.window} is being checked by {held.owner}; "
                f"it and later ones wait, until {held.until:%Y-%m-%d %H:%M:%S} UTC at most"
            )


def deliver(store: "Store", channels: "Mapping[str, Channel]") -> int:
    """Send what waits to be sent; what fails is kept, and told. How many messages are still to be sent."""
    import numpy as np

    from drift.notify.sender import drain

    drained = drain(store, channels, store.now, rng=np.random.default_rng())
    if drained.dead:
        complain(f"drift: messages given up as undeliverable: {drained.dead}; the log above says why")
    waiting = store.counts_by_status()["deliveries"].get("pending", 0)
    if waiting:
        at = store.next_delivery()
        later = at is not None and at > store.now()
        run = f"first run from {minute(at)} on" if at is not None and later else "next run"
        complain(f"drift: messages still to be delivered: {waiting}; the {run} tries again")
    return waiting
