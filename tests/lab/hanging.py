"""`python -m tests.lab.hanging`: the extender as it is, but SIGUSR1 makes its event loop stand still for good."""

from __future__ import annotations

import signal
import time
from types import FrameType

from extender.__main__ import main

FOR_GOOD_S = 3600.0


def hang(number: int, frame: FrameType | None) -> None:
    """Runs on the main thread, which is the event loop's."""
    time.sleep(FOR_GOOD_S)


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, hang)
    raise SystemExit(main())
