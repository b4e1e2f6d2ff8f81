"""What runs beside the verbs: model contracts and probes, the override, expiry of placements, settings reload."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from pathlib import Path

import numpy as np
from watchfiles import awatch

from berth.cluster import keys
from berth.cluster.pods import PodRequest
from berth.rotation import LOOK_EVERY_S
from berth.settings import InvalidSettings
from extender.controls import parse_override
from extender.errors import ModelFailure
from extender.models import ModelClient
from extender.scoring import pod_columns, rows_for
from extender.settings import ExtenderSettings
from extender.state import State
from extender.transport import credentials, held

log = logging.getLogger("extender.background")

TICK_S = 0.2
OVERRIDE_EVERY_S = 0.5
CONTRACT_EVERY_S = 15.0
PROBE_ROWS = 8
LOOK_TIMES = 2.0
"""A small question has this many deadlines: a machine that is busy for a moment is no broken model."""


async def keep_models(state: State, client: ModelClient) -> None:
    """Keep one model's contract known, look into its failures, and probe it while its breaker is open. Runs until
    cancelled."""
    read_at = float("-inf")
    while True:
        now = time.monotonic()
        if client.breaker.open:
            if now >= client.breaker.probe_at:
                await probe(state, client)
        else:
            if client.contract is not None and client.suspected.is_set():
                await look_into(state, client)
            if not client.breaker.open and contract_due(client, read_at, now):
                before = client.contract
                if await read_contract(client):
                    read_at = now
                    if before != client.contract:
                        await meet(state, client)
        client.suspected.clear()
        pause_s = client.breaker.probe_at - time.monotonic() if client.breaker.open else TICK_S
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(max(pause_s, 0.01), TICK_S)):
                await client.suspected.wait()


def contract_due(client: ModelClient, read_at: float, now: float) -> bool:
    """Whether the metadata has to be read (again). read_at, now: monotonic seconds."""
    return client.contract is None or client.outdated or now - read_at > CONTRACT_EVERY_S


async def look_into(state: State, client: ModelClient) -> None:
    """A pod has waited in vain, and others wait for less until this is known: when the model does not answer a small
    question either, open its breaker now, so that none waits. A model that is only slow on a large one stays."""
    try:
        await ask_a_little(state, client, LOOK_TIMES * client.timeout_s)
    except ModelFailure:
        client.give_up()
        log.warning("%s: does not answer", client.expected.name)


async def ask_a_little(state: State, client: ModelClient, timeout_s: float) -> None:
    """A few rows. Raises ModelFailure."""
    view, contract = state.view, client.contract
    if view is None or contract is None:
        return
    rows = np.arange(min(PROBE_ROWS, len(view.snapshot.nodes)), dtype=np.int32)
    pod = pod_columns(PodRequest("", cpu=1.0, memory=1.0), contract) if contract.pod_features else None
    await client.ask(rows_for(view, contract, rows), pod, timeout_s, waiting=False)


async def read_contract(client: ModelClient) -> bool:
    """Ask for the metadata. Returns whether it came."""
    try:
        await client.read_contract(1.0)
    except ModelFailure as failure:
        log.debug("%s: metadata: %s", client.expected.name, failure.outcome)
        return False
    return True


async def meet(state: State, client: ModelClient) -> None:
    """A model is there, or another version of it: drop what an older version said, and score ahead."""
    assert client.contract is not None
    log.info("%s: version %s", client.expected.name, client.contract.version)
    view = state.view
    if view is not None:
        for key in [k for k, s in view.scores.items() if k[0] == client.expected.name]:
            if view.scores[key].model_version != client.contract.version:
                del view.scores[key]
        await state.scorer.ahead(view)


async def probe(state: State, client: ModelClient) -> None:
    """Ask an open model for its metadata and a few rows; close its breaker when the answer is good."""
    try:
        await client.read_contract(1.0)
        await ask_a_little(state, client, client.timeout_s)
    except ModelFailure:
        client.breaker.probe_failed(time.monotonic())
        return
    client.breaker.probe_succeeded(time.monotonic())
    log.info("%s: answers again", client.expected.name)
    if state.view is not None:
        await state.scorer.ahead(state.view)


async def keep_override(state: State) -> None:
    """Read the override twice a second until cancelled. An unreadable one is refused and the last one stays."""
    while True:
        found = await state.store.attempt(lambda: stored_override(state), 1.0)
        if found is not None:  # a failure to read is not 'no override'
            take_override(state, found)
        await asyncio.sleep(OVERRIDE_EVERY_S)


async def stored_override(state: State) -> bytes:
    """The override's bytes, b'' where there is none."""
    raw = await state.store.client.get(keys.OVERRIDE)
    return raw if isinstance(raw, bytes) else b""


def take_override(state: State, raw: bytes | None) -> None:
    """Take a changed override into force."""
    try:
        override = parse_override(raw)
    except ValueError:
        if not state.override_refused:
            log.warning("override in Redis refused: not readable")
        state.override_refused = True
        return
    state.override_refused = False
    if override != state.override:
        state.override = override
        if override is not None and override.mode is not None:
            state.judge.forgive()
        log.warning("override: %s", "none" if override is None else override.model_dump(exclude_none=True))


async def expire_placements(state: State) -> None:
    """Forget old placements every second until cancelled."""
    while True:
        state.expire_placements()
        await asyncio.sleep(1.0)


async def keep_credentials(state: State, known: tuple[bytes, ...]) -> None:
    """Look at the files for calls to the models once a second, and connect anew with what has changed. Files that
    cannot be read for a moment are being changed; what cannot be used fails its calls until it is mended."""
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        with contextlib.suppress(InvalidSettings):
            found = await asyncio.to_thread(held, state.settings.models)
            if found != known:
                known = found
                await asyncio.gather(*(one.reconnect(credentials(found)) for one in state.clients.values()))
                state.metrics.certificate_reloads.labels("taken").inc()
                log.info("certificates for the models renewed")


async def watch_settings(state: State, path: Path) -> None:
    """Take changes of the settings file; a bad one is refused, logged and counted while the old one stays."""
    watched = path.parent  # a ConfigMap is switched by a symlink beside the file
    async for _ in awatch(watched, debounce=200, step=50, recursive=False):
        reload_settings(state, path)


def reload_settings(state: State, path: Path) -> None:
    """Read the file again."""
    try:
        settings = ExtenderSettings.load(path)
    except InvalidSettings as error:
        state.metrics.settings_reloads.labels("refused").inc()
        log.error("changed settings refused, the old ones stay: %s", error)
        return
    if settings == state.settings:
        return
    waiting = needs_restart(state.settings, settings)
    if waiting:
        log.warning("changed, but in force at the next start only: %s", ", ".join(waiting))
    state.reconfigure(settings)
    state.metrics.settings_reloads.labels("taken").inc()
    log.info("settings reloaded")


def needs_restart(old: ExtenderSettings, new: ExtenderSettings) -> list[str]:
    """Names of changed fields that take effect at the next start only."""
    changed = []
    for group in ("server", "redis"):
        before, after = getattr(old, group), getattr(new, group)
        for name, field in type(before).model_fields.items():
            restart = isinstance(field.json_schema_extra, dict) and field.json_schema_extra.get("restart")
            if restart and getattr(before, name) != getattr(after, name):
                changed.append(f"extender.{group}.{name}")
    return changed
