"""Send each line of the standard input to the group.

In one event loop. From synchronous code each message would cost Channels a loop and a connection.
"""

import asyncio
import sys

import django

django.setup()

from channels.layers import get_channel_layer  # noqa: E402


async def main() -> None:
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(lines), sys.stdin
    )
    layer = get_channel_layer()
    while line := await lines.readline():
        text = line.decode().rstrip("\n")
        await layer.group_send("fanout", {"type": "fanout.message", "text": text})


asyncio.run(main())
