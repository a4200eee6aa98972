"""APScheduler reads the machine's own clock, which may be set; rounds must go on all the same."""

from __future__ import annotations

import time
from datetime import timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler

STEP_S_LEAST = 0.1
LOOK_AGAIN_S_MOST = 1.0


class SteadyScheduler(AsyncIOScheduler):  # type: ignore[misc] # apscheduler ships no types
    """Moves every round along when the machine's clock is set.

    Without this, a clock set back by an hour stops every round for an hour: due times of jobs are times of
    that clock. A round comes at most a second late, when the clock is set in the midst of counting.
    """

    _ahead_s: float | None = None

    def _process_jobs(self) -> float | None:
        self._follow_steps()
        wait_s: float | None = super()._process_jobs()
        return None if wait_s is None else min(wait_s, LOOK_AGAIN_S_MOST)

    def _follow_steps(self) -> None:
        ahead_s = time.time() - time.monotonic()
        step_s = 0.0 if self._ahead_s is None else ahead_s - self._ahead_s
        self._ahead_s = ahead_s
        if abs(step_s) < STEP_S_LEAST:
            return
        for job in self.get_jobs():
            if job.next_run_time is not None:
                job.modify(next_run_time=job.next_run_time + timedelta(seconds=step_s))
