"""Loaded by every Python process whose ``PYTHONPATH`` names this folder: SIGUSR1 blocks it for half a minute.

The handler runs in the main thread between two steps of the event loop, so the loop stands still as under a
computation that never yields.
"""

import signal
import time

BLOCKED_S = 30.0

signal.signal(signal.SIGUSR1, lambda *_: time.sleep(BLOCKED_S))
