"""Which incidents there are: those that last, those that were, and those still to be written. Pure; told by the same
words as often as anybody likes, it does not change."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from services.telemetry.history.incidents import Incident, Key

REMEMBERED_S = 7 * 86400.0
"""What happened longer ago is not told again: an object may tell of it for ever."""
MOST = 20_000
"""Incidents remembered; those told of longest ago give way. Told again, they are written again, under the same key."""
FRESH_S = 900.0
"""On taking over, what happened so lately is written again, in case that the publisher before did not."""


class Incidents:
    """known: by key, oldest word first; lasting: by node, kind and subject; news: to be written, by key."""

    def __init__(self) -> None:
        self.known: dict[Key, Incident] = {}
        self.lasting: dict[tuple[str, str, str], Incident] = {}
        self.news: dict[Key, Incident] = {}

    def begin(self, at: float, node: str, kind: str, subject: str, **details: object) -> None:
        """Something lasts from `at` on. While it does, and once it has ended, nothing more begins by the same word."""
        one = Incident(float(int(at)), node, kind, subject, None, json.dumps(details))
        if one.what not in self.lasting and one.key not in self.known:
            self.lasting[one.what] = one
            self._note(one)

    def end(self, at: float, node: str, kind: str, subject: str) -> None:
        """It no longer lasts; nothing where it did not."""
        one = self.lasting.pop((node, kind, subject), None)
        if one is not None:
            self._note(one._replace(until=max(float(int(at)), one.at)))

    def happened(self, at: float, node: str, kind: str, subject: str, now: float, **details: object) -> None:
        """Something that has no length. now: what lies too far before it is passed over."""
        at = float(int(at))
        one = Incident(at, node, kind, subject, at, json.dumps(details))
        if one.key not in self.known and at >= now - REMEMBERED_S:
            self._note(one)

    def keep_nodes(self, names: set[str], now: float) -> None:
        """These nodes are there: nothing lasts on others."""
        for what in [what for what in self.lasting if what[0] not in names]:
            self.end(now, *what)

    def drop_node(self, name: str, now: float) -> None:
        """Nothing lasts on a node that is gone."""
        for what in [what for what in self.lasting if what[0] == name]:
            self.end(now, *what)

    def adopt(self, stored: Iterable[Incident], now: float) -> None:
        """Take over what is written: what lasts there goes on here, under the moment written there. News is what lasts
        or is fresh and not written like that."""
        told = {one.key: one for one in sorted(stored, key=lambda one: one.at)}
        for one in told.values():
            ours = self.known.get(one.key)
            if ours is None or ours.until is None:
                self._adopt(one, told)
        self.news = {
            key: one
            for key, one in self.known.items()
            if (key in self.news or one.until is None or one.until >= now - FRESH_S)
            and (key not in told or told[key].until != one.until)
        }

    def _adopt(self, one: Incident, told: Mapping[Key, Incident]) -> None:
        """One that is written, and whose end we do not know. Of two that last the older had an end that nobody saw."""
        ours = self.lasting.get(one.what)
        self.known[one.key] = one
        if one.until is not None:
            if ours is not None and ours.key == one.key:
                del self.lasting[one.what]
            return
        if ours is not None and ours.key != one.key:
            self.known.pop(ours.key, None)
            if ours.key in told:
                self._note(ours._replace(until=one.at))
        self.lasting[one.what] = one

    def _note(self, one: Incident) -> None:
        self.known.pop(one.key, None)
        self.known[one.key] = self.news[one.key] = one
        while len(self.known) > MOST:
            del self.known[next(iter(self.known))]

    def taken(self) -> list[Incident]:
        """The news, which then are none."""
        found = list(self.news.values())
        self.news.clear()
        return found

    def give_back(self, unwritten: Iterable[Incident]) -> None:
        """They could not be written. What is newer of the same incident stays."""
        self.news = {one.key: one for one in unwritten} | self.news
        while len(self.news) > MOST:
            del self.news[next(iter(self.news))]

    def since(self, start: float) -> list[Incident]:
        """Those that lasted or began at or after a moment."""
        found = {one.key: one for one in self.known.values()} | {one.key: one for one in self.lasting.values()}
        return [one for one in found.values() if one.until is None or one.until >= start]
