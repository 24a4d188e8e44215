"""The alarm clock: APScheduler, in memory only, one coalescing tick in a thread that no exit waits for."""

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from apscheduler.events import EVENT_JOB_ERROR
from apscheduler.executors.base import BaseExecutor, run_job
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.background import BackgroundScheduler

STEP: Final = timedelta(seconds=1)  # what a clock may stray until it counts as set

log = logging.getLogger(__name__)


class _Steady(MemoryJobStore):  # type: ignore[misc]  # APScheduler is not typed
    """Jobs that come by the host's count of seconds, which never steps, though APScheduler goes by its clock.

    Where that was set, the jobs are put off or brought forward by as much. Else they would not come for as long as it
    was set back; set ahead (from 1970, say), it would have APScheduler make a list of all that it takes for missed.
    """

    zero: datetime | None = None  # what the clock showed when the count of seconds was zero

    def get_due_jobs(self, now: datetime) -> list[Any]:
        """Asked first whenever the scheduler wakes up, which it does by the count of seconds."""
        self._follow(now)
        found: list[Any] = super().get_due_jobs(now)
        return found

    def get_next_run_time(self) -> datetime | None:
        """Asked last, before it goes to sleep."""
        self._follow(datetime.now(UTC))
        found: datetime | None = super().get_next_run_time()
        return found

    def _follow(self, now: datetime) -> None:
        zero = now - timedelta(seconds=time.monotonic())
        stepped = zero - (self.zero or zero)
        if self.zero is None or abs(stepped) >= STEP:
            self.zero = zero
        if abs(stepped) >= STEP:
            log.warning("this host's clock was set by %+.0f s; ticks come as before", stepped.total_seconds())
            for job in self.get_all_jobs():
                job.modify(next_run_time=job.next_run_time + stepped)


class _Daemon(BaseExecutor):  # type: ignore[misc]  # APScheduler is not typed
    """Runs each tick in a daemon thread: APScheduler's own pool would keep a process whose tick hangs from ending."""

    newest: threading.Thread | None = None

    def _do_submit_job(self, job: Any, run_times: list[datetime]) -> None:
        def work() -> None:
            self._run_job_success(job.id, run_job(job, job._jobstore_alias, run_times, self._logger.name))  # noqa: SLF001

        self.newest = threading.Thread(target=work, name="drift-tick", daemon=True)
        self.newest.start()


class Ticker:
    """Rings every so many seconds, at once for the first time; never twice at once, and once for all that were missed.

    The seconds are those that pass, whatever the host's clock is set to meanwhile.

    Parameters
    ----------
    ring : callable
        The tick.
    seconds : float
        From one to the next.
    told : callable
        Gets what a tick ended by, where that is a defect.
    """

    def __init__(self, ring: Callable[[], None], seconds: float, told: Callable[[BaseException], None]) -> None:
        self._ring, self._seconds = ring, seconds
        quiet = log.getChild("ticks")
        quiet.setLevel(logging.ERROR)  # a tick that outlasts the next one's time is no warning: that one is skipped
        self._executor = _Daemon()
        # In memory only: a stored job is pickled, dropped where it cannot be loaded, and run twice where shared.
        self.scheduler = BackgroundScheduler(
            jobstores={"default": _Steady()}, executors={"default": self._executor}, timezone=UTC, logger=quiet
        )
        self.scheduler.add_listener(lambda event: told(event.exception), EVENT_JOB_ERROR)

    def start(self) -> None:
        """Ring from now on."""
        self.scheduler.add_job(
            self._ring,
            "interval",
            seconds=self._seconds,
            next_run_time=datetime.now(UTC),  # at once, by the alarm's own clock
            id="tick",
            coalesce=True,
            max_instances=1,
            misfire_grace_time=None,  # a late tick is as good as any
        )
        self.scheduler.start()

    def stop(self, seconds: float) -> bool:
        """Ring no more; waits for the tick under way, so long at most. Whether none is left."""
        if self.scheduler.running:
            self.scheduler.shutdown(wait=False)
        tick = self._executor.newest
        if tick is None:
            return True
        tick.join(seconds)
        return not tick.is_alive()
