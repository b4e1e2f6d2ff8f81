"""kube-scheduler's two verbs over ASGI, in front of the FastAPI app: decode, call, encode; nothing else.

They speak Go's JSON, not ours, and a web framework's layers cost as much as scoring does, twice a pod: so these two
paths are answered before any of them. Status codes: 400 undecodable, 405 not a POST, 413 too large, 200 for all else.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

from extender.errors import InvalidError, TooLargeError, UndecodableError
from extender.state import State
from extender.verbs import Verbs
from extender.wire import Arguments, decode, filter_answer, filter_error, no_priorities, priorities

log = logging.getLogger("extender.front")

DEFECT = "%s failed; answered neutrally"
THREAD_FROM = 256 * 1024
"""Bodies from this size are decoded in a thread, so that other calls and health checks are read meanwhile."""


class GoneError(Exception):
    """The client has closed its connection."""


@dataclass(frozen=True)
class Verb:
    """How one verb is answered: `at_once` where nothing has to be waited for, otherwise None and `handle` answers.
    `neutral` changes nothing for a call, `invalid` answers what is no usable call."""

    name: str
    at_once: Callable[[Arguments], bytes | None]
    handle: Callable[[Arguments], Awaitable[bytes]]
    neutral: Callable[[Arguments], bytes]
    invalid: Callable[[str], bytes]


class Front:
    """An ASGI application: the verbs, and `app` for every other path."""

    def __init__(self, app: ASGIApp, state: State, verbs: Verbs) -> None:
        self.app, self.state, self.backlog = app, state, verbs.decider.backlog
        known = (
            Verb("filter", verbs.filter_at_once, verbs.filter, lambda call: filter_answer(call, {}), filter_error),
            Verb("prioritize", verbs.prioritize_at_once, verbs.prioritize, no_priorities, lambda _: priorities([], [])),
        )
        self.verbs = {f"/scheduler/{verb.name}": verb for verb in known}
        self.paths = {path.encode(): verb for path, verb in self.verbs.items()}
        self.seconds = {verb.name: state.metrics.verb_seconds.labels(verb.name) for verb in known}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the application's start and end."""
        verb = self.verbs.get(scope["path"]) if scope["type"] == "http" else None
        if verb is None:
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        content, code = await self.respond(verb, scope, receive)
        self.count_later(verb.name, code, time.perf_counter() - started)
        await reply(send, content, code)

    def at_once(self, verb: Verb, body: bytes) -> bytes | None:
        """The body of a 200, or None where this call has to wait or is refused: `__call__` answers it then."""
        started = time.perf_counter()
        try:
            content = self.handled_at_once(verb, decode(body))
        except (UndecodableError, InvalidError):
            return None
        if content is not None:
            self.count_later(verb.name, 200, time.perf_counter() - started)
        return content

    def handled_at_once(self, verb: Verb, call: Arguments) -> bytes | None:
        """The verb's answer at once, if it has one; after a defect a neutral one."""
        try:
            return verb.at_once(call)
        except Exception:
            log.exception(DEFECT, verb.name)
            return self.after_defect(verb, call)

    def after_defect(self, verb: Verb, call: Arguments) -> bytes:
        """A neutral answer, counted."""
        self.state.metrics.defects.labels(verb.name).inc()
        return verb.neutral(call)

    def count_later(self, verb: str, code: int, seconds: float) -> None:
        """Count an answer once there are several."""
        self.backlog.add(functools.partial(self.count, verb, code, seconds))

    def count(self, verb: str, code: int, seconds: float) -> None:
        """Enter an answer into the metrics."""
        self.seconds[verb].observe(seconds)
        self.state.metrics.answer_of(verb, str(code)).inc()

    async def respond(self, verb: Verb, scope: Scope, receive: Receive) -> tuple[bytes, int]:
        """Body and status of an answer. No exception text leaves: what went wrong is in the log."""
        if scope["method"] != "POST":
            return b'{"error":"POST it"}', 405
        try:
            body = await read_body(scope, receive, self.state.settings.server.body_limit_mib * 2**20)
            call = await asyncio.to_thread(decode, body) if len(body) >= THREAD_FROM else decode(body)
        except UndecodableError:
            return b'{"error":"the body is not a JSON object"}', 400
        except TooLargeError:
            return b'{"error":"the body is larger than server.body_limit_mib"}', 413
        except GoneError:
            return b"", 400
        except InvalidError as error:
            return verb.invalid(f"berth: {error}"), 200
        content = self.handled_at_once(verb, call)
        return content if content is not None else await self.handled(verb, call), 200

    async def handled(self, verb: Verb, call: Arguments) -> bytes:
        """The verb's answer, however long it takes; after a defect a neutral one."""
        try:
            return await verb.handle(call)
        except Exception:
            log.exception(DEFECT, verb.name)
            return self.after_defect(verb, call)


async def read_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """The whole body. Raises TooLargeError as soon as it is known to pass the limit, GoneError."""
    told = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
    if told.isdigit() and int(told) > limit:
        raise TooLargeError
    chunks, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise GoneError
        chunk, more = message.get("body", b""), message.get("more_body", False)
        size += len(chunk)
        if size > limit:
            raise TooLargeError
        chunks.append(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def reply(send: Send, content: bytes, code: int) -> None:
    """Status, length and body."""
    headers = [(b"content-length", b"%d" % len(content)), (b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": code, "headers": headers})
    await send({"type": "http.response.body", "body": content})
