"""Ticker: calls the tick at a fixed interval, by APScheduler with a memory job store, in a daemon thread."""

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

CLOCK_TOLERANCE: Final = timedelta(seconds=1)  # smaller deviations of the clock are not clock steps

log = logging.getLogger(__name__)


class MonotonicJobStore(MemoryJobStore):  # type: ignore[misc]  # APScheduler is not typed
    """Jobs that follow the monotonic clock although APScheduler follows the wall clock.

    If the wall clock is set, the jobs are moved by as much. Otherwise no job would run for as long as the clock was set
    back; and after a step ahead (from 1970, say) APScheduler would list every run it considers missed.
    """

    epoch: datetime | None = None  # wall clock time at which the monotonic clock was zero

    def get_due_jobs(self, now: datetime) -> list[Any]:
        """Return the due jobs; APScheduler calls this first when it wakes up, by the monotonic clock."""
        self._follow(now)
        jobs: list[Any] = super().get_due_jobs(now)
        return jobs

    def get_next_run_time(self) -> datetime | None:
        """Return when the next job is due; APScheduler calls this last before it sleeps."""
        self._follow(datetime.now(UTC))
        next_run_time: datetime | None = super().get_next_run_time()
        return next_run_time

    def _follow(self, now: datetime) -> None:
        epoch = now - timedelta(seconds=time.monotonic())
        clock_step = epoch - (self.epoch or epoch)
        if self.epoch is None or abs(clock_step) >= CLOCK_TOLERANCE:
            self.epoch = epoch
        if abs(clock_step) >= CLOCK_TOLERANCE:
            message = "the host's clock was set by %+.0f s; ticks keep their interval"
            log.warning(message, clock_step.total_seconds(), extra={"code": "clock-step"})
            for job in self.get_all_jobs():
                job.modify(next_run_time=job.next_run_time + clock_step)


class _DaemonExecutor(BaseExecutor):  # type: ignore[misc]  # APScheduler is not typed
    """Run each tick in a daemon thread: with APScheduler's own pool a tick that hangs would block the exit."""

    newest: threading.Thread | None = None

    def _do_submit_job(self, job: Any, run_times: list[datetime]) -> None:
        def work() -> None:
            self._run_job_success(job.id, run_job(job, job._jobstore_alias, run_times, self._logger.name))  # noqa: SLF001

        self.newest = threading.Thread(target=work, name="drift-tick", daemon=True)
        self.newest.start()


class Ticker:
    """Calls the tick at once and then at a fixed interval; never twice at a time, and once for all missed ticks.

    The interval (seconds) is measured by the monotonic clock, whatever the host's clock is set to. `on_error` is called
    with the exception that ended a tick.
    """

    def __init__(self, tick: Callable[[], None], interval: float, on_error: Callable[[BaseException], None]) -> None:
        self._tick, self._interval = tick, interval
        scheduler_log = log.getChild("ticks")
        scheduler_log.setLevel(logging.ERROR)  # a tick longer than the interval is normal: the next one is skipped
        self._executor = _DaemonExecutor()
        # In memory only: a persistent store pickles jobs, drops those it cannot load, and shared ones run twice.
        self.scheduler = BackgroundScheduler(
            jobstores={"default": MonotonicJobStore()},
            executors={"default": self._executor},
            timezone=UTC,
            logger=scheduler_log,
        )
        self.scheduler.add_listener(lambda event: on_error(event.exception), EVENT_JOB_ERROR)

    def start(self) -> None:
        self.scheduler.add_job(
            self._tick,
            "interval",
            seconds=self._interval,
            next_run_time=datetime.now(UTC),  # at once, by the scheduler's own clock
            id="tick",
            coalesce=True,
            max_instances=1,
            misfire_grace_time=None,  # a late tick is as good as any
        )
        self.scheduler.start()

    def stop(self, seconds: float) -> bool:
        """Stop ticking and wait so long for the running tick; return whether it has ended."""
        if self.scheduler.running:
            self.scheduler.shutdown(wait=False)
        if (tick := self._executor.newest) is not None:
            tick.join(seconds)
        return tick is None or not tick.is_alive()
