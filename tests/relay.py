"""Bytes from one place to another: `python -m tests.relay FROM TO [-- COMMAND...]`, a place being a port of
loopback or a socket file.

A socket file is seen from another network namespace, whose loopback is its own: with one relay on either side a server
that listens on all addresses, as webhooks do, reaches the API server and is reached by nobody. With a command, loopback
is brought up first, and relay and command end together, however the first of them does.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import socket
import struct
import sys

from cli import leash

SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1
"""Source: linux/sockios.h and linux/if.h."""

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def opened(place: str) -> Streams:
    """A connection to a place."""
    if place.isdecimal():
        return await asyncio.open_connection("127.0.0.1", int(place))
    return await asyncio.open_unix_connection(place)


async def pumped(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """All bytes until one side ends."""
    with contextlib.suppress(OSError):
        while some := await reader.read(2**16):
            writer.write(some)
            await writer.drain()
    writer.close()


async def relayed(to: str, near: Streams) -> None:
    """One connection, both ways."""
    with contextlib.suppress(OSError):
        far = await opened(to)
        await asyncio.gather(pumped(near[0], far[1]), pumped(far[0], near[1]))
    near[1].close()


async def run(source: str, to: str, command: list[str]) -> int:
    """Listen until the command ends, or for ever without one. The command's exit code."""

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await relayed(to, (reader, writer))

    if command:
        bring_up("lo")
    if source.isdecimal():
        await asyncio.start_server(accept, "127.0.0.1", int(source))
    else:
        await asyncio.start_unix_server(accept, source)
    if not command:
        await asyncio.Event().wait()
    held = [sys.executable, "-I", "-S", leash.__file__, str(os.getpid()), *command]
    return await (await asyncio.create_subprocess_exec(*held)).wait()


def bring_up(interface: str) -> None:
    """As `ip link set INTERFACE up` does. Source: netdevice(7)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        name = interface.encode()
        (flags,) = struct.unpack("16xH22x", fcntl.ioctl(door, SIOCGIFFLAGS, struct.pack("16sH22x", name, 0)))
        fcntl.ioctl(door, SIOCSIFFLAGS, struct.pack("16sH22x", name, flags | IFF_UP))


if __name__ == "__main__":
    sys.exit(asyncio.run(run(sys.argv[1], sys.argv[2], sys.argv[4:])))
