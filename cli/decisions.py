"""Where the decision for a pod is found: the extender, then what telemetry has kept, then logs on this machine."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cli.discover import extender_url, telemetry_url
from cli.endpoint import call, decoded
from cli.errors import CliError, UnreachableError

if TYPE_CHECKING:
    from berth.decisions.record import Decision

SEARCH_S = 60.0
"""Telemetry may have to read all of its history."""
Binding = dict[str, Any]
"""What telemetry keeps of a bound pod, without the record."""


class Explained(NamedTuple):
    """A decision, and what became of it where that is known."""

    decision: Decision
    binding: Binding | None = None


def find(pod: str, url: str | None, telemetry: str | None, data_dir: Path) -> Explained:
    """The newest decision for a pod, by uid or name. url, telemetry: as given. Raises CliError with advice."""
    where, problem = extender_url(url), None
    try:
        decision = from_extender(pod, where)
    except UnreachableError as error:
        decision, problem = None, error
    if decision is not None:
        hours = math.ceil(max(0.0, time.time() - decision.decided_ms / 1000.0) / 3600.0) + 1
        kept = from_telemetry(decision.pod_uid, telemetry, hours)
        return Explained(decision, kept.binding if kept else None)
    found = [from_telemetry(pod, telemetry), from_logs(pod, data_dir) if url is None else None]
    newest = max((one for one in found if one), key=lambda one: one.decision.decided_ms, default=None)
    if newest is None:
        raise problem or nothing_kept(pod, where)
    return newest


def nothing_kept(pod: str, where: str) -> CliError:
    """With advice."""
    return CliError(
        f"no decision is kept for {pod}. Records are kept of the newest pods that opted in (schedulerName berth, "
        f"or the label berth.dev/scoring=true) while the mode is shadow or active; see {where}/v1/decisions. "
        "Telemetry keeps those of bound pods for weeks where history.url is set"
    )


def from_extender(pod: str, where: str) -> Decision | None:
    """None where it has no record. Raises CliError."""
    from urllib.parse import quote

    from berth.decisions.record import decode

    try:
        status, raw = call("GET", f"{where}/v1/decisions/{quote(pod, safe='')}")
    except UnreachableError as error:
        raise UnreachableError(f"{error}. Is `berth up` running, or is --url right?") from error
    if status == 404:
        return None
    if status != 200:
        raise CliError(f"{where} answers with status {status}: is it an extender?")
    return decode(raw)


def from_telemetry(pod: str, given: str | None, hours: int | None = None) -> Explained | None:
    """What it has kept of the last hours (None: of all); None for nothing, or where none runs. Raises UnreachableError
    where an address was given and does not answer."""
    from urllib.parse import quote

    import msgspec

    from berth.decisions.record import Decision

    url = f"{telemetry_url(given)}/v1/bindings/{quote(pod, safe='')}{f'?hours={hours}' if hours else ''}"
    try:
        status, raw = call("GET", url, timeout_s=SEARCH_S)
        if status == 404:
            return None
        found = decoded(url, status, raw)
        return Explained(msgspec.convert(found.pop("decision"), Decision), found)
    except (UnreachableError, msgspec.ValidationError, AttributeError, KeyError) as error:
        if given is None:
            return None
        raise UnreachableError(f"{error}. Is --telemetry right?") from error


def from_logs(pod: str, data_dir: Path) -> Explained | None:
    """The newest record in the logs that `berth up` and `berth demo` leave behind."""
    import msgspec

    from berth.decisions.record import decode

    found: list[Decision] = []
    for path in (data_dir / "decisions.jsonl", data_dir / "demo" / "decisions.jsonl"):
        if not path.is_file():
            continue
        with path.open("rb") as lines:
            for line in lines:
                if pod.encode() in line:
                    try:
                        found.append(decode(line))
                    except msgspec.DecodeError:
                        continue  # the last line of a process that was killed
    matching = [decision for decision in found if pod in (decision.pod_uid, decision.pod_name)]
    newest = max(matching, key=lambda decision: decision.decided_ms, default=None)
    return Explained(newest) if newest else None
