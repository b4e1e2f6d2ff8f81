"""`berth mode`: switch Berth off, to shadow or on, for every replica at once, and leave a trace of it."""

from __future__ import annotations

import re
import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from redis import Redis

    from extender.controls import Override


class ModeName(StrEnum):
    """Modes of the extender."""

    OFF = "off"
    SHADOW = "shadow"
    ACTIVE = "active"


Mode = Annotated[ModeName | None, typer.Argument(help="off: neutral; shadow: scored and recorded only; active: scored")]
Rollout = Annotated[float | None, typer.Option(help="share of owners that are scored, %", min=0.0, max=100.0)]
For = Annotated[str | None, typer.Option("--for", help="how long it holds: 90s, 30m, 2h, 1d", metavar="DURATION")]
Why = Annotated[str, typer.Option(help="the reason, kept in the audit")]
Clear = Annotated[bool, typer.Option("--clear", help="remove the override: the settings count again")]
RedisUrl = Annotated[
    str | None, typer.Option(help="Redis of the extenders (default: of `berth up`, else the settings)")
]
Config = Annotated[Path | None, typer.Option(help="settings file that names the Redis", exists=True, dir_okay=False)]
Url = Annotated[str | None, typer.Option(help="the extender to ask what is in force")]

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
AUDIT_LENGTH = 10_000


def mode(
    name: Mode = None,
    rollout: Rollout = None,
    lasts: For = None,
    why: Why = "",
    clear: Clear = False,
    redis_url: RedisUrl = None,
    config: Config = None,
    url: Url = None,
) -> None:
    """Set the mode or the rollout share over the settings, or show what is in force.

    The override is kept in Redis; every replica obeys within a second, without a restart. What is not named stays as
    an earlier override had it. Who, when and why are kept in the stream `berth:{override}:audit`.

    Examples:

      berth mode

      berth mode off --why "node pool is being replaced" --for 30m

      berth mode active --rollout 10 --why "first tenth of all owners"

      berth mode --clear --why "back to the settings"
    """
    from cli.console import console
    from cli.discover import extender_url
    from cli.discover import redis_url as find_redis

    out = console()
    changes: dict[str, Any] = {"mode": name and name.value, "rollout_percent": rollout}
    changes = {field: value for field, value in changes.items() if value is not None}
    if not changes and not clear:
        if lasts or why:
            raise typer.BadParameter("name a mode, --rollout or --clear with it", param_hint="--for, --why")
        show(out, extender_url(url))
        return
    if changes and clear:
        raise typer.BadParameter("does not go with a mode or --rollout", param_hint="--clear")
    override = write(find_redis(redis_url, config), changes, seconds(lasts) if lasts else None, why, clear)
    said = "none" if override is None else ", ".join(f"{k} {v}" for k, v in described(override).items())
    out.print(f"override: {said}; every replica obeys within a second")


def seconds(text: str) -> float:
    """'30m' is 1800.0."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text.strip())
    if found is None or float(found[1]) <= 0:
        raise typer.BadParameter(f"not a duration: {text!r}; for example 90s, 30m, 2h, 1d", param_hint="--for")
    return float(found[1]) * UNITS[found[2]]


def described(override: Override) -> dict[str, Any]:
    """The fields that are set."""
    return override.model_dump(exclude_none=True, exclude={"by", "at_ms"}, exclude_defaults=True)


def write(url: str, changes: dict[str, Any], lasts_s: float | None, why: str, clear: bool) -> Override | None:
    """Sets or clears the override and appends to the audit, both or neither. Raises UnreachableError, CliError."""
    from redis import Redis
    from redis.exceptions import RedisError

    from cli.errors import UnreachableError

    now_ms = int(time.time() * 1000)
    new: dict[str, Any] = {"expires_ms": None if lasts_s is None else now_ms + int(lasts_s * 1000)}
    new |= {"by": operator(), "why": why[:1000], "at_ms": now_ms}
    try:
        with Redis.from_url(url, socket_timeout=3.0, socket_connect_timeout=3.0) as redis:
            override = None if clear else merged(redis, changes | new, now_ms)
            store(redis, override, new)
    except (RedisError, ValueError, OSError) as error:
        raise UnreachableError(f"Redis does not take the override: {error}") from error
    return override


def merged(redis: Redis, changes: dict[str, Any], now_ms: int) -> Override:
    """What an override in force sets, with the changes over it. An unreadable one is replaced."""
    from berth.cluster import keys
    from extender.controls import Override, parse_override

    raw = redis.get(keys.OVERRIDE)
    try:
        before = parse_override(raw if isinstance(raw, bytes) else None)
    except ValueError:
        before = None
    if before is None or (before.expires_ms is not None and before.expires_ms <= now_ms):
        before = Override()
    return Override.model_validate(before.model_dump() | changes)


def store(redis: Redis, override: Override | None, who: dict[str, Any]) -> None:
    """One transaction: the override, and who set it when and why."""
    from berth.cluster import keys

    text = "" if override is None else override.model_dump_json(exclude_none=True)
    entry: dict[Any, Any] = {"by": who["by"], "at_ms": who["at_ms"], "why": who["why"], "override": text}
    with redis.pipeline(transaction=True) as together:
        if override is None:
            together.delete(keys.OVERRIDE)
        else:
            together.set(keys.OVERRIDE, text, pxat=override.expires_ms)
        together.xadd(keys.OVERRIDE_AUDIT, entry, maxlen=AUDIT_LENGTH, approximate=True)
        together.execute()


def operator() -> str:
    """user@host."""
    import getpass
    import socket

    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


def show(out: Any, url: str) -> None:
    """What is in force at one extender. Raises UnreachableError."""
    from cli.endpoint import get_json

    state = get_json(f"{url}/v1/state")
    weights = ", ".join(f"{part} {weight:g}" for part, weight in state["weights"].items())
    out.print(f"mode      {state['mode']} (from {state['mode_source']})", style="bold")
    out.print(f"rollout   {state['rollout_percent']:g} % of owners")
    out.print(f"weights   {weights}")
    out.print(f"degraded  {', '.join(state['degraded']) or 'nothing'}")
