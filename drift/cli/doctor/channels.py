"""The channels: does their receiver answer, and what does the outbox hold for them?"""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from drift.cli.doctor.check_result import CheckResult
from drift.errors import DriftError

if TYPE_CHECKING:
    from drift.config import ChannelSpec, Config

LATELY: Final = timedelta(days=7)
"""A message that was given up longer ago is told, and no reason any more to look for what does not work."""
PROBE: Final = 5.0  # seconds for each channel


def check_channel(spec: "ChannelSpec") -> CheckResult:
    """Would a message get through? Nothing is sent."""
    from drift.notify.channels import open_channel

    try:
        told = open_channel(spec).probe(deadline=PROBE)
    except DriftError as error:
        return CheckResult("channel", spec.name, works=False, message=str(error))
    return CheckResult("channel", spec.name, works=True, message=f"{spec.type}: {told}")


def check_deliveries(config: "Config", now: datetime) -> list[CheckResult]:
    """What the outbox holds, where there is a store to ask. What was given up long ago is told, and fails nothing."""
    from drift.store import Store

    try:
        with Store.open(config.store, create=False) as store:
            held = store.delivery_counts()
            lately = store.given_up_since(now - LATELY)
    except DriftError:  # the finding on the store has said it
        return []
    pending, dead = held.get("pending", 0), held.get("dead", 0)
    told = f"{held.get('sent', 0)} messages delivered, {pending} still to be, {dead} given up"
    told += f" ({lately} of them in the last {LATELY.days} days)" if dead else ""
    told += "; once their channel takes them, `drift alerts resend` has them sent again" if dead else ""
    details = {"sent": held.get("sent", 0), "pending": pending, "dead": dead, "dead_lately": lately}
    return [CheckResult("deliveries", "outbox", works=not pending and not lately, message=told, details=details)]
