"""Questions to a Prometheus-compatible server: newest values and spans, with its warnings and its errors.

Source: https://prometheus.io/docs/prometheus/latest/querying/api/.
"""

from __future__ import annotations

import asyncio
import base64
import math
import ssl
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import aiohttp
import msgspec
import numpy as np
from numpy.typing import NDArray

from services.telemetry.settings import PrometheusSettings

Floats = NDArray[np.float32]
T = TypeVar("T")

CONNECT_S = 3.0
AT_ONCE = 4
LONGEST = 256 * 2**20
"""Bytes of an answer: 5,000 nodes over six hours are 20 MB."""


class PrometheusError(Exception):
    """No usable answer. reason: 'unreachable', 'timeout', 'refused' (a status or an error) or 'unreadable'."""

    def __init__(self, reason: str, words: str) -> None:
        self.reason = reason
        super().__init__(words)


class Found(msgspec.Struct):
    """A series of an answer: `value` of an instant, `values` of a span; numbers are text."""

    metric: dict[str, str] = {}
    value: tuple[float, str] | None = None
    values: list[tuple[float, str]] = []


class Data(msgspec.Struct):
    """What an answer holds."""

    result: list[Found] = []


class Answer(msgspec.Struct):
    """The envelope."""

    status: str
    data: Data | None = None
    warnings: list[str] = []


class Sample(NamedTuple):
    """One value of a series. at: unix seconds by the server's clock."""

    labels: dict[str, str]
    at: float
    value: float


class Series(NamedTuple):
    """Values of a series at the steps asked for, as told: float32 [step], NaN where it has none."""

    labels: dict[str, str]
    values: Floats


class Newest(NamedTuple):
    """The newest value of each series. partial: the server warned that some may be missing."""

    samples: list[Sample]
    partial: bool


decoder = msgspec.json.Decoder(Answer)


class Prometheus:
    """One server, asked from one event loop. `close` it."""

    def __init__(self, settings: PrometheusSettings) -> None:
        self.settings = settings
        self.url = settings.url.rstrip("/")
        self.patience = aiohttp.ClientTimeout(total=settings.timeout_s, connect=min(settings.timeout_s, CONNECT_S))
        trusted = ssl.create_default_context(cafile=str(settings.ca)) if settings.ca else True
        self.session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusted, limit=AT_ONCE))

    async def newest(self, query: str) -> Newest:
        """Raises PrometheusError."""
        return await self._ask("query", {"query": query}, newest_of)

    async def span(self, query: str, steps: range, step_s: int) -> list[Series]:
        """Values at the times step x step_s, unix seconds. Raises PrometheusError."""
        first, last = steps.start * step_s, (steps.stop - 1) * step_s
        asked = {"query": query, "start": str(first), "end": str(last), "step": str(step_s)}
        return await self._ask("query_range", asked, lambda answer: series_of(answer, steps, step_s))

    async def _ask(self, what: str, form: dict[str, str], read: Callable[[Answer], T]) -> T:
        """POST, so that a long query fits; read in a thread, as an answer may be large."""
        try:
            async with self.session.post(
                f"{self.url}/api/v1/{what}", data=form, headers=self._headers(), timeout=self.patience
            ) as answer:
                if answer.status != 200:
                    raise PrometheusError("refused", f"status {answer.status}")
                body = await limited(answer.content)
        except TimeoutError as error:
            raise PrometheusError("timeout", "no answer in time") from error
        except (aiohttp.ClientError, OSError) as error:
            raise PrometheusError("unreachable", type(error).__name__) from error
        return await asyncio.to_thread(lambda: read(answer_in(body)))

    def _headers(self) -> dict[str, str]:
        """Who asks. The token is read each time: a kubelet renews it every hour."""
        given = self.settings
        headers = {"X-Scope-OrgID": given.tenant} if given.tenant else {}
        if given.token_file:
            return headers | {"Authorization": f"Bearer {given.token_file.read_text('utf-8').strip()}"}
        if given.username:
            pair = f"{given.username}:{given.password.get_secret_value()}"
            return headers | {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
        return headers

    async def close(self) -> None:
        """Close the connections."""
        await self.session.close()


async def limited(content: aiohttp.StreamReader) -> bytes:
    """The whole body. Raises PrometheusError where it does not end."""
    body = bytearray()
    async for chunk in content.iter_any():
        body += chunk
        if len(body) > LONGEST:
            raise PrometheusError("unreadable", "the answer is too long")
    return bytes(body)


def answer_in(body: bytes) -> Answer:
    """The answer. Raises PrometheusError."""
    try:
        answer = decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PrometheusError("unreadable", "no answer of Prometheus") from error
    if answer.status != "success" or answer.data is None:
        raise PrometheusError("refused", "the query failed")
    return answer


def newest_of(answer: Answer) -> Newest:
    """An instant's values."""
    found = answer.data.result if answer.data else []
    samples = [Sample(one.metric, one.value[0], number(one.value[1])) for one in found if one.value]
    return Newest(samples, bool(answer.warnings))


def series_of(answer: Answer, steps: range, step_s: int) -> list[Series]:
    """A span's values at its steps."""
    found = answer.data.result if answer.data else []
    return [Series(one.metric, at_steps(one.values, steps, step_s)) for one in found]


def at_steps(points: Sequence[tuple[float, str]], steps: range, step_s: int) -> Floats:
    """float32 [step]: values at the times step x step_s; NaN for a value that is none."""
    found = np.full(len(steps), np.nan, dtype=np.float32)
    for at, text in points:
        place, value = round(at / step_s) - steps.start, number(text)
        if 0 <= place < len(found):
            found[place] = value
    return found


def number(text: str) -> float:
    """A sample's text; NaN for what is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan
