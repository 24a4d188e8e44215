"""The alarm clock: APScheduler, in memory only, one coalescing tick in a thread that no exit waits for."""

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from apscheduler.events import EVENT_JOB_ERROR
from apscheduler.executors.base import BaseExecutor, run_job
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.background import BackgroundScheduler

log = logging.getLogger(__name__)


class _Daemon(BaseExecutor):  # type: ignore[misc]  # APScheduler is not typed
    """Runs each tick in a daemon thread: APScheduler's own pool would keep a process whose tick hangs from ending."""

    newest: threading.Thread | None = None

    def _do_submit_job(self, job: Any, run_times: list[datetime]) -> None:
        def work() -> None:
            self._run_job_success(job.id, run_job(job, job._jobstore_alias, run_times, self._logger.name))  # noqa: SLF001

        self.newest = threading.Thread(target=work, name="drift-tick", daemon=True)
        self.newest.start()


class Alarm:
    """Rings every so many seconds, at once for the first time; never twice at once, and once for all that were missed.

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
            jobstores={"default": MemoryJobStore()}, executors={"default": self._executor}, timezone=UTC, logger=quiet
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
