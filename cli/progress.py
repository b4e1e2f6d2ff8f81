"""Progress of long work: a bar on a terminal, a line now and then in a log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

Report = Callable[[str, float], None]
"""What is being done, and the share done, 0 to 1."""
LOG_EVERY = 0.2


@contextmanager
def reporting(out: Console) -> Iterator[Report]:
    """Gives the function that shows progress."""
    if not out.is_terminal:
        yield Lines(out)
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(30), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=out) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda what, done: bar.update(task, description=what, completed=done)


class Lines:
    """Prints when something new begins, and each fifth of it."""

    def __init__(self, out: Console) -> None:
        self.out, self.what, self.said = out, "", -1.0

    def __call__(self, what: str, done: float) -> None:
        """A `Report`."""
        if what != self.what or done - self.said >= LOG_EVERY or (done >= 1.0 > self.said):
            self.what, self.said = what, done
            self.out.print(f"  {what}: {done:.0%}")
