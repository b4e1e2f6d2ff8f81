"""Where the command line writes: rich on a terminal, plain text of 100 columns in a log."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

LOG_WIDTH = 100


def console(error: bool = False) -> Console:
    """A console for standard output or standard error."""
    from rich.console import Console

    # No markup: a setting's '[a, b]' or a name with brackets is text.
    made = Console(stderr=error, highlight=False, markup=False)
    if not made.is_terminal:
        made = Console(stderr=error, highlight=False, markup=False, width=LOG_WIDTH)
    return made
