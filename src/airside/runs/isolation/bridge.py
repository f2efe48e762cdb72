"""The one way out of an attempt that has no network: connections from inside, carried to the gateways and back."""

import asyncio
from typing import Final
from urllib.parse import urlsplit

_CHUNK_BYTES: Final = 65_536


async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, gateway_socket: str, outside: str) -> None:
    """Carry one connection to the gateways: by their Unix socket if it is given, else to the url `outside`."""
    try:
        if gateway_socket:
            there = await asyncio.open_unix_connection(gateway_socket)
        else:
            address = urlsplit(outside)
            there = await asyncio.open_connection(address.hostname, address.port or 80)
    except OSError:
        writer.transport.abort()
        return
    try:
        await asyncio.gather(_carry(reader, there[1]), _carry(there[0], writer))
    except asyncio.CancelledError:
        return  # the attempt is over; nobody awaits this task
    finally:
        there[1].close()
        writer.close()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(_CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except OSError:
        writer.transport.abort()
