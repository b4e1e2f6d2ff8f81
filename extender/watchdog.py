"""Ends the process when its event loop stands still.

A hang holds every pod for kube-scheduler's whole `httpTimeout`; a refused connection is passed at once. So a process
that cannot answer is better gone, and its supervisor starts a new one.
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import sys
import threading
import time

EXIT_CODE = 70
"""EX_SOFTWARE of sysexits.h."""


class Watchdog:
    """A thread that looks whether the event loop still beats. stall_s: longest standstill; 0 switches it off."""

    def __init__(self, stall_s: float) -> None:
        self.stall_s = stall_s
        self._beat = time.monotonic()
        self._stop = threading.Event()

    async def beat(self) -> None:
        """Beat until cancelled."""
        while True:
            self._beat = time.monotonic()
            await asyncio.sleep(max(self.stall_s / 10.0, 0.05))

    def start(self) -> None:
        """Start watching."""
        if self.stall_s > 0.0:
            threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def stop(self) -> None:
        """Stop watching."""
        self._stop.set()

    def _watch(self) -> None:
        last_look = time.monotonic()
        while not self._stop.wait(self.stall_s / 5.0):
            now = time.monotonic()
            # A process that was stopped and resumed has not hung: give the loop a turn to beat.
            if now - last_look < self.stall_s and now - self._beat > self.stall_s:
                self._end(now - self._beat)
            last_look = now

    def _end(self, stood_s: float) -> None:
        print(f"event loop stood still for {stood_s:.1f} s: ending", file=sys.stderr, flush=True)
        faulthandler.dump_traceback(all_threads=True)
        os._exit(EXIT_CODE)
