"""Snapshots into Redis: all of one or nothing, versions that only rise, and no word from a deposed leader."""

from __future__ import annotations

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from berth.cluster import keys
from berth.cluster.delta import encode_delta
from berth.cluster.snapshot import NodeSnapshot, encode
from services.telemetry.errors import FencedOffError, StoreUnavailableError

PUBLISHED, FENCED, OUTRUN = 1, -1, -2

SCRIPT = """
local function number(key)
  if redis.call('TYPE', key).ok ~= 'string' or redis.call('STRLEN', key) > 15 then return 0 end
  local text = redis.call('GET', key)
  return string.match(text, '^%d+$') and tonumber(text) or 0
end
if number(KEYS[3]) > tonumber(ARGV[2]) then return -1 end
if number(KEYS[1]) >= tonumber(ARGV[1]) then return -2 end
redis.call('SET', KEYS[2], ARGV[4], 'EX', ARGV[3])
redis.call('DEL', KEYS[4])
if ARGV[6] ~= '' then redis.call('SET', KEYS[4], ARGV[6], 'EX', ARGV[3]) end
redis.call('SET', KEYS[1], ARGV[1])
redis.call('SET', KEYS[3], ARGV[2])
redis.call('PUBLISH', ARGV[5], ARGV[1])
return 1
"""
"""One atomic step, as MULTI would be, that can also refuse. All keys share a hash slot; what is no number
counts as 0."""


def connect(url: str, timeout_s: float) -> Redis:
    """A client that gives up after `timeout_s` and leaves trying again to its caller."""
    return Redis.from_url(
        url,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 0),
        max_connections=4,
    )


class Publisher:
    """Publishes with one fence. Not for concurrent use: the caller holds one snapshot at a time."""

    def __init__(self, redis: Redis, fence: int = 0, ttl_s: int = keys.SNAPSHOT_TTL_S) -> None:
        self.redis = redis
        self.fence = fence
        self.ttl_s = ttl_s
        self.newest = 0
        self.before: NodeSnapshot | None = None
        """The one that we published last."""

    async def next_version(self) -> int:
        """One more than the stored and our own newest: a store that lost its data does not set versions back.
        Raises StoreUnavailableError."""
        try:
            stored = await self.redis.get(keys.SNAPSHOT_CURRENT)
        except ResponseError:  # not a string: the next publication puts it right
            stored = None
        except (RedisError, OSError) as error:
            raise StoreUnavailableError("cannot read the current version") from error
        return max(as_version(stored), self.newest) + 1

    async def publish(self, snapshot: NodeSnapshot) -> None:
        """Makes a snapshot the current one. Raises FencedOffError; StoreUnavailableError, also where this version is
        taken (another publisher of our fence, or our own attempt whose answer was lost)."""
        try:
            outcome = await self.run_script(snapshot)
        except (RedisError, OSError) as error:
            raise StoreUnavailableError("cannot store the snapshot") from error
        if outcome == FENCED:
            raise FencedOffError(f"a fence above {self.fence} has published", await self.stored_fence())
        if outcome == OUTRUN:
            raise StoreUnavailableError(f"version {snapshot.version} is taken")
        self.newest, self.before = snapshot.version, snapshot

    async def stored_fence(self) -> int:
        """The highest that has published, 0 where the store does not say."""
        try:
            return as_version(await self.redis.get(keys.SNAPSHOT_FENCE))
        except (RedisError, OSError):
            return 0

    async def run_script(self, snapshot: NodeSnapshot) -> int:
        """The script's outcome: PUBLISHED, FENCED or OUTRUN."""
        names = (
            keys.SNAPSHOT_CURRENT,
            keys.snapshot(snapshot.version),
            keys.SNAPSHOT_FENCE,
            keys.delta(snapshot.version),
        )
        delta = encode_delta(self.before, snapshot) if self.before else None
        given = (snapshot.version, self.fence, self.ttl_s, encode(snapshot), keys.SNAPSHOT_CHANNEL, delta or b"")
        return int(await self.redis.eval(SCRIPT, len(names), *names, *given))


def as_version(stored: bytes | str | None) -> int:
    """The version in a stored value, 0 for none or for bytes that are no version."""
    return int(stored) if stored and stored.isdigit() and len(stored) < 16 else 0
