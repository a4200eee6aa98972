"""In several processes: who runs what, and who makes room for whom.

Tests that run whole systems do so in two processes, so that never more than two systems share the cores.
Every other test goes to whichever process is free.
"""

from __future__ import annotations

import os
import signal

import pytest
from xdist.scheduler import LoadScopeScheduling

SMOKE = "tests/smoke/"
# These mostly wait; the rest of the folder goes one by one beside them.
SLOW = ("test_broker_outages.py", "test_no_number_in_any_log.py", "test_guaiba_through_the_whole_system.py")
POLITE = 5

# In the background of a script Ctrl-C is ignored, and so it would be by every process that a test starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def turn_of(test: str) -> str:
    """Return what stands for all tests that one process runs one after another; alone, the test itself."""
    file = test.partition("::")[0]
    if not file.startswith(SMOKE):
        return test
    return "slow" if file.removeprefix(SMOKE) in SLOW else "smoke"


class Turns(LoadScopeScheduling):
    """Gives out the longest turns first."""

    def _split_scope(self, nodeid: str) -> str:
        return turn_of(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Turns | None:
    return Turns(config, log) if config.getvalue("dist") == "loadscope" else None


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Make room for systems that run against the clock: after a short test a process is given none."""
    if "PYTEST_XDIST_WORKER" in os.environ and turn_of(item.nodeid) == item.nodeid and os.nice(0) < POLITE:
        os.nice(POLITE - os.nice(0))
