"""Checks of the channels: whether the receiver answers, and what waits in the outbox."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from drift.cli.doctor.check_result import CheckResult
from drift.cli.output import format_count
from drift.cli.run_summary import format_minute
from drift.errors import DriftError

if TYPE_CHECKING:
    from drift.config import ChannelSpec, Config

RECENT: Final = timedelta(days=7)
"""An undeliverable notification older than this is reported but does not fail the check."""
PROBE_SECONDS: Final = 5.0


def check_channel(spec: "ChannelSpec") -> CheckResult:
    """Check that the receiver answers, without sending anything."""
    from drift.notify.channels import open_channel

    try:
        answer = open_channel(spec).probe(deadline=PROBE_SECONDS)
    except DriftError as error:
        return CheckResult("channel", spec.name, works=False, message=str(error), code=error.code)
    return CheckResult("channel", spec.name, works=True, message=f"{spec.type}: {answer}")


def check_deliveries(config: "Config", now: datetime) -> list[CheckResult]:
    """Check that the outbox has no pending and no recent undeliverable notifications."""
    from drift.store import Store

    try:
        with Store.open(config.store, create=False) as store:
            counts = store.outbox.counts()
            recently_dead = store.outbox.count_abandoned(now - RECENT)
            next_attempt = store.outbox.next_attempt()
    except DriftError:  # reported by the check of the store
        return []
    sent, pending, dead = (counts.get(status, 0) for status in ("sent", "pending", "dead"))
    message = f"{format_count(sent, 'notification')} delivered, {pending} pending"
    if pending and next_attempt is not None:
        message += f", next attempt at {format_minute(next_attempt)}"
    if dead:
        message += (
            f", {dead} undeliverable ({recently_dead} in the last {RECENT.days} days); when the channel works again, "
            "`drift alerts resend` sends them"
        )
    details = {"sent": sent, "pending": pending, "dead": dead, "dead_lately": recently_dead}
    code = "delivery-failed" if recently_dead else "delivery-pending" if pending else None
    return [CheckResult("deliveries", "outbox", code is None, message, details, code)]
