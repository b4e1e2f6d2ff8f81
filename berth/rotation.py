"""Certificates that are renewed while a server runs: connections made from then on see the new ones.

A Secret's files change a minute or two after the Secret does, and cert-manager renews weeks before the end. What cannot
be used leaves the old ones in force.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl

from prometheus_client import Counter, Gauge

from berth.settings import InvalidSettings
from berth.tls import Files, Held, Tls, load_tls, read_all

log = logging.getLogger("berth.rotation")

LOOK_EVERY_S = 1.0


class Rotating(ssl.SSLContext):
    """A server's context that lets another one make each new connection. asyncio and uvloop ask for nothing else."""

    newest: ssl.SSLContext

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """One connection."""
        return self.newest.wrap_bio(incoming, outgoing, server_side, server_hostname, session)


class Certificates:
    """What the doors show and ask for. section: where the settings of the files are; reloads: counts changes by 'taken'
    and 'refused'; expires: tells the end of the certificate in force, unix seconds."""

    def __init__(self, files: Files, section: str, tls: Tls, reloads: Counter, expires: Gauge) -> None:
        self.files, self.section, self.tls, self.reloads = files, section, tls, reloads
        expires.set_function(lambda: self.tls.expires)
        self.refused: Held | None = None
        self.http = Rotating(ssl.PROTOCOL_TLS_SERVER)
        self.http.newest = tls.context

    async def keep(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            await asyncio.to_thread(self.look)

    def look(self) -> None:
        """Take what has changed. Files that cannot be read for a moment are being changed; others that cannot be used
        are told of once."""
        with contextlib.suppress(InvalidSettings):
            found = read_all(self.files, self.section)
            if found not in (self.tls.held, self.refused):
                self.change(found)

    def change(self, found: Held) -> None:
        """The files hold something else."""
        try:
            tls = load_tls(self.files, self.section)
        except InvalidSettings as error:
            self.refused = found
            self.reloads.labels("refused").inc()
            log.error("changed certificates refused, the old ones stay: %s", error)
            return
        assert tls is not None
        self.tls, self.http.newest, self.refused = tls, tls.context, None
        self.reloads.labels("taken").inc()
        log.info("certificates renewed")
