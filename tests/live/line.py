#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""line.py PORT SOCKET: a line to a hypervisor that can be cut: a TCP port of this machine that leads to a Unix socket.
Killed it cuts all connections, stopped it lets them hang. PORT 0 takes a free one; its number is printed."""
import asyncio
import sys


async def pump(source, sink):
    try:
        while data := await source.read(1 << 16):
            sink.write(data)
            await sink.drain()
    except OSError:
        pass
    sink.close()


async def carry(reader, writer):
    try:
        there = await asyncio.open_unix_connection(sys.argv[2])
    except OSError:
        writer.close()
        return
    await asyncio.gather(pump(reader, there[1]), pump(there[0], writer))


async def main():
    server = await asyncio.start_server(carry, "127.0.0.1", int(sys.argv[1]), reuse_address=True)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
