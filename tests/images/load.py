"""Pods through both verbs, one after another, while something happens to the mesh."""

from __future__ import annotations

import http.client
import threading
from itertools import count
from typing import Self

from tests.calls import Answer, Caller, pod, scores_of

PAUSE_S = 0.02
UIDS = (f"loaded-{number}" for number in count())
SIZES = 40
"""Pod classes that take turns, so that the placement scorer is asked again and again."""


class Load:
    """answered: calls with status 200 and every node in them. lost: what went wrong with the others."""

    def __init__(self, port: int, names: list[str]) -> None:
        self.port, self.names = port, names
        self.answered, self.lost = 0, list[str]()
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.run, name="load")

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.thread.join()

    def run(self) -> None:
        """Until ended. A connection that broke is one call lost, and is made anew."""
        caller = Caller(self.port, 5.0)
        for number in count():
            if self.ended.wait(PAUSE_S):
                break
            try:
                self.cycle(caller, number)
            except (OSError, http.client.HTTPException) as error:
                self.lost.append(repr(error))
                caller.close()
        caller.close()

    def cycle(self, caller: Caller, number: int) -> None:
        """One pod."""
        one = pod(next(UIDS), cpu=f"{round(100 * 1.1 ** (number % SIZES))}m")
        filtered = caller.filter(one, self.names)
        self.note("filter", filtered, set(filtered.json["NodeNames"] or ()) if filtered.status == 200 else set())
        scored = caller.prioritize(one, self.names)
        self.note("prioritize", scored, set(scores_of(scored)) if scored.status == 200 else set())

    def note(self, verb: str, answer: Answer, nodes: set[str]) -> None:
        """Counts one call."""
        if answer.status == 200 and nodes == set(self.names):
            self.answered += 1
        else:
            self.lost.append(f"{verb}: {answer.status}, {len(nodes)} nodes")
